/** `npm run sim -- --seeds N [--from S] [--engine pbft]`: N simulated clusters; failing seeds with the end of their transcript, exit code 1. */
import { parseArgs } from 'node:util';
import { runSeed } from './scenario.ts';

const LINES_SHOWN = 60;
/** Failing seeds shown before the run gives up. */
const FAILURES_MAX = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'pbft' },
    verbose: { type: 'boolean', default: false },
  },
});
const count = Number(values.seeds);
const from = Number(values.from);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(from) || from < 0) {
  console.error('usage: npm run sim -- --seeds N [--from S] [--engine pbft] [--verbose]');
  process.exit(2);
}

const failed: number[] = [];
let heights = 0;
let slowest = { seed: 0, healedMs: 0 };
const startedMs = performance.now();
for (let seed = from; seed < from + count && failed.length < FAILURES_MAX; seed++) {
  const result = await runSeed(seed, values.engine);
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
  `${count} seeds from ${from}, engine ${values.engine}: ${failed.length === 0 ? 'all held' : `failed ${failed.join(' ')}`}; ${heights} blocks, ${seconds.toFixed(1)} s, ${((seconds * 1_000) / count).toFixed(0)} ms a seed; slowest to heal ${slowest.seed} in ${(slowest.healedMs / 1_000).toFixed(1)} s`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
