/**
 * Preloaded into a node by the bench (`node --import`), in every thread of it. On SIGUSR2 the node does what `<BENCH_HOOK_DIR>/order` says: `profile`
 * begins to sample the stacks of its threads, `trace` begins to note its steps (trace-hook.ts), `end` writes what was found into
 * `<BENCH_HOOK_DIR>/<process>-<thread>.json`. Until then it costs nothing; nothing of the product knows of it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { join } from 'node:path';
import { argv, env, pid } from 'node:process';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import type { Step } from './trace-hook.ts';

export interface ThreadFinding {
  /** The script the thread runs; empty for the main thread. */
  readonly script: string;
  /** CPU us of this thread since the order. */
  readonly cpuUs: number;
  /** Of threads whose work has more than one part: each sample interrupts its thread, an idle one too. */
  readonly profile?: Profiler.Profile | undefined;
  readonly steps?: readonly Step[];
}

const SAMPLING_US = 4_000;
const US_PER_TICK = 10_000; // USER_HZ on every Linux this runs on

const session = new Session();
const orders = new BroadcastChannel('tracemill-bench-hook');
const script = isMainThread ? '' : (argv[1] ?? '');
const isSampled = !script.includes('verify-worker');
let began: { readonly order: string; readonly cpuUs: number; readonly steps: readonly Step[] } | undefined;

function threadCpuUs(): number {
  const stat = readFileSync('/proc/thread-self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

async function begin(order: string): Promise<void> {
  const steps = order === 'trace' ? (await import('./trace-hook.ts')).noteSteps() : [];
  began = { order, cpuUs: threadCpuUs(), steps };
  if (order !== 'profile' || !isSampled) return;
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  session.post('Profiler.start');
}

function end(): void {
  if (!began) return;
  const { order, steps } = began;
  const cpuUs = threadCpuUs() - began.cpuUs;
  const write = (found: Partial<ThreadFinding>): void =>
    writeFileSync(join(env.BENCH_HOOK_DIR!, `${pid}-${threadId}.json`), JSON.stringify({ script, cpuUs, ...found }));
  if (order === 'trace' || !isSampled) {
    write({ steps });
    return;
  }
  session.post('Profiler.stop', (error, result) => {
    if (error) throw error;
    write({ profile: result.profile });
  });
  session.disconnect();
}

const obey = (order: string): void => {
  if (order === 'end') end();
  else void begin(order);
};
orders.onmessage = ({ data }: { data: unknown }) => obey(data as string);
(orders as unknown as { unref(): void }).unref();
if (isMainThread)
  process.on('SIGUSR2', () => {
    const order = readFileSync(join(env.BENCH_HOOK_DIR!, 'order'), 'utf8').trim();
    orders.postMessage(order);
    obey(order);
  });
