/** The state map on disk: what a start makes of its rows, whole, damaged, half written; and what a running node writes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, stateKey } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { type ByteText, equalBytes, fromByteText, toByteText, toHex, utf8 } from '../../../../node/format/index.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import {
  createMapRows,
  LAST_SNAPSHOT_WRITES_MIN,
  type MapRows,
  MERGED_WRITES_MAX,
  SNAPSHOT_WRITES_MIN,
} from '../../../../node/ledger/map-rows.ts';
import { createStateRows, stateOperations } from '../../../../node/ledger/state-rows.ts';
import {
  type ChangeSet,
  createStateMap,
  decodeChangeSet,
  type MapRoom,
  type MapWrite,
  type StateMap,
} from '../../../../node/state/index.ts';
import { keyspace } from '../../../../node/store/keyspace.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import type { StoreOperation } from '../../../../node/world.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { Pages } from '../state/pages.ts';
import { blocksOn, executorOn, grow } from './small-chain.ts';

const HEIGHT = 6;

/** A store some of whose values are damaged, and that can stop taking writes. */
class FragileStore extends MemoryStore {
  readonly damaged = new Set<ByteText>();
  /** Batches that are still taken. */
  batchesLeft = Number.POSITIVE_INFINITY;

  #judge(key: ByteText): void {
    if (this.damaged.has(key)) throw new ChainError('STORE_DAMAGED', { key: toHex(fromByteText(key)) });
  }

  override get(key: ByteText): Uint8Array | undefined {
    this.#judge(key);
    return super.get(key);
  }

  override async range(options: Parameters<MemoryStore['range']>[0]) {
    const rows = await super.range(options);
    for (const { key } of rows) this.#judge(key);
    return rows;
  }

  override async batch(operations: readonly StoreOperation[]): Promise<void> {
    if (this.batchesLeft-- <= 0) throw new ChainError('STORE_FULL', {});
    for (const { key } of operations) this.damaged.delete(key);
    await super.batch(operations);
  }

  async keys(prefix: ByteText): Promise<ByteText[]> {
    return (await super.range({ from: prefix, to: `${prefix}\xff`, limit: 100_000 })).map(({ key }) => key);
  }
}

async function grown(): Promise<FragileStore> {
  const store = new FragileStore();
  await grow(executorOn(store), HEIGHT);
  return store;
}

const writesAt = (store: MemoryStore, height: number): readonly MapWrite[] =>
  decodeChangeSet(crypto, store.get(ledgerKey.mapChanges(height))!).writes;

/** A record that the block of this height and no other one wrote. */
function recordOf(store: MemoryStore, height: number): ByteText {
  const space = stateKey(CONTRACT.records, 'v');
  return ledgerKey.state(writesAt(store, height).find(({ key }) => key.startsWith(space))!.key);
}

test('each block leaves its change set, and a start comes from them to the root of the head', async () => {
  const store = await grown();
  assert.deepEqual(
    await store.keys(keyspace.mapChanges),
    Array.from({ length: HEIGHT + 1 }, (_, height) => ledgerKey.mapChanges(height)),
  );
  assert.equal((await executorOn(store).open()).height, HEIGHT);
  assert.equal((await store.keys(keyspace.mapSnapshot)).length, 0);
});

for (const [name, keyOf] of [
  ['change set', () => ledgerKey.mapChanges(3)],
  ['first change set', () => ledgerKey.mapChanges(0)],
  ['last change set', () => ledgerKey.mapChanges(HEIGHT)],
] as const)
  for (const state of ['damaged', 'missing'] as const)
    test(`a ${name} that is ${state}: the start makes the map from the values and writes a snapshot in place of all change sets`, async () => {
      const [store, peer] = [await grown(), await grown()];
      if (state === 'damaged') store.damaged.add(keyOf());
      else await store.batch([{ key: keyOf(), value: undefined }]);
      assert.equal((await executorOn(store).open()).height, HEIGHT);
      assert.deepEqual(await store.keys(keyspace.mapChanges), []);
      assert.ok((await store.keys(keyspace.mapSnapshot)).length > 0);
      await grow(executorOn(store), HEIGHT + 2); // from the snapshot, and from change sets on it
      await grow(executorOn(store), HEIGHT + 3);
      await grow(executorOn(peer), HEIGHT + 3);
      assert.deepEqual(blocksOn(store).head(), blocksOn(peer).head());
    });

test('where a value is damaged too, its hash comes from the rows of the map that are sound; the value itself is asked of peers', async () => {
  const [store, peer] = [await grown(), await grown()];
  const value = recordOf(store, 5);
  store.damaged.add(value);
  store.damaged.add(ledgerKey.mapChanges(3));
  const executor = executorOn(store);
  assert.equal((await executor.open()).height, HEIGHT);
  assert.deepEqual(await executor.repair(value), { outcome: 'wanted', key: value, height: HEIGHT });
  const held = createStateRows(peer).get(value)!;
  assert.equal((await executor.repair(value, utf8('another value'))).outcome, 'refused');
  assert.equal((await executor.repair(value, held)).outcome, 'repaired');
  assert.ok(equalBytes(createStateRows(store).get(value)!, held));
});

