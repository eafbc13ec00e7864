/**
 * The chain as consensus and sync see it: builds proposals from the mempool, checks and executes those of others, stores what is final, and tells
 * the rest of the node. One block at a time joins the chain, whichever way it came.
 */
import { createBlockBudget } from './block-budget.ts';
import { BoundedMap } from '../pace/bounded-map.ts';
import type { Delivered, ChainPort } from './driver.ts';
import { type ChainEvents, createEmitter, type Emitter } from './events.ts';
import { ChainError } from '../errors/index.ts';
import {
  type ByteText,
  DecodeError,
  type Digest,
  decodeBlock,
  decodeHeader,
  decodeProposal,
  encodeProposal,
  equalBytes,
  gasUsedOf,
  type Header,
  headerHash,
  sealSigningBytes,
  toByteText,
  toHex,
  transactionHashOf,
} from '../format/index.ts';
import {
  checkFinality,
  checkHeader,
  checkSealWith,
  type ExecutorPort,
  failed,
  rootWithPauses,
  type VerifiedTransaction,
} from '../ledger/index.ts';
import type { Included, Mempool, Waiting } from './mempool/mempool.ts';
import type { Location } from '../store/index.ts';
import type { PendingBodies, ProposedBody } from './pending-bodies.ts';
import { SPREAD_SEVERAL, type Spreading } from '../peers/index.ts';
import type { BlockCheck } from '../service.ts';
import type { ChainTip } from './tip.ts';
import { createPause, type Pause } from '../pace/index.ts';
import type { LedgerStore, World } from '../world.ts';

/** Proposals kept, of the height being decided and the one above, newest first: twice what an engine remembers executions. */
export const PROPOSALS_HELD_MAX = 64;
/** Under load the next block gathers transactions for so long after the one before: a block costs a round of votes and three syncs whatever is in it. */
export const GATHER_MS = 40;
/** Transactions looked up between two pauses: some tens of microseconds. */
const LOOKED_UP_PER_PAUSE = 64;
const FETCH_TIMEOUT_MS = 3_000; // how long missing transactions of a proposal are waited for

export interface ChainDependencies {
  readonly world: World;
  readonly self: string;
  readonly executor: ExecutorPort;
  readonly tip: ChainTip;
  readonly mempool: Mempool;
  readonly pending: PendingBodies;
  /** The ledger's, which the executor writes. */
  readonly store: Pick<LedgerStore, 'sync'>;
  /** Signs a seal with the validator key. */
  readonly seal: (message: Uint8Array) => Uint8Array;
  readonly spreading: Pick<Spreading, 'flush' | 'fetchTransactions'>;
}

export interface Chain extends ChainPort {
  readonly on: Emitter<ChainEvents>['on'];
  /** A block that came by sync: checks everything, executes and stores. @throws ChainError BLOCK_REFUSED */
  applyBlock(bytes: Uint8Array, finality: Uint8Array): Promise<Delivered>;
  /** A transaction of a proposal held here, by its full hash. */
  heldTransaction(hash: Digest): Uint8Array | undefined;
  /** Resolves when nothing is being stored. */
  idle(): Promise<void>;
}

interface HeldProposal {
  /** As its primary sent it. */
  readonly proposal: Uint8Array;
  readonly parent: Digest;
  readonly seal: Uint8Array;
  readonly headerBytes: Uint8Array;
  /** Where its body stands in the block files, once it is on disk. One that could not be written is held no longer. */
  readonly body: Promise<Location>;
  readonly transactions: Listed;
  /** When building or executing it began, monotonic ms. */
  readonly beganMs: number;
  /** When it was built, if that took all of the time for it, monotonic ms. */
  readonly timeUpMs?: number | undefined;
  /** Transactions that may not stand above its parent. */
  readonly refused: readonly { readonly id: Digest; readonly code: string }[];
}

/** Transactions of a proposal in its order, found by their full hash as well: few are ever looked for, so that the table for it waits until one is. */
class Listed {
  readonly entries: readonly Waiting[];
  #byHash: Map<ByteText, Waiting> | undefined;

  constructor(entries: readonly Waiting[]) {
    this.entries = entries;
  }

  get(hashKey: ByteText): Waiting | undefined {
    this.#byHash ??= new Map(this.entries.map((entry) => [entry.hashKey, entry]));
    return this.#byHash.get(hashKey);
  }
}

