/**
 * A cluster of nodes on one event queue, and what must hold of it: no two final digests at a height, no second vote signed by an honest
 * replica over all its lives, nothing acknowledged lost. A node is whatever `NodeFactory` starts on a process; see driverNode for the first.
 */
import type { Engine, EngineCrypto, EngineParameters, EngineStart } from '../../consensus/index.ts';
import { createConsensusDriver } from '../../node/chain/driver.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type Digest, hashTagged, SUITE, toHex, utf8, type Validator } from '../../node/format/index.ts';
import { BOUNDS, type Bounds, type Rules, TestChain } from './chain.ts';
import { SimKeys, type SimSigner } from './crypto.ts';
import { Fabric } from './network.ts';
import { SeededRandom } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { Words } from './words.ts';
import { SimMachine, type SimProcess } from './world.ts';

/** Lines of the transcript kept for a failing seed. */
const TRANSCRIPT_LINES_MAX = 400;
/** A node that could not start is started again after this, ms. */
const START_AGAIN_MS = 500;
/** A node that is stopped is down within this time, ms: its parts wait for questions to peers, and for a disk. */
export const STOP_WITHIN_MS = 30_000;

export interface SimNode {
  start(): Promise<void>;
  stop(): Promise<void>;
  submit(id: number): void;
  height(): number;
  /** Digest of a final block held by this node. */
  digestAt(height: number): Digest | undefined;
  describe(): string;
}

export interface NodeContext {
  readonly process: SimProcess;
  readonly rules: Rules;
  readonly signer: SimSigner;
  /** Reports a block that is final and on disk here. */
  readonly onFinal: (height: number, digest: Digest, transactions: readonly number[]) => void;
  readonly say: (text: string) => void;
}
export type NodeFactory = (context: NodeContext) => SimNode;
export type CreateEngine = (name: string, start: EngineStart, crypto: EngineCrypto) => Engine;

export interface ClusterOptions {
  readonly seed: number;
  /** Names of all nodes; the first `validators` of them decide, the rest observe, unless `validatorsAt` says otherwise. */
  readonly nodes: number;
  readonly validators: number;
  readonly parameters: EngineParameters;
  readonly bounds?: Bounds;
  readonly engine?: string;
  readonly real?: boolean;
  readonly skewMaxMs?: number;
  /** Indexes of the nodes that decide a height. */
  readonly validatorsAt?: (height: number) => readonly number[];
  /** Engines of faulty nodes, by index; such nodes are not held to the checks. */
  readonly faulty?: ReadonlyMap<number, (random: SeededRandom) => CreateEngine>;
  readonly factory?: (create: CreateEngine | undefined, cluster: Cluster) => NodeFactory;
}

export class CheckFailed extends Error {}

export class Cluster {
  #stopping = 0;
  readonly scheduler = new Scheduler();
  readonly random: SeededRandom;
  readonly fabric: Fabric;
  readonly names: readonly string[];
  readonly machines: readonly SimMachine[];
  readonly rules: Rules;
  readonly keys: SimKeys;
  readonly signers: SimSigner[];
  readonly faulty: ReadonlySet<number>;
  /** Honest nodes outside the network, by index: not admitted yet, or suspended. They need not get on. Since when, simulated ms. */
  readonly absent = new Map<number, number>();
  readonly transcript: string[] = [];
  readonly #nodes: (SimNode | undefined)[] = [];
  readonly #factories: readonly NodeFactory[];
  /** Final digest per height, over all honest nodes and lives. */
  readonly #final = new Map<number, string>();
  /** Height at which each transaction was acknowledged. */
  readonly acknowledged = new Map<number, number>();
  readonly #words: Words;
  failure: CheckFailed | undefined;

