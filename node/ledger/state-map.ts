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
  type Digest,
  DIGEST_BYTES,
  emptyMapRoot,
  equalBytes,
  isUnder,
  MAP_COUNT_MAX,
  MAP_KEY_BYTES_MAX,
  type MapEntry,
  nibbleAt,
  packPath,
  childPath,
  sharedNibbles,
} from '../format/index.ts';
import type { StoreOperation } from '../world.ts';
import { proveRange } from './state-map-prove.ts';
import { readBranch, readBucket, rowKeyOf, type Subtrees } from './state-map-read.ts';
import {
  type Branch,
  BUCKET_ENTRIES_MAX,
  branchCount,
  branchPath,
  childAt,
  countBits,
  damaged,
  decodeBucket,
  decodeRow,
  encodeBucket,
  type MapHash,
  newBranch,
  REF_BYTES,
  type Row,
  RowHasher,
  readU32,
  splitEntries,
  writeU32,
} from './state-map-rows.ts';

/** Branch rows kept in memory by default; one takes about a kilobyte. */
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
}

type Overlay = Map<ByteText, Row | undefined>;

class Staged implements StagedMap {
  readonly root: Digest;
  readonly count: number;
  readonly overlay: Overlay;
  readonly beforeRoot: Digest;
  base: Staged | undefined;
  #operations: readonly StoreOperation[] | undefined;

  constructor(root: Digest, count: number, overlay: Overlay, beforeRoot: Digest, base: Staged | undefined) {
    this.root = root;
    this.count = count;
    this.overlay = overlay;
    this.beforeRoot = beforeRoot;
    this.base = base;
  }

  get operations(): readonly StoreOperation[] {
    this.#operations ??= Array.from(this.overlay, ([key, row]) => ({ key, value: row?.bytes }));
    return this.#operations;
  }
}

export function createStateMap(
  nodes: MapNodes,
  crypto: MapHash,
  prefix: ByteText,
  options: { readonly cacheNodesMax?: number } = {},
): StateMap {
  const hasher = new RowHasher(crypto);
  const cache = new RowCache(options.cacheNodesMax ?? CACHE_NODES_MAX);
  const committed = (rowKey: ByteText): Row | undefined => {
    const cached = cache.get(rowKey);
    if (cached) return cached;
    const bytes = nodes.get(rowKey);
    if (!bytes) return undefined;
    const row = decodeRow(bytes, rowKey);
    if (row.kind === 'branch') cache.set(rowKey, row);
    return row;
  };
  const reader =
    (staged: Staged | undefined) =>
    (rowKey: ByteText): Row | undefined => {
      for (let layer = staged; layer; layer = layer.base) {
        const row = layer.overlay.get(rowKey);
        if (row || layer.overlay.has(rowKey)) return row;
      }
      return committed(rowKey);
    };
  const subtree = (staged: Staged | undefined): Subtrees => ({ prefix, hasher, read: reader(staged) });
  let { root, count } = loadRoot(subtree(undefined), emptyMapRoot(crypto));

  const proveAt = (from: ByteText, to: ByteText | undefined, limit: number, at: StagedMap | undefined): Uint8Array => {
    const staged = at as Staged | undefined;
    const state = staged ?? { root, count };
    const proven = proveRange(subtree(staged), state.count, crypto, { from, to }, limit);
    if (!equalBytes(proven.root, state.root)) throw damaged(prefix);
    return proven.proof;
  };

  return {
    root: () => root,
    count: () => count,
    stage(writes, base) {
      const before = base as Staged | undefined;
      const state = before ?? { root, count };
      const staging = new Staging(subtree(before));
      if (writes.length === 0) return new Staged(state.root, state.count, staging.overlay, state.root, before);
      const after = staging.apply(sortWrites(writes), state.count);
      return new Staged(after.count === 0 ? emptyMapRoot(crypto) : after.hash, after.count, staging.overlay, state.root, before);
    },
    commit(staged) {
      const next = staged as Staged;
      if (!equalBytes(next.beforeRoot, root)) throw new Error('Cannot commit a staged map: it was staged on another state');
      for (const [rowKey, row] of next.overlay) {
        if (row?.kind === 'branch') cache.set(rowKey, row);
        else cache.delete(rowKey);
      }
      root = next.root;
      count = next.count;
      next.base = undefined; // it is on disk, and would keep every earlier one alive
    },
    prove: (key, at) => proveAt(key, `${key}\0`, 1, at),
    proveRange: (from, to, limit, at) => proveAt(from, to, limit, at),
    has: (key, at) => find(subtree(at as Staged | undefined), key, (at ?? { count }).count),
  };
}

