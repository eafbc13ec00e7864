/**
 * Whose turn it is, by gas. Every sender has gas of his own a second; what he asks for beyond it is excess. While senders who keep within their own are
 * about, the excess of all others is bounded: a little in every block, a budget a second for transactions as large as those that load records in bulk,
 * and a smaller one for dearer ones, so that most of the chain's time stays free of calls that hold every validator up for as long as they run. Without
 * them excess goes as fast as it can; the anchors of nodes, which are always about, do not count. What is charged is the gas used, once its block is final.
 * A proposer orders by this; no replica judges it (DB53/T 1407-2025 6.3.3.a).
 *
 * Where the chain is slow (block-pace.ts) excess gives way: it is charged with the square of how slow blocks are, so that it has less of the time and not the
 * same part. Every node measures that for itself, so a backup expects excess only when the slowest proposer would propose it; what senders have gas of
 * their own for it expects at once.
 *
 * A sender is an account, so an organisation has as many shares as accounts: forty that each send all they have of their own keep the chain busy half of
 * the time, though none goes beyond it. Others still go before them in every block, having used less. Accounts are made by an organisation's administrators,
 * each by a transaction that stays on record. A share for organisations as well would have to suit one account and a factory's hundred devices alike.
 */
import { BoundedMap } from '../../pace/bounded-map.ts';
import { rateSaving, TokenBucket, TokenBuckets } from '../../pace/index.ts';
import type { Clock } from '../../world.ts';
import { createBlockPace, SLOWNESS_MAX } from './block-pace.ts';

const MS_PER_SECOND = 1_000;
/** Gas of one sender's own a second: about two dozen single records. */
export const SENDER_GAS_PER_SECOND = 250_000_000;
/** A sender's own that an idle one saves up, ms of the rate: a transaction of a hundred records. */
export const SENDER_GAS_SAVED_MS = 20_000;
/** Most gas that a sender owes: so a flood is forgotten 40 s after its end. */
export const SENDER_GAS_OWED_MAX = 10_000_000_000;
/** After so long without a transaction any sender has all of his own saved up, ms. */
export const SENDER_GAS_FORGOTTEN_MS = SENDER_GAS_SAVED_MS + (SENDER_GAS_OWED_MAX / SENDER_GAS_PER_SECOND) * MS_PER_SECOND;
/** Excess that any block may hold: 25 ms of a proposer were it the dearest, some forty single records by their limits. */
export const EXCESS_GAS_PER_BLOCK = 1_000_000_000;
/** Largest gas limit that counts as bulk. A hundred records that a node signs for their sender have 2,400 million or more, and use a third. */
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
/** Most excess that is owed: one transaction of the largest default gas limit on a chain twice as slow as usual, sixteen seconds. */
export const EXCESS_GAS_OWED_MAX = 40_000_000_000;
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

/** Who makes the next block: this node, or another, which may be as slow as it gets. */
export type Proposer = 'self' | 'other';

export interface GasUse {
  readonly sender: string;
  readonly gasLimit: number;
}

export interface GasShares {
  /** Those of the queues (one a sender, oldest first) that a block may hold now, in the order of their turns. */
  turns<T extends GasUse>(queues: ReadonlyMap<string, Iterable<T>>): Generator<T, void, void>;
  /** Ms until a block of this proposer, or at the latest of another, may hold any of the queues: 0 when it may now, Infinity when none waits. */
  dueInMs(queues: ReadonlyMap<string, Iterable<GasUse>>, proposer: Proposer): number;
  /** Whether no sender goes before this one, and its own gas pays for it: every proposer takes it first. */
  goesFirst(use: GasUse): boolean;
  /** How many of them some proposer may hold back now. */
  heldBack(queues: ReadonlyMap<string, Iterable<GasUse>>): number;
  /** The transactions of a block that became final, and for how long it took the chain's time, ms. */
  charge(block: readonly (GasUse & { readonly gasUsed: number })[], tookMs: number): void;
  /** Ms that a sender of whom so many wait is to wait before he sends another; 0 when he need not. */
  admissionWaitMs(sender: string, waitingCount: number): number;
}

