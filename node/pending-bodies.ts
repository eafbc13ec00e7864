/**
 * Transactions of proposals this node is about to vote for, on disk before the vote: a block that a quorum prepared must be had again even when
 * every node lost its memory at once. Rows go when their height is final.
 */
import { type ByteText, decodeAll, type Digest, prefixEnd, toByteText, toHex, transactionHashOf, Writer } from './format/index.ts';
import type { Crypto } from './format/index.ts';
import { keyspace, u64Key } from './storage/keyspace.ts';
import type { Store } from './world.ts';

/** Rows read at once. There is about one for each view that failed at this height, and all of them count. */
const ROWS_PER_READ = 256;

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
  const keyOf = (height: number, digest: Digest): ByteText => prefix + u64Key(height) + toByteText(digest);
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
      const key = keyOf(height, digest);
      const value = new Writer(4096)
        .u64(height)
        .list(transactions, (w, bytes) => w.bytes(bytes))
        .finish();
      await store.batch([{ key, value }], { sync: true });
      saved.add(name);
      rows.set(key, height);
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
