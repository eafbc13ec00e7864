/**
 * Pauses in long work of the shell: the thread it runs on also votes. A piece of work that has held it for some milliseconds waits for the next turn of
 * the event loop.
 */
import type { Clock, Timers } from './world.ts';

/** Work between two pauses, ms. */
export const HELD_MS = 5;

/** Called now and then by one piece of work; waits when it is time for it. */
export type Pause = () => Promise<void>;

export function createPause({
  clock,
  timers,
}: {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timers: Pick<Timers, 'after'>;
}): Pause {
  let since = clock.monotonic();
  return async () => {
    if (clock.monotonic() - since < HELD_MS) return;
    await new Promise<void>((resolve) => void timers.after(0, resolve));
    since = clock.monotonic();
  };
}

/** Runs steps to their end, with a pause between them. */
export async function withPauses<T>(steps: Generator<void, T, void>, pause: Pause): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await pause();
  }
}
