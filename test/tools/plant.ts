/**
 * `npm run plant [-- --only TEXT]`: plants each bug of planted-bugs.ts in a copy of the source, builds it and runs the test that must catch it.
 * A test that fails without any bug catches nothing, so each is first run on the copy as it is. Exit code 1 when a bug is caught by nothing.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type PlantedBug, planted, plantedBugs } from './planted-bugs.ts';
import { ROOT, readText } from './source.ts';

/** For one build or one test file, ms. */
const RUN_TIMEOUT_MS = 600_000;
const NOT_COPIED: ReadonlySet<string> = new Set(['.git', 'node_modules']);

function copyOfSource(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tracemill-plant-'));
  for (const name of readdirSync(ROOT)) if (!NOT_COPIED.has(name)) cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

/** True when the program ends with exit code 0. */
function succeeds(directory: string, args: readonly string[]): Promise<boolean> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // set in a test's process: it would change what `node --test` answers
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: directory, env, timeout: RUN_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: 1 << 28 }, (error) =>
      resolve(error === null),
    );
  });
}

const build = (directory: string) => succeeds(directory, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', '--noCheck']);

/** A test that fails may leave sockets and threads open: the process ends all the same. */
function passes(directory: string, { test, only }: PlantedBug): Promise<boolean> {
  const pattern = only === undefined ? [] : [`--test-name-pattern=${only}`];
  return succeeds(directory, ['--test', '--test-force-exit', ...pattern, join('dist', test.replace(/\.ts$/, '.js'))]);
}

async function main(bugs: readonly PlantedBug[]): Promise<void> {
  const directory = copyOfSource();
  const sound = new Map<string, boolean>();
  const uncaught: string[] = [];
  try {
    for (const bug of bugs) {
      const key = `${bug.test} ${bug.only ?? ''}`;
      if (!sound.has(key)) sound.set(key, (await build(directory)) && (await passes(directory, bug)));
      const sources = planted(bug);
      for (const [file, source] of sources) writeFileSync(join(directory, file), source);
      const verdict = !sound.get(key)
        ? 'UNJUDGED: its test fails without it'
        : !(await build(directory))
          ? 'UNJUDGED: it does not build'
          : (await passes(directory, bug))
            ? 'NOT CAUGHT'
            : 'caught';
      for (const file of sources.keys()) writeFileSync(join(directory, file), readText(file));
      if (verdict !== 'caught') uncaught.push(bug.name);
      console.log(`${verdict.padEnd(10)}  ${bug.name}  (${bug.test}${bug.only === undefined ? '' : `: ${bug.only}`})`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(`${bugs.length - uncaught.length} of ${bugs.length} planted bugs are caught`);
  if (uncaught.length > 0) process.exitCode = 1;
}

const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean' } } });
const bugs = plantedBugs.filter(({ name, test }) => values.only === undefined || `${name} ${test}`.includes(values.only));
if (values.help || bugs.length === 0) {
  console.error('usage: npm run plant [-- --only TEXT], TEXT of a name or a test file in test/tools/planted-bugs.ts');
  process.exitCode = values.help ? 0 : 2;
} else await main(bugs);
