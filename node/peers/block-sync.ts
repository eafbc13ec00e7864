/**
 * Brings a node that was away to the head: fetches ranges of final blocks from several peers at once and hands them to the ledger in order.
 * No peer is trusted: heights that peers state only say what to ask for, `applyBlock` judges every block by its proof of finality and the
 * validators this node already knows, and a peer whose block does not hold is reported and asked no more for a while.
 */
import { ChainError, errorRow } from '../errors/index.ts';
import { openFinality } from '../../consensus/index.ts';
import { type Crypto, DecodeError, decodeHeader, type Digest, equalBytes, headerHash, Reader } from '../format/index.ts';
import { ANSWER_BYTES_MAX, type BlockAnswer } from './messages.ts';
import type { Network, World } from '../world.ts';
import type { BlockSource } from './block-server.ts';
import type { Requests } from './requests.ts';

export interface SyncLimits {
  /** Blocks asked for at a time. */
  readonly rangeBlocks: number;
  /** Ranges asked for or waiting to be applied at a time; bounds memory at this many answers. */
  readonly rangesMax: number;
  /** Of one answer, given or asked for; a single block or transaction may be larger. */
  readonly answerBytesMax: number;
}

export const SYNC_LIMITS: SyncLimits = { rangeBlocks: 32, rangesMax: 4, answerBytesMax: ANSWER_BYTES_MAX };
/** A peer that gave a false block is asked no more for this long. */
export const DISTRUST_MS = 30_000;
/** A peer that did not answer in time is not asked for this long. */
export const REST_MS = 3_000;
/** First and longest pause when nobody can give the next block. */
const STALL_MIN_MS = 250;
const STALL_MAX_MS = 5_000;

export interface BlockSyncOptions {
  readonly network: Network;
  readonly requests: Requests;
  readonly world: Pick<World, 'clock' | 'timers' | 'log'> & { readonly crypto: Pick<Crypto, 'hash'> };
  /** Served heights and the head this node states to peers. */
  readonly source: Pick<BlockSource, 'head'>;
  /** Height of the last block applied. */
  readonly localHeight: () => number;
  /**
   * Checks and stores the block of localHeight() + 1. A ChainError of kind `invalid` or `forbidden` blames the peer; any other is this
   * node's own trouble and is tried again.
   */
  readonly applyBlock: (block: Uint8Array, finality: Uint8Array | undefined) => Promise<void>;
  /** SYNC_LIMITS unless given. */
  readonly limits?: SyncLimits;
}

export interface SyncStatus {
  readonly syncing: boolean;
  readonly height: number;
  /** Highest height any peer has stated. */
  readonly target: number;
}

interface Range {
  readonly from: number;
  readonly to: number;
  peer: string | undefined;
  blocks: readonly BlockAnswer[] | undefined;
}

export class BlockSync {
  readonly #options: BlockSyncOptions;
  readonly #limits: SyncLimits;
  /** Height that each peer has stated. */
  readonly #stated = new Map<string, number>();
  readonly #distrustedUntil = new Map<string, number>();
  /** In order of height, without gaps. */
  #ranges: Range[] = [];
  #applying = false;
  #stalls = 0;
  #cancelRetry: (() => void) | undefined;
  #stopped = false;

  constructor(options: BlockSyncOptions) {
    this.#options = options;
    this.#limits = options.limits ?? SYNC_LIMITS;
    options.requests.onStatus((from, { height }) => this.onStated(from, height));
    options.network.onPeer((node, state) => {
      if (state === 'up') options.requests.sendStatus(options.source.head(), node);
      else this.#stated.delete(node);
    });
  }

