/**
 * The parts of one validator on real data, driven block by block in this process: opening and checking transactions, mempool, executor, stores, query index,
 * receipts. Each phase is told in CPU us of all threads, so that what a store does in the background is in it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateKey } from '../../contracts/index.ts';
import { type Mempool, createMempool } from '../../node/chain/mempool/mempool.ts';
import { openPendingBodies, type PendingBodies } from '../../node/chain/pending-bodies.ts';
import { type ChainTip, createTip } from '../../node/chain/tip.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import { createVerifyPool } from '../../node/crypto/verify-pool.ts';
import {
  decodeReceipt,
  encodeProposal,
  gasUsedOf,
  openGenesis,
  openTransaction,
  transactionSigningBytes,
} from '../../node/format/index.ts';
import { readAccount } from '../../node/ledger/admission.ts';
import { openBlockFiles } from '../../node/ledger/block-files.ts';
import { SpentIds } from '../../node/ledger/spent-ids.ts';
import { createBlockStore } from '../../node/ledger/block-store.ts';
import { createContracts } from '../../node/ledger/contracts.ts';
import { type Committed, createExecutor, type Executor } from '../../node/ledger/executor.ts';
import { ledgerKey } from '../../node/ledger/keys.ts';
import { createStateRows } from '../../node/ledger/state-rows.ts';
import { createLog } from '../../node/real/log.ts';
import { createRealWorld } from '../../node/real/world.ts';
import { createClassLookup, openRecordIndex, type RecordIndex } from '../../node/records/index.ts';
import { CHAIN_WRITE_BUFFER_BYTES, openDirectory, openLevelStore } from '../../node/store/index.ts';
import type { LedgerStore } from '../../node/world.ts';
import { ownCpuUs } from './statistics.ts';

const WORK_MS_MAX = 600_000; // no part of a block is left out for time
const SAMPLING_US = 200;
const MEMPOOL = { countMax: 100_000, bytesMax: 1_000_000_000 } as const;

/** CPU us of one block. */
export interface Phases {
  /** Client signatures alone, and the decoding and hashing of transactions alone. */
  readonly signatures: number;
  readonly opening: number;
  /** Mempool with signatures and opening in it. */
  readonly mempool: number;
  readonly build: number;
  readonly commit: number;
  readonly bodies: number;
  readonly index: number;
  readonly receipts: number;
}

export interface SignedBy {
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
}

export class Validator {
  /** Stacks of the builds since `sampled` was set. */
  readonly profiles: Profiler.Profile[] = [];
  sampled = false;
  readonly #close: (() => Promise<void>)[];
  readonly #crypto = createCrypto();
  readonly #session = new Session();
  readonly #executor: Executor;
  readonly #store: Pick<LedgerStore, 'sync'>;
  readonly #mempool: Mempool;
  readonly #bodies: PendingBodies;
  readonly #index: RecordIndex;
  readonly #tip: ChainTip;