function loadRoot(subtrees: Subtrees, empty: Digest): { root: Digest; count: number } {
  const rowKey = rowKeyOf(subtrees.prefix, '', 0);
  const row = subtrees.read(rowKey);
  if (!row) return { root: empty, count: 0 };
  const root = new Uint8Array(DIGEST_BYTES);
  if (row.kind === 'branch') {
    subtrees.hasher.branch(row, 0, root, 0);
    return { root, count: branchCount(row) };
  }
  const entries = decodeBucket(row, '', 0, rowKey);
  subtrees.hasher.entries(entries, 0, entries.length, root, 0);
  return { root, count: entries.length };
}

function find(subtrees: Subtrees, key: ByteText, total: number): Digest | undefined {
  let depth = 0;
  for (let count = total; count > 0; ) {
    if (count <= BUCKET_ENTRIES_MAX) return readBucket(subtrees, key, depth, count).find((entry) => entry.key === key)?.valueHash;
    const branch = readBranch(subtrees, key, depth, count);
    if (!isUnder(key, branchPath(branch), branch.depth)) return undefined;
    if (key.length * 2 === branch.depth)
      return branch.endAt === 0 ? undefined : branch.bytes.subarray(branch.endAt, branch.endAt + DIGEST_BYTES);
    const nibble = nibbleAt(key, branch.depth);
    if (((branch.mask >> nibble) & 1) === 0) return undefined;
    count = readU32(branch.bytes, childAt(branch, nibble));
    depth = branch.depth + 1;
  }
  return undefined;
}

// --- staging ----------------------------------------------------------------------------------------------------------------------

/** Sorted by key, one write a key. */
interface Batch {
  readonly keys: readonly ByteText[];
  readonly values: readonly (Digest | undefined)[];
}

function sortWrites(writes: readonly MapWrite[]): Batch {
  const last = new Map<ByteText, Digest | undefined>();
  for (const { key, valueHash } of writes) {
    if (key.length === 0 || key.length > MAP_KEY_BYTES_MAX) throw new RangeError(`Cannot map a key of ${key.length} bytes`);
    if (valueHash && valueHash.length !== DIGEST_BYTES) throw new RangeError(`Cannot map a value hash of ${valueHash.length} bytes`);
    last.set(key, valueHash);
  }
  const keys = Array.from(last.keys()).sort(); // code unit order is byte order for ByteText
  return { keys, values: keys.map((key) => last.get(key)) };
}

/** New refs of the children of one branch while it is being updated. */
interface Frame {
  readonly counts: Uint32Array;
  readonly hashes: Uint8Array;
}

/** One run of sorted writes down the tree; `overlay` holds the rows it leaves behind. */
class Staging {
  readonly overlay: Overlay = new Map();
  readonly #subtrees: Subtrees;
  readonly #hasher: RowHasher;
  readonly #frames: Frame[] = [];
  #level = 0;

