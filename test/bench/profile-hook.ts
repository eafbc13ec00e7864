/**
 * Preloaded into a node by the bench (`node --import`), in every thread of it: on SIGUSR2 the threads begin to sample their stacks, on the next they write
 * what they found into `<BENCH_PROFILE_DIR>/<thread>.json`. Until then it costs nothing; nothing of the product knows of it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { join } from 'node:path';
import { argv, env } from 'node:process';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';

export interface ThreadProfile {
  /** The script the thread runs; empty for the main thread. */
  readonly script: string;
  /** CPU us of this thread while it was sampled. */
  readonly cpuUs: number;
  /** Of threads whose work has more than one part: each sample interrupts its thread, an idle one too. */
  readonly profile: Profiler.Profile | undefined;
}

const SAMPLING_US = 4_000;
const US_PER_TICK = 10_000; // USER_HZ on every Linux this runs on

const session = new Session();
const orders = new BroadcastChannel('tracemill-bench-profile');
const script = isMainThread ? '' : (argv[1] ?? '');
const isSampled = !script.includes('verify-worker');
let beganUs = 0;

function threadCpuUs(): number {
  const stat = readFileSync('/proc/thread-self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

function begin(): void {
  beganUs = threadCpuUs();
  if (!isSampled) return;
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  session.post('Profiler.start');
}

function end(): void {
  const cpuUs = threadCpuUs() - beganUs;
  const write = (profile: Profiler.Profile | undefined): void =>
    writeFileSync(join(env.BENCH_PROFILE_DIR!, `${threadId}.json`), JSON.stringify({ script, cpuUs, profile } satisfies ThreadProfile));
  if (!isSampled) {
    write(undefined);
    return;
  }
  session.post('Profiler.stop', (error, result) => {
    if (error) throw error;
    write(result.profile);
  });
  session.disconnect();
}

orders.onmessage = ({ data }: { data: unknown }) => (data === 'begin' ? begin() : end());
(orders as unknown as { unref(): void }).unref();
if (isMainThread) {
  let sampling = false;
  process.on('SIGUSR2', () => {
    sampling = !sampling;
    orders.postMessage(sampling ? 'begin' : 'end');
    if (sampling) begin();
    else end();
  });
}
