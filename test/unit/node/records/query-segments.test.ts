/** The query index over many segments: what it answers, what a crash leaves of it, and what damage does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinClasses, keyOf } from '../../../../contracts/classes/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { encodeContent, recordIdOf, toHex } from '../../../../node/format/index.ts';
import { createMissingRows } from '../../../../node/records/missing-rows.ts';
import { createRecordIndex, openRecordIndex, type RecordIndex, UNSAVED_BLOCKS_MAX } from '../../../../node/records/query-index.ts';
import type { IndexSearch } from '../../../../node/records/query/filter.ts';
import { indexKey, indexKeyspace } from '../../../../node/records/query/keys.ts';
import { SEGMENT_ROWS_MAX } from '../../../../node/records/query/segment.ts';
import type { RecordSummary } from '../../../../node/records/query/summary.ts';
import type { RecordRow } from '../../../../node/records/source.ts';
import type { StoreOperation } from '../../../../node/world.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { MemoryLog } from '../memory-world.ts';
import { annexRecord, crypto } from './sample.ts';

const START_MS = 1_760_000_000_000;
const HEIGHTS = 12;
const EACH = 900; // versions of a block: two segments are closed, one in the middle of a block, and one is open
const LATE = 7; // heights later that a record is amended

interface Written {
  readonly row: RecordRow;
  readonly height: number;
  readonly id: string;
  readonly product: string;
  readonly factory: string;
  readonly time: number;
  readonly device: string;
}

/** Every ninth record is amended in a later block, every third of those withdrawn after that; times do not come in the order of commits. */
function chain(): readonly (readonly Written[])[] {
  const blocks: Written[][] = Array.from({ length: HEIGHTS }, () => []);
  const write = (n: number, height: number, version: number, heightBefore: number | undefined, deleted = false): void => {
    const product = `SN-${n}`;
    const [factory, device] = [`F-${n % 3}`, `D-${n % 500}`];
    const time = START_MS + ((n * 7_919) % 100_000) * 1_000;
    const tree = annexRecord({
      ...{ product_uid: product, pro_factory_uid: factory, production_time: `${time}`, production_location: `line ${version}` },
      ext: { device_id: device, production_batch: `PB-${n % 40}` },
    });
    const recordId = recordIdOf(crypto, 'production', 'alpha', keyOf(builtinClasses.production!, tree));
    const content = deleted ? new Uint8Array(0) : encodeContent(tree);
    const state = deleted ? ('deleted' as const) : ('current' as const);
    const at = { class: 'production', classVersion: 1, org: 'alpha', actor: version === 1 ? 'mes@alpha' : 'ada@alpha' };
    const row = { recordId, record: { ...at, version, state, content, heightBefore } };
    blocks[height - 1]!.push({ row, height, id: toHex(recordId), product, factory, time, device });
  };
  for (let height = 1; height <= HEIGHTS; height++) {
    for (let i = 0; i < EACH; i++) {
      const n = (height - 1) * EACH + i;
      write(n, height, 1, undefined);
      if (n % 9 !== 0 || height + LATE > HEIGHTS) continue;
      write(n, height + LATE, 2, height);
      if (n % 27 === 0) write(n, Math.min(HEIGHTS, height + LATE + 1), 3, height + LATE, true);
    }
  }
  return blocks;
}

const blocks = chain();
const timestampMs = (height: number): number => START_MS + height;

async function feed(index: RecordIndex, heightMax = HEIGHTS): Promise<void> {
  for (let height = (index.height ?? 0) + 1; height <= heightMax; height++)
    await index.applyBlock(
      height,
      timestampMs(height),
      blocks[height - 1]!.map(({ row }) => row),
    );
}

async function rowsOf(store: MemoryStore): Promise<ReadonlyMap<string, string>> {
  const rows = await store.range({ from: '', to: undefined, limit: Number.MAX_SAFE_INTEGER });
  return new Map(rows.map(({ key, value }) => [key, toHex(value)]));
}

