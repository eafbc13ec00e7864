/** Runs another entry file of this package as a child process with the same terminal, and takes over its exit code. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ChainError } from '../../node/errors/index.ts';
import type { Cli } from './cli.ts';
import type { ExitCode } from './exit-codes.ts';
import { EXIT } from './exit-codes.ts';

/** @param entry path below the directory of the built program, e.g. `devnet/main.js`. */
export async function runEntry(cli: Cli, entry: string, args: readonly string[]): Promise<void> {
  const path = resolve(cli.terminal.programPath, '../../..', entry);
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
