/** `npm run sim -- --seeds N [--from S] [--engine pbft] [--full fourth|never|always]`: N simulated clusters; failing seeds with the end of their transcript, exit code 1. */
import { parseArgs } from 'node:util';
import { runFullSeed } from './full-scenario.ts';
import { runSeed } from './scenario.ts';

const LINES_SHOWN = 60;
/** Every so many seeds are told of whole nodes instead of the engine under a small chain. */
const FULL_EVERY = 4;
/** Failing seeds shown before the run gives up. */
const FAILURES_MAX = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'pbft' },
    full: { type: 'string', default: 'fourth' },
    verbose: { type: 'boolean', default: false },
  },
});
const count = Number(values.seeds);
const from = Number(values.from);
if (
  !Number.isSafeInteger(count) ||
  count < 1 ||
  !Number.isSafeInteger(from) ||
  from < 0 ||
  !['fourth', 'never', 'always'].includes(values.full)
) {
  console.error('usage: npm run sim -- --seeds N [--from S] [--engine pbft] [--full fourth|never|always] [--verbose]');
  process.exit(2);
}

const failed: number[] = [];
let heights = 0;
let fulls = 0;
let fullMs = 0;
let slowest = { seed: 0, healedMs: 0 };
const startedMs = performance.now();
for (let seed = from; seed < from + count && failed.length < FAILURES_MAX; seed++) {
  const full = values.full === 'always' || (values.full === 'fourth' && seed % FULL_EVERY === 0);
  const beganMs = performance.now();
  const result = full ? await runFullSeed(seed) : await runSeed(seed, values.engine);
  if (full) {
    fulls++;
    fullMs += performance.now() - beganMs;
  }
  heights += result.height;
  if (result.healedMs > slowest.healedMs) slowest = result;
  if (result.failure !== undefined) {
    failed.push(seed);
    console.log(`seed ${seed} FAILED: ${result.failure}\n  ${result.story}`);
    console.log(result.transcript.slice(-LINES_SHOWN).join('\n'));
  } else if (values.verbose) console.log(`seed ${seed} ok, height ${result.height}: ${result.story}`);
}
const seconds = (performance.now() - startedMs) / 1_000;
console.log(
  `${count} seeds from ${from}, engine ${values.engine}: ${failed.length === 0 ? 'all held' : `failed ${failed.join(' ')}`}; ${heights} blocks, ${seconds.toFixed(1)} s, ${((seconds * 1_000) / count).toFixed(0)} ms a seed, ${fulls} of them with whole nodes in ${(fullMs / 1_000).toFixed(1)} s; slowest to heal ${slowest.seed} in ${(slowest.healedMs / 1_000).toFixed(1)} s`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
