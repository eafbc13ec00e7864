/**
 * The shell around a consensus engine: a bounded inbox with a share for each peer, emptied turn by turn, one step per input, one durable append of
 * everything the turn persists, and only then what others may see (design: chain, "PBFT": votes persist before they are sent). Builds, executions and commits run
 * through the chain port and come back as inputs. A vote log that cannot be written stops the voting, not the process.
 */
import type { Effect, Engine, EngineCrypto, EngineParameters, EngineStart, EngineStatus, Input } from '../../consensus/index.ts';
import { createEngine, TICK_MS } from '../../consensus/index.ts';
import type { Digest, Validator } from '../format/index.ts';
import { FrameInbox, type InboxLimits } from './frame-inbox.ts';
import { LongFrames } from './long-frames.ts';
import { codeOf, Retries } from './retries.ts';
import { nextTurn, TokenBuckets } from '../pace/index.ts';
import type { AppendLog, Network, World } from '../world.ts';

/** Inputs stepped in one turn, so that one append never grows without bound. */
export const TURN_INPUTS_MAX = 1_024;
/** No further frame is stepped once a turn has taken this long, ms: sockets, timers and clients come in between. */
const TURN_MS_MAX = 10;
/**
 * Frames a second, on average and at once, of a node that is no validator here. Nothing honest comes near it: who was voted out a moment ago, or in
 * at a height this node lacks, repeats six messages every 50 ms at the most and helps others 25 times a second.
 */
export const STRANGER_FRAMES_PER_SECOND = 256;
export const STRANGER_FRAMES_BURST = 2_048;
const STRANGER_FRAMES = { perSecond: STRANGER_FRAMES_PER_SECOND, burst: STRANGER_FRAMES_BURST };
/** Reports a second about one that goes on: it is cut off after some ten seconds of it, never by what piled up while this node was held. */
const STRANGER_REPORTS = { perSecond: 2, burst: 1 };
/** How long stop waits for builds, executions and commits under way, ms. */
const STOP_WAIT_MS = 5_000;

/** A final block as the engine needs it. `validators` and `parameters` are those of the next height. */
export interface Delivered {
  readonly height: number;
  readonly digest: Digest;
  readonly finality: Uint8Array;
  readonly validators: readonly Validator[];
  readonly parameters: EngineParameters;
}

/** What the driver needs of ledger, mempool and sync. Rejections are answered with a code or tried again, never passed on. */
export interface ChainPort {
  /**
   * Builds and executes a block on `parent`, final or built here; `code` says why there is none, `more` that a block on it is worth building now. Its body
   * may be on its way to the disk when this resolves: `execute` waits for it.
   */
  build(request: {
    readonly height: number;
    readonly engineData: Uint8Array;
    readonly parent: Digest;
    readonly emptyAllowed: boolean;
  }): Promise<{ readonly digest: Digest; readonly proposal: Uint8Array; readonly more: boolean } | { readonly code: string }>;
  /**
   * Checks that `proposal` is what `digest` names, fetches what it lacks (from `from` first), executes it and compares; of one that was built or executed
   * here before only the storing is waited for. `OK` means the block can
   * be committed, also after a crash of this process: what it consists of is on disk, outside the caches, by then.
   */
  execute(request: {
    readonly height: number;
    readonly engineData: Uint8Array;
    readonly digest: Digest;
    readonly proposal: Uint8Array;
    readonly from: string;
    readonly fresh: boolean;
  }): Promise<{ readonly code: string; readonly parent: Digest }>;
  /**
   * Stores an executed block in one batch; a loss of power may still take it back until `durable` resolves. Called again after a rejection; a height that is
   * stored already answers with what is stored.
   */
  commit(request: { readonly height: number; readonly digest: Digest; readonly finality: Uint8Array }): Promise<Delivered>;
  /** Resolves when every block that `commit` or sync has stored is on disk: nothing is signed on one that a loss of power could take back. */
  durable(): Promise<void>;
  /** A block that leads and may still give way; none is told of by an engine whose blocks are final at once. */
  head(block: { readonly height: number; readonly digest: Digest }): void;
  /** Has a worker search; undefined when there is no answer. */
  search(task: Uint8Array): Promise<Uint8Array | undefined>;
  /** Fetches blocks up to `height`; each final one comes back through `driver.delivered`. Called again and again while behind. */
  sync(height: number, from: readonly string[]): void;
  /** Gives the primary, which proposes nothing, what a block could hold of what waits here. */
  handOver(primary: string): void;
  evidence(proof: { readonly code: string; readonly node: string; readonly first: Uint8Array; readonly second: Uint8Array }): void;
  note(event: string, fields: Readonly<Record<string, string | number>>): void;
}

