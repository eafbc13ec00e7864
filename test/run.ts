/**
 * The runner behind `npm test`: unit, conformance, simulation and end-to-end tests through node:test, in a bounded number of processes, with the
 * failures told at the end. The last line is `N passed, N failed, N skipped`. Under CI a skipped test is a failure, because what CI relies on must
 * have run; but for tests that say `not permitted here`: no installation can give a machine's user more rights.
 *
 *   node dist/test/run.js [--only TEXT] [--concurrency N]
 */
import { readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const DIST = dirname(dirname(fileURLToPath(import.meta.url)));
/** Files at once; each is a process, and an end-to-end test starts a network of its own, which mostly waits. */
const CONCURRENCY_DEFAULT = 2;
/** Time for one file, in ms: far above the slowest on a machine that is busy with other things. */
const FILE_TIMEOUT_MS = 1_800_000;
const NOT_PERMITTED = 'not permitted here';
/** Slowest files that are named after a stage. */
const SLOWEST_SHOWN = 5;
/** One after the other; the files of a stage share one queue. */
const STAGES = [['test/simulation', 'test/conformance', 'test/unit'], ['test/e2e']] as const;
/** They begin first, in this order, so that none is left to run by itself when all others are done. */
const LONGEST = [
  'test/simulation/seeds-low.test.js',
  'test/simulation/seeds-high.test.js',
  'test/simulation/full-node.test.js',
  'test/simulation/full-seeds.test.js',
  'test/unit/api/rest/thread-hold.test.js',
  'test/simulation/memory.test.js',
  'test/e2e/once.test.js',
  'test/e2e/conform.test.js',
  'test/e2e/crash.test.js',
];
/** They judge how fast nodes answer, and run after their stage with nothing beside them. */
const ALONE = ['test/e2e/flood.test.js'];

interface Failure {
  readonly file: string;
  readonly name: string;
  readonly reason: string;
}

interface Count {
  passed: number;
  readonly failed: Failure[];
  readonly skipped: string[];
  /** Skipped for a reason that an installation mends. */
  mustRun: number;
}

/** Of some folders: the longest first, then folder by folder. */
function testFiles(folders: readonly string[], only: string | undefined): readonly string[] {
  const names = folders.flatMap((folder) =>
    readdirSync(join(DIST, folder), { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => join(folder, name)),
  );
  const rank = (name: string): number => (LONGEST.includes(name) ? LONGEST.indexOf(name) : LONGEST.length);
  return names.filter((name) => name.endsWith('.test.js') && (only === undefined || name.includes(only))).sort((a, b) => rank(a) - rank(b));
}

/** What an assertion or a crash has to say, without the frames of the test runner. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*(?:node:internal|node:async_hooks)/.test(line))
    .join('\n');
}

async function runFiles(files: readonly string[], concurrency: number, count: Count): Promise<void> {
  if (files.length === 0) return;
  const startedMs = performance.now();
  const took = new Map<string, number>();
  const failedIn = new Set<string>();
  const crashed: Failure[] = [];
  const stream = run({ files: files.map((file) => join(DIST, file)), concurrency, timeout: FILE_TIMEOUT_MS });
  stream.on('test:pass', (event) => {
    const file = fileOf(event.file);
    if (event.nesting === 0) took.set(file, (took.get(file) ?? 0) + event.details.duration_ms);
    if (event.details.type === 'suite' || isWholeFile(event.name)) return;
    if (event.skip !== undefined || event.todo !== undefined) {
      const reason = [event.skip, event.todo].find((given) => typeof given === 'string') ?? '';
      count.skipped.push(`${file}: ${event.name}: ${reason}`);
      if (!reason.includes(NOT_PERMITTED)) count.mustRun++;
    } else count.passed++;
  });
  stream.on('test:fail', (event) => {
    const file = fileOf(event.file ?? event.name);
    if (event.details.type === 'suite') return;
    const failure = { file, name: event.name, reason: reasonOf(event.details.error) };
    if (isWholeFile(event.name)) {
      crashed.push({ ...failure, name: 'the file as a whole', file: fileOf(event.name) });
      return;
    }
    failedIn.add(file);
    count.failed.push(failure);
    process.stdout.write(`✖ ${file}: ${event.name}\n`);
  });
  stream.on('test:stderr', (event) => process.stderr.write(event.message));
  for await (const _event of stream) void _event; // the listeners above do the work; the stream must be read to end
  // A file that failed because a test in it failed is told once; one that crashed or left something running is told by itself.
  for (const failure of crashed) if (!failedIn.has(failure.file)) count.failed.push(failure);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const folders = [...new Set(files.map((file) => file.split(sep, 2).join('/')))].join(', ');
  process.stdout.write(`${folders}: ${files.length} files, ${seconds(performance.now() - startedMs)}\n`);
  const slowest = [...took].sort(([, a], [, b]) => b - a).slice(0, SLOWEST_SHOWN);
  for (const [file, ms] of slowest) process.stdout.write(`  ${file} ${seconds(ms)}\n`);
}

/** node:test reports each file as one more test, named by its path. */
function isWholeFile(name: string): boolean {
  return name.endsWith('.test.js');
}

function fileOf(path: string | undefined): string {
  return path === undefined ? 'unknown file' : relative(DIST, path.startsWith('/') ? path : join(process.cwd(), path));
}

const { values } = parseArgs({ options: { only: { type: 'string' }, concurrency: { type: 'string' }, help: { type: 'boolean' } } });
if (values.help) {
  process.stdout.write('usage: npm test -- [--only TEXT] [--concurrency N], TEXT of the path of a test file, N files at once\n');
  process.exit(0);
}
const concurrency = values.concurrency === undefined ? CONCURRENCY_DEFAULT : Number(values.concurrency);
const count: Count = { passed: 0, failed: [], skipped: [], mustRun: 0 };
let fileCount = 0;
const known = testFiles(STAGES.flat(), undefined);
for (const name of [...LONGEST, ...ALONE]) if (!known.includes(name)) throw new Error(`run.ts names ${name}, which is not there`);
for (const folders of STAGES) {
  const files = testFiles(folders, values.only);
  fileCount += files.length;
  await runFiles(
    files.filter((file) => !ALONE.includes(file)),
    concurrency,
    count,
  );
  for (const file of files.filter((name) => ALONE.includes(name))) await runFiles([file], 1, count);
}
for (const failure of count.failed) process.stdout.write(`\n✖ ${failure.file}: ${failure.name}\n${failure.reason}\n`);
for (const skipped of count.skipped) process.stdout.write(`- skipped ${skipped}\n`);
if (fileCount === 0) process.stdout.write('No test file matches\n');
const underCi = process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false';
if (underCi && count.mustRun > 0) process.stdout.write('Under CI every test must run\n');
process.exitCode = fileCount === 0 || count.failed.length > 0 || (underCi && count.mustRun > 0) ? 1 : 0;
process.stdout.write(`${count.passed} passed, ${count.failed.length} failed, ${count.skipped.length} skipped\n`);
