/**
 * What of a node's transactions goes to its peers and comes from them: they are spread as they are admitted, handed to a primary that
 * proposes nothing, and fetched where a proposal names what is not held here.
 */
import { type ChainParameters, type Digest, toByteText, transactionHashOf } from '../format/index.ts';
import type { Mempool, Waiting } from '../chain/index.ts';
import { createPause } from '../pace/index.ts';
import type { Network, World } from '../world.ts';
import type { Requests } from './requests.ts';

/**
 * A frame to each peer costs more than a transaction in it, so for this long after one left the next gathers, ms; a block that is final
 * ends it, which is when the next producer looks at what there is.
 */
export const SPREAD_GATHER_MS = 100;
/**
 * After a block of several transactions so many callers have their answers and send again: what they send leaves together this long after
 * it, ms. A producer that did not build ahead waits longer (GATHER_MS of chain.ts).
 */
export const SPREAD_AFTER_BLOCK_MS = 20;
/** A block that held so many is one of several callers. */
export const SPREAD_SEVERAL = 4;
/** Bytes spread again, or handed to a primary, at a time: a chain that cannot keep up must not drown in repetitions. */
export const RESPREAD_BYTES_MAX = 262_144;
/** A peer that has not answered by then is not waited for alone. */
const FETCH_PATIENCE_MS = 500;
/** Hashes asked for in one question; answers are bounded in bytes, so that what is left is asked for again. */
export const FETCH_HASHES_MAX = 2_000;

export interface Spreading {
  /** Sends transactions on to every peer, coalesced. */
  spread(transactions: readonly Waiting[]): void;
  /** A block of so many transactions is final: what has left before is under way no more. */
  onBlock(transactionCount: number): void;
  /** Sends what is gathered: a proposal is about to name it. */
  flush(): void;
  /**
   * Gives a silent primary what a block could hold of what waits here, the first of it. What no block can hold any more leaves the
   * mempool; how many did.
   */
  handOver(primary: string): Promise<number>;
  /** Bytes of the named transactions, from `first` and then from the others; those nobody gives are missing. Hashes are checked here. */
  fetchTransactions(first: string, hashes: readonly Digest[], timeoutMs: number): Promise<readonly Uint8Array[]>;
  /** Sends what is gathered, for the last time. */
  stop(): void;
}

export interface SpreadingDependencies {
  readonly world: World;
  readonly network: Network;
  readonly requests: Requests;
  readonly mempool: Mempool;
  /** Of the next block. */
  readonly parameters: () => Pick<ChainParameters, 'blockTransactionsMax' | 'blockBytesMax'>;
  /** FETCH_HASHES_MAX unless given. */
  readonly fetchHashesMax?: number;
}

export function createSpreading(deps: SpreadingDependencies): Spreading {
  const { world, network, requests, mempool, fetchHashesMax = FETCH_HASHES_MAX } = deps;
  let waiting: Uint8Array[] = [];
  /** monotonic ms before which nothing leaves by itself. */
  let gatherUntilMs = Number.NEGATIVE_INFINITY;
  let cancelSpread: (() => void) | undefined;

  function flush(): void {
    cancelSpread?.();
    cancelSpread = undefined;
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    gatherUntilMs = world.clock.monotonic() + SPREAD_GATHER_MS;
    requests.spreadTransactions(batch);
  }

  /** With the next turn at the earliest: a batch of checks ends in one. */
  function schedule(): void {
    if (waiting.length === 0 || cancelSpread) return;
    cancelSpread = world.timers.after(Math.max(0, Math.ceil(gatherUntilMs - world.clock.monotonic())), flush);
  }

  function spread(transactions: readonly Waiting[]): void {
    for (const transaction of transactions) waiting.push(transaction.bytes);
    schedule();
  }

  function onBlock(transactionCount: number): void {
    const untilMs = world.clock.monotonic() + (transactionCount < SPREAD_SEVERAL ? 0 : SPREAD_AFTER_BLOCK_MS);
    gatherUntilMs = waiting.length === 0 ? untilMs : Math.min(gatherUntilMs, untilMs); // a block never puts off what waits
    cancelSpread?.();
    cancelSpread = undefined;
    schedule();
  }

  async function fetchFrom(peer: string, missing: Map<string, Digest>, found: Uint8Array[]): Promise<void> {
    while (missing.size > 0) {
      const asked = new Map([...missing].slice(0, fetchHashesMax));
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
    spread,
    onBlock,
    flush,
    stop: flush,
    async handOver(primary) {
      const pause = createPause(world);
      const { blockTransactionsMax, blockBytesMax } = deps.parameters();
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
        const answer = fetchFrom(peer, missing, found).catch((error: unknown) =>
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
  };
}
