/** What four validators commit: at low load, at rates that rise until the figure does not, over single `POST records`, and offered three times the best. */
import { CONNECTIONS_MAX, type LoadResult, type Request } from './load.ts';
import type { BenchNetwork } from './network.ts';
import { type Latency, table } from './statistics.ts';
import type { Kind } from './workload.ts';

const LOW_RATE_PER_S = 5;
const LOW_COUNT = 60;
/** A step that brings less than this beyond the best has not risen. */
const RISE = 1.03;
const RATE_STEP = 1.3;
const CONNECTIONS_PER_RATE = 0.5; // a node: opened before the clock starts, more when answers take long
const OVERLOAD = 3;
const SINGLES_CONNECTIONS = 32;
/** Requests of the closed loop are made before its clock starts: for this many a second. */
const SINGLES_PER_S = 2_500;
/** Of single transactions; of hundreds a 32nd. */
const UNDER_WAY_FIRST = 512;
/** Requests are made before the clock starts, so many times what the warm-up committed: it signed its own as it went. */
const MADE_AHEAD = 1.5;

export interface Series {
  readonly name: string;
  readonly kind: Kind;
  readonly recordsEach: number;
  readonly firstRate: number;
}

export const SERIES: readonly Series[] = [
  { name: 'AI4I, 1 a transaction', kind: 'ai4i', recordsEach: 1, firstRate: 150 },
  { name: 'plain annex A, 1 a transaction', kind: 'plain', recordsEach: 1, firstRate: 150 },
  { name: 'AI4I, 100 a transaction', kind: 'ai4i', recordsEach: 100, firstRate: 4 },
  { name: 'plain annex A, 100 a transaction', kind: 'plain', recordsEach: 100, firstRate: 4 },
];

export interface Measured {
  readonly name: string;
  readonly recordsEach: number;
  readonly bytesEach: number;
  readonly preloaded: number;
  /** Transactions of a block, on average. */
  readonly perBlock: number;
  readonly result: LoadResult;
}

export async function lowLoad(network: BenchNetwork): Promise<Measured> {
  const requests = await network.transactions('ai4i', 1, LOW_COUNT);
  await network.load.warm(LOW_RATE_PER_S);
  return await measured(network, 'low load, AI4I, 1 a transaction', 1, requests[0]!.body.length, () =>
    network.load.offer(requests, LOW_RATE_PER_S),
  );
}

/** Walks the rates up until the figure does not rise. @returns every step, the best one first */
export async function ladder(network: BenchNetwork, series: Series, seconds: number, say: (line: string) => void): Promise<Measured[]> {
  return await walk({ first: series.firstRate, factor: RATE_STEP, unrisenMax: 2 }, async (rate) => {
    const step = await atRate(network, series, rate, seconds);
    say(`  ${lineOf(step)}`);
    return step;
  });
}

/**
 * The series at as much as it takes, after `warmUpSeconds` of the same, since a node compiles its code as it goes: so many transactions under way for
 * `seconds`, then twice as many, until the figure does not rise. @returns the best step
 */
export async function saturated(network: BenchNetwork, series: Series, seconds: number, warmUpSeconds: number): Promise<Measured> {
  const { name, kind, recordsEach } = series;
  const first = recordsEach === 1 ? UNDER_WAY_FIRST : UNDER_WAY_FIRST / 32;
  const warm = (underWay: number): Promise<void> => network.load.warm(underWay / network.net.nodes.length);
  await warm(first);
  const make = await network.maker(kind, recordsEach);
  const { committedPerS } = await network.load.keep(until(warmUpSeconds, make), first);
  const ahead = committedPerS * seconds * MADE_AHEAD;
  const [best] = await walk({ first, factor: 2, unrisenMax: 1 }, async (underWay) => {
    const requests = await network.transactions(kind, recordsEach, Math.ceil(ahead) + underWay);
    await warm(underWay);
    const next = until(seconds, () => requests.pop());
    return await measured(network, name, recordsEach, requests[0]!.body.length, () => network.load.keep(next, underWay));
  });
  return best!;
}

interface Walk {
  readonly first: number;
  readonly factor: number;
  /** So many steps in a row that bring nothing beyond the best end the walk. */
  readonly unrisenMax: number;
}

/** @returns every step, the best one first */
async function walk({ first, factor, unrisenMax }: Walk, take: (level: number) => Promise<Measured>): Promise<Measured[]> {
  const steps: Measured[] = [];
  let best: Measured | undefined;
  let unrisen = 0;
  for (let level = first; unrisen < unrisenMax; level = Math.ceil(level * factor)) {
    const step = await take(level);
    steps.push(step);
    if (best !== undefined && step.result.committedPerS < best.result.committedPerS * RISE) unrisen++;
    else unrisen = 0;
    if (best === undefined || step.result.committedPerS > best.result.committedPerS) best = step;
  }
  return [best!, ...steps.filter((step) => step !== best)];
}

