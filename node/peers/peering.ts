/**
 * What a node does with its peers besides consensus: spreads transactions, answers for those that proposals name, serves and fetches blocks
 * (DB53/T 1407-2025 5.1.4.b, 6.3.3.a).
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, type ConsensusConfiguration, type Digest, toByteText } from '../format/index.ts';
import type { BlockStore } from '../ledger/index.ts';
import type { Mempool, Waiting } from '../chain/index.ts';
import { createPause } from '../pace/index.ts';
import { BlockSync, SYNC_LIMITS, type SyncLimits } from './block-sync.ts';
import { createStanding, type Standing, type StandingWatch } from './standing.ts';
import type { Requests } from './requests.ts';
import { serveBlocks } from './block-server.ts';
import { FETCH_HASHES_MAX, RESPREAD_BYTES_MAX, type Spreading } from './spreading.ts';
import type { Network, World } from '../world.ts';

/** How often waiting transactions are looked at for spreading again, and the head is told, ms. */
const UPKEEP_INTERVAL_MS = 1_000;
/** A client's transaction that waits this long is spread again, ms: its frame may have been lost. */
const RESPREAD_AGE_MS = 2_000;

/** What is given to peers and taken from them at a time. */
export interface PeeringLimits extends SyncLimits {
  /** Hashes asked for in one question; answers are bounded in bytes, so that what is left is asked for again. */
  readonly fetchHashesMax: number;
  /**
   * Transactions from peers whose checks are under way at once: half of it for whoever comes first, half split evenly, so that no peer can
   * hold out what the others give. The rest of a frame waits until some are judged.
   */
  readonly intakeMax: number;
}

export const PEERING_LIMITS: PeeringLimits = { ...SYNC_LIMITS, fetchHashesMax: FETCH_HASHES_MAX, intakeMax: 20_000 };

/** Transactions opened between two pauses, and bytes of them unless one alone is longer: some hundred microseconds. They are checked together. */
const OPENED_TOGETHER_MAX = 32;
const OPENED_TOGETHER_BYTES = 65_536;

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
  sync(height: number, from: readonly string[]): void;
  /** Tells every peer the head. */
  announce(): void;
  readonly standing: Pick<StandingWatch, 'standing' | 'namedByChain'>;
}

export interface PeeringDependencies {
  readonly world: World;
  readonly network: Network;
  /** Stopped here, as is `spreading`, after everything that sends through it. */
  readonly requests: Requests;
  readonly spreading: Pick<Spreading, 'spread' | 'stop'>;
  readonly mempool: Mempool;
  readonly blocks: BlockStore;
  readonly chainId: Digest;
  readonly tip: () => { readonly height: number; readonly hash: Digest; readonly configuration: ConsensusConfiguration };
  readonly onStanding: (standing: Standing) => void;
  readonly wasExpelled: boolean;
  /** A transaction of a proposal held here, by its full hash. */
  readonly heldTransaction: (hash: Digest) => Uint8Array | undefined;
  readonly applyBlock: (bytes: Uint8Array, finality: Uint8Array) => Promise<void>;
  /** A row of this node's ledger for a peer whose own is damaged. @throws ChainError STORE_DAMAGED */
  readonly sharedRow: (key: ByteText, height: number) => Promise<Uint8Array | undefined>;
  readonly onAdmitted: (entries: readonly Waiting[]) => void;
  /** PEERING_LIMITS unless given. */
  readonly limits?: PeeringLimits;
}

export function createPeering(deps: PeeringDependencies): Peering {
  const { world, network, requests, spreading, mempool, limits = PEERING_LIMITS } = deps;
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
  let cancelUpkeep: (() => void) | undefined;
  /** Transactions in check, of all peers and of each. */
  let intake = 0;
  const intakeOf = new Map<string, number>();
  /** Frames that wait for room. */
  const waitingForRoom: (() => void)[] = [];

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

  function countIntake(from: string, change: number): void {
    const count = (intakeOf.get(from) ?? 0) + change;
    intake += change;
    if (count > 0) intakeOf.set(from, count);
    else intakeOf.delete(from);
    if (change < 0) for (const look of waitingForRoom.splice(0)) look();
  }

  /** Transactions of this peer that may be in check beside those that are. */
  function roomFor(from: string): number {
    const commonMax = Math.floor(limits.intakeMax / 2);
    const common = commonMax - intake;
    if (common >= OPENED_TOGETHER_MAX) return common; // to ask who the peers are takes longer than all else that is done for a short frame
    const ownMax = Math.max(1, Math.floor(commonMax / Math.max(1, network.peers().length)));
    return Math.max(common, ownMax - (intakeOf.get(from) ?? 0));
  }

  async function openFrame(from: string, transactions: readonly Uint8Array[]): Promise<void> {
    const pause = createPause(world);
    let honest = true;
    const onRefused = ({ code }: ChainError): boolean => {
      if (DISHONEST_CODES.has(code)) {
        honest = false;
        network.report(from, code);
      }
      return honest;
    };
    for (let first = 0; first < transactions.length; ) {
      await pause();
      if (!honest) return; // what follows a false transaction in its frame is not opened
      const countMax = Math.min(roomFor(from), OPENED_TOGETHER_MAX);
      if (countMax <= 0) {
        await new Promise<void>((resolve) => void waitingForRoom.push(resolve)); // one of this peer's is in check, so that it ends
        continue;
      }
      const together: Uint8Array[] = [];
      for (let bytes = 0; first < transactions.length && together.length < countMax && bytes < OPENED_TOGETHER_BYTES; first++) {
        together.push(transactions[first]!);
        bytes += transactions[first]!.length;
      }
      void checkTogether(from, together, onRefused);
    }
  }

  async function checkTogether(
    from: string,
    transactions: readonly Uint8Array[],
    onRefused: (error: ChainError) => boolean,
  ): Promise<void> {
    countIntake(from, transactions.length);
    try {
      const admitted = await mempool.addAll(transactions, onRefused);
      if (admitted.length > 0) deps.onAdmitted(admitted);
    } catch (error) {
      if (!(error instanceof ChainError)) world.log.error({ from, error: String(error) }, 'transactions from a peer could not be judged');
    } finally {
      countIntake(from, -transactions.length);
    }
  }

  return {
    standing: watch,
    start() {
      watch.start();
      cancelUpkeep = world.timers.every(UPKEEP_INTERVAL_MS, () => {
        spreading.spread(mempool.overdue(RESPREAD_AGE_MS, RESPREAD_BYTES_MAX));
        blockSync.announce();
      });
    },
    stop() {
      watch.stop();
      cancelUpkeep?.();
      spreading.stop();
      requests.stop();
      blockSync.stop();
    },
    sync: (height, from) => blockSync.syncTo(height, from),
    announce: () => blockSync.announce(),
  };
}
