/**
 * Hashes of buckets and branches, by the form of node/format/state-proof.ts, in scratch space of its own and into the memory of the caller.
 */
import { BUCKET_ENTRIES_MAX, type ByteText, type Crypto, DIGEST_BYTES, domainTag, MAP_KEY_BYTES_MAX, STATE_HASH } from '../format/index.ts';
import type { BranchSlab } from './branch-slab.ts';

/** `hash` as Crypto, and a form of it that gives the digest as ByteText: Node makes strings several times as fast as byte arrays. */
export interface MapHash extends Pick<Crypto, 'hash'> {
  readonly hashText?: (data: Uint8Array) => ByteText;
}

const BUCKET_TAG = domainTag('map-bucket');
const BRANCH_TAG = domainTag('map-branch');
const REF_BYTES = 4 + DIGEST_BYTES;
const DIGEST_WORDS = DIGEST_BYTES / 4;
/** What stands in front of the first ref: of a quad; of a branch, without path and end. */
const QUAD_FRONT_BYTES = BRANCH_TAG.length + 1;
const BRANCH_FRONT_BYTES = BRANCH_TAG.length + 6;
/** Where a body begins in NodeHash.scratch. */
export const BODY_AT = BUCKET_TAG.length;
const BODY_BYTES_MAX = 1 + BUCKET_ENTRIES_MAX * (2 + MAP_KEY_BYTES_MAX + DIGEST_BYTES);

export class NodeHash {
  /** Where the caller writes the body of a bucket before it is hashed, from BODY_AT on. */
  readonly scratch = new Uint8Array(BUCKET_TAG.length + BODY_BYTES_MAX);
  /** By how many bytes stand in front of the tag: hashes are copied by words where the first of them begins at a multiple of four. */
  readonly #branch = [0, 1, 2, 3].map((before) => new BranchScratch(before));
  readonly #hash: MapHash;
  readonly #bucketBegins: Begins;
  readonly #bodyBegins: Begins;

  constructor(hash: MapHash) {
    this.#hash = hash;
    this.scratch.set(BUCKET_TAG);
    this.#bucketBegins = new Begins(this.scratch);
    this.#bodyBegins = new Begins(this.scratch.subarray(BODY_AT));
  }

  /** Of the body that ends before `end` in scratch. */
  bucket(end: number, out: Uint8Array, at: number): void {
    this.#digest(this.#bucketBegins.to(end), out, at);
  }

  /** The body that ends before `end` in scratch. */
  body(end: number): Uint8Array {
    return this.#bodyBegins.to(end - BODY_AT);
  }

  empty(out: Uint8Array, at: number): void {
    const scratch = this.#branch[0]!;
    scratch.bytes[BRANCH_TAG.length] = STATE_HASH.empty;
    this.#digest(scratch.begins.to(BRANCH_TAG.length + 1), out, at);
  }