  constructor(options: ClusterOptions) {
    this.random = new SeededRandom(options.seed);
    const engine = options.engine ?? 'pbft';
    this.#words = new Words(engine);
    this.keys = new SimKeys(this.random.fork(), options.real ? SUITE.ed25519 : SUITE.simulated);
    this.fabric = new Fabric(this.scheduler, this.random.fork());
    this.fabric.onSent = (from, _to, channel, frame) => channel === 'votes' && this.#inspect(from, frame);
    this.names = Array.from({ length: options.nodes }, (_, i) => `n${i}`);
    this.signers = this.names.map(() => this.keys.generate());
    this.faulty = new Set(options.faulty?.keys() ?? []);
    this.machines = this.names.map((node) => {
      const machine = new SimMachine({
        node,
        scheduler: this.scheduler,
        fabric: this.fabric,
        crypto: this.keys,
        random: this.random.fork(),
        say: (who, text) => this.say(who, text),
        skewMaxMs: options.skewMaxMs ?? 50,
      });
      return machine;
    });
    const validator = (i: number): Validator => ({
      node: this.names[i]!,
      publicKey: this.signers[i]!.publicKey,
      suite: this.signers[i]!.suite,
      weight: 1,
    });
    const fixed = Array.from({ length: options.validators }, (_, i) => validator(i));
    this.rules = {
      chainId: hashTagged(this.keys, 'chain', utf8(`simulation ${options.seed}`)),
      genesis: hashTagged(this.keys, 'genesis', utf8(`simulation ${options.seed}`)),
      validators: (height) => options.validatorsAt?.(height).map(validator) ?? fixed,
      parameters: () => options.parameters,
      bounds: options.bounds ?? BOUNDS,
    };
    const make = options.factory ?? ((create) => driverNode(engine, create));
    this.#factories = this.names.map((_, i) => make(options.faulty?.get(i)?.(this.random.fork()), this));
  }

  say(who: string, text: string): void {
    this.transcript.push(`${this.scheduler.nowMs.toFixed(1).padStart(9)} ${who} ${text}`);
    if (this.transcript.length > TRANSCRIPT_LINES_MAX) this.transcript.shift();
  }

  node(i: number): SimNode | undefined {
    return this.machines[i]!.up ? this.#nodes[i] : undefined;
  }

  honest(): number[] {
    return this.names.map((_, i) => i).filter((i) => !this.faulty.has(i));
  }

  boot(i: number): void {
    if (this.machines[i]!.up) return;
    const process = this.machines[i]!.boot();
    const name = this.names[i]!;
    const say = (text: string) => this.say(name, text);
    const node = this.#factories[i]!({
      process,
      rules: this.rules,
      signer: this.signers[i]!,
      say,
      onFinal: (height, digest, transactions) => {
        if (!process.dead() && !this.faulty.has(i)) this.#onFinal(name, height, digest, transactions);
      },
    });
    this.#nodes[i] = node;
    say(`boots at height ${node.height()}`);
    // A block may have reached the disk in the moment of the crash, without anybody being told.
    if (!this.faulty.has(i))
      for (let height = 1; height <= node.height(); height++) this.#onFinal(name, height, node.digestAt(height)!, []);
    node.start().catch((error: unknown) => {
      if (process.dead()) return;
      if (!(error instanceof ChainError)) return this.fail(`${name} cannot start: ${String(error)}`);
      say(`cannot start: ${error.code}`); // a full disk: its operator tries again
      this.machines[i]!.stopped();
      this.scheduler.after(START_AGAIN_MS, () => this.boot(i));
    });
  }

  bootAll(): void {
    for (let i = 0; i < this.names.length; i++) this.boot(i);
  }

  crash(i: number): void {
    if (!this.machines[i]!.up) return;
    this.say(this.names[i]!, 'crashes');
    this.machines[i]!.crash();
  }

  /** The node signs with another key from its next start on, which is now when it is up. */
  changeSigner(i: number, signer: SimSigner): void {
    if (this.signers[i] === signer) return;
    this.signers[i] = signer;
    this.say(this.names[i]!, 'is given its next validator key');
    if (!this.machines[i]!.up) return;
    this.crash(i);
    this.boot(i);
  }

  /** A node is being stopped: it goes on until its parts have ended. */
  get isStopping(): boolean {
    return this.#stopping > 0;
  }

  /** Its operator stops a node, and ends it when it has not stopped in time. Resolves when it is down. */
  async stop(i: number): Promise<void> {
    const [machine, node, name] = [this.machines[i]!, this.node(i), this.names[i]!];
    if (!node) return;
    this.say(name, 'is stopped');
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.scheduler.after(STOP_WITHIN_MS, () => {
        if (this.node(i) === node) this.fail(`${name} does not stop`);
        resolve();
      });
    });
    this.#stopping++;
    await Promise.race([node.stop(), late]);
    this.#stopping--;
    cancel();
    if (this.node(i) === node) machine.stopped();
  }

  submit(i: number, id: number): void {
    this.node(i)?.submit(id);
  }

  /** Lowest and highest final height over honest nodes that are up. */
  heights(): { readonly min: number; readonly max: number } {
    const heights = this.honest().flatMap((i) => this.node(i)?.height() ?? []);
    return { min: Math.min(...heights), max: Math.max(...heights) };
  }

  /** Runs for `ms`, or until `done`; throws the first broken check. */
  async run(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const reached = await this.scheduler.run(this.scheduler.nowMs + ms, () => this.failure !== undefined || done());
    if (this.failure) throw this.failure;
    return reached;
  }

  /** Nothing acknowledged is lost: every honest node that is up and level holds the same block wherever one was acknowledged. */
  checkAcknowledged(): void {
    const { max } = this.heights();
    for (const [id, height] of this.acknowledged)
      if (height > max) this.fail(`transaction ${id} was acknowledged at ${height}, the chain ends at ${max}`);
    for (const i of this.honest()) {
      const node = this.node(i);
      if (!node) continue;
      for (let height = 1; height <= node.height(); height++) {
        const digest = node.digestAt(height);
        if (!digest || toHex(digest) !== this.#final.get(height)) this.fail(`${this.names[i]} holds another block at ${height}`);
      }
    }
    if (this.failure) throw this.failure;
  }

  fail(text: string): void {
    this.say('check', text);
    this.failure ??= new CheckFailed(text);
  }

  #onFinal(name: string, height: number, digest: Digest, transactions: readonly number[]): void {
    const hex = toHex(digest);
    const earlier = this.#final.get(height);
    if (earlier !== undefined && earlier !== hex) this.fail(`two final blocks at ${height}: ${name} has ${hex.slice(0, 8)}`);
    this.#final.set(height, hex);
    for (const id of transactions) {
      const at = this.acknowledged.get(id);
      if (at !== undefined && at !== height) this.fail(`transaction ${id} is final at ${at} and ${height}`);
      this.acknowledged.set(id, height);
    }
    if (earlier === undefined || transactions.length > 0) this.say(name, `final ${height} ${hex.slice(0, 8)}`);
  }

  /** Honest validators of the next height that have sent no commit vote above `height` yet. */
  silentAbove(height: number): string[] {
    const validators = new Set(this.rules.validators(this.heights().max + 1).map(({ node }) => node));
    if (validators.size === 1) return []; // it says its votes to nobody
    return this.honest()
      .filter((i) => !this.absent.has(i))
      .map((i) => this.names[i]!)
      .filter((name) => validators.has(name) && this.#words.committedAt(name) <= height);
  }

  /** The vote log of a node that is down is gone. */
  loseVoteLog(i: number): void {
    this.machines[i]!.disk.logs.delete('votes');
    this.#words.logLost(this.names[i]!);
    this.say(this.names[i]!, 'loses its vote log');
  }

  /** Everything an honest node says, over all its lives, against all that it has said before. */
  #inspect(from: string, frame: Uint8Array): void {
    const i = this.names.indexOf(from);
    const fault = this.#words.hear(from, !this.faulty.has(i), frame, this.node(i)?.height() ?? Number.POSITIVE_INFINITY);
    if (fault) this.fail(fault);
  }
}

