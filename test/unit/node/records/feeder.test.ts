/** The query index over a real LevelDB store of which a value is damaged: made anew from blocks, and never wrong meanwhile. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createStateRows } from '../../../../node/ledger/state-rows.ts';
import { createIndexFeeder, FACTS_WAITING_BYTES_MAX } from '../../../../node/records/feeder.ts';
import { indexKey, indexKeyspace } from '../../../../node/records/query/keys.ts';
import { openRecordIndex } from '../../../../node/records/query-index.ts';
import { openLevelStore } from '../../../../node/store/level-store.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { add, blocksOn, executorOn, grow, transaction } from '../ledger/small-chain.ts';
import { ManualTime, MemoryLog } from '../memory-world.ts';

const HEIGHT = 5;
const RECORDS = 4;

async function flip(path: string, prefix: string): Promise<void> {
  const raw = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  const [[key, value]] = (await raw.iterator({ gte: Buffer.from(prefix), limit: 1 }).all()) as [[Buffer, Buffer]];
  value[0]! ^= 1;
  await raw.put(key, value);
  await raw.close();
}

test('damaged rows of the query index, its height too, are made anew from blocks, and every page says the height it is of', async () => {
  const path = await mkdtemp(join(tmpdir(), 'feeder-test-'));
  const ledger = new MemoryStore();
  await grow(executorOn(ledger), HEIGHT, RECORDS);
  const blocks = blocksOn(ledger);
  const open = async () => {
    const store = await openLevelStore({ path });
    const index = await openRecordIndex(store, crypto);
    const time = new ManualTime();
    const rows = createStateRows(ledger);
    const state = { get: (key: string) => rows.get(ledgerKey.state(key)) };
    const feeder = createIndexFeeder({ index, blocks, state, height: () => HEIGHT, timers: time, clock: time, log: new MemoryLog() });
    const stop = async () => {
      await feeder.stop();
      await store.close();
    };
    return { index, feeder, stop };
  };
  try {
    const first = await open();
    await first.feeder.rebuild(); // an empty index is fed like one that is made anew
    assert.deepEqual([first.index.height, (await first.index.count({})).count], [HEIGHT, HEIGHT * RECORDS]);
    await first.stop();

    await flip(path, indexKeyspace.kept.prefix); // the facts of a block
    const second = await open();
    assert.equal(second.index.height, undefined);
    const rebuilt = Promise.all([second.feeder.rebuild(), second.feeder.rebuild()]);
    await new Promise((resolve) => setImmediate(resolve));
    const during = await second.index.count({}).catch(() => undefined);
    if (during) assert.equal(during.count, Math.max(0, during.height) * RECORDS, 'all records of the height it says');
    await rebuilt;
    for (const order of ['time', 'commit'] as const) {
      const page = await second.index.search({ order, limit: 1_000 });
      assert.deepEqual([page.rows.length, page.height, page.complete], [HEIGHT * RECORDS, HEIGHT, true], order);
    }
    await second.stop();

    await flip(path, indexKey.height);
    const third = await open();
    assert.equal(third.index.height, undefined);
    await third.feeder.rebuild();
    assert.equal(third.index.height, HEIGHT);
    await third.stop();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});

/** A feeder of a chain that grows under it, and the heights of blocks that it read. */
async function feederOn(
  ledger: MemoryStore,
  height: () => number,
  onRead: (height: number) => void = () => undefined,
  store = new MemoryStore(),
) {
  const read: number[] = [];
  const blocks = blocksOn(ledger);
  const noted: typeof blocks = {
    ...blocks,
    block: (at: number) => {
      read.push(at);
      onRead(at);
      return blocks.block(at);
    },
  };
  const time = new ManualTime();
  const rows = createStateRows(ledger);
  const state = { get: (key: string) => rows.get(ledgerKey.state(key)) };
  const index = await openRecordIndex(store, crypto);
  const feeder = createIndexFeeder({ index, blocks: noted, state, height, timers: time, clock: time, log: new MemoryLog() });
  return { index, feeder, read };
}

test('what an index has in memory alone is fed again before a start after a crash ends, and a stop leaves nothing of it', async () => {
  const ledger = new MemoryStore();
  await grow(executorOn(ledger), HEIGHT, RECORDS);
  const store = new MemoryStore();
  const feederOfStore = () => feederOn(ledger, () => HEIGHT, undefined, store);
  await (await feederOfStore()).feeder.start();
  assert.equal((await store.range({ from: '', to: undefined, limit: 1 })).length, 0);
  const second = await feederOfStore(); // after a crash
  await second.feeder.start();
  assert.deepEqual([second.index.height, second.read.length], [HEIGHT, HEIGHT + 1]);
  await second.feeder.stop();
  const third = await feederOfStore();
  assert.equal(third.index.height, HEIGHT);
  await third.feeder.start();
  assert.deepEqual([third.read, (await third.index.count({})).count], [[], HEIGHT * RECORDS]);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a block of which the executor has said the facts is indexed without being read, one before it from its bytes', async () => {
  const ledger = new MemoryStore();
  const executor = executorOn(ledger);
  await grow(executor, 2, RECORDS);
  const tip = await executor.open();
  const committed = await add(executor, tip, transaction(3, RECORDS));
  let height = 2;
  const { index, feeder, read } = await feederOn(ledger, () => height);
  await feeder.rebuild();
  height = 3;
  feeder.onBlock(committed);
  while (index.height !== height) await turn();
  assert.deepEqual([read, (await index.count({})).count], [[0, 1, 2], height * RECORDS]);
  await feeder.rebuild();
  assert.deepEqual(read.slice(3), [0, 1, 2, 3], 'facts are used once');
  await feeder.stop();
});

test('blocks that are at the tip before they are told of are indexed without being read', async () => {
  const ledger = new MemoryStore();
  const executor = executorOn(ledger);
  let tip = await executor.open();
  const { index, feeder, read } = await feederOn(ledger, () => tip.height);
  await feeder.rebuild();
  let untold: Parameters<typeof feeder.onBlock>[0] | undefined;
  for (let height = 1; height <= HEIGHT; height++) {
    const committed = await add(executor, tip, transaction(height, RECORDS));
    tip = committed;
    if (untold) feeder.onBlock(untold);
    while ((index.height ?? -1) < height - 1) await turn();
    for (let turns = 0; turns < 5; turns++) await turn(); // meanwhile transactions leave the mempool
    untold = committed;
  }
  feeder.onBlock(untold!);
  while (index.height !== HEIGHT) await turn();
  assert.deepEqual([read, (await index.count({})).count], [[0], HEIGHT * RECORDS]);
  await feeder.stop();
});

test('a block whose facts have no room to wait is read, and those after it go by their facts again', async () => {
  const ledger = new MemoryStore();
  const executor = executorOn(ledger);
  await grow(executor, 2, RECORDS);
  const third = await add(executor, await executor.open(), transaction(3, RECORDS));
  const fourth = await add(executor, third, transaction(4, RECORDS));
  let height = 2;
  const { index, feeder, read } = await feederOn(
    ledger,
    () => height,
    (at) => {
      if (at !== 2) return;
      feeder.onBlock({ height: 2, recordFacts: new Uint8Array(FACTS_WAITING_BYTES_MAX) }); // told of while its bytes are read
      height = 3;
      feeder.onBlock(third);
    },
  );
  await feeder.rebuild();
  height = 4;
  feeder.onBlock(fourth);
  while (index.height !== height) await turn();
  assert.deepEqual([read, (await index.count({})).count], [[0, 1, 2, 3], height * RECORDS]);
  await feeder.stop();
});
