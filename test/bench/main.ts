/**
 * `npm run bench [-- MODE... --quick --preload N[,N...] --seconds N --json FILE --node PROGRAM]`: figures of a fresh devnet of four validators, over HTTPS.
 * Modes are listed in MODES; without one all of them run. How a figure compares with another commit: compare.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { argv, exit, version } from 'node:process';
import { parseArgs } from 'node:util';
import { emptyCommits } from './bare.ts';
import { type CommitTrace, commitTable, traceCommit } from './commit.ts';
import { floor } from './floor.ts';
import { hookedNodes } from './hooked.ts';
import type { LoadResult } from './load.ts';
import { BenchNetwork, buildIn, OWN_ROOT } from './network.ts';
import { ladder, lowLoad, type Measured, otherwise, overload, ratesTable, SERIES, singles } from './rates.ts';
import { startTable, type StartTimes, startTimes } from './start.ts';
import { type Latency, table } from './statistics.ts';
import { boundTable, type Bound, measureBound } from './terms.ts';
import { type Share, whereCpuGoes } from './where.ts';

const MODES = {
  load: 'seconds in which the devnet loads its 10,000 rows',
  low: 'latency at 5 a second, and of the empty commit',
  commit: 'steps of one idle commit, from the request to its answer',
  rates: 'rates that rise until the figure does not: one and hundred a transaction, AI4I and plain annex A',
  records: 'POST records, one record a request, from one account over 32 connections',
  overload: 'three times the best rate of rates',
  where: 'CPU of a node at the best rate, by part',
  start: 'seconds until a node serves again, after a clean stop and after SIGKILL',
  bound: 'the bound of this machine, term by term beside its budget',
  floor: 'what HTTPS and four signature checks alone would allow, without a chain',
} as const;
type Mode = keyof typeof MODES;

const { values: options, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    preload: { type: 'string' },
    json: { type: 'string' },
    seconds: { type: 'string' },
    node: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.find((mode) => !(mode in MODES));
if (options.help || unknown !== undefined) {
  for (const [mode, says] of Object.entries(MODES)) process.stdout.write(`${mode.padEnd(10)}${says}\n`);
  exit(unknown === undefined ? 0 : 2);
}
const wanted = new Set(positionals.length > 0 ? (positionals as Mode[]) : (Object.keys(MODES) as Mode[]));
const PRELOADS = (options.preload ?? (options.quick ? '10000' : '10000,1000000')).split(',').map(Number);
const SECONDS = Number(options.seconds ?? (options.quick ? 6 : 20));
/** A node compiles its code as it runs: this long at a bearable rate before anything is measured, s. */
const WARM_UP_S = options.quick ? 20 : 60;
const WARM_UP_RATE_PER_S = 100;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (text: string): void => void process.stdout.write(`${text}\n\n`);

const scratch = mkdtempSync(join(tmpdir(), 'tracemill-bench-'));
const hooked = hookedNodes(scratch, options.node);
let network: BenchNetwork | undefined;
let failure: unknown;
const report: Report = { steps: [], best: [], starts: [] };
try {
  const build = await buildIn(OWN_ROOT);
  network = await BenchNetwork.start({ build, dir: join(scratch, 'net'), nodePath: hooked.nodePath, say });
  await run(network, report);
} catch (error) {
  failure = error;
} finally {
  await network?.stop();
  rmSync(scratch, { recursive: true, force: true });
}
const machine = `${cpus().length} x ${cpus()[0]!.model}`;
const others = loadavg().map((value) => value.toFixed(1));
print(`Four validators, ${machine}, Node ${version}, commit ${network?.commit}; runnable on average at the end: ${others.join(', ')}`);
show(report); // a mode that failed costs none of those before it
if (options.json !== undefined)
  writeFileSync(resolve(options.json), `${JSON.stringify({ machine, node: version, commit: network?.commit, ...report }, undefined, 2)}\n`);
if (failure !== undefined) {
  say(`bench failed: ${failure instanceof Error ? failure.stack : String(failure)}`);
  exit(1);
}
exit(0);

interface Report {
  loadSeconds?: number;
  low?: Measured;
  empty?: Latency;
  commit?: CommitTrace;
  /** Every step of every series, at each number of preloaded records. */
  steps: Measured[];
  /** The best step of each. */
  best: Measured[];
  singles?: Measured;
  overload?: Measured;
  where?: readonly Share[];
  starts: StartTimes[];
  bound?: Bound;
  floor?: LoadResult;
}

