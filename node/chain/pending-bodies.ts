/**
 * Transactions of proposals this node is about to vote for, on disk before the vote: a block that a quorum prepared must be had again even when
 * every node lost its memory at once. Rows go when their height is final.
 */
import { type ByteText, decodeAll, type Digest, prefixEnd, toByteText, toHex, transactionHashOf, Writer } from '../format/index.ts';
import type { Crypto } from '../format/index.ts';
import { keyspace, u64Key } from '../store/keyspace.ts';
import type { Store } from '../world.ts';

/** Rows read at once. There are a few for each view that failed at this height, and all of them count. */
const ROWS_PER_READ = 256;
/**
 * Bytes of one row, or one transaction: this thread encodes, sums and hands over a row in one piece, and other work comes between two rows. A full
 * block of 31 MiB in one row took it 80 ms.
 */
export const ROW_BYTES_MAX = 1_048_576;

export interface PendingBodies {
  /** Resolves when the bytes are on disk. */
  save(height: number, digest: Digest, transactions: readonly Uint8Array[]): Promise<void>;
  transaction(hash: Digest): Uint8Array | undefined;
  /** Height is final: its rows and all below go. */
  drop(height: number): Promise<void>;
}

export async function openPendingBodies(store: Store, crypto: Pick<Crypto, 'hash'>): Promise<PendingBodies> {
  const held = new Map<ByteText, { readonly height: number; readonly bytes: Uint8Array }>();
  const rows = new Map<ByteText, number>();
  const prefix = keyspace.pendingBody;
  /** The first row has no number. */
  const keyOf = (height: number, digest: Digest, part: number): ByteText =>
    prefix + u64Key(height) + toByteText(digest) + (part === 0 ? '' : u64Key(part));
  for (let from: ByteText | undefined = prefix; from !== undefined; ) {
    const read: readonly { readonly key: ByteText; readonly value: Uint8Array }[] = await store.range({
      from,
      to: prefixEnd(prefix),
      limit: ROWS_PER_READ,
    });
    for (const row of read) {
      const stored = decodeAll(row.value, (reader) => ({ height: reader.u64(), transactions: reader.list((r) => r.bytes()) }));
      rows.set(row.key, stored.height);
      for (const bytes of stored.transactions) held.set(toByteText(transactionHashOf(crypto, bytes)), { height: stored.height, bytes });
    }
    from = read.length < ROWS_PER_READ ? undefined : `${read.at(-1)!.key}\0`; // the next key there can be
  }
  const saved = new Set<string>();
  return {
    async save(height, digest, transactions) {
      const name = toHex(digest);
      if (transactions.length === 0 || saved.has(name)) return;
      let part = 0;
      for (const some of inRows(transactions)) {
        const key = keyOf(height, digest, part++);
        const value = new Writer(ROW_BYTES_MAX)
          .u64(height)
          .list(some, (w, bytes) => w.bytes(bytes))
          .finish();
        await store.batch([{ key, value }], { sync: true });
        rows.set(key, height);
      }
      saved.add(name);
    },
    transaction: (hash) => held.get(toByteText(hash))?.bytes,
    async drop(height) {
      saved.clear();
      const over = [...rows].filter(([, rowHeight]) => rowHeight <= height).map(([key]) => key);
      if (over.length === 0) return;
      for (const [key, entry] of held) if (entry.height <= height) held.delete(key);
      await store.batch(
        over.map((key) => ({ key, value: undefined })),
        { sync: false },
      );
      for (const key of over) rows.delete(key); // after: what a full disk kept goes with the next height
    },
  };
}

/** The transactions in order, as many in each piece as a row holds. */
function* inRows(transactions: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let from = 0;
  let bytes = 0;
  for (const [i, transaction] of transactions.entries()) {
    if (i > from && bytes + transaction.length > ROW_BYTES_MAX) {
      yield transactions.slice(from, i);
      from = i;
      bytes = 0;
    }
    bytes += transaction.length;
  }
  yield transactions.slice(from);
}
