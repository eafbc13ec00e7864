#!/usr/bin/env node
/** Entry of the command `tracemill`: the only file of api/ that touches process, environment and arguments; it hands them inward. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from './program.ts';
import type { Terminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  interactive: process.stderr.isTTY === true,
  env: process.env,
  cwd: process.cwd(),
  nodePath: process.execPath,
  nodeVersion: process.versions.node,
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal && { signal }).catch(() => undefined),
  stdin: () => process.stdin,
  askSecret,
  onStop(handler) {
    const listeners = STOP_SIGNALS.map((signal) => {
      const listener = (): void => handler(signal);
      process.on(signal, listener);
      return () => void process.off(signal, listener);
    });
    return () => {
      for (const release of listeners) release();
    };
  },
};

/** Reads a line without echo. */
async function askSecret(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise((resolve) => {
      reader.once('line', resolve);
      reader.once('close', () => resolve(undefined));
    });
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // the reader of a pipe has seen enough
  throw error;
});
process.stderr.on('error', () => undefined); // the log may stand on a disk that is full: a line lost is no reason to stop voting
process.exitCode = await runCli(process.argv.slice(2), terminal, version);
