/**
 * A devnet of four validators and what is sent to it, of this build or of a built checkout of another commit: started by that commit's own devnet, loaded
 * with that commit's own AI4I records, and from then on the same requests over HTTPS from the same generator.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exit } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { utf8, type Submission } from '../../node/format/index.ts';
import { AI4I_FILE, AI4I_ROWS } from '../../devnet/ai4i.ts';
import type { Devnet } from '../../devnet/index.ts';
import { Load, type LoadResult, type Request } from './load.ts';
import { type Kind, plainOf, type Sender } from './workload.ts';

export const OWN_ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PRELOAD_EACH = 100; // records of a transaction
const PRELOAD_UNDER_WAY = 12;
const POLL_MS = 50;
const SAID_EVERY = 100_000; // records between two lines about it

type Modules = typeof import('../../devnet/index.ts') &
  typeof import('../../devnet/load.ts') &
  typeof import('../../devnet/data-set.ts') &
  typeof import('../../devnet/ai4i.ts') &
  typeof import('../../devnet/topology.ts') &
  Pick<typeof import('./workload.ts'), 'sendersOf' | 'submissionsOf' | 'transactionOf'>;

/** A commit, built. */
export interface Build {
  readonly root: string;
  readonly commit: string;
  readonly modules: Modules;
}

const MODULES = [
  'devnet/index.js',
  'devnet/load.js',
  'devnet/data-set.js',
  'devnet/ai4i.js',
  'devnet/topology.js',
  'test/bench/workload.js',
];

/** @param root of a checkout with `dist/` */
export async function buildIn(root: string): Promise<Build> {
  const directory = resolve(root);
  const parts = await Promise.all(MODULES.map((module) => import(pathToFileURL(join(directory, 'dist', module)).href) as Promise<object>));
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: directory, encoding: 'utf8' }).trim();
  return { root: directory, commit, modules: Object.assign({}, ...parts) as Modules };
}

export interface NetworkOptions {
  readonly build: Build;
  readonly dir: string;
  readonly say: (line: string) => void;
  /** The program that starts a node. */
  readonly nodePath?: string;
}

export class BenchNetwork {
  readonly net: Devnet;
  readonly load: Load;
  readonly senders: readonly Sender[];
  readonly #build: Build;
  readonly #say: (line: string) => void;
  readonly #sources: readonly Generator<Submission>[];
  #chainId = '';
  #records = 0;
  #run = 0;

  private constructor(options: NetworkOptions, net: Devnet, senders: readonly Sender[]) {
    this.net = net;
    this.senders = senders;
    this.#build = options.build;
    this.#say = options.say;
    const { root, modules } = options.build;
    this.#sources = senders.map((sender) => modules.submissionsOf(sender, root, `b${sender.node.id}`));
    this.load = new Load(
      net,
      senders.map(({ account }) => net.tokens[account]!),
    );
  }

  static async start(options: NetworkOptions): Promise<BenchNetwork> {
    const { build, dir, nodePath, say } = options;
    const net = await build.modules.startDevnet({
      dir,
      nodes: 4,
      settings: { logLevel: 'warn' },
      onProcesses: endWithUs,
      say,
      ...(nodePath === undefined ? {} : { nodePath }),
    });
    const network = new BenchNetwork(options, net, await build.modules.sendersOf(net.nodes));
    const auditor = net.nodes[0]!.client(`auditor@${net.nodes[0]!.organisation}`);
    network.#chainId = (await auditor.get<{ header: { chainId: string } }>('/api/v1/blocks/0')).data.header.chainId;
    return network;
  }

  get commit(): string {
    return this.#build.commit;
  }

  /** Records on the chain that `preload` put there. */
  get preloaded(): number {
    return this.#records;
  }

