/**
 * Subtrees of the state map in memory, their rows on disk, and their hashes. A row stands under the place its subtree hangs from (its
 * slot), so that an update overwrites in place: subtrees of up to BUCKET_ENTRIES_MAX entries are one `bucket` row, larger ones a `branch` row
 * whose children have rows of their own. Rows are only packing: hashes are those of node/format/map-proof.ts, whatever the packing.
 *
 * bucket  1 | u8 count | per entry: u16 length, key from the byte the slot ends in, valueHash
 * branch  2 | u16 depth | path | u8 end | u16 mask | [valueHash of the entry whose key is the path] | per child: u32 count, hash
 *
 * In memory digests are ByteText: strings live on the heap of the engine, where a short-lived Uint8Array costs ten times as much.
 */
import {
  type ByteText,
  type Crypto,
  DIGEST_BYTES,
  domainTag,
  fromByteText,
  MAP_KEY_BYTES_MAX,
  nibbleAt,
  packPath,
  sharedNibbles,
  toByteText,
  toHex,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';

/** Entries one bucket row holds at most. Smaller buckets write fewer bytes, larger ones fewer rows; see decisions/0001. */
export const BUCKET_ENTRIES_MAX = 4;
const REF_BYTES = 4 + DIGEST_BYTES;
const BUCKET = 1;
const BRANCH = 2;
const HASH_QUAD = 1; // kinds in front of what a hash covers
const HASH_NODE = 2;
const ROW_BYTES_MAX = 64 + MAP_KEY_BYTES_MAX + 17 * REF_BYTES + BUCKET_ENTRIES_MAX * (2 + MAP_KEY_BYTES_MAX + DIGEST_BYTES);
const SLAB_BYTES = 256 * 1024; // rows of one block are cut from slabs of this size

/** `hash` as Crypto, and a form of it that gives the digest as ByteText: Node makes strings four times as fast as Buffers. */
export interface MapHash extends Pick<Crypto, 'hash'> {
  readonly hashText?: (data: Uint8Array) => ByteText;
}

export interface Entry {
  readonly key: ByteText;
  readonly valueHash: ByteText;
}

/** Few entries, sorted. */
export interface Bucket {
  readonly kind: 'bucket';
  readonly entries: readonly Entry[];
}

/** Entries below a path by their next nibble. Never changed once built, but for `kids` and `quads`, which only remember. */
export interface Branch {
  readonly kind: 'branch';
  readonly depth: number;
  readonly path: ByteText;
  mask: number;
  /** valueHash of the entry whose key is the path. */
  end: ByteText | undefined;
  /** By nibble; 0 and '' where there is no child. */
  readonly counts: number[];
  readonly hashes: ByteText[];
  /** Hashes of quads of two children and more; '' when not computed. */
  readonly quads: ByteText[];
  /** Children that are in memory. */
  readonly kids: (Node | undefined)[];
  /** When it was last walked through, in commits. */
  stamp: number;
}

export type Node = Branch | Bucket;

export function countBits(mask: number): number {
  let v = mask - ((mask >> 1) & 0x5555);
  v = (v & 0x3333) + ((v >> 2) & 0x3333);
  v = (v + (v >> 4)) & 0x0f0f;
  return (v + (v >> 8)) & 0x1f;
}

export function newBranch(path: ByteText, depth: number, stamp: number): Branch {
  return {
    kind: 'branch',
    depth,
    path,
    mask: 0,
    end: undefined,
    counts: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    hashes: ['', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''],
    quads: ['', '', '', ''],
    kids: new Array(16).fill(undefined),
    stamp,
  };
}

export function copyBranch(branch: Branch, stamp: number): Branch {
  const { depth, path, mask, end } = branch;
  const [counts, hashes, quads, kids] = [branch.counts.slice(), branch.hashes.slice(), branch.quads.slice(), branch.kids.slice()];
  return { kind: 'branch', depth, path, mask, end, counts, hashes, quads, kids, stamp };
}

/** Puts a child into a branch that is being built. A count of 0 takes it out. */
export function setChild(branch: Branch, nibble: number, count: number, hash: ByteText, kid: Node | undefined): void {
  branch.counts[nibble] = count;
  branch.hashes[nibble] = count === 0 ? '' : hash;
  branch.kids[nibble] = count === 0 ? undefined : kid;
  branch.quads[nibble >> 2] = '';
  branch.mask = count === 0 ? branch.mask & ~(1 << nibble) : branch.mask | (1 << nibble);
}

export function branchCount(branch: Branch): number {
  let count = branch.end === undefined ? 0 : 1;
  for (let nibble = 0; nibble < 16; nibble++) count += branch.counts[nibble]!;
  return count;
}

export function damaged(rowKey: ByteText): ChainError {
  return new ChainError('STORE_DAMAGED', { table: 'state map', key: toHex(fromByteText(rowKey)) });
}

// --- rows -------------------------------------------------------------------------------------------------------------------------

/** @param slot any key or path that begins with the slot. @throws ChainError STORE_DAMAGED */
export function decodeRow(bytes: Uint8Array, slot: ByteText, slotDepth: number, stamp: number, rowKey: ByteText): Node {
  const text = toByteText(bytes);
  const node = bytes[0] === BUCKET ? decodeBucket(text, slot.slice(0, slotDepth >> 1)) : decodeBranch(text, stamp);
  if (!node) throw damaged(rowKey);
  return node;
}

function decodeBucket(text: ByteText, before: ByteText): Bucket | undefined {
  const entries: Entry[] = [];
  let at = 2;
  while (at < text.length) {
    const keyAt = at + 2;
    const keyEnd = keyAt + ((text.charCodeAt(at) << 8) | text.charCodeAt(at + 1));
    at = keyEnd + DIGEST_BYTES;
    if (!(at <= text.length)) return undefined;
    entries.push({ key: before + text.slice(keyAt, keyEnd), valueHash: text.slice(keyEnd, at) });
  }
  if (entries.length === 0 || entries.length !== text.charCodeAt(1)) return undefined;
  return { kind: 'bucket', entries };
}

function decodeBranch(text: ByteText, stamp: number): Branch | undefined {
  if (text.charCodeAt(0) !== BRANCH) return undefined;
  const depth = (text.charCodeAt(1) << 8) | text.charCodeAt(2);
  const pathEnd = 3 + ((depth + 1) >> 1);
  const branch = newBranch(text.slice(3, pathEnd), depth, stamp);
  const hasEnd = text.charCodeAt(pathEnd);
  const mask = (text.charCodeAt(pathEnd + 1) << 8) | text.charCodeAt(pathEnd + 2);
  let at = pathEnd + 3;
  if (hasEnd === 1) {
    branch.end = text.slice(at, at + DIGEST_BYTES);
    at += DIGEST_BYTES;
  }
  if (!(hasEnd <= 1) || text.length !== at + REF_BYTES * countBits(mask)) return undefined;
  branch.mask = mask;
  for (let nibble = 0; nibble < 16; nibble++) {
    if (((mask >> nibble) & 1) === 0) continue;
    branch.counts[nibble] =
      text.charCodeAt(at) * 0x1000000 + ((text.charCodeAt(at + 1) << 16) | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3));
    branch.hashes[nibble] = text.slice(at + 4, at + REF_BYTES);
    at += REF_BYTES;
  }
  return branch;
}

