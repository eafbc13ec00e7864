/**
 * The authenticated state: one sorted Merkle map over binary keys, in memory, whose every inner hash covers its count of entries (design:
 * write-path; hashes and proofs: node/format/state-proof.ts; choice and figures: decisions/0001).
 *
 * The root is a function of the set of entries alone. `stage` computes what a block would do; candidates staged on one another form a tree,
 * of which `commit` keeps the part that stands on the committed block and `drop` takes one away without a trace. Left to others: values,
 * what is on disk, when to commit.
 */
import { type ByteText, type Digest, DIGEST_BYTES } from '../format/index.ts';
import { type Batch, type MapWrite, WriteBatch } from './batch.ts';
import { EntryWalk, type EntryWriter } from './entry-walk.ts';
import type { MapHash } from './node-hash.ts';
import { proveRange } from './prove.ts';
import { Staging } from './staging.ts';
import { type Found, type MapRoom, type Node, Tree, type Version } from './tree.ts';

/** The map after the writes of one block. Readable until it is dropped or another block is committed on it. */
export interface StagedMap {
  readonly root: Digest;
  readonly count: number;
  /** Keys among those written that were in the map before. */
  readonly replaced: ReadonlySet<ByteText>;
  /** Writes that undo this block: every key written, with what stood there before. */
  undo(): readonly MapWrite[];
}

/** One version that stays readable until it is released, whatever is committed meanwhile. */
export interface HeldMap {
  readonly root: Digest;
  readonly count: number;
  /** All entries in key order. @throws Error once it is released */
  entries(): EntryWriter;
  release(): void;
}

export interface MapMemory {
  /** Memory taken in all. */
  readonly bytes: number;
  /** Of buckets, in memory or in the page file. */
  readonly entryBytes: number;
  readonly buckets: number;
  readonly branches: number;
}

export interface StateMap {
  root(): Digest;
  /** Entries in the map. */
  count(): number;
  /**
   * The map after `writes` (of two for one key the later counts) on top of the committed map or of `base`. Changes nothing.
   * @throws RangeError for a key of 0 or more than MAP_KEY_BYTES_MAX bytes; Error when `base` was dropped; PagesDamaged, as all that read
   * the map and `commit`: then the map is to be loaded again.
   */
  stage(writes: readonly MapWrite[], base?: StagedMap): StagedMap;
  /** Moves on to `staged`; what was staged beside it is dropped. @throws Error when it was not staged on the committed map. */
  commit(staged: StagedMap): void;
  /** Gives up `staged` and all that was staged on it. Nothing happens when it was committed or dropped before. */
  drop(staged: StagedMap): void;
  /** @throws Error when `at` was dropped; the same for all that follow. */
  prove(key: ByteText, at?: StagedMap): Uint8Array;
  /** Proof of at least the first `limit` entries with from <= key < to and of how many there are. */
  proveRange(from: ByteText, to: ByteText | undefined, limit: number, at?: StagedMap): Uint8Array;
  /** valueHash of `key`, if it is in the map. */
  has(key: ByteText, at?: StagedMap): Digest | undefined;
  find(key: ByteText, at?: StagedMap): Found | undefined;
  /** The committed map, held for a snapshot. Memory of later blocks is not given back until it is released. */
  hold(): HeldMap;
  memory(): MapMemory;
}

/** `past`: committed once, and another after it. */
type State = 'staged' | 'committed' | 'past' | 'dropped';

class Staged implements StagedMap, Version {
  state: State = 'staged';
  readonly root: Digest;
  readonly count: number;
  readonly top: Node;
  readonly children = new Set<Staged>();
  /** Let go once committed, as is `staging`, so that a chain of versions does not stay in memory. */
  parent: Staged | undefined;
  staging: Staging | undefined;
  readonly #batch: WriteBatch | undefined;

  constructor(version: Version, parent: Staged | undefined, staging: Staging | undefined, batch: WriteBatch | undefined) {
    this.root = version.root;
    this.count = version.count;
    this.top = version.top;
    this.parent = parent;
    this.staging = staging;
    this.#batch = batch;
  }

  get replaced(): ReadonlySet<ByteText> {
    return this.#batch?.replaced() ?? new Set();
  }

