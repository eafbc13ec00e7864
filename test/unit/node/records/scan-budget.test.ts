/** What a search may cost the thread that votes: slices, rows passed over, callers in debt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinClass, builtinClasses, keyOf } from '../../../../contracts/classes/index.ts';
import { encodeContent, recordIdOf } from '../../../../node/format/index.ts';
import type { ChainError } from '../../../../node/errors/index.ts';
import { createRecordIndex } from '../../../../node/records/query-index.ts';
import { createScanBudget, SCAN_ROWS_PER_SECOND, SCAN_ROWS_PER_SECOND_ALL, SCAN_SAVED_MS } from '../../../../node/records/scan-budget.ts';
import { createSlices, SLICE_MS } from '../../../../node/pace/slices.ts';
import { createRecordService, type RecordServiceDependencies } from '../../../../node/records/service.ts';
import type { Caller } from '../../../../node/records/types.ts';
import { createTestState, putAccounts } from '../../api/stand-in-state.ts';
import { ManualHeadroom, ManualTime, settle } from '../memory-world.ts';
import { createMemoryStore } from './memory-store.ts';
import { annexRecord, crypto } from './sample.ts';

const SLICE_ROWS_MAX = 128;
const MATCHES = 7;

/** An index of so many records, the first seven of one factory, the others of another. */
async function indexOf(records: number) {
  const index = createRecordIndex(createMemoryStore(), crypto, builtinClass);
  const rows = Array.from({ length: records }, (_, i) => {
    const tree = annexRecord({
      product_uid: `SN-${i}`,
      pro_factory_uid: i < MATCHES ? 'F-few' : 'F-many',
      production_time: `${1_760_000_000_000 + i}`,
    });
    const key = keyOf(builtinClasses.production!, tree);
    const record = {
      ...{ class: 'production', classVersion: 1, org: 'north', actor: 'mes@north', version: 1, state: 'current' as const },
      content: encodeContent(tree),
    };
    return { recordId: recordIdOf(crypto, 'production', 'north', key), record };
  });
  await index.applyBlock(1, 1, rows);
  return index;
}

test('a search tells of the rows that it passed over and not of those it answers with, a slice at a time; a count tells of all', async () => {
  const records = 1_000;
  const index = await indexOf(records);
  const told: number[] = [];
  const pace = async (rows: number): Promise<void> => void told.push(rows);
  const sum = (): number => told.splice(0).reduce((all, rows) => all + rows, 0);
  const { rows } = await index.search({ order: 'commit', factory: 'F-few' }, undefined, pace);
  assert.equal(rows.length, MATCHES);
  assert.ok(told.length >= records / SLICE_ROWS_MAX && Math.max(...told) <= SLICE_ROWS_MAX, told.join(' '));
  assert.equal(sum(), records - MATCHES);
  await index.search({ class: 'production', limit: 100 }, undefined, pace);
  assert.equal(sum(), 0);
  assert.equal((await index.count({ class: 'production' }, undefined, pace)).count, records);
  assert.equal(sum(), records);
});