async function all(index: RecordIndex, query: IndexSearch): Promise<readonly string[]> {
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = await index.search({ limit: 1_000, ...query, ...(after === undefined ? {} : { after }) });
    found.push(...page.rows.map(({ id, version }) => `${id}/${version}`));
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** What a plain filter over all versions says. */
function expected(height: number, query: IndexSearch): readonly string[] {
  const written = blocks.flat().filter((one) => one.height <= height);
  const newest = new Map(written.map((one) => [one.id, one.row.record.version]));
  const { order = 'time', product, factory, device, from, to } = query;
  const met = written.filter(
    (one) =>
      (product === undefined || one.product === product) &&
      (factory === undefined || one.factory === factory) &&
      (device === undefined || one.device === device) &&
      (from === undefined || one.time >= Number(from)) &&
      (to === undefined || one.time <= Number(to)),
  );
  const told = met.map(({ id, row, time }) => ({
    told: `${id}/${row.record.version}`,
    key: [time, id, row.record.version] as const,
    row,
    id,
  }));
  if (order === 'commit') return told.map((one) => one.told);
  return told
    .filter(({ row, id }) => row.record.state === 'current' && newest.get(id) === row.record.version)
    .sort((a, b) => a.key[0] - b.key[0] || (a.key[1] < b.key[1] ? -1 : 1))
    .map((one) => one.told);
}

const queries: readonly IndexSearch[] = [
  {},
  { order: 'commit' },
  { factory: 'F-1' },
  { device: 'D-18' },
  { product: 'SN-27' },
  { product: 'SN-18', order: 'commit' },
  { product: 'nothing' },
  { from: `${START_MS + 20_000_000}`, to: `${START_MS + 24_000_000}` },
  { factory: 'F-2', from: `${START_MS + 50_000_000}`, to: `${START_MS + 51_000_000}` },
];

type Image = readonly { readonly key: string; readonly value: Uint8Array }[];

const imageOf = (store: MemoryStore): Promise<Image> => store.range({ from: '', to: undefined, limit: Number.MAX_SAFE_INTEGER });

/** Keeps what every batch left, and fails where it is told to: with the batch stored all the same, if told so. */
class CrashStore extends MemoryStore {
  readonly images: Image[] = [];
  failAt = -1;
  storesFailed = false;

  override async batch(operations: readonly StoreOperation[]): Promise<void> {
    const fails = this.images.length === this.failAt;
    if (fails) this.failAt = -1;
    if (!fails || this.storesFailed) await super.batch(operations);
    if (fails) throw new ChainError('STORE_FULL', {});
    this.images.push(await imageOf(this));
  }
}

interface Step {
  readonly before: Image;
  /** What each batch of the block left; a block that fills no segment is in memory alone until blocks behind it are written. */
  readonly images: readonly Image[];
  readonly after: Image;
}

/** Block by block, what a chain without a crash leaves in the store; before the first test, so that all tests are known when it ends. */
const steps: Step[] = [];
{
  const store = new CrashStore();
  const index = createRecordIndex(store, crypto);
  for (let height = 1; height <= HEIGHTS; height++) {
    const before = await imageOf(store);
    store.images.length = 0;
    await feed(index, height);
    steps.push({ before, images: [...store.images], after: await imageOf(store) });
  }
}

async function storeOf(image: Image): Promise<CrashStore> {
  const store = new CrashStore();
  await store.batch(image);
  store.images.length = 0;
  return store;
}

const textOf = (image: Image): ReadonlyMap<string, string> => new Map(image.map(({ key, value }) => [key, toHex(value)]));

test('searches over closed and open segments answer what a plain filter over all versions answers, at every height', async () => {
  assert.ok(blocks.flat().length > 2 * SEGMENT_ROWS_MAX && blocks.flat().length < 3 * SEGMENT_ROWS_MAX);
  const store = new MemoryStore();
  const index = createRecordIndex(store, crypto);
  await feed(index, 5);
  const halfway = await index.search({ factory: 'F-1', limit: 100 });
  await feed(index);
  await index.save();
  const again = createRecordIndex(store, crypto);
  for (const query of queries) {
    assert.deepEqual(await all(index, query), expected(HEIGHTS, query), JSON.stringify(query));
    if (query.order === 'commit') continue;
    assert.equal((await again.count(query)).count, expected(HEIGHTS, query).length);
    assert.deepEqual(await all(again, { ...query, asOf: 9 }), expected(9, query));
  }
  const rest = await all(index, { factory: 'F-1', after: halfway.next! });
  assert.deepEqual([...halfway.rows.map(({ id, version }) => `${id}/${version}`), ...rest], expected(5, { factory: 'F-1' }));
  const [amended] = (await index.search({ product: 'SN-9', order: 'commit', limit: 3 })).rows.slice(-1);
  assert.deepEqual([amended!.version, amended!.summary.author, [...amended!.summary.materials].length], [2, 'mes@alpha', 1]);
});

test('after a crash behind any batch the index is some blocks back at most, and what it goes on to is what blocks make', async () => {
  assert.equal(steps.filter(({ images }) => images.some((image) => image.length > steps[0]!.after.length + 20)).length > 0, true);
  let kept = 0;
  for (const [at, { images, after }] of steps.entries()) {
    for (const image of images) {
      const store = await storeOf(image);
      const index = await openRecordIndex(store, crypto);
      const height = index.height ?? 0;
      assert.ok(height <= at + 1 && height >= at - 2, `${height} after a crash in block ${at + 1}`);
      if (image.some(({ key }) => key.startsWith(indexKeyspace.kept.prefix))) kept++;
      assert.deepEqual(await all(index, { device: 'D-0' }), expected(height, { device: 'D-0' }));
      await feed(index, at + 1);
      assert.deepEqual(await all(index, { device: 'D-0' }), expected(at + 1, { device: 'D-0' }));
      assert.deepEqual(await rowsOf(store), textOf(after));
      if (at + 1 === HEIGHTS) continue;
      await feed(index, at + 2);
      assert.deepEqual(await rowsOf(store), textOf(steps[at + 1]!.after));
    }
  }
  assert.ok(kept > 2, 'some of them hold facts of blocks');
});

/** An index that has been fed up to a height from what the store held then. */
async function fedTo(store: CrashStore, height: number): Promise<RecordIndex> {
  const index = createRecordIndex(store, crypto);
  await index.load();
  await feed(index, height);
  assert.equal(store.images.length, 0, 'what was in memory alone needs no write');
  return index;
}

test('a block whose write fails, at whatever batch, is taken up whole by the next try', async () => {
  for (const [at, { before, images, after }] of steps.entries()) {
    for (let failAt = 0; failAt < images.length; failAt++) {
      const store = await storeOf(before);
      const index = await fedTo(store, at);
      store.failAt = failAt;
      await assert.rejects(feed(index, at + 1), { code: 'STORE_FULL' });
      assert.equal(index.height ?? 0, at);
      assert.deepEqual(await all(index, { device: 'D-0' }), expected(at, { device: 'D-0' }));
      await feed(index, at + 1);
      assert.deepEqual(await rowsOf(store), textOf(after));
    }
  }
});

test('a block whose write fails and turns out to be stored, at whatever batch, is in the index once', async () => {
  for (const [at, { before, images, after }] of steps.entries()) {
    for (let failAt = 0; failAt < images.length; failAt++) {
      const store = await storeOf(before);
      const index = await fedTo(store, at);
      store.storesFailed = true;
      store.failAt = failAt;
      await assert.rejects(feed(index, at + 1), { code: 'STORE_FULL' });
      if (failAt % 2 === 0) await feed(index, at + 1);
      const height = failAt % 2 === 0 ? at + 1 : at;
      assert.deepEqual(await all(index, { device: 'D-0' }), expected(height, { device: 'D-0' }));
      assert.equal(index.height ?? 0, height);
      await feed(index, at + 1);
      assert.deepEqual(await all(index, { device: 'D-0' }), expected(at + 1, { device: 'D-0' }));
      assert.deepEqual(await rowsOf(store), textOf(after));
    }
  }
});

/** Two blocks of which the second, whose write fails, ends with its segment. */
async function failedAtEnd(storesFailed: boolean) {
  const rows = blocks.flat().filter(({ row }) => row.record.version === 1);
  const versions = (from: number, to: number) => rows.slice(from, to).map(({ row }) => row);
  const store = new CrashStore();
  const index = createRecordIndex(store, crypto);
  await index.applyBlock(1, timestampMs(1), versions(0, 100));
  store.storesFailed = storesFailed;
  store.failAt = 0;
  const second = (): Promise<void> => index.applyBlock(2, timestampMs(2), versions(100, SEGMENT_ROWS_MAX));
  await assert.rejects(second(), { code: 'STORE_FULL' });
  return { index, second };
}

for (const then of ['asked', 'fed again'] as const) {
  test(`a block that ends with its segment and turns out to be stored is in the index once, ${then} next`, async () => {
    const { index, second } = await failedAtEnd(true);
    if (then === 'asked') assert.equal((await index.count({})).count, SEGMENT_ROWS_MAX);
    if (then === 'asked') assert.equal(index.height, 2);
    await second();
    assert.equal((await index.count({})).count, SEGMENT_ROWS_MAX);
  });
}

test('blocks in memory alone are found as before when the write of a later one fails', async () => {
  const { index, second } = await failedAtEnd(false);
  assert.deepEqual([(await index.count({})).count, index.height], [100, 1]);
  await second();
  assert.deepEqual([(await index.count({})).count, index.height], [SEGMENT_ROWS_MAX, 2]);
});

test('what stands in memory alone is written when the index is saved, and a start needs no block for it', async () => {
  const store = new MemoryStore();
  const index = createRecordIndex(store, crypto);
  await feed(index, 1);
  assert.deepEqual(await imageOf(store), []);
  await index.save();
  const again = await openRecordIndex(store, crypto);
  assert.equal(again.height, 1);
  assert.deepEqual(await all(again, { device: 'D-18' }), expected(1, { device: 'D-18' }));
  await feed(again);
  assert.deepEqual(await all(again, {}), expected(HEIGHTS, {}));
});

test('blocks without records are told to the store now and then', async () => {
  const store = new MemoryStore();
  const index = createRecordIndex(store, crypto);
  for (let height = 1; height <= 2 * UNSAVED_BLOCKS_MAX; height++) await index.applyBlock(height, timestampMs(height), []);
  const { height } = await openRecordIndex(store, crypto);
  assert.ok(height! >= UNSAVED_BLOCKS_MAX && height! < 2 * UNSAVED_BLOCKS_MAX, `${height}`);
});

test('an index that could not forget its height answers as before', async () => {
  const store = await storeOf(steps.at(-1)!.after);
  const index = createRecordIndex(store, crypto);
  await feed(index);
  store.failAt = store.images.length;
  await assert.rejects(index.refeed(), { code: 'STORE_FULL' });
  assert.equal(index.height, HEIGHTS);
  assert.deepEqual(await all(index, { device: 'D-18' }), expected(HEIGHTS, { device: 'D-18' }));
});

/** Rows that were damaged are refused until they are written anew. */
class DamagedStore extends MemoryStore {
  readonly damaged = new Set<string>();

  override get(key: string): Uint8Array | undefined {
    if (this.damaged.has(key)) throw new ChainError('STORE_DAMAGED', { key });
    return super.get(key);
  }

  override async range(options: Parameters<MemoryStore['range']>[0]) {
    const rows = await super.range(options);
    for (const { key } of rows) if (this.damaged.has(key)) throw new ChainError('STORE_DAMAGED', { key });
    return rows;
  }

  override batch(operations: readonly StoreOperation[]): Promise<void> {
    for (const { key } of operations) this.damaged.delete(key);
    return super.batch(operations);
  }
}

const prefixes = ['height', 'kept', 'segment', 'column', 'values'] as const;

for (const name of prefixes) {
  test(`a damaged ${name} row is noticed, and the index made anew from blocks over it`, async () => {
    const store = new DamagedStore();
    await store.batch(steps.at(-1)!.after);
    const wanted = await rowsOf(store);
    for (const key of wanted.keys()) if (key.startsWith(indexKeyspace[name].prefix)) store.damaged.add(key);
    const index = await openRecordIndex(store, crypto);
    if (index.height !== undefined) {
      assert.ok(name === 'column', 'a start needs the others');
      await assert.rejects(all(index, { device: 'D-18' }), { code: 'STORE_DAMAGED' });
      await index.refeed();
    }
    assert.equal(index.height, undefined);
    for (const height of [3, 9, HEIGHTS]) {
      await feed(index, height);
      assert.deepEqual(await all(index, { device: 'D-18' }), expected(height, { device: 'D-18' }));
    }
    store.damaged.clear();
    assert.deepEqual(await rowsOf(store), wanted);
  });
}

for (const name of ['kept', 'segment', 'column', 'values'] as const) {
  test(`a ${name} row that is gone is noticed`, async () => {
    const image = steps.at(-1)!.after;
    const keys = image.map(({ key }) => key).filter((key) => key.startsWith(indexKeyspace[name].prefix));
    for (const gone of [keys[0], keys.at(-1)]) {
      const index = await openRecordIndex(await storeOf(image.filter(({ key }) => key !== gone)), crypto);
      if (name !== 'column') assert.equal(index.height, undefined);
      else if (index.height !== undefined) await assert.rejects(everyPart(index), { code: 'STORE_DAMAGED' });
    }
  });
}

for (const [met, height, column] of [
  ['a search', HEIGHTS, 't'],
  ['the next block', LATE, 'v'], // which amends versions of a closed segment
  ['a start', HEIGHTS, 'v'], // and so do blocks of the open one
] as const) {
  test(`a column that is gone, missed by ${met}, raises an alarm, and the index is made anew from blocks`, async () => {
    const image = steps[height - 1]!.after;
    const store = await storeOf(image.filter(({ key }) => key !== indexKey.column(0, column)));
    const told: string[] = [];
    const note =
      (what: string) =>
      async (kind: string, ...[detail]: readonly unknown[]) =>
        void told.push(`${what} ${kind} ${JSON.stringify(detail)}`);
    const alarms = {
      raiseAlarm: (kind: string, _severity: string, detail: unknown) => note('raised')(kind, detail),
      resolveAlarm: note('resolved'),
    };
    const missing = createMissingRows(alarms, new MemoryLog());
    const index = await openRecordIndex(store, crypto, undefined, missing.onMissing);
    let rebuilds = 0;
    const rebuild = async (): Promise<void> => {
      rebuilds++;
      await new Promise(setImmediate); // both have missed it
      await index.refeed();
      await feed(index);
    };
    if (met !== 'the next block') missing.mendBy(rebuild);
    else setImmediate(() => missing.mendBy(rebuild));
    const miss = (): Promise<unknown> => (met === 'a search' ? index.search({}) : feed(index, height + 1));
    if (met !== 'a start') await Promise.all([miss(), miss()].map((missed) => assert.rejects(missed, { code: 'STORE_DAMAGED' })));
    for (let turns = 0; turns < 1_000 && told.length < 2; turns++) await new Promise(setImmediate);
    assert.deepEqual(
      [rebuilds, told.map((line) => line.slice(0, line.indexOf('{')))],
      [1, ['raised STORE_DAMAGED ', 'resolved STORE_DAMAGED ']],
    );
    assert.ok(told.every((line) => line.includes('"store":"index"')));
    assert.deepEqual(await all(index, { device: 'D-0' }), expected(HEIGHTS, { device: 'D-0' }));
    assert.deepEqual(await rowsOf(store), textOf(steps.at(-1)!.after));
  });
}

/** Reads each part of each version. */
async function everyPart(index: RecordIndex): Promise<void> {
  let after: string | undefined;
  do {
    const page = await index.search({ order: 'commit', limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { summary } of page.rows)
      for (const part of Object.getOwnPropertyNames(Object.getPrototypeOf(summary))) void summary[part as keyof RecordSummary];
    after = page.next;
  } while (after !== undefined);
  await index.search({ product: 'SN-9' });
}
