/** Runs the command `tracemill` as a person would, and reads its JSON answer. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface CommandResult {
  readonly exitCode: number;
  /** Parsed standard output; undefined when it is not JSON. */
  readonly answer: unknown;
  readonly out: string;
  readonly err: string;
}

export type Tracemill = (...args: readonly string[]) => Promise<CommandResult>;

const PROGRAM = fileURLToPath(new URL('../api/cli/main.js', import.meta.url));
const TIMEOUT_MS = 120_000;
const OUTPUT_BYTES_MAX = 268_435_456;

/** A `tracemill` that acts in the devnet of `directory`. */
export function tracemillIn(directory: string, nodePath: string, env: Readonly<Record<string, string | undefined>>): Tracemill {
  return (...args) =>
    new Promise((resolve) => {
      const options = { timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX, env: { ...env }, cwd: directory };
      execFile(nodePath, [PROGRAM, '--json', '--dir', directory, ...args], options, (error, out, err) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ exitCode, answer: parsed(out), out, err });
      });
    });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