export interface ConsensusDriver {
  start(): void;
  /** Finishes the turn and what is under way, then signs nothing more. The vote log stays open: its opener closes it. */
  stop(): Promise<void>;
  /** True while the mempool holds what a block with room would include. After a commit, say it before `commit` resolves. */
  workWaiting(waiting: boolean): void;
  /** A block that became final by sync. */
  delivered(block: Delivered): void;
  status(): EngineStatus;
  /** Why this node does not vote at the moment, if it cannot: `VOTE_LOG_UNWRITABLE`, `BLOCK_NOT_STORED`. */
  fault(): string | undefined;
  /** Blocks that the engine has asked sync for and that are not final here yet. */
  behind(): number;
  /** Frames dropped because their sender's share of the inbox was full, or it is no validator and sent too many. */
  readonly framesDropped: number;
}

export interface DriverOptions {
  readonly engine: string;
  readonly start: Omit<EngineStart, 'log'>;
  readonly crypto: EngineCrypto;
  readonly world: Pick<World, 'clock' | 'timers' | 'log' | 'verifier'>;
  readonly network: Pick<Network, 'send' | 'broadcast' | 'onFrame' | 'report'>;
  readonly voteLog: AppendLog;
  readonly chain: ChainPort;
  /** INBOX_LIMITS unless given. */
  readonly inbox?: InboxLimits;
  /** Faults that stood when the process before this one ended, as alarms name them. */
  readonly faultsSaid?: readonly string[];
  /** Another engine than the registry's; for simulations of faulty replicas. */
  readonly create?: (name: string, start: EngineStart, crypto: EngineCrypto) => Engine;
}

export function createConsensusDriver(options: DriverOptions): ConsensusDriver {
  return new Driver(options);
}

class Driver implements ConsensusDriver {
  readonly #options: DriverOptions;
  readonly #engine: Engine;
  /** Results and orders of this node; never dropped, bounded by what the engine asks for. */
  #inputs: Input[] = [];
  readonly #inbox: FrameInbox;
  readonly #longFrames: LongFrames;
  readonly #strangerFrames: TokenBuckets;
  readonly #strangerReports: TokenBuckets;
  #framesRefused = 0;
  #tickDue = false;
  /** What a tick brought before its turn began. */
  #ofTick: readonly Effect[] = [];
  #working = false;
  #accepting = true;
  #state: 'created' | 'running' | 'stopping' | 'stopped' = 'created';
  #turning: Promise<void> | undefined;
  readonly #underWay = new Set<Promise<void>>();
  readonly #retries: Retries;
  #cancelTicks: (() => void) | undefined;
  #finalHeight: number;
  #syncHeight = 0;

  constructor(options: DriverOptions) {
    this.#options = options;
    const start: EngineStart = { ...options.start, log: options.voteLog.records };
    this.#retries = new Retries(options.world, (event, fields) => options.chain.note(event, fields), options.faultsSaid);
    this.#finalHeight = start.height;
    this.#strangerFrames = new TokenBuckets(options.world.clock);
    this.#strangerReports = new TokenBuckets(options.world.clock);
    const names = start.validators.map(({ node }) => node);
    this.#inbox = new FrameInbox(names, options.inbox);
    this.#engine = (options.create ?? createEngine)(options.engine, start, options.crypto);
    this.#longFrames = new LongFrames(names, (bytes) => this.#engine.signatures(bytes), options.world);
  }

