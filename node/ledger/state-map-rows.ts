/**
 * Rows of the state map on disk, and their hashes. A row stands under the place its subtree hangs from (its slot), so that an update
 * overwrites in place: subtrees of up to BUCKET_ENTRIES_MAX entries are one `bucket` row, larger ones a `branch` row whose children have
 * rows of their own. Rows are only packing: hashes are those of node/format/map-proof.ts, whatever the packing.
 *
 * bucket  1 | u8 count | per entry: u16 length, key from the byte the slot ends in, valueHash
 * branch  2 | u16 depth | path | u8 end | u16 mask | [valueHash of the entry whose key is the path] | per child: u32 count, hash
 * The bytes of a branch up to its mask are at the same time the beginning of what its hash covers.
 */
import {
  type ByteText,
  type Crypto,
  DIGEST_BYTES,
  domainTag,
  fromByteText,
  MAP_KEY_BYTES_MAX,
  type MapEntry,
  nibbleAt,
  packPath,
  sharedNibbles,
  toByteText,
  toHex,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';

/** Entries one bucket row holds at most. Smaller buckets write fewer bytes, larger ones fewer rows; see decisions/0001. */
export const BUCKET_ENTRIES_MAX = 4;
export const REF_BYTES = 4 + DIGEST_BYTES;
const BUCKET = 1;
const BRANCH = 2;
const QUAD_HASH = 1; // kind of a quad in front of what its hash covers
const DEPTH_BYTES = 2;

/** `hash` as Crypto, and a form of it that gives the digest as ByteText: Node makes strings four times as fast as Buffers. */
export interface MapHash extends Pick<Crypto, 'hash'> {
  readonly hashText?: (data: Uint8Array) => ByteText;
}

/** A branch, read in place. `quads` holds four digests, valid only for quads of two children and more; undefined when not yet computed. */
export interface Branch {
  readonly kind: 'branch';
  readonly bytes: Uint8Array;
  readonly depth: number;
  readonly mask: number;
  /** Offset of the end entry's valueHash, or 0. */
  readonly endAt: number;
  readonly childrenAt: number;
  quads: Uint8Array | undefined;
}

export interface Bucket {
  readonly kind: 'bucket';
  readonly bytes: Uint8Array;
}

export type Row = Branch | Bucket;

export function countBits(mask: number): number {
  let v = mask - ((mask >> 1) & 0x5555);
  v = (v & 0x3333) + ((v >> 2) & 0x3333);
  v = (v + (v >> 4)) & 0x0f0f;
  return (v + (v >> 8)) & 0x1f;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Offset of the ref of child `nibble`, which must be in the mask. */
export function childAt(branch: Branch, nibble: number): number {
  return branch.childrenAt + REF_BYTES * countBits(branch.mask & ((1 << nibble) - 1));
}

export function branchPath(branch: Branch): ByteText {
  return toByteText(branch.bytes.subarray(1 + DEPTH_BYTES, 1 + DEPTH_BYTES + ((branch.depth + 1) >> 1)));
}

export function branchCount(branch: Branch): number {
  let count = branch.endAt === 0 ? 0 : 1;
  for (let at = branch.childrenAt; at < branch.bytes.length; at += REF_BYTES) count += readU32(branch.bytes, at);
  return count;
}

/** @throws ChainError STORE_DAMAGED */
export function decodeRow(bytes: Uint8Array, rowKey: ByteText): Row {
  if (bytes[0] === BUCKET) return { kind: 'bucket', bytes };
  if (bytes[0] === BRANCH && bytes.length > 1 + DEPTH_BYTES) {
    const depth = (bytes[1]! << 8) | bytes[2]!;
    const maskAt = 2 + DEPTH_BYTES + ((depth + 1) >> 1);
    const end = bytes[maskAt - 1];
    const mask = (bytes[maskAt]! << 8) | bytes[maskAt + 1]!;
    const childrenAt = maskAt + 2 + (end === 1 ? DIGEST_BYTES : 0);
    if (end! <= 1 && bytes.length === childrenAt + REF_BYTES * countBits(mask))
      return { kind: 'branch', bytes, depth, mask, endAt: end === 1 ? maskAt + 2 : 0, childrenAt, quads: undefined };
  }
  throw damaged(rowKey);
}

export function damaged(rowKey: ByteText): ChainError {
  return new ChainError('STORE_DAMAGED', { table: 'state map', key: toHex(fromByteText(rowKey)) });
}

/** Space for a branch at `path`, its header written; children and end entry are for the caller to fill in. */
export function newBranch(path: ByteText, depth: number, mask: number, withEnd: boolean): Branch {
  const maskAt = 2 + DEPTH_BYTES + path.length;
  const childrenAt = maskAt + 2 + (withEnd ? DIGEST_BYTES : 0);
  const bytes = new Uint8Array(childrenAt + REF_BYTES * countBits(mask));
  bytes[0] = BRANCH;
  bytes[1] = depth >> 8;
  bytes[2] = depth;
  for (let i = 0; i < path.length; i++) bytes[3 + i] = path.charCodeAt(i);
  bytes[maskAt - 1] = withEnd ? 1 : 0;
  bytes[maskAt] = mask >> 8;
  bytes[maskAt + 1] = mask;
  return { kind: 'branch', bytes, depth, mask, endAt: withEnd ? maskAt + 2 : 0, childrenAt, quads: undefined };
}

export function encodeBucket(entries: readonly MapEntry[], slotDepth: number): Bucket {
  const skip = slotDepth >> 1;
  let size = 2;
  for (const entry of entries) size += 2 + entry.key.length - skip + DIGEST_BYTES;
  const bytes = new Uint8Array(size);
  bytes[0] = BUCKET;
  bytes[1] = entries.length;
  let at = 2;
  for (const { key, valueHash } of entries) {
    const length = key.length - skip;
    bytes[at++] = length >> 8;
    bytes[at++] = length;
    for (let i = skip; i < key.length; i++) bytes[at++] = key.charCodeAt(i);
    bytes.set(valueHash, at);
    at += DIGEST_BYTES;
  }
  return { kind: 'bucket', bytes };
}

/** @param slot any key or path that begins with the slot. @throws ChainError STORE_DAMAGED */
export function decodeBucket(bucket: Bucket, slot: ByteText, slotDepth: number, rowKey: ByteText): MapEntry[] {
  const { bytes } = bucket;
  const before = slot.slice(0, slotDepth >> 1);
  const entries: MapEntry[] = [];
  let at = 2;
  for (let i = 0; i < bytes[1]!; i++) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    const keyEnd = at + 2 + length;
    if (!(length <= MAP_KEY_BYTES_MAX && keyEnd + DIGEST_BYTES <= bytes.length)) throw damaged(rowKey);
    entries.push({ key: before + toByteText(bytes.subarray(at + 2, keyEnd)), valueHash: bytes.subarray(keyEnd, keyEnd + DIGEST_BYTES) });
    at = keyEnd + DIGEST_BYTES;
  }
  if (at !== bytes.length || entries.length === 0) throw damaged(rowKey);
  return entries;
}

/** One child of a subtree held as entries. */
export interface EntryGroup {
  readonly nibble: number;
  readonly lo: number;
  readonly hi: number;
}

/** How two or more sorted entries hang together: the depth at which they part, and the runs that share the nibble there. */
export function splitEntries(
  entries: readonly MapEntry[],
  lo: number,
  hi: number,
): { depth: number; hasEnd: boolean; groups: EntryGroup[] } {
  const first = entries[lo]!.key;
  const depth = sharedNibbles(first, entries[hi - 1]!.key);
  const hasEnd = first.length * 2 === depth;
  const groups: EntryGroup[] = [];
  for (let i = hasEnd ? lo + 1 : lo; i < hi; ) {
    const nibble = nibbleAt(entries[i]!.key, depth);
    let j = i + 1;
    while (j < hi && nibbleAt(entries[j]!.key, depth) === nibble) j++;
    groups.push({ nibble, lo: i, hi: j });
    i = j;
  }
  return { depth, hasEnd, groups };
}

const NODE_SCRATCH_BYTES = 64 + 2 * MAP_KEY_BYTES_MAX + 16 * REF_BYTES;

/** Hashes rows in scratch space of its own; results are written where the caller says. */
export class RowHasher {
  readonly #hash: MapHash;
  readonly #node = new Uint8Array(NODE_SCRATCH_BYTES);
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

  #digest(data: Uint8Array, out: Uint8Array, at: number): void {
    if (this.#hash.hashText) {
      const text = this.#hash.hashText(data);
      for (let i = 0; i < DIGEST_BYTES; i++) out[at + i] = text.charCodeAt(i);
    } else out.set(this.#hash.hash(data), at);
  }

  entry(key: ByteText, valueHash: Uint8Array, out: Uint8Array, outAt: number): void {
    const data = this.#entry;
    let at = this.#entryFrom;
    for (let i = 0; i < key.length; i++) data[at++] = key.charCodeAt(i);
    data.set(valueHash, at);
    this.#digest(data.subarray(0, at + DIGEST_BYTES), out, outAt);
  }

  /** Computes the quads in `stale` (bit q for quad q) and all when none are known, then the branch's own hash. */
  branch(branch: Branch, stale: number, out: Uint8Array, outAt: number): void {
    const { bytes, mask } = branch;
    const data = this.#node;
    const from = this.#nodeFrom;
    let redo = stale;
    let quads = branch.quads;
    if (!quads) {
      quads = new Uint8Array(4 * DIGEST_BYTES);
      branch.quads = quads;
      redo = 15;
    }
    let child = branch.childrenAt;
    for (let quad = 0; quad < 4; quad++) {
      const members = countBits((mask >> (4 * quad)) & 15);
      const length = members * REF_BYTES;
      if (members >= 2 && (redo >> quad) & 1) {
        data[from] = QUAD_HASH;
        data.set(bytes.subarray(child, child + length), from + 1);
        this.#digest(data.subarray(0, from + 1 + length), quads, quad * DIGEST_BYTES);
      }
      child += length;
    }
    const headerBytes = branch.childrenAt - (branch.endAt === 0 ? 0 : DIGEST_BYTES);
    data.set(bytes.subarray(0, headerBytes), from);
    let at = from + headerBytes;
    if (branch.endAt !== 0) {
      this.entry(branchPath(branch), bytes.subarray(branch.endAt, branch.endAt + DIGEST_BYTES), data, at);
      at += DIGEST_BYTES;
    }
    child = branch.childrenAt;
    for (let quad = 0; quad < 4; quad++) {
      const members = countBits((mask >> (4 * quad)) & 15);
      if (members === 1) {
        data.set(bytes.subarray(child, child + REF_BYTES), at);
        at += REF_BYTES;
      } else if (members > 1) {
        let count = 0;
        for (let i = 0; i < members; i++) count += readU32(bytes, child + i * REF_BYTES);
        writeU32(data, at, count);
        data.set(quads.subarray(quad * DIGEST_BYTES, (quad + 1) * DIGEST_BYTES), at + 4);
        at += REF_BYTES;
      }
      child += members * REF_BYTES;
    }
    this.#digest(data.subarray(0, at), out, outAt);
  }

  /** Hash of the subtree over sorted entries lo to hi, at least one. */
  entries(entries: readonly MapEntry[], lo: number, hi: number, out: Uint8Array, outAt: number): void {
    if (hi - lo === 1) this.entry(entries[lo]!.key, entries[lo]!.valueHash, out, outAt);
    else this.branch(this.branchOf(entries, lo, hi), 15, out, outAt);
  }

  /** The branch over two or more sorted entries, with the hashes of its children but no rows for them. */
  branchOf(entries: readonly MapEntry[], lo: number, hi: number): Branch {
    const { depth, hasEnd, groups } = splitEntries(entries, lo, hi);
    let mask = 0;
    for (const group of groups) mask |= 1 << group.nibble;
    const branch = newBranch(packPath(entries[lo]!.key, depth), depth, mask, hasEnd);
    if (hasEnd) branch.bytes.set(entries[lo]!.valueHash, branch.endAt);
    let at = branch.childrenAt;
    for (const group of groups) {
      writeU32(branch.bytes, at, group.hi - group.lo);
      this.entries(entries, group.lo, group.hi, branch.bytes, at + 4);
      at += REF_BYTES;
    }
    return branch;
  }
}
