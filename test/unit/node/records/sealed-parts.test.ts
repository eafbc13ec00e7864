/** What a transaction of many records asks of the sealed store is done in parts, between which the thread is free. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { aesGcm, createSealedStore, type SealedRecord } from '../../../../node/records/index.ts';
import { encodeValues } from '../../../../node/records/sealed-values.ts';
import type { Store } from '../../../../node/world.ts';
import { createMemoryStore, heldOf } from './memory-store.ts';

const COUNT = 100;
const PART_MAX = 20; // records between two pauses
const id = new Uint8Array(32).fill(7);
const records: readonly SealedRecord[] = Array.from({ length: COUNT }, (_, i) => ({
  recordId: new Uint8Array(32).fill(i),
  sealed: [{ path: 'a', value: `v${i}`, salt: new Uint8Array(32), commitment: `${i}`.padStart(64, '0') }],
}));
const random = { bytes: (count: number) => new Uint8Array(count).fill(1) };

const sealedOn = (store: Store) => createSealedStore(store, aesGcm, random, new Uint8Array(32).fill(5), async () => undefined);

function rig() {
  const store = createMemoryStore();
  const seen = { pauses: 0, batches: 0, failAt: Number.POSITIVE_INFINITY };
  const failing = {
    ...store,
    async batch(...args: Parameters<typeof store.batch>): Promise<void> {
      if (++seen.batches >= seen.failAt) throw new Error('torn');
      await store.batch(...args);
    },
  };
  const sealed = createSealedStore(failing, aesGcm, random, new Uint8Array(32).fill(5), async () => {
    seen.pauses++;
  });
  return { sealed, seen, store };
}

test('values of many records are held and kept in parts', async () => {
  const { sealed, seen } = rig();
  await sealed.hold(id, 9, records);
  assert.ok(seen.pauses >= COUNT / PART_MAX, `${seen.pauses} pauses while holding`);
  seen.pauses = 0;
  seen.batches = 0;
  await sealed.keep(id);
  assert.ok(seen.batches >= COUNT / PART_MAX, `${seen.batches} batches while keeping`);
  assert.ok(seen.pauses >= COUNT / PART_MAX - 1, `${seen.pauses} pauses while keeping`);
  for (const { recordId, sealed: values } of records) assert.equal(heldOf(sealed, recordId)[0]!.value, values[0]!.value);
  assert.deepEqual(await sealed.waiting(), []);
});

test('what was cut off between two parts is kept when it is asked for again', async () => {
  const { sealed, seen } = rig();
  await sealed.hold(id, 9, records);
  seen.failAt = seen.batches + 4;
  await assert.rejects(sealed.keep(id), /torn/);
  assert.equal((await sealed.waiting()).length, 1, 'it still waits');
  seen.failAt = Number.POSITIVE_INFINITY;
  await sealed.keep(id);
  for (const { recordId } of records) assert.equal(heldOf(sealed, recordId).length, 1);
  assert.deepEqual(await sealed.waiting(), []);
});

test('what waits is read from the store once, a few rows at a time, and the values that lie beside it not again', async () => {
  const { store } = rig();
  const ids = Array.from({ length: COUNT }, (_, i) => new Uint8Array(32).fill(i + 100));
  const before = sealedOn(store);
  for (const [i, transactionId] of ids.entries()) await before.hold(transactionId, i, records.slice(0, 1));
  const seen = { ranges: 0, rowsAtOnce: 0 };
  const watched = {
    ...store,
    async range(options: Parameters<typeof store.range>[0]) {
      const rows = await store.range(options);
      seen.ranges++;
      seen.rowsAtOnce = Math.max(seen.rowsAtOnce, rows.length);
      return rows;
    },
  };
  const sealed = sealedOn(watched); // after a restart
  assert.deepEqual(
    (await sealed.waiting()).map(({ transactionId, expiryHeight }) => [transactionId, expiryHeight]),
    ids.map((transactionId, i) => [transactionId, i]),
  );
  assert.ok(seen.rowsAtOnce <= PART_MAX, `${seen.rowsAtOnce} rows at once`);
  await sealed.drop(ids[0]!);
  await sealed.keep(ids[1]!);
  await sealed.hold(id, 9, records);
  seen.ranges = 0;
  assert.deepEqual((await sealed.waiting()).at(-1), { transactionId: id, expiryHeight: 9 });
  assert.equal((await sealed.waiting()).length, COUNT - 1);
  assert.equal(seen.ranges, 0);
  assert.deepEqual(new Set(await sealedOn(store).waiting()), new Set(await sealed.waiting()), 'a restart reads the same');
});

test('what waits is kept without being read again, and after a restart from its row', async () => {
  const { store } = rig();
  let ranges = 0;
  const watched = {
    ...store,
    range(options: Parameters<typeof store.range>[0]) {
      if (options.from.startsWith('w')) ranges++;
      return store.range(options);
    },
  };
  const sealed = sealedOn(watched);
  await sealed.hold(id, 9, records.slice(0, 2));
  await sealed.waiting(); // read once for all
  ranges = 0;
  await sealed.keep(id);
  assert.equal(ranges, 0);
  await sealed.hold(id, 9, records.slice(2, 4));
  await sealedOn(watched).keep(id);
  for (const { recordId, sealed: values } of records.slice(0, 4)) assert.equal(heldOf(sealed, recordId)[0]!.value, values[0]!.value);
  await sealed.hold(id, 9, records.slice(4, 5));
  await sealed.drop(id);
  await sealed.keep(id);
  assert.deepEqual(heldOf(sealed, records[4]!.recordId), [], 'what was dropped is gone from memory as well');
});

test('a damaged row of what waits hides no other', async () => {
  const { store } = rig();
  const ids = Array.from({ length: 20 }, (_, i) => new Uint8Array(32).fill(i + 1));
  for (const transactionId of ids) await sealedOn(store).hold(transactionId, 9, records.slice(0, 1));
  const [damaged] = [...store.rows.keys()].sort().slice(7);
  const failing = {
    ...store,
    async range(options: Parameters<typeof store.range>[0]) {
      const rows = await store.range(options);
      if (rows.some(({ key }) => key === damaged))
        throw new ChainError('STORE_DAMAGED', { key: Buffer.from(damaged!, 'latin1').toString('hex') });
      return rows;
    },
  };
  assert.equal((await sealedOn(failing).waiting()).length, ids.length - 1);
});

test('no step of writing many values copies more than a megabyte, however many were written before', (t) => {
  const values = Array.from({ length: 20_000 }, (_, i) => ({
    path: `p${i}`,
    value: '秘'.repeat(100),
    salt: new Uint8Array(32),
    commitment: `${i}`.padStart(64, '0'),
  }));
  let longest = 0;
  const typed = Object.getPrototypeOf(Uint8Array.prototype) as { set: Uint8Array['set']; slice: Uint8Array['slice'] };
  const { set, slice } = typed;
  t.mock.method(typed, 'set', function (this: Uint8Array, from: Uint8Array, at?: number) {
    longest = Math.max(longest, from.length);
    set.call(this, from, at);
  });
  t.mock.method(typed, 'slice', function (this: Uint8Array, from?: number, to?: number) {
    const made = slice.call(this, from, to);
    longest = Math.max(longest, made.length);
    return made;
  });
  let bytes = 0;
  for (const steps = encodeValues(values); bytes === 0; ) {
    const step = steps.next();
    if (step.done === true) bytes = step.value.length;
  }
  t.mock.restoreAll();
  assert.ok(bytes > 8_000_000);
  assert.ok(longest <= 1_048_576, `${longest} bytes`);
});