test('a value and the change set that states its hash, both damaged: the start says so and writes nothing', async () => {
  const store = await grown();
  store.damaged.add(recordOf(store, 5));
  store.damaged.add(ledgerKey.mapChanges(5));
  store.batchesLeft = 0;
  await assert.rejects(executorOn(store).open(), (error) => error instanceof ChainError && error.code === 'STORE_DAMAGED');
});

test('a damaged row of the map of a running node is made good by a snapshot of the map in memory', async () => {
  const store = await grown();
  const executor = executorOn(store);
  await executor.open();
  for (const key of [ledgerKey.mapChanges(2), ledgerKey.mapSnapshot]) {
    store.damaged.add(key);
    assert.deepEqual(await executor.repair(key), { outcome: 'repaired', from: 'own' });
    assert.deepEqual(await executor.repair(key), { outcome: 'sound' });
  }
  store.damaged.add((await store.keys(keyspace.mapSnapshot))[0]!);
  assert.equal((await executorOn(store).open()).height, HEIGHT, 'a damaged frame');
});

test('before the chain is open a damaged value is no value of another state', async () => {
  const store = await grown();
  const value = recordOf(store, 5);
  store.damaged.add(value);
  assert.equal((await executorOn(store).repair(value)).outcome, 'wanted');
});

/** A map that grows by blocks of many keys, without a chain around it. */
function bench(store = new FragileStore(), room?: MapRoom) {
  const time = { nowMs: 0, stepMs: 0 };
  const clock = { monotonic: () => (time.nowMs += time.stepMs) };
  const rows = createMapRows({ store, hash: crypto, state: createStateRows(store), clock, room });
  let map: StateMap = createStateMap(crypto, room);
  let height = -1;
  return {
    store,
    time,
    rows,
    root: () => map.root(),
    memoryBytes: () => map.memory().bytes,
    height: () => height,
    finish: () => rows.finish(map, height),
    async block(count: number): Promise<void> {
      height++;
      const value = utf8(`${height}`);
      const keys = Array.from({ length: count }, (_, i) => toByteText(crypto.hash(utf8(`${height}/${i}`))));
      const writes = keys.map((key): MapWrite => ({ key, valueHash: crypto.hash(value) }));
      const staged = map.stage(writes);
      const set: ChangeSet = { height, before: map.root(), after: staged.root, writes };
      await store.batch([rows.changes(set), ...keys.flatMap((key) => stateOperations(height, key, value))]);
      map.commit(staged);
      rows.committed(map, set);
    },
    async reopened(): Promise<MapRows> {
      const again = createMapRows({ store, hash: crypto, state: createStateRows(store), clock, room });
      map = await again.open(height, map.root());
      return again;
    },
  };
}

test('a snapshot follows once enough keys were written since the last, beside the blocks; the rows before it go', async () => {
  const { store, rows, block, reopened, root } = bench();
  const blocks = 6;
  for (let i = 0; i < blocks; i++) await block(SNAPSHOT_WRITES_MIN / 5);
  const before = root();
  await settled(async () => store.get(ledgerKey.mapSnapshot) !== undefined && (await store.keys(keyspace.mapChanges)).length === 1);
  assert.deepEqual(await store.keys(keyspace.mapChanges), [ledgerKey.mapChanges(blocks - 1)]);
  await rows.stop();
  await reopened();
  assert.ok(equalBytes(root(), before));
});

test('who stops with much to apply writes a last snapshot, and one under way is cut short for it', async () => {
  for (const underWay of [false, true]) {
    const { store, rows, block, finish, reopened, root, height } = bench();
    await block(LAST_SNAPSHOT_WRITES_MIN);
    const begun = underWay ? rows.rewrite(await created(rows, height(), root()), height()) : Promise.resolve();
    await block(10);
    await Promise.all([begun, finish()]);
    assert.equal(store.get(ledgerKey.mapSnapshot)?.at(-1), 1, 'of the last block');
    assert.deepEqual(await store.keys(keyspace.mapChanges), []);
    const before = root();
    await reopened();
    assert.ok(equalBytes(root(), before));
  }
});

test('a start comes from a snapshot and what was written since to the root of the head', async () => {
  const { store, rows, block, reopened, root, height } = bench();
  await block(1_000);
  await rows.rewrite(await created(rows, height(), root()), height());
  await block(1_000);
  await block(10);
  const before = root();
  store.batchesLeft = 0; // a start that had to make the map from the values would write
  await reopened();
  assert.ok(equalBytes(root(), before));
});

