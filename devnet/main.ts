/**
 * Entry of `npm run devnet`: reads the arguments, hands the process inward, and makes sure that no child outlives it.
 * Exit codes are those of the command (api/cli/README.md): 0 only when all was done and, with --once, every step held.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { EXIT, failureOf, failureText, integer, oneOf, startProgress } from '../api/cli/index.ts';
import { ENGINE_DEFAULT, engineNames } from '../node/format/engine-names.ts';
import { AI4I_FILE } from './ai4i.ts';
import { runDevnet } from './runner.ts';
import { NODES_MAX, NODES_MIN } from './topology.ts';

const DIRECTORY = '.devnet';
const ONCE_DIRECTORY = join(DIRECTORY, 'once'); // a scenario never touches the chain someone keeps
const PORTS = { p2p: 26_600, https: 26_700 } as const;
const ROWS_MAX = 1_000_000;
const ROWS_DEFAULT = 10_000;
/** The package: this file is dist/devnet/main.js. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Flags {
  readonly once?: boolean;
  readonly reset?: boolean;
  readonly nodes: number;
  readonly rows: number;
  readonly dir?: string;
}

async function main(): Promise<number> {
  const command = new Command('devnet')
    .description('a network of four organisations on this machine')
    .option('--once', 'go through the main job end to end on a fresh chain and end; exit code 0 only if all held')
    .option('--reset', 'start anew: remove keys, chain and data of an earlier run')
    .option('--nodes <count>', 'nodes', integer(NODES_MIN, NODES_MAX), NODES_MIN)
    .option('--engine <engine>', `consensus engine: ${engineNames.join(', ')}`, oneOf(...engineNames), ENGINE_DEFAULT)
    .option('--rows <count>', 'rows of the data set to load', integer(0, ROWS_MAX), ROWS_DEFAULT)
    .option('--dir <directory>', `where its files go (default: ${DIRECTORY}, with --once ${ONCE_DIRECTORY})`)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  command.parse(process.argv.slice(2), { from: 'user' });
  const flags = command.opts<Flags>();

  let killNow: () => void = () => undefined;
  let asked = 0;
  let stop: (signal: string) => void = () => undefined;
  const stopAsked = new Promise<string>((done) => {
    stop = done;
  });
  const onSignal = (signal: string): void => {
    stop(signal);
    asked++;
    if (asked === 1) return;
    killNow(); // asked twice: do not wait for a graceful end
    process.exit(EXIT.fault);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onSignal(signal));
  process.on('exit', () => killNow());

  const inputs = mkdtempSync(join(tmpdir(), 'tracemill-once-'));
  const terminal = {
    err: (text: string) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    now: () => Date.now(),
  };
  try {
    return await runDevnet({
      directory: resolve(flags.dir ?? (flags.once ? ONCE_DIRECTORY : DIRECTORY)),
      nodes: flags.nodes,
      reset: flags.reset === true || flags.once === true,
      once: flags.once === true,
      rows: flags.rows,
      dataPath: join(ROOT, AI4I_FILE),
      contractPath: join(ROOT, 'devnet/contracts/quality-gate.js'),
      inputs,
      ports: PORTS,
      env: process.env,
      nodePath: process.execPath,
      nowMs: () => Date.now(),
      salt: randomBytes(4).toString('hex'),
      out: (line) => void process.stdout.write(`${line}\n`),
      progress: (title, total) => startProgress(terminal, title, total, false),
      stopAsked,
      onProcesses(kill) {
        killNow = kill;
      },
    });
  } finally {
    rmSync(inputs, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exitCode = EXIT.ok;
  else {
    const failure = failureOf(error, (process.env.LANG ?? '').startsWith('zh') ? 'zh' : 'en');
    process.stderr.write(failureText(failure));
    process.exitCode = failure.exitCode;
  }
}
process.exit(); // sockets kept alive must not hold the process
