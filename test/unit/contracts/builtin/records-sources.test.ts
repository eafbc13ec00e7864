import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { recordKey } from '../../../../contracts/builtin/layout.ts';
import { AI4I_FILE, AI4I_MAPPING, ai4iRecords, readAi4iRows } from '../../../../devnet/ai4i.ts';
import {
  decodeJson,
  decodeRecordVersion,
  encodeSubmissions,
  fromHex,
  indexDigest,
  type Json,
  type Submission,
  type TextStruct,
  toByteText,
  recordTextsOf,
  sourceDigest,
} from '../../../../node/format/index.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';
import { Chain, sealed, refused } from './records-chain.ts';

test('the position of a source never goes back, and a late part of it takes nothing away', () => {
  const chain = new Chain();
  let product = 0;
  const sent = (sources: readonly Submission['source'][], interfaceId = 'line-3'): unknown => {
    const submissions = sources.map((source) => ({
      ...sealed(annexRecord({ product_uid: `P-${product++}` })),
      source: { interfaceId, ...source },
    }));
    chain.run('submit', encodeSubmissions(submissions));
    return decodeJson(chain.space.get(recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', interfaceId))))!);
  };
  const [early, middle, late] = ['2025-01-01T00:00:00Z', '2025-01-01T08:30:00+08:00', '2025-01-01T01:00:00Z'];
  assert.deepEqual(sent([{ seq: '1', time: late }]), { seq: '1', time: late });
  assert.deepEqual(sent([{ seq: '2', time: middle }]), { seq: '2', time: middle });
  assert.deepEqual(sent([{ seq: '1', time: early }]), { seq: '2', time: middle });
  assert.deepEqual(sent([{ seq: '1', time: late }, { seq: '10' }, { seq: '9', time: late }]), { seq: '10', time: middle });
  assert.deepEqual(sent([{ seq: '10', time: early }]), { seq: '10', time: middle });
  assert.deepEqual(sent([{}]), { seq: '10', time: middle });
  assert.deepEqual(sent([{ time: early }]), { seq: '10', time: middle });
  assert.deepEqual(sent([{ time: middle }, { time: early }], 'by time'), { time: middle });
  assert.deepEqual(sent([{ time: late }], 'by time'), { time: late });
  assert.deepEqual(sent([{ seq: '7' }], 'by time'), { seq: '7', time: late });
});

test('record_key identifies a record when given, and the last source of an interface is kept', () => {
  const chain = new Chain();
  const [first] = chain.submit([annexRecord({ ext: { record_key: 'K-1' } })]);
  refused('RECORD_KEY_CONFLICT', () => chain.submit([annexRecord({ product_uid: 'other', ext: { record_key: 'K-1' } })]));
  assert.equal(chain.submit([annexRecord({ ext: { record_key: 'K-1' } })])[0]!.id, first!.id);
  const submission = { ...sealed(annexRecord({ product_uid: 'SN-9' })), source: { interfaceId: 'mes/1', seq: '7', time: 't' } };
  chain.run('submit', encodeSubmissions([submission]));
  const kept = chain.space.get(recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', 'mes/1'))));
  assert.deepEqual(decodeJson(kept!), { seq: '7', time: 't' });
});

test('a row of the data set of the devnet is accepted with its source, which is kept per account and interface', () => {
  const chain = new Chain();
  const factories = [{ id: 'F-001', organisation: 'alpha', location: 'Kunming', devices: ['D-1'] }];
  chain.register('mapping', AI4I_MAPPING, 'alpha', { name: 'AI4I', class: 'production', format: 'text/csv' });
  const rows = [...ai4iRecords(readAi4iRows(readFileSync(AI4I_FILE, 'utf8')), factories, 3)];
  const trees = rows.map(({ record, source }) => ({ ...record, source }) as TextStruct);
  const [first] = chain.submit(trees.slice(0, 2));
  const state = (): Json => decodeJson(chain.space.get(recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', 'submitRecords'))))!);
  assert.deepEqual(state(), { seq: '2' });
  chain.submit(trees.slice(2));
  assert.deepEqual(state(), { seq: '3' });
  const stored = decodeRecordVersion(chain.space.get(recordKey.version(toByteText(fromHex(first!.id as string)), 1))!, 1);
  const { source } = recordTextsOf(chain.calls.get(stored.height)!)[stored.item]!;
  assert.deepEqual(stored.sourceDigest, sourceDigest(crypto, source));
  assert.deepEqual(source, { system: 'ai4i2020', id: '1', seq: '1', interfaceId: 'submitRecords', mapping: 'ai4i2020/1' });
  assert.equal(chain.submit([trees[0]!])[0]!.status, 'repeated');
});