test('a scan waits when the node has passed over its rows of the second, whoever asks', async () => {
  const time = new ManualTime();
  const scans = createScanBudget({ clock: time, timers: time });
  const slice = 100;
  let slices = 0;
  for (let caller = 0; caller < 30; caller++)
    void scans.scan(`c${caller}@x`, async (pace) => {
      for (;;) {
        await pace(slice);
        slices++;
      }
    });
  await settle();
  const seconds = 10;
  for (let ms = 0; ms < seconds * 1_000; ms += 10) {
    time.advance(10);
    for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  const most = (SCAN_ROWS_PER_SECOND_ALL * (seconds + SCAN_SAVED_MS / 1_000)) / slice + 30 * 2;
  assert.ok(slices <= most && slices > most / 4, `${slices} of ${most}`);
});

test('a scan goes on in the next turn when it has had its slice of one, however many rows are left to it', async () => {
  const time = new ManualTime();
  const scans = createScanBudget({ clock: time, timers: time });
  const slices = 5;
  let done = 0;
  const scanning = scans.scan('device@x', async (pace) => {
    for (; done < slices; done++) {
      time.nowMs += SLICE_MS;
      await pace(0);
    }
  });
  for (let turn = 0; turn < slices; turn++) {
    await settle();
    assert.equal(done, turn);
    time.advance(0);
  }
  await scanning;
});

test('a caller in debt is told the wait, which suffices, and others search on; his second count at a time is refused', async () => {
  const time = new ManualTime();
  const scans = createScanBudget({ clock: time, timers: time });
  const refused = async (work: Promise<unknown>): Promise<number> => {
    const error = await work.then(
      () => assert.fail('went on'),
      (thrown: ChainError) => thrown,
    );
    assert.equal(error.code, 'RATE_LIMITED');
    return error.data.retryAfterMs as number;
  };
  const saved = (SCAN_ROWS_PER_SECOND * SCAN_SAVED_MS) / 1_000;
  await scans.scan('device@x', (pace) => pace(saved + SCAN_ROWS_PER_SECOND));
  const waitMs = await refused(scans.scan('device@x', async () => 'went on'));
  assert.ok(waitMs >= 1_000 && waitMs < 1_100, String(waitMs));
  assert.equal(await scans.scan('other@x', async () => 'went on'), 'went on');
  time.advance(waitMs);
  let end!: () => void;
  const first = scans.count(
    'device@x',
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  await refused(scans.count('device@x', async () => 'went on'));
  end();
  await first;
  assert.equal(await scans.count('device@x', async () => 'went on'), 'went on');
});

test('a count rests before its answer as the headroom says, and its caller counts nothing else meanwhile; searches do not', async () => {
  const time = new ManualTime();
  const PART = 1 / 4;
  const scans = createScanBudget({ clock: time, timers: time, headroom: new ManualHeadroom(PART) });
  const COUNT_MS = 10;
  const work = async () => {
    time.nowMs += COUNT_MS;
    return 7;
  };
  assert.equal(await scans.scan('device@x', work), 7);
  let counted: number | undefined;
  const counting = scans.count('device@x', work).then((count) => {
    counted = count;
  });
  await settle();
  time.advance(COUNT_MS / PART - COUNT_MS - 1);
  await settle();
  assert.equal(counted, undefined);
  await assert.rejects(scans.count('device@x', work), { code: 'RATE_LIMITED' });
  time.advance(1 + COUNT_MS);
  await counting;
  assert.equal(counted, 7);
});

test('selective searches, counts and traces of one caller are paid from one budget; another caller has his own', async () => {
  const time = new ManualTime();
  const records = (SCAN_ROWS_PER_SECOND * SCAN_SAVED_MS) / 1_000 + 200;
  const index = await indexOf(records);
  const state = createTestState();
  putAccounts(state, { 'device@x': ['auditor'], 'other@x': ['auditor'] });
  const node = { state: { get: (key: string) => state.rows.get(key) }, head: () => ({ height: 1 }), onBlock: () => {} };
  const bodies = { inSlices: createSlices({ clock: time, timers: time }) };
  const service = createRecordService({ node, bodies, index, crypto, timers: time, clock: time } as unknown as RecordServiceDependencies);
  const page = {
    includeArchived: false,
    order: 'commit',
    limit: 10,
    after: undefined,
    count: 'none',
    atLeastHeight: 0,
    waitMs: 0,
  } as const;
  const search = (caller: string, more: object) =>
    service.search({ ...page, filter: { factory: 'none' }, ...more }, { account: caller } as Caller);
  assert.deepEqual((await search('device@x', {})).items, []);
  const limited = { code: 'RATE_LIMITED' };
  await assert.rejects(search('device@x', {}), limited);
  await assert.rejects(search('device@x', { count: 'exact' }), limited);
  const walk = { depth: 1, direction: 'both', atLeastHeight: 0, waitMs: 0 } as const;
  await assert.rejects(service.trace('SN-1', walk, { account: 'device@x' } as Caller), limited);
  time.advance(SCAN_SAVED_MS);
  assert.equal((await search('other@x', { order: 'time', count: 'exact' })).count, 0);
  time.advance(SCAN_SAVED_MS);
  const filter = { class: 'production' };
  const terms = { ...filter, order: 'commit' } as const;
  let last = await index.search(terms);
  while (last.next !== undefined) last = await index.search({ ...terms, after: last.next });
  const counted = await search('other@x', { filter, after: last.after(last.rows.length), count: 'exact' });
  assert.deepEqual([counted.items.length, counted.count], [0, records]);
  await assert.rejects(search('other@x', {}), limited, 'its page passed over none: the count is what it owes');
});
