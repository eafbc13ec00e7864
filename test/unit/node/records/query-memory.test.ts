/** What the query index holds in memory of its closed segments, and which of them a search reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WrittenVersion } from '../../../../contracts/types.ts';
import { type ByteText, prefixEnd, Writer } from '../../../../node/format/index.ts';
import { blockFactsOf } from '../../../../node/ledger/record-facts.ts';
import { createRecordIndex, OPEN_ROWS, OPEN_UNPAID } from '../../../../node/records/query-index.ts';
import { GROUP_SEGMENTS } from '../../../../node/records/query/directory.ts';
import { indexKey, indexKeyspace } from '../../../../node/records/query/keys.ts';
import { timeOrder } from '../../../../node/records/query/orders.ts';
import { readHead } from '../../../../node/records/query/rows.ts';
import { HELD_PER_BYTE, SEGMENT_ROWS_MAX } from '../../../../node/records/query/segment.ts';
import { COLUMNS_HELD_BYTES_MAX, Segments } from '../../../../node/records/query/segments.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { ended } from '../../../tools/steps.ts';
import { crypto } from './sample.ts';

const START_MS = 1_760_000_000_000;
const noPause = (): Promise<void> => Promise.resolve();

/** Notes which columns are read. */
class NotingStore extends MemoryStore {
  readonly columns: ByteText[] = [];

  override get(key: ByteText): Uint8Array | undefined {
    if (key.startsWith(indexKeyspace.column.prefix)) this.columns.push(key);
    return super.get(key);
  }
}

function version(n: number, named: Partial<WrittenVersion['named']>, more: Partial<WrittenVersion> = {}): WrittenVersion {
  const id = crypto.hash(new Writer(8).u64(n).finish());
  const said = { product: undefined, productionBatch: undefined, factory: undefined, report: undefined, verdict: undefined };
  const facts = { ...said, timeUs: undefined, devices: [], materials: [], links: [], ...named };
  const at = { class: 'production', org: 'alpha', actor: 'mes@alpha', state: 'current' as const };
  return { id, version: 1, heightBefore: undefined, ...at, named: facts, ...more };
}

async function add(segments: Segments, store: MemoryStore, height: number, versions: readonly WrittenVersion[]): Promise<void> {
  const timestampMs = START_MS + height;
  const first = segments.rowsWhole;
  const facts = blockFactsOf({ timestampMs, versions });
  ended(segments.push(facts, height));
  const { isClosing } = segments;
  const operations = segments.closing(height);
  for (let step = operations.next(); isClosing; step = operations.next()) {
    await store.batch(step.done ? step.value : step.value ? [step.value] : []);
    if (step.done) break;
  }
  segments.added();
  if (isClosing) segments.closed();
  if (segments.rowsOpen === 0) return;
  await store.batch(segments.keeping(height, first, [{ height, facts }]));
  segments.kept(1);
}

test('of a closed segment the versions that it replaced are held once, beside the ones that were replaced', async () => {
  const store = new MemoryStore();
  const grown = await Segments.load(store, undefined, noPause);
  const amended = 10;
  const many = Array.from({ length: SEGMENT_ROWS_MAX }, (_, n) => version(n, {}));
  await add(grown, store, 1, many.slice(0, amended));
  const amendments = many.slice(0, amended).map((each) => ({ ...each, version: 2, heightBefore: 1 }));
  await add(grown, store, 2, [...amendments, ...many.slice(amended)]);
  for (const segments of [grown, await Segments.load(store, readHead(store), noPause)]) {
    assert.deepEqual([segments.closedCount, segments.count], [1, 2]);
    assert.deepEqual(segments.entry(0).replaced, []);
    for (const [row, height, stands] of [
      [0, 1, true],
      [0, 2, false],
      [amended, 2, true],
    ] as const)
      assert.equal(segments.standsAt(0, row, height), stands, `row ${row} at ${height}`);
  }
});

/** Segments of one version each, with a text as long as a segment may be. */
const COUNT = 20;
async function largeSegments(): Promise<{ readonly store: NotingStore; readonly segments: Segments }> {
  const store = new NotingStore();
  const segments = await Segments.load(store, undefined, noPause);
  const text = 'x'.repeat(4_194_304);
  for (let n = 0; n < COUNT; n++) await add(segments, store, n + 1, [version(n, { product: `P-${n}`, verdict: `${n}${text}` })]);
  return { store, segments };
}