  /**
   * Hashes the quads whose bit is set in `changed`, then the branch. `writePath` puts the bytes of the path to where it is told.
   * @param end valueHash of the end, in `endBytes` at `endAt`; `endBytes` undefined when there is none.
   */
  branch(
    branches: BranchSlab,
    branch: number,
    changed: number,
    writePath: (target: Uint8Array, at: number) => void,
    endBytes: Uint8Array | undefined,
    endAt: number,
    out: Uint8Array,
    outAt: number,
  ): void {
    const words = branches.words(branch);
    const hashes = branches.hashes(branch);
    const mask = branches.mask(branch);
    const quads = this.#branch[-QUAD_FRONT_BYTES & 3]!;
    for (let quad = 0; quad < 4; quad++) {
      const members = (mask >> (4 * quad)) & 15;
      if (((changed >> quad) & 1) === 0 || (members & (members - 1)) === 0) continue;
      let at = quads.before + BRANCH_TAG.length;
      quads.bytes[at++] = STATE_HASH.quad;
      for (let nibble = 4 * quad; nibble < 4 * quad + 4; nibble++)
        if ((mask >> nibble) & 1) at = quads.putRef(at, branches.countOf(branch, nibble), words, branches.hashAt(branch, nibble));
      this.#digest(quads.begins.to(at - quads.before), hashes, branches.quadAt(branch, quad));
    }
    const depth = branches.depth(branch);
    const front = BRANCH_FRONT_BYTES + ((depth + 1) >> 1) + (endBytes === undefined ? 0 : DIGEST_BYTES);
    const scratch = this.#branch[-front & 3]!;
    const data = scratch.bytes;
    let at = scratch.before + BRANCH_TAG.length;
    data[at++] = STATE_HASH.branch;
    data[at++] = depth >> 8;
    data[at++] = depth;
    writePath(data, at);
    at += (depth + 1) >> 1;
    if ((depth & 1) === 1) data[at - 1]! &= 0xf0;
    data[at++] = endBytes === undefined ? 0 : 1;
    data[at++] = mask >> 8;
    data[at++] = mask;
    if (endBytes !== undefined) {
      for (let i = 0; i < DIGEST_BYTES; i++) data[at + i] = endBytes[endAt + i]!;
      at += DIGEST_BYTES;
    }
    for (let quad = 0; quad < 4; quad++) {
      const members = (mask >> (4 * quad)) & 15;
      if (members === 0) continue;
      let count = 0;
      for (let nibble = 4 * quad; nibble < 4 * quad + 4; nibble++) count += branches.countOf(branch, nibble);
      const alone = (members & (members - 1)) === 0;
      const hashAt = alone ? branches.hashAt(branch, 4 * quad + 31 - Math.clz32(members)) : branches.quadAt(branch, quad);
      at = scratch.putRef(at, count, words, hashAt);
    }
    this.#digest(scratch.begins.to(at - scratch.before), out, outAt);
  }

  #digest(data: Uint8Array, out: Uint8Array, at: number): void {
    if (this.#hash.hashText === undefined) {
      out.set(this.#hash.hash(data), at);
      return;
    }
    const text = this.#hash.hashText(data);
    for (let i = 0; i < DIGEST_BYTES; i++) out[at + i] = text.charCodeAt(i);
  }
}

/** The first bytes of an array, kept by their count: making a view costs as much as a third of a hash. */
class Begins {
  readonly #bytes: Uint8Array;
  readonly #views: (Uint8Array | undefined)[];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#views = new Array(bytes.length + 1).fill(undefined);
  }

  to(end: number): Uint8Array {
    const known = this.#views[end];
    if (known !== undefined) return known;
    const view = this.#bytes.subarray(0, end);
    this.#views[end] = view;
    return view;
  }
}

/** Where a quad or a branch is put together: `before` bytes, the tag, and what is hashed behind it. */
class BranchScratch {
  readonly before: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** From the tag on. */
  readonly begins: Begins;
  readonly #words: Int32Array;

  constructor(before: number) {
    this.before = before;
    this.bytes = new Uint8Array((before + BRANCH_FRONT_BYTES + MAP_KEY_BYTES_MAX + DIGEST_BYTES + 4 * REF_BYTES + 3) & -4);
    this.bytes.set(BRANCH_TAG, before);
    this.begins = new Begins(this.bytes.subarray(before));
    this.#words = new Int32Array(this.bytes.buffer);
  }

  /** The hash stands in `words` at byte `hashAt`; both places are multiples of four. Returns where the ref ends. */
  putRef(at: number, count: number, words: Int32Array, hashAt: number): number {
    const { bytes } = this;
    bytes[at] = count >>> 24;
    bytes[at + 1] = count >>> 16;
    bytes[at + 2] = count >>> 8;
    bytes[at + 3] = count;
    const to = (at >> 2) + 1;
    const from = hashAt >> 2;
    for (let i = 0; i < DIGEST_WORDS; i++) this.#words[to + i] = words[from + i]!;
    return at + REF_BYTES;
  }
}
