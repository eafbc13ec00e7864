/** The query index over a real LevelDB store of which a value is damaged: made anew from blocks, and never wrong meanwhile. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createStateRows } from '../../../../node/ledger/state-rows.ts';
import { createIndexFeeder } from '../../../../node/records/feeder.ts';
import { indexKey, indexKeyspace } from '../../../../node/records/query/keys.ts';
import { openRecordIndex } from '../../../../node/records/query-index.ts';
import { openLevelStore } from '../../../../node/store/level-store.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { blocksOn, executorOn, grow } from '../ledger/small-chain.ts';
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

    await flip(path, indexKeyspace.block.prefix); // the facts of a block
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
