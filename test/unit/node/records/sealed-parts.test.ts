/** What a transaction of many records asks of the sealed store is done in parts, between which the thread is free. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aesGcm, createSealedStore, type SealedRecord } from '../../../../node/records/index.ts';
import { createMemoryStore, heldOf } from './memory-store.ts';

const COUNT = 100;
const PART_MAX = 20; // records between two pauses
const id = new Uint8Array(32).fill(7);
const records: readonly SealedRecord[] = Array.from({ length: COUNT }, (_, i) => ({
  recordId: new Uint8Array(32).fill(i),
  sealed: [{ path: 'a', value: `v${i}`, salt: new Uint8Array(32), commitment: `${i}`.padStart(64, '0') }],
}));
const random = { bytes: (count: number) => new Uint8Array(count).fill(1) };

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
  return { sealed, seen };
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
