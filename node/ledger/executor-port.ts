/**
 * The executor as the rest of the node sees it: every method a promise. In a node it stands in a worker thread, so that execution never holds up
 * votes and ticks; in the simulator it runs inline.
 */
import type { ByteText } from '../format/index.ts';
import type { RepairAnswer } from './repair.ts';
import type { BuildRequest, Built, CommitRequest, Committed, ExecuteRequest, Executed, Executor } from './executor.ts';

export interface ExecutorPort {
  open(): Promise<Committed>;
  build(request: BuildRequest): Promise<Built>;
  execute(request: ExecuteRequest): Promise<Executed>;
  commit(request: CommitRequest): Promise<Committed>;
  /** Puts a damaged row right, see repair.ts. */
  repair(key: ByteText, value?: Uint8Array): Promise<RepairAnswer>;
  readonly bundleDigest: string;
  stop(): Promise<void>;
}

/** Runs calls one after another, as a worker would. */
export function inlineExecutor(executor: Executor, bundleDigest: string): ExecutorPort {
  let tail: Promise<unknown> = Promise.resolve();
  const queued = <T>(work: () => T | Promise<T>): Promise<T> => {
    const next = tail.then(work);
    tail = next.catch(() => undefined);
    return next;
  };
  return {
    bundleDigest,
    open: () => queued(() => executor.open()),
    build: (request) => queued(() => executor.build(request)),
    execute: (request) => queued(() => executor.execute(request)),
    commit: (request) => queued(() => executor.commit(request)),
    repair: (key, value) => queued(() => executor.repair(key, value)),
    async stop() {
      await tail;
    },
  };
}
