import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinClass } from '../../../../contracts/classes/index.ts';
import { toHex } from '../../../../node/format/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { createRecordIndex, type SearchRow } from '../../../../node/records/query-index.ts';
import type { IndexSearch } from '../../../../node/records/query/filter.ts';
import { createMemoryStore } from './memory-store.ts';
import { annexRecord, crypto } from './sample.ts';
import { START_MS, rowOf, indexOf, allRows, products, sample } from './index-rows.ts';

test('product, batch, device, supplier, factory, class, organisation and time each select the expected records', async () => {
  const index = await indexOf([sample]);
  const found = async (query: IndexSearch): Promise<(string | undefined)[]> => products(await allRows(index, query));
  assert.deepEqual(await found({ product: 'SN-2' }), ['SN-2']);
  assert.deepEqual(await found({ productionBatch: 'PB-7' }), ['SN-0001', 'SN-3']);
  assert.deepEqual(await found({ materialBatch: 'PB-7' }), ['SN-3']);
  assert.deepEqual(await found({ materialBatch: 'PB-7', supplier: 'S-12' }), []);
  assert.deepEqual(await found({ supplier: 'S-99' }), ['SN-3']);
  assert.deepEqual((await found({ device: 'D-1' })).sort(), ['SN-0001', 'SN-3', undefined]);
  assert.deepEqual((await found({ factory: 'F-001' })).length, 4);
  assert.deepEqual(await found({ class: 'device' }), [undefined]);
  assert.deepEqual(await found({ org: 'beta' }), [undefined]);
  assert.deepEqual(await found({ link: 'report/QR-78' }), ['SN-3']);
  assert.deepEqual(await found({ from: '2025-08-09T00:00:00.001Z', to: '2025-08-09T00:00:01Z' }), ['SN-3']);
  assert.deepEqual(await found({ to: '2025-08-08T23:59:59.999999Z' }), ['SN-2']);
  assert.deepEqual(await found({ product: 'SN' }), []);
});

test('several conditions give their intersection and each row says which batch matched', async () => {
  const index = await indexOf([sample]);
  const rows = await allRows(index, { batch: 'PB-7', from: '2025-08-09T00:00:00Z' });
  assert.deepEqual(
    rows.map(({ matched, summary }) => [summary.product, matched]),
    [
      ['SN-0001', ['productionBatch', 'time']],
      ['SN-3', ['productionBatch', 'materialBatch', 'time']],
    ],
  );
  assert.deepEqual(products(await allRows(index, { device: 'D-1', class: 'production', to: '2025-08-09T00:00:00Z' })), ['SN-0001']);
});

test('pages do not move when records are added, amended or withdrawn behind the cursor', async () => {
  const block = Array.from({ length: 30 }, (_, i) => rowOf(annexRecord({ product_uid: `SN-${i}`, production_time: `${START_MS + i}` })));
  const index = await indexOf([block]);
  const query = { factory: 'F-001', limit: 7 };
  const first = await index.search(query);
  const before = products(await allRows(index, query));
  assert.equal(before.length, 30);
  const amended = rowOf(annexRecord({ product_uid: 'SN-20', production_time: `${START_MS + 20}`, production_location: 'moved' }), {
    version: 2,
  });
  const withdrawn = {
    recordId: block[21]!.recordId,
    record: { ...block[21]!.record, version: 2, heightBefore: 1, state: 'deleted' as const, content: new Uint8Array(0) },
  };
  await index.applyBlock(2, START_MS, [
    amended,
    withdrawn,
    rowOf(annexRecord({ product_uid: 'SN-new', production_time: `${START_MS + 25}` })),
  ]);
  const rest: SearchRow[] = [...first.rows];
  for (let after = first.next; after !== undefined; ) {
    const page = await index.search({ ...query, after });
    assert.equal(page.height, 1);
    rest.push(...page.rows);
    after = page.next;
  }
  assert.deepEqual(products(rest), before);
  assert.ok(rest.every(({ version }) => version === 1));
  const now = await allRows(index, query);
  assert.deepEqual(
    [now.length, now.some(({ summary }) => summary.product === 'SN-21'), now.find(({ summary }) => summary.product === 'SN-20')!.version],
    [30, false, 2],
  );
  assert.deepEqual(products(await allRows(index, { ...query, asOf: 1 })), before);
  await assert.rejects(index.search({ asOf: 3 }), (error: unknown) => error instanceof ChainError && error.code === 'RECORD_QUERY_INVALID');
  assert.deepEqual(products(await allRows(index, { product: 'SN-21', state: 'deleted' })), ['SN-21']);
  assert.deepEqual(products(await allRows(index, { product: 'SN-21', state: 'kept' })), []); // what is out of use is kept, what is deleted is not
  assert.deepEqual(
    (await allRows(index, { order: 'commit', product: 'SN-21' })).map(({ version, summary }) => [version, summary.state, summary.height]),
    [
      [1, 'current', 1],
      [2, 'deleted', 2],
    ],
  );
  const changes = await allRows(index, { order: 'commit', limit: 7 });
  assert.deepEqual([changes.length, changes.at(-2)!.summary.state], [33, 'deleted']);
});

