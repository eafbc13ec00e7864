/** Reading the state map's subtrees, from memory or by the slot they hang from, with what the parent says of them held against what is found. */
import { type ByteText, childPath, packPath } from '../format/index.ts';
import { type Branch, BUCKET_ENTRIES_MAX, damaged, decodeRow, type Node, type NodeHasher } from './state-map-rows.ts';

/** Store key of the row of a slot: prefix, packed path, parity of its depth. `key` is any key or path that begins with the slot. */
export function rowKeyOf(prefix: ByteText, key: ByteText, depth: number): ByteText {
  return prefix + packPath(key, depth) + ((depth & 1) === 0 ? '\0' : '\u0001');
}

/** One version of the map: its root in memory, everything below in memory or in the rows that have not changed since. */
export interface Version {
  readonly root: Uint8Array;
  readonly count: number;
  readonly node: Node | undefined;
}

/** What it takes to walk a version. */
export class Walker {
  readonly prefix: ByteText;
  readonly hasher: NodeHasher;
  readonly #nodes: { get(key: ByteText): Uint8Array | undefined };
  /** Commits so far. */
  stamp = 0;
  /** Branches read into memory since the cache was swept. */
  loaded = 0;

  constructor(nodes: { get(key: ByteText): Uint8Array | undefined }, prefix: ByteText, hasher: NodeHasher) {
    this.#nodes = nodes;
    this.prefix = prefix;
    this.hasher = hasher;
  }

  /** The row of a slot, if there is one. @throws ChainError STORE_DAMAGED */
  row(slot: ByteText, depth: number): Node | undefined {
    const rowKey = rowKeyOf(this.prefix, slot, depth);
    const bytes = this.#nodes.get(rowKey);
    return bytes && decodeRow(bytes, slot, depth, this.stamp, rowKey);
  }

  /** The child a branch counts entries in. @throws ChainError STORE_DAMAGED when its row is missing or holds something else. */
  child(branch: Branch, nibble: number): Node {
    const kid = branch.kids[nibble];
    if (kid) {
      if (kid.kind === 'branch') kid.stamp = this.stamp;
      return kid;
    }
    const slot = childPath(branch.path, branch.depth, nibble);
    const node = this.row(slot, branch.depth + 1);
    const count = branch.counts[nibble]!;
    if (!node || (node.kind === 'bucket' ? node.entries.length !== count : count <= BUCKET_ENTRIES_MAX))
      throw damaged(rowKeyOf(this.prefix, slot, branch.depth + 1));
    if (node.kind === 'branch') {
      branch.kids[nibble] = node; // buckets are many and cheap to read again
      this.loaded++;
    }
    return node;
  }
}
