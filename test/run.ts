/**
 * The runner behind `npm test`: unit, conformance, simulation and end-to-end tests through node:test, in a bounded number of processes, with the
 * failures told at the end. The last line is `N passed, N failed, N skipped`. Under CI a skipped test is a failure, because what CI relies on must
 * have run; but for tests that say `not permitted here`: no installation can give a machine's user more rights.
 *
 *   node dist/test/run.js [--only TEXT] [--concurrency N]
 */
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const DIST = dirname(dirname(fileURLToPath(import.meta.url)));
/** Files at once; each is a process. End-to-end tests start clusters of their own and go one by one. */
const CONCURRENCY_DEFAULT = 2;
/** Time for one file, in ms: above the slowest, far below "never". */
const FILE_TIMEOUT_MS = 600_000;
const NOT_PERMITTED = 'not permitted here';
const STAGES = [
  { folder: 'test/unit', alone: false },
  { folder: 'test/conformance', alone: false },
  { folder: 'test/simulation', alone: false },
  { folder: 'test/e2e', alone: true },
] as const;

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

function testFiles(folder: string, only: string | undefined): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(join(DIST, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  const files = names.filter((name) => name.endsWith('.test.js')).map((name) => join(DIST, folder, name));
  return files.filter((file) => only === undefined || relative(DIST, file).includes(only)).sort();
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

async function runStage(files: readonly string[], concurrency: number, count: Count): Promise<void> {
  const failedIn = new Set<string>();
  const crashed: Failure[] = [];
  const stream = run({ files: [...files], concurrency, timeout: FILE_TIMEOUT_MS });
  stream.on('test:pass', (event) => {
    const file = fileOf(event.file);
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
}

/** node:test reports each file as one more test, named by its path. */
function isWholeFile(name: string): boolean {
  return name.endsWith('.test.js');
}

function fileOf(path: string | undefined): string {
  return path === undefined ? 'unknown file' : relative(DIST, path.startsWith('/') ? path : join(process.cwd(), path));
}

const { values } = parseArgs({ options: { only: { type: 'string' }, concurrency: { type: 'string' } } });
const concurrency = values.concurrency === undefined ? CONCURRENCY_DEFAULT : Number(values.concurrency);
const count: Count = { passed: 0, failed: [], skipped: [], mustRun: 0 };
let fileCount = 0;
for (const stage of STAGES) {
  const files = testFiles(stage.folder, values.only);
  fileCount += files.length;
  if (files.length === 0) continue;
  const startedMs = performance.now();
  await runStage(files, stage.alone ? 1 : concurrency, count);
  process.stdout.write(`${stage.folder}: ${files.length} files, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
}
for (const failure of count.failed) process.stdout.write(`\n✖ ${failure.file}: ${failure.name}\n${failure.reason}\n`);
for (const skipped of count.skipped) process.stdout.write(`- skipped ${skipped}\n`);
if (fileCount === 0) process.stdout.write('No test file matches\n');
const underCi = process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false';
if (underCi && count.mustRun > 0) process.stdout.write('Under CI every test must run\n');
process.exitCode = fileCount === 0 || count.failed.length > 0 || (underCi && count.mustRun > 0) ? 1 : 0;
process.stdout.write(`${count.passed} passed, ${count.failed.length} failed, ${count.skipped.length} skipped\n`);