test('columns held past their bound are let go, those of the segment read longest ago first', async () => {
  const { store, segments } = await largeSegments();
  const read = (n: number): void => void assert.ok(segments.rows(n).columns.verdict.at(0)!.startsWith(`${n}x`));
  for (let n = 0; n < COUNT; n++) read(n);
  assert.equal(store.columns.length, COUNT);
  const held = Math.floor(COLUMNS_HELD_BYTES_MAX / (HELD_PER_BYTE * 4_194_304)) - 1;
  for (let n = COUNT - held; n < COUNT; n++) read(n);
  assert.equal(store.columns.length, COUNT, 'the latest are held');
  read(0);
  assert.equal(store.columns.length, COUNT + 1, 'the first was let go');
});

test('a search in order of time reads the segments that have its value, and no other', async () => {
  const { store, segments } = await largeSegments();
  const order = timeOrder({ segments, field: 'product', value: 'P-7', from: '', to: undefined, onOpen: noPause });
  assert.deepEqual(
    (await order.next(10)).map(({ number }) => number),
    [7],
  );
  assert.deepEqual(new Set(store.columns.map((key) => key.slice(0, -1))), new Set([indexKey.column(7, '')]));
  const loaded = await Segments.load(store, readHead(store), noPause);
  for (const [product, wanted] of [
    ['P-0', [0]], // of a group
    ['P-7', [7]],
    [`P-${GROUP_SEGMENTS - 1}`, [GROUP_SEGMENTS - 1]],
    [`P-${GROUP_SEGMENTS}`, [GROUP_SEGMENTS]], // of none yet
    [`P-${COUNT - 1}`, [COUNT - 1]],
    ['P-none', []],
  ] as const) {
    for (const each of [segments, loaded]) {
      const asked = new Set<number>();
      const rows = each.rows.bind(each);
      each.rows = (number) => {
        asked.add(number);
        return rows(number);
      };
      await timeOrder({ segments: each, field: 'product', value: product, from: '', to: undefined, onOpen: noPause }).next(10);
      assert.deepEqual([...asked], wanted, product);
      each.rows = rows;
    }
  }
});

test('of segments in groups nothing else is kept, and a row of a group that is gone is noticed by who needs it', async () => {
  const { store, segments } = await largeSegments();
  const held = await store.range({ from: indexKey.values(0), to: indexKey.values(COUNT), limit: COUNT });
  assert.deepEqual(
    held.map(({ key }) => key),
    Array.from({ length: COUNT - GROUP_SEGMENTS }, (_, i) => indexKey.values(GROUP_SEGMENTS + i)),
  );
  const group = await store.range({ from: indexKeyspace.group.prefix, to: prefixEnd(indexKeyspace.group.prefix), limit: 10_000 });
  await store.batch(group.map(({ key }) => ({ key, value: undefined })));
  const order = (product: string) =>
    timeOrder({ segments, field: 'product', value: product, from: '', to: undefined, onOpen: noPause }).next(10);
  await assert.rejects(order('P-7'), { code: 'STORE_DAMAGED' });
});

test('segments that a search opens count as rows that it looks at, in its page and in its pauses, and each page comes further', async () => {
  const store = new NotingStore();
  const grown = await Segments.load(store, undefined, noPause);
  const each = 10;
  const text = 'x'.repeat(Math.ceil(4_194_304 / each));
  // The times claimed in each segment lie far apart, so that all segments overlap.
  for (let n = 0; n < COUNT; n++) {
    const rows = Array.from({ length: each }, (_, i) =>
      version(n * each + i, { timeUs: BigInt(START_MS) * 1_000n + BigInt(i * 1_000 + n), verdict: `${i}${text}` }),
    );
    await add(grown, store, n + 1, rows);
  }
  assert.equal(grown.closedCount, COUNT);
  let paid = 0;
  const pace = async (rows: number): Promise<void> => {
    paid += rows;
  };
  const openedRows = (COUNT - OPEN_UNPAID) * OPEN_ROWS;
  const first = await createRecordIndex(store, crypto).search({ from: `${START_MS}`, limit: 1 }, undefined, pace);
  assert.equal(first.rows.length, 1);
  assert.ok(paid >= openedRows, `${paid} rows were paid`);

  const rows = COUNT * each;
  const index = createRecordIndex(store, crypto, undefined, rows); // as many as there are, were it not for the segments
  const page = await index.search({ from: `${START_MS}`, limit: 1_000 });
  assert.ok(!page.complete && page.rows.length > 0 && page.rows.length < rows, `${page.rows.length} rows`);
  const rest = await index.search({ from: `${START_MS}`, limit: 1_000, after: page.next! });
  assert.deepEqual([page.rows.length + rest.rows.length, rest.next], [rows, undefined]);
  assert.equal(
    (await createRecordIndex(store, crypto, undefined, 1).search({ from: `${START_MS}` })).rows.length,
    1,
    'it comes further all the same',
  );
});
