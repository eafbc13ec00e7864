/** Transactions of proposals that were voted for: there after a loss of power, gone when their height is final. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transactionHashOf, utf8 } from '../../../../node/format/index.ts';
import { openPendingBodies, type PendingBodies, ROW_BYTES_MAX } from '../../../../node/chain/pending-bodies.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { SimKeys } from '../../../simulation/crypto.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { simulatedMachine } from '../simulated-machine.ts';

test('what was saved outlives a loss of power, height by height, until the height is final', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { machine, scheduler, keys } = simulatedMachine(seed);
    const during = async <T>(work: Promise<T>): Promise<T> => {
      let over = false;
      const watched = work.finally(() => {
        over = true;
      });
      await scheduler.run(scheduler.nowMs + 1_000, () => over);
      return watched;
    };
    const bodies = ['one', 'two', 'three'].map((name) => utf8(name));
    const held = (pending: PendingBodies) => bodies.map((body) => pending.transaction(transactionHashOf(keys, body)) !== undefined);
    const open = () => during(openPendingBodies(machine.boot().openStore('local'), keys));
    const pending = await open();
    await during(pending.save(5, keys.hash(utf8('a')), [bodies[0]!, bodies[1]!]));
    await during(pending.save(6, keys.hash(utf8('b')), [bodies[2]!]));
    machine.crash();
    const again = await open();
    assert.deepEqual(held(again), [true, true, true], `seed ${seed}`);
    await during(again.drop(5));
    assert.deepEqual(held(again), [false, false, true]);
  }
});

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

test('a proposal larger than a row stands in several rows, and all of them are read and dropped', async () => {
  const keys = new SimKeys(new SeededRandom(6), 255);
  const store = new MemoryStore();
  const batches: number[] = [];
  const watched = {
    ...store,
    get: (key: string) => store.get(key),
    range: (options: Parameters<MemoryStore['range']>[0]) => store.range(options),
    batch: (operations: Parameters<MemoryStore['batch']>[0], options: { readonly sync: boolean }) => {
      if (options.sync) batches.push(...operations.map(({ value }) => value!.length));
      return store.batch(operations);
    },
    close: () => store.close(),
  };
  const saving = await openPendingBodies(watched, keys);
  const bodies = [...Array.from({ length: 30 }, (_, i) => new Uint8Array(100_000).fill(i)), new Uint8Array(2 * ROW_BYTES_MAX).fill(77)];
  await saving.save(7, keys.hash(utf8('a')), bodies);
  assert.equal(batches.length, 4);
  assert.ok(
    batches.slice(0, 3).every((bytes) => bytes <= ROW_BYTES_MAX + 1_024),
    `${batches}`,
  );
  const reopened = await openPendingBodies(store, keys);
  for (const bytes of bodies) assert.deepEqual(reopened.transaction(transactionHashOf(keys, bytes)), bytes);
  await reopened.drop(7);
  assert.deepEqual(await store.range({ from: '', to: undefined, limit: 10 }), []);
});
