/**
 * How long the event loop of the voting thread was held (adapter over node:perf_hooks). While it is held no vote is read, signed or sent:
 * past LOOP_HELD_MS_MAX that is an alarm, and it is taken back after a whole window without.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Timers } from '../world.ts';

/** How often the measuring timer fires, ms; it comes that much late when nothing holds the loop, which is taken off. */
const RESOLUTION_MS = 20;
/** Longest time that the loop may be held without an alarm, ms: a quarter of the default view time-out. */
export const LOOP_HELD_MS_MAX = 500;
/** What figures are taken over, ms. */
export const LOOP_WINDOW_MS = 60_000;
const LOOK_MS = 1_000;
const NS_PER_MS = 1_000_000;

/** ms that the loop came late: over the window under way. */
export interface LoopDelay {
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface LoopMeter {
  read(): LoopDelay;
  /** Begins a window. A time held that begins in the same step may be missed, so it is called seldom. */
  reset(): void;
  stop(): void;
}

export function createLoopMeter(): LoopMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const late = (ns: number): number => (Number.isFinite(ns) ? Math.max(0, ns / NS_PER_MS - RESOLUTION_MS) : 0);
  return {
    read: () => ({ meanMs: late(histogram.mean), p99Ms: late(histogram.percentile(99)), maxMs: late(histogram.max) }),
    reset: () => histogram.reset(),
    stop: () => void histogram.disable(),
  };
}

export interface LoopWatch {
  /** Of the window under way. */
  read(): LoopDelay;
  stop(): void;
}

export function watchLoop(options: {
  readonly meter: LoopMeter;
  readonly timers: Pick<Timers, 'every'>;
  /** The loop was held past the bound; not called again before `onCalm`. */
  readonly onHeld: (heldMs: number) => void;
  /**
   * A whole window passed without such a hold: called after the first one, since an alarm from before the start may stand, and after each
   * hold.
   */
  readonly onCalm: () => void;
}): LoopWatch {
  const { meter } = options;
  let held = false;
  let calm = false;
  let looks = 0;
  let heldInWindow = false;
  const cancel = options.timers.every(LOOK_MS, () => {
    const { maxMs } = meter.read();
    if (maxMs > LOOP_HELD_MS_MAX) {
      heldInWindow = true;
      if (!held) options.onHeld(Math.round(maxMs));
      held = true;
      calm = false;
    }
    if (++looks < LOOP_WINDOW_MS / LOOK_MS) return;
    if (!calm && !heldInWindow) {
      held = false;
      calm = true;
      options.onCalm();
    }
    looks = 0;
    heldInWindow = false;
    meter.reset();
  });
  return {
    read: meter.read,
    stop() {
      cancel();
      meter.stop();
    },
  };
}
