/**
 * Long work on the thread that also votes, in slices of a few ms: after each the event loop goes on. Work written as steps runs in slices of a queue,
 * one slice a turn however much waits; it takes turns, so that what is short does not wait for what is long. Asynchronous work pauses by itself.
 */
import { ChainError } from './errors/index.ts';
import type { Clock, Timers } from './world.ts';

/** Of work in one turn. Bodies and answers have each a queue, and a step may take as long again. */
export const SLICE_MS = 4;
/** Pieces of work of one queue; past it SERVER_BUSY. */
export const SLICED_JOBS_MAX = 64;
/** Of an answer's work that runs at once, whoever waits; most calls need no more. */
const AT_ONCE_MS = 1;

type ClockAndTimers = { readonly clock: Pick<Clock, 'monotonic'>; readonly timers: Pick<Timers, 'after'> };

/** A pause is possible at every yield. */
export type Steps<T> = Generator<void, T, void>;
/** Runs steps to their end. @throws ChainError SERVER_BUSY when too much long work waits, and what the steps throw */
export type RunInSlices = <T>(steps: Steps<T>) => Promise<T>;
/** As RunInSlices; what is short ends at once. */
export type Paced = <T>(steps: Steps<T>) => T | Promise<T>;
/** Called now and then by one piece of work; waits for the next turn when it is time for it. */
export type Pause = () => Promise<void>;

export function nextTurn(timers: Pick<Timers, 'after'>): Promise<void> {
  return new Promise((resolve) => void timers.after(0, resolve));
}

export function createPause({ clock, timers }: ClockAndTimers): Pause {
  let since = clock.monotonic();
  return async () => {
    if (clock.monotonic() - since < SLICE_MS) return;
    await nextTurn(timers);
    since = clock.monotonic();
  };
}

export function createSlices({ clock, timers }: ClockAndTimers): RunInSlices {
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
          const end = runFor(steps, SLICE_MS, clock);
          if (end === undefined) return true;
          resolve(end.value);
        } catch (error) {
          reject(error);
        }
        return false;
      };
      if (waiting.length >= SLICED_JOBS_MAX) return reject(new ChainError('SERVER_BUSY', { retryAfterMs: 1_000 }));
      if (waiting.length > 0 || slice()) waiting.push(slice); // the first slice at once when nobody waits: most work needs no second
      schedule();
    });
}

export function createPaced(world: ClockAndTimers): Paced {
  const inSlices = createSlices(world);
  return (steps) => {
    const end = runFor(steps, AT_ONCE_MS, world.clock);
    return end === undefined ? inSlices(steps) : end.value;
  };
}

/** One step at least; undefined when more is to do. */
function runFor<T>(steps: Steps<T>, ms: number, clock: Pick<Clock, 'monotonic'>): { readonly value: T } | undefined {
  const started = clock.monotonic();
  do {
    const step = steps.next();
    if (step.done === true) return step;
  } while (clock.monotonic() - started < ms);
  return undefined;
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
