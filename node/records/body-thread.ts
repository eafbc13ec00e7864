/**
 * Adapter: starts the thread for bodies when it is first needed, and again when it has ended: a body that takes too long ends it, and so
 * does one that takes too much memory. That body is refused; the next one waits for the new thread. Calls come one at a time
 * (body-queue.ts).
 */
import { Worker } from 'node:worker_threads';
import { ChainError, isErrorCode } from '../errors/index.ts';
import type { World } from '../world.ts';
import type { BodyCall, BodyMessage, PackedReading } from './body-worker.ts';

export interface BodyLimits {
  /** The longest one body may take, ms. */
  readonly workMs: number;
  /** Memory of the thread's heap, MiB. */
  readonly heapMb: number;
}

/** Ten thousand records in 16 MiB take a fifth of either. */
export const BODY_LIMITS: BodyLimits = { workMs: 10_000, heapMb: 384 };
/** Time for a new thread to come up, ms. */
const START_MS_MAX = 30_000;
/** What a caller is told to wait when the thread did not come up, ms. */
const RESTART_WAIT_MS = 1_000;

/** A body on the main thread; its bytes are empty while the other thread has them. */
export interface HeldBody extends Pick<BodyCall, 'format'> {
  bytes: Uint8Array;
  /** See RecordBody. */
  readonly gone?: (() => AbortSignal) | undefined;
}

export interface BodyThread {
  /** @throws ChainError the refusal of the body; BODY_TOO_COSTLY when the thread ended over it */
  read(body: HeldBody, task: BodyCall['task']): Promise<PackedReading>;
  /** Threads that ended. */
  readonly ended: number;
  /** What bodies have taken of the processor so far; a body over which the thread ended counts for the time that passed. */
  readonly workMs: number;
  stop(): Promise<void>;
}

interface Running {
  readonly worker: Worker;
  readonly ready: Promise<void>;
  /** Settles the call it is at. */
  waiter: { resolve: (message: Extract<BodyMessage, { bytes: Uint8Array }>) => void; reject: (error: Error) => void } | undefined;
}

export function createBodyThread(world: Pick<World, 'clock' | 'timers' | 'log'>, limits = BODY_LIMITS): BodyThread {
  let thread: Running | undefined;
  let stopping = false;
  let ended = 0;
  let workMs = 0;

  function start(): Running {
    const worker = new Worker(new URL('./body-worker.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMb },
    });
    let up!: { resolve: () => void; reject: (error: Error) => void };
    const ready = new Promise<void>((resolve, reject) => {
      up = { resolve, reject };
    });
    ready.catch(() => undefined); // told to whoever awaits it
    const started: Running = { worker, ready, waiter: undefined };
    const end = (error: Error): void => {
      if (thread === started) {
        thread = undefined;
        if (!stopping) {
          ended++;
          world.log.warn({ error: error.message }, 'thread for bodies ended');
        }
      }
      const busy = new ChainError('SERVER_BUSY', { reason: 'the thread for bodies ended', retryAfterMs: RESTART_WAIT_MS }, error);
      up.reject(busy);
      started.waiter?.reject(
        stopping ? busy : new ChainError('BODY_TOO_COSTLY', { workMsMax: limits.workMs, memoryMbMax: limits.heapMb }, error),
      );
      started.waiter = undefined;
    };
    worker.on('error', end);
    worker.on('exit', (code) => end(new Error(`The thread for bodies ended with code ${code}`)));
    worker.on('message', (message: BodyMessage) => {
      if ('ready' in message) return up.resolve();
      started.waiter?.resolve(message);
      started.waiter = undefined;
    });
    return started;
  }

  /** Ends the thread when `work` is not done in time; its end refuses the work. */
  async function bounded<T>(at: Running, msMax: number, work: Promise<T>): Promise<T> {
    const cancel = world.timers.after(msMax, () => void at.worker.terminate());
    try {
      return await work;
    } finally {
      cancel();
    }
  }

  return {
    async read(body, task) {
      if (stopping) throw new ChainError('SERVER_BUSY', { reason: 'the node stops' });
      thread ??= start();
      const at = thread;
      await bounded(at, START_MS_MAX, at.ready);
      const startedMs = world.clock.monotonic();
      let tookMs: number | undefined;
      try {
        const bytes = ownBuffer(body.bytes);
        body.bytes = new Uint8Array(0);
        const answer = new Promise<Extract<BodyMessage, { bytes: Uint8Array }>>((resolve, reject) => {
          at.waiter = { resolve, reject };
          at.worker.postMessage({ task, format: body.format, bytes } satisfies BodyCall, [bytes.buffer as ArrayBuffer]);
        });
        const message = await bounded(at, limits.workMs, answer);
        body.bytes = message.bytes;
        tookMs = message.workMs;
        if ('value' in message) return message.value;
        throw refusalError(message.refusal);
      } finally {
        workMs += tookMs ?? world.clock.monotonic() - startedMs;
      }
    },
    get ended() {
      return ended;
    },
    get workMs() {
      return workMs;
    },
    async stop() {
      stopping = true;
      await thread?.worker.terminate();
    },
  };
}

/** Bytes whose buffer holds nothing else, so that it may be moved. */
function ownBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function refusalError({ code, data }: { readonly code: string; readonly data: Readonly<Record<string, unknown>> }): Error {
  return isErrorCode(code) && code !== 'INTERNAL' ? new ChainError(code, data) : new Error(String(data.message ?? code));
}