/** @param waitsFor whether anybody waits for what a sender sends: nobody does for a node's own anchors */
export function createGasShares(clock: Pick<Clock, 'monotonic'>, waitsFor: (sender: string) => boolean): GasShares {
  const buckets = new TokenBuckets(clock);
  const ownRate = rateSaving(SENDER_GAS_PER_SECOND, SENDER_GAS_SAVED_MS);
  const budgets = { self: new ExcessBudgets(clock), other: new ExcessBudgets(clock) } as const;
  const pace = createBlockPace(clock);
  /** When those who keep within their own had their last transaction in a block, ms. */
  const modest = new BoundedMap<string, number>(SENDERS_MAX);
  /** Gas that a transaction uses of those who owe some. */
  const means = new BoundedMap<string, number>(SENDERS_MAX);

  const ownOf = (sender: string): TokenBucket => buckets.of(sender, ownRate);
  const leftOf = (sender: string): number => buckets.left(sender, ownRate);

  function isModestAbout(): boolean {
    const sinceMs = clock.monotonic() - ABOUT_MS;
    for (const [sender, seenMs] of modest) {
      if (seenMs >= sinceMs && leftOf(sender) >= MODEST_LEFT_MIN) return true;
      modest.delete(sender);
    }
    return false;
  }

  function* turns<T extends GasUse>(queues: ReadonlyMap<string, Iterable<T>>): Generator<T, void, void> {
    const isBounded = isModestAbout();
    const { bulk, any } = budgets.self;
    const ofBulk = new Grants(bulk.left());
    const ofAny = new Grants(any.left());
    const beyondMax = !isBounded || ofAny.isOpen ? Number.POSITIVE_INFINITY : ofBulk.isOpen ? BULK_GAS_MAX : EXCESS_GAS_PER_BLOCK;
    const senders: WithinOwn<T>[] = [];
    for (const [sender, queue] of queues) senders.push(new WithinOwn(leftOf(sender), beyondMax, queue));
    senders.sort((a, b) => b.left - a.left); // who used least goes first
    yield* inTurn(senders);
    const putBy: Iterator<T>[] = [];
    for (const { beyond } of senders) if (beyond) putBy.push(beyond[Symbol.iterator]());
    const beyond = inTurn(putBy);
    if (!isBounded) {
      yield* beyond;
      return;
    }
    let blockLeft = EXCESS_GAS_PER_BLOCK;
    for (const transaction of beyond) {
      const { gasLimit } = transaction;
      if (gasLimit <= blockLeft) blockLeft -= gasLimit;
      else if (!(gasLimit <= BULK_GAS_MAX && ofBulk.take(gasLimit)) && !ofAny.take(gasLimit)) continue;
      yield transaction;
    }
  }

  /**
   * Ms until a block may hold a transaction that its sender's own does not pay for, were it the first of those: one of up to BULK_GAS_MAX, any. One of up
   * to EXCESS_GAS_PER_BLOCK waits for none.
   */
  function waitsMs(proposer: Proposer): { readonly bulkMs: number; readonly anyMs: number } {
    if (!isModestAbout()) return { bulkMs: 0, anyMs: 0 };
    const { bulk, any } = budgets[proposer];
    const anyMs = any.waitMs();
    return { bulkMs: Math.min(bulk.waitMs(), anyMs), anyMs };
  }

  function dueInMs(queues: ReadonlyMap<string, Iterable<GasUse>>, proposer: Proposer): number {
    const { bulkMs, anyMs } = waitsMs(proposer);
    let leastMs = Number.POSITIVE_INFINITY;
    for (const [sender, queue] of queues) {
      const own = leftOf(sender);
      for (const { gasLimit } of queue) {
        const waitMs = gasLimit <= Math.max(own, EXCESS_GAS_PER_BLOCK) ? 0 : gasLimit <= BULK_GAS_MAX ? bulkMs : anyMs;
        if (waitMs === 0) return 0;
        leastMs = Math.min(leastMs, waitMs);
      }
    }
    return leastMs;
  }

  function heldBack(queues: ReadonlyMap<string, Iterable<GasUse>>): number {
    const { bulkMs, anyMs } = waitsMs('other');
    if (anyMs === 0) return 0;
    const waitsForNothing = bulkMs > 0 ? EXCESS_GAS_PER_BLOCK : BULK_GAS_MAX; // of so much gas
    let count = 0;
    for (const [sender, queue] of queues) {
      const freeMax = Math.max(waitsForNothing, leftOf(sender));
      for (const { gasLimit } of queue) if (gasLimit > freeMax) count++;
    }
    return count;
  }

  return {
    turns,
    dueInMs,
    goesFirst({ sender, gasLimit }) {
      const left = leftOf(sender);
      return left >= SENDER_GAS_SAVED && gasLimit <= left;
    },
    heldBack,
    charge(block, tookMs) {
      const nowMs = clock.monotonic();
      pace.note(
        block.reduce((sum, { gasUsed }) => sum + gasUsed, 0),
        tookMs,
      );
      const excess: { readonly gasLimit: number; readonly gasUsed: number }[] = [];
      for (const { sender, gasLimit, gasUsed } of block) {
        const own = ownOf(sender);
        const left = own.left();
        if (gasLimit > left) excess.push({ gasLimit, gasUsed });
        own.charge(Math.min(gasUsed, left + SENDER_GAS_OWED_MAX));
        if (left - gasUsed >= MODEST_LEFT_MIN && waitsFor(sender)) modest.set(sender, nowMs);
        else modest.delete(sender);
        if (left >= gasUsed) means.delete(sender);
        else means.set(sender, (means.get(sender) ?? gasUsed) * (1 - NEWEST_PART) + gasUsed * NEWEST_PART);
      }
      budgets.self.charge(excess, pace.slowness());
      budgets.other.charge(excess, SLOWNESS_MAX);
    },
    admissionWaitMs(sender, waitingCount) {
      const mean = means.get(sender);
      if (mean === undefined || waitingCount === 0 || (waitingCount + 1) * mean <= WAITING_GAS_MAX) return 0;
      return Math.ceil((mean / EXCESS_GAS_PER_SECOND) * MS_PER_SECOND);
    },
  };
}