  /** A peer is known to be at `height`: from its status, its hello, or the engine's `sync` effect. */
  onStated(peer: string, height: number): void {
    if (height > (this.#stated.get(peer) ?? -1)) this.#stated.set(peer, height);
    if (height > this.#options.localHeight()) this.#pump();
  }

  /** The engine knows that `from` are further on. */
  syncTo(height: number, from: readonly string[]): void {
    for (const peer of from) this.onStated(peer, height);
  }

  /** Tells peers the head of this node; call after each final block. */
  announce(): void {
    this.#options.requests.sendStatus(this.#options.source.head());
  }

  status(): SyncStatus {
    const height = this.#options.localHeight();
    const target = this.#target();
    return { syncing: target > height, height, target: Math.max(target, height) };
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
  }

  #target(): number {
    let target = 0;
    for (const height of this.#stated.values()) target = Math.max(target, height);
    return target;
  }

  #isDistrusted(peer: string): boolean {
    return (this.#distrustedUntil.get(peer) ?? Number.NEGATIVE_INFINITY) > this.#options.world.clock.monotonic();
  }

  /** Plans ranges, asks for those nobody was asked for, applies what has come. Safe to call at any time. */
  #pump(): void {
    if (this.#stopped) return;
    const local = this.#options.localHeight();
    const target = this.#target();
    const { rangeBlocks, rangesMax } = this.#limits;
    this.#ranges = this.#ranges.filter((range) => range.to > local && range.from <= target);
    for (let next = this.#ranges.at(-1)?.to ?? local; this.#ranges.length < rangesMax && next < target; next = this.#ranges.at(-1)!.to)
      this.#ranges.push({ from: next + 1, to: Math.min(target, next + rangeBlocks), peer: undefined, blocks: undefined });
    for (const range of this.#ranges) {
      if (range.blocks !== undefined || range.peer !== undefined) continue;
      const peer = this.#choosePeer(range.from);
      if (peer !== undefined) void this.#fetch(range, peer);
    }
    const first = this.#ranges[0];
    if (first === undefined) this.#stalls = 0;
    else if (first.blocks !== undefined) void this.#apply();
    else if (first.peer === undefined) this.#retryLater('SYNC_NO_PEER');
  }

  /** The least busy of those that say they hold the height. */
  #choosePeer(height: number): string | undefined {
    let best: string | undefined;
    for (const [peer, stated] of this.#stated) {
      if (stated < height || this.#isDistrusted(peer)) continue;
      if (best === undefined || this.#options.requests.inFlight(peer) < this.#options.requests.inFlight(best)) best = peer;
    }
    return best;
  }

  async #fetch(range: Range, peer: string): Promise<void> {
    range.peer = peer;
    try {
      const blocks = await this.#options.requests.getBlocks(peer, range.from, range.to - range.from + 1, this.#limits.answerBytesMax);
      if (blocks.length === 0)
        this.#stated.set(peer, Math.min(range.from - 1, this.#stated.get(peer) ?? 0)); // it has less than it said
      else if (blocks.length > range.to - range.from + 1 || !this.#fits(range.from, blocks))
        this.#blame(peer, range.from, 'does not fit together');
      else this.#keep(range, peer, blocks);
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      if (error.code === 'NODE_STOPPING') return;
      this.#options.world.log.debug({ peer, from: range.from, code: error.code }, 'range not answered');
      if (error.code !== 'PEER_MESSAGE_MALFORMED') this.#distrust(peer, error.code === 'PEER_TIMEOUT' ? REST_MS : STALL_MIN_MS);
    }
    if (range.blocks === undefined) range.peer = undefined;
    this.#pump();
  }

  /** A short answer leaves the rest as a range of its own. */
  #keep(range: Range, peer: string, blocks: readonly BlockAnswer[]): void {
    const at = this.#ranges.indexOf(range);
    if (at === -1) return; // another way was faster
    const end = range.from + blocks.length - 1;
    const parts: Range[] = [{ from: range.from, to: end, peer, blocks }];
    if (end < range.to) parts.push({ from: end + 1, to: range.to, peer: undefined, blocks: undefined });
    this.#ranges.splice(at, 1, ...parts);
    range.blocks = blocks;
  }

  /** Cheap checks before the ledger's: heights, parent links inside the range, and that each proof of finality is about its block. */
  #fits(from: number, blocks: readonly BlockAnswer[]): boolean {
    let parent: Digest | undefined;
    try {
      return blocks.every(({ block, finality }, i) => {
        const headerBytes = new Reader(block).bytes();
        const header = decodeHeader(headerBytes);
        const hash = headerHash(this.#options.world.crypto, headerBytes);
        const linked = parent === undefined || equalBytes(header.parentHash, parent);
        parent = hash;
        const proof = finality && openFinality(header.engine, finality);
        const proved = proof === undefined || (proof.height === header.height && equalBytes(proof.digest, hash));
        return header.height === from + i && linked && proved;
      });
    } catch {
      return false; // does not decode
    }
  }

  async #apply(): Promise<void> {
    if (this.#applying) return;
    this.#applying = true;
    try {
      for (let range = this.#ranges[0]; range?.blocks !== undefined && !this.#stopped; range = this.#ranges[0]) {
        if (!(await this.#applyRange(range, range.blocks))) return;
        if (this.#ranges[0] === range) this.#ranges.shift();
      }
    } finally {
      this.#applying = false;
    }
    this.#pump();
  }

  async #applyRange(range: Range, blocks: readonly BlockAnswer[]): Promise<boolean> {
    for (const [i, { block, finality }] of blocks.entries()) {
      const height = range.from + i;
      if (this.#stopped) return false;
      if (height <= this.#options.localHeight()) continue; // consensus was faster
      try {
        await this.#options.applyBlock(block, finality);
        this.#stalls = 0;
      } catch (error) {
        if (height <= this.#options.localHeight()) continue; // consensus stored it while we tried
        this.#ranges = this.#ranges.filter((other) => other !== range);
        const code = error instanceof ChainError ? error.code : 'INTERNAL';
        const { kind } = errorRow(code);
        if (kind === 'invalid' || kind === 'forbidden' || error instanceof DecodeError) {
          this.#ranges = []; // later ranges may build on the false block
          this.#blame(range.peer!, height, code);
          this.#retryLater(undefined);
        } else {
          this.#options.world.log.error({ height, code, reason: (error as Error).message }, 'block from sync could not be stored');
          this.#ranges = [];
          this.#retryLater(code);
        }
        return false;
      }
    }
    return true;
  }

  #blame(peer: string, height: number, reason: string): void {
    this.#options.world.log.warn({ peer, height, reason, code: 'SYNC_BLOCK_FALSE' }, 'peer gave a false block');
    this.#options.network.report(peer, 'SYNC_BLOCK_FALSE');
    this.#stated.delete(peer); // what it says of its height is worth as little
    this.#distrust(peer, DISTRUST_MS);
  }

  #distrust(peer: string, ms: number): void {
    this.#distrustedUntil.set(peer, this.#options.world.clock.monotonic() + ms);
  }

  /** Tries again after a growing pause; without a code at once. */
  #retryLater(code: string | undefined): void {
    if (this.#cancelRetry !== undefined || this.#stopped) return;
    const pause = code === undefined ? 0 : Math.min(STALL_MAX_MS, STALL_MIN_MS * 2 ** Math.min(this.#stalls, 10));
    if (code !== undefined && this.#stalls++ === 0)
      this.#options.world.log.warn({ code, height: this.#options.localHeight() + 1 }, 'sync waits');
    this.#cancelRetry = this.#options.world.timers.after(pause, () => {
      this.#cancelRetry = undefined;
      this.#pump();
    });
  }
}