export function createChain(deps: ChainDependencies): Chain {
  const { world, executor, tip, mempool, spreading } = deps;
  const { crypto, log } = world;
  const proposals = new BoundedMap<string, HeldProposal>(PROPOSALS_HELD_MAX);
  const { emit, on } = createEmitter<ChainEvents>();
  let joining: Promise<unknown> = Promise.resolve();
  const budget = createBlockBudget();
  /**
   * The last final block, which is written and may be read, on its way to the disk. What a failed sync left there nobody knows, and a sync tried again
   * may succeed without it: it stays failed, so that no vote rests on it and no block is written, until the node starts again and reads what is there.
   */
  let syncing: Promise<void> = Promise.resolve();
  /** monotonic ms before which no block is begun. */
  let gatherUntilMs = 0;
  /** When the last block was stored, monotonic ms. */
  let storedMs = 0;

  /** On the last final block, or ahead on a proposal of ours that is being voted on: what that one holds waits no longer. */
  const build: ChainPort['build'] = async (request) => {
    const below = belowOf(request.parent);
    if (below.length === 0) await gathered(request.emptyAllowed);
    const { parameters } = tip.configuration;
    spreading.flush(); // whoever judges the proposal shall have its transactions by then
    const isTaken = ({ hashKey }: Waiting): boolean => below.some(({ transactions }) => transactions.get(hashKey) !== undefined);
    const waiting = mempool.select(parameters.blockTransactionsMax, parameters.blockBytesMax, isTaken);
    const isFull = waiting.length === parameters.blockTransactionsMax || bytesLeaveOut(waiting.length, parameters.blockBytesMax, isTaken);
    const emptyAllowed = request.emptyAllowed || request.height === 1; // the first block says that the network runs
    const beganMs = world.clock.monotonic();
    if (waiting.length === 0 && !emptyAllowed) return { code: 'NOTHING_TO_INCLUDE' };
    const built = await executor.build({
      height: request.height,
      parent: request.parent,
      timestampMs: world.clock.now(),
      proposer: deps.self,
      engineData: request.engineData,
      transactions: waiting.map(verifiedOf),
      workMsMax: budget.workMs(parameters.viewTimeoutMs),
    });
    const refused = built.refused.map(({ index, code }) => ({ id: waiting[index]!.id, code }));
    if (built.included.length === 0 && !emptyAllowed) {
      rejectAboveTip(request, refused);
      return { code: 'NOTHING_TO_INCLUDE' };
    }
    const included = built.included.map((index) => waiting[index]!);
    const seal = deps.seal(sealSigningBytes(built.hash));
    const hashes = included.map((entry) => entry.hash);
    const proposal = encodeProposal({ header: built.headerBytes, seal, transactionHashes: hashes });
    const pause = createPause(world);
    const { parent } = request;
    const sealed = { parent, seal, headerBytes: built.headerBytes };
    const body = deps.pending.save(proposal, bodyOf(request.height, sealed, included), pause);
    const timeUpMs = built.timeUp ? world.clock.monotonic() : undefined;
    hold(built.hash, { ...sealed, proposal, body, transactions: new Listed(included), beganMs, timeUpMs, refused });
    rejectAboveTip(request, refused); // the parent may have become final since it was executed on
    const isCut = included.length + refused.length < waiting.length;
    return { digest: built.hash, proposal, more: isCut || isFull };
  };

  function hold(hash: Digest, held: HeldProposal): void {
    const name = toHex(hash);
    proposals.set(name, held);
    held.body.catch(() => {
      if (proposals.get(name) === held) proposals.delete(name);
    });
  }

  /** Whether more than `count` might stand in a block, were it not for their bytes. */
  function bytesLeaveOut(count: number, blockBytesMax: number, isTaken: (entry: Waiting) => boolean): boolean {
    return mempool.size().bytes > blockBytesMax && mempool.select(count + 1, Number.POSITIVE_INFINITY, isTaken).length > count;
  }

  /** What is not final of a block and those it stands on. */
  function belowOf(hash: Digest): HeldProposal[] {
    const below: HeldProposal[] = [];
    for (let held = proposals.get(toHex(hash)); held; held = proposals.get(toHex(held.parent))) below.push(held);
    return below;
  }

  /** A verdict on what may stand at a height counts once the block below is final: now, or when that is stored. */
  function rejectAboveTip(
    { parent, height }: { readonly parent: Digest; readonly height: number },
    refused: HeldProposal['refused'],
  ): void {
    if (equalBytes(parent, tip.hash)) reject(refused, height);
  }

  function reject(refused: HeldProposal['refused'], height: number): void {
    for (const { id, code } of refused) mempool.reject(id, { code: code as 'TRANSACTION_KEY_UNKNOWN', data: { height } });
  }

  /** Resolves when the time to gather is over, or what waits fills a block. */
  async function gathered(emptyAllowed: boolean): Promise<void> {
    const leftMs = gatherUntilMs - world.clock.monotonic();
    const { parameters } = tip.configuration;
    const { count, bytes } = mempool.size();
    if (leftMs <= 0 || count === 0 || emptyAllowed || count >= parameters.blockTransactionsMax || bytes >= parameters.blockBytesMax) return;
    await new Promise<void>((resolve) => void world.timers.after(Math.ceil(leftMs), resolve));
  }

  const execute: ChainPort['execute'] = async (request) => {
    const nothing = new Uint8Array(32);
    let proposal: ReturnType<typeof decodeProposal>;
    let header: Header;
    try {
      proposal = decodeProposal(request.proposal);
      header = decodeHeader(proposal.header);
    } catch (error) {
      if (error instanceof DecodeError) return { code: 'BLOCK_MALFORMED', parent: nothing };
      throw error;
    }
    const outOfTurn = { code: 'BLOCK_OUT_OF_TURN', parent: header.parentHash };
    const refuse = (checks: readonly BlockCheck[]): { code: string; parent: Digest } => {
      if (header.height !== tip.height + 1) return outOfTurn; // the chain moved on meanwhile: that is nobody's fault
      emit('refused', { height: header.height, hash: request.digest, failed: checks });
      return { code: 'BLOCK_REFUSED', parent: header.parentHash };
    };
    const hash = headerHash(crypto, proposal.header);
    if (!equalBytes(hash, request.digest)) return { code: 'BLOCK_REFUSED', parent: header.parentHash };
    if (header.height !== tip.height + 1) return outOfTurn;
    const known = proposals.get(toHex(hash));
    if (known && equalBytes(known.proposal, request.proposal)) {
      await known.body;
      return { code: 'OK', parent: known.parent };
    }
    const producer = tip.configuration.validators.find((validator) => validator.node === header.proposer);
    // Without looking at its list, whose tree takes this thread some tens of ms: it is refused whatever that is.
    if (!producer) return refuse(failed(checkHeader(crypto, header, hash, proposal.seal, [], 0, tip.parentFacts(), header.txRoot)));
    const seal = checkSealWith(crypto, hash, proposal.seal, header.proposer, producer.suite, producer.publicKey);
    if (!seal.passed) return refuse([seal]);
    const { engineData } = request;
    if (request.fresh && !equalBytes(header.engineData, engineData))
      return refuse([
        { check: 'producerEntitled', passed: false, computed: `engineData ${toHex(engineData)}`, stated: toHex(header.engineData) },
      ]);
    const ahead = header.timestampMs - world.clock.now();
    const { clockDriftMaxMs: driftMax, viewTimeoutMaxMs } = tip.configuration.parameters;
    // Its time is when building began, and building, queues and retries may take as long as a view may last.
    if (request.fresh && (ahead > driftMax || -ahead > driftMax + viewTimeoutMaxMs) && header.timestampMs !== tip.header.timestampMs) {
      if (ahead < 0) {
        // An honest primary repeats its proposal for as long as its view lasts, so age alone accuses nobody; it may also be our clock.
        emit('stale', { height: header.height, hash, proposer: header.proposer });
        return { code: 'BLOCK_STALE', parent: header.parentHash };
      }
      return refuse([
        {
          check: 'timestamp',
          passed: false,
          computed: `at most ${driftMax} ms ahead of this node's clock`,
          stated: String(header.timestampMs),
        },
      ]);
    }
    const pause = createPause(world);
    const transactions = await gather(request.from, proposal.transactionHashes, pause);
    if (!transactions) return { code: 'BLOCK_INCOMPLETE', parent: header.parentHash };
    const beganMs = world.clock.monotonic();
    const sealed = { parent: header.parentHash, seal: proposal.seal, headerBytes: proposal.header };
    const body = deps.pending.save(request.proposal, bodyOf(header.height, sealed, transactions), pause);
    const executing = executor.execute({ headerBytes: proposal.header, transactions: transactions.map(verifiedOf) });
    const [executed] = await Promise.all([executing, body]);
    if (executed.failed.length > 0) return refuse(executed.failed);
    hold(hash, { ...sealed, proposal: request.proposal, body, transactions: new Listed(transactions), beganMs, refused: [] });
    return { code: 'OK', parent: header.parentHash };
  };

  /** Transactions of a proposal: from the mempool, the rest from peers, each verified once. Undefined when some cannot be had or are bad. */
  async function gather(from: string, hashes: readonly Digest[], pause: Pause): Promise<readonly Waiting[] | undefined> {
    const found: (Waiting | undefined)[] = [];
    const lacking = new Map<ByteText, Digest>();
    for (const [i, hash] of hashes.entries()) {
      if (i % LOOKED_UP_PER_PAUSE === 0) await pause();
      const entry = mempool.byHash(hash);
      found.push(entry);
      if (!entry) lacking.set(toByteText(hash), hash);
    }
    if (lacking.size > 0) {
      const fetched = await fetchVerified(from, lacking, pause);
      for (const [i, hash] of hashes.entries()) found[i] ??= fetched.get(toByteText(hash));
    }
    return found.includes(undefined) ? undefined : (found as Waiting[]);
  }

  /** Those of them that may be had and are good: held here for another proposal, or given by peers. */
  async function fetchVerified(
    from: string,
    lacking: ReadonlyMap<ByteText, Digest>,
    pause: Pause,
  ): Promise<ReadonlyMap<ByteText, Waiting>> {
    const bodies: Uint8Array[] = [];
    const missing: Digest[] = [];
    for (const hash of lacking.values()) {
      await pause();
      const held = heldTransaction(hash);
      if (held) bodies.push(held);
      else missing.push(hash);
    }
    if (missing.length > 0) bodies.push(...(await spreading.fetchTransactions(from, missing, FETCH_TIMEOUT_MS)));
    const found = new Map<ByteText, Waiting>();
    const keep = (entry: Waiting): void => {
      if (lacking.has(entry.hashKey)) found.set(entry.hashKey, entry);
    };
    const refuse = (error: unknown): void => log.debug({ error: String(error) }, 'transaction of a proposal refused');
    const checks: Promise<unknown>[] = [];
    for (const bytes of bodies) {
      await pause();
      checks.push(mempool.verify(bytes).then(keep, refuse));
    }
    await Promise.all(checks);
    return found;
  }

  function heldTransaction(hash: Digest): Uint8Array | undefined {
    const key = toByteText(hash);
    for (const held of proposals.values()) {
      const transaction = held.transactions.get(key);
      if (transaction) return transaction.bytes;
    }
    return deps.pending.transaction(hash); // of a proposal voted for before a restart
  }

  /** Runs `work` when no other block is joining. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const next = joining.then(work);
    joining = next.catch(() => undefined);
    return next;
  }

  /** @param transactions of the block, in its order. @param beganMs since when the block takes the chain's time, ms; none for one that comes by sync */
  async function store(
    hash: Digest,
    body: Location,
    finality: Uint8Array,
    transactions: readonly Waiting[],
    beganMs?: number,
  ): Promise<Delivered> {
    await syncing; // no block reaches the disk before the one below it, whichever log each is in
    // A copy: what came by sync is a view of a frame of megabytes, which would go to the executor's thread with it.
    const committed = await executor.commit({ hash, body, finality: finality.slice() });
    syncing = deps.store.sync();
    syncing.catch(() => undefined); // heard by whoever waits for it
    const nowMs = world.clock.monotonic();
    const tookMs = beganMs === undefined ? undefined : nowMs - Math.max(beganMs, storedMs); // built ahead, it shared the time of the one before
    noteRound(toHex(hash), nowMs);
    storedMs = nowMs;
    tip.advance(committed);
    gatherUntilMs = committed.transactionIds.length >= SPREAD_SEVERAL ? world.clock.monotonic() + GATHER_MS : 0;
    for (const [name, held] of proposals) {
      if (equalBytes(held.parent, committed.hash)) reject(held.refused, committed.height + 1);
      else proposals.delete(name);
    }
    const pause = createPause(world);
    const included: Included[] = [];
    for (const [i, { idKey, sender, gasLimit }] of transactions.entries()) {
      if (i % LOOKED_UP_PER_PAUSE === 0) await pause();
      included.push({ idKey, sender, gasLimit, gasUsed: gasUsedOf(committed.receipts[i]!) });
    }
    await mempool.settle({ included, height: committed.height, tookMs }, pause);
    emit('committed', committed);
    deps.pending.drop(committed.height);
    return deliveredOf(finality);
  }

  /** The block of this name is final, above the tip: what that says of those that were to stand there. */
  function noteRound(name: string, nowMs: number): void {
    for (const [other, { parent, timeUpMs }] of proposals) {
      if (timeUpMs === undefined || !equalBytes(parent, tip.hash)) continue;
      if (other === name) budget.final(nowMs - Math.max(timeUpMs, storedMs), tip.configuration.parameters.viewTimeoutMs);
      else budget.failed();
    }
  }

  function deliveredOf(finality: Uint8Array): Delivered {
    const { validators, parameters } = tip.configuration;
    return { height: tip.height, digest: tip.hash, finality, validators, parameters };
  }

  return {
    on,
    build,
    execute,
    commit: ({ height, digest, finality }) =>
      exclusively(async () => {
        if (height <= tip.height) return deliveredOf(finality); // sync was faster
        const held = proposals.get(toHex(digest));
        if (!held) throw new ChainError('BLOCK_NOT_FOUND', { height });
        try {
          return await store(digest, await held.body, finality, held.transactions.entries, held.beganMs);
        } catch (error) {
          if (!(error instanceof ChainError) || error.code !== 'BLOCK_NOT_FOUND') throw error;
        }
        // An overlay that the executor dropped is rebuilt from the same bytes.
        const transactions = held.transactions.entries;
        const againMs = world.clock.monotonic();
        const again = await executor.execute({ headerBytes: held.headerBytes, transactions: transactions.map(verifiedOf) });
        if (again.failed.length > 0) throw new ChainError('BLOCK_REFUSED', { height, failed: again.failed });
        return store(digest, await held.body, finality, transactions, againMs);
      }),
    head: ({ height, digest }) => log.debug({ height, hash: toHex(digest) }, 'a block leads'),
    search: async () => undefined, // no engine there is asks for it; its worker comes with the first that does
    durable: () => syncing,
    sync: (height, from) => emit('wanted', { height, from }),
    handOver: (primary) => emit('idle', { primary }),
    evidence: (proof) => emit('evidence', proof),
    note: (event, fields) => emit('note', { event, fields }),
    heldTransaction,
    applyBlock: (bytes, finality) =>
      exclusively(async () => {
        const block = decodeBlock(bytes);
        const { header } = block;
        if (header.height <= tip.height) return deliveredOf(finality);
        const pause = createPause(world);
        const listed = { hashes: [] as Digest[], bytes: 0 };
        for (const transaction of block.transactions) {
          await pause();
          listed.hashes.push(transactionHashOf(crypto, transaction));
          listed.bytes += transaction.length;
        }
        const txRoot = await rootWithPauses(crypto, listed.hashes, pause);
        const headerBytes = headerBytesOf(bytes);
        const hash = headerHash(crypto, headerBytes);
        const faults = failed([
          ...checkHeader(crypto, header, hash, block.seal, listed.hashes, listed.bytes, tip.parentFacts(), txRoot),
          ...checkFinality(crypto, header.chainId, hash, header, finality, tip.configuration),
        ]);
        if (faults.length > 0) throw new ChainError('BLOCK_REFUSED', { height: header.height, failed: faults });
        const transactions = await verifyAll(block.transactions, listed.hashes);
        const sealed = { seal: block.seal, headerBytes };
        const proposal = encodeProposal({ header: headerBytes, seal: block.seal, transactionHashes: listed.hashes });
        const [executed, body] = await Promise.all([
          executor.execute({ headerBytes, transactions: transactions.map(verifiedOf) }),
          deps.pending.save(proposal, bodyOf(header.height, sealed, transactions), pause),
        ]);
        if (executed.failed.length > 0) throw new ChainError('BLOCK_REFUSED', { height: header.height, failed: executed.failed });
        return store(hash, body, finality, transactions);
      }),
    async idle() {
      await joining;
      await syncing.catch(() => undefined);
    },
  };

  async function verifyAll(bodies: readonly Uint8Array[], hashes: readonly Digest[]): Promise<Waiting[]> {
    const pause = createPause(world);
    const checked: (Waiting | Promise<Waiting>)[] = [];
    for (const [index, bytes] of bodies.entries()) {
      await pause();
      const known = mempool.byHash(hashes[index]!);
      const check = known ?? mempool.verify(bytes);
      if (check instanceof Promise) check.catch(() => undefined); // heard below, when all have begun
      checked.push(check);
    }
    return await Promise.all(checked);
  }
}

function bodyOf(height: number, sealed: Pick<HeldProposal, 'seal' | 'headerBytes'>, transactions: readonly Waiting[]): ProposedBody {
  return { height, ...sealed, transactions: transactions.map(({ bytes }) => bytes) };
}

/** Not the entry itself: what else it has stays on this thread. */
function verifiedOf(entry: Waiting): VerifiedTransaction {
  const { bytes, publicKey, id, hash } = entry;
  return { bytes, publicKey, id, hash };
}

/** The header's exact bytes at the front of a block. */
function headerBytesOf(blockBytes: Uint8Array): Uint8Array {
  const length = new DataView(blockBytes.buffer, blockBytes.byteOffset).getUint32(0);
  return blockBytes.subarray(4, 4 + length);
}
