/**
 * How long a sender's next transaction would wait, by what blocks have taken of him while they left some of his behind. More than a second and a half of
 * that is refused at the door: who is told to come again costs little, and who is taken is answered in time; a longer line only makes everybody late,
 * because no block takes more for it. Of a sender of whom blocks leave nothing behind nothing is known and nothing refused, however much he sends at once.
 */
import type { Clock } from '../../world.ts';
import type { GasUse } from './gas-shares.ts';

/** What a sender may have waiting, ms of what blocks take of him. */
export const WAIT_MS_MAX = 1_500;
/** So many blocks' worth he may have at least, or the next one would not be full. */
export const WAITING_BLOCKS_MIN = 2;
/** A transaction reaches the others in this time, ms: a block that began sooner after it was admitted did not leave it behind. */
export const SPREAD_MS = 250;
/** What is known of a sender are the blocks of about so long, ms: single ones come early, late and half full. */
export const KNOWN_MS = 2_000;
/** Transactions that any sender may have waiting: what one loader has under way, however few of them a block takes. */
export const WAITING_COUNT_MIN = 4;
/** Longest wait that is told, ms. */
const TOLD_MS_MAX = 30_000;

/** What waits of one sender. */
export interface WaitingOf {
  readonly size: number;
  readonly gas: number;
  /** When the oldest was admitted, ms. */
  readonly oldestMs: number;
}

export interface Backlog {
  /** A block became final, and took the chain's time for `tookMs`; what it held is no longer among what waits. */
  note(block: readonly GasUse[], tookMs: number, waiting: ReadonlyMap<string, WaitingOf>): void;
  /** Ms beyond what may be that a sender's next transaction would wait; 0 when it may come. */
  waitMs(sender: string, waiting: WaitingOf): number;
}

/** What blocks took of a sender, and in how long: each block weighs the less the longer it is ago. */
interface Served {
  readonly gas: number;
  readonly ms: number;
  readonly blocks: number;
}

const NOTHING: Served = { gas: 0, ms: 0, blocks: 0 };

export function createBacklog(clock: Pick<Clock, 'monotonic'>): Backlog {
  /** Those of whom the last block left something behind: no more than wait. */
  let served: ReadonlyMap<string, Served> = new Map();
  let lastBlockMs: number | undefined;

  return {
    note(block, tookMs, waiting) {
      const nowMs = clock.monotonic();
      const blockMs = nowMs - (lastBlockMs ?? Number.NaN);
      lastBlockMs = nowMs;
      const taken = new Map<string, number>();
      for (const { sender, gasLimit } of block) taken.set(sender, (taken.get(sender) ?? 0) + gasLimit);
      const next = new Map<string, Served>();
      for (const [sender, { oldestMs }] of waiting) {
        if (oldestMs > nowMs - tookMs - SPREAD_MS || !(blockMs > 0)) continue;
        const before = served.get(sender) ?? NOTHING;
        const kept = KNOWN_MS / (KNOWN_MS + blockMs);
        next.set(sender, {
          gas: before.gas * kept + (taken.get(sender) ?? 0),
          ms: before.ms * kept + blockMs,
          blocks: before.blocks * kept + 1,
        });
      }
      served = next;
    },
    waitMs(sender, { size, gas }) {
      const known = served.get(sender);
      if (known === undefined || known.ms < WAIT_MS_MAX || size < WAITING_COUNT_MIN) return 0; // less than that leaves nobody waiting for longer
      const waitMs = (gas * known.ms) / known.gas;
      const waitMsMax = Math.max(WAIT_MS_MAX, (WAITING_BLOCKS_MIN * known.ms) / known.blocks);
      return waitMs <= waitMsMax ? 0 : Math.min(TOLD_MS_MAX, Math.ceil(waitMs - waitMsMax));
    },
  };
}
