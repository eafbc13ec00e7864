/**
 * The smallest chain under the consensus driver: blocks of numbered transactions in a simulated store, a pool fed by clients, block sync by
 * height. It stands where ledger, mempool and sync stand in a full node, and keeps their promises: an executed body is on disk, a block is
 * one batch, what sync brings is judged by its certificate.
 */
import type { ChainPort, Delivered } from '../../node/chain/driver.ts';
import type { InboxLimits } from '../../node/chain/frame-inbox.ts';
import {
  type ByteText,
  decodeAll,
  DIGEST_BYTES,
  type Digest,
  equalBytes,
  hashTagged,
  toHex,
  type Validator,
  Writer,
} from '../../node/format/index.ts';
import { type EngineLimits, type EngineParameters, judgeFinality } from '../../consensus/index.ts';
import type { LedgerStore } from '../../node/world.ts';
import type { SimProcess } from './world.ts';

export interface Bounds {
  readonly blockTransactionsMax: number;
  /** Blocks in one answer to a sync request. */
  readonly syncBlocksMax: number;
  /** Of the driver and the engine; their own where absent. */
  readonly inbox?: InboxLimits;
  readonly engine?: EngineLimits;
}
export const BOUNDS: Bounds = { blockTransactionsMax: 20, syncBlocksMax: 16 };
/** Blocks that an answer may hold at most, whoever made it. */
const SYNC_BLOCKS_MAX = 16;
/** Transactions that a block, or what is handed to a primary, may hold at most, whoever made it. */
const BLOCK_TRANSACTIONS_MAX = 10_000;
/** Share of executions that fail for a passing reason, as when a transaction could not be fetched in time. */
const MISSING_RATIO = 0.02;

export interface TestBody {
  readonly parent: Digest;
  readonly height: number;
  readonly proposer: string;
  readonly salt: Uint8Array;
  readonly transactions: readonly number[];
}

export function encodeBody(body: TestBody): Uint8Array {
  return new Writer(128)
    .fixed(body.parent, DIGEST_BYTES)
    .u64(body.height)
    .text(body.proposer)
    .bytes(body.salt)
    .list(body.transactions, (w, id) => w.u64(id))
    .finish();
}

export function decodeBody(bytes: Uint8Array): TestBody {
  return decodeAll(bytes, (reader) => ({
    parent: reader.fixed(DIGEST_BYTES),
    height: reader.u64(),
    proposer: reader.text(64),
    salt: reader.bytes(16),
    transactions: reader.list((r) => r.u64(), BLOCK_TRANSACTIONS_MAX),
  }));
}

export interface Rules {
  readonly chainId: Digest;
  readonly genesis: Digest;
  readonly bounds: Bounds;
  /** Validators that decide `height`. */
  validators(height: number): readonly Validator[];
  parameters(height: number): EngineParameters;
}

interface StoredBlock {
  readonly digest: Digest;
  readonly body: Uint8Array;
  readonly finality: Uint8Array;
}

const key = (height: number): ByteText => `b${String(height).padStart(12, '0')}`;

function encodeStored(block: StoredBlock): Uint8Array {
  return new Writer(512).fixed(block.digest, DIGEST_BYTES).bytes(block.body).bytes(block.finality).finish();
}

function decodeStored(bytes: Uint8Array): StoredBlock {
  return decodeAll(bytes, (reader) => ({
    digest: reader.fixed(DIGEST_BYTES),
    body: reader.bytes(),
    finality: reader.bytes(),
  }));
}

export class TestChain implements ChainPort {
  readonly #rules: Rules;
  readonly #engine: string;
  readonly #process: SimProcess;
  readonly #store: LedgerStore;
  readonly #pool = new Set<number>();
  readonly #spent = new Set<number>();
  readonly #executed = new Map<string, Uint8Array>();
  readonly #evidence: { readonly code: string; readonly node: string }[] = [];
  height = 0;
  digest: Digest;
  finality: Uint8Array | undefined;
  #storing = Promise.resolve();
  #syncing = Promise.resolve();
  onDelivered: (block: Delivered) => void = () => {};
  onWork: (waiting: boolean) => void = () => {};
  /** Called once a block is final and written here: what a client may be told. */
  onFinal: (height: number, digest: Digest, transactions: readonly number[]) => void = () => {};
  onNote: (text: string) => void = () => {};

