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
  openMapProof,
  relate,
  Writer,
} from '../format/index.ts';
import type { Version, Walker } from './state-map-read.ts';
import { type Branch, countBits, type Entry, type Node, type Split, splitEntries } from './state-map-rows.ts';

/** Opens the path to both ends of the range and its first `limit` entries; all else stays closed. `root` is what the proof leads to. */
export function proveRange(
  walker: Walker,
  version: Version,
  crypto: Pick<Crypto, 'hash'>,
  range: KeyRange,
  limit: number,
): { readonly proof: Uint8Array; readonly root: Digest } {
  const proof = new Prover(walker, range, limit).prove(version.node);
  return { proof, root: openMapProof(crypto, proof, range).root };
}

/** A subtree of the map as its parent refers to it; `open` brings it into memory. */
interface Subtree {
  readonly slot: ByteText;
  readonly depth: number;
  readonly count: number;
  readonly hash: ByteText;
  readonly open: () => Opened;
}
/** A run of entries of a bucket is a subtree of its own. */
type Opened = Branch | { readonly kind: 'run'; readonly all: readonly Entry[]; readonly lo: number; readonly hi: number };

class Prover {
  readonly #walker: Walker;
  readonly #range: KeyRange;
  readonly #writer = new Writer(4096);
  #left: number;

  constructor(walker: Walker, range: KeyRange, limit: number) {
    this.#walker = walker;
    this.#range = range;
    this.#left = limit;
  }

  prove(root: Node | undefined): Uint8Array {
    if (!root) this.#writer.u8(ITEM.empty);
    else this.#open(runOf(root), 0);
    return this.#writer.finish();
  }

  /** A subtree may stay closed when the verifier can tell its place: outside the range, or inside it and past the limit. */
  #mayClose(slot: ByteText, depth: number): boolean {
    const relation = relate(slot, depth, this.#range);
    return relation === 'outside' || (relation === 'inside' && this.#left <= 0);
  }

  #item(subtree: Subtree): void {
    if (this.#mayClose(subtree.slot, subtree.depth)) this.#ref(ITEM.stub, subtree.count, subtree.hash);
    else this.#open(subtree.open(), subtree.depth);
  }

  #ref(kind: number, count: number, hash: ByteText): void {
    this.#writer.u8(kind).u32(count).fixed(fromByteText(hash), DIGEST_BYTES);
  }

  #open(opened: Opened, slotDepth: number): void {
    if (opened.kind === 'branch') {
      this.#walker.hasher.branch(opened); // so that its quads are known
      this.#branch(opened, slotDepth, (nibble) => runOf(this.#walker.child(opened, nibble)));
      return;
    }
    const { all, lo, hi } = opened;
    if (hi - lo > 1) {
      const split: Split = splitEntries(all, lo, hi);
      const branch = this.#walker.hasher.branchOf(all, split, lo);
      this.#walker.hasher.branch(branch);
      this.#branch(branch, slotDepth, (nibble) => {
        const group = split.groups[countBits(branch.mask & ((1 << nibble) - 1))]!;
        return { kind: 'run', all, lo: group.lo, hi: group.hi };
      });
      return;
    }
    const { key, valueHash } = all[lo]!;
    if (inRange(key, this.#range)) this.#left--;
    this.#writer.u8(ITEM.entry).bytes(fromByteText(key)).fixed(fromByteText(valueHash), DIGEST_BYTES);
  }

  #branch(branch: Branch, slotDepth: number, open: (nibble: number) => Opened): void {
    const { path, mask } = branch;
    const tail = fromByteText(path.slice(slotDepth >> 1));
    this.#writer.u8(ITEM.node).u16(branch.depth).fixed(tail, tail.length);
    this.#end(branch);
    for (let quad = 0; quad < 4; quad++) {
      const children = [0, 1, 2, 3]
        .map((i) => 4 * quad + i)
        .filter((nibble) => (mask >> nibble) & 1)
        .map((nibble): Subtree => {
          const slot = childPath(path, branch.depth, nibble);
          return { slot, depth: branch.depth + 1, count: branch.counts[nibble]!, hash: branch.hashes[nibble]!, open: () => open(nibble) };
        });
      if (children.length > 1) {
        const relations = new Set(children.map((child) => relate(child.slot, child.depth, this.#range)));
        if (relations.size === 1 && children.every((child) => this.#mayClose(child.slot, child.depth))) {
          const count = children.reduce((sum, child) => sum + child.count, 0);
          this.#ref(0, count, branch.quads[quad]!); // a closed quad and a stub are both behind a zero
          continue;
        }
        this.#writer.u8(1);
      }
      for (const child of children) this.#item(child);
    }
  }

  #end(branch: Branch): void {
    const { end, path } = branch;
    if (end === undefined) this.#writer.u8(END.none).u16(branch.mask);
    else if (inRange(path, this.#range) && this.#left > 0) {
      this.#left--;
      this.#writer.u8(END.open).u16(branch.mask).fixed(fromByteText(end), DIGEST_BYTES);
    } else {
      const hash = this.#walker.hasher.entry(path, end);
      this.#writer.u8(END.closed).u16(branch.mask).fixed(fromByteText(hash), DIGEST_BYTES);
    }
  }
}

function runOf(node: Node): Opened {
  return node.kind === 'branch' ? node : { kind: 'run', all: node.entries, lo: 0, hi: node.entries.length };
}
