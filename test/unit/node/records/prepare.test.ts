import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkContent, device, production } from '../../../../contracts/classes/index.ts';
import {
  decodeContent,
  encodeContent,
  fromHex,
  sealedCommitment,
  type StoredRecord,
  type TextStruct,
  type TextTree,
  toHex,
} from '../../../../node/format/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { aesGcm } from '../../../../node/records/cipher.ts';
import { callsOf, type PrepareContext, type PreparedRecord, prepareRecord } from '../../../../node/records/prepare.ts';
import { reseal, type Resealed, type SealedBefore } from '../../../../node/records/reseal.ts';
import { createSealedStore } from '../../../../node/records/sealed-store.ts';
import { takeToken } from '../../../../node/records/token.ts';
import { type RecordViewOptions, viewSteps } from '../../../../node/records/view.ts';
import { createMemoryStore, pause, heldOf } from './memory-store.ts';
import { annexRecord, crypto } from './sample.ts';

const context: PrepareContext = { crypto, org: 'alpha', sealingKey: new Uint8Array(32).fill(3) };
let seed = 0;
const random = { bytes: (count: number) => crypto.hash(new Uint8Array([++seed & 255, seed >> 8])).slice(0, count) };

function prepared(tree: TextStruct, more: Partial<PrepareContext> = {}): PreparedRecord {
  const preparation = prepareRecord({ ...context, ...more }, production, tree);
  return preparation.ok ? preparation.prepared : assert.fail(JSON.stringify(preparation.faults));
}

test('sealed fields leave as commitments that their values and salts open', () => {
  const record = annexRecord({ pro_op_info: [annexRecord().pro_op_info!, { pro_op_name: 'Zhao', pro_op_id: '2', pro_op_record: 'r' }] });
  const { submission, sealed } = prepared(record);
  const content = decodeContent(submission.content);
  assert.deepEqual(checkContent(production, content, 'sealed'), []);
  assert.deepEqual(
    sealed.map(({ path }) => path),
    [
      'pro_op_info.1.pro_op_name',
      'pro_op_info.1.pro_op_id',
      'pro_op_info.1.pro_op_record',
      'pro_op_info.2.pro_op_name',
      'pro_op_info.2.pro_op_id',
      'pro_op_info.2.pro_op_record',
    ],
  );
  for (const { path, value, salt, commitment } of sealed) assert.equal(sealedCommitment(crypto, salt, path, value), commitment);
  assert.equal(new Set(sealed.map(({ salt }) => toHex(salt))).size, 6);
  assert.ok(!Buffer.from(submission.content).toString().includes('Zhao'));
});