/** Encodes the rows of one block one behind the other. */
export class RowWriter {
  #slab = new Uint8Array(0);
  #at = 0;

  encode(node: Node, slotDepth: number): Uint8Array {
    if (this.#slab.length - this.#at < ROW_BYTES_MAX) {
      this.#slab = new Uint8Array(this.#slab.length === 0 ? ROW_BYTES_MAX * 2 : SLAB_BYTES);
      this.#at = 0;
    }
    const from = this.#at;
    if (node.kind === 'bucket') this.#bucket(node, slotDepth >> 1);
    else this.#branch(node);
    return this.#slab.subarray(from, this.#at);
  }

  #bucket(bucket: Bucket, skip: number): void {
    const out = this.#slab;
    let at = this.#at;
    out[at++] = BUCKET;
    out[at++] = bucket.entries.length;
    for (const { key, valueHash } of bucket.entries) {
      const length = key.length - skip;
      out[at++] = length >> 8;
      out[at++] = length;
      for (let i = skip; i < key.length; i++) out[at++] = key.charCodeAt(i);
      at = put(out, at, valueHash);
    }
    this.#at = at;
  }

  #branch(branch: Branch): void {
    const out = this.#slab;
    let at = putHeader(out, this.#at, branch, BRANCH);
    if (branch.end !== undefined) at = put(out, at, branch.end);
    for (let nibble = 0; nibble < 16; nibble++)
      if (branch.counts[nibble] !== 0) at = putRef(out, at, branch.counts[nibble]!, branch.hashes[nibble]!);
    this.#at = at;
  }
}

function put(out: Uint8Array, at: number, text: ByteText): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function putRef(out: Uint8Array, at: number, count: number, hash: ByteText): number {
  out[at] = count >>> 24;
  out[at + 1] = count >>> 16;
  out[at + 2] = count >>> 8;
  out[at + 3] = count;
  return put(out, at + 4, hash);
}

