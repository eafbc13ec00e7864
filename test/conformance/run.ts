/**
 * `npm run conform`: the rows of DB53/T 1407-2025 on a live devnet of four nodes. Exit code 1 when a row of the floor (proved.json) fell.
 *
 *   node dist/test/conformance/run.js [--only ID] [--raise]
 *
 * --only, given once or more, runs the rows whose id begins with ID; --raise writes newly proved rows into the floor.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../tools/source.ts';
import { provedBefore, rows } from './clause.ts';
import { type Net, ProbeContext } from './context.ts';
import { loadProbes, reportOf, runProbes } from './verdicts.ts';

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, raise: { type: 'boolean' } } });
const asked = (id: string) =>
  values.only === undefined || values.only.some((only) => id === only || id.startsWith(`${only}.`) || id.startsWith(`${only}-`));
const probes = (await loadProbes()).filter((probe) => asked(probe.id));
// Rows that kill or empty nodes come last, so that the others meet four healthy ones.
const disturbing = ['6.4.1.a', '5.1.4.b'];
probes.sort((a, b) => disturbing.indexOf(a.id) - disturbing.indexOf(b.id));

const dir = mkdtempSync(join(tmpdir(), 'tracemill-conform-net-'));
// Resolved when it runs, because what is judged is the program as it was built.
const { startDevnet } = (await import(new URL('../../devnet/index.js', import.meta.url).href)) as {
  startDevnet(options: { readonly dir: string; readonly nodes: number }): Promise<Net>;
};
process.stdout.write(`${probes.length} probes on a devnet of four nodes\n`);
const net = await startDevnet({ dir, nodes: 4 });
const context = new ProbeContext(net, dir);
try {
  const verdicts = await runProbes(probes, context, (verdict) => {
    process.stdout.write(`${verdict.proved ? '✔' : '✖'} ${verdict.id} ${(verdict.durationMs / 1000).toFixed(1)} s\n`);
  });
  const floor = provedBefore();
  const report = reportOf(rows(), verdicts, floor, asked);
  if (values.raise) {
    const raised = [...new Set([...floor, ...report.proved])].sort();
    writeFileSync(join(ROOT, 'test/conformance/proved.json'), `${JSON.stringify(raised, undefined, 2)}\n`);
  }
  process.stdout.write(`\n${report.text}\n`);
  process.exitCode = report.fallen.length > 0 ? 1 : 0;
} finally {
  context.close();
  await net.stop();
  rmSync(dir, { recursive: true, force: true });
}
