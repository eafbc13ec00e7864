/**
 * A devnet as an object: `startDevnet` makes or finds its files, starts its nodes as processes, waits until all of them agree on a first
 * block. For tests, benches and the runner. Everything is done from outside: commands, HTTPS, files, signals.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { execPath, env as processEnv } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type Client, createClient } from '../api/client/index.ts';
import type { ProfileAccount } from '../api/cli/index.ts';
import { ChainError } from '../node/errors/index.ts';
import type { ChainParameters } from '../node/format/index.ts';
import { type NodeExit, NodeProcess } from './node-process.ts';
import { type ProvisionedNode, provision, resetFiles } from './provision.ts';

export interface DevnetOptions {
  /** Made when missing. */
  readonly dir: string;
  /** 4 to 16; taken from the files when they are there. */
  readonly nodes?: number;
  readonly parameters?: Partial<ChainParameters>;
  /** Settings of node.json for all nodes, used when the files are made. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Begin with empty nodes and new keys. */
  readonly reset?: boolean;
  /** Wanted first ports; for 0 (default) free ones are drawn. */
  readonly ports?: { readonly p2p: number; readonly https: number };
  /** Start a node again that ended by itself; default true. */
  readonly revive?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly nodePath?: string;
  readonly nowMs?: () => number;
  readonly say?: (line: string) => void;
  /** Gives up starting, and ends what was started. */
  readonly signal?: AbortSignal;
  /** Called once before the first process starts; the caller runs `killNow` when its own process ends. */
  readonly onProcesses?: (killNow: () => void) => void;
  /** How long all nodes together may take to the first block, and one to serve again; default READY_TIMEOUT_MS. */
  readonly readyTimeoutMs?: number;
}

export interface DevnetNode {
  readonly id: string;
  readonly organisation: string;
  readonly url: string;
  readonly dir: string;
  readonly configPath: string;
  readonly logPath: string;
  readonly pid: number | undefined;
  readonly running: boolean;
  /** With the token of `account` (default: none). Close it with the devnet. */
  client(account?: string): Client;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it when it does not run, and waits until it answers. */
  restart(): Promise<void>;
  /** Height and block hash it holds as final. */
  head(): Promise<{ readonly height: number; readonly hash: string }>;
}

export interface Devnet {
  readonly dir: string;
  /** False when the chain was there before. */
  readonly fresh: boolean;
  readonly nodes: readonly DevnetNode[];
  /** PEM. */
  readonly ca: string;
  readonly caPath: string;
  readonly accounts: readonly ProfileAccount[];
  /** Account -> access token. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly genesisText: string;
  readonly genesisHash: string;
  readonly genesisPath: string;
  /** SIGTERM to all, SIGKILL to who does not end; resolves when all are gone. */
  stop(): Promise<void>;
  /** SIGKILL to all without waiting: for the exit handler of the caller's process. */
  killNow(): void;
}

const NODES_DEFAULT = 4;
const READY_TIMEOUT_MS = 240_000; // a process that ends is seen at once; on a machine that is busy with other things four nodes take long
const POLL_MS = 100;
const REVIVE_DELAY_MS = 1_000;
const REVIVALS_MAX = 5; // in a row within REVIVAL_WINDOW_MS; a node that ends at every start is reported and left down
const REVIVAL_WINDOW_MS = 60_000;
const VARIABLES_HANDED_ON: ReadonlySet<string> = new Set(['TRACEMILL_LOG_LEVEL', 'TRACEMILL_VERIFY_WORKERS', 'TRACEMILL_LANG']);
const LOG_TAIL_CHARACTERS = 2_000;

