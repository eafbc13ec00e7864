/**
 * The chain as consensus and sync see it: builds proposals from the mempool, checks and executes those of others, stores what is final, and tells
 * the rest of the node. One block at a time joins the chain, whichever way it came.
 */
import { createBlockBudget } from './block-budget.ts';
import type { Delivered, ChainPort } from './driver.ts';
import { type ChainEvents, createEmitter, type Emitter } from './events.ts';
import { type HeldProposal, HeldProposals, ListedTransactions } from './held-proposals.ts';
import { ChainError } from '../errors/index.ts';
import {
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
import { createProposedTransactions, LOOKED_UP_PER_PAUSE } from './proposed-transactions.ts';
import { SPREAD_SEVERAL, type Spreading } from '../peers/index.ts';
import type { BlockCheck } from '../service.ts';
import type { ChainTip } from './tip.ts';
import { createPause } from '../pace/index.ts';
import type { LedgerStore, World } from '../world.ts';

/** Under load the next block gathers transactions for so long after the one before: a block costs a round of votes and three syncs whatever is in it. */
export const GATHER_MS = 40;

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

export function createChain(deps: ChainDependencies): Chain {
  const { world, executor, tip, mempool, spreading } = deps;
  const { crypto, log } = world;
  const proposals = new HeldProposals();
  const transactionsOf = createProposedTransactions({ world, mempool, spreading, held: heldTransaction });
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
    const below = proposals.notFinal(request.parent);
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
    proposals.hold(built.hash, { ...sealed, proposal, body, transactions: new ListedTransactions(included), beganMs, timeUpMs, refused });
    rejectAboveTip(request, refused); // the parent may have become final since it was executed on
    const isCut = included.length + refused.length < waiting.length;
    return { digest: built.hash, proposal, more: isCut || isFull };
  };

  /** Whether more than `count` might stand in a block, were it not for their bytes. */
  function bytesLeaveOut(count: number, blockBytesMax: number, isTaken: (entry: Waiting) => boolean): boolean {
    return mempool.size().bytes > blockBytesMax && mempool.select(count + 1, Number.POSITIVE_INFINITY, isTaken).length > count;
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
    const known = proposals.get(hash);
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
    const transactions = await transactionsOf.gather(request.from, proposal.transactionHashes, pause);
    if (!transactions) return { code: 'BLOCK_INCOMPLETE', parent: header.parentHash };
    const beganMs = world.clock.monotonic();
    const sealed = { parent: header.parentHash, seal: proposal.seal, headerBytes: proposal.header };
    const body = deps.pending.save(request.proposal, bodyOf(header.height, sealed, transactions), pause);
    const executing = executor.execute({ headerBytes: proposal.header, transactions: transactions.map(verifiedOf) });
    const [executed] = await Promise.all([executing, body]);
    if (executed.failed.length > 0) return refuse(executed.failed);
    proposals.hold(hash, {
      ...sealed,
      proposal: request.proposal,
      body,
      transactions: new ListedTransactions(transactions),
      beganMs,
      refused: [],
    });
    return { code: 'OK', parent: header.parentHash };
  };

  function heldTransaction(hash: Digest): Uint8Array | undefined {
    return proposals.transaction(hash)?.bytes ?? deps.pending.transaction(hash); // of a proposal voted for before a restart
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
    noteRound(proposals.get(hash), nowMs);
    storedMs = nowMs;
    tip.advance(committed);
    gatherUntilMs = committed.transactionIds.length >= SPREAD_SEVERAL ? world.clock.monotonic() + GATHER_MS : 0;
    for (const { refused } of proposals.on(committed.hash)) reject(refused, committed.height + 1);
    proposals.keepOn(committed.hash);
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

  /** This block is final, above the tip: what that says of those that were to stand there. */
  function noteRound(block: HeldProposal | undefined, nowMs: number): void {
    for (const held of proposals.on(tip.hash)) {
      if (held.timeUpMs === undefined) continue;
      if (held === block) budget.final(nowMs - Math.max(held.timeUpMs, storedMs), tip.configuration.parameters.viewTimeoutMs);
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
        const held = proposals.get(digest);
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
        const transactions = await transactionsOf.verified(block.transactions, listed.hashes);
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
