/**
 * Long work on the thread that votes, cut into slices: a loop over what a peer sent rests after each slice, and votes, timers and clients come in
 * between. Only where the order of other work does not matter.
 */
import type { World } from './world.ts';

/** Longest slice before a rest, ms; one item on top may be as long as the longest transaction takes to hash, some 10 ms. */
export const SLICE_MS = 5;

/** Between two items: resolves at once within a slice, and after everybody else's turn at the end of one. */
export function createSlices({ clock, timers }: Pick<World, 'clock' | 'timers'>): { rest(): Promise<void> | undefined } {
  let beganMs = clock.monotonic();
  return {
    rest() {
      if (clock.monotonic() - beganMs < SLICE_MS) return undefined;
      return new Promise((resolve) => {
        timers.after(0, () => {
          beganMs = clock.monotonic();
          resolve();
        });
      });
    },
  };
}
