/**
 * How slow the chain is beside what it can be: blocks of little gas take a round of votes and what is stored, so their time tells of processors and links
 * that are short. It is held against the fastest of the last minutes, not against a figure: links between plants are slow without being busy.
 */
import type { Clock } from '../../world.ts';

/** Gas of a block of little gas: 25 ms of a proposer at most. */
export const LITTLE_GAS_MAX = 1_000_000_000;
/** A block as fast as any is remembered for this long at least, and for twice as long at most, ms. */
export const FASTEST_KEPT_MS = 300_000;
/** No block counts as faster, ms. */
const FASTEST_MS_MIN = 5;
/** How many times the fastest a block takes where nothing is short. */
export const USUAL_TIMES = 1.5;
/** Most that is told: past it a chain is slow enough. */
export const SLOWNESS_MAX = 4;
/** Weight of the newest block in the mean. */
const NEWEST_PART = 1 / 8;

export interface BlockPace {
  /** A block of so much gas became final after so many ms. */
  note(gas: number, tookMs: number): void;
  /** How many times longer than usual blocks take, 1 to SLOWNESS_MAX. */
  slowness(): number;
}

export function createBlockPace(clock: Pick<Clock, 'monotonic'>): BlockPace {
  let meanMs: number | undefined;
  let fastestMs = Number.POSITIVE_INFINITY;
  let fastestBeforeMs = Number.POSITIVE_INFINITY;
  let sinceMs = clock.monotonic();
  return {
    note(gas, tookMs) {
      if (gas > LITTLE_GAS_MAX) return;
      const nowMs = clock.monotonic();
      if (nowMs - sinceMs >= FASTEST_KEPT_MS) {
        fastestBeforeMs = fastestMs;
        fastestMs = Number.POSITIVE_INFINITY;
        sinceMs = nowMs;
      }
      fastestMs = Math.min(fastestMs, tookMs);
      meanMs = (meanMs ?? tookMs) * (1 - NEWEST_PART) + tookMs * NEWEST_PART;
    },
    slowness() {
      const usualMs = USUAL_TIMES * Math.max(FASTEST_MS_MIN, Math.min(fastestMs, fastestBeforeMs));
      if (meanMs === undefined || meanMs <= usualMs) return 1;
      return Math.min(SLOWNESS_MAX, meanMs / usualMs);
    },
  };
}
