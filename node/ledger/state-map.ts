/**
 * The authenticated state: one sorted Merkle map over binary keys whose every inner hash covers its count of entries (design: chain,
 * "Authenticated state"; hashes and proofs: node/format/map-proof.ts; rows: state-map-rows.ts; choice and figures: decisions/0001).
 *
 * The root is a function of the set of entries alone. `stage` computes what a block would do and touches nothing; its rows go into the
 * block's one batch; `commit` follows when that batch is on disk. Blocks not yet final are staged on one another by `base`.
 * Left to others: values, undo (stage the old values), when to commit.
 */
import {
  type ByteText,
  childPath,
  type Digest,
  DIGEST_BYTES,
  emptyMapRoot,
  equalBytes,
  fromByteText,
  isUnder,
  MAP_COUNT_MAX,
  MAP_KEY_BYTES_MAX,
  nibbleAt,
  packPath,
  sharedNibbles,
  toByteText,
} from '../format/index.ts';
import type { StoreOperation } from '../world.ts';
import { proveRange } from './state-map-prove.ts';
import { rowKeyOf, type Version, Walker } from './state-map-read.ts';
import { type EntrySource, rebuildRow } from './state-map-rebuild.ts';
import {
  type Branch,
  BUCKET_ENTRIES_MAX,
  branchCount,
  copyBranch,
  countBits,
  damaged,
  type Entry,
  type MapHash,
  newBranch,
  type Node,
  NodeHasher,
  RowWriter,
  setChild,
  splitEntries,
} from './state-map-rows.ts';

/** Branches kept in memory by default; one takes one to two kilobytes. */
export const CACHE_NODES_MAX = 100_000;

/** Rows as stored; `key` includes the prefix given to createStateMap. */
export interface MapNodes {
  get(key: ByteText): Uint8Array | undefined;
}

/** undefined as valueHash deletes. */
export interface MapWrite {
  readonly key: ByteText;
  readonly valueHash: Digest | undefined;
}

export interface StagedMap {
  readonly root: Digest;
  readonly count: number;
  /** Rows to put and delete in the batch of the block. */
  readonly operations: readonly StoreOperation[];
  /** Keys among those written that were in the map before. */
  readonly replaced: ReadonlySet<ByteText>;
}

export interface StateMap {
  root(): Digest;
  /** Entries in the map. */
  count(): number;
  /**
   * The map after `writes` (of two for one key the later counts) on top of the committed map or of `base`. Changes nothing.
   * @throws RangeError for a key of 0 or more than MAP_KEY_BYTES_MAX bytes; ChainError STORE_DAMAGED.
   */
  stage(writes: readonly MapWrite[], base?: StagedMap): StagedMap;
  /** Moves on to `staged`, whose operations are on disk now. @throws Error when it was not staged on the committed map. */
  commit(staged: StagedMap): void;
  /**
   * While the batch of a block is being written rows on disk may be of either side: hand in what is being committed as `at` then.
   * @throws ChainError STORE_DAMAGED when the rows do not lead to the root.
   */
  prove(key: ByteText, at?: StagedMap): Uint8Array;
  /** Proof of the first `limit` entries with from <= key < to and of how many there are. Errors as `prove`. */
  proveRange(from: ByteText, to: ByteText | undefined, limit: number, at?: StagedMap): Uint8Array;
  /** valueHash of `key`, if it is in the map. */
  has(key: ByteText, at?: StagedMap): Digest | undefined;
  /** Rows that put a damaged one right, see state-map-rebuild.ts. */
  rebuild(rowKey: ByteText, entries: EntrySource, root: Digest): Promise<readonly StoreOperation[] | undefined>;
}

class Staged implements StagedMap, Version {
  readonly root: Digest;
  readonly count: number;
  readonly node: Node | undefined;
  readonly operations: readonly StoreOperation[];
  readonly replaced: ReadonlySet<ByteText>;
  readonly beforeRoot: Digest;
  /** Places in memory that hold buckets, which are let go once they are on disk. */
  readonly buckets: readonly Branch[];

  constructor(after: Version, staging: Staging | undefined, beforeRoot: Digest) {
    this.root = after.root;
    this.count = after.count;
    this.node = after.node;
    this.operations = staging?.operations() ?? [];
    this.replaced = staging?.replaced ?? new Set();
    this.beforeRoot = beforeRoot;
    this.buckets = staging?.buckets ?? [];
  }
}

