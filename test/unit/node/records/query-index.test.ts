import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinClass, builtinClasses, keyOf } from '../../../../contracts/classes/index.ts';
import {
  encodeContent,
  encodeJson,
  encodeRecordResults,
  type Receipt,
  recordIdOf,
  type TextStruct,
  toHex,
} from '../../../../node/format/index.ts';
import { registryKey } from '../../../../contracts/builtin/layout.ts';
import { createClassLookup } from '../../../../node/records/class-lookup.ts';
import { stateKey } from '../../../../contracts/types.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { createRecordIndex, type RecordIndex, type SearchRow } from '../../../../node/records/query-index.ts';
import type { IndexSearch } from '../../../../node/records/query/filter.ts';
import { INDEX_FORM, indexKey, indexKeyspace } from '../../../../node/records/query/keys.ts';
import { sealedKeyspace } from '../../../../node/records/sealed-store.ts';
import { createRecordSource, type IndexedRecord, type RecordRow, recordRowsOf } from '../../../../node/records/source.ts';
import { type Trace, traceProduct, type TraceSource } from '../../../../node/records/trace.ts';
import { createMemoryStore } from './memory-store.ts';
import { ended } from '../../../tools/steps.ts';
import { Shelf } from './shelf.ts';
import { annexRecord, crypto } from './sample.ts';

const START_MS = 1_760_000_000_000;

function rowOf(tree: TextStruct, more: Partial<IndexedRecord> = {}): RecordRow {
  const { org = 'alpha', class: name = 'production', version = 1 } = more;
  const key = keyOf(builtinClasses[name]!, tree);
  const record: IndexedRecord = {
    class: name,
    classVersion: 1,
    org,
    actor: `mes@${org}`,
    version,
    state: 'current',
    content: encodeContent(tree),
    ...(version === 1 ? {} : { heightBefore: 1 }),
    ...more,
  };
  return { recordId: recordIdOf(crypto, name, org, key), record };
}

async function indexOf(blocks: readonly (readonly RecordRow[])[]): Promise<RecordIndex> {
  const index = createRecordIndex(createMemoryStore(), crypto);
  for (const [i, rows] of blocks.entries()) {
    const height = i + 1;
    await index.applyBlock(height, START_MS + height, rows);
  }
  return index;
}

async function allRows(index: RecordIndex, query: IndexSearch): Promise<readonly SearchRow[]> {
  const rows: SearchRow[] = [];
  let after: string | undefined;
  do {
    const page = await index.search({ ...query, ...(after === undefined ? {} : { after }) });
    assert.equal(page.complete, true);
    rows.push(...page.rows);
    after = page.next;
  } while (after !== undefined);
  return rows;
}

const products = (rows: readonly SearchRow[]): (string | undefined)[] => rows.map(({ summary }) => summary.product);

const sample: RecordRow[] = [
  rowOf(annexRecord()),
  rowOf(
    annexRecord({
      product_uid: 'SN-2',
      production_time: '2025-08-09T07:59:59.999999+08:00',
      ext: { device_id: 'D-2', production_batch: 'PB-8' },
    }),
  ),
  rowOf(
    annexRecord({
      product_uid: 'SN-3',
      production_time: '1754697600001',
      pro_raw_material: [
        annexRecord().pro_raw_material!,
        { pro_supplier: 'S-99', pro_batch_number: 'PB-7', pro_Report_qualify_eval: 'QR-78' },
      ],
    }),
  ),
  rowOf({ device_id: 'D-1', status: 'fault', begin_time: '2025-08-09T00:00:00Z', factory_uid: 'F-001' }, { class: 'device', org: 'beta' }),
];

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
  const before = products(await indexAll(index, query));
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

async function indexAll(index: RecordIndex, query: IndexSearch): Promise<readonly SearchRow[]> {
  return allRows(index, query);
}

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

