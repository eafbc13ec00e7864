/**
 * Whose body the thread takes next: callers go round, so that one with many waiting holds up no other. What waits is bounded in bytes;
 * where there is no room, the caller with the most waiting loses its last one, or is refused when it is the one that comes. After each body
 * the thread rests as the headroom says.
 */
import { ChainError } from '../errors/index.ts';
import { ALL_HEADROOM, type Headroom } from '../pace/index.ts';
import type { World } from '../world.ts';

/** Bytes of bodies that wait. */
export const BODIES_WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** A body counts for as many at least, so that no more than 64 wait. */
export const BODY_COUNTED_BYTES_MIN = 1024 * 1024;
/** What a caller is told to wait, ms, when there is no room. */
const ROOM_WAIT_MS = 1_000;

export interface BodyQueue {
  /**
   * Runs `work` in its turn, one at a time.
   * @param signal aborts when nobody waits for the answer any more: what has not begun is left out.
   * @throws ChainError SERVER_BUSY with `retryAfterMs`
   */
  run<T>(caller: string, bytes: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  readonly waiting: number;
  /** Refuses whatever waits and comes. */
  stop(): void;
}

interface Job {
  readonly bytes: number;
  run(): Promise<void>;
  refuse(error: ChainError): void;
}

interface Waiting {
  readonly jobs: Job[];
  bytes: number;
}

/** @param workedMs how long the thread has been at work so far, ms */
export function createBodyQueue(
  { clock, timers }: Pick<World, 'clock' | 'timers'>,
  headroom: Headroom = ALL_HEADROOM,
  workedMs: () => number = () => clock.monotonic(),
): BodyQueue {
  const callers = new Map<string, Waiting>(); // none empty, in the order of their turns
  let count = 0;
  let bytesWaiting = 0;
  let running = false;
  let stopped = false;

  function leave(caller: string, waiting: Waiting, job: Job): void {
    waiting.bytes -= job.bytes;
    bytesWaiting -= job.bytes;
    count--;
    if (waiting.jobs.length === 0) callers.delete(caller);
  }

  /** Makes room for a caller that would have less waiting than another has. */
  function giveRoom(caller: string, bytes: number): boolean {
    while (bytesWaiting + bytes > BODIES_WAITING_BYTES_MAX) {
      let [most, held]: [string, Waiting | undefined] = ['', undefined];
      for (const [name, waiting] of callers) if (waiting.bytes > (held?.bytes ?? 0)) [most, held] = [name, waiting];
      if (!held || held.bytes <= (callers.get(caller)?.bytes ?? 0) + bytes) return false;
      const job = held.jobs.pop()!;
      leave(most, held, job);
      job.refuse(noRoom());
    }
    return true;
  }

  async function next(): Promise<void> {
    if (running) return;
    running = true;
    for (let first = callers.entries().next().value; first; first = callers.entries().next().value) {
      const [caller, waiting] = first;
      const job = waiting.jobs.shift()!;
      callers.delete(caller);
      if (waiting.jobs.length > 0) callers.set(caller, waiting); // to the end of the round
      leave(caller, waiting, job);
      const beforeMs = workedMs();
      await job.run();
      const rest = headroom.restMs(workedMs() - beforeMs);
      if (rest > 0) await new Promise<void>((rested) => void timers.after(rest, rested));
    }
    running = false;
  }

  return {
    run: (caller, bytesGiven, work, signal) =>
      new Promise((resolve, reject) => {
        const bytes = Math.max(bytesGiven, BODY_COUNTED_BYTES_MIN);
        if (signal?.aborted) return reject(gone());
        if (stopped || !giveRoom(caller, bytes)) return reject(noRoom());
        const waiting = callers.get(caller) ?? { jobs: [], bytes: 0 };
        const giveUp = (): void => {
          const at = waiting.jobs.indexOf(job);
          if (at < 0 || stopped) return; // refused before
          waiting.jobs.splice(at, 1);
          leave(caller, waiting, job);
          reject(gone());
        };
        const job: Job = {
          bytes,
          refuse: reject,
          run() {
            signal?.removeEventListener('abort', giveUp);
            return work().then(resolve, reject);
          },
        };
        signal?.addEventListener('abort', giveUp, { once: true });
        waiting.jobs.push(job);
        waiting.bytes += bytes;
        bytesWaiting += bytes;
        count++;
        callers.set(caller, waiting);
        void next();
      }),
    get waiting() {
      return count;
    },
    stop() {
      stopped = true;
      for (const { jobs } of callers.values()) for (const job of jobs) job.refuse(noRoom());
      callers.clear();
      count = 0;
      bytesWaiting = 0;
    },
  };
}

function gone(): ChainError {
  return new ChainError('SERVER_BUSY', { reason: 'nobody waits for the answer', retryAfterMs: ROOM_WAIT_MS });
}

function noRoom(): ChainError {
  return new ChainError('SERVER_BUSY', { waitingBytesMax: BODIES_WAITING_BYTES_MAX, retryAfterMs: ROOM_WAIT_MS });
}
