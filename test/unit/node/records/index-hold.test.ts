/** A full block goes into the query index a record at a time, and holds the thread that votes for at most 20 ms. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { builtinClasses } from '../../../../contracts/classes/index.ts';
import {
  type Digest,
  encodeContent,
  encodeReceipt,
  encodeRecordResults,
  decodeReceipt,
  RECORD_BYTES_MAX,
  RECORDS_PER_CALL_MAX,
} from '../../../../node/format/index.ts';
import type { BlockStore } from '../../../../node/ledger/block-store.ts';
import { createIndexFeeder } from '../../../../node/records/feeder.ts';
import { recordRowsOf } from '../../../../node/records/source.ts';
import type { IndexSearch } from '../../../../node/records/query/filter.ts';
import { readHead } from '../../../../node/records/query/rows.ts';
import { createRecordIndex, openRecordIndex } from '../../../../node/records/query-index.ts';
import { traceProduct } from '../../../../node/records/trace.ts';
import { createPause } from '../../../../node/pace/slices.ts';
import { openLevelStore } from '../../../../node/store/level-store.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { blocksOn, executorOn, grow } from '../ledger/small-chain.ts';
import { quiet, world } from '../peers/stand-in.ts';
import { createMemoryStore } from './memory-store.ts';
import { ended } from '../../../tools/steps.ts';
import { Shelf } from './shelf.ts';
import { annexRecord } from './sample.ts';

const HOLD_MS_MAX = 20;
const TRIES_MAX = 6;
const RECORDS = 4_000;
const TRANSACTIONS = 4;
/** Of one record: as many as its bytes have room for, on a chain whose transactions have the gas for them. */
const MATERIALS = 100_000;

const PATIENCE = { timeout: 240_000 };
const at = { class: 'production', classVersion: 1, org: 'acme', actor: 'ada@acme', version: 1, state: 'current' as const };

const shelf = new Shelf();
const { rows } = shelf;
const ids = Array.from({ length: RECORDS }, (_, i) => crypto.hash(Buffer.from(`${i}`)));
for (const [i, id] of ids.entries()) {
  const content = encodeContent(annexRecord({ product_uid: `P-${i}` }));
  shelf.put(id, { class: 'production', org: 'acme', actor: 'ada@acme', content, committedAtMs: 1_000 });
}
const transactions = shelf.transactionsOf(1);
const share = RECORDS / TRANSACTIONS;

/** As many records in a call as may be. */
const callsOf = (stored: readonly Digest[]): Digest[][] =>
  Array.from({ length: Math.ceil(stored.length / RECORDS_PER_CALL_MAX) }, (_, i) =>
    stored.slice(i * RECORDS_PER_CALL_MAX, (i + 1) * RECORDS_PER_CALL_MAX),
  );

const receipts = Array.from({ length: TRANSACTIONS }, (_, index) =>
  encodeReceipt({
    ...{ transactionId: new Uint8Array(32), height: 1, index, status: 'ok' as const, code: 'OK', detail: new Uint8Array(0) },
    ...{ failedCall: 0, gasUsed: 1, keyKind: 'own' as const, events: [] },
    results: callsOf(ids.slice(index * share, (index + 1) * share)).map((stored) =>
      encodeRecordResults(stored.map((id) => ({ status: 'stored', class: 'production', id, recordDigest: id }))),
    ),
  }),
);