  /** Brings the chain to so many records: the first 10,000 as the devnet itself loads them, the rest like any load. @returns seconds those first ones took */
  async preload(records: number): Promise<number | undefined> {
    const first = Math.min(records, AI4I_ROWS);
    let seconds: number | undefined;
    if (this.#records === 0) {
      const { dataSetParts, loadRows } = this.#build.modules;
      const parts = dataSetParts(this.net, join(this.#build.root, AI4I_FILE), first);
      const startMs = performance.now();
      await loadRows(this.net, parts);
      seconds = (performance.now() - startMs) / 1000;
      this.#records = first;
    }
    const startMs = performance.now();
    const before = this.#records;
    const make = await this.maker('ai4i', PRELOAD_EACH);
    await this.load.warm(PRELOAD_UNDER_WAY / this.net.nodes.length);
    await this.load.keep(() => {
      if (this.#records >= records) return undefined;
      this.#records += PRELOAD_EACH;
      if (this.#records % SAID_EVERY === 0)
        this.#say(`  preloaded ${this.#records} at ${Math.round(((this.#records - before) * 1000) / (performance.now() - startMs))}/s`);
      return make();
    }, PRELOAD_UNDER_WAY);
    return seconds;
  }

  /** Signed transactions, in turn through every node. @param height they are signed at; that of the chain unless given */
  async transactions(kind: Kind, recordsEach: number, count: number, height?: number): Promise<Request[]> {
    const make = await this.maker(kind, recordsEach, height);
    return Array.from({ length: count }, make);
  }

  /** Bodies of `POST records`, one record each, all of the first node's operator. */
  records(count: number): Request[] {
    const { root, modules } = this.#build;
    const { organisation } = this.net.nodes[0]!;
    const [factory, device] = [modules.worksOf(organisation).factory, modules.worksOf(organisation).device];
    const rows = modules.readAi4iRows(readFileSync(join(root, AI4I_FILE), 'utf8'));
    const run = this.#run++;
    const factories = [{ id: factory, organisation, location: 'bench', devices: [device] }];
    return Array.from(modules.ai4iRecords(rows, factories, count), ({ record }) => ({
      node: 0,
      body: utf8(JSON.stringify({ ...record, product_uid: `${String(record.product_uid)}-single-${run}` })),
    }));
  }

  /** Runs at a bearable rate so long: a node compiles its code as it goes. */
  async warmUp(ratePerS: number, seconds: number): Promise<LoadResult> {
    const requests = await this.transactions('ai4i', 1, ratePerS * seconds);
    await this.load.warm(ratePerS / 2);
    return await this.load.offer(requests, ratePerS);
  }

  /** Ends the nodes as an operator does, until `wake`. */
  async rest(): Promise<void> {
    this.load.close();
    for (const node of this.net.nodes) await node.kill('SIGTERM');
    while (this.net.nodes.some(({ running }) => running)) await sleep(POLL_MS);
  }

  async wake(): Promise<void> {
    await Promise.all(this.net.nodes.map((node) => node.restart()));
  }

  async stop(): Promise<void> {
    this.load.close();
    await this.net.stop();
  }

  /** Each call makes the next signed transaction, in turn through every node. @param signedAt height; that of the chain unless given */
  async maker(kind: Kind, recordsEach: number, signedAt?: number): Promise<() => Request> {
    const { transactionOf } = this.#build.modules;
    const height = signedAt ?? (await this.net.nodes[0]!.head()).height;
    const sources = kind === 'ai4i' ? this.#sources : this.#sources.map(plainly);
    let next = 0;
    return () => {
      const node = next++ % this.senders.length;
      return { node, body: transactionOf(this.senders[node]!, this.#chainId, height, sources[node]!, recordsEach) };
    };
  }
}

function* plainly(source: Generator<Submission>): Generator<Submission> {
  for (;;) yield plainOf(source.next().value as Submission);
}

/** A bench that is ended early takes its nodes with it. */
function endWithUs(killNow: () => void): void {
  process.on('exit', killNow);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => exit(1));
}
