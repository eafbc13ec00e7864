/**
 * Whose turn it is, by gas. Every sender has gas of his own a second; what he asks for beyond it is excess. While senders who keep within their own are
 * about, the excess of all others is bounded: a little in every block, a budget a second for transactions as large as those that load records in bulk,
 * and a smaller one for dearer ones, so that most of the chain's time stays free of calls that hold every validator up for as long as they run. Without
 * them excess goes as fast as it can. What is charged is the gas used, once its block is final. A proposer orders by this; no replica judges it
 * (DB53/T 1407-2025 6.3.3.a).
 *
 * Where the chain is slow (block-pace.ts) excess gives way: it is charged with the square of how slow blocks are, so that it has less of the time and not the
 * same part.
 *
 * A sender is an account, so an organisation has as many shares as accounts: forty that each send all they have of their own keep the chain busy half of
 * the time, though none goes beyond it. Others still go before them in every block, having used less. Accounts are made by an organisation's administrators,
 * each by a transaction that stays on record. A share for organisations as well would have to suit one account and a factory's hundred devices alike.
 */
import { BoundedMap } from '../bounded-map.ts';
import { rateSaving, TokenBucket, TokenBuckets } from '../token-bucket.ts';
import type { Clock } from '../world.ts';
import { createBlockPace } from './block-pace.ts';

const MS_PER_SECOND = 1_000;
/** Gas of one sender's own a second: about a dozen single records. */
export const SENDER_GAS_PER_SECOND = 250_000_000;
/** A sender's own that an idle one saves up, ms of the rate: a transaction of a hundred records. */
export const SENDER_GAS_SAVED_MS = 20_000;
/** Most gas that a sender owes: so a flood is forgotten 40 s after its end. */
export const SENDER_GAS_OWED_MAX = 10_000_000_000;
/** After so long without a transaction any sender has all of his own saved up, ms. */
export const SENDER_GAS_FORGOTTEN_MS = SENDER_GAS_SAVED_MS + (SENDER_GAS_OWED_MAX / SENDER_GAS_PER_SECOND) * MS_PER_SECOND;
/** Excess that any block may hold: 25 ms of a proposer, a couple of dozen single records. */
export const EXCESS_GAS_PER_BLOCK = 1_000_000_000;
/** Largest gas limit that counts as bulk. A hundred records that a node signs for their sender have 5,600 to 6,500 million, and use a third. */
export const BULK_GAS_MAX = 7_000_000_000;
/**
 * Excess of bulk a second: three eighths of the chain's time were its gas the dearest, so that most who send something meet none of it. With the rest
 * of the excess five hundred records, whose gas takes a third of that time.
 */
export const BULK_GAS_PER_SECOND = 7_500_000_000;
/** Of that, what is saved up, ms of the rate. */
export const BULK_GAS_SAVED_MS = 300;
/** Further excess a second: an eighth of the chain's time, because the proposer runs it first and then the backups do. */
export const EXCESS_GAS_PER_SECOND = 2_500_000_000;
/** Of that, what is saved up, ms of the rate. */
export const EXCESS_GAS_SAVED_MS = 1_000;
/** Most excess that is owed: one transaction of the largest default gas limit in a block twice as slow as priced, sixteen seconds. */
export const EXCESS_GAS_OWED_MAX = 40_000_000_000;
/**
 * Where blocks are slow, one of excess alone does not follow at once: the chain rests for the time that the block before it took too long, so that who keeps
 * within his own finds it free. Excess goes at once into the blocks of others. This is the longest such rest, ms: far below a view's time-out, since a
 * backup that measures another time expects the block earlier.
 */
export const ALONE_REST_MS_MAX = 500;
/** Who keeps within his own is about for so long after his last transaction, ms. */
export const ABOUT_MS = 10_000;
/** Gas that waits from one sender in debt, by what his last transactions used, past which he is told to wait: half a minute of all excess. */
export const WAITING_GAS_MAX = 30 * EXCESS_GAS_PER_SECOND;
/** Senders remembered; the longest idle are forgotten. */
const SENDERS_MAX = 20_000;
/** Weight of the newest transaction in a sender's mean. */
const NEWEST_PART = 1 / 4;

