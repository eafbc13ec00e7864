/**
 * One run of a block's sorted writes down the tree: branches on the way are copied, buckets written anew, and everything else is shared
 * with the version before. Each branch and bucket that changes is hashed once.
 */
import { BUCKET_ENTRIES_MAX, DIGEST_BYTES } from '../format/index.ts';
import { type Batch, nibbleOf } from './batch.ts';
import { bodyBytesAt, RECORD_HEADER_BYTES, skipAt } from './bucket-log.ts';
import { Entries, NO_HEAD } from './entries.ts';
import type { Node, Tree, Version } from './tree.ts';

const ALL_QUADS = 15;

export class Staging {
  /** Nodes this version made, and nodes it no longer refers to (some of them its own). */
  readonly made: Node[] = [];
  readonly left: Node[] = [];
  readonly #tree: Tree;
  readonly #batch: Batch;
  /** Entries on their way into buckets; the keys of paths that are hashed. */
  readonly #entries = new Entries();
  readonly #old = new Entries();
  /** The node that the last subtree became. */
  #node: Node = 0;

  constructor(tree: Tree, batch: Batch) {
    this.#tree = tree;
    this.#batch = batch;
  }

  /** `batch` holds one write at least. */
  apply(before: Version): Version {
    const root = before.root.slice();
    const count = this.#update(before.top, 0, 0, this.#batch.count, root, 0);
    if (count === 0) this.#tree.hasher.empty(root, 0);
    return { root, count, top: this.#node };
  }

  /**
   * Applies writes lo to hi, all of which lie under the slot, to what hangs there; leaves #node, its hash in `out`, and returns its count.
   * Until then `out` holds the hash of `node`.
   */
  #update(node: Node, slotDepth: number, lo: number, hi: number, out: Uint8Array, outAt: number): number {
    if (node > 0) return this.#updatePath(node, slotDepth, lo, hi, out, outAt);
    this.#entries.clear();
    this.#merge(-node, lo, hi);
    if (node < 0) this.left.push(node);
    if (this.#entries.count === 0) this.#node = 0;
    else this.#build(0, this.#entries.count, slotDepth, out, outAt);
    return this.#entries.count;
  }

  /** Fills #entries with those of a bucket (none when 0) after writes lo to hi. */
  #merge(bucket: number, lo: number, hi: number): void {
    const batch = this.#batch;
    const entries = this.#entries;
    let next = lo;
    if (bucket !== 0) {
      const old = this.#old;
      old.clear();
      old.pushBucket(this.#tree.log, bucket);
      for (let i = 0; i < old.count; i++) {
        let order = 1;
        while (next < hi) {
          order = this.#compare(next, i);
          if (order >= 0) break;
          this.#pushWrite(next++);
        }
        if (next < hi && order === 0) {
          batch.replace(next, old.bytes[i]!, old.valueHashAt(i), old.location[i]!);
          this.#pushWrite(next++);
        } else entries.push(old.bytes[i]!, old.head[i]!, old.skip[i]!, old.tail[i]!, old.length[i]!, old.location[i]!);
      }
    }
    while (next < hi) this.#pushWrite(next++);
  }

  /** Order of the key of a write to the key of an old entry under the same slot. */
  #compare(write: number, i: number): number {
    const batch = this.#batch;
    const old = this.#old;
    const { bytes } = batch;
    const skip = old.skip[i]!;
    const other = old.bytes[i]!;
    const at = batch.at[write]! + skip;
    const tail = old.tail[i]!;
    const length = batch.lengths[write]! - skip;
    const otherLength = old.length[i]! - skip;
    const most = Math.min(length, otherLength);
    for (let j = 0; j < most; j++) {
      const difference = bytes[at + j]! - other[tail + j]!;
      if (difference !== 0) return difference;
    }
    return length - otherLength;
  }

