import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transactionHashOf, utf8 } from '../../../node/format/index.ts';
import { openPendingBodies } from '../../../node/pending-bodies.ts';
import { MemoryStore } from '../../../node/storage/memory-store.ts';
import { SimKeys } from '../../simulation/crypto.ts';
import { SeededRandom } from '../../simulation/random.ts';

test('after a restart the transactions of every proposal voted for are at hand, however many views failed at the height', async () => {
  const keys = new SimKeys(new SeededRandom(5), 255);
  const store = new MemoryStore();
  const saving = await openPendingBodies(store, keys);
  const bodies = Array.from({ length: 600 }, (_, view) => utf8(`transaction of view ${view}`));
  for (const bytes of bodies) await saving.save(7, keys.hash(bytes), [bytes]);
  const reopened = await openPendingBodies(store, keys);
  for (const bytes of bodies) assert.deepEqual(reopened.transaction(transactionHashOf(keys, bytes)), bytes);
  await reopened.drop(7);
  const empty = await openPendingBodies(store, keys);
  assert.equal(empty.transaction(transactionHashOf(keys, bodies[0]!)), undefined);
});
