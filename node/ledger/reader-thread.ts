/**
 * Adapter: starts the reader's worker thread, and starts it again when it has ended or a read takes too long. The read it was at is refused; the
 * next one waits for the new thread. Nothing that happens to it reaches the executor.
 */
import { Worker } from 'node:worker_threads';
import { ChainError, isErrorCode } from '../errors/index.ts';
import type { Headroom } from '../pace/index.ts';
import type { World } from '../world.ts';
import type { LedgerReader } from './reader.ts';
import { createReaderPort, type ReaderPort } from './reader-port.ts';
import type { ReaderCall, ReaderMessage, ReaderStore, ReaderWorkerData } from './reader-worker.ts';

/** The longest a read may take, ms, before its thread is ended: many times what the gas of a query takes. */
export const READ_WORK_MS_MAX = 5_000;
/** Time for a new thread to come up, ms. */
export const READER_START_MS_MAX = 30_000;
/** For the first one, which comes up behind the executor that loads its map, and with a lower priority. */
export const READER_FIRST_START_MS_MAX = 300_000;
/** Memory of the thread's heap, MiB. The reads of one query are bounded by its gas. */
const OLD_GENERATION_MB = 512;
/** What a caller is told to wait when his read ended with its thread, ms. */
const RESTART_WAIT_MS = 1_000;

export interface ReaderThread extends ReaderPort {
  /** Resolves when the first thread answers calls, which wait for it; rejects when it does not come up. */
  readonly ready: Promise<void>;
  /** Ends the thread, so that the database can be opened anew; the function it resolves to lets it start again. */
  release(): Promise<() => void>;
}

interface Thread {
  readonly worker: Worker;
  /** Resolves when the worker answers calls; rejects when it does not come up. */
  readonly ready: Promise<void>;
  readonly waiting: Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>;
}

export function startReaderThread(
  data: ReaderWorkerData,
  world: Pick<World, 'clock' | 'timers' | 'log'> & { readonly headroom?: Headroom },
  /** A read failed: a damaged value. */
  onFault: (store: ReaderStore, fault: ChainError) => void = () => undefined,
): ReaderThread {
  let thread: Thread | undefined;
  let held: Promise<void> = Promise.resolve(); // while the database is opened anew
  let stopping = false;
  let nextTicket = 1;

  function start(): Thread {
    const worker = new Worker(new URL('./reader-worker.js', import.meta.url), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: OLD_GENERATION_MB },
    });
    const waiting: Thread['waiting'] = new Map();
    let up!: { resolve: () => void; reject: (error: Error) => void };
    const ready = new Promise<void>((resolve, reject) => {
      up = { resolve, reject };
    });
    ready.catch(() => undefined); // told to whoever awaits it
    const started: Thread = { worker, ready, waiting };
    const end = (error: Error): void => {
      if (thread === started) {
        thread = undefined;
        if (!stopping) world.log.warn({ error: error.message }, 'reader thread ended');
      }
      const refusal = new ChainError('SERVER_BUSY', { reason: 'the thread of the read ended', retryAfterMs: RESTART_WAIT_MS }, error);
      up.reject(refusal);
      for (const waiter of waiting.values()) waiter.reject(refusal);
      waiting.clear();
    };
    worker.on('error', end);
    worker.on('exit', (code) => end(new Error(`The reader thread ended with code ${code}`)));
    worker.on('message', (message: ReaderMessage) => {
      if ('ready' in message) up.resolve();
      else if ('fault' in message) {
        if (isErrorCode(message.fault)) onFault(message.store, new ChainError(message.fault, message.data));
      } else {
        const waiter = waiting.get(message.ticket);
        waiting.delete(message.ticket);
        if ('value' in message) waiter?.resolve(message.value as never);
        else waiter?.reject(refusalError(message.refusal));
      }
    });
    return started;
  }

  async function call<T>(method: ReaderCall['method'], args: readonly unknown[]): Promise<T> {
    for (let seen: Promise<void> | undefined; seen !== held; await seen) seen = held;
    if (stopping) throw new ChainError('SERVER_BUSY', { reason: 'the node stops' });
    thread ??= start();
    const at = thread;
    await bounded(at, READER_START_MS_MAX, at.ready);
    if (thread !== at) throw new ChainError('SERVER_BUSY', { reason: 'the thread of the read ended', retryAfterMs: RESTART_WAIT_MS });
    const ticket = nextTicket++;
    const answer = new Promise<T>((resolve, reject) => {
      at.waiting.set(ticket, { resolve: resolve as (value: never) => void, reject });
      at.worker.postMessage({ ticket, method, args } satisfies ReaderCall);
    });
    return bounded(at, READ_WORK_MS_MAX, answer);
  }

  /** Ends the thread when `work` is not done in time; its end refuses the work. */
  async function bounded<T>(at: Thread, msMax: number, work: Promise<T>): Promise<T> {
    const cancel = world.timers.after(msMax, () => void at.worker.terminate());
    try {
      return await work;
    } finally {
      cancel();
    }
  }

  const reader: LedgerReader = {
    query: (...args) => call('query', args),
    judge: (...args) => call('judge', args),
  };
  thread = start();
  const ready = bounded(thread, READER_FIRST_START_MS_MAX, thread.ready);
  ready.catch(() => undefined); // heard by whoever awaits it
  return {
    ready,
    ...createReaderPort(reader, world, async () => {
      stopping = true;
      await thread?.worker.terminate();
    }),
    async release() {
      let letGo!: () => void;
      held = new Promise((resolve) => {
        letGo = resolve;
      });
      await thread?.worker.terminate();
      return letGo;
    },
  };
}

function refusalError({ code, data }: { readonly code: string; readonly data: Readonly<Record<string, unknown>> }): Error {
  return isErrorCode(code) && code !== 'INTERNAL' ? new ChainError(code, data) : new Error(String(data.message ?? code));
}