/** All that an idle sender saves up. */
export const SENDER_GAS_SAVED = (SENDER_GAS_PER_SECOND * SENDER_GAS_SAVED_MS) / MS_PER_SECOND;
/** He keeps within his own who has half of what can be saved up. */
const MODEST_LEFT_MIN = SENDER_GAS_SAVED / 2;

export interface GasUse {
  readonly sender: string;
  readonly gasLimit: number;
}

export interface GasShares {
  /** Those of the queues (one a sender, oldest first) that a block may hold now, in the order of their turns. */
  turns<T extends GasUse>(queues: ReadonlyMap<string, Iterable<T>>): Generator<T, void, void>;
  /** Ms until a block may hold any of the queues: 0 when it may now, Infinity when none waits. */
  dueInMs(queues: ReadonlyMap<string, Iterable<GasUse>>): number;
  /** Whether no sender goes before this one, and its own gas pays for it: every proposer takes it first. */
  goesFirst(use: GasUse): boolean;
  /** How many of them no block may hold now. */
  heldBack(queues: ReadonlyMap<string, Iterable<GasUse>>): number;
  /** The transactions of a block that became final, and for how long it took the chain's time, ms. */
  charge(block: readonly (GasUse & { readonly gasUsed: number })[], tookMs: number): void;
  /** Ms that a sender of whom so many wait is to wait before he sends another; 0 when he need not. */
  admissionWaitMs(sender: string, waitingCount: number): number;
}