export function createStateMap(
  nodes: MapNodes,
  crypto: MapHash,
  prefix: ByteText,
  options: { readonly cacheNodesMax?: number } = {},
): StateMap {
  const cacheNodesMax = options.cacheNodesMax ?? CACHE_NODES_MAX;
  const walker = new Walker(nodes, prefix, new NodeHasher(crypto));
  const empty = emptyMapRoot(crypto);
  let loaded: Version | undefined; // at first use, not before: a damaged root row must not keep its own repair from beginning
  const head = (): Version => {
    loaded ??= loadHead(walker, empty);
    return loaded;
  };
  const versionOf = (staged: StagedMap | undefined): Version => (staged as Staged | undefined) ?? head();
  const prove = (from: ByteText, to: ByteText | undefined, limit: number, at: StagedMap | undefined): Uint8Array => {
    const version = versionOf(at);
    const proven = proveRange(walker, version, crypto, { from, to }, limit);
    if (!equalBytes(proven.root, version.root)) throw damaged(prefix);
    return proven.proof;
  };

  return {
    root: () => head().root,
    count: () => head().count,
    stage(writes, base) {
      const before = versionOf(base);
      if (writes.length === 0) return new Staged(before, undefined, before.root);
      const staging = new Staging(walker);
      const after = staging.apply(sortWrites(writes), before);
      return new Staged(after.count === 0 ? { ...after, root: empty } : after, staging, before.root);
    },
    commit(staged) {
      const next = staged as Staged;
      if (!equalBytes(next.beforeRoot, head().root)) throw new Error('Cannot commit a staged map: it was staged on another state');
      for (const branch of next.buckets)
        for (let nibble = 0; nibble < 16; nibble++) if (branch.kids[nibble]?.kind === 'bucket') branch.kids[nibble] = undefined;
      loaded = { root: next.root, count: next.count, node: next.node };
      walker.stamp++;
      walker.loaded += next.operations.length;
      if (walker.loaded > cacheNodesMax) walker.loaded = sweep(next.node, walker.stamp, cacheNodesMax);
    },
    prove: (key, at) => prove(key, `${key}\0`, 1, at),
    proveRange: prove,
    has: (key, at) => find(walker, versionOf(at).node, key),
    rebuild: (rowKey, entries, root) => rebuildRow(walker, head, rowKey, entries, root),
  };
}

function loadHead(walker: Walker, empty: Digest): Version {
  const node = walker.row('', 0);
  if (!node) return { root: empty, count: 0, node };
  const hash = node.kind === 'branch' ? walker.hasher.branch(node) : walker.hasher.entries(node.entries, 0, node.entries.length);
  return { root: fromByteText(hash), count: node.kind === 'branch' ? branchCount(node) : node.entries.length, node };
}

function find(walker: Walker, root: Node | undefined, key: ByteText): Digest | undefined {
  let node = root;
  while (node?.kind === 'branch') {
    if (!isUnder(key, node.path, node.depth)) return undefined;
    if (key.length * 2 === node.depth) return node.end === undefined ? undefined : fromByteText(node.end);
    const nibble = nibbleAt(key, node.depth);
    if (node.counts[nibble] === 0) return undefined;
    node = walker.child(node, nibble);
  }
  const entry = node?.entries.find((candidate) => candidate.key === key);
  return entry && fromByteText(entry.valueHash);
}

/**
 * Lets go of branches below `root` that were not walked through lately, then of younger ones, until at most half of `countMax` are left.
 * Everything below a committed root is on disk. Returns how many are left.
 */
function sweep(root: Node | undefined, stamp: number, countMax: number): number {
  for (let age = 64; ; age >>= 1) {
    const left = root?.kind === 'branch' ? sweepOlder(root, stamp - age) : 0;
    if (left <= countMax / 2 || age === 0) return left;
  }
}

/** Drops kids whose stamp is below `oldest`; with `oldest` the current commit nothing of earlier commits stays. */
function sweepOlder(branch: Branch, oldest: number): number {
  let left = 1;
  for (let nibble = 0; nibble < 16; nibble++) {
    const kid = branch.kids[nibble];
    if (!kid) continue;
    if (kid.kind === 'bucket' || kid.stamp < oldest) branch.kids[nibble] = undefined;
    else left += sweepOlder(kid, oldest);
  }
  return left;
}

// --- staging ----------------------------------------------------------------------------------------------------------------------

/** Sorted by key, one write a key; value hashes as ByteText. */
interface Batch {
  readonly keys: readonly ByteText[];
  readonly values: readonly (ByteText | undefined)[];
}

