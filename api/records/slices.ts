/**
 * Long work in short slices on the thread that also votes: one slice a turn of the event loop whatever the number of bodies, so consensus waits for
 * no body longer than a slice and the step it ends in. Bodies take turns, so a short one does not wait for a long one to end.
 */
import { ChainError } from '../../node/errors/index.ts';
import type { Clock, Timers } from '../../node/world.ts';

export const SLICE_MS = 4; // of work in one turn; bodies and answers have each a queue, and a step may take as long again
export const SLICED_JOBS_MAX = 64; // bodies in work at once; past it SERVER_BUSY

/** Runs steps to their end. @throws ChainError SERVER_BUSY, and what the steps throw */
export type RunInSlices = <T>(steps: Generator<void, T, void>) => Promise<T>;

export function createSlices(clock: Pick<Clock, 'monotonic'>, timers: Pick<Timers, 'after'>): RunInSlices {
  const waiting: (() => boolean)[] = []; // each takes one slice and says whether more is to do
  let due = false;

  function schedule(): void {
    if (due || waiting.length === 0) return;
    due = true;
    timers.after(0, () => {
      due = false;
      const slice = waiting.shift()!;
      if (slice()) waiting.push(slice);
      schedule();
    });
  }

  return (steps) =>
    new Promise((resolve, reject) => {
      const slice = (): boolean => {
        try {
          const started = clock.monotonic();
          do {
            const step = steps.next();
            if (step.done === true) {
              resolve(step.value);
              return false;
            }
          } while (clock.monotonic() - started < SLICE_MS);
          return true;
        } catch (error) {
          reject(error);
          return false;
        }
      };
      if (waiting.length >= SLICED_JOBS_MAX) return reject(new ChainError('SERVER_BUSY', { retryAfterMs: 1_000 }));
      if (waiting.length > 0 || slice()) waiting.push(slice); // the first slice at once when nobody waits: most bodies need no second
      schedule();
    });
}
