import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson, encodeRecordResults, type Receipt, toHex } from '../../../../node/format/index.ts';
import { createRecordSource, recordRowsOf } from '../../../../node/records/source.ts';
import { ended } from '../../../tools/steps.ts';
import { Shelf } from './shelf.ts';
import { annexRecord } from './sample.ts';
import { rowOf } from './index-rows.ts';

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
