/**
 * Bodies of proposals this node is about to vote for, on disk before the vote: a block that a quorum prepared must be had again even when every node lost
 * its memory at once. They stand in the block files, where the body of the final block is one of them and stays.
 */
import {
  type ByteText,
  decodeBlock,
  type Digest,
  encodeBlockSteps,
  encodeProposal,
  Reader,
  toByteText,
  transactionHashOf,
} from '../format/index.ts';
import type { Crypto } from '../format/index.ts';
import type { BlockFiles, BlockStore } from '../ledger/index.ts';
import { type Pause, withPauses } from '../pace/index.ts';
import { damagedKey, type Location } from '../store/index.ts';

export interface ProposedBody {
  readonly height: number;
  readonly headerBytes: Uint8Array;
  readonly seal: Uint8Array;
  readonly transactions: readonly Uint8Array[];
}

export interface PendingBodies {
  /**
   * Resolves to the place of the body when it is on disk; one that stands there already is not written again.
   * @param proposal what names the body. A digest does not: a traitor may give the header with another list or another seal.
   */
  save(proposal: Uint8Array, body: ProposedBody, pause: Pause): Promise<Location>;
  transaction(hash: Digest): Uint8Array | undefined;
  /** Height is final: its bodies and all below are pending no more. */
  drop(height: number): void;
}

export async function openPendingBodies(
  files: Pick<BlockFiles, 'append' | 'bodies'>,
  blocks: Pick<BlockStore, 'head' | 'bodyLocation' | 'isBodyReadable'>,
  crypto: Pick<Crypto, 'hash'>,
): Promise<PendingBodies> {
  /** Found at the start; those that came since are in the chain's memory. */
  const held = new Map<ByteText, { readonly height: number; readonly bytes: Uint8Array }>();
  const saved = new Map<ByteText, { readonly height: number; readonly location: Promise<Location> }>();
  const nameOf = (proposal: Uint8Array): ByteText => toByteText(crypto.hash(proposal));
  const head = blocks.head()?.height ?? 0;
  for await (const { height, payload, location } of files.bodies(head + 1, placeOf(blocks, head))) {
    const { seal, transactions } = decodeBlock(payload);
    const transactionHashes = transactions.map((bytes) => transactionHashOf(crypto, bytes));
    for (const [i, bytes] of transactions.entries()) held.set(toByteText(transactionHashes[i]!), { height, bytes });
    const proposal = encodeProposal({ header: new Reader(payload).bytes(), seal, transactionHashes });
    saved.set(nameOf(proposal), { height, location: Promise.resolve(location) });
  }
  return {
    save(proposal, { height, headerBytes, ...body }, pause) {
      const name = nameOf(proposal);
      const before = saved.get(name);
      if (before) return before.location;
      const location = withPauses(encodeBlockSteps(headerBytes, body), pause).then((bytes) => files.append(height, bytes));
      saved.set(name, { height, location });
      location.catch(() => saved.delete(name)); // the next try writes it
      return location;
    },
    transaction: (hash) => held.get(toByteText(hash))?.bytes,
    drop(height) {
      for (const [key, entry] of held) if (entry.height <= height) held.delete(key);
      for (const [name, entry] of saved) if (entry.height <= height) saved.delete(name);
    },
  };
}

/** Behind the body of the head there is all that came after it. When that is not where its row says, files were lost, and new ones may stand before it. */
function placeOf(blocks: Pick<BlockStore, 'bodyLocation' | 'isBodyReadable'>, height: number): Location | undefined {
  try {
    return blocks.isBodyReadable(height) ? blocks.bodyLocation(height) : undefined;
  } catch (error) {
    if (damagedKey(error) === undefined) throw error;
    return undefined;
  }
}