  constructor(subtrees: Subtrees) {
    const { overlay } = this;
    this.#hasher = subtrees.hasher;
    this.#subtrees = {
      ...subtrees,
      read: (rowKey) => {
        const row = overlay.get(rowKey);
        return row || overlay.has(rowKey) ? row : subtrees.read(rowKey);
      },
    };
  }

  /** `batch` holds one write at least. */
  apply(batch: Batch, count: number): { count: number; hash: Digest } {
    const hash = new Uint8Array(DIGEST_BYTES);
    const after = this.#update(batch.keys[0]!, 0, count, batch, 0, batch.keys.length, hash, 0);
    if (after > MAP_COUNT_MAX) throw new RangeError(`Cannot hold more than ${MAP_COUNT_MAX} entries`);
    return { count: after, hash };
  }

  #rowKey(slot: ByteText, depth: number): ByteText {
    return rowKeyOf(this.#subtrees.prefix, slot, depth);
  }

  /**
   * Applies writes lo to hi, all of which lie under the slot, to the `count` entries there. Writes the new hash to `out` and
   * returns the new count; with 0 the hash is left alone.
   */
  #update(slot: ByteText, depth: number, count: number, batch: Batch, lo: number, hi: number, out: Uint8Array, at: number): number {
    if (count > BUCKET_ENTRIES_MAX) return this.#updateLarge(slot, depth, count, batch, lo, hi, out, at);
    const old = count === 0 ? [] : readBucket(this.#subtrees, slot, depth, count);
    const entries = merge(old, batch, lo, hi);
    if (entries.length > 0) this.#build(entries, 0, entries.length, depth, out, at);
    else if (count > 0) this.overlay.set(this.#rowKey(slot, depth), undefined);
    return entries.length;
  }

  /** Rows and hash of a subtree made of entries alone. */
  #build(entries: readonly MapEntry[], lo: number, hi: number, slotDepth: number, out: Uint8Array, at: number): void {
    const first = entries[lo]!.key;
    if (hi - lo <= BUCKET_ENTRIES_MAX) {
      const own = lo === 0 && hi === entries.length ? entries : entries.slice(lo, hi);
      this.overlay.set(this.#rowKey(first, slotDepth), encodeBucket(own, slotDepth));
      this.#hasher.entries(own, 0, own.length, out, at);
      return;
    }
    const { depth, hasEnd, groups } = splitEntries(entries, lo, hi);
    let mask = 0;
    for (const group of groups) mask |= 1 << group.nibble;
    const branch = newBranch(packPath(first, depth), depth, mask, hasEnd);
    if (hasEnd) branch.bytes.set(entries[lo]!.valueHash, branch.endAt);
    let child = branch.childrenAt;
    for (const group of groups) {
      writeU32(branch.bytes, child, group.hi - group.lo);
      this.#build(entries, group.lo, group.hi, depth + 1, branch.bytes, child + 4);
      child += REF_BYTES;
    }
    this.#put(this.#rowKey(first, slotDepth), branch, 15, out, at);
  }

  #put(rowKey: ByteText, branch: Branch, stale: number, out: Uint8Array, at: number): void {
    this.overlay.set(rowKey, branch);
    this.#hasher.branch(branch, stale, out, at);
  }

  #updateLarge(slot: ByteText, depth: number, count: number, batch: Batch, lo: number, hi: number, out: Uint8Array, at: number): number {
    const branch = readBranch(this.#subtrees, slot, depth, count);
    if (branch.depth > depth) {
      const path = branchPath(branch);
      if (!isUnder(batch.keys[lo]!, path, branch.depth) || !isUnder(batch.keys[hi - 1]!, path, branch.depth))
        return this.#part(slot, depth, count, branch, path, batch, lo, hi, out, at);
    }
    return this.#updateBranch(slot, depth, branch, batch, lo, hi, out, at);
  }

  /** Some writes leave the run of single children above `branch`: insertions there put a branch in between, deletions there are of nothing. */
  #part(
    slot: ByteText,
    slotDepth: number,
    count: number,
    branch: Branch,
    path: ByteText,
    batch: Batch,
    lo: number,
    hi: number,
    out: Uint8Array,
    at: number,
  ): number {
    let depth = branch.depth;
    for (let i = lo; i < hi; i++) {
      const key = batch.keys[i]!;
      if (batch.values[i] && !isUnder(key, path, branch.depth)) depth = Math.min(depth, sharedNibbles(key, path));
    }
    const kept = { keys: [] as ByteText[], values: [] as (Digest | undefined)[] };
    for (let i = lo; i < hi; i++) {
      const key = batch.keys[i]!;
      if (!isUnder(key, packPath(path, depth), depth)) continue;
      kept.keys.push(key);
      kept.values.push(batch.values[i]);
    }
    let top = branch;
    if (depth < branch.depth) {
      // The hash of a branch covers its full path, so it stays what it is one place lower.
      const nibble = nibbleAt(path, depth);
      this.overlay.set(this.#rowKey(path, depth + 1), branch);
      top = newBranch(packPath(path, depth), depth, 1 << nibble, false);
      writeU32(top.bytes, top.childrenAt, count);
      this.#hasher.branch(branch, 0, top.bytes, top.childrenAt + 4);
    } else if (kept.keys.length === 0) {
      this.#hasher.branch(branch, 0, out, at);
      return count;
    }
    return this.#updateBranch(slot, slotDepth, top, kept, 0, kept.keys.length, out, at);
  }

  /** All writes lie under the path of `branch`. */
  #updateBranch(
    slot: ByteText,
    slotDepth: number,
    branch: Branch,
    batch: Batch,
    lo: number,
    hi: number,
    out: Uint8Array,
    at: number,
  ): number {
    const { depth } = branch;
    const frame = this.#enter();
    let next = lo;
    let end = branch.endAt === 0 ? undefined : branch.bytes.subarray(branch.endAt, branch.endAt + DIGEST_BYTES);
    const hadEnd = end !== undefined;
    if (batch.keys[next]!.length * 2 === depth) end = batch.values[next++];
    let touched = 0;
    let mask = branch.mask;
    while (next < hi) {
      const key = batch.keys[next]!;
      const nibble = nibbleAt(key, depth);
      let stop = next + 1;
      while (stop < hi && nibbleAt(batch.keys[stop]!, depth) === nibble) stop++;
      const before = ((branch.mask >> nibble) & 1) === 0 ? 0 : readU32(branch.bytes, childAt(branch, nibble));
      const after = this.#update(key, depth + 1, before, batch, next, stop, frame.hashes, nibble * DIGEST_BYTES);
      frame.counts[nibble] = after;
      touched |= 1 << nibble;
      mask = after === 0 ? mask & ~(1 << nibble) : mask | (1 << nibble);
      next = stop;
    }
    this.#level--;

    const updated = rebuild(branch, frame, touched, mask, end, hadEnd);
    const count = branchCount(updated);
    const rowKey = this.#rowKey(slot, slotDepth);
    if (count === 0) this.overlay.set(rowKey, undefined);
    else if (count <= BUCKET_ENTRIES_MAX) this.#collapse(slot, slotDepth, updated, out, at);
    else if (countBits(mask) === 1 && !end) this.#lift(rowKey, updated, out, at);
    else {
      let stale = 0;
      for (let quad = 0; quad < 4; quad++) if ((touched >> (4 * quad)) & 15) stale |= 1 << quad;
      this.#put(rowKey, updated, stale, out, at);
    }
    return count;
  }

  #enter(): Frame {
    this.#frames[this.#level] ??= { counts: new Uint32Array(16), hashes: new Uint8Array(16 * DIGEST_BYTES) };
    return this.#frames[this.#level++]!;
  }

  /** So few entries are left that they fit one bucket; then all children are buckets. */
  #collapse(slot: ByteText, slotDepth: number, branch: Branch, out: Uint8Array, at: number): void {
    const path = branchPath(branch);
    const entries: MapEntry[] = [];
    if (branch.endAt !== 0) entries.push({ key: path, valueHash: branch.bytes.subarray(branch.endAt, branch.endAt + DIGEST_BYTES) });
    for (let nibble = 0; nibble < 16; nibble++) {
      if (((branch.mask >> nibble) & 1) === 0) continue;
      const child = childPath(path, branch.depth, nibble);
      entries.push(...readBucket(this.#subtrees, child, branch.depth + 1, readU32(branch.bytes, childAt(branch, nibble))));
      this.overlay.set(this.#rowKey(child, branch.depth + 1), undefined);
    }
    this.overlay.set(this.#rowKey(slot, slotDepth), encodeBucket(entries, slotDepth));
    this.#hasher.entries(entries, 0, entries.length, out, at);
  }

  /** A single child is left and it is a branch: it takes the place of its parent, hash and all. */
  #lift(rowKey: ByteText, branch: Branch, out: Uint8Array, at: number): void {
    const nibble = 31 - Math.clz32(branch.mask);
    const ref = childAt(branch, nibble);
    const child = childPath(branchPath(branch), branch.depth, nibble);
    this.overlay.set(rowKey, readBranch(this.#subtrees, child, branch.depth + 1, readU32(branch.bytes, ref)));
    this.overlay.set(this.#rowKey(child, branch.depth + 1), undefined);
    out.set(branch.bytes.subarray(ref + 4, ref + REF_BYTES), at);
  }
}

/** The branch with the touched children and the end entry replaced. Quads that were not touched keep their hashes. */
function rebuild(branch: Branch, frame: Frame, touched: number, mask: number, end: Digest | undefined, hadEnd: boolean): Branch {
  const same = mask === branch.mask && (end !== undefined) === hadEnd;
  let updated: Branch;
  if (same) {
    updated = { ...branch, bytes: branch.bytes.slice(), quads: branch.quads?.slice() };
  } else {
    updated = newBranch(branchPath(branch), branch.depth, mask, end !== undefined);
    updated.quads = branch.quads?.slice();
  }
  if (end) updated.bytes.set(end, updated.endAt);
  let at = updated.childrenAt;
  let old = branch.childrenAt;
  for (let nibble = 0; nibble < 16; nibble++) {
    const bit = 1 << nibble;
    if (mask & bit) {
      if (touched & bit) {
        writeU32(updated.bytes, at, frame.counts[nibble]!);
        updated.bytes.set(frame.hashes.subarray(nibble * DIGEST_BYTES, (nibble + 1) * DIGEST_BYTES), at + 4);
      } else if (!same) {
        updated.bytes.set(branch.bytes.subarray(old, old + REF_BYTES), at);
      }
      at += REF_BYTES;
    }
    if (branch.mask & bit) old += REF_BYTES;
  }
  return updated;
}

/** Entries after the writes; both sides are sorted. */
function merge(old: readonly MapEntry[], batch: Batch, lo: number, hi: number): MapEntry[] {
  const out: MapEntry[] = [];
  let i = 0;
  for (let j = lo; j < hi; j++) {
    const key = batch.keys[j]!;
    while (i < old.length && old[i]!.key < key) out.push(old[i++]!);
    if (i < old.length && old[i]!.key === key) i++;
    const valueHash = batch.values[j];
    if (valueHash) out.push({ key, valueHash });
  }
  while (i < old.length) out.push(old[i++]!);
  return out;
}

// --- cache ------------------------------------------------------------------------------------------------------------------------

/** Two generations: what is read moves to the young one; when that is full the old one is dropped. Costs less than exact order of use. */
class RowCache {
  readonly #generationMax: number;
  #young = new Map<ByteText, Branch>();
  #old = new Map<ByteText, Branch>();

  constructor(rowsMax: number) {
    this.#generationMax = Math.max(1, Math.floor(rowsMax / 2));
  }

  get(rowKey: ByteText): Branch | undefined {
    const young = this.#young.get(rowKey);
    if (young) return young;
    const old = this.#old.get(rowKey);
    if (old) this.set(rowKey, old);
    return old;
  }

  set(rowKey: ByteText, row: Branch): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(rowKey, row);
    this.#old.delete(rowKey);
  }

  delete(rowKey: ByteText): void {
    this.#young.delete(rowKey);
    this.#old.delete(rowKey);
  }
}