/** @throws ChainError DEVNET_START_FAILED with the end of the log of the node that did not come up. */
export async function startDevnet(options: DevnetOptions): Promise<Devnet> {
  const directory = resolve(options.dir);
  const say = options.say ?? (() => undefined);
  const nowMs = options.nowMs ?? Date.now;
  if (options.reset) await resetFiles(directory);
  const files = await provision({
    directory,
    nodes: options.nodes ?? NODES_DEFAULT,
    nowMs: nowMs(),
    say,
    p2pPort: options.ports?.p2p ?? 0,
    httpsPort: options.ports?.https ?? 0,
    ...(options.parameters === undefined ? {} : { parameters: options.parameters }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  const tokens = Object.fromEntries(files.accounts.map((account) => [account.account, account.token ?? '']));
  const clients: Client[] = [];
  let stopping = false;
  let ready = false;

  const nodes = files.nodes.map((node): DevnetNode & { readonly process: NodeProcess; readonly reader: Client } => {
    const process = new NodeProcess({
      ...node,
      nodePath: options.nodePath ?? execPath,
      env: childEnvironment(options.env ?? processEnv),
      onExit: (exit) => void onExit(node, process, exit),
    });
    const client = (account?: string): Client => {
      const made = createClient({ url: node.url, ca: files.ca, ...(account === undefined ? {} : { token: tokenFor(account) }) });
      clients.push(made);
      return made;
    };
    const reader = createClient({ url: node.url, ca: files.ca, retries: 0, token: tokenFor(`auditor@${node.organisation}`) });
    clients.push(reader);
    return {
      id: node.id,
      organisation: node.organisation,
      url: node.url,
      dir: node.directory,
      configPath: node.configPath,
      process,
      reader,
      get logPath() {
        return process.logPath;
      },
      get pid() {
        return process.pid;
      },
      get running() {
        return process.running;
      },
      client,
      kill: (signal = 'SIGKILL') => process.kill(signal),
      async restart() {
        process.start();
        await untilReady(node, process, reader, options.readyTimeoutMs ?? READY_TIMEOUT_MS, 0);
      },
      head: () => headOf(reader),
    };
  });

  function tokenFor(account: string): string {
    const token = tokens[account];
    if (token === undefined) throw new RangeError(`Cannot act as ${account}: the devnet has no such account`);
    return token;
  }

  const revivals = new Map<string, number[]>();
  async function onExit(node: ProvisionedNode, process: NodeProcess, exit: NodeExit): Promise<void> {
    if (!ready || !exit.unexpected || stopping) return;
    const how = exit.signal ?? `exit code ${exit.code}`;
    const recent = (revivals.get(node.id) ?? []).filter((at) => nowMs() - at < REVIVAL_WINDOW_MS);
    if (options.revive === false || recent.length >= REVIVALS_MAX)
      return say(`${node.id} ended by itself (${how}); it stays down, see ${process.logPath}`);
    revivals.set(node.id, [...recent, nowMs()]);
    say(`${node.id} ended by itself (${how}) and is started again; see ${process.logPath}`);
    await sleep(REVIVE_DELAY_MS);
    if (!stopping) process.start();
  }

  async function stop(): Promise<void> {
    stopping = true;
    for (const client of clients) client.close();
    await Promise.all(
      nodes.map(async ({ id, process }) => {
        if (!(await process.stop())) say(`${id} did not stop in time and was killed`);
      }),
    );
  }

  const killNow = (): void => {
    stopping = true;
    for (const node of nodes) node.process.killNow();
  };
  options.onProcesses?.(killNow);
  for (const node of nodes) node.process.start();
  try {
    const timeoutMs = options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    await Promise.all(nodes.map((node, i) => untilReady(files.nodes[i]!, node.process, node.reader, timeoutMs, 1, options.signal)));
    ready = true;
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    dir: directory,
    fresh: files.fresh,
    nodes,
    ca: files.ca,
    caPath: files.caPath,
    accounts: files.accounts,
    tokens,
    genesisText: files.genesisText,
    genesisHash: files.genesisHash,
    genesisPath: resolve(directory, 'genesis.json'),
    stop,
    killNow,
  };
}

/** Waits until the node says it is ready and holds `height`. @throws ChainError DEVNET_START_FAILED */
async function untilReady(
  node: ProvisionedNode,
  process: NodeProcess,
  client: Client,
  timeoutMs: number,
  height: number,
  signal?: AbortSignal,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  let last = 'nothing answered';
  while (Date.now() < end) {
    if (!process.running || signal?.aborted) break;
    try {
      await client.get('/readyz');
      const head = await headOf(client);
      if (head.height >= height) return;
      last = `its height is ${head.height}`;
    } catch (error) {
      last = reasonOf(error);
    }
    await sleep(POLL_MS);
  }
  throw new ChainError('DEVNET_START_FAILED', {
    node: node.id,
    reason: signal?.aborted ? `asked to stop; ${last}` : process.running ? `${last} after ${timeoutMs} ms` : 'the process ended',
    log: process.logPath,
    tail: tailOf(process.logPath),
  });
}

/** Of a node that answers but is not ready, the checks that say why. */
function reasonOf(error: unknown): string {
  const checks =
    error instanceof ApiError
      ? (error.data as { checks?: { check: string; passed: boolean; detail: string }[] } | null)?.checks
      : undefined;
  const failed = (checks ?? []).filter((check) => !check.passed).map((check) => `${check.check}: ${check.detail}`);
  return failed.length > 0 ? failed.join('; ') : (error as Error).message;
}

async function headOf(client: Client): Promise<{ readonly height: number; readonly hash: string }> {
  const { data } = await client.get<{ readonly head: { readonly height: number; readonly hash: string } }>('consensus');
  return data.head;
}

/** A node gets its settings from its node.json alone; what the caller has set in its own environment would be the same for all of them. */
export function childEnvironment(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRACEMILL_') || VARIABLES_HANDED_ON.has(name)));
}

function tailOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-LOG_TAIL_CHARACTERS);
  } catch {
    return '';
  }
}
