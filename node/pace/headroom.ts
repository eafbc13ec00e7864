/**
 * How much of their time the threads may take whose work can wait: queries, and bodies of records. Their priority is lower than that of the
 * voting thread, but where processors are shared with others (nodes of one machine, a control group) that holds only inside the process. So
 * the voting thread is asked: while its event loop comes late, these threads rest between two pieces of work, and work on when it is on
 * time. The part falls by half and rises by a step, as a congestion window does (RFC 5681, section 3.1).
 */
import type { LoopMeter } from '../real/index.ts';
import type { Timers } from '../world.ts';

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

export interface Headroom {
  /** Part of their time, HEADROOM_PART_MIN to 1. */
  readonly part: number;
}

/** All of it, for a thread that nothing else competes with. */
export const ALL_HEADROOM: Headroom = { part: 1 };

/** Ms of rest after a piece of work that took `workMs`. */
export function restMs({ part }: Headroom, workMs: number): number {
  return Math.min(HEADROOM_REST_MS_MAX, Math.round(workMs / part - workMs));
}

/** @param meter of its own, since each look begins a window */
export function watchHeadroom(meter: LoopMeter, timers: Pick<Timers, 'every'>): Headroom & { stop(): void } {
  let part = 1;
  const cancel = timers.every(HEADROOM_LOOK_MS, () => {
    const late = meter.read().meanMs > HEADROOM_LATE_MS;
    meter.reset();
    part = late ? Math.max(HEADROOM_PART_MIN, part / 2) : Math.min(1, part + HEADROOM_STEP);
  });
  return {
    get part() {
      return part;
    },
    stop() {
      cancel();
      meter.stop();
    },
  };
}