/** Requests of a closed loop until so long after the first was asked for. */
export function until(seconds: number, next: () => Request | undefined): () => Request | undefined {
  let endMs: number | undefined;
  return () => {
    endMs ??= performance.now() + seconds * 1000;
    return performance.now() < endMs ? next() : undefined;
  };
}

export async function overload(network: BenchNetwork, bestPerS: number, seconds: number): Promise<Measured> {
  return await atRate(network, SERIES[0]!, Math.ceil(bestPerS * OVERLOAD), seconds);
}

/** `POST records`, one record a request, from one account over 32 connections, for `seconds` after `warmUpSeconds` of the same. */
export async function singles(network: BenchNetwork, seconds: number, warmUpSeconds: number): Promise<Measured> {
  const run = (requests: Request[], runSeconds: number): Promise<LoadResult> =>
    network.load.keep(
      until(runSeconds, () => requests.pop()),
      SINGLES_CONNECTIONS,
      'records',
    );
  await run(network.records(Math.ceil(SINGLES_PER_S * warmUpSeconds)), warmUpSeconds);
  const requests = network.records(Math.ceil(SINGLES_PER_S * seconds));
  const bytesEach = requests[0]!.body.length;
  return await measured(network, `POST records, ${SINGLES_CONNECTIONS} connections`, 1, bytesEach, () => run(requests, seconds));
}

/** A node's CPU us and the generator's for each record that was committed. */
export function cpuOf({ result, recordsEach }: Measured): { readonly nodesUs: readonly number[]; readonly loadUs: number } {
  const records = Math.max(1, result.committed * recordsEach);
  return { nodesUs: result.nodesCpuUs.map((us) => us / records), loadUs: result.loadCpuUs / records };
}

export function ratesTable(rows: readonly Measured[], empty: Latency | undefined): string {
  const cells = rows.map((row) => {
    const { result, recordsEach } = row;
    const { nodesUs, loadUs } = cpuOf(row);
    const offered = result.offeredPerS === undefined ? 'closed loop' : result.offeredPerS;
    const { p50, p95, p99 } = result.latency;
    return [
      `${row.name}, ${row.preloaded} preloaded`,
      offered,
      result.committedPerS.toFixed(0),
      (result.committedPerS * recordsEach).toFixed(0),
      ...[p50, p95, p99].map((ms) => ms.toFixed(1)),
      row.perBlock.toFixed(1),
      nodesUs.map((us) => us.toFixed(0)).join(' '),
      loadUs.toFixed(0),
      otherwise(result),
    ];
  });
  const [dash, ms] = ['', (value: number): string => value.toFixed(1)];
  if (empty) cells.push(['empty commit, no HTTP', 5, dash, dash, ms(empty.p50), ms(empty.p95), ms(empty.p99), dash, dash, dash, dash]);
  return table(
    [
      'load',
      'offered/s',
      'transactions/s',
      'records/s',
      'p50 ms',
      'p95',
      'p99',
      'a block',
      'CPU us a record, by node',
      'of the generator',
      'not committed',
    ],
    cells,
  );
}

/** What was not committed, and resets. */
export function otherwise({ late, lost, resets, refused }: LoadResult): string {
  const counts = { late, lost, resets, ...refused };
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function lineOf(step: Measured): string {
  const { result } = step;
  const { nodesUs, loadUs } = cpuOf(step);
  const nodes = nodesUs.reduce((sum, us) => sum + us, 0) / nodesUs.length;
  return `${step.name}, offered ${result.offeredPerS}/s: ${result.committedPerS.toFixed(0)}/s, p50 ${result.latency.p50.toFixed(0)} ms, ${step.perBlock.toFixed(1)} a block, CPU us a record ${nodes.toFixed(0)} a node + ${loadUs.toFixed(0)} generator ${otherwise(result)}`;
}

async function atRate(network: BenchNetwork, { name, kind, recordsEach }: Series, rate: number, seconds: number): Promise<Measured> {
  const requests = await network.transactions(kind, recordsEach, Math.ceil(rate * seconds));
  await network.load.warm(Math.ceil(Math.min(CONNECTIONS_MAX, rate * CONNECTIONS_PER_RATE)));
  return await measured(network, name, recordsEach, requests[0]!.body.length, () => network.load.offer(requests, rate));
}

async function measured(
  network: BenchNetwork,
  name: string,
  recordsEach: number,
  bytesEach: number,
  work: () => Promise<LoadResult>,
): Promise<Measured> {
  const [first] = network.net.nodes;
  const before = (await first!.head()).height;
  const result = await work();
  const blocks = Math.max(1, (await first!.head()).height - before);
  return { name, recordsEach, bytesEach, preloaded: network.preloaded, perBlock: result.committed / blocks, result };
}