function sortWrites(writes: readonly MapWrite[]): Batch {
  const last = new Map<ByteText, Digest | undefined>();
  for (const { key, valueHash } of writes) {
    if (key.length === 0 || key.length > MAP_KEY_BYTES_MAX) throw new RangeError(`Cannot map a key of ${key.length} bytes`);
    if (valueHash && valueHash.length !== DIGEST_BYTES) throw new RangeError(`Cannot map a value hash of ${valueHash.length} bytes`);
    last.set(key, valueHash);
  }
  const keys = Array.from(last.keys()).sort(); // code unit order is byte order for ByteText
  const values = keys.map((key) => {
    const valueHash = last.get(key);
    return valueHash && toByteText(valueHash);
  });
  return { keys, values };
}

/** One run of sorted writes down the tree. Branches on the way are copied, the rest is shared with the version before. */
class Staging {
  readonly buckets: Branch[] = [];
  readonly replaced = new Set<ByteText>();
  readonly #walker: Walker;
  readonly #hasher: NodeHasher;
  readonly #rows = new Map<ByteText, Uint8Array | undefined>();
  readonly #writer = new RowWriter();
  /** What the last subtree came to; worth nothing when its count is 0. */
  #hash: ByteText = '';
  #node: Node | undefined;

  constructor(walker: Walker) {
    this.#walker = walker;
    this.#hasher = walker.hasher;
  }

  operations(): StoreOperation[] {
    return Array.from(this.#rows, ([key, value]) => ({ key, value }));
  }

  /** `batch` holds one write at least. */
  apply(batch: Batch, before: Version): Version {
    const count = this.#update(before.node, batch.keys[0]!, 0, batch, 0, batch.keys.length);
    if (count > MAP_COUNT_MAX) throw new RangeError(`Cannot hold more than ${MAP_COUNT_MAX} entries`);
    return { root: fromByteText(this.#hash), count, node: count === 0 ? undefined : this.#node };
  }

  #drop(slot: ByteText, depth: number): void {
    this.#rows.set(rowKeyOf(this.#walker.prefix, slot, depth), undefined);
  }

  #put(slot: ByteText, depth: number, node: Node): void {
    this.#rows.set(rowKeyOf(this.#walker.prefix, slot, depth), this.#writer.encode(node, depth));
  }

  /** Ends a subtree: its row, its hash, itself in memory. */
  #leave(slot: ByteText, depth: number, node: Node, hash: ByteText): void {
    this.#put(slot, depth, node);
    this.#hash = hash;
    this.#node = node;
  }

