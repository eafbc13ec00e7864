/**
 * What a node does with its peers besides consensus: spreads transactions, answers for those that proposals name, serves and fetches blocks
 * (DB53/T 1407-2025 5.1.4.b, 6.3.3.a).
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, type ConsensusConfiguration, type Digest, toByteText, transactionHashOf } from '../format/index.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import type { Mempool, Waiting } from '../chain/mempool/mempool.ts';
import { createPause } from '../pace/slices.ts';
import {
  BlockSync,
  createStanding,
  Requests,
  serveBlocks,
  type Standing,
  type StandingWatch,
  SYNC_LIMITS,
  type SyncLimits,
  type SyncStatus,
} from './index.ts';
import type { Network, World } from '../world.ts';

/** Those admitted within this time after a frame has left wait for the next, ms: a frame to each peer costs more than what it carries. */
export const SPREAD_GATHER_MS = 100;
/** How often waiting transactions are looked at for spreading again, and the head is told, ms. */
const UPKEEP_INTERVAL_MS = 1_000;
/** A client's transaction that waits this long is spread again, ms: its frame may have been lost. */
const RESPREAD_AGE_MS = 2_000;
/** Bytes spread again, or handed to a primary, at a time: a chain that cannot keep up must not drown in repetitions. */
const RESPREAD_BYTES_MAX = 262_144;
/** A peer that has not answered by then is not waited for alone. */
const FETCH_PATIENCE_MS = 500;

/** What is given to peers and taken from them at a time. */
export interface PeeringLimits extends SyncLimits {
  /** Hashes asked for in one question; answers are bounded in bytes, so that what is left is asked for again. */
  readonly fetchHashesMax: number;
  /**
   * Transactions from peers whose checks are under way at once: half of it for whoever comes first, half split evenly, so that no peer can hold out
   * what the others give. What comes on top is dropped: it is spread again.
   */
  readonly intakeMax: number;
}

export const PEERING_LIMITS: PeeringLimits = { ...SYNC_LIMITS, fetchHashesMax: 2_000, intakeMax: 20_000 };

/** Frames of transactions of one peer that wait to be opened; what comes on top is dropped: it is spread again. */
const ARRIVALS_PER_PEER_MAX = 16;

/** Refusals that an honest peer's transaction cannot meet. */
const DISHONEST_CODES: ReadonlySet<string> = new Set([
  'TRANSACTION_MALFORMED',
  'TRANSACTION_CHAIN_FOREIGN',
  'TRANSACTION_SIGNATURE_INVALID',
  'TRANSACTION_EMPTY',
  'TRANSACTION_TOO_LARGE',
]);

export interface Peering {
  start(): void;
  stop(): void;
  /** Sends transactions on to every peer, coalesced. */
  spread(transactions: readonly Waiting[]): void;
  /** Sends what is gathered: a proposal is about to name it. */
  flush(): void;
  /**
   * Gives a silent primary what a block could hold of what waits here, the first of it. What no block can hold any more leaves the
   * mempool; how many did.
   */
  handOver(primary: string): Promise<number>;
  /** Bytes of the named transactions, from `first` and then from the others; those nobody gives are missing. Hashes are checked here. */
  fetchTransactions(first: string, hashes: readonly Digest[], timeoutMs: number): Promise<readonly Uint8Array[]>;
  sync(height: number, from: readonly string[]): void;
  /** A row of a peer's ledger, unchecked. @throws ChainError PEER_* */
  getRow(peer: string, key: Uint8Array, height: number): Promise<Uint8Array | undefined>;
  /** Tells every peer the head. */
  announce(): void;
  status(): SyncStatus;
  /** For parts that put questions of their own. */
  readonly requests: Requests;
  readonly standing: Pick<StandingWatch, 'standing' | 'namedByChain'>;
}

export interface PeeringDependencies {
  readonly world: World;
  readonly network: Network;
  readonly mempool: Mempool;
  readonly blocks: BlockStore;
  readonly self: string;
  readonly chainId: Digest;
  readonly tip: () => { readonly height: number; readonly hash: Digest; readonly configuration: ConsensusConfiguration };
  readonly onStanding: (standing: Standing) => void;
  readonly wasExpelled: boolean;
  /** A transaction of a proposal held here, by hash of its full bytes. */
  readonly heldTransaction: (hash: Digest) => Uint8Array | undefined;
  readonly applyBlock: (bytes: Uint8Array, finality: Uint8Array) => Promise<void>;
  /** A row of this node's ledger for a peer whose own is damaged. @throws ChainError STORE_DAMAGED */
  readonly sharedRow: (key: ByteText, height: number) => Promise<Uint8Array | undefined>;
  readonly onAdmitted: (entry: Waiting) => void;
  /** PEERING_LIMITS unless given. */
  readonly limits?: PeeringLimits;
}

