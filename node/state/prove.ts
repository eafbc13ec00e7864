/** Writes proofs from the map in memory; their form and meaning: node/format/state-proof.ts. */
import { type ByteText, childPath, DIGEST_BYTES, inRange, type KeyRange, relate, STATE_ITEM, Writer } from '../format/index.ts';
import { bodyBytesAt, RECORD_HEADER_BYTES, skipAt } from './bucket-log.ts';
import type { Node, Tree, Version } from './tree.ts';

/** Opens the path to both ends of the range and its first `limit` entries at least; all else stays closed. */
export function proveRange(tree: Tree, version: Version, range: KeyRange, limit: number): Uint8Array {
  return new Prover(tree, range, limit).prove(version.top);
}

class Prover {
  readonly #tree: Tree;
  readonly #range: KeyRange;
  readonly #writer = new Writer(4096);
  #left: number;

  constructor(tree: Tree, range: KeyRange, limit: number) {
    this.#tree = tree;
    this.#range = range;
    this.#left = limit;
  }

  prove(top: Node): Uint8Array {
    if (top === 0) this.#writer.u8(STATE_ITEM.empty);
    else this.#open(top, 0);
    return this.#writer.finish();
  }

  /** A subtree may stay closed when the verifier can tell its place: outside the range, or inside it and past the limit. */
  #mayClose(slot: ByteText, depth: number): boolean {
    const relation = relate(slot, depth, this.#range);
    return relation === 'outside' || (relation === 'inside' && this.#left <= 0);
  }

  #open(node: Node, slotDepth: number): void {
    if (node > 0) this.#branch(node, slotDepth);
    else this.#bucket(-node);
  }

  #bucket(bucket: number): void {
    const bytes = this.#tree.log.segment(bucket);
    const start = this.#tree.log.start(bucket);
    const body = start + RECORD_HEADER_BYTES + skipAt(bytes, start);
    const length = bodyBytesAt(bytes, start);
    this.#writer.u8(STATE_ITEM.bucket).fixed(bytes.subarray(body, body + length), length);
    for (const { key } of this.#tree.bucketEntries(bucket)) if (inRange(key, this.#range)) this.#left--;
  }

  #branch(branch: number, slotDepth: number): void {
    const { branches } = this.#tree;
    const writer = this.#writer;
    const depth = branches.depth(branch);
    const path = this.#tree.path(branch);
    const mask = branches.mask(branch);
    const end = branches.end(branch);
    writer.u8(STATE_ITEM.branch).u16(depth);
    for (let i = slotDepth >> 1; i < path.length; i++) writer.u8(path.charCodeAt(i));
    writer.bool(end !== 0).u16(mask);
    if (end !== 0) {
      const [entry] = this.#tree.bucketEntries(end);
      writer.fixed(entry!.valueHash, DIGEST_BYTES);
      if (inRange(entry!.key, this.#range)) this.#left--;
    }
    for (let quad = 0; quad < 4; quad++) {
      const nibbles = [0, 1, 2, 3].map((i) => 4 * quad + i).filter((nibble) => (mask >> nibble) & 1);
      if (nibbles.length > 1) {
        const slots = nibbles.map((nibble) => childPath(path, depth, nibble));
        const relations = new Set(slots.map((slot) => relate(slot, depth + 1, this.#range)));
        if (relations.size === 1 && this.#mayClose(slots[0]!, depth + 1)) {
          const count = nibbles.reduce((sum, nibble) => sum + branches.countOf(branch, nibble), 0);
          this.#ref(writer.bool(false), count, branches.hashes(branch), branches.quadAt(branch, quad));
          continue;
        }
        writer.bool(true);
      }
      for (const nibble of nibbles) this.#child(branch, nibble, childPath(path, depth, nibble), depth + 1);
    }
  }

  #child(branch: number, nibble: number, slot: ByteText, slotDepth: number): void {
    const { branches } = this.#tree;
    if (!this.#mayClose(slot, slotDepth)) this.#open(branches.child(branch, nibble), slotDepth);
    else
      this.#ref(
        this.#writer.u8(STATE_ITEM.closed),
        branches.countOf(branch, nibble),
        branches.hashes(branch),
        branches.hashAt(branch, nibble),
      );
  }

  #ref(writer: Writer, count: number, hashes: Uint8Array, at: number): void {
    writer.u32(count).fixed(hashes.subarray(at, at + DIGEST_BYTES), DIGEST_BYTES);
  }
}