  private constructor(parts: {
    close: (() => Promise<void>)[];
    executor: Executor;
    store: Pick<LedgerStore, 'sync'>;
    mempool: Mempool;
    bodies: PendingBodies;
    index: RecordIndex;
    tip: ChainTip;
  }) {
    this.#close = parts.close;
    this.#executor = parts.executor;
    this.#store = parts.store;
    this.#bodies = parts.bodies;
    this.#index = parts.index;
    this.#tip = parts.tip;
    this.#mempool = parts.mempool;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  }

  static async open(genesisText: string): Promise<Validator> {
    const dir = mkdtempSync(join(tmpdir(), 'tracemill-bench-'));
    const crypto = createCrypto();
    const log = createLog({ level: 'silent' });
    const verifier = createVerifyPool({ crypto, log });
    const world = createRealWorld({ log, crypto, verifier });
    const { clock } = world;
    const store = await openLevelStore({ path: join(dir, 'chain'), writeBufferBytes: CHAIN_WRITE_BUFFER_BYTES });
    const indexStore = await openLevelStore({ path: join(dir, 'index') });
    const { chainId, configuration } = openGenesis(crypto, genesisText);
    const files = await openBlockFiles({ directory: await openDirectory(join(dir, 'blocks')), chainId, world });
    const executor = createExecutor({
      store,
      files,
      crypto,
      clock,
      genesisText,
      ...(await createContracts(crypto, configuration.executionVersion)),
    });
    const rows = createStateRows(store);
    const state = { get: (key: string) => rows.get(ledgerKey.state(key)) };
    const read = (contract: string, key: string) => state.get(stateKey(contract, key));
    const accounts = new Map<string, ReturnType<typeof readAccount>>();
    const account = (id: string) => accounts.get(id) ?? accounts.set(id, readAccount(read, id)).get(id);
    const opened = await executor.open();
    const index = await openRecordIndex(indexStore, crypto, createClassLookup(state));
    await index.applyBlock(0, Date.now(), []);
    const tip = createTip(opened, { account, spent: new SpentIds(0, (id) => store.get(ledgerKey.position(id)) !== undefined) });
    const mempool = createMempool({ crypto, verifier, clock, limits: MEMPOOL, context: tip.admission });
    mempool.onRejected((_id, { code }) => {
      throw new Error(code);
    });
    const close = [
      () => verifier.stop(),
      () => indexStore.close(),
      () => files.close(),
      () => store.close(),
      async () => rmSync(dir, { recursive: true, force: true }),
    ];
    return new Validator({
      close,
      executor,
      store,
      mempool,
      bodies: await openPendingBodies(files, createBlockStore(store, files), crypto),
      index,
      tip,
    });
  }

  /** @throws Error when not all of them fit one block, or one fails. */
  async block(transactions: readonly SignedBy[]): Promise<Phases> {
    const spent = async (work: () => unknown): Promise<number> => {
      const before = ownCpuUs();
      await work();
      return ownCpuUs() - before;
    };
    const opened = transactions.map(({ bytes }) => openTransaction(this.#crypto, bytes));
    const opening = await spent(() => transactions.map(({ bytes }) => openTransaction(this.#crypto, bytes)));
    const signatures = await spent(() =>
      opened.map(({ id, transaction }, i) =>
        this.#crypto.verify(transaction.suite, transactions[i]!.publicKey, transactionSigningBytes(id), transaction.signature),
      ),
    );
    let mempool = await spent(() => Promise.all(transactions.map(({ bytes }) => this.#mempool.add(bytes, 'peer'))));
    const waiting = this.#mempool.select(transactions.length, Number.MAX_SAFE_INTEGER);
    const height = this.#tip.height + 1;
    const { validators } = this.#tip.configuration;
    let hash = new Uint8Array(0);
    let headerBytes = new Uint8Array(0);
    const timestampMs = Date.now();
    if (this.sampled) this.#session.post('Profiler.start');
    const build = await spent(async () => {
      const built = await this.#executor.build({
        height,
        parent: this.#tip.hash,
        timestampMs,
        proposer: validators[0]!.node,
        engineData: new Uint8Array(8),
        transactions: waiting,
        workMsMax: WORK_MS_MAX,
      });
      if (built.included.length !== transactions.length)
        throw new Error(
          `Cannot measure a block: ${built.included.length} of ${transactions.length} fit, ${JSON.stringify(built.refused[0])}`,
        );
      hash = built.hash as Uint8Array<ArrayBuffer>;
      headerBytes = built.headerBytes as Uint8Array<ArrayBuffer>;
    });
    if (this.sampled) this.#session.post('Profiler.stop', (_error, { profile }) => void this.profiles.push(profile));
    const seal = new Uint8Array(64);
    const proposal = encodeProposal({ header: headerBytes, seal, transactionHashes: waiting.map(({ hash: transaction }) => transaction) });
    let body = 0;
    const bodies = await spent(async () => {
      const transactions = waiting.map(({ bytes }) => bytes);
      body = await this.#bodies.save(proposal, { height, headerBytes, seal, transactions }, async () => undefined);
    });
    let stored!: Committed;
    const commit = await spent(async () => {
      stored = await this.#executor.commit({ hash, body, finality: undefined });
      await this.#store.sync();
    });
    this.#tip.advance(stored);
    const included = waiting.map((entry, i) => ({ ...entry, gasUsed: gasUsedOf(stored.receipts[i]!) }));
    mempool += await spent(() => this.#mempool.settle({ included, height, tookMs: undefined }, async () => undefined));
    let decoded: ReturnType<typeof decodeReceipt>[] = [];
    const receipts = await spent(() => {
      decoded = stored.receipts.map((receipt) => decodeReceipt(receipt));
    });
    const failed = decoded.find(({ status }) => status !== 'ok');
    if (failed) throw new Error(`Cannot measure a block: ${failed.code}`);
    const index = await spent(() => this.#index.applyFacts(height, stored.recordFacts!));
    this.#bodies.drop(height);
    return { signatures, opening, mempool, build, commit, bodies, index, receipts };
  }

  async close(): Promise<void> {
    this.#session.disconnect();
    for (const close of this.#close) await close();
  }
}
