/**
 * Notices a proposer that leaves out a transaction although its blocks have room, and says so to the operator. The protocol does not act on it:
 * consensus/decisions/0007. It accuses nobody of load: a block passes a transaction over when it is empty or holds one that came here long after,
 * and only the oldest of each sender is looked at. While senders are held back for the gas they ask for, of these only what no honest proposer takes
 * anything before: what is paid for by a sender who has saved up all the gas of his own.
 */
import { type ByteText, type Digest, type Json, toByteText } from '../format/index.ts';
import { SENDER_GAS_FORGOTTEN_MS } from './mempool/gas-shares.ts';
import type { Mempool, Waiting } from './mempool/mempool.ts';
import type { Alarm } from '../service.ts';

export const TRANSACTION_LEFT_OUT = 'TRANSACTION_LEFT_OUT';
/** A transaction that waits this long was spread twice at least (node/peering), ms; one that came so much later may not go before it. */
export const OVERDUE_AGE_MS = 10_000;
/** Blocks of one proposer, one after the other, that passed it over. */
export const PASSED_OVER_BLOCKS = 8;
/** Senders looked at after a block, in turn: a full mempool must not cost time with each, and none who fills it keeps the others out of sight. */
export const LOOKED_AT_MAX = 256;
/** Beyond twice what waits, so many senders of whom nothing waits may be remembered before they are looked for. */
const LEFT_COUNT_MAX = 1_000;

export interface LeftOutOptions {
  readonly self: string;
  readonly nowMs: () => number;
  /** `verify` rejects what could not stand in the next block: then nobody is to blame. */
  readonly mempool: Pick<Mempool, 'byId' | 'oldest' | 'youngestFinalMs' | 'size' | 'verify' | 'heldBack' | 'goesFirst'>;
  readonly raise: (kind: string, severity: Alarm['severity'], detail: Json) => void;
  readonly resolve: (kind: string, about: (detail: Json) => boolean, resolution: Json) => void;
}

export interface LeftOut {
  onAdmitted(entry: Waiting): void;
  /** A block is final, and what it holds has left the mempool. */
  onBlock(block: { readonly height: number; readonly proposer: string; readonly transactionIds: readonly Digest[] }): void;
  /** Transactions that a proposer leaves out at present. */
  count(): number;
}

interface Watched {
  readonly entry: Waiting;
  proposer: string | undefined;
  passedOver: number;
  /** Its proposer was named for it. */
  told: boolean;
  /** This node passed it over itself, or it could not stand: nobody is to blame. */
  excused: boolean;
}

export function createLeftOut(options: LeftOutOptions): LeftOut {
  const { self, mempool, raise, resolve } = options;
  const waits = (entry: Waiting): boolean => mempool.byId(entry.id) !== undefined;
  /** What was found overdue, by id; looked at longest ago first. */
  const watched = new Map<ByteText, Watched>();
  /** Of whom something may wait; who was looked at longest ago stands first. */
  const senders = new Set<string>();
  /** A node that has just started does not know who owes gas: nobody does here, and to a proposer some may. */
  const knowsGasMs = options.nowMs() + SENDER_GAS_FORGOTTEN_MS;
  /** An alarm may be over: at the first block, one from before a restart. */
  let overDue = true;

  function tell(item: Watched): void {
    item.told = true;
    const { proposer } = item;
    mempool.verify(item.entry.bytes).then(
      () => {
        if (waits(item.entry) && proposer !== undefined) raise(TRANSACTION_LEFT_OUT, 'warning', { proposer });
      },
      () => {
        item.excused = true;
      },
    );
  }

  function passOver(item: Watched, proposer: string): void {
    if (proposer === self) item.excused = true;
    overDue ||= item.excused && item.told;
    if (item.excused) return;
    if (item.proposer !== proposer) {
      overDue ||= item.told; // the view moved on: what is told of is the proposer of now
      Object.assign(item, { proposer, passedOver: 0, told: false });
    }
    item.passedOver++;
    if (item.passedOver >= PASSED_OVER_BLOCKS && !item.told) tell(item);
  }

  function leave(item: Watched): void {
    watched.delete(item.entry.idKey);
    overDue ||= item.told;
  }

  function forgetWhatLeft(final: readonly Digest[]): void {
    if (watched.size > 0) {
      for (const id of final) {
        const item = watched.get(toByteText(id));
        if (item) leave(item);
      }
    }
    let left = Math.min(watched.size, LOOKED_AT_MAX);
    for (const item of watched.values()) {
      if (left-- === 0) break;
      if (!waits(item.entry)) {
        leave(item);
        continue;
      }
      watched.delete(item.entry.idKey);
      watched.set(item.entry.idKey, item);
    }
    if (senders.size > 2 * mempool.size().count + LEFT_COUNT_MAX)
      for (const sender of senders) if (!mempool.oldest(sender)) senders.delete(sender);
  }

  /** What is overdue of each sender whose turn it is: the oldest. */
  function overdue(nowMs: number): readonly Watched[] {
    const isOverdue = (entry: Waiting | undefined): entry is Waiting => entry !== undefined && entry.addedMs <= nowMs - OVERDUE_AGE_MS;
    const found: Watched[] = [];
    if (!isOverdue(mempool.oldest())) return found;
    let left = Math.min(senders.size, LOOKED_AT_MAX);
    for (const sender of senders) {
      if (left-- === 0) break;
      const entry = mempool.oldest(sender);
      senders.delete(sender);
      if (entry) senders.add(sender);
      if (isOverdue(entry)) found.push(watchedOf(entry));
    }
    return found;
  }

  function watchedOf(entry: Waiting): Watched {
    const known = watched.get(entry.idKey);
    if (known?.entry === entry) return known;
    if (known) leave(known); // it left and came again
    const item: Watched = { entry, proposer: undefined, passedOver: 0, told: false, excused: false };
    watched.set(entry.idKey, item);
    return item;
  }

  const leftOut = (item: Watched): boolean => item.told && !item.excused;

  return {
    onAdmitted: ({ sender }) => void senders.add(sender),
    onBlock({ height, proposer, transactionIds }) {
      forgetWhatLeft(transactionIds);
      const youngestMs = transactionIds.length === 0 ? Number.POSITIVE_INFINITY : mempool.youngestFinalMs();
      const nowMs = options.nowMs();
      const found = nowMs < knowsGasMs ? [] : overdue(nowMs);
      const loaded = found.length > 0 && mempool.heldBack() > 0;
      for (const item of found) {
        if (youngestMs - item.entry.addedMs < OVERDUE_AGE_MS) continue;
        if (!loaded || mempool.goesFirst(item.entry)) passOver(item, proposer);
      }
      if (!overDue) return;
      overDue = false;
      const still = new Set<unknown>([...watched.values()].filter(leftOut).map((item) => item.proposer));
      resolve(TRANSACTION_LEFT_OUT, (detail) => !still.has((detail as { proposer?: unknown }).proposer), { height });
    },
    count: () => [...watched.values()].filter(leftOut).length,
  };
}