  /** Applies writes lo to hi, all of which lie under the slot, to what hangs there; leaves #hash and #node and returns the new count. */
  #update(node: Node | undefined, slot: ByteText, depth: number, batch: Batch, lo: number, hi: number): number {
    if (node?.kind === 'branch') return this.#updatePath(node, slot, depth, batch, lo, hi);
    const entries = merge(node ? node.entries : [], batch, lo, hi, this.replaced);
    if (entries.length > 0) this.#build(entries, 0, entries.length, depth);
    else if (node) this.#drop(slot, depth);
    return entries.length;
  }

  /** A subtree made of entries alone. */
  #build(entries: readonly Entry[], lo: number, hi: number, slotDepth: number): void {
    const first = entries[lo]!.key;
    if (hi - lo <= BUCKET_ENTRIES_MAX) {
      const own = hi - lo === entries.length ? entries : entries.slice(lo, hi);
      this.#leave(first, slotDepth, { kind: 'bucket', entries: own }, this.#hasher.entries(own, 0, own.length));
      return;
    }
    const { depth, hasEnd, groups } = splitEntries(entries, lo, hi);
    const branch = newBranch(packPath(first, depth), depth, this.#walker.stamp + 1);
    if (hasEnd) branch.end = entries[lo]!.valueHash;
    for (const group of groups) {
      this.#build(entries, group.lo, group.hi, depth + 1);
      setChild(branch, group.nibble, group.hi - group.lo, this.#hash, this.#node);
    }
    this.buckets.push(branch);
    this.#leave(first, slotDepth, branch, this.#hasher.branch(branch));
  }

  #updatePath(branch: Branch, slot: ByteText, depth: number, batch: Batch, lo: number, hi: number): number {
    const { path } = branch;
    if (branch.depth === depth || (isUnder(batch.keys[lo]!, path, branch.depth) && isUnder(batch.keys[hi - 1]!, path, branch.depth)))
      return this.#updateBranch(copyBranch(branch, this.#walker.stamp + 1), slot, depth, batch, lo, hi);
    return this.#part(branch, slot, depth, batch, lo, hi);
  }

  /** Some writes leave the run of single children above `branch`: insertions there put a branch in between, deletions there are of nothing. */
  #part(branch: Branch, slot: ByteText, slotDepth: number, batch: Batch, lo: number, hi: number): number {
    const { path } = branch;
    let { depth } = branch;
    for (let i = lo; i < hi; i++) {
      const key = batch.keys[i]!;
      if (batch.values[i] && !isUnder(key, path, branch.depth)) depth = Math.min(depth, sharedNibbles(key, path));
    }
    const topPath = packPath(path, depth);
    const keys: ByteText[] = [];
    const values: (ByteText | undefined)[] = [];
    for (let i = lo; i < hi; i++) {
      const key = batch.keys[i]!;
      if (!isUnder(key, topPath, depth)) continue;
      keys.push(key);
      values.push(batch.values[i]);
    }
    if (keys.length === 0) {
      this.#hash = this.#hasher.branch(branch);
      this.#node = branch;
      return branchCount(branch);
    }
    const stamp = this.#walker.stamp + 1;
    let top: Branch;
    if (depth === branch.depth) top = copyBranch(branch, stamp);
    else {
      // The hash of a branch covers its full path, so it stays what it is one place lower.
      top = newBranch(topPath, depth, stamp);
      setChild(top, nibbleAt(path, depth), branchCount(branch), this.#hasher.branch(branch), branch);
      this.#put(path, depth + 1, branch);
    }
    return this.#updateBranch(top, slot, slotDepth, { keys, values }, 0, keys.length);
  }

  /** All writes lie under the path of `branch`, which is ours to change. */
  #updateBranch(branch: Branch, slot: ByteText, slotDepth: number, batch: Batch, lo: number, hi: number): number {
    const { depth } = branch;
    let next = lo;
    let holdsBucket = false;
    if (batch.keys[next]!.length * 2 === depth) {
      if (branch.end !== undefined) this.replaced.add(batch.keys[next]!);
      branch.end = batch.values[next++];
    }
    while (next < hi) {
      const key = batch.keys[next]!;
      const nibble = nibbleAt(key, depth);
      let stop = next + 1;
      while (stop < hi && nibbleAt(batch.keys[stop]!, depth) === nibble) stop++;
      const child = branch.counts[nibble] === 0 ? undefined : this.#walker.child(branch, nibble);
      const count = this.#update(child, key, depth + 1, batch, next, stop);
      setChild(branch, nibble, count, this.#hash, this.#node);
      if (count > 0 && count <= BUCKET_ENTRIES_MAX) holdsBucket = true;
      next = stop;
    }
    if (holdsBucket) this.buckets.push(branch);
    const count = branchCount(branch);
    if (count === 0) this.#drop(slot, slotDepth);
    else if (count <= BUCKET_ENTRIES_MAX) this.#collapse(branch, slot, slotDepth);
    else if (countBits(branch.mask) === 1 && branch.end === undefined) this.#lift(branch, slot, slotDepth);
    else this.#leave(slot, slotDepth, branch, this.#hasher.branch(branch));
    return count;
  }

  /** So few entries are left that they fit one bucket; then all children are buckets. */
  #collapse(branch: Branch, slot: ByteText, slotDepth: number): void {
    const entries: Entry[] = branch.end === undefined ? [] : [{ key: branch.path, valueHash: branch.end }];
    for (let nibble = 0; nibble < 16; nibble++) {
      if (branch.counts[nibble] === 0) continue;
      const child = this.#walker.child(branch, nibble);
      if (child.kind === 'bucket') entries.push(...child.entries);
      this.#drop(childPath(branch.path, branch.depth, nibble), branch.depth + 1);
    }
    this.#leave(slot, slotDepth, { kind: 'bucket', entries }, this.#hasher.entries(entries, 0, entries.length));
  }

  /** A single child is left and it is a branch: it takes the place of its parent, hash and all. */
  #lift(branch: Branch, slot: ByteText, slotDepth: number): void {
    const nibble = 31 - Math.clz32(branch.mask);
    const child = this.#walker.child(branch, nibble);
    this.#drop(childPath(branch.path, branch.depth, nibble), branch.depth + 1);
    this.#leave(slot, slotDepth, child, branch.hashes[nibble]!);
  }
}

/** Entries after the writes; both sides are sorted. Keys found on both go into `replaced`. */
function merge(old: readonly Entry[], batch: Batch, lo: number, hi: number, replaced: Set<ByteText>): Entry[] {
  const out: Entry[] = [];
  let i = 0;
  for (let j = lo; j < hi; j++) {
    const key = batch.keys[j]!;
    while (i < old.length && old[i]!.key < key) out.push(old[i++]!);
    if (i < old.length && old[i]!.key === key) {
      replaced.add(key);
      i++;
    }
    const valueHash = batch.values[j];
    if (valueHash !== undefined) out.push({ key, valueHash });
  }
  while (i < old.length) out.push(old[i++]!);
  return out;
}
