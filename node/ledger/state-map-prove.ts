/** Writes proofs from the rows of the state map; the form and its meaning are those of node/format/map-proof.ts. */
import {
  type ByteText,
  childPath,
  type Crypto,
  DIGEST_BYTES,
  type Digest,
  END,
  fromByteText,
  inRange,
  ITEM,
  type KeyRange,
  type MapEntry,
  openMapProof,
  relate,
  Writer,
} from '../format/index.ts';
import { readBranch, readBucket, type Subtrees } from './state-map-read.ts';
import {
  type Branch,
  BUCKET_ENTRIES_MAX,
  branchPath,
  childAt,
  countBits,
  type EntryGroup,
  REF_BYTES,
  readU32,
  splitEntries,
} from './state-map-rows.ts';

/** Opens the path to both ends of the range and its first `limit` entries; all else stays closed. `root` is what the proof leads to. */
export function proveRange(
  subtrees: Subtrees,
  total: number,
  crypto: Pick<Crypto, 'hash'>,
  range: KeyRange,
  limit: number,
): { readonly proof: Uint8Array; readonly root: Digest } {
  const proof = new Prover(subtrees, range, limit).prove(total);
  return { proof, root: openMapProof(crypto, proof, range).root };
}

/** A subtree of the map: rows on disk, or a run of entries of a bucket. */
interface Subtree {
  readonly slot: ByteText;
  readonly depth: number;
  readonly count: number;
  readonly hash: Uint8Array;
  readonly entries: { readonly all: readonly MapEntry[]; readonly lo: number; readonly hi: number } | undefined;
}

class Prover {
  readonly #subtrees: Subtrees;
  readonly #range: KeyRange;
  readonly #writer = new Writer(4096);
  #left: number;

  constructor(subtrees: Subtrees, range: KeyRange, limit: number) {
    this.#subtrees = subtrees;
    this.#range = range;
    this.#left = limit;
  }

  prove(total: number): Uint8Array {
    if (total === 0) this.#writer.u8(ITEM.empty);
    else this.#open({ slot: '', depth: 0, count: total, hash: new Uint8Array(DIGEST_BYTES), entries: undefined });
    return this.#writer.finish();
  }

  /** A subtree may stay closed when the verifier can tell its place: outside the range, or inside it and past the limit. */
  #mayClose(slot: ByteText, depth: number): boolean {
    const relation = relate(slot, depth, this.#range);
    return relation === 'outside' || (relation === 'inside' && this.#left <= 0);
  }

  #item(subtree: Subtree): void {
    if (this.#mayClose(subtree.slot, subtree.depth)) this.#writer.u8(ITEM.stub).u32(subtree.count).fixed(subtree.hash, DIGEST_BYTES);
    else this.#open(subtree);
  }

  #open(subtree: Subtree): void {
    const { slot, depth, count } = subtree;
    if (count > BUCKET_ENTRIES_MAX) {
      this.#branch(subtree, readBranch(this.#subtrees, slot, depth, count), undefined);
      return;
    }
    const held = subtree.entries ?? { all: readBucket(this.#subtrees, slot, depth, count), lo: 0, hi: count };
    if (count > 1) {
      const branch = this.#subtrees.hasher.branchOf(held.all, held.lo, held.hi);
      this.#branch(subtree, branch, { all: held.all, groups: splitEntries(held.all, held.lo, held.hi).groups });
      return;
    }
    const { key, valueHash } = held.all[held.lo]!;
    if (inRange(key, this.#range)) this.#left--;
    this.#writer.u8(ITEM.entry).bytes(fromByteText(key)).fixed(valueHash, DIGEST_BYTES);
  }

  #branch(at: Subtree, branch: Branch, held: { all: readonly MapEntry[]; groups: readonly EntryGroup[] } | undefined): void {
    const path = branchPath(branch);
    const tail = fromByteText(path.slice(at.depth >> 1));
    this.#writer.u8(ITEM.node).u16(branch.depth).fixed(tail, tail.length);
    const end = branch.endAt === 0 ? undefined : branch.bytes.subarray(branch.endAt, branch.endAt + DIGEST_BYTES);
    const endAsked = end !== undefined && inRange(path, this.#range) && this.#left > 0;
    this.#writer.u8(end ? (endAsked ? END.open : END.closed) : END.none).u16(branch.mask);
    if (end && endAsked) {
      this.#left--;
      this.#writer.fixed(end, DIGEST_BYTES);
    } else if (end) {
      const hash = new Uint8Array(DIGEST_BYTES);
      this.#subtrees.hasher.entry(path, end, hash, 0);
      this.#writer.fixed(hash, DIGEST_BYTES);
    }
    this.#subtrees.hasher.branch(branch, 0, new Uint8Array(DIGEST_BYTES), 0); // so that its quads are known
    for (let quad = 0; quad < 4; quad++) {
      const nibbles = [0, 1, 2, 3].map((i) => 4 * quad + i).filter((nibble) => (branch.mask >> nibble) & 1);
      if (nibbles.length === 0) continue;
      const children = nibbles.map((nibble): Subtree => {
        const ref = childAt(branch, nibble);
        const group = held?.groups[countBits(branch.mask & ((1 << nibble) - 1))];
        return {
          slot: childPath(path, branch.depth, nibble),
          depth: branch.depth + 1,
          count: readU32(branch.bytes, ref),
          hash: branch.bytes.subarray(ref + 4, ref + REF_BYTES),
          entries: held && group ? { all: held.all, lo: group.lo, hi: group.hi } : undefined,
        };
      });
      if (children.length > 1) {
        const relations = new Set(children.map((child) => relate(child.slot, child.depth, this.#range)));
        const close = relations.size === 1 && children.every((child) => this.#mayClose(child.slot, child.depth));
        this.#writer.bool(!close);
        if (close) {
          let count = 0;
          for (const child of children) count += child.count;
          this.#writer.u32(count).fixed(branch.quads!.subarray(quad * DIGEST_BYTES, (quad + 1) * DIGEST_BYTES), DIGEST_BYTES);
          continue;
        }
      }
      for (const child of children) this.#item(child);
    }
  }
}
