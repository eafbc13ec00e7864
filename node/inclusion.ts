/**
 * Inclusion of a receipt in its block (RFC 6962 §2.1.1): the path from the receipt to `receiptsRoot`, with the header that holds the root. Trees of
 * the latest blocks asked for are kept, because a block's callers all ask at once; they also build one tree together, in steps, since a block has
 * thousands of receipts.
 */
import { type Crypto, type Digest, headerHash, merkleLevelsSteps, merklePathIn } from './format/index.ts';
import type { BlockStore } from './ledger/block-store.ts';

const TREES_HELD_MAX = 16;

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
}

export interface Inclusions {
  /** Undefined when the block is not held or has no such receipt. */
  receipt(height: number, index: number): Generator<void, ReceiptInclusion | undefined, void>;
  /** Where a final transaction stands. */
  position(transactionId: Digest): { readonly height: number; readonly index: number; readonly blockHash: Digest } | undefined;
}

export function createInclusions(blocks: BlockStore, crypto: Pick<Crypto, 'hash'>): Inclusions {
  const trees = new Map<number, Tree>();
  const building = new Map<number, Generator<void, Tree | undefined, void>>();

  function* build(height: number): Generator<void, Tree | undefined, void> {
    const headerBytes = blocks.headerBytes(height);
    const receipts = blocks.receiptBytes(height);
    if (!headerBytes || !receipts) return undefined;
    yield;
    return { headerBytes, receipts, levels: yield* merkleLevelsSteps(crypto.hash, receipts) };
  }

  /** Whoever asks takes the next step of the one building. */
  function* treeOf(height: number): Generator<void, Tree | undefined, void> {
    for (;;) {
      const held = trees.get(height);
      if (held) return held;
      const steps = building.get(height) ?? build(height);
      building.delete(height); // a fault ends it, and the next one who asks begins anew
      const step = steps.next();
      if (step.done === true) {
        if (step.value) hold(height, step.value);
        return step.value;
      }
      building.set(height, steps);
      yield;
    }
  }

  function hold(height: number, tree: Tree): void {
    trees.set(height, tree);
    for (const oldest of trees.keys()) {
      if (trees.size <= TREES_HELD_MAX) break;
      trees.delete(oldest);
    }
  }

  return {
    position(transactionId) {
      const position = blocks.position(transactionId);
      const headerBytes = position && blocks.headerBytes(position.height);
      return headerBytes && { ...position, blockHash: headerHash(crypto, headerBytes) };
    },
    *receipt(height, index) {
      const tree = yield* treeOf(height);
      const receipt = tree?.receipts[index];
      if (!tree || !receipt) return undefined;
      return { receipt, index, count: tree.receipts.length, path: merklePathIn(tree.levels, index), headerBytes: tree.headerBytes };
    },
  };
}
