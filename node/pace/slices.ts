/**
 * Long work on the thread that also votes, in slices of a few ms: after each the event loop goes on. All of it shares one slice a turn,
 * however many pieces are under way (turns.ts). Work written as steps runs in slices of a queue; it takes turns, so that what is short does
 * not wait for what is long, and what is long rests between its slices as the headroom says. Asynchronous work pauses by itself.
 */
import { ChainError } from '../errors/index.ts';
import { ALL_HEADROOM, type Headroom } from './headroom.ts';
import { SLICE_MS, turnsOf } from './turns.ts';
import type { Clock, Timers } from '../world.ts';

export { SLICE_MS } from './turns.ts';
/** Work that has had so much of the thread, ms, is long: bodies and answers of megabytes. */
export const LONG_WORK_MS = 12;
/** Pieces of long work of one queue; past it SERVER_BUSY. */
export const SLICED_JOBS_MAX = 64;
/** Pieces of any work of one queue; past it SERVER_BUSY. As many callers as a block answers at once send their next calls in one turn. */
export const WAITING_JOBS_MAX = 1_024;
/** Time of an answer's work that runs at once, ms, whatever else waits; most calls need no more. */
const AT_ONCE_MS = 1;

type ClockAndTimers = { readonly clock: Pick<Clock, 'monotonic'>; readonly timers: Pick<Timers, 'after'> };

/** A pause is possible at every yield. */
export type Steps<T> = Generator<void, T, void>;
/**
 * Runs steps to their end. @throws ChainError SERVER_BUSY when too much long work waits, and what the steps throw
 * @param owed true for the answer to what is done already: it is never refused, since a refusal would say that nothing was stored
 */
export type RunInSlices = <T>(steps: Steps<T>, owed?: boolean) => Promise<T>;
/** As RunInSlices; what is short ends at once. */
export type Paced = <T>(steps: Steps<T>, owed?: boolean) => T | Promise<T>;
/** Called now and then by one piece of work; waits for the next turn when it is time for it, and gives GO_ON when it is not. */
export type Pause = () => Promise<void>;
/** What need not be waited for: long work asks at each step, and every promise costs as much as a short one. */
const GO_ON: Promise<void> = Promise.resolve();

export function nextTurn(timers: Pick<Timers, 'after'>): Promise<void> {
  return new Promise((resolve) => void timers.after(0, resolve));
}

export function createPause({ clock, timers }: ClockAndTimers): Pause {
  const turns = turnsOf(timers);
  let since = clock.monotonic();
  let turn = turns.number();

  async function wait(): Promise<void> {
    await new Promise<void>(
      (resolve) =>
        void turns.wait(() => {
          resolve();
          return false; // it goes on when this function has returned
        }),
    );
    since = clock.monotonic();
    turn = turns.number();
  }

  return () => {
    const nowMs = clock.monotonic();
    // In another turn than the last one it has waited in between, for the disk or a peer: that held nobody.
    if (turns.number() === turn) turns.spend(nowMs - since);
    since = nowMs;
    turn = turns.number();
    return turns.isFree() ? GO_ON : wait();
  };
}

/** Runs steps to their end, with a pause between them. */
export async function withPauses<T>(steps: Steps<T>, pause: Pause): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const turn = pause();
    if (turn !== GO_ON) await turn;
  }
}

interface Job {
  spentMs: number;
  /** True when more is to do. */
  slice(): boolean;
}

export function createSlices({ clock, timers }: ClockAndTimers, headroom: Headroom = ALL_HEADROOM): RunInSlices {
  const turns = turnsOf(timers);
  const waiting: Job[] = []; // in the order of their turns
  let cancelTurn: (() => void) | undefined;
  let resting = false; // until the turn
  let restUntilMs = 0;

  const isShort = (job: Job): boolean => job.spentMs < LONG_WORK_MS;

  const isFull = (): boolean =>
    waiting.length >= WAITING_JOBS_MAX ||
    (waiting.length >= SLICED_JOBS_MAX && waiting.filter((job) => !isShort(job)).length >= SLICED_JOBS_MAX);

  const restLeft = (): number => Math.max(0, restUntilMs - clock.monotonic());

  function schedule(): void {
    if (waiting.length === 0) return;
    const restLeftMs = waiting.some(isShort) ? 0 : restLeft();
    if (cancelTurn && !(resting && restLeftMs === 0)) return;
    cancelTurn?.();
    resting = restLeftMs > 0;
    cancelTurn = resting ? timers.after(restLeftMs, take) : turns.wait(take);
  }

  function take(): true {
    cancelTurn = undefined;
    if (!turns.isFree()) {
      schedule(); // the rest ended in a turn that others have used
      return true;
    }
    // In order, but that short work passes what rests: a stream of it would hold up long work for ever if it always went first.
    const [job] = waiting.splice(restLeft() > 0 ? Math.max(0, waiting.findIndex(isShort)) : 0, 1);
    if (run(job!)) waiting.push(job!);
    schedule();
    return true;
  }

  function run(job: Job): boolean {
    const startedMs = clock.monotonic();
    const more = job.slice();
    const nowMs = clock.monotonic();
    job.spentMs += nowMs - startedMs;
    turns.spend(nowMs - startedMs);
    if (!isShort(job)) restUntilMs = nowMs + headroom.restMs(nowMs - startedMs);
    return more;
  }

  function wait<T>(steps: Steps<T>, spentMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.push({
        spentMs,
        slice() {
          try {
            const end = runFor(steps, SLICE_MS, clock);
            if (end === undefined) return true;
            resolve(end.value);
          } catch (error) {
            reject(error);
          }
          return false;
        },
      });
      schedule();
    });
  }

  return <T>(steps: Steps<T>, owed = false): Promise<T> => {
    if (!owed && isFull()) return Promise.reject(new ChainError('SERVER_BUSY', { retryAfterMs: 1_000 }));
    if (!turns.isFree() || waiting.some(isShort)) return wait(steps, 0);
    // The first slice at once when the turn has room and nothing short waits: most work needs no second, and no place in the line.
    const startedMs = clock.monotonic();
    let end: { readonly value: T } | undefined;
    try {
      end = runFor(steps, SLICE_MS, clock);
    } catch (error) {
      turns.spend(clock.monotonic() - startedMs);
      return Promise.reject(error);
    }
    const nowMs = clock.monotonic();
    turns.spend(nowMs - startedMs);
    if (end) return Promise.resolve(end.value);
    if (nowMs - startedMs >= LONG_WORK_MS) restUntilMs = nowMs + headroom.restMs(nowMs - startedMs);
    return wait(steps, nowMs - startedMs);
  };
}

/** @param inSlices the queue of what is not short; one of its own when absent */
export function createPaced(world: ClockAndTimers, headroom?: Headroom, inSlices: RunInSlices = createSlices(world, headroom)): Paced {
  const turns = turnsOf(world.timers);
  return (steps, owed) => {
    if (!turns.isFree()) return inSlices(steps, owed);
    const startedMs = world.clock.monotonic();
    const end = runFor(steps, AT_ONCE_MS, world.clock);
    turns.spend(world.clock.monotonic() - startedMs);
    return end === undefined ? inSlices(steps, owed) : end.value;
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

export function isSteps<U>(made: U | Steps<U>): made is Steps<U> {
  return typeof made === 'object' && made !== null && typeof (made as Partial<Steps<U>>).next === 'function';
}