  undo(): readonly MapWrite[] {
    return this.#batch?.undo() ?? [];
  }
}

/** Without `room` the whole map stays in memory. */
export function createStateMap(hash: MapHash, room?: MapRoom): StateMap {
  return createMapLoader(hash, room).finish();
}

/** A map that is filled in key order: nothing else reads it until it is finished. */
export interface MapLoader {
  /** `batch` holds one entry at least, all behind those added before. */
  add(batch: Batch): void;
  finish(): StateMap;
}

export function createMapLoader(hash: MapHash, room?: MapRoom): MapLoader {
  const tree = new Tree(hash, room);
  const empty = new Uint8Array(DIGEST_BYTES);
  tree.hasher.empty(empty, 0);
  let version: Version = { root: empty, count: 0, top: 0 };
  return {
    add(batch) {
      const staging = new Staging(tree, batch);
      version = staging.apply(version);
      for (const node of staging.left) tree.free(node);
      tree.collect();
    },
    finish: () => mapOf(tree, version),
  };
}

function mapOf(tree: Tree, version: Version): StateMap {
  let head = new Staged(version, undefined, undefined, undefined);
  head.state = 'committed';
  let holds = 0;
  let freeLater: Node[] = [];

  const versionOf = (staged: StagedMap | undefined): Staged => {
    const version = (staged as Staged | undefined) ?? head;
    if (version.state === 'dropped' || version.state === 'past') throw new Error(`Cannot read a map that is ${version.state}`);
    return version;
  };
  const free = (nodes: readonly Node[]): void => {
    for (const node of nodes) tree.free(node);
  };
  const applied = (staging: Staging, before: Version): Version => {
    try {
      return staging.apply(before);
    } catch (error) {
      free(staging.made);
      throw error;
    }
  };
  const drop = (version: Staged): void => {
    for (const child of version.children) drop(child);
    version.state = 'dropped';
    free(version.staging!.made);
    version.staging = undefined;
  };

  return {
    root: () => head.root,
    count: () => head.count,
    stage(writes, base) {
      const before = versionOf(base);
      const batch = new WriteBatch(writes);
      const staging = new Staging(tree, batch);
      const version = batch.count === 0 ? before : applied(staging, before);
      const staged = new Staged(version, before, staging, batch);
      before.children.add(staged);
      return staged;
    },
    commit(staged) {
      const next = staged as Staged;
      if (next.parent !== head || next.state !== 'staged') throw new Error('Cannot commit a staged map: it was staged on another state');
      for (const sibling of head.children) if (sibling !== next) drop(sibling);
      head.children.clear();
      const { left } = next.staging!;
      if (holds === 0) free(left);
      else freeLater = freeLater.concat(left);
      next.staging = undefined;
      next.parent = undefined;
      head.state = 'past';
      next.state = 'committed';
      head = next;
      tree.collect();
    },
    drop(staged) {
      const version = staged as Staged;
      if (version.state !== 'staged') return;
      version.parent!.children.delete(version);
      drop(version);
      tree.collect();
    },
    prove: (key, at) => proveRange(tree, versionOf(at), { from: key, to: `${key}\0` }, 1),
    proveRange: (from, to, limit, at) => proveRange(tree, versionOf(at), { from, to }, limit),
    has: (key, at) => tree.find(versionOf(at).top, key)?.valueHash,
    find: (key, at) => tree.find(versionOf(at).top, key),
    hold() {
      const { root, count, top } = head;
      let released = false;
      holds++;
      return {
        root,
        count,
        entries() {
          const walk = new EntryWalk(tree, top);
          return {
            next(target, at) {
              if (released) throw new Error('Cannot read a held map that was released');
              return walk.next(target, at);
            },
          };
        },
        release() {
          if (released) return;
          released = true;
          if (--holds > 0) return;
          free(freeLater);
          freeLater = [];
          tree.collect();
        },
      };
    },
    memory: () => ({
      bytes: tree.log.bytes + tree.branches.bytes,
      entryBytes: tree.log.liveBytes,
      buckets: tree.log.count,
      branches: tree.branches.count,
    }),
  };
}