test('what was written beyond what is merged is applied after it', async () => {
  const store = new FragileStore();
  const rows = createMapRows({ store, hash: crypto, state: createStateRows(store), clock: { monotonic: () => 0 }, room: undefined });
  const map = createStateMap(crypto);
  const setOf = (height: number, writes: readonly MapWrite[]): StoreOperation => {
    const before = map.root();
    map.commit(map.stage(writes));
    return rows.changes({ height, before, after: map.root(), writes });
  };
  const keys = Array.from({ length: 1_000 }, (_, i) => toByteText(crypto.hash(utf8(`${i}`))));
  const { value } = setOf(
    0,
    keys.map((key) => ({ key, valueHash: crypto.hash(fromByteText(key)) })),
  );
  const last = MERGED_WRITES_MAX / keys.length;
  for (let height = 0; height < last; height++) await store.batch([{ key: ledgerKey.mapChanges(height), value }]);
  await store.batch([
    setOf(last, [
      { key: keys[0]!, valueHash: undefined },
      { key: keys[1]!, valueHash: crypto.hash(utf8('another')) },
    ]),
  ]);
  store.batchesLeft = 0;
  assert.ok(equalBytes((await rows.open(last, map.root())).root(), map.root()));
});

test('an executor that stops leaves its next start nothing to apply', async () => {
  const store = new FragileStore();
  const executor = executorOn(store);
  await grow(executor, 5, 1_000);
  await executor.stop();
  assert.equal(store.get(ledgerKey.mapSnapshot)?.at(-1), 5);
  store.batchesLeft = 0; // a start that had to make the map from the values would write
  assert.equal((await executorOn(store).open()).height, 5);
});

test('an executor whose opening failed behind its map stops all the same', async () => {
  const store = await grown();
  for (const key of await store.keys(keyspace.configuration)) await store.batch([{ key, value: undefined }]);
  const executor = executorOn(store);
  await assert.rejects(executor.open(), /No configuration/);
  await executor.stop();
});

test('a last snapshot is not written of little, and a store that is slow or takes none does not hold up the stop', async () => {
  const little = bench();
  await little.block(LAST_SNAPSHOT_WRITES_MIN - 1);
  await little.finish();
  assert.equal(little.store.get(ledgerKey.mapSnapshot), undefined);
  const slow = bench();
  await slow.block(LAST_SNAPSHOT_WRITES_MIN);
  slow.time.stepMs = 3_000;
  await slow.finish();
  assert.equal(slow.store.get(ledgerKey.mapSnapshot), undefined, 'past its time');
  const full = bench();
  await full.block(LAST_SNAPSHOT_WRITES_MIN);
  full.store.batchesLeft = 1;
  await full.finish();
  const before = full.root();
  full.store.batchesLeft = 0;
  await full.reopened();
  assert.ok(equalBytes(full.root(), before));
});

test('a snapshot that meets a damaged page of the map comes to nothing and tells so, and the map opened anew is whole', async () => {
  const pages = new Pages();
  const { store, rows, block, reopened, root, height } = bench(new FragileStore(), { mapMemoryBytesMax: 1, pages, onFault: assert.fail });
  for (let i = 0; i < 6; i++) await block(SNAPSHOT_WRITES_MIN / 5);
  pages.readsSound = 0;
  await settled(async () => rows.lost() !== undefined);
  assert.equal(store.get(ledgerKey.mapSnapshot), undefined);
  pages.readsSound = Number.POSITIVE_INFINITY;
  const before = root();
  const map = await rows.open(height(), before);
  assert.equal(rows.lost(), undefined);
  assert.ok(equalBytes(map.root(), before));
  await reopened();
  await block(SNAPSHOT_WRITES_MIN);
});

test('a map that had to be made from the values is within its memory as well', async () => {
  const { store, block, reopened, memoryBytes, root } = bench(new FragileStore(), {
    mapMemoryBytesMax: 1,
    pages: new Pages(),
    onFault: assert.fail,
  });
  for (let i = 0; i < 4; i++) await block(20_000);
  const before = [memoryBytes(), root()] as const;
  store.damaged.add(ledgerKey.mapChanges(2));
  await reopened();
  assert.ok(equalBytes(root(), before[1]));
  assert.ok(memoryBytes() <= before[0], `${memoryBytes()} bytes, ${before[0]} before`);
});

test('a snapshot cut short at any batch leaves what was there, and the next one takes its place', async () => {
  for (let batches = 0; ; batches++) {
    const { store, rows, block, reopened, root, height } = bench();
    await block(9_000);
    await rows.rewrite(await created(rows, height(), root()), 0);
    await block(9_000);
    const map = await created(rows, height(), root());
    store.batchesLeft = batches;
    const done = await rows.rewrite(map, height()).then(
      () => true,
      (error) => (error as ChainError).code,
    );
    store.batchesLeft = 0; // a start that had to make the map from the values would write
    await reopened();
    store.batchesLeft = Number.POSITIVE_INFINITY;
    await block(10);
    await reopened();
    if (done === true) break;
    assert.equal(done, 'STORE_FULL');
    assert.ok(batches < 100);
  }
});

const created = (rows: MapRows, height: number, root: Uint8Array): Promise<StateMap> => rows.open(height, root);

async function settled(done: () => Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 20_000; turns++) {
    if (await done()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('nothing came of it');
}
