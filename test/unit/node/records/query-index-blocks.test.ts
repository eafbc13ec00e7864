import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { createRecordIndex } from '../../../../node/records/query-index.ts';
import { INDEX_FORM, indexKey, indexKeyspace } from '../../../../node/records/query/keys.ts';
import { sealedKeyspace } from '../../../../node/records/sealed-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { annexRecord, crypto } from './sample.ts';
import { START_MS, rowOf, indexOf, allRows, sample } from './index-rows.ts';

test('an amendment in the block of its record, a repeated block and a block left out', async () => {
  const index = await indexOf([[rowOf(annexRecord()), rowOf(annexRecord({ production_location: 'b' }), { version: 2 })]]);
  assert.deepEqual(
    (await allRows(index, { product: 'SN-0001' })).map(({ version }) => version),
    [2],
  );
  await index.applyBlock(1, START_MS, sample);
  assert.equal((await allRows(index, {})).length, 1);
  await assert.rejects(
    index.applyBlock(3, START_MS, []),
    (error: unknown) => error instanceof ChainError && error.code === 'RECORD_INDEX_ORDER',
  );
  await index.refeed();
  assert.deepEqual([index.height, (await index.search({})).rows], [undefined, []]);
  await index.applyBlock(1, START_MS, sample);
  assert.equal((await allRows(index, {})).length, 4);
});

test('an index whose rows have another form is fed from the first block', async () => {
  const store = createMemoryStore();
  const first = createRecordIndex(store, crypto);
  await first.applyBlock(7, START_MS, sample);
  await first.save();
  const current = store.rows.get(indexKey.height)!;
  for (const height of [current.slice(0, -4), Uint8Array.of(...current.slice(0, -1), INDEX_FORM + 1)]) {
    store.rows.set(indexKey.height, height);
    const index = createRecordIndex(store, crypto);
    assert.equal(index.height, undefined);
    await index.applyBlock(1, START_MS, sample);
    assert.equal((await index.search({ author: 'mes@alpha' })).rows.length, 3);
    await index.save();
    assert.equal(createRecordIndex(store, crypto).height, 1);
  }
});

test('an index opened again goes on where it was', async () => {
  const store = createMemoryStore();
  const first = createRecordIndex(store, crypto);
  await first.applyBlock(7, START_MS, sample);
  await first.save();
  const second = createRecordIndex(store, crypto);
  assert.equal(second.height, 7);
  assert.equal((await allRows(second, {})).length, 4);
});

test('key prefixes of each store are unique', () => {
  for (const table of [indexKeyspace, sealedKeyspace]) {
    const prefixes = Object.values(table).map(({ prefix }) => prefix);
    assert.equal(new Set(prefixes).size, prefixes.length);
    assert.ok(prefixes.every((prefix) => prefix.length === 1));
  }
});
