/**
 * How much of their time the threads may take whose work can wait: queries, and bodies of records. Their priority is lower than that of the
 * voting thread, but where processors are shared with others (nodes of one machine, a control group) that holds only inside the process. So
 * the voting thread is asked: while its event loop comes late, these threads rest between two pieces of work, and work on when it is on
 * time. The part falls by half and rises by a step, as a congestion window does (RFC 5681, section 3.1).
 *
 * A little work rests for nothing: what comes now and then cannot hold up votes for long, and a node that has just started is late whatever
 * it does. So each node saves up some work, and rests for what goes beyond it.
 */
import type { LoopMeter } from '../real/index.ts';
import type { Clock, Timers } from '../world.ts';
import { TokenBucket } from './token-bucket.ts';

/** How often the part is set anew, ms: some ten readings of the meter. */
export const HEADROOM_LOOK_MS = 200;
/** Mean lateness of the voting thread, ms, over which the part falls: a round of votes has some twenty steps, and this is added to each. */
export const HEADROOM_LATE_MS = 1;
/** The least part: work that can wait goes on always. */
export const HEADROOM_PART_MIN = 1 / 64;
/** What the part gains with each look on time: all of it in 4 s. */
export const HEADROOM_STEP = 1 / 20;
/** The longest rest after one piece of work, ms. */
export const HEADROOM_REST_MS_MAX = 5_000;
/** Most work, ms, that is saved up: two to five thousand records read by a node that has just started. It comes back at the least part. */
export const HEADROOM_SAVED_MS = 1_000;

export interface Headroom {
  /** Part of their time, HEADROOM_PART_MIN to 1. */
  readonly part: number;
  /** Ms of rest after a piece of work that took `workMs`; charges what is saved up. */
  restMs(workMs: number): number;
}

/** All of it, for a thread that nothing else competes with. */
export const ALL_HEADROOM: Headroom = { part: 1, restMs: () => 0 };

/** Ms of rest after `workMs` of work of a thread that may take `part` of its time. */
export function restOf(part: number, workMs: number): number {
  return Math.min(HEADROOM_REST_MS_MAX, Math.round(workMs / part - workMs));
}

/** @param meter of its own, since each look begins a window */
export function watchHeadroom(
  meter: LoopMeter,
  { clock, timers }: { readonly clock: Pick<Clock, 'monotonic'>; readonly timers: Pick<Timers, 'every'> },
): Headroom & { stop(): void } {
  let part = 1;
  const saved = new TokenBucket({ perSecond: 1_000 * HEADROOM_PART_MIN, burst: HEADROOM_SAVED_MS }, clock);
  const cancel = timers.every(HEADROOM_LOOK_MS, () => {
    const late = meter.read().meanMs > HEADROOM_LATE_MS;
    meter.reset();
    part = late ? Math.max(HEADROOM_PART_MIN, part / 2) : Math.min(1, part + HEADROOM_STEP);
  });
  return {
    get part() {
      return part;
    },
    restMs(workMs) {
      if (part === 1) return 0;
      const free = Math.min(workMs, Math.max(0, saved.left()));
      saved.charge(free);
      return restOf(part, workMs - free);
    },
    stop() {
      cancel();
      meter.stop();
    },
  };
}
