/**
 * Damaged values: reading past them, so that what else stands in a range is not lost with one, and what becomes of those of the local
 * store.
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, fromHex, toByteText } from '../format/index.ts';
import type { Store } from '../world.ts';
import { type KeyspaceName, keyspace, keyspaceRange } from './keyspace.ts';

/** Far more rows than alarms. */
const LOCAL_ROWS_MAX = 10_000;

/** Key of the value that is damaged; undefined when `error` is something else, or the store cannot say which value it is. */
export function damagedKey(error: unknown): ByteText | undefined {
  if (!(error instanceof ChainError) || error.code !== 'STORE_DAMAGED' || typeof error.data.key !== 'string') return undefined;
  return toByteText(fromHex(error.data.key));
}

/**
 * Rows as Store.range gives them, forwards; for each damaged one `instead` is asked, and without an answer it is left out.
 * @throws what the store throws for any other reason, and what `instead` throws.
 */
export async function rangeAround(
  store: Pick<Store, 'range'>,
  options: { readonly from: ByteText; readonly to: ByteText | undefined; readonly limit: number },
  instead: (key: ByteText, error: unknown) => Uint8Array | undefined,
): Promise<{ key: ByteText; value: Uint8Array }[]> {
  const rows: { key: ByteText; value: Uint8Array }[] = [];
  for (let { from } = options; rows.length < options.limit; ) {
    const limit = options.limit - rows.length;
    try {
      rows.push(...(await store.range({ from, to: options.to, limit })));
      return rows;
    } catch (error) {
      const key = damagedKey(error);
      if (key === undefined || key < from) throw error;
      rows.push(...(await store.range({ from, to: key, limit })));
      const value = instead(key, error);
      if (value !== undefined && rows.length < options.limit) rows.push({ key, value });
      from = `${key}\0`;
    }
  }
  return rows;
}

/**
 * Rows of the store of this node alone that are let go when they are damaged, because something makes good for them; all others stay as
 * they are.
 */
export const LOCAL_DROPPED = {
  alarm: 'an alarm about the row takes its place',
  outboxCursor: 'the subscriber begins where it asked to; it may see events twice, never miss one',
  idempotency: 'the transaction itself is still refused as repeated',
  idempotencyExpiry: 'the row it would have ended stays until it is replaced',
  peer: 'addresses are seen again',
} as const satisfies Partial<Record<KeyspaceName, string>>;

/** Why a damaged row of the local store may go; undefined when it may not. */
export function droppedFor(key: ByteText): string | undefined {
  const names = Object.keys(LOCAL_DROPPED) as (keyof typeof LOCAL_DROPPED)[];
  const name = names.find((candidate) => key.startsWith(keyspace[candidate]));
  return name && LOCAL_DROPPED[name];
}

/**
 * Drops damaged rows of what is read as a whole when a node opens, so that one of them cannot keep it from starting. Whoever watches the
 * store is told of them.
 */
export async function dropDamagedLocal(store: Store): Promise<void> {
  const damaged: ByteText[] = [];
  await rangeAround(store, { ...keyspaceRange('alarm'), limit: LOCAL_ROWS_MAX }, (key) => {
    damaged.push(key);
    return undefined;
  });
  if (damaged.length === 0) return;
  await store.batch(
    damaged.map((key) => ({ key, value: undefined })),
    { sync: true },
  );
}
