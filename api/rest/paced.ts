/**
 * Work of one call in steps: what is short runs at once, the rest in slices of the turns of the event loop, so that no call holds the thread that votes.
 */
import type { World } from '../../node/world.ts';
import { createSlices } from '../records/slices.ts';

/** Work that runs at once, ms; most calls need no more. */
const AT_ONCE_MS = 1;

/** A pause is possible at every yield. */
export type Steps<T> = Generator<void, T, void>;
/** Runs steps to their end. @throws ChainError SERVER_BUSY when too much long work waits, and what the steps throw */
export type Paced = <T>(steps: Steps<T>) => T | Promise<T>;

export function createPaced({ clock, timers }: Pick<World, 'clock' | 'timers'>): Paced {
  const inSlices = createSlices(clock, timers);
  return (steps) => {
    const started = clock.monotonic();
    do {
      const step = steps.next();
      if (step.done === true) return step.value;
    } while (clock.monotonic() - started < AT_ONCE_MS);
    return inSlices(steps);
  };
}

/** Each item through `present`, with a pause after each; an item may take steps of its own. */
export function* eachInSteps<T, U>(items: readonly T[], present: (item: T, index: number) => U | Steps<U>): Steps<U[]> {
  const out: U[] = [];
  for (const [index, item] of items.entries()) {
    const made = present(item, index);
    out.push(isSteps(made) ? yield* made : made);
    yield;
  }
  return out;
}

function isSteps<U>(made: U | Steps<U>): made is Steps<U> {
  return typeof made === 'object' && made !== null && typeof (made as Partial<Steps<U>>).next === 'function';
}
