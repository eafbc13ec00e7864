/** Runs another entry file of this package as a child process with the same terminal, and takes over its exit code. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ChainError } from '../../node/errors/index.ts';
import type { Cli } from './cli.ts';
import type { ExitCode } from './exit-codes.ts';
import { EXIT } from './exit-codes.ts';

/** The entry files that commands start. Where each stands is said once, in `imports` of package.json. */
export type Entry = '#bench' | '#conform' | '#devnet' | '#sim';

/** @throws ChainError CLI_FILE_UNREADABLE when the entry is not there: an installation may come without devnet and tests */
export async function runEntry(cli: Cli, entry: Entry, args: readonly string[]): Promise<void> {
  const path = fileURLToPath(import.meta.resolve(entry));
  if (!existsSync(path)) throw new ChainError('CLI_FILE_UNREADABLE', { path, reason: 'this part is not in this installation' });
  const child = spawn(cli.terminal.nodePath, [path, ...args], { stdio: 'inherit', cwd: cli.terminal.cwd, env: { ...cli.terminal.env } });
  // A terminal sends Ctrl-C to both; a SIGTERM reaches only us and is handed on.
  const release = cli.terminal.onStop((signal) => {
    if (signal === 'SIGTERM') child.kill('SIGTERM');
  });
  try {
    cli.exitCode = await new Promise<ExitCode>((done, fail) => {
      child.on('error', fail);
      child.on('exit', (code) => done((code ?? EXIT.fault) as ExitCode));
    });
  } finally {
    release();
  }
}
