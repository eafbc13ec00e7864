/** Runs an entry file of the build as a person would, bounded in time, its output kept; nothing of it outlives the test. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../tools/source.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
}

const OUTPUT_KEPT_CHARACTERS = 100_000;
/** After SIGTERM, ms: time to end children of its own. */
const END_TIMEOUT_MS = 30_000;

/** @param entry path of a module below dist/. */
export function runEntry(entry: string, args: readonly string[], timeoutMs: number): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, 'dist', entry), ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    const keep = (bytes: Buffer): void => {
      out = (out + bytes.toString('utf8')).slice(-OUTPUT_KEPT_CHARACTERS);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let last: NodeJS.Timeout | undefined;
    const patience = setTimeout(() => {
      out += `\nstill running after ${timeoutMs} ms`;
      child.kill('SIGTERM');
      last = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
    }, timeoutMs);
    const end = (code: number | null, signal: string | null): void => {
      clearTimeout(patience);
      clearTimeout(last);
      resolve({ code, signal, out });
    };
    child.once('error', (error) => end(null, error.message));
    child.once('close', end);
  });
}
