/**
 * Values of the state as rows. Keys of the state are hashes all over the range, so LevelDB rewrites a row under them whenever a table is merged from
 * above (store/level-store.ts). A large value therefore stands in a row under the height that wrote it, where tables are appended to one
 * another and moved as they are, and its state row says where:
 *
 *   state        0 | value          up to STATE_INLINE_BYTES_MAX, and any repaired one
 *                1 | u64 height     the value is the stateValue row of that height and key
 *   stateValue   value
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, equalBytes, fromByteText, Reader, toHex, Writer } from '../format/index.ts';
import { damagedKey, keyspace } from '../store/index.ts';
import type { Store, StoreOperation } from '../world.ts';
import { ledgerKey } from './keys.ts';

/** Bytes of a value that stands in its state row: a pointer and a second row are not worth less. */
export const STATE_INLINE_BYTES_MAX = 256;
const INLINE = 0;
const APART = 1;
const APART_ROW_BYTES = 9;

/** Rows of the state by their keys in the store, with the values themselves. Damage is told under the key of the state row. */
export type StateRows = Pick<Store, 'get' | 'range'>;

export function createStateRows(store: Pick<Store, 'get' | 'range'>): StateRows {
  function valueAt(rowKey: ByteText, row: Uint8Array): Uint8Array | undefined {
    for (let stored: Uint8Array | undefined = row; stored; ) {
      const height = heightOf(rowKey, stored);
      if (height === undefined) return stored.subarray(1);
      const value = apart(rowKey, height);
      if (value) return value;
      // A block that another thread has written since may have replaced or deleted it.
      const again = store.get(rowKey);
      if (again && equalBytes(again, stored)) throw damaged(rowKey);
      stored = again;
    }
    return undefined;
  }

  function apart(rowKey: ByteText, height: number): Uint8Array | undefined {
    try {
      return store.get(ledgerKey.stateValue(height, pathOf(rowKey)));
    } catch (error) {
      if (damagedKey(error) === undefined) throw error;
      throw damaged(rowKey);
    }
  }

  return {
    get(rowKey) {
      const row = store.get(rowKey);
      return row && valueAt(rowKey, row);
    },
    async range(options) {
      return (await store.range(options)).flatMap(({ key, value: row }) => {
        const value = valueAt(key, row);
        return value ? [{ key, value }] : [];
      });
    },
  };
}

/** Height of the stateValue row that `before`, the value that stands under the key, takes; undefined when it takes none. @throws ChainError STORE_DAMAGED */
export function heightApart(store: Pick<Store, 'get'>, key: ByteText, before: Uint8Array | undefined): number | undefined {
  if (!before || before.length <= STATE_INLINE_BYTES_MAX) return undefined; // nearly always, and without a read
  const row = store.get(ledgerKey.state(key));
  return row && heightOf(ledgerKey.state(key), row);
}

/** Rows that make `value` (undefined deletes) the value of the key with the block of `height`; `heightBefore` as heightApart. */
export function stateOperations(height: number, key: ByteText, value: Uint8Array | undefined, heightBefore?: number): StoreOperation[] {
  const rowKey = ledgerKey.state(key);
  const operations: StoreOperation[] = [];
  if (heightBefore !== undefined) operations.push({ key: ledgerKey.stateValue(heightBefore, key), value: undefined });
  if (value === undefined) operations.push({ key: rowKey, value });
  else if (value.length <= STATE_INLINE_BYTES_MAX) operations.push({ key: rowKey, value: inlineRow(value) });
  else
    operations.push(
      { key: rowKey, value: new Writer(APART_ROW_BYTES).u8(APART).u64(height).finish() },
      { key: ledgerKey.stateValue(height, key), value },
    );
  return operations;
}

/** The state row that holds a value itself, however large. */
export function inlineRow(value: Uint8Array): Uint8Array {
  const row = new Uint8Array(1 + value.length);
  row[0] = INLINE;
  row.set(value, 1);
  return row;
}

/** Key in the state of a row that stands there or apart. */
export function pathOf(rowKey: ByteText): ByteText {
  return rowKey.slice(rowKey.startsWith(keyspace.stateValue) ? ledgerKey.stateValue(0, '').length : keyspace.state.length);
}

/** Whether the state row of a stateValue row still points to it. @throws ChainError STORE_DAMAGED */
export function isPointedTo(store: Pick<Store, 'get'>, valueKey: ByteText): boolean {
  const path = pathOf(valueKey);
  const row = store.get(ledgerKey.state(path));
  const height = row && heightOf(ledgerKey.state(path), row);
  return height !== undefined && ledgerKey.stateValue(height, path) === valueKey;
}

/** Undefined when the value stands in the row itself. */
function heightOf(rowKey: ByteText, row: Uint8Array): number | undefined {
  if (row[0] === INLINE) return undefined;
  if (row[0] !== APART || row.length !== APART_ROW_BYTES) throw damaged(rowKey);
  return new Reader(row.subarray(1)).u64();
}

function damaged(rowKey: ByteText): ChainError {
  return new ChainError('STORE_DAMAGED', { table: 'state', key: toHex(fromByteText(rowKey)) });
}