  start(): void {
    if (this.#state !== 'created') throw new Error('Cannot start a driver twice');
    this.#state = 'running';
    const { world, network } = this.#options;
    network.onFrame((from, channel, frame) => {
      if (channel === 'votes') this.#receive(from, frame);
    });
    this.#cancelTicks = world.timers.every(TICK_MS, () => this.#tick());
    this.#tick();
  }

  async stop(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#cancelTicks?.();
    this.#accepting = false;
    const { timers } = this.#options.world;
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = timers.after(STOP_WAIT_MS, resolve);
    });
    await Promise.race([this.#drained(), patience]);
    cancel();
    this.#state = 'stopping';
    this.#retries.end();
    await this.#turning;
    this.#state = 'stopped';
  }

  workWaiting(waiting: boolean): void {
    if (waiting === this.#working) return; // said with every transaction, told to the engine once
    this.#working = waiting;
    this.#push({ kind: 'work', waiting });
  }

  delivered(block: Delivered): void {
    if (block.height > this.#finalHeight)
      for (const inbox of [this.#inbox, this.#longFrames]) inbox.setValidators(block.validators.map(({ node }) => node));
    this.#finalHeight = Math.max(this.#finalHeight, block.height);
    this.#push({ kind: 'delivered', ...block });
  }

  status(): EngineStatus {
    return this.#engine.status();
  }

  fault(): string | undefined {
    return this.#retries.fault();
  }

  behind(): number {
    return Math.max(0, this.#syncHeight - this.#finalHeight);
  }

  get framesDropped(): number {
    return this.#inbox.dropped + this.#longFrames.dropped + this.#framesRefused;
  }

  /** Of fifty ticks a second hardly any brings anything: one between two turns is stepped at once, and begins a turn for what it brought. */
  #tick(): void {
    if (this.#turning || this.#state !== 'running') {
      this.#tickDue = true;
      return;
    }
    this.#ofTick = this.#engine.step(this.#tickInput());
    if (this.#ofTick.length > 0) this.#wake();
  }

  #tickInput(): Extract<Input, { kind: 'tick' }> {
    return { kind: 'tick', nowMs: Math.floor(this.#options.world.clock.monotonic()) };
  }

  #receive(from: string, bytes: Uint8Array): void {
    if (this.#state !== 'running' || !this.#accepting) return;
    if (!this.#inbox.isValidator(from) && !this.#acceptsStranger(from)) return;
    this.#inbox.push({ from, bytes });
    this.#wake();
  }

  /** The validators may have changed at a height that one of us has not seen, so only how much it sends is held against it. */
  #acceptsStranger(from: string): boolean {
    if (this.#strangerFrames.of(from, STRANGER_FRAMES).take(1) === 0) return true;
    this.#framesRefused++;
    if (this.#strangerReports.of(from, STRANGER_REPORTS).take(1) === 0) this.#options.network.report(from, 'PEER_NOT_VALIDATOR');
    return false;
  }

  #push(input: Input): void {
    if (this.#state === 'stopped') return;
    this.#inputs.push(input);
    this.#wake();
  }

  #wake(): void {
    if (this.#state === 'running') this.#turning ??= this.#turns();
  }

  #waiting(): boolean {
    return this.#tickDue || this.#ofTick.length > 0 || this.#inputs.length > 0 || this.#inbox.count > 0 || this.#longFrames.isChecked;
  }

  async #turns(): Promise<void> {
    await undefined; // what arrives in the same tick of the machine goes into one turn
    while (this.#state === 'running' && this.#waiting()) await this.#turn();
    this.#turning = undefined;
  }

  /** Tick, results of this node, then frames as long as there is time: at least one, or a slow engine would never hear its peers. */
  async #turn(): Promise<void> {
    const { clock, timers } = this.#options.world;
    const beganMs = clock.monotonic();
    const effects: Effect[] = [...this.#ofTick];
    this.#ofTick = [];
    if (this.#tickDue) effects.push(...this.#engine.step(this.#tickInput()));
    this.#tickDue = false;
    for (const input of this.#inputs.splice(0, TURN_INPUTS_MAX)) effects.push(...this.#engine.step(input));
    let late = false;
    const checked = this.#longFrames.take();
    if (checked) {
      effects.push(...this.#engine.step(checked));
      late = true; // a turn of its own: reading it takes some ms
    }
    for (let count = 0; count < TURN_INPUTS_MAX && !late; count++) {
      const frame = this.#inbox.take();
      if (!frame) break;
      if (!this.#longFrames.push(frame)) effects.push(...this.#engine.step({ kind: 'message', ...frame }));
      late = clock.monotonic() - beganMs >= TURN_MS_MAX;
    }
    const check = this.#longFrames.check();
    if (check) this.#run(check.then(() => this.#wake()));
    for (const effect of effects) if (isUnseen(effect)) this.#carryOut(effect);
    await this.#save(effects);
    if (this.#state !== 'running') return; // stopped while the log could not be written: nothing may leave
    for (const effect of effects) if (!isUnseen(effect)) this.#carryOut(effect);
    if (late && this.#waiting()) await nextTurn(timers);
  }

  /** Makes the turn's records durable. A truncation holds everything before it, so the log is rewritten with it and what came after. */
  async #save(effects: readonly Effect[]): Promise<void> {
    let rewrite = false;
    let records: Uint8Array[] = [];
    for (const effect of effects) {
      if (effect.kind === 'persist') records.push(effect.record);
      if (effect.kind === 'truncate') {
        rewrite = true;
        records = [...effect.keep];
      }
    }
    if (records.length === 0 && !rewrite) return;
    const { voteLog, chain } = this.#options;
    await this.#retries.untilDone('VOTE_LOG_UNWRITABLE', async () => {
      await chain.durable();
      await (rewrite ? voteLog.rewrite(records) : voteLog.append(records));
    });
  }

  #carryOut(effect: Effect): void {
    const { network, chain, world } = this.#options;
    switch (effect.kind) {
      case 'persist':
      case 'truncate':
        return; // done before anything left
      case 'broadcast':
        network.broadcast('votes', effect.bytes);
        return;
      case 'send':
        network.send(effect.to, 'votes', effect.bytes);
        return;
      case 'build':
        this.#run(this.#build(effect));
        return;
      case 'execute':
        this.#run(this.#execute(effect));
        return;
      case 'commit':
        this.#run(this.#commit(effect));
        return;
      case 'head':
        chain.head({ height: effect.height, digest: effect.digest });
        return;
      case 'search':
        this.#run(this.#search(effect));
        return;
      case 'sync':
        this.#syncHeight = effect.height;
        chain.sync(effect.height, effect.from);
        return;
      case 'handOver':
        chain.handOver(effect.to);
        return;
      case 'evidence':
        world.log.error({ code: effect.code, node: effect.node }, 'a validator broke the protocol');
        chain.evidence(effect);
        return;
      case 'drop':
        world.log.debug({ code: effect.code, from: effect.from }, 'message not used');
        if (effect.verdict === 'reject') network.report(effect.from, effect.code);
        return;
      case 'note':
        chain.note(effect.event, effect.fields);
        return;
    }
  }

  #run(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #build({ height, engineData, parent, emptyAllowed }: Extract<Effect, { kind: 'build' }>): Promise<void> {
    let code: string;
    try {
      const built = await this.#options.chain.build({ height, engineData, parent, emptyAllowed });
      if ('digest' in built) {
        this.#push({ kind: 'built', height, engineData, parent, ...built });
        return;
      }
      code = built.code;
    } catch (error) {
      code = codeOf(error);
      this.#options.world.log.warn({ height, code }, 'block not built');
    }
    this.#push({ kind: 'notBuilt', height, engineData, parent, code });
  }

  async #execute({ height, engineData, digest, proposal, from, fresh }: Extract<Effect, { kind: 'execute' }>): Promise<void> {
    let answer: { readonly code: string; readonly parent: Digest };
    try {
      answer = await this.#options.chain.execute({ height, engineData, digest, proposal, from, fresh });
    } catch (error) {
      answer = { code: codeOf(error), parent: digest };
      this.#options.world.log.warn({ height, from, code: answer.code }, 'proposal not executed');
    }
    this.#push({ kind: 'executed', height, digest, parent: answer.parent, code: answer.code });
  }

  async #commit({ height, digest, finality }: Extract<Effect, { kind: 'commit' }>): Promise<void> {
    const block = await this.#retries.untilDone('BLOCK_NOT_STORED', () => this.#options.chain.commit({ height, digest, finality }));
    if (block) this.delivered(block);
  }

  async #search({ task }: Extract<Effect, { kind: 'search' }>): Promise<void> {
    let found: Uint8Array | undefined;
    try {
      found = await this.#options.chain.search(task);
    } catch (error) {
      this.#options.world.log.warn({ code: codeOf(error) }, 'search ended without an answer');
    }
    this.#push({ kind: 'searched', task, found });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async #drained(): Promise<void> {
    while (this.#turning || this.#underWay.size > 0) {
      await this.#turning;
      await Promise.all(this.#underWay);
    }
  }
}

/** Whatever no peer sees begins at once: the executor is at work while the disk is. */
function isUnseen({ kind }: Effect): boolean {
  return kind === 'build' || kind === 'execute';
}
