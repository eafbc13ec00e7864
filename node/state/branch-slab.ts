/**
 * The branches of the state map: records of one size in slabs of memory. A branch is changed only by the version that made it and never
 * once that version is finished; a later version takes a copy.
 *
 * By word: depth | end | 16 children | 16 counts | 16 hashes | 4 hashes of quads
 * What a walk reads stands together in front: most branches are in no cache when a block asks for a key. A child is a branch when positive,
 * a bucket when negative, none when 0. `end` is the bucket of the entry whose key is the path, or 0. The path itself is not kept: every key
 * below begins with it.
 */
import { DIGEST_BYTES } from '../format/index.ts';

const DEPTH = 0;
const END = 1;
const CHILD = 2;
const COUNT = CHILD + 16;
const HASH = COUNT + 16;
const QUAD = HASH + (16 * DIGEST_BYTES) / 4;
const BRANCH_WORDS = QUAD + (4 * DIGEST_BYTES) / 4;
const SLAB_BITS = 8;
const SLAB_BRANCHES = 1 << SLAB_BITS;

class Slab {
  readonly words = new Int32Array(SLAB_BRANCHES * BRANCH_WORDS);
  readonly bytes = new Uint8Array(this.words.buffer);
}

export class BranchSlab {
  readonly #slabs: Slab[] = [];
  readonly #free: number[] = [];
  #numbers = 0;

  /** Branches in use. */
  get count(): number {
    return this.#numbers - this.#free.length;
  }

  get bytes(): number {
    return this.#slabs.length * SLAB_BRANCHES * BRANCH_WORDS * 4;
  }

  /** A branch without children. */
  add(depth: number): number {
    const branch = this.#take();
    const words = this.words(branch);
    const from = wordOf(branch);
    words.fill(0, from, from + BRANCH_WORDS);
    words[from + DEPTH] = depth;
    return branch;
  }

  copy(branch: number): number {
    const copy = this.#take();
    const source = this.words(branch);
    const target = this.words(copy);
    const from = wordOf(branch);
    const to = wordOf(copy);
    for (let i = 0; i < BRANCH_WORDS; i++) target[to + i] = source[from + i]!;
    return copy;
  }

  free(branch: number): void {
    this.#free.push(branch);
  }

  depth(branch: number): number {
    return this.words(branch)[wordOf(branch) + DEPTH]!;
  }

  end(branch: number): number {
    return this.words(branch)[wordOf(branch) + END]!;
  }

  setEnd(branch: number, bucket: number): void {
    this.words(branch)[wordOf(branch) + END] = bucket;
  }

  child(branch: number, nibble: number): number {
    return this.words(branch)[wordOf(branch) + CHILD + nibble]!;
  }

  /** Entries below a child. */
  countOf(branch: number, nibble: number): number {
    return this.words(branch)[wordOf(branch) + COUNT + nibble]! >>> 0;
  }

  setChild(branch: number, nibble: number, child: number, count: number): void {
    const words = this.words(branch);
    const from = wordOf(branch);
    words[from + CHILD + nibble] = child;
    words[from + COUNT + nibble] = count;
  }

  /** Entries below the branch, its end included. */
  total(branch: number): number {
    const words = this.words(branch);
    const from = wordOf(branch);
    let total = words[from + END] === 0 ? 0 : 1;
    for (let nibble = 0; nibble < 16; nibble++) total += words[from + COUNT + nibble]! >>> 0;
    return total;
  }

  /** Bit n is set when there is a child n. */
  mask(branch: number): number {
    const words = this.words(branch);
    const from = wordOf(branch);
    let mask = 0;
    for (let nibble = 0; nibble < 16; nibble++) if (words[from + CHILD + nibble] !== 0) mask |= 1 << nibble;
    return mask;
  }

  /** Where hashes of the branch stand: in `bytes`, the child's at `hashAt`, the quad's at `quadAt`. */
  hashes(branch: number): Uint8Array {
    return this.#slabs[branch >> SLAB_BITS]!.bytes;
  }

  /** The same memory by words, for copies: of four bytes of `hashes` each. */
  words(branch: number): Int32Array {
    return this.#slabs[branch >> SLAB_BITS]!.words;
  }

  hashAt(branch: number, nibble: number): number {
    return 4 * (wordOf(branch) + HASH) + DIGEST_BYTES * nibble;
  }

  quadAt(branch: number, quad: number): number {
    return 4 * (wordOf(branch) + QUAD) + DIGEST_BYTES * quad;
  }

  #take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const branch = ++this.#numbers;
    if (branch >> SLAB_BITS === this.#slabs.length) this.#slabs.push(new Slab());
    return branch;
  }
}

function wordOf(branch: number): number {
  return (branch & (SLAB_BRANCHES - 1)) * BRANCH_WORDS;
}
