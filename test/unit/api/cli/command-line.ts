/** A command line for tests: the real program on a terminal that keeps what was written, before the real server of the interface over HTTPS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../../../api/cli/program.ts';
import type { Terminal } from '../../../../api/cli/terminal.ts';
import { createRig, type Rig, testTls } from '../stand-ins.ts';

export interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they come
  readonly answer: any;
}

export function commandLine(directory: string, time: Pick<Terminal, 'now' | 'sleep'> = { now: () => Date.now(), sleep: async () => {} }) {
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
      nodePath: process.execPath,
      nodeVersion: '20.0.0',
      ...time,
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

export interface CommandRig {
  readonly rig: Rig;
  readonly url: string;
  /** Where the commands run; holds `ca.pem`. */
  readonly directory: string;
  close(): Promise<void>;
}

export async function openCommandRig(): Promise<CommandRig> {
  const rig = await createRig();
  const directory = mkdtempSync(join(tmpdir(), 'command-line-'));
  writeFileSync(join(directory, 'ca.pem'), (await testTls()).ca);
  return {
    rig,
    url: `https://127.0.0.1:${await rig.server.listen({ host: '127.0.0.1', port: 0 })}`,
    directory,
    async close() {
      await rig.close();
      rmSync(directory, { recursive: true });
    },
  };
}
