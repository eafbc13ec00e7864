/**
 * `node dist/test/bench/compare.js --with DIR [--rounds N] [--seconds N] [--preload N]`: the same workload against this build and a built checkout of another
 * commit in turn, so that both meet the same hour of the machine. Prints ratios only: what a machine commits in a second says nothing on another.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit } from 'node:process';
import { parseArgs } from 'node:util';
import { BenchNetwork, buildIn, OWN_ROOT } from './network.ts';
import { cpuOf, lowLoad, type Measured, SERIES, saturated, singles } from './rates.ts';
import { latencyOf, table } from './statistics.ts';

const { values: options } = parseArgs({
  args: argv.slice(2),
  options: {
    with: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    preload: { type: 'string', default: '10000' },
  },
});
/** Between its turns a network does not run, so that its code is compiled anew: for the low load, and for each series by the series itself. */
const WARM_UP_RATE_PER_S = 100;
const WARM_UP_S = 30;
const SERIES_WARM_UP_S = 30;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** What one round of one side came to: the higher a rate the better, the lower a time or cost. */
type Figures = Readonly<Record<string, number>>;

if (options.with === undefined) {
  say('compare: --with DIR names a built checkout of the other commit, made with git worktree add');
  exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), 'tracemill-bench-'));
const networks: BenchNetwork[] = [];
let failure: unknown;
try {
  const builds = [await buildIn(options.with), await buildIn(OWN_ROOT)];
  for (const [i, build] of builds.entries()) {
    const dir = join(scratch, String(i));
    mkdirSync(dir);
    const network = await BenchNetwork.start({ build, dir, say });
    networks.push(network);
    const seconds = await network.preload(Number(options.preload));
    say(`${build.commit}: loaded in ${seconds?.toFixed(1)} s`);
    await network.rest();
  }
  const rounds: (readonly Figures[])[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const found: Figures[] = [{}, {}];
    const order = round % 2 === 0 ? [0, 1] : [1, 0]; // neither is always the first
    for (const side of order) {
      found[side] = await figuresOf(networks[side]!, Number(options.seconds));
      say(`round ${round + 1}, ${builds[side]!.commit}: ${linesOf(found[side])}`);
    }
    rounds.push(found);
  }
  print(builds[0]!.commit, builds[1]!.commit, rounds);
} catch (error) {
  failure = error;
} finally {
  for (const network of networks) await network.stop();
  rmSync(scratch, { recursive: true, force: true });
}
if (failure !== undefined) {
  say(`compare failed: ${failure instanceof Error ? failure.stack : String(failure)}`);
  exit(1);
}
exit(0);

async function figuresOf(network: BenchNetwork, seconds: number): Promise<Figures> {
  await network.wake();
  await network.warmUp(WARM_UP_RATE_PER_S, WARM_UP_S);
  const figures: Record<string, number> = { 'p50 at low load, ms': (await lowLoad(network)).result.latency.p50 };
  const note = (name: string, measured: Measured): void => {
    const { nodesUs } = cpuOf(measured);
    figures[`${name}, records/s`] = measured.result.committedPerS * measured.recordsEach;
    figures[`${name}, CPU us a record, nodes`] = nodesUs.reduce((sum, us) => sum + us, 0);
  };
  for (const series of SERIES) note(series.name, await saturated(network, series, seconds, SERIES_WARM_UP_S));
  note('POST records', await singles(network, seconds, SERIES_WARM_UP_S));
  await network.rest();
  return figures;
}

function linesOf(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `\n  ${name}: ${value.toFixed(1)}`)
    .join('');
}

function print(theirs: string, ours: string, rounds: readonly (readonly Figures[])[]): void {
  const rows = Object.keys(rounds[0]![0]!).map((name) => {
    const ratios = rounds.map(([other, own]) => own![name]! / other![name]!);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    return [name, latencyOf(ratios).p50.toFixed(2), spread];
  });
  process.stdout.write(`${ours} in parts of ${theirs}, ${rounds.length} rounds in turn\n\n`);
  process.stdout.write(`${table(['figure', 'median ratio', 'least to largest'], rows)}\n`);
}