export function createPeering(deps: PeeringDependencies): Peering {
  const { world, network, mempool, limits = PEERING_LIMITS } = deps;
  const requests = new Requests({ network, world });
  const source = {
    head: deps.tip,
    blockBytes: (height: number) => deps.blocks.blockBytes(height),
    finality: (height: number) => deps.blocks.finality(height),
    headerBytes: (height: number) => deps.blocks.headerBytes(height),
    pause: () => createPause(world),
  };
  serveBlocks(requests, source, limits.answerBytesMax);
  const watch = createStanding({
    world,
    network,
    self: deps.self,
    chainId: deps.chainId,
    tip: deps.tip,
    source,
    onChange: deps.onStanding,
    wasExpelled: deps.wasExpelled,
  });
  requests.serve('getTransactions', (_from, question) => {
    if (question.kind !== 'getTransactions') return { kind: 'declined', code: 'PEER_DECLINED' };
    const transactions: Uint8Array[] = [];
    let bytes = 0;
    for (const hash of question.hashes) {
      const found = mempool.byHash(hash)?.bytes ?? deps.heldTransaction(hash);
      if (!found) continue;
      if (transactions.length > 0 && bytes + found.length > limits.answerBytesMax) break;
      transactions.push(found);
      bytes += found.length;
    }
    return { kind: 'transactionsAnswer', transactions };
  });
  requests.serve('getRow', async (_from, question) => {
    if (question.kind !== 'getRow') return { kind: 'declined', code: 'PEER_DECLINED' };
    return { kind: 'rowAnswer', row: await deps.sharedRow(toByteText(question.key), question.height) };
  });
  const blockSync = new BlockSync({
    network,
    requests,
    world,
    source,
    limits,
    localHeight: () => deps.tip().height,
    applyBlock: async (bytes, finality) => {
      if (!finality)
        throw new ChainError('BLOCK_REFUSED', {
          failed: [{ check: 'certificate', passed: false, computed: 'absent', stated: 'a quorum signed' }],
        });
      await deps.applyBlock(bytes, finality);
    },
  });
  let waiting: Uint8Array[] = [];
  let spreadMs = Number.NEGATIVE_INFINITY; // monotonic
  let cancelSpread: (() => void) | undefined;
  let cancelUpkeep: (() => void) | undefined;
  /** Transactions in check, of all peers and of each. */
  let intake = 0;
  const intakeOf = new Map<string, number>();

  function flush(): void {
    cancelSpread?.();
    cancelSpread = undefined;
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    spreadMs = world.clock.monotonic();
    requests.spreadTransactions(batch);
  }

  function spread(transactions: readonly Waiting[]): void {
    for (const transaction of transactions) waiting.push(transaction.bytes);
    if (waiting.length === 0) return;
    const gatherMs = Math.ceil(spreadMs + SPREAD_GATHER_MS - world.clock.monotonic());
    cancelSpread ??= world.timers.after(Math.max(0, gatherMs), flush); // after a pause with the next turn: a batch of checks ends in one
  }

  /** Frames of transactions that wait, by peer; each peer's are opened one after the other. */
  const arrivals = new Map<string, (readonly Uint8Array[])[]>();

  requests.onTransactions((from, transactions) => {
    const waiting = arrivals.get(from);
    if (!waiting) {
      arrivals.set(from, [transactions]);
      void openArrivals(from);
    } else if (waiting.length < ARRIVALS_PER_PEER_MAX) waiting.push(transactions);
  });

  async function openArrivals(from: string): Promise<void> {
    const frames = arrivals.get(from)!;
    for (let frame = frames[0]; frame; frame = frames[0]) {
      await openFrame(from, frame);
      frames.shift();
    }
    arrivals.delete(from);
  }

  function countIntake(from: string, change: 1 | -1): void {
    const count = (intakeOf.get(from) ?? 0) + change;
    intake += change;
    if (count > 0) intakeOf.set(from, count);
    else intakeOf.delete(from);
  }

  async function openFrame(from: string, transactions: readonly Uint8Array[]): Promise<void> {
    const pause = createPause(world);
    const commonMax = Math.floor(limits.intakeMax / 2);
    const ownMax = Math.max(1, Math.floor(commonMax / Math.max(1, network.peers().length)));
    let honest = true;
    for (const bytes of transactions) {
      await pause();
      if (!honest) return; // what follows a false one is as good as it
      if (intake >= commonMax && (intakeOf.get(from) ?? 0) >= ownMax) return;
      if (mempool.byHash(transactionHashOf(world.crypto, bytes))) continue; // spread again: known without opening it
      await pause(); // a long one is hashed again to open it
      countIntake(from, 1);
      mempool
        .add(new Uint8Array(bytes), 'peer') // a copy: the frame it came in must not live as long as it waits
        .then(deps.onAdmitted, (error: unknown) => {
          if (error instanceof ChainError && DISHONEST_CODES.has(error.code)) {
            honest = false;
            network.report(from, error.code);
          } else if (!(error instanceof ChainError))
            world.log.error({ from, error: String(error) }, 'transaction from a peer could not be judged');
        })
        .finally(() => countIntake(from, -1));
    }
  }

  async function ask(peer: string, missing: Map<string, Digest>, found: Uint8Array[]): Promise<void> {
    while (missing.size > 0) {
      const asked = new Map([...missing].slice(0, limits.fetchHashesMax));
      const pause = createPause(world);
      let progress = false;
      for (const bytes of await requests.getTransactions(peer, [...asked.values()])) {
        await pause();
        const hash = toByteText(transactionHashOf(world.crypto, bytes));
        if (!asked.delete(hash)) {
          network.report(peer, 'PEER_ANSWER_UNASKED'); // what is in no question, or in the answer twice
          return;
        }
        if (!missing.delete(hash)) continue; // another peer was faster
        found.push(bytes);
        progress = true;
      }
      if (!progress) return;
    }
  }

  function pause(ms: number): { readonly over: Promise<void>; readonly cancel: () => void } {
    let cancel: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      cancel = world.timers.after(ms, resolve);
    });
    return { over, cancel };
  }

  return {
    requests,
    standing: watch,
    start() {
      watch.start();
      cancelUpkeep = world.timers.every(UPKEEP_INTERVAL_MS, () => {
        spread(mempool.overdue(RESPREAD_AGE_MS, RESPREAD_BYTES_MAX));
        blockSync.announce();
      });
    },
    stop() {
      watch.stop();
      cancelUpkeep?.();
      flush();
      requests.stop();
      blockSync.stop();
    },
    spread,
    flush,
    async handOver(primary) {
      const pause = createPause(world);
      const { blockTransactionsMax, blockBytesMax } = deps.tip().configuration.parameters;
      const given: Uint8Array[] = [];
      let bytes = 0;
      let left = 0;
      for (const entry of mempool.select(blockTransactionsMax, blockBytesMax)) {
        await pause();
        if (!mempool.byId(entry.id)) continue;
        if (!mempool.recheck(entry)) {
          left++;
          continue;
        }
        bytes += entry.bytes.length;
        if (given.length > 0 && bytes > RESPREAD_BYTES_MAX) break;
        given.push(entry.bytes);
      }
      requests.spreadTransactions(given, primary);
      return left;
    },
    async fetchTransactions(first, hashes, timeoutMs) {
      const missing = new Map(hashes.map((hash) => [toByteText(hash), hash]));
      const found: Uint8Array[] = [];
      const others = network.peers().filter((peer) => peer.connected && peer.node !== first);
      const peers = [first, ...others.map((other) => other.node)].filter((peer) => peer !== network.self);
      const asked: Promise<void>[] = [];
      const deadline = pause(timeoutMs);
      for (const peer of peers) {
        const answer = ask(peer, missing, found).catch((error: unknown) =>
          world.log.debug({ peer, error: String(error) }, 'peer did not give transactions'),
        );
        asked.push(answer);
        // One silent peer costs its patience, not the time of all: the next is asked while it may still answer.
        const patience = pause(Math.min(FETCH_PATIENCE_MS, timeoutMs / peers.length));
        await Promise.race([answer, patience.over]);
        patience.cancel();
        if (missing.size === 0) break;
      }
      if (missing.size > 0) await Promise.race([Promise.all(asked), deadline.over]);
      deadline.cancel();
      return [...found];
    },
    sync: (height, from) => blockSync.syncTo(height, from),
    getRow: (peer, key, height) => requests.getRow(peer, key, height),
    announce: () => blockSync.announce(),
    status: () => blockSync.status(),
  };
}
