/** How long one node takes until it serves again, the others running: after a clean stop, and after SIGKILL in the middle of load. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchNetwork } from './network.ts';
import { latencyOf, processUse, table } from './statistics.ts';

const ROUNDS = 3;
const KILLED_LOAD_PER_S = 100;
const KILLED_LOAD_S = 3;
const KILLED_AFTER_MS = 2_000;
const POLL_MS = 20;

interface Start {
  /** From the start of the process to `/readyz`. */
  readonly seconds: number;
  /** Of the process until then. */
  readonly cpuSeconds: number;
}

export interface StartTimes {
  readonly preloaded: number;
  readonly clean: readonly Start[];
  readonly killed: readonly Start[];
}

export async function startTimes(network: BenchNetwork): Promise<StartTimes> {
  const last = network.net.nodes.length - 1;
  const node = network.net.nodes[last]!;
  const again = async (): Promise<Start> => {
    while (node.running) await sleep(POLL_MS);
    const startMs = performance.now();
    await node.restart();
    return { seconds: (performance.now() - startMs) / 1000, cpuSeconds: processUse(node.pid!).cpuSeconds };
  };
  const [clean, killed]: [Start[], Start[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    await node.kill('SIGTERM');
    clean.push(await again());
    const requests = await network.transactions('ai4i', 1, KILLED_LOAD_PER_S * KILLED_LOAD_S);
    const load = network.load.offer(
      requests.filter((request) => request.node !== last),
      KILLED_LOAD_PER_S,
    );
    await sleep(KILLED_AFTER_MS);
    await node.kill('SIGKILL');
    await load;
    killed.push(await again());
  }
  return { preloaded: network.preloaded, clean, killed };
}

export function startTable({ preloaded, clean, killed }: StartTimes): string {
  const row = (name: string, starts: readonly Start[]): string[] => {
    const of = (values: readonly number[]): string => `${Math.min(...values).toFixed(1)} / ${latencyOf(values).p50.toFixed(1)}`;
    return [`${name}, ${preloaded} records`, of(starts.map(({ seconds }) => seconds)), of(starts.map(({ cpuSeconds }) => cpuSeconds))];
  };
  return table(
    ['start', 's until ready, least / median', 's of CPU, least / median'],
    [row('after a clean stop', clean), row('after SIGKILL under load', killed)],
  );
}
