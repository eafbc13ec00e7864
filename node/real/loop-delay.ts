/**
 * How long the event loop of the voting thread was held (adapter of the machine's clock). While it is held no vote is read, signed or sent:
 * past LOOP_HELD_MS_MAX that is an alarm, and it is taken back after a whole window without.
 *
 * What a timer that comes every 20 ms is late says it, as monitorEventLoopDelay of node:perf_hooks does. That has a timer of its own for each
 * histogram, and a reading goes over 300 kB of one: two of them were a fifth of what an idle node took. Here the timer is the one that wakes
 * consensus.
 */
import { performance } from 'node:perf_hooks';
import type { Timers } from '../world.ts';
import { realTimers } from './world.ts';

/** How often the measuring timer comes, ms. */
const RESOLUTION_MS = 20;
/** Lateness is counted by whole ms up to here; the last count is of all above. */
const COUNTED_MS = 1_000;
/** Longest time that the loop may be held without an alarm, ms: a quarter of the default view time-out. */
export const LOOP_HELD_MS_MAX = 500;
/** What figures are taken over, ms. */
export const LOOP_WINDOW_MS = 60_000;
const LOOK_MS = 1_000;

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
  const counts = new Uint32Array(COUNTED_MS + 1);
  let sumMs = 0;
  let count = 0;
  let maxMs = 0;
  let cameMs = performance.now();
  const stop = realTimers.every(RESOLUTION_MS, () => {
    const nowMs = performance.now();
    const lateMs = Math.max(0, nowMs - cameMs - RESOLUTION_MS);
    cameMs = nowMs;
    sumMs += lateMs;
    count++;
    maxMs = Math.max(maxMs, lateMs);
    counts[Math.min(COUNTED_MS, Math.floor(lateMs))]!++;
  });

  /** Nothing that is not among the hundredth part of the longest was later; to the ms, and never above the longest. */
  function p99Ms(): number {
    let above = 0;
    for (let ms = COUNTED_MS; ms > 0; ms--) {
      above += counts[ms]!;
      if (above * 100 >= count) return ms === COUNTED_MS ? maxMs : Math.min(maxMs, ms + 1);
    }
    return Math.min(maxMs, 1);
  }

  return {
    read: () => ({ meanMs: count === 0 ? 0 : sumMs / count, p99Ms: count === 0 ? 0 : p99Ms(), maxMs }),
    reset() {
      counts.fill(0);
      sumMs = 0;
      count = 0;
      maxMs = 0;
    },
    stop,
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