export function createGasShares(clock: Pick<Clock, 'monotonic'>): GasShares {
  const buckets = new TokenBuckets(clock);
  const ownRate = rateSaving(SENDER_GAS_PER_SECOND, SENDER_GAS_SAVED_MS);
  const excess = new TokenBucket(rateSaving(EXCESS_GAS_PER_SECOND, EXCESS_GAS_SAVED_MS), clock);
  const bulk = new TokenBucket(rateSaving(BULK_GAS_PER_SECOND, BULK_GAS_SAVED_MS), clock);
  const pace = createBlockPace(clock);
  /** Before this no block holds excess alone, monotonic ms. */
  let aloneFromMs = 0;
  /** When those who keep within their own had their last transaction in a block, ms. */
  const modest = new BoundedMap<string, number>(SENDERS_MAX);
  /** Gas that a transaction uses of those who owe some. */
  const means = new BoundedMap<string, number>(SENDERS_MAX);

  const ownOf = (sender: string): TokenBucket => buckets.of(sender, ownRate);

  function isModestAbout(): boolean {
    const sinceMs = clock.monotonic() - ABOUT_MS;
    for (const [sender, seenMs] of modest) {
      if (seenMs >= sinceMs && ownOf(sender).left() >= MODEST_LEFT_MIN) return true;
      modest.delete(sender);
    }
    return false;
  }

  function* turns<T extends GasUse>(queues: ReadonlyMap<string, Iterable<T>>): Generator<T, void, void> {
    const senders = [...queues].map(([sender, queue]) => ({ left: ownOf(sender).left(), queue, beyond: [] as T[] }));
    senders.sort((a, b) => b.left - a.left); // who used least goes first
    let alone = true;
    for (const transaction of inTurn(senders.map((sender) => withinOwn(sender)))) {
      alone = false;
      yield transaction;
    }
    const beyond = inTurn(senders.map((sender) => sender.beyond[Symbol.iterator]()));
    if (!isModestAbout()) {
      yield* beyond;
      return;
    }
    if (alone && clock.monotonic() < aloneFromMs) return;
    let blockLeft = EXCESS_GAS_PER_BLOCK;
    const ofBulk = new Grants(bulk.left());
    const ofAny = new Grants(excess.left());
    for (const transaction of beyond) {
      const { gasLimit } = transaction;
      if (gasLimit <= blockLeft) blockLeft -= gasLimit;
      else if (!(gasLimit <= BULK_GAS_MAX && ofBulk.take(gasLimit)) && !ofAny.take(gasLimit)) continue;
      yield transaction;
    }
  }

  /** Of each transaction of the queues, ms until a block may hold it, were it the first of those beyond their senders' own. */
  function* waitsMs(queues: ReadonlyMap<string, Iterable<GasUse>>): Generator<number, void, void> {
    const about = isModestAbout();
    const aloneMs = about ? Math.max(0, Math.ceil(aloneFromMs - clock.monotonic())) : 0;
    const ofAnyMs = about ? Math.max(aloneMs, excess.waitMs()) : 0;
    const ofBulkMs = Math.min(Math.max(aloneMs, bulk.waitMs()), ofAnyMs);
    for (const [sender, queue] of queues) {
      const own = ownOf(sender).left();
      for (const { gasLimit } of queue) {
        if (gasLimit <= own) yield 0;
        else if (gasLimit <= EXCESS_GAS_PER_BLOCK) yield aloneMs;
        else yield gasLimit <= BULK_GAS_MAX ? ofBulkMs : ofAnyMs;
      }
    }
  }

  function dueInMs(queues: ReadonlyMap<string, Iterable<GasUse>>): number {
    let leastMs = Number.POSITIVE_INFINITY;
    for (const waitMs of waitsMs(queues)) {
      if (waitMs === 0) return 0;
      leastMs = Math.min(leastMs, waitMs);
    }
    return leastMs;
  }

  function heldBack(queues: ReadonlyMap<string, Iterable<GasUse>>): number {
    let count = 0;
    for (const waitMs of waitsMs(queues)) if (waitMs > 0) count++;
    return count;
  }

  return {
    turns,
    dueInMs,
    goesFirst({ sender, gasLimit }) {
      const left = ownOf(sender).left();
      return left >= SENDER_GAS_SAVED && gasLimit <= left;
    },
    heldBack,
    charge(block, tookMs) {
      const nowMs = clock.monotonic();
      pace.note(
        block.reduce((sum, { gasUsed }) => sum + gasUsed, 0),
        tookMs,
      );
      const slow = pace.slowness();
      const times = slow ** 2;
      aloneFromMs = nowMs + Math.min(ALONE_REST_MS_MAX, tookMs * (slow - 1));
      let excessUsed = 0;
      for (const { sender, gasLimit, gasUsed } of block) {
        const left = ownOf(sender).left();
        if (gasLimit > left) {
          if (gasLimit <= BULK_GAS_MAX && bulk.left() > 0) bulk.charge(gasUsed * times);
          else excessUsed += gasUsed;
        }
        ownOf(sender).charge(Math.min(gasUsed, left + SENDER_GAS_OWED_MAX));
        modest.delete(sender);
        if (left - gasUsed >= MODEST_LEFT_MIN) modest.set(sender, nowMs);
        if (left >= gasUsed) means.delete(sender);
        else means.set(sender, (means.get(sender) ?? gasUsed) * (1 - NEWEST_PART) + gasUsed * NEWEST_PART);
      }
      const beyondBlock = Math.max(0, excessUsed - EXCESS_GAS_PER_BLOCK) * times;
      excess.charge(Math.min(beyondBlock, excess.left() + EXCESS_GAS_OWED_MAX));
    },
    admissionWaitMs(sender, waitingCount) {
      const mean = means.get(sender);
      if (mean === undefined || waitingCount === 0 || (waitingCount + 1) * mean <= WAITING_GAS_MAX) return 0;
      return Math.ceil((mean / EXCESS_GAS_PER_SECOND) * MS_PER_SECOND);
    },
  };
}

/** What one block takes of a budget: the first one whatever it costs while something is left, further ones as far as that goes. */
class Grants {
  #left: number;
  #none = true;

  constructor(left: number) {
    this.#left = left;
  }

  take(gas: number): boolean {
    if (this.#left <= 0 || !(this.#none || gas <= this.#left)) return false;
    this.#none = false;
    this.#left -= gas;
    return true;
  }
}

/** Those that the sender's own gas pays for; what it does not pay for is put by. */
function* withinOwn<T extends GasUse>(sender: {
  left: number;
  readonly queue: Iterable<T>;
  readonly beyond: T[];
}): Generator<T, void, void> {
  for (const transaction of sender.queue) {
    if (transaction.gasLimit > sender.left) {
      sender.beyond.push(transaction);
      continue;
    }
    sender.left -= transaction.gasLimit;
    yield transaction;
  }
}

/** One of each in turn. */
function* inTurn<T>(queues: readonly Iterator<T>[]): Generator<T, void, void> {
  for (let round = queues; round.length > 0; ) {
    const still: Iterator<T>[] = [];
    for (const queue of round) {
      const next = queue.next();
      if (next.done) continue;
      yield next.value;
      still.push(queue);
    }
    round = still;
  }
}
