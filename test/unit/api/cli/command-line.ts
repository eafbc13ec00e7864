/** A command line for tests: the real program on a terminal that keeps what was written. */
import { runCli } from '../../../../api/cli/program.ts';
import type { Terminal } from '../../../../api/cli/terminal.ts';

export interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they come
  readonly answer: any;
}

export function commandLine(directory: string) {
  return async (args: readonly string[], env: Record<string, string> = {}, input = '', typed?: string): Promise<Run> => {
    let out = '';
    let err = '';
    const terminal: Terminal = {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      interactive: false,
      env,
      cwd: directory,
      programPath: '/nowhere/dist/api/cli/main.js',
      nodePath: process.execPath,
      nodeVersion: '20.0.0',
      now: () => Date.now(),
      sleep: async () => {},
      stdin: async function* () {
        yield Buffer.from(input);
      },
      askSecret: async () => typed,
      onStop: () => () => undefined,
    };
    const exitCode = await runCli(args, terminal, '9.9.9');
    let answer: unknown;
    try {
      answer = JSON.parse(out);
    } catch {
      // text
    }
    return { exitCode, out, err, answer };
  };
}
