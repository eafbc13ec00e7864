/** Rows of records as blocks write them, and a query index fed with them. */
import assert from 'node:assert/strict';
import { builtinClasses, keyOf } from '../../../../contracts/classes/index.ts';
import { encodeContent, recordIdOf, type TextStruct } from '../../../../node/format/index.ts';
import { createRecordIndex, type RecordIndex, type SearchRow } from '../../../../node/records/query-index.ts';
import type { IndexSearch } from '../../../../node/records/query/filter.ts';
import type { IndexedRecord, RecordRow } from '../../../../node/records/source.ts';
import { createMemoryStore } from './memory-store.ts';
import { annexRecord, crypto } from './sample.ts';

export const START_MS = 1_760_000_000_000;

export function rowOf(tree: TextStruct, more: Partial<IndexedRecord> = {}): RecordRow {
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

export async function indexOf(blocks: readonly (readonly RecordRow[])[]): Promise<RecordIndex> {
  const index = createRecordIndex(createMemoryStore(), crypto);
  for (const [i, rows] of blocks.entries()) {
    const height = i + 1;
    await index.applyBlock(height, START_MS + height, rows);
  }
  return index;
}

export async function allRows(index: RecordIndex, query: IndexSearch): Promise<readonly SearchRow[]> {
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

export const products = (rows: readonly SearchRow[]): (string | undefined)[] => rows.map(({ summary }) => summary.product);

export const sample: RecordRow[] = [
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