async function run(on: BenchNetwork, report: Report): Promise<void> {
  for (const [i, records] of PRELOADS.entries()) {
    const seconds = await on.preload(records);
    if (seconds !== undefined) report.loadSeconds = seconds;
    say(`${on.preloaded} records preloaded`);
    if (wanted.size === 1 && wanted.has('load')) continue;
    const warm = await on.warmUp(WARM_UP_RATE_PER_S, WARM_UP_S);
    say(`warmed up: ${warm.committedPerS.toFixed(0)}/s, p50 ${warm.latency.p50.toFixed(0)} ms ${otherwise(warm)}`);
    if (i === 0 && wanted.has('low')) report.low = await lowLoad(on);
    if (i === 0 && wanted.has('commit')) report.commit = await traceCommit(on, hooked);
    for (const series of wanted.has('rates') || wanted.has('overload') || wanted.has('where') ? SERIES : []) {
      if (!wanted.has('rates') && series !== SERIES[0]) continue;
      const steps = await ladder(on, series, SECONDS, say);
      report.steps.push(...steps);
      report.best.push(steps[0]!);
    }
    const bestPerS = report.best[0]?.result.committedPerS ?? 0;
    if (i === 0 && wanted.has('overload')) report.overload = await overload(on, bestPerS, SECONDS);
    if (i === 0 && wanted.has('records')) report.singles = await singles(on, SECONDS, WARM_UP_S);
    if (i === 0 && wanted.has('where')) report.where = await sampled(on, Math.floor(bestPerS));
    if (wanted.has('start')) report.starts.push(await startTimes(on));
  }
  if (wanted.has('bound')) report.bound = await measureBound(on, report.best);
  if (wanted.has('low') || wanted.has('floor')) await on.stop();
  if (wanted.has('floor')) report.floor = await floor(SECONDS);
  if (wanted.has('low')) {
    report.empty = await emptyCommits(on.net.nodes);
  }
}

async function sampled(on: BenchNetwork, ratePerS: number): Promise<readonly Share[]> {
  const requests = await on.transactions('ai4i', 1, ratePerS * SECONDS);
  await on.load.warm(ratePerS / 2);
  return await whereCpuGoes(hooked, on.net.nodes[0]!, async () => ({ records: (await on.load.offer(requests, ratePerS)).committed }));
}

function show(report: Report): void {
  const { loadSeconds, low, empty, commit, best, where, starts, bound } = report;
  if (loadSeconds !== undefined)
    print(`The devnet loaded its first ${Math.min(10_000, PRELOADS[0]!)} rows in ${loadSeconds.toFixed(1)} s.`);
  const rows = [low, ...best, report.singles, report.overload].filter((row) => row !== undefined);
  if (rows.length > 0) print(ratesTable(rows, empty));
  if (low && empty)
    print(`p50 at low load is ${(low.result.latency.p50 / empty.p50).toFixed(2)} times that of the empty commit (at most 2.5).`);
  for (const { name, preloaded, result } of best) {
    const first = best.find((each) => each.name === name)!;
    if (first.preloaded < preloaded)
      print(
        `${name}: with ${preloaded} records ${(result.committedPerS / first.result.committedPerS).toFixed(2)} of the rate with ${first.preloaded} (at least 0.85).`,
      );
  }
  if (report.overload && best[0]) {
    const { result } = report.overload;
    const share = (result.committedPerS / best[0].result.committedPerS).toFixed(2);
    print(
      `Offered three times the best rate: ${share} of it committed (at least 0.9), p50 ${(result.sentLatency.p50 / 1000).toFixed(2)} s (at most 2) from when a request went out, ${(result.latency.p50 / 1000).toFixed(2)} s from its moment.`,
    );
  }
  if (commit) print(commitTable(commit));
  if (where)
    print(
      table(
        ['part of a node', 'CPU us a record'],
        where.map(({ part, cpuUs }) => [part, cpuUs.toFixed(1)]),
      ),
    );
  for (const times of starts) print(startTable(times));
  if (bound) print(boundTable(bound));
  if (report.floor) {
    const { committed, committedPerS, nodesCpuUs, loadCpuUs } = report.floor;
    const each = nodesCpuUs.map((us) => (us / committed).toFixed(0)).join(' ');
    print(
      `HTTPS, a signature check at each of four nodes and plain TCP between them, and no chain: ${committedPerS.toFixed(0)}/s, CPU us a transaction ${each}, of the generator ${(loadCpuUs / committed).toFixed(0)}.`,
    );
  }
}
