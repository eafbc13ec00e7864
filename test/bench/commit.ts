/** Where the time of one idle commit goes, from the request to its answer: what each node does, when it begins and how long it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ThreadFinding } from './hook.ts';
import type { Hooked } from './hooked.ts';
import type { BenchNetwork } from './network.ts';
import { latencyOf, table } from './statistics.ts';
import type { Step } from './trace-hook.ts';

const COMMITS = 60;
const PAUSE_MS = 250;
/** The same step within so long is one: three peers are sent a frame, a request comes in pieces. */
const SAME_STEP_MS = 0.3;
/** A step that fewer commits show belongs to something else. */
const SHARE_MIN = 0.5;

interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface CommitStep {
  readonly node: string;
  readonly step: string;
  /** Medians over the commits, after the request was sent. */
  readonly atMs: number;
  readonly tookMs: number;
}

export interface CommitTrace {
  readonly p50Ms: number;
  /** Of it, with any node writing or syncing; else with a worker busy for one; and the rest: main threads, links, timers. */
  readonly disksMs: number;
  readonly workersMs: number;
  readonly steps: readonly CommitStep[];
}

/** Sends one record at a time through a node that is not the primary. */
export async function traceCommit(network: BenchNetwork, hooked: Hooked): Promise<CommitTrace> {
  const { nodes } = network.net;
  const auditor = nodes[0]!.client(`auditor@${nodes[0]!.organisation}`);
  const latest = await auditor.get<{ header: { proposer: string } }>('/api/v1/blocks/latest');
  const primary = nodes.findIndex(({ id }) => id === latest.data.header.proposer);
  const entry = (primary + 1) % nodes.length;
  const requests = (await network.transactions('ai4i', 1, COMMITS * nodes.length)).filter(({ node }) => node === entry);
  await hooked.order('trace', nodes);
  const windows: Window[] = [];
  for (const request of requests) {
    await network.load.warm(1);
    const fromMs = performance.timeOrigin + performance.now();
    const requestOf = [request];
    await network.load.keep(() => requestOf.pop(), 1);
    windows.push({ fromMs, untilMs: performance.timeOrigin + performance.now() });
    await sleep(PAUSE_MS);
  }
  const found = await hooked.end(nodes);
  const roleOf = (i: number): string =>
    i === primary ? 'primary' : i === entry ? 'entry' : `backup ${(i - entry + nodes.length) % nodes.length}`;
  const steps = nodes.flatMap((node, i) => stepsOf(roleOf(i), found.get(node.pid!) ?? [], windows));
  const all = [...found.values()].flat().flatMap((thread) => thread.steps ?? []);
  const busy = (of: RegExp): number =>
    median(
      windows.map((window) =>
        coveredMs(
          all.filter(({ name }) => of.test(name)),
          window,
        ),
      ),
    );
  const p50Ms = median(windows.map(({ fromMs, untilMs }) => untilMs - fromMs));
  const disksMs = busy(/^(sync|write)/);
  const workersMs = busy(/^(sync|write|thread)/) - disksMs;
  return { p50Ms, disksMs, workersMs, steps: steps.sort((a, b) => a.atMs - b.atMs) };
}

export function commitTable({ p50Ms, disksMs, workersMs, steps }: CommitTrace): string {
  const ms = (value: number): string => value.toFixed(1);
  const rows = steps.map(({ node, step, atMs, tookMs }) => [`${node}: ${step}`, ms(atMs), tookMs === 0 ? '' : ms(tookMs)]);
  const rest = ms(p50Ms - disksMs - workersMs);
  return [
    table(['step of one idle commit', 'begins after ms', 'takes ms'], [...rows, ['client: has the answer', ms(p50Ms), '']]),
    `Of ${ms(p50Ms)} ms some disk is written or synced in ${ms(disksMs)}, a worker is busy without that in ${ms(workersMs)}; ${rest} are main threads, links and timers.`,
  ].join('\n\n');
}

/** How much of the window one of the steps or more covers, ms. */
function coveredMs(steps: readonly Step[], { fromMs, untilMs }: Window): number {
  let covered = 0;
  let reached = fromMs;
  for (const { atMs, tookMs } of [...steps].sort((a, b) => a.atMs - b.atMs)) {
    const until = Math.min(atMs + tookMs, untilMs);
    covered += Math.max(0, until - Math.max(atMs, reached));
    reached = Math.max(reached, until);
  }
  return covered;
}

/** Medians of what the threads of one node did in each window. */
function stepsOf(node: string, threads: readonly ThreadFinding[], windows: readonly Window[]): CommitStep[] {
  const all = threads.flatMap(({ steps }) => steps ?? []).sort((a, b) => a.atMs - b.atMs);
  const seen = new Map<string, { atMs: number; tookMs: number }[]>();
  for (const { fromMs, untilMs } of windows) {
    const counts = new Map<string, number>();
    for (const step of distinct(all.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs))) {
      const count = (counts.get(step.name) ?? 0) + 1;
      counts.set(step.name, count);
      const name = count === 1 ? step.name : `${step.name}, ${count}`;
      const times = seen.get(name) ?? [];
      seen.set(name, times);
      times.push({ atMs: step.atMs - fromMs, tookMs: step.tookMs });
    }
  }
  return Array.from(seen)
    .filter(([, times]) => times.length >= windows.length * SHARE_MIN)
    .map(([step, times]) => ({
      node,
      step,
      atMs: median(times.map(({ atMs }) => atMs)),
      tookMs: median(times.map(({ tookMs }) => tookMs)),
    }));
}

/** Without those that follow the same one at once. */
function distinct(steps: readonly Step[]): Step[] {
  const last = new Map<string, number>();
  return steps.filter(({ name, atMs }) => {
    const before = last.get(name) ?? Number.NEGATIVE_INFINITY;
    last.set(name, atMs);
    return atMs - before > SAME_STEP_MS;
  });
}

function median(values: readonly number[]): number {
  return latencyOf(values).p50;
}