/** The consensus driver over the small chain. */
export function driverNode(engine: string, create: CreateEngine | undefined): NodeFactory {
  return ({ process, rules, signer, onFinal, say }) => {
    const chain = new TestChain(process, rules, engine);
    const next = chain.height + 1;
    const driver = createConsensusDriver({
      engine,
      start: {
        chainId: rules.chainId,
        self: process.node,
        validators: rules.validators(next),
        height: chain.height,
        digest: chain.digest,
        finality: chain.finality,
        parameters: rules.parameters(next),
        ...(rules.bounds.engine ? { limits: rules.bounds.engine } : {}),
      },
      crypto: {
        hash: (data) => process.world.crypto.hash(data),
        sign: (message) => signer.sign(message),
        verify: (suite, key, message, signature) => process.world.crypto.verify(suite, key, message, signature),
      },
      world: process.world,
      network: process.network,
      voteLog: process.openLog('votes'),
      chain,
      ...(rules.bounds.inbox ? { inbox: rules.bounds.inbox } : {}),
      ...(create ? { create } : {}),
    });
    chain.onFinal = onFinal;
    chain.onNote = say;
    chain.onDelivered = (block) => driver.delivered(block);
    chain.onWork = (waiting) => driver.workWaiting(waiting);
    return {
      start: async () => {
        await process.network.start();
        driver.start();
      },
      stop: async () => {
        await driver.stop();
        await process.network.stop();
      },
      submit: (id) => chain.submit(id),
      height: () => chain.height,
      digestAt: (height) => chain.block(height)?.digest,
      describe: () => {
        const { height, phase, producer, details } = driver.status();
        return `height ${height} view ${details.view} ${phase} primary ${producer} votes ${JSON.stringify(details.votes)} fault ${driver.fault() ?? 'none'}`;
      },
    };
  };
}