  constructor(process: SimProcess, rules: Rules, engine: string) {
    this.#process = process;
    this.#engine = engine;
    this.#rules = rules;
    this.#store = process.openStore('chain');
    this.digest = rules.genesis;
    for (;;) {
      const row = this.#store.get(key(this.height + 1));
      if (!row) break;
      this.#advanceTo(this.height + 1, decodeStored(row));
    }
    process.network.onFrame((from, channel, frame) => {
      if (channel === 'bulk') this.#onFrame(from, frame);
    });
  }

  get evidenceSeen(): readonly { readonly code: string; readonly node: string }[] {
    return this.#evidence;
  }

  block(height: number): StoredBlock | undefined {
    const row = this.#store.get(key(height));
    return row && decodeStored(row);
  }

  submit(id: number): void {
    if (this.#spent.has(id)) return;
    this.#pool.add(id);
    this.onWork(true);
  }

  async build({ height, parent, emptyAllowed }: Parameters<ChainPort['build']>[0]): ReturnType<ChainPort['build']> {
    await this.#wait(2);
    const below = this.#executed.get(toHex(parent));
    const taken = new Set(below && decodeBody(below).transactions);
    const waiting = [...this.#pool].filter((id) => !taken.has(id));
    if (waiting.length === 0 && !emptyAllowed) return { code: 'NOTHING_TO_INCLUDE' };
    const transactions = waiting.slice(0, this.#rules.bounds.blockTransactionsMax);
    const body = encodeBody({ parent, height, proposer: this.#process.node, salt: this.#process.world.random.bytes(8), transactions });
    const digest = this.#digestOf(body);
    this.#executed.set(toHex(digest), body);
    return { digest, proposal: body, more: transactions.length < waiting.length };
  }

  async execute({ height, digest, proposal }: Parameters<ChainPort['execute']>[0]): ReturnType<ChainPort['execute']> {
    await this.#wait(3);
    let body: TestBody;
    try {
      body = decodeBody(proposal);
    } catch {
      return { code: 'BLOCK_MALFORMED', parent: digest };
    }
    if (!equalBytes(this.#digestOf(proposal), digest)) return { code: 'BLOCK_DIGEST', parent: body.parent };
    if (body.height !== height || height !== this.height + 1 || !equalBytes(body.parent, this.digest))
      return { code: 'BLOCK_PARENT', parent: body.parent };
    if (body.transactions.some((id) => this.#spent.has(id))) return { code: 'TRANSACTION_REPEATED', parent: body.parent };
    if (this.#process.world.random.bytes(1)[0]! < MISSING_RATIO * 256) return { code: 'TRANSACTION_MISSING', parent: body.parent };
    this.#executed.set(toHex(digest), proposal);
    return { code: 'OK', parent: body.parent };
  }

  async commit({ height, digest, finality }: Parameters<ChainPort['commit']>[0]): Promise<Delivered> {
    const body = this.#executed.get(toHex(digest));
    if (!body) throw new Error(`commit of a block that was not executed at ${height}`);
    return this.#add(height, { digest, body, finality });
  }

  durable(): Promise<void> {
    return this.#syncing;
  }

  sync(height: number, from: readonly string[]): void {
    for (const node of from.slice(0, 2)) {
      const request = new Writer(16)
        .u8(1)
        .u64(this.height + 1)
        .u64(height)
        .finish();
      this.#process.network.send(node, 'bulk', request);
    }
  }

  head(): void {}

  async search(): Promise<undefined> {}

  handOver(primary: string): void {
    const given = [...this.#pool].slice(0, this.#rules.bounds.blockTransactionsMax);
    const frame = new Writer(1024)
      .u8(3)
      .list(given, (w, id) => w.u64(id))
      .finish();
    this.#process.network.send(primary, 'bulk', frame);
  }

  evidence(proof: { readonly code: string; readonly node: string }): void {
    this.#evidence.push({ code: proof.code, node: proof.node });
    this.onNote(`evidence ${proof.code} ${proof.node}`);
  }

  note(event: string, fields: Readonly<Record<string, string | number>>): void {
    this.onNote(`${event} ${JSON.stringify(fields)}`);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#process.world.timers.after(ms, resolve);
    });
  }

  #digestOf(body: Uint8Array): Digest {
    return hashTagged(this.#process.world.crypto, 'header', body);
  }

  /** One block after the other, whether it comes from consensus or from sync. */
  #add(height: number, block: StoredBlock): Promise<Delivered> {
    const added = this.#storing.then(() => this.#store1(height, block));
    this.#storing = added.then(
      () => {},
      () => {},
    );
    return added;
  }

  async #store1(height: number, block: StoredBlock): Promise<Delivered> {
    const held = this.block(height);
    if (!held) {
      if (height !== this.height + 1) throw new Error(`block ${height} on ${this.height}`);
      await this.#syncing;
      await this.#store.batch([{ key: key(height), value: encodeStored(block) }], { sync: false });
      this.#syncing = this.#store.sync();
      if (!this.#process.dead()) {
        this.#advanceTo(height, block);
        this.onFinal(height, block.digest, decodeBody(block.body).transactions);
        this.onWork(this.#pool.size > 0);
      }
    }
    const stored = held ?? block;
    return {
      height,
      digest: stored.digest,
      finality: stored.finality,
      validators: this.#rules.validators(height + 1),
      parameters: this.#rules.parameters(height + 1),
    };
  }

  #advanceTo(height: number, block: StoredBlock): void {
    this.height = height;
    this.digest = block.digest;
    this.finality = block.finality;
    for (const [name, body] of this.#executed) if (!equalBytes(decodeBody(body).parent, block.digest)) this.#executed.delete(name);
    for (const id of decodeBody(block.body).transactions) {
      this.#spent.add(id);
      this.#pool.delete(id);
    }
  }

  #onFrame(from: string, frame: Uint8Array): void {
    try {
      decodeAll(frame, (reader) => {
        const kind = reader.u8();
        if (kind === 1) this.#answer(from, reader.u64(), reader.u64());
        else if (kind === 2) {
          const first = reader.u64();
          const blocks = reader.list((r) => decodeStored(r.bytes()), SYNC_BLOCKS_MAX);
          void this.#takeIn(first, blocks);
        } else for (const id of reader.list((r) => r.u64(), BLOCK_TRANSACTIONS_MAX)) this.submit(id);
      });
    } catch {
      // an adversary's frame; a full node reports its sender
    }
  }

  #answer(to: string, first: number, last: number): void {
    const blocks: Uint8Array[] = [];
    for (let height = first; height <= Math.min(last, this.height, first + this.#rules.bounds.syncBlocksMax - 1); height++)
      blocks.push(encodeStored(this.block(height)!));
    if (blocks.length === 0) return;
    const frame = new Writer(1024)
      .u8(2)
      .u64(first)
      .list(blocks, (w, block) => w.bytes(block))
      .finish();
    this.#process.network.send(to, 'bulk', frame);
  }

  async #takeIn(first: number, blocks: readonly StoredBlock[]): Promise<void> {
    for (let i = 0; i < blocks.length; i++) {
      const block = blocks[i]!;
      const height = first + i;
      if (height <= this.height) continue;
      if (height !== this.height + 1) return;
      if (!equalBytes(this.#digestOf(block.body), block.digest)) return;
      const { chainId } = this.#rules;
      const judged = { engine: this.#engine, chainId, height, digest: block.digest, validators: this.#rules.validators(height) };
      if (judgeFinality(this.#process.world.crypto, judged, block.finality).fault !== undefined) return;
      try {
        this.onDelivered(await this.#add(height, block));
      } catch {
        return; // the disk is full, or consensus was quicker
      }
    }
  }
}