test('an amendment in the block of its record, a repeated block and a block left out', async () => {
  const index = await indexOf([[rowOf(annexRecord()), rowOf(annexRecord({ production_location: 'b' }), { version: 2 })]]);
  assert.deepEqual(
    (await allRows(index, { product: 'SN-0001' })).map(({ version }) => version),
    [2],
  );
  await index.applyBlock(1, START_MS, sample);
  assert.equal((await allRows(index, {})).length, 1);
  await assert.rejects(
    index.applyBlock(3, START_MS, []),
    (error: unknown) => error instanceof ChainError && error.code === 'RECORD_INDEX_ORDER',
  );
  await index.refeed();
  assert.deepEqual([index.height, (await index.search({})).rows], [undefined, []]);
  await index.applyBlock(1, START_MS, sample);
  assert.equal((await allRows(index, {})).length, 4);
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

test('an index whose rows have another form is fed from the first block', async () => {
  const store = createMemoryStore();
  await createRecordIndex(store, crypto).applyBlock(7, START_MS, sample);
  const current = store.rows.get(indexKey.height)!;
  for (const height of [current.slice(0, -4), Uint8Array.of(...current.slice(0, -1), INDEX_FORM + 1)]) {
    store.rows.set(indexKey.height, height);
    const index = createRecordIndex(store, crypto);
    assert.equal(index.height, undefined);
    await index.applyBlock(1, START_MS, sample);
    assert.equal((await index.search({ author: 'mes@alpha' })).rows.length, 3);
    assert.equal(createRecordIndex(store, crypto).height, 1);
  }
});

test('an index opened again goes on where it was', async () => {
  const store = createMemoryStore();
  const first = createRecordIndex(store, crypto);
  await first.applyBlock(7, START_MS, sample);
  const second = createRecordIndex(store, crypto);
  assert.equal(second.height, 7);
  assert.equal((await allRows(second, {})).length, 4);
});

test('key prefixes of each store are unique', () => {
  for (const table of [indexKeyspace, sealedKeyspace]) {
    const prefixes = Object.values(table).map(({ prefix }) => prefix);
    assert.equal(new Set(prefixes).size, prefixes.length);
    assert.ok(prefixes.every((prefix) => prefix.length === 1));
  }
});

// A supplier's ingot lot becomes alpha's housing, which goes into gamma's machine.
const chainRows: RecordRow[] = [
  rowOf(
    annexRecord({
      product_uid: 'INGOT-1',
      pro_factory_uid: 'F-S',
      ext: { production_batch: 'LOT-5', device_id: 'FURNACE' },
      pro_raw_material: { pro_supplier: 'mine', pro_batch_number: 'ORE-1', pro_Report_qualify_eval: 'UNAVAILABLE' },
    }),
    { org: 'smelter' },
  ),
  rowOf(
    annexRecord({
      product_uid: 'HOUSING-1',
      ext: { production_batch: 'PB-1', device_id: 'MILL' },
      pro_raw_material: { pro_supplier: 'smelter', pro_batch_number: 'LOT-5', pro_Report_qualify_eval: 'QR-5' },
    }),
  ),
  rowOf(
    { report_id: 'QR-5', production_batch: 'LOT-5', start_time: '1754697600000', checker_id: { sealed: 'a'.repeat(64) }, verdict: 'pass' },
    { class: 'quality', org: 'smelter' },
  ),
  rowOf(
    annexRecord({
      product_uid: 'MACHINE-1',
      pro_factory_uid: 'F-G',
      pro_raw_material: { pro_supplier: 'nobody', pro_batch_number: 'X', pro_Report_qualify_eval: 'UNAVAILABLE' },
      ext: {
        links: [
          { rel: 'contains', type: 'product', id: 'HOUSING-1', org: 'alpha' },
          { rel: 'contains', type: 'product', id: 'SCREW-1', org: 'delta' },
          { rel: 'produced_on', type: 'device', id: 'MILL' },
          { rel: 'produced_on', type: 'device', id: 'LATHE', org: 'gamma' },
        ],
      },
    }),
    { org: 'gamma' },
  ),
];

async function trace(product: string, options = {}): Promise<Trace> {
  const index = await indexOf([chainRows]);
  const source: TraceSource = { record: async (id) => chainRows.find(({ recordId }) => toHex(recordId) === toHex(id))?.record };
  return traceProduct(index, source, product, options);
}

const edgesOf = ({ edges }: Trace): string[] => edges.map(({ from, rel, to, status }) => `${from} ${rel} ${to} ${status}`).sort();

test('trace shows what went into a product and where it went, claimed and confirmed apart', async () => {
  const result = await trace('HOUSING-1');
  assert.equal(result.complete, true);
  assert.deepEqual(edgesOf(result), [
    'material_batch/smelter/LOT-5 consumes material_batch/mine/ORE-1 claimed',
    'material_batch/smelter/LOT-5 inspected_by report/QR-5 confirmed',
    'material_batch/smelter/LOT-5 produced_on device/FURNACE confirmed',
    'material_batch/smelter/LOT-5 produced_on factory/F-S confirmed',
    'material_batch/smelter/LOT-5 reported_in report/QR-5 confirmed',
    'product/HOUSING-1 consumes material_batch/smelter/LOT-5 confirmed',
    'product/HOUSING-1 made_in production_batch/PB-1 confirmed',
    'product/HOUSING-1 produced_on device/MILL confirmed',
    'product/HOUSING-1 produced_on factory/F-001 confirmed',
    'product/MACHINE-1 contains product/HOUSING-1 confirmed',
  ]);
  const report = result.nodes.find(({ id }) => id === 'report/QR-5')!;
  assert.deepEqual([report.facts.verdict, report.records.length], ['pass', 1]);
  assert.equal(result.nodes[0]!.facts.location, '昆明, line 3');
});

test('trace goes down from the first material to the machine, and up from the machine', async () => {
  const down = await trace('INGOT-1', { direction: 'down' });
  assert.deepEqual(
    edgesOf(down).filter((edge) => edge.startsWith('product/')),
    ['product/HOUSING-1 consumes material_batch/smelter/LOT-5 confirmed', 'product/MACHINE-1 contains product/HOUSING-1 confirmed'],
  );
  const up = edgesOf(await trace('MACHINE-1', { direction: 'up' }));
  assert.ok(up.includes('product/MACHINE-1 contains product/SCREW-1 claimed'));
  assert.ok(up.includes('material_batch/smelter/LOT-5 consumes material_batch/mine/ORE-1 claimed'));
});

test('a link to a device is a claim, whoever it names as its owner: the contract checks the fields of a record only', async () => {
  const edges = edgesOf(await trace('MACHINE-1', { direction: 'up', depthMax: 1 }));
  assert.ok(edges.includes('product/MACHINE-1 produced_on device/MILL claimed'));
  assert.ok(edges.includes('product/MACHINE-1 produced_on device/LATHE claimed'));
  assert.ok(edges.includes('product/MACHINE-1 produced_on factory/F-G confirmed'));
});

test('a trace cut by a bound says so, and an unknown product is one node without records', async () => {
  assert.equal((await trace('HOUSING-1', { nodesMax: 3 })).complete, false);
  assert.equal((await trace('MACHINE-1', { direction: 'up', depthMax: 1 })).complete, false);
  const unknown = await trace('SN-404');
  assert.deepEqual([unknown.nodes.length, unknown.nodes[0]!.records.length, unknown.edges.length, unknown.complete], [1, 0, 0, true]);
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

test('records written by a block are found through its receipts, and read from state by version', async () => {
  const shelf = new Shelf();
  const first = rowOf(annexRecord());
  const second = rowOf(annexRecord({ production_location: 'b' }), { version: 2 });
  for (const { recordId, record } of [first, second]) shelf.put(recordId, record);
  const view = { get: (key: string) => shelf.rows.get(key) };
  const digest = new Uint8Array(32);
  const stored = { status: 'stored', class: 'production', id: first.recordId, recordDigest: digest } as const;
  const amended = { ...stored, status: 'amended', id: second.recordId, version: 2, digestBefore: digest } as const;
  const repeated = { ...stored, status: 'repeated', currentVersion: 1, first: undefined } as const;
  const other = encodeJson([{ id: toHex(first.recordId), version: 1, status: 'stored' }]); // of a contract that speaks JSON
  const receipts = [
    { results: [encodeRecordResults([repeated, stored]), other] },
    { results: [encodeRecordResults([amended])] },
  ] as unknown as Receipt[];
  const rows = ended(recordRowsOf({ receipts, transactions: shelf.transactionsOf(1) }, view));
  for (const [i, { record }] of [first, second].entries()) {
    const { version, content, heightBefore } = rows[i]!.record;
    assert.deepEqual([version, content, heightBefore], [record.version, record.content, i === 0 ? undefined : 1]);
  }
  const source = createRecordSource({ state: view, blocks: shelf.blocks });
  assert.equal((await source.record(first.recordId))?.version, 2);
  assert.equal((await source.record(first.recordId, 1))?.version, 1);
  assert.equal(await source.record(new Uint8Array(32)), undefined);
});

test('a registered class is looked up in the version its record was written by', () => {
  const state = new Map<string, Uint8Array>();
  const definition = (version: number) => ({
    name: 'heat',
    version,
    key: ['id'],
    body: { type: 'struct', properties: { id: { type: 'text', maxLength: version } } },
    facts: { product: 'id' },
  });
  const entry = (version: number) =>
    encodeJson({
      kind: 'class',
      id: 'heat',
      owner: 'alpha',
      version,
      state: 'active',
      validFrom: null,
      validTo: null,
      documentDigest: null,
      data: definition(version + 10),
    });
  state.set(stateKey('registry', registryKey.entry('class', 'heat')), entry(2));
  for (const version of [1, 2]) state.set(stateKey('registry', registryKey.version('class', 'heat', version)), entry(version));
  const lookup = createClassLookup({ get: (key) => state.get(key) });
  assert.deepEqual(
    [lookup('heat', 11)?.version, lookup('heat', 12)?.version, lookup('heat', 13), lookup('cold', 1)],
    [11, 12, undefined, undefined],
  );
  assert.deepEqual([lookup('production', 1)?.name, lookup('production', 2)], ['production', undefined]);
});
