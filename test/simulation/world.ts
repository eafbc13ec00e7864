/**
 * The simulated World: one machine per node with a disk that outlives its processes, clocks that disagree, and a network that fails, all driven
 * by one event queue and one seed. Any node that takes its clock, timers, random, log, store and network from here runs repeatably.
 */
import { ChainError } from '../../node/errors/index.ts';
import type { SteppedCrypto } from '../../node/format/index.ts';
import type { AppendLog, FileDirectory, LedgerStore, Log, Network, World } from '../../node/world.ts';
import { type Later, SimDisk, simDirectory, SimLog, SimStore } from './disk.ts';
import { type Fabric, SimNetwork } from './network.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** Wall clock of the simulation at its start: 2026-01-01T00:00:00Z, ms. */
const START_MS = 1_767_225_600_000;

export type Say = (node: string, text: string) => void;

/** What one process of a node gets. Dies with the process: timers stop and writes under way end as the disk decides. */
export interface SimProcess {
  readonly node: string;
  readonly world: World;
  readonly network: Network;
  openLog(name: string): AppendLog;
  openStore(name: string): LedgerStore;
  openDirectory(name: string): FileDirectory;
  /** True once the process was killed; nothing it still computes can be seen by anyone. */
  dead(): boolean;
}

export class SimMachine {
  readonly node: string;
  readonly disk = new SimDisk();
  readonly #scheduler: Scheduler;
  readonly #fabric: Fabric;
  readonly #crypto: SteppedCrypto;
  readonly #random: SeededRandom;
  readonly #say: Say;
  readonly #skewMs: number;
  #process: { alive: boolean; network: SimNetwork } | undefined;
  /** Called when a persist hook killed the process. */
  onKilled: () => void = () => {};

  constructor(options: {
    readonly node: string;
    readonly scheduler: Scheduler;
    readonly fabric: Fabric;
    readonly crypto: SteppedCrypto;
    readonly random: SeededRandom;
    readonly say: Say;
    readonly skewMaxMs: number;
  }) {
    this.node = options.node;
    this.#scheduler = options.scheduler;
    this.#fabric = options.fabric;
    this.#crypto = options.crypto;
    this.#random = options.random;
    this.#say = options.say;
    this.#skewMs = options.random.integer(0, options.skewMaxMs);
  }

  get up(): boolean {
    return this.#process !== undefined;
  }

  /** A new process on this machine. */
  boot(): SimProcess {
    if (this.#process) throw new Error(`Cannot boot ${this.node} twice`);
    const network = new SimNetwork(this.#fabric, this.node);
    const process = { alive: true, network };
    this.disk.syncFailed = false;
    this.#process = process;
    const bootedMs = this.#scheduler.nowMs;
    const later: Later = (ms, then) => {
      this.#scheduler.after(ms, () => process.alive && then());
    };
    const every = (ms: number, run: () => void): (() => void) => {
      let going = true;
      const again = () =>
        later(ms, () => {
          if (!going) return;
          run();
          again();
        });
      again();
      return () => {
        going = false;
      };
    };
    const isAlive = (): boolean => process.alive;
    const kill = (): void => this.#killed();
    const log: Log = this.#log();
    const world: World = {
      clock: { now: () => START_MS + Math.floor(this.#scheduler.nowMs) + this.#skewMs, monotonic: () => this.#scheduler.nowMs - bootedMs },
      timers: { after: (ms, run) => this.#scheduler.after(ms, () => process.alive && run()), every },
      random: { bytes: (count) => this.#random.bytes(count) },
      log,
      crypto: this.#crypto,
      verifier: {
        verify: (suite, key, message, signature) => Promise.resolve(this.#crypto.verify(suite, key, message, signature)),
        verifyAll: async (checks) =>
          checks.map(({ suite, publicKey, message, signature }) => this.#crypto.verify(suite, publicKey, message, signature)),
        stop: () => Promise.resolve(),
      },
    };
    return {
      node: this.node,
      world,
      network: mortal(network, isAlive),
      openLog: (name) => new SimLog(this.disk, name, this.#random, later, kill, isAlive),
      openStore: (name) => new SimStore(this.disk, name, this.#random, later, kill, isAlive),
      openDirectory: (name) => simDirectory(this.disk, name, this.#random, later, kill, isAlive),
      dead: () => !process.alive,
    };
  }

  /** The process dies as by SIGKILL or loss of power. */
  crash(): void {
    const process = this.#process;
    if (!process) return;
    this.#process = undefined;
    process.alive = false;
    void process.network.stop();
    this.disk.crash(this.#random);
  }

  /** The process has stopped by itself. */
  stopped(): void {
    this.crash();
  }

  #killed(): void {
    this.crash();
    this.onKilled();
  }

  #log(): Log {
    const line = (level: string) => (fields: Readonly<Record<string, unknown>>, event: string) =>
      this.#say(this.node, `${level} ${event} ${JSON.stringify(fields)}`);
    const silent = () => {};
    const log: Log = { debug: silent, info: line('info'), warn: line('warn'), error: line('error'), child: () => log };
    return log;
  }
}

/** A dead process sends nothing, whatever its promises still do. */
function mortal(network: SimNetwork, alive: () => boolean): Network {
  return {
    self: network.self,
    start: () => network.start(),
    stop: () => network.stop(),
    send: (to, channel, frame) => alive() && network.send(to, channel, frame),
    broadcast: (channel, frame) => {
      if (alive()) network.broadcast(channel, frame);
    },
    queuedBytes: () => network.queuedBytes(),
    onFrame: (handler) => network.onFrame(handler),
    onPeer: (handler) => network.onPeer(handler),
    peers: () => network.peers(),
    admit: (nodes) => network.admit(nodes),
    visitors: (nodes) => network.visitors(nodes),
    onVisit: (handler) => network.onVisit(handler),
    visit: async (node, question) => {
      if (!alive()) throw new ChainError('NODE_STOPPING');
      return network.visit(node, question);
    },
    keepQuiet: () => network.keepQuiet(),
    report: (node, code) => network.report(node, code),
    onCutOff: () => network.onCutOff(),
  };
}