/** What row and hash of a branch begin with alike. */
function putHeader(out: Uint8Array, from: number, branch: Branch, kind: number): number {
  out[from] = kind;
  out[from + 1] = branch.depth >> 8;
  out[from + 2] = branch.depth;
  const at = put(out, from + 3, branch.path);
  out[at] = branch.end === undefined ? 0 : 1;
  out[at + 1] = branch.mask >> 8;
  out[at + 2] = branch.mask;
  return at + 3;
}

// --- hashes -----------------------------------------------------------------------------------------------------------------------

/** How two or more sorted entries hang together: the depth at which they part, and the runs that share the nibble there. */
export interface Split {
  readonly depth: number;
  readonly hasEnd: boolean;
  readonly groups: readonly { readonly nibble: number; readonly lo: number; readonly hi: number }[];
}

export function splitEntries(entries: readonly Entry[], lo: number, hi: number): Split {
  const first = entries[lo]!.key;
  const depth = sharedNibbles(first, entries[hi - 1]!.key);
  const hasEnd = first.length * 2 === depth;
  const groups: { nibble: number; lo: number; hi: number }[] = [];
  for (let i = hasEnd ? lo + 1 : lo; i < hi; ) {
    const nibble = nibbleAt(entries[i]!.key, depth);
    let j = i + 1;
    while (j < hi && nibbleAt(entries[j]!.key, depth) === nibble) j++;
    groups.push({ nibble, lo: i, hi: j });
    i = j;
  }
  return { depth, hasEnd, groups };
}

/** Hashes subtrees in scratch space of its own. */
export class NodeHasher {
  readonly #hash: MapHash;
  readonly #node = new Uint8Array(ROW_BYTES_MAX);
  readonly #entry = new Uint8Array(64 + MAP_KEY_BYTES_MAX + DIGEST_BYTES);
  readonly #nodeFrom: number;
  readonly #entryFrom: number;

  constructor(hash: MapHash) {
    this.#hash = hash;
    this.#node.set(domainTag('map-node'));
    this.#nodeFrom = domainTag('map-node').length;
    this.#entry.set(domainTag('map-entry'));
    this.#entryFrom = domainTag('map-entry').length;
  }

  #digest(data: Uint8Array): ByteText {
    return this.#hash.hashText ? this.#hash.hashText(data) : toByteText(this.#hash.hash(data));
  }

  entry(key: ByteText, valueHash: ByteText): ByteText {
    const at = put(this.#entry, this.#entryFrom, key);
    return this.#digest(this.#entry.subarray(0, put(this.#entry, at, valueHash)));
  }

  /** Computes the quads that are not known, then the branch's own hash. */
  branch(branch: Branch): ByteText {
    const { counts, hashes, quads, mask } = branch;
    const data = this.#node;
    for (let quad = 0; quad < 4; quad++) {
      if (quads[quad] !== '' || countBits((mask >> (4 * quad)) & 15) < 2) continue;
      let at = this.#nodeFrom;
      data[at++] = HASH_QUAD;
      for (let nibble = 4 * quad; nibble < 4 * quad + 4; nibble++)
        if (counts[nibble] !== 0) at = putRef(data, at, counts[nibble]!, hashes[nibble]!);
      quads[quad] = this.#digest(data.subarray(0, at));
    }
    let at = putHeader(data, this.#nodeFrom, branch, HASH_NODE);
    if (branch.end !== undefined) at = put(data, at, this.entry(branch.path, branch.end));
    for (let quad = 0; quad < 4; quad++) {
      const members = (mask >> (4 * quad)) & 15;
      if (members === 0) continue;
      const from = 4 * quad;
      const count = counts[from]! + counts[from + 1]! + counts[from + 2]! + counts[from + 3]!;
      const alone = (members & (members - 1)) === 0;
      at = putRef(data, at, count, alone ? hashes[from + 31 - Math.clz32(members)]! : quads[quad]!);
    }
    return this.#digest(data.subarray(0, at));
  }

  /** Hash of the subtree over sorted entries lo to hi, at least one. */
  entries(entries: readonly Entry[], lo: number, hi: number): ByteText {
    if (hi - lo === 1) return this.entry(entries[lo]!.key, entries[lo]!.valueHash);
    return this.branch(this.branchOf(entries, splitEntries(entries, lo, hi), lo));
  }

  /** The branch over two or more sorted entries that begin at `lo`, with the hashes of its children but no kids. */
  branchOf(entries: readonly Entry[], split: Split, lo: number): Branch {
    const branch = newBranch(packPath(entries[lo]!.key, split.depth), split.depth, 0);
    if (split.hasEnd) branch.end = entries[lo]!.valueHash;
    for (const group of split.groups)
      setChild(branch, group.nibble, group.hi - group.lo, this.entries(entries, group.lo, group.hi), undefined);
    return branch;
  }
}