/** What excess may take of the chain, by one proposer's measure. */
class ExcessBudgets {
  readonly bulk: TokenBucket;
  readonly any: TokenBucket;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.bulk = new TokenBucket(rateSaving(BULK_GAS_PER_SECOND, BULK_GAS_SAVED_MS), clock);
    this.any = new TokenBucket(rateSaving(EXCESS_GAS_PER_SECOND, EXCESS_GAS_SAVED_MS), clock);
  }

  /** The excess of a final block of a chain that is so slow. */
  charge(excess: readonly { readonly gasLimit: number; readonly gasUsed: number }[], slow: number): void {
    const times = slow ** 2;
    let used = 0;
    for (const { gasLimit, gasUsed } of excess) {
      if (gasLimit <= BULK_GAS_MAX && this.bulk.left() > 0) this.bulk.charge(gasUsed * times);
      else used += gasUsed;
    }
    const beyondBlock = Math.max(0, used - EXCESS_GAS_PER_BLOCK) * times;
    this.any.charge(Math.min(beyondBlock, this.any.left() + EXCESS_GAS_OWED_MAX));
  }
}

/** What one block takes of a budget: the first one whatever it costs while something is left, further ones as far as that goes. */
class Grants {
  #left: number;
  #none = true;

  constructor(left: number) {
    this.#left = left;
  }

  get isOpen(): boolean {
    return this.#left > 0;
  }

  take(gas: number): boolean {
    if (!this.isOpen || !(this.#none || gas <= this.#left)) return false;
    this.#none = false;
    this.#left -= gas;
    return true;
  }
}

/** Those of one sender that his own gas pays for; what it does not pay for is put by, unless no block may hold that now. No generator: tens of thousands may have something waiting. */
class WithinOwn<T extends GasUse> implements Iterator<T, void> {
  left: number;
  beyond: T[] | undefined;
  readonly #beyondMax: number;
  readonly #queue: Iterator<T, void>;

  constructor(left: number, beyondMax: number, queue: Iterable<T>) {
    this.left = left;
    this.#beyondMax = beyondMax;
    this.#queue = queue[Symbol.iterator]();
  }

  next(): IteratorResult<T, void> {
    for (;;) {
      const next = this.#queue.next();
      if (next.done || next.value.gasLimit <= this.left) {
        if (!next.done) this.left -= next.value.gasLimit;
        return next;
      }
      if (next.value.gasLimit > this.#beyondMax) continue;
      this.beyond ??= [];
      this.beyond.push(next.value);
    }
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