test('a page cut by the bound on index rows looked at claims no completeness, and its cursor leads to every match', async () => {
  const scanMax = 10;
  const index = createRecordIndex(createMemoryStore(), crypto, builtinClass, scanMax);
  const rare = new Set([3, 17, 18, 44]);
  for (let height = 1; height <= 50; height++) {
    const { recordId, record } = rowOf(
      annexRecord({ product_uid: `SN-${height}`, production_location: 'x', pro_factory_uid: rare.has(height) ? 'F-R' : 'F-1' }),
    );
    await index.applyBlock(height, START_MS + height, [{ recordId, record }]);
  }
  for (const [limit, query] of [
    [100, { order: 'commit', factory: 'F-R' }],
    [1, { order: 'commit', factory: 'F-R' }],
    [100, { order: 'time', factory: 'F-R', from: '2000-01-01T00:00:00Z', class: 'production', product: 'SN-44' }],
    [100, { order: 'commit', factory: 'nowhere' }],
  ] as const) {
    const found: string[] = [];
    let cut = 0;
    let page = await index.search({ ...query, limit });
    for (let pages = 1; ; pages++) {
      assert.ok(pages <= 20, 'the cursor goes on');
      found.push(...page.rows.map(({ summary }) => summary.product!));
      assert.ok(page.rows.length <= limit);
      if (page.next === undefined) break;
      if (!page.complete) cut++;
      else assert.equal(page.rows.length, limit, 'a short page that says complete is the last one');
      page = await index.search({ ...query, limit, after: page.next });
    }
    assert.equal(page.complete, true);
    const wanted = query.factory === 'nowhere' ? [] : query.order === 'time' ? ['SN-44'] : [...rare].map((n) => `SN-${n}`);
    assert.deepEqual(found, wanted);
    if (query.order === 'commit') assert.ok(cut >= 4, `${cut} pages were cut`);
  }
});

test('a cursor of another query, or a made-up one, is refused; a last page has no next', async () => {
  const index = await indexOf([sample]);
  const page = await index.search({ limit: 2 });
  const refused = async (query: IndexSearch, code: string): Promise<void> =>
    assert.rejects(index.search(query), (error: unknown) => error instanceof ChainError && error.code === code);
  await refused({ limit: 2, class: 'device', after: page.next! }, 'RECORD_CURSOR_INVALID');
  await refused({ after: 'zz' }, 'RECORD_CURSOR_INVALID');
  await refused({ limit: 0 }, 'RECORD_QUERY_INVALID');
  await refused({ limit: 1_001 }, 'RECORD_QUERY_INVALID');
  await refused({ from: '1754697600' }, 'RECORD_QUERY_INVALID');
  assert.equal((await index.search({ limit: 4 })).next, undefined);
});

test('rows a caller may not see are counted, never shown', async () => {
  const index = await indexOf([sample]);
  const page = await index.search({ factory: 'F-001' }, ({ org }) => org === 'alpha');
  assert.deepEqual([page.rows.length, page.withheld], [3, 1]);
});

