/** A final block with all that belongs to it, as it is answered: read in pieces, for it may hold megabytes in thousands of transactions. */
import { type Crypto, decodeReceipt, type Digest, headerHash, openTransaction, type Receipt } from '../format/index.ts';
import type { BlockStore } from './block-store.ts';
import type { Pause } from '../pace/index.ts';
import type { StoredBlock } from '../service.ts';

export async function readStoredBlock(
  blocks: BlockStore,
  crypto: Pick<Crypto, 'hash'>,
  height: number,
  pause: Pause,
): Promise<StoredBlock | undefined> {
  const block = await blocks.block(height);
  const headerBytes = blocks.headerBytes(height);
  if (!block || !headerBytes) return undefined;
  await pause();
  const transactionIds: Digest[] = [];
  for (const bytes of block.transactions) {
    transactionIds.push(openTransaction(crypto, bytes).id);
    await pause();
  }
  const receipts = (await readReceipts(blocks, height, pause)) ?? [];
  return { block, hash: headerHash(crypto, headerBytes), headerBytes, finality: blocks.finality(height), receipts, transactionIds };
}

/** Receipts of a block, in its order; undefined where it is not held. */
export async function readReceipts(blocks: Pick<BlockStore, 'receiptBytes'>, height: number, pause: Pause): Promise<Receipt[] | undefined> {
  const stored = await blocks.receiptBytes(height);
  if (!stored) return undefined;
  const receipts: Receipt[] = [];
  for (const bytes of stored) {
    receipts.push(decodeReceipt(bytes));
    await pause();
  }
  return receipts;
}
