/**
 * Inclusion of a receipt in its block (RFC 6962 §2.1.1): the path from the receipt to `receiptsRoot`, with the header that holds the root.
 * Trees of the latest blocks asked for are kept, because a block's callers all ask at once; they also wait for one building together, which
 * goes in slices, since a block has thousands of receipts.
 */
import { type Crypto, type Digest, headerHash, merkleLevelsSteps, merklePathIn } from '../format/index.ts';
import type { BlockStore } from '../ledger/index.ts';
import { BoundedMap } from '../pace/bounded-map.ts';
import type { RunInSlices } from '../pace/index.ts';

const TREES_HELD_MAX = 16;
/** Of all trees: receipts of one block may be tens of megabytes. */
export const TREES_BYTES_MAX = 67_108_864;
/** A hash of the tree with its object; there are two for each receipt, which is an object too. */
const HASH_BYTES = 160;

export interface ReceiptInclusion {
  readonly receipt: Uint8Array;
  readonly index: number;
  readonly count: number;
  /** Siblings, nearest first. */
  readonly path: readonly Digest[];
  readonly headerBytes: Uint8Array;
}

interface Tree {
  readonly headerBytes: Uint8Array;
  readonly receipts: readonly Uint8Array[];
  /** Leaf hashes first, root last. */
  readonly levels: readonly (readonly Digest[])[];
  /** What it takes of memory. */
  readonly bytes: number;
}

export interface Inclusions {
  /** Undefined when the block is not held or has no such receipt. @throws ChainError SERVER_BUSY */
  receipt(height: number, index: number): Promise<ReceiptInclusion | undefined>;
  /** Where a final transaction stands. */
  position(transactionId: Digest): { readonly height: number; readonly index: number; readonly blockHash: Digest } | undefined;
}

export function createInclusions(
  blocks: Pick<BlockStore, 'headerBytes' | 'receiptBytes' | 'position'>,
  crypto: Pick<Crypto, 'hash'>,
  inSlices: RunInSlices,
): Inclusions {
  const trees = new BoundedMap<number, Tree>(TREES_HELD_MAX, { bytesMax: TREES_BYTES_MAX, bytesOf: ({ bytes }) => bytes });
  const building = new Map<number, Promise<Tree | undefined>>();

  async function build(height: number): Promise<Tree | undefined> {
    const headerBytes = blocks.headerBytes(height);
    const receipts = await blocks.receiptBytes(height);
    if (!headerBytes || !receipts) return undefined;
    const levels = await inSlices(merkleLevelsSteps(crypto.hash, receipts));
    const bytes = receipts.reduce((sum, { length }) => sum + length + 3 * HASH_BYTES, headerBytes.length);
    const tree = { headerBytes, receipts, levels, bytes };
    trees.set(height, tree);
    return tree;
  }

  function treeOf(height: number): Tree | Promise<Tree | undefined> {
    const known = trees.get(height) ?? building.get(height);
    if (known) return known;
    const built = build(height).finally(() => building.delete(height)); // after a fault the next one who asks begins anew
    building.set(height, built);
    return built;
  }

  return {
    position(transactionId) {
      const position = blocks.position(transactionId);
      const headerBytes = position && blocks.headerBytes(position.height);
      return headerBytes && { ...position, blockHash: headerHash(crypto, headerBytes) };
    },
    async receipt(height, index) {
      const tree = await treeOf(height);
      const receipt = tree?.receipts[index];
      if (!tree || !receipt) return undefined;
      return { receipt, index, count: tree.receipts.length, path: merklePathIn(tree.levels, index), headerBytes: tree.headerBytes };
    },
  };
}