test('what one account wrote is found whole and in order, and not a row of others is passed over for it', async () => {
  const others = 300;
  const blocks = Array.from({ length: 10 }, (_, i) => [
    ...Array.from({ length: others / 10 }, (_, j) =>
      rowOf(annexRecord({ product_uid: 'SN-1', production_time: `${START_MS + 100 * i + j}` })),
    ),
    rowOf(annexRecord({ product_uid: i % 2 ? 'SN-1' : 'SN-2', production_time: `${START_MS - i}`, production_location: 'press' }), {
      actor: 'press@alpha',
    }),
  ]);
  const first = blocks[0]!.at(-1)!;
  const amended = { recordId: first.recordId, record: { ...first.record, version: 2, heightBefore: 1, actor: 'mes@alpha' } };
  const taken = rowOf(annexRecord({ product_uid: 'SN-1', production_time: `${START_MS}`, production_location: 'x' }), {
    version: 2,
    actor: 'press@alpha',
  });
  const index = await indexOf([...blocks, [amended, taken]]);
  const author = 'press@alpha';
  let passed = 0;
  const pace = async (rows: number) => {
    passed += rows;
  };
  const page = async (query: IndexSearch) => index.search({ ...query, author }, undefined, pace);

  const byTime = await page({});
  assert.deepEqual(
    [byTime.rows.length, byTime.complete, byTime.next, byTime.withheld, passed],
    [10, true, undefined, 0, 1],
    'the superseded version',
  );
  assert.deepEqual(
    byTime.rows.map(({ version }) => version),
    [...Array(9).fill(1), 2],
    'an amendment of what the account wrote belongs to it, whoever made it; an amendment it made of another record does not',
  );
  assert.equal((await index.count({ author })).count, 10);
  passed = 0;
  const byCommit = await allRows(index, { author, order: 'commit', limit: 3 });
  assert.deepEqual(
    byCommit.map(({ summary }) => summary.height),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  );
  assert.equal((await page({ order: 'commit' })).rows.length, 11);
  assert.equal(passed, 0);
  const narrow = await page({ product: 'SN-1', from: `${START_MS - 7}` });
  assert.deepEqual([narrow.rows.length, passed, narrow.rows[0]!.matched], [4, 5, ['product', 'time']]);
  assert.deepEqual((await index.search({ author: 'press@beta' })).rows, []);
  const cursor = (await index.search({ author: 'mes@alpha', limit: 1 })).next!;
  await assert.rejects(
    index.search({ author, after: cursor }),
    (error: unknown) => error instanceof ChainError && error.code === 'RECORD_CURSOR_INVALID',
  );
});

test('a search answers what a plain filter over all records answers, page by page, in order of time', async () => {
  const pick = fc.integer({ min: 0, max: 3 });
  const tree = fc
    .record({ product: pick, batch: pick, supplier: pick, material: pick, device: pick, minute: fc.integer({ min: 0, max: 9 }) })
    .map(({ product, batch, supplier, material, device, minute }) =>
      annexRecord({
        product_uid: `P${product}`,
        production_time: `${START_MS + minute * 60_000}`,
        pro_raw_material: { pro_supplier: `S${supplier}`, pro_batch_number: `B${material}`, pro_Report_qualify_eval: 'UNAVAILABLE' },
        ext: { device_id: `D${device}`, production_batch: `B${batch}` },
      }),
    );
  const query = fc.record(
    {
      product: pick.map((n) => `P${n}`),
      batch: pick.map((n) => `B${n}`),
      materialBatch: pick.map((n) => `B${n}`),
      supplier: pick.map((n) => `S${n}`),
      device: pick.map((n) => `D${n}`),
      from: pick.map((n) => `${START_MS + n * 60_000}`),
      to: pick.map((n) => `${START_MS + (n + 4) * 60_000}`),
      limit: fc.integer({ min: 1, max: 4 }),
    },
    { requiredKeys: ['limit'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(tree, { maxLength: 25 }), query, async (trees, asked) => {
      const rows = [...new Map(trees.map((one) => rowOf(one)).map((row) => [toHex(row.recordId), row])).values()];
      const index = await indexOf([rows.slice(0, 10), rows.slice(10)]);
      const expected = rows.filter(({ record }) => {
        const one = JSON.parse(Buffer.from(record.content).toString()) as ReturnType<typeof annexRecord>;
        const material = one.pro_raw_material as Record<string, string>;
        const ext = one.ext as Record<string, string>;
        const sameSupplier = asked.supplier === undefined || asked.supplier === material.pro_supplier;
        return (
          (asked.product === undefined || asked.product === one.product_uid) &&
          sameSupplier &&
          (asked.materialBatch === undefined || asked.materialBatch === material.pro_batch_number) &&
          (asked.batch === undefined || asked.batch === ext.production_batch || asked.batch === material.pro_batch_number) &&
          (asked.device === undefined || asked.device === ext.device_id) &&
          (asked.from === undefined || (one.production_time as string) >= asked.from) &&
          (asked.to === undefined || (one.production_time as string) <= asked.to)
        );
      });
      const found = await allRows(index, asked);
      assert.deepEqual(found.map(({ id }) => id).sort(), expected.map(({ recordId }) => toHex(recordId)).sort());
      assert.deepEqual(
        found.map(({ summary }) => summary.timeUs),
        found.map(({ summary }) => summary.timeUs).sort(),
      );
      assert.deepEqual(await index.count(asked), { count: expected.length, height: 2, complete: true });
    }),
    { numRuns: 60 },
  );
});
