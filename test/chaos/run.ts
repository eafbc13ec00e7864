/**
 * `npm run chaos -- --flood [--seconds N] [--only TEXT] [--json FILE]`: bodies, logins, connections, queries, counts, dear contracts, strangers and a traitor's
 * frames at once, by holders of every right and of none, against four nodes; with --only those with TEXT in their name. Exit code 1 when a limit of flood.ts does not hold.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureFlood } from './flood.ts';

const SECONDS_DEFAULT = 180;

const { values } = parseArgs({
  options: { flood: { type: 'boolean', default: false }, seconds: { type: 'string' }, only: { type: 'string' }, json: { type: 'string' } },
});
const out = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = Number(values.seconds ?? SECONDS_DEFAULT);
if (!values.flood || !Number.isSafeInteger(seconds) || seconds < 1) {
  process.stderr.write('usage: npm run chaos -- --flood [--seconds N] [--only TEXT] [--json FILE]\n');
  process.exit(2);
}
const report = await measureFlood({ seconds, say: out, only: values.only });
out('\n| measured | quiet | flood |\n| --- | ---: | ---: |');
out(`| p50 of a record, ms | ${report.quiet.p50.toFixed(0)} | ${report.flooded.p50.toFixed(0)} |`);
out(`| p95, ms | ${report.quiet.p95.toFixed(0)} | ${report.flooded.p95.toFixed(0)} |`);
out(`| p50, times quiet, by round | | ${report.ratios.map((ratio) => ratio.toFixed(1)).join(', ')} |`);
out(`| slowest healthz, ms | | ${report.healthzMsMax.toFixed(0)} |`);
out(`| most memory of a node, MB | | ${(Math.max(...report.residentBytesMax) / 1e6).toFixed(0)} |`);
out(`| processors used by others, % | | ${(100 * report.othersPart).toFixed(0)} |`);
out(`| blocks | | ${report.heights.join(', ')} |\n`);
for (const [what, count] of Object.entries(report.answers).sort()) out(`  ${count} x ${what}`);
if (values.json) writeFileSync(resolve(values.json), `${JSON.stringify(report, undefined, 2)}\n`);
const broken = [...report.broken, ...(report.slow === undefined ? [] : [report.slow])];
out(broken.length === 0 ? 'every limit held' : broken.map((what) => `does not hold: ${what}`).join('\n'));
process.exit(broken.length === 0 ? 0 : 1);