test('a block of thousands of records is indexed, and the thread is not held', { timeout: 120_000 }, async () => {
  const ledger = new MemoryStore();
  await grow(executorOn(ledger), 1, 1);
  const header = blocksOn(ledger).headerBytes(1)!;
  const blocks = {
    headerBytes: () => header,
    receiptBytes: (height: number) => (height === 1 ? receipts : []),
    block: async () => ({ transactions }),
  };
  const directory = await mkdtemp(join(tmpdir(), 'index-hold-'));
  const store = await openLevelStore({ path: directory });
  try {
    const index = await openRecordIndex(store, crypto);
    const feeder = createIndexFeeder({
      ...{ index, blocks: blocks as unknown as BlockStore, state: { get: (key: string) => rows.get(key) }, height: () => 1 },
      ...{ timers: world.timers, clock: world.clock, log: quiet },
    });
    const { longestMs } = await leastHold(() => feeder.rebuild(), { boundMs: HOLD_MS_MAX, triesMax: TRIES_MAX });
    assert.equal((await index.count({})).count, RECORDS);
    await feeder.stop();
    assert.ok(longestMs <= HOLD_MS_MAX, `${longestMs.toFixed(1)} ms`);
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
});

test('a record as large as may be is indexed and traced, and the thread is not held', { timeout: 120_000 }, async () => {
  const production = builtinClasses.production!;
  // Each line end is an escape, and is read by itself; so is each step of the list.
  const log = { value: '\n'.repeat(900_000), steps: Array.from({ length: 500_000 }, () => 'a') };
  const content = encodeContent(annexRecord({ product_uid: 'P', ext: { parameters: { log } } }));
  assert.ok(content.length > 0.9 * RECORD_BYTES_MAX && content.length <= RECORD_BYTES_MAX);
  const record = { ...at, content };
  const { longestMs } = await leastHold(
    async () => {
      const index = createRecordIndex(createMemoryStore(), crypto, () => production);
      await index.applyBlock(1, 1_000, [{ recordId: ids[0]!, record }], createPause(world));
      const trace = await traceProduct(index, { record: async () => record }, 'P', { direction: 'down', pause: createPause(world) });
      assert.equal(trace.nodes[0]?.facts.location, annexRecord().production_location);
    },
    { boundMs: HOLD_MS_MAX, triesMax: TRIES_MAX },
  );
  assert.ok(longestMs <= HOLD_MS_MAX, `${longestMs.toFixed(1)} ms`);
});

test(
  'a record of a hundred thousand materials is indexed, found by the last of them and traced, and the thread is not held',
  PATIENCE,
  async () => {
    const production = builtinClasses.production!;
    const short = { ...production, facts: { ...production.facts, materials: { list: 'm', supplier: 's', batch: 'b' } } };
    const materials = Array.from({ length: MATERIALS }, (_, i) => ({ s: 'S', b: `${i}` }));
    const content = encodeContent({ ...annexRecord({ product_uid: 'P' }), m: materials });
    assert.ok(content.length <= RECORD_BYTES_MAX);
    const record = { ...at, content };
    const batch = materials.at(-1)!.b;
    const pause = createPause(world);
    let store!: MemoryStore;
    const fed = async (): Promise<void> => {
      store = new MemoryStore();
      const index = createRecordIndex(store, crypto, () => short);
      // Two fill a segment: the one that is closed is read from the store.
      for (const height of [1, 2]) await index.applyBlock(height, 1_000, [{ recordId: ids[height]!, record }], pause);
    };
    const asked = async (): Promise<void> => {
      const index = createRecordIndex(store, crypto, () => short);
      const { rows } = await index.search({ batch, supplier: 'S' }, undefined, pause);
      for (const { matched } of rows) assert.deepEqual(matched, ['supplier', 'materialBatch']);
      assert.equal(rows.length, 2);
      const paced = { height: index.height, search: (query: IndexSearch) => index.search(query, undefined, pause) };
      for (const direction of ['up', 'down'] as const) {
        const trace = await traceProduct(paced, { record: async () => record }, 'P', { direction, pause });
        assert.equal(trace.complete, direction === 'down');
      }
    };
    for (const work of [fed, asked]) {
      const { longestMs } = await leastHold(work, { boundMs: HOLD_MS_MAX, triesMax: TRIES_MAX });
      assert.ok(longestMs <= HOLD_MS_MAX, `${work.name}: ${longestMs.toFixed(1)} ms`);
      assert.equal(readHead(store)?.closed, 1);
      await store.range({ from: '', to: undefined, limit: 1 }); // it sorts its keys
    }
  },
);

test('whoever searches while a block is written in parts sees the block before it, whole', async () => {
  const index = await openRecordIndex(createMemoryStore(), crypto);
  const state = { get: (key: string) => rows.get(key) };
  const block = ended(recordRowsOf({ receipts: receipts.slice(0, 1).map(decodeReceipt), transactions }, state)).slice(0, 300);
  await index.applyBlock(0, 1_000, []);
  let parts = 0;
  await index.applyBlock(1, 1_000, block, async () => {
    const pages = await Promise.all([index.search({}), index.search({ order: 'commit' })]);
    for (const page of pages) assert.deepEqual([page.rows, page.height], [[], 0]);
    parts++;
  });
  assert.ok(parts > block.length, `${parts} pauses: some were behind the reading of the records`);
  assert.equal((await index.count({})).count, block.length);
});
