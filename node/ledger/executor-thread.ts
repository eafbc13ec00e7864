/** Adapter: starts the executor's worker thread and talks to it. */
import { Worker } from 'node:worker_threads';
import { ChainError, isErrorCode } from '../errors/index.ts';
import { createPause } from '../pace/index.ts';
import type { World } from '../world.ts';
import type {
  ExecutorAnswer,
  ExecutorCall,
  ExecutorControl,
  ExecutorFault,
  ExecutorStore,
  ExecutorWorkerData,
  ExecutorWritten,
} from './executor-worker.ts';
import type { BuildRequest, ExecuteRequest } from './executor.ts';
import type { ExecutorPort } from './executor-port.ts';
import { buffersOf, type PackedCommitted, packed, unpackCommitted } from './executor-wire.ts';

/** A block makes some tens of megabytes of short-lived objects; the default of a worker collects several times while one executes. */
const YOUNG_GENERATION_MB = 128;

/** @throws when the worker does not come up. `onDeath` is called when it ends without being asked to. */
export async function startExecutorThread(
  data: ExecutorWorkerData,
  world: Pick<World, 'clock' | 'timers'>,
  /** The same database as the other threads read it. */
  store: { release(): Promise<() => Promise<void>> },
  onDeath: (error: Error) => void,
  watch: {
    /** A read or write of the worker failed: a damaged value, a full disk. `mendedBy` says what made good for it already. */
    onFault(store: ExecutorStore, fault: ChainError, mendedBy?: string): void;
    onWritten(store: ExecutorStore): void;
  } = { onFault: () => undefined, onWritten: () => undefined },
): Promise<ExecutorPort> {
  const worker = new Worker(new URL('./executor-worker.js', import.meta.url), {
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let nextTicket = 1;
  let stopping = false;

  const ready = new Promise<string>((resolve, reject) => {
    waiting.set(0, { resolve: resolve as (value: never) => void, reject });
  });
  let reopen: () => Promise<void> = () => Promise.resolve();
  const onControl = async ({ control }: ExecutorControl): Promise<void> => {
    if (control === 'release') reopen = await store.release();
    else await reopenStore();
    worker.postMessage({ control } satisfies ExecutorControl);
  };
  /** When the worker could not open it on a full disk, neither can this side: both try again with its next write. */
  async function reopenStore(): Promise<void> {
    try {
      await reopen();
    } catch (error) {
      if (!(error instanceof ChainError) || error.code !== 'STORE_FULL') throw error;
    }
  }
  worker.on('message', (answer: ExecutorAnswer | ExecutorControl | ExecutorFault | ExecutorWritten) => {
    if ('fault' in answer) {
      if (isErrorCode(answer.fault)) watch.onFault(answer.store, new ChainError(answer.fault, answer.data), answer.mendedBy);
      return;
    }
    if ('written' in answer) return watch.onWritten(answer.written);
    if ('control' in answer) {
      onControl(answer).catch(die);
      return;
    }
    const waiter = waiting.get(answer.ticket);
    waiting.delete(answer.ticket);
    if (!waiter) return;
    if ('refusal' in answer) waiter.reject(refusalError(answer.refusal));
    else waiter.resolve(answer.value as never);
  });
  function die(error: Error): void {
    for (const waiter of waiting.values()) waiter.reject(error);
    waiting.clear();
    if (!stopping) onDeath(error);
  }
  worker.on('error', die);
  worker.on('exit', (code) => die(new Error(`The executor thread ended with code ${code}`)));

  const post = <T>(method: ExecutorCall['method'], args: readonly unknown[], moved: readonly ArrayBuffer[]): Promise<T> => {
    const ticket = nextTicket++;
    return new Promise<T>((resolve, reject) => {
      waiting.set(ticket, { resolve: resolve as (value: never) => void, reject });
      worker.postMessage({ ticket, method, args } satisfies ExecutorCall, moved);
    });
  };
  const call = <T>(method: ExecutorCall['method'], ...args: readonly unknown[]): Promise<T> => post(method, args, []);
  const callWithList = async <T>(method: 'build' | 'execute', request: BuildRequest | ExecuteRequest): Promise<T> => {
    const message = await packed(request, createPause(world));
    if (stopping) throw new ChainError('NODE_STOPPING');
    return post(method, [message], buffersOf(message.transactions));
  };

  return {
    bundleDigest: await ready,
    open: () => call<PackedCommitted>('open').then(unpackCommitted),
    build: (request) => callWithList('build', request),
    execute: (request) => callWithList('execute', request),
    commit: (request) => call<PackedCommitted>('commit', request).then(unpackCommitted),
    repair: (...args) => call('repair', ...args),
    prove: (key) => call('prove', key),
    async stop() {
      stopping = true;
      await call('stop');
      await worker.terminate();
    },
  };
}

function refusalError(refusal: { kind: string; code: string; data: Readonly<Record<string, unknown>> }): Error {
  if (refusal.kind !== 'fault' && isErrorCode(refusal.code)) return new ChainError(refusal.code, refusal.data);
  return new Error(String(refusal.data.message ?? refusal.code));
}