/** All steps at once. */
function resealed(record: PreparedRecord, before: SealedBefore): Resealed {
  const steps = reseal(crypto, before, record);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

test('a retry commits alike, another record or sealing key does not, and held salts outlive a change of the key', () => {
  const first = prepared(annexRecord());
  assert.deepEqual(prepared(annexRecord()), first);
  assert.notDeepEqual(prepared(annexRecord({ product_uid: 'SN-2' })).sealed[0]!.commitment, first.sealed[0]!.commitment);
  const rotated = { sealingKey: new Uint8Array(32).fill(4) };
  assert.notDeepEqual(prepared(annexRecord(), rotated).recordDigest, first.recordDigest);
  const retry = prepared(annexRecord(), rotated);
  assert.deepEqual(resealed(retry, { keys: [rotated.sealingKey], held: first.sealed, seals: undefined }).prepared, first);
});

test('a stated digest must be that of the record, as sent or in canonical form', () => {
  const { contentDigest } = prepared(annexRecord());
  const stated = (tree: TextStruct, statedDigest: string): string => {
    const preparation = prepareRecord(context, production, tree, { statedDigest });
    return preparation.ok ? 'ok' : preparation.faults.map(({ code }) => code).join();
  };
  assert.equal(stated(annexRecord(), toHex(contentDigest).toUpperCase()), 'ok');
  assert.equal(stated(annexRecord({ product_uid: 'SN-2' }), toHex(contentDigest)), 'RECORD_DIGEST_MISMATCH');
  assert.equal(stated(annexRecord(), 'abc'), 'RECORD_DIGEST_MALFORMED');
  const one = annexRecord({ pro_raw_material: [annexRecord().pro_raw_material!] });
  assert.equal(stated(one, toHex(contentDigest)), 'ok');
  assert.equal(stated(one, toHex(crypto.hash(encodeContent(one)))), 'ok');
});

test('source is taken from beside the fields: no digest and no identity knows it, and a stated digest may cover it or not', () => {
  const source = { system: 'mes', id: '14', time: '2025-08-09T08:00:01+08:00', seq: '14', interfaceId: 'submitRecords', mapping: 'mes/1' };
  const without = prepared(annexRecord());
  const sent = { ...annexRecord(), source };
  const { submission, ...rest } = prepared(sent);
  assert.deepEqual({ ...submission, source: {} }, without.submission);
  assert.deepEqual(submission.source, source);
  assert.deepEqual({ ...rest, submission: 0 }, { ...without, submission: 0 });
  const shared = prepareRecord(context, production, { ...annexRecord(), source: { id: '14' } }, { source: { system: 'mes', id: 'batch' } });
  assert.deepEqual(shared.ok && shared.prepared.submission.source, { system: 'mes', id: '14' });
  for (const tree of [annexRecord(), sent]) {
    const statedDigest = toHex(crypto.hash(encodeContent(tree)));
    assert.ok(prepareRecord(context, production, sent, { statedDigest }).ok);
  }
});

test('a source with a wrong name, a struct inside, a bad time, seq or length is refused at its path, all at once', () => {
  const faults = (source: TextTree): readonly string[] => {
    const preparation = prepareRecord(context, production, { ...annexRecord(), source });
    return preparation.ok ? [] : preparation.faults.map(({ code, path, data }) => `${code} ${path.join('.')} ${data.nearest ?? ''}`.trim());
  };
  assert.deepEqual(faults({ sytem: 'x', time: '1754697600', seq: 'seven', id: { a: 'b' } }), [
    'RECORD_FIELD_UNKNOWN source.sytem system',
    'RECORD_TIME_AMBIGUOUS source.time',
    'RECORD_FIELD_TYPE source.seq',
    'RECORD_FIELD_TYPE source.id',
  ]);
  assert.deepEqual(faults('mes'), ['RECORD_FIELD_TYPE source']);
  assert.deepEqual(faults({ system: '云'.repeat(86) }), ['RECORD_LENGTH source.system']); // 258 bytes
  assert.deepEqual(faults({ system: '云'.repeat(85) }), []);
});

test('a record that is too large or misses its class is refused before anything is sealed', () => {
  const large = annexRecord({ ext: { parameters: { program: { value: 'x'.repeat(2_500_000) }, more: { value: 'x'.repeat(2_500_000) } } } });
  const preparation = prepareRecord(context, production, large);
  assert.equal(preparation.ok ? '' : preparation.faults[0]!.code, 'RECORD_TOO_LARGE');
  assert.equal(prepareRecord(context, production, {}).ok, false);
});

test('calls keep the bounds on records and bytes, in order', () => {
  const record = prepared(annexRecord());
  assert.deepEqual(
    callsOf(
      Array.from({ length: 2_500 }, () => record),
      10_000_000,
    ).map((call) => call.length),
    [1_000, 1_000, 500],
  );
  const size = record.submission.content.length + 1_024;
  assert.deepEqual(
    callsOf([record, record, record], 2 * size).map((call) => call.length),
    [2, 1],
  );
});

test('one token is taken from header, body and rows and stripped; two that differ are refused without telling either', () => {
  const rows = [{ tree: { a: '1', token: 't' } }, { tree: { a: '2' } }];
  assert.deepEqual(takeToken(rows), { ok: true, token: 't', records: [{ tree: { a: '1' } }, { tree: { a: '2' } }] });
  assert.deepEqual(takeToken(rows, 't').ok, true);
  assert.deepEqual(takeToken(rows, 'other'), { ok: false, code: 'TOKEN_CONFLICT', record: 0 });
  assert.deepEqual(takeToken([...rows, { tree: { token: 'u' } }]), { ok: false, code: 'TOKEN_CONFLICT', record: 2 });
  assert.deepEqual(takeToken([{ tree: { token: { x: '1' } } }]), { ok: false, code: 'TOKEN_MALFORMED', record: 0 });
  assert.deepEqual(takeToken([{ tree: {} }], 'h'), { ok: true, token: 'h', records: [{ tree: {} }] });
});

test('the sealed store gives values back, keeps those of earlier versions, and holds nothing in clear', async () => {
  const store = createMemoryStore();
  const sealedStore = createSealedStore(store, aesGcm, random, new Uint8Array(32).fill(5), pause);
  const first = prepared(annexRecord());
  await sealedStore.put([first]);
  await sealedStore.put([first]);
  assert.deepEqual(heldOf(sealedStore, first.recordId), first.sealed);
  await sealedStore.put([prepared(annexRecord({ pro_op_info: { pro_op_name: 'Zhao', pro_op_id: 'E-1001', pro_op_record: 'assembled' } }))]);
  assert.deepEqual(
    heldOf(sealedStore, first.recordId).map(({ value }) => value),
    ['李雷', 'E-1001', 'assembled', 'Zhao'],
  );
  for (const value of store.rows.values()) for (const secret of ['李雷', 'E-1001', 'Zhao']) assert.ok(!Buffer.from(value).includes(secret));
  const other = createSealedStore(store, aesGcm, random, new Uint8Array(32).fill(6), pause);
  assert.throws(
    () => heldOf(other, first.recordId),
    (error: unknown) => error instanceof ChainError && error.code === 'STORE_DAMAGED',
  );
});

test('erased values are gone and a late retry does not bring them back', async () => {
  const store = createMemoryStore();
  const sealedStore = createSealedStore(store, aesGcm, random, new Uint8Array(32).fill(5), pause);
  const record = prepared(annexRecord());
  await sealedStore.put([record]);
  await sealedStore.erase(record.recordId);
  assert.deepEqual(heldOf(sealedStore, record.recordId), []);
  await sealedStore.put([record]);
  assert.deepEqual([heldOf(sealedStore, record.recordId), sealedStore.isErased(record.recordId)], [[], true]);
  assert.deepEqual([...store.rows.keys()].map((key) => key[0]).sort(), ['e', 'i', 'l', 'l'], 'the mark, and the numbers of two changes');
});

function storedOf({ submission }: PreparedRecord, more: Partial<StoredRecord> = {}): StoredRecord {
  const { class: name, classVersion, content, source } = submission;
  const base = {
    class: name,
    classVersion,
    content,
    source,
    org: 'alpha',
    actor: 'mes@alpha',
    version: 1,
    state: 'current',
  } as const;
  const at = { height: 9, index: 0, call: 0, item: 0, committedAtMs: 1_754_697_600_123, transactionId: new Uint8Array(32).fill(8) };
  const digests = { recordDigest: crypto.hash(more.content ?? content), normalDigest: undefined, sourceDigest: undefined };
  return { ...base, ...at, ...digests, keyContent: content, change: undefined, ...more };
}

/** All steps at once. */
function viewRecord(recordId: Uint8Array, record: StoredRecord, options: Omit<RecordViewOptions, 'content' | 'key'>) {
  const content = record.content.length === 0 ? null : decodeContent(record.content);
  const steps = viewSteps(recordId, record, { content, key: { a: 'b' }, ...options });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

test('an answered record repeats its digest, tells clear values only when they are given, and no contentDigest when sealed', () => {
  const record = prepared(annexRecord());
  const view = viewRecord(record.recordId, storedOf(record), { blockHash: new Uint8Array(32).fill(1) });
  assert.equal(toHex(crypto.hash(encodeContent(view.record as TextStruct))), view.recordDigest);
  assert.deepEqual(view.block, { height: 9, hash: '01'.repeat(32), transactionId: '08'.repeat(32) });
  assert.equal(view.committedAt, '2025-08-09T00:00:00.123000Z');
  assert.ok(!('contentDigest' in view) && !('sealed' in view));
  assert.ok(!JSON.stringify(view).includes('李雷'));
  const open = viewRecord(record.recordId, storedOf(record), { blockHash: new Uint8Array(32), sealed: record.sealed });
  assert.equal(open.sealed![0]!.value, '李雷');
  assert.deepEqual(sealedCommitment(crypto, fromHex(open.sealed![0]!.salt), open.sealed![0]!.path, '李雷'), record.sealed[0]!.commitment);
  const plain = prepareRecord(context, device, { device_id: 'D', status: 'idle', begin_time: '1754697600000', factory_uid: 'F' });
  assert.ok(plain.ok);
  const deviceView = viewRecord(plain.prepared.recordId, storedOf(plain.prepared), { blockHash: new Uint8Array(32) });
  assert.equal(deviceView.contentDigest, toHex(plain.prepared.contentDigest));
  const gone = viewRecord(record.recordId, storedOf(record, { state: 'deleted', content: new Uint8Array(0) }), {
    blockHash: new Uint8Array(32),
  });
  assert.deepEqual([gone.record, gone.state], [null, 'deleted']);
});
