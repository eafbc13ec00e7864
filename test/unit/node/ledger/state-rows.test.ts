import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { type ByteText, fromByteText, toHex } from '../../../../node/format/index.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import {
  createStateRows,
  heightApart,
  inlineRow,
  isPointedTo,
  STATE_INLINE_BYTES_MAX,
  stateOperations,
} from '../../../../node/ledger/state-rows.ts';
import { keyspaceRange } from '../../../../node/store/keyspace.ts';
import { damagedKey } from '../../../../node/store/mend.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import type { Store } from '../../../../node/world.ts';

const bytes = (count: number, value = 7): Uint8Array => new Uint8Array(count).fill(value);
const apartKeys = async (store: Store): Promise<string[]> =>
  (await store.range({ ...keyspaceRange('stateValue'), limit: 100 })).map(({ key }) => key);

async function write(store: Store, height: number, key: ByteText, value: Uint8Array | undefined): Promise<void> {
  const before = createStateRows(store).get(ledgerKey.state(key));
  await store.batch(stateOperations(height, key, value, heightApart(store, key, before)), { sync: true });
}

test('values of every size are read back, and a larger one stands in one row more', async () => {
  for (const [size, rows] of [
    [0, 1],
    [1, 1],
    [STATE_INLINE_BYTES_MAX, 1],
    [STATE_INLINE_BYTES_MAX + 1, 2],
    [1_000_000, 2],
  ] as const) {
    const store = new MemoryStore();
    await write(store, 5, 'k', bytes(size));
    const state = createStateRows(store);
    assert.deepEqual(state.get(ledgerKey.state('k')), bytes(size));
    assert.deepEqual(await state.range({ ...keyspaceRange('state'), limit: 10 }), [{ key: ledgerKey.state('k'), value: bytes(size) }]);
    assert.equal(1 + (await apartKeys(store)).length, rows, `${size} bytes`);
    assert.equal(state.get(ledgerKey.state('other')), undefined);
  }
});

test('a value that is replaced or deleted leaves no row behind, whatever sizes follow one another', async () => {
  const store = new MemoryStore();
  const sizes = [10, 1_000, 2_000, 10, undefined, 1_000, undefined, 300] as const;
  for (const [height, size] of sizes.entries()) {
    await write(store, height, 'k', size === undefined ? undefined : bytes(size, height));
    assert.deepEqual(createStateRows(store).get(ledgerKey.state('k')), size === undefined ? undefined : bytes(size, height));
    assert.deepEqual(await apartKeys(store), (size ?? 0) > STATE_INLINE_BYTES_MAX ? [ledgerKey.stateValue(height, 'k')] : []);
  }
});

test('a value replaced or deleted by another thread between the two reads is read as it is after', async () => {
  for (const after of [bytes(2_000, 2), undefined]) {
    const store = new MemoryStore();
    await write(store, 1, 'k', bytes(1_000, 1));
    const race = (): void => void write(store, 2, 'k', after); // MemoryStore writes before it returns
    const racing = createStateRows({
      range: async (options) => {
        const rows = await store.range(options);
        race();
        return rows;
      },
      get: (key) => {
        const value = store.get(key);
        if (key === ledgerKey.state('k') && value && new DataView(value.buffer, value.byteOffset).getUint8(8) === 1) race();
        return value;
      },
    });
    assert.deepEqual(racing.get(ledgerKey.state('k')), after);
    await write(store, 1, 'k', bytes(1_000, 1));
    const rows = await racing.range({ ...keyspaceRange('state'), limit: 10 });
    assert.deepEqual(rows, after ? [{ key: ledgerKey.state('k'), value: after }] : []);
  }
});

test('a row of no known form, and a value that is gone, are damage of the state row', async () => {
  const store = new MemoryStore();
  const rowKey = ledgerKey.state('k');
  await write(store, 1, 'k', bytes(1_000));
  await store.batch([{ key: ledgerKey.stateValue(1, 'k'), value: undefined }]);
  assert.throws(
    () => createStateRows(store).get(rowKey),
    (error) => damagedKey(error) === rowKey,
  );
  for (const row of [new Uint8Array(0), bytes(9, 2), bytes(8, 1), bytes(10, 1)]) {
    await store.batch([{ key: rowKey, value: row }]);
    assert.throws(
      () => createStateRows(store).get(rowKey),
      (error) => damagedKey(error) === rowKey,
    );
  }
});

test('a damaged value that stands apart is damage of its state row, and trouble of the disk is not', async () => {
  const store = new MemoryStore();
  const rowKey = ledgerKey.state('k');
  const valueKey = ledgerKey.stateValue(1, 'k');
  await write(store, 1, 'k', bytes(1_000));
  const failing = (error: ChainError) =>
    createStateRows({
      range: (options) => store.range(options),
      get(key) {
        if (key === valueKey) throw error;
        return store.get(key);
      },
    });
  const damaged = failing(new ChainError('STORE_DAMAGED', { key: toHex(fromByteText(valueKey)) }));
  const isDamage = (error: unknown) => damagedKey(error) === rowKey;
  assert.throws(() => damaged.get(rowKey), isDamage);
  await assert.rejects(damaged.range({ ...keyspaceRange('state'), limit: 10 }), isDamage);
  assert.throws(() => failing(new ChainError('STORE_IO', {})).get(rowKey), { code: 'STORE_IO' });
});

test('a state row points to the row of its height and key and to no other; a repaired one to none', async () => {
  const store = new MemoryStore();
  await write(store, 4, 'k', bytes(1_000));
  assert.equal(isPointedTo(store, ledgerKey.stateValue(4, 'k')), true);
  assert.equal(isPointedTo(store, ledgerKey.stateValue(3, 'k')), false);
  assert.equal(isPointedTo(store, ledgerKey.stateValue(4, 'kk')), false);
  await store.batch([{ key: ledgerKey.state('k'), value: inlineRow(bytes(1_000)) }]);
  assert.equal(isPointedTo(store, ledgerKey.stateValue(4, 'k')), false);
  assert.equal(heightApart(store, 'k', bytes(1_000)), undefined);
});
