/** The executor without a thread of its own, for the simulator and tests of the shell. */
import type { Executor } from '../../node/ledger/executor.ts';
import type { ExecutorPort } from '../../node/ledger/executor-port.ts';

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
    repair: (...row) => queued(() => executor.repair(...row)),
    prove: (key) => queued(() => executor.prove(key)),
    stop: () => queued(() => executor.stop()),
  };
}