  #pushWrite(i: number): void {
    const batch = this.#batch;
    if (batch.deletes(i)) return;
    const at = batch.at[i]!;
    const length = batch.lengths[i]!;
    this.#entries.push(batch.bytes, NO_HEAD, 0, at, length, at + length + DIGEST_BYTES);
  }

  /** A subtree of #entries lo to hi alone. */
  #build(lo: number, hi: number, slotDepth: number, out: Uint8Array, outAt: number): void {
    const { log, branches, hasher } = this.#tree;
    const entries = this.#entries;
    if (hi - lo <= BUCKET_ENTRIES_MAX) {
      this.#make(-entries.writeBucket(lo, hi, slotDepth >> 1, log, hasher, out, outAt));
      return;
    }
    const depth = entries.sharedNibbles(lo, hi - 1, slotDepth >> 1);
    const branch = this.#make(branches.add(depth));
    const hashes = branches.hashes(branch);
    let i = lo;
    if (entries.length[lo]! * 2 === depth) branches.setEnd(branch, -this.#make(-entries.writeEnd(i++, log, hasher)));
    while (i < hi) {
      const nibble = entries.nibble(i, depth);
      const from = i++;
      while (i < hi && entries.nibble(i, depth) === nibble) i++;
      this.#build(from, i, depth + 1, hashes, branches.hashAt(branch, nibble));
      branches.setChild(branch, nibble, this.#node, i - from);
    }
    this.#hashBranch(branch, ALL_QUADS, (target, at) => entries.writeKey(lo, (depth + 1) >> 1, target, at), out, outAt);
    this.#node = branch;
  }

  #make(node: Node): Node {
    this.made.push(node);
    this.#node = node;
    return node;
  }

  #hashBranch(branch: number, quads: number, writePath: (target: Uint8Array, at: number) => void, out: Uint8Array, outAt: number): void {
    const { branches, log, hasher } = this.#tree;
    const end = branches.end(branch);
    if (end === 0) {
      hasher.branch(branches, branch, quads, writePath, undefined, 0, out, outAt);
      return;
    }
    const bytes = log.segment(end);
    const start = log.start(end);
    hasher.branch(branches, branch, quads, writePath, bytes, start + RECORD_HEADER_BYTES + skipAt(bytes, start) + 3, out, outAt);
  }

  #updatePath(branch: number, slotDepth: number, lo: number, hi: number, out: Uint8Array, outAt: number): number {
    const depth = this.#tree.branches.depth(branch);
    if (depth === slotDepth) return this.#updateBranch(this.#copy(branch), slotDepth, lo, hi, out, outAt);
    // What the writes share with the path of the branch: it is in the key of any entry below.
    this.#old.clear();
    this.#old.pushBucket(this.#tree.log, this.#tree.sample(branch));
    if (this.#sharedWithPath(lo, depth) === depth && this.#sharedWithPath(hi - 1, depth) === depth)
      return this.#updateBranch(this.#copy(branch), slotDepth, lo, hi, out, outAt);
    return this.#part(branch, depth, slotDepth, lo, hi, out, outAt);
  }

  /** Nibbles, `depth` at most, that write i has in common with the first entry of #old. */
  #sharedWithPath(i: number, depth: number): number {
    const batch = this.#batch;
    const length = batch.lengths[i]! * 2;
    let shared = 0;
    while (shared < depth && shared < length && nibbleOf(batch, i, shared) === this.#old.nibble(0, shared)) shared++;
    return shared;
  }

  /**
   * Some writes leave the run of single children above `branch`: insertions there put a branch in between, deletions there are of nothing.
   * The hash of a branch covers its full path, so it stays what it is one place lower.
   */
  #part(branch: number, branchDepth: number, slotDepth: number, lo: number, hi: number, out: Uint8Array, outAt: number): number {
    const { branches } = this.#tree;
    let depth = branchDepth;
    for (let i = lo; i < hi; i++) if (!this.#batch.deletes(i)) depth = Math.min(depth, this.#sharedWithPath(i, branchDepth));
    let from = lo;
    while (from < hi && this.#sharedWithPath(from, depth) < depth) from++;
    let to = hi;
    while (to > from && this.#sharedWithPath(to - 1, depth) < depth) to--;
    const count = branches.total(branch);
    if (from === to) {
      this.#node = branch;
      return count;
    }
    if (depth === branchDepth) return this.#updateBranch(this.#copy(branch), slotDepth, from, to, out, outAt);
    const nibble = this.#old.nibble(0, depth);
    const top = this.#make(branches.add(depth));
    branches.setChild(top, nibble, branch, count);
    const hashes = branches.hashes(top);
    const at = branches.hashAt(top, nibble);
    for (let i = 0; i < DIGEST_BYTES; i++) hashes[at + i] = out[outAt + i]!;
    return this.#updateBranch(top, slotDepth, from, to, out, outAt);
  }

  #copy(branch: number): number {
    this.left.push(branch);
    return this.#make(this.#tree.branches.copy(branch));
  }

  /** All writes lie under the path of `branch`, which is ours to change. */
  #updateBranch(branch: number, slotDepth: number, lo: number, hi: number, out: Uint8Array, outAt: number): number {
    const { branches } = this.#tree;
    const batch = this.#batch;
    const depth = branches.depth(branch);
    const hashes = branches.hashes(branch);
    let next = lo;
    let quads = 0;
    if (batch.lengths[next]! * 2 === depth) this.#updateEnd(branch, next++);
    while (next < hi) {
      const nibble = nibbleOf(batch, next, depth);
      const from = next++;
      while (next < hi && nibbleOf(batch, next, depth) === nibble) next++;
      const count = this.#update(branches.child(branch, nibble), depth + 1, from, next, hashes, branches.hashAt(branch, nibble));
      branches.setChild(branch, nibble, this.#node, count);
      quads |= 1 << (nibble >> 2);
    }
    const count = branches.total(branch);
    if (count <= BUCKET_ENTRIES_MAX) this.#collapse(branch, slotDepth, out, outAt);
    else if (!this.#lift(branch, out, outAt)) {
      const at = batch.at[lo]!;
      const pathBytes = (depth + 1) >> 1;
      this.#hashBranch(branch, quads, (target, to) => copyBytes(batch.bytes, at, pathBytes, target, to), out, outAt);
      this.#node = branch;
    }
    return count;
  }

  #updateEnd(branch: number, write: number): void {
    const { branches, log, hasher } = this.#tree;
    const end = branches.end(branch);
    if (end !== 0) {
      const bytes = log.segment(end);
      const start = log.start(end);
      const body = start + RECORD_HEADER_BYTES + skipAt(bytes, start);
      this.#batch.replace(write, bytes, body + 3, body + bodyBytesAt(bytes, start));
      this.left.push(-end);
    }
    this.#entries.clear();
    this.#pushWrite(write);
    branches.setEnd(branch, this.#entries.count === 0 ? 0 : -this.#make(-this.#entries.writeEnd(0, log, hasher)));
  }

  /** So few entries are left that they fit one bucket; then all children are buckets. */
  #collapse(branch: number, slotDepth: number, out: Uint8Array, outAt: number): void {
    const { branches, log } = this.#tree;
    const entries = this.#entries;
    entries.clear();
    const takeIn = (bucket: number) => {
      if (bucket === 0) return;
      entries.pushBucket(log, bucket);
      this.left.push(-bucket);
    };
    takeIn(branches.end(branch));
    for (let nibble = 0; nibble < 16; nibble++) takeIn(-branches.child(branch, nibble));
    this.left.push(branch);
    this.#node = 0;
    if (entries.count > 0) this.#build(0, entries.count, slotDepth, out, outAt);
  }

  /** When a single child is left, which is a branch then, it takes the place of its parent, hash and all. */
  #lift(branch: number, out: Uint8Array, outAt: number): boolean {
    const { branches } = this.#tree;
    const mask = branches.mask(branch);
    if ((mask & (mask - 1)) !== 0 || branches.end(branch) !== 0) return false;
    const nibble = 31 - Math.clz32(mask);
    copyBytes(branches.hashes(branch), branches.hashAt(branch, nibble), DIGEST_BYTES, out, outAt);
    this.left.push(branch);
    this.#node = branches.child(branch, nibble);
    return true;
  }
}

function copyBytes(from: Uint8Array, at: number, count: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < count; i++) to[toAt + i] = from[at + i]!;
}
