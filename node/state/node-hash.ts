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
/** Where a body begins in NodeHash.scratch. */
export const BODY_AT = BUCKET_TAG.length;
const BODY_BYTES_MAX = 1 + BUCKET_ENTRIES_MAX * (2 + MAP_KEY_BYTES_MAX + DIGEST_BYTES);

export class NodeHash {
  /** Where the caller writes the body of a bucket before it is hashed, from BODY_AT on. */
  readonly scratch = new Uint8Array(BUCKET_TAG.length + BODY_BYTES_MAX);
  readonly #branch = new Uint8Array(BRANCH_TAG.length + 8 + MAP_KEY_BYTES_MAX + DIGEST_BYTES + 4 * (4 + DIGEST_BYTES));
  readonly #hash: MapHash;
  readonly #bucketBegins: Begins;
  readonly #bodyBegins: Begins;
  readonly #branchBegins: Begins;

  constructor(hash: MapHash) {
    this.#hash = hash;
    this.scratch.set(BUCKET_TAG);
    this.#branch.set(BRANCH_TAG);
    this.#bucketBegins = new Begins(this.scratch);
    this.#bodyBegins = new Begins(this.scratch.subarray(BODY_AT));
    this.#branchBegins = new Begins(this.#branch);
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
    this.#branch[BRANCH_TAG.length] = STATE_HASH.empty;
    this.#digestBranch(BRANCH_TAG.length + 1, out, at);
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
    const data = this.#branch;
    const hashes = branches.hashes(branch);
    const mask = branches.mask(branch);
    for (let quad = 0; quad < 4; quad++) {
      const members = (mask >> (4 * quad)) & 15;
      if (((changed >> quad) & 1) === 0 || (members & (members - 1)) === 0) continue;
      let at = BRANCH_TAG.length;
      data[at++] = STATE_HASH.quad;
      for (let nibble = 4 * quad; nibble < 4 * quad + 4; nibble++)
        if ((mask >> nibble) & 1) at = putRef(data, at, branches.countOf(branch, nibble), hashes, branches.hashAt(branch, nibble));
      this.#digestBranch(at, hashes, branches.quadAt(branch, quad));
    }
    let at = BRANCH_TAG.length;
    const depth = branches.depth(branch);
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
      at = putRef(data, at, count, hashes, hashAt);
    }
    this.#digestBranch(at, out, outAt);
  }

  #digestBranch(end: number, out: Uint8Array, at: number): void {
    this.#digest(this.#branchBegins.to(end), out, at);
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

function putRef(data: Uint8Array, at: number, count: number, hashes: Uint8Array, hashAt: number): number {
  data[at] = count >>> 24;
  data[at + 1] = count >>> 16;
  data[at + 2] = count >>> 8;
  data[at + 3] = count;
  for (let i = 0; i < DIGEST_BYTES; i++) data[at + 4 + i] = hashes[hashAt + i]!;
  return at + 4 + DIGEST_BYTES;
}
