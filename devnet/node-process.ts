/**
 * One node as a child process: started by the command anyone would use, its output in node.log, ended by signals.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const LOG_FILE = 'node.log';
const STOP_TIMEOUT_MS = 15_000; // after SIGTERM; above the node's own stopTimeoutMs
const PROGRAM = fileURLToPath(new URL('../api/cli/main.js', import.meta.url));

export interface NodeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Nobody asked for it. */
  readonly unexpected: boolean;
}

export interface NodeProcessOptions {
  readonly id: string;
  readonly directory: string;
  readonly configPath: string;
  readonly passphrasePath: string;
  readonly nodePath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onExit: (exit: NodeExit) => void;
}

export class NodeProcess {
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #ending = false;

  constructor(options: NodeProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get logPath(): string {
    return join(this.#options.directory, LOG_FILE);
  }

  /** Spawns the process; whether it serves is for others to find out. */
  start(): void {
    if (this.#child !== undefined) return;
    const { nodePath, configPath, passphrasePath, directory, env } = this.#options;
    const log = openSync(this.logPath, 'a', 0o600);
    const child = spawn(nodePath, [PROGRAM, 'start', '--json', '--config', configPath, '--passphrase-file', passphrasePath], {
      cwd: directory,
      // Signals come from us alone: Ctrl-C in a terminal reaches the whole group, so children get one of their own.
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...env },
    });
    closeSync(log);
    this.#child = child;
    this.#ending = false;
    this.#exited = new Promise((done) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        done();
        this.#options.onExit({ code, signal, unexpected: !this.#ending });
      };
      child.once('exit', ended);
      child.once('error', () => ended(null, null));
    });
  }

  /** Sends a signal and waits until the process is gone, if the signal ends it. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#ending = true;
    child.kill(signal);
    if (signal === 'SIGKILL') await this.#exited;
  }

  /** SIGTERM, and SIGKILL when that does not end it in time. Returns false when it had to be killed. */
  async stop(): Promise<boolean> {
    if (this.#child === undefined) return true;
    await this.kill('SIGTERM');
    const late = new AbortController();
    const inTime = await Promise.race([
      this.#exited.then(() => true),
      sleep(STOP_TIMEOUT_MS, false, { signal: late.signal }).catch(() => false),
    ]);
    late.abort();
    if (!inTime) await this.kill('SIGKILL');
    return inTime;
  }

  /** For the last moment of the parent, when nothing can be awaited any more. */
  killNow(): void {
    this.#ending = true;
    this.#child?.kill('SIGKILL');
  }
}
