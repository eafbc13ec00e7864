import assert from 'node:assert/strict';
import test from 'node:test';
import {
  concat,
  DecodeError,
  decodeRecordResults,
  encodeRecordResults,
  fromUtf8,
  presentRecordResult,
  receiptEvents,
  type RecordResult,
  RECORDS_PER_CALL_MAX,
  toHex,
  utf8,
  Writer,
} from '../../../../node/format/index.ts';
import { recordResults } from './record-results-fixture.ts';
import { holdsCanonical } from './roundtrip.ts';

const ID = new Uint8Array(32).fill(7);
const DIGEST = new Uint8Array(32).fill(8);
const stored = { class: 'heat', id: ID, recordDigest: DIGEST, status: 'stored' } as const;
const amended = { ...stored, status: 'amended', version: 2, digestBefore: ID } as const;

test('results of records come back from their bytes, and no other bytes stand for them', () => {
  holdsCanonical(recordResults, encodeRecordResults, decodeRecordResults, 300);
});

test('each changed byte of a result is refused or tells of something else', () => {
  const first = { height: 3, transactionId: DIGEST };
  const lists: RecordResult[][] = [
    [
      stored,
      { ...stored, class: 'weld', status: 'repeated', currentVersion: 2, first },
      { ...stored, status: 'repeated', currentVersion: 1, first: undefined },
    ],
    [amended],
  ];
  for (const list of lists) {
    const bytes = encodeRecordResults(list);
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const changed = bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
        try {
          assert.equal(toHex(encodeRecordResults(decodeRecordResults(changed))), toHex(changed), `byte ${at}, bit ${bit}`);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }
    for (const other of [concat(bytes, new Uint8Array(1)), bytes.subarray(0, -1)])
      assert.throws(() => decodeRecordResults(other), DecodeError);
  }
});

/** Bytes as a decoder meets them that was not asked by our encoder. */
function bytesOf(
  classes: readonly string[],
  records: readonly (readonly [bits: number, at: number | undefined, ...more: number[]])[],
): Uint8Array {
  return new Writer()
    .u8(1)
    .list(classes, (w, name) => w.text(name))
    .list(records, (w, [bits, at, ...more]) => {
      w.u8(bits);
      if (at !== undefined) w.u16(at);
      w.fixed(ID, 32).fixed(DIGEST, 32);
      for (const version of more) w.u32(version);
      if ((bits & 2) !== 0) w.fixed(ID, 32);
    })
    .finish();
}

test('a result has one spelling, and says nothing that no call does', () => {
  const cases: readonly [string, Uint8Array, RegExp | undefined][] = [
    ['one stored', bytesOf(['a'], [[0, undefined]]), undefined],
    ['two classes', bytesOf(['a', 'b'], [[0, 0], [0, 1], [0, 0]]), undefined], // biome-ignore format: a table
    ['a change', bytesOf(['a'], [[2, undefined, 2]]), undefined],
    ['another form', bytesOf(['a'], [[0, undefined]]).map((byte, i) => (i === 0 ? 2 : byte)), /no results/],
    ['classes in another order', bytesOf(['a', 'b'], [[0, 1], [0, 0]]), /order of first use/], // biome-ignore format: a table
    ['a class that is not there', bytesOf(['a', 'b'], [[0, 0], [0, 1], [0, 2]]), /order of first use/], // biome-ignore format: a table
    ['a class nobody has', bytesOf(['a', 'b'], [[0, 0]]), /not used/],
    ['a class twice', bytesOf(['a', 'a'], [[0, 0], [0, 1]]), /stands twice/], // biome-ignore format: a table
    ['an unknown bit', bytesOf(['a'], [[8, undefined]]), /status bits/],
    ['told, and stored', bytesOf(['a'], [[4, undefined]]), /status bits/],
    ['told, and withdrawn', bytesOf(['a'], [[7, undefined, 2]]), /status bits/],
    ['no record', bytesOf(['a'], []), /not used/],
    ['no record and no class', bytesOf([], []), /0 records/],
    ['a change beside another', bytesOf(['a'], [[2, undefined, 2], [0, undefined]]), /not alone/], // biome-ignore format: a table
    ['a change to the first version', bytesOf(['a'], [[2, undefined, 1]]), /change of nothing/],
    ['a repeat of nothing', bytesOf(['a'], [[1, undefined, 0]]), /without a version/],
    [
      'more than a call holds',
      bytesOf(
        ['a'],
        Array.from({ length: RECORDS_PER_CALL_MAX + 1 }, () => [0, undefined]),
      ),
      /1001 items/,
    ],
  ];
  for (const [name, bytes, reason] of cases) {
    if (reason)
      assert.throws(
        () => decodeRecordResults(bytes),
        (error) => error instanceof DecodeError && reason.test(error.reason),
        name,
      );
    else assert.equal(toHex(encodeRecordResults(decodeRecordResults(bytes))), toHex(bytes), name);
  }
  const many = Array.from({ length: RECORDS_PER_CALL_MAX + 1 }, () => stored);
  for (const results of [
    [],
    many,
    [amended, stored],
    [{ ...amended, version: 1 }],
    [{ ...stored, status: 'repeated', currentVersion: 0, first: undefined }],
  ])
    assert.throws(() => encodeRecordResults(results as RecordResult[]), RangeError);
});

test('events and answers follow from a result, and events stand where their calls do', () => {
  const results = [
    encodeRecordResults([stored, { ...stored, status: 'repeated', currentVersion: 4, first: undefined }]),
    utf8('{}'),
    encodeRecordResults([amended]),
  ];
  const events = [0, 1, 1, 2].map((call, i) => ({ call, contract: '0x', name: `e${i}`, data: utf8('1') }));
  const shown = (from?: number) => [...receiptEvents({ results, events }, from)].map(({ name }) => name);
  assert.deepEqual(shown(), ['RecordSubmitted', 'e0', 'e1', 'e2', 'RecordAmended', 'e3']);
  for (let from = 0; from <= 7; from++) assert.deepEqual(shown(from), shown().slice(from));
  const all = receiptEvents({ results, events }, 7).next();
  assert.deepEqual(all, { done: true, value: 6 });
  const [submitted] = [...receiptEvents({ results, events })];
  assert.equal(fromUtf8(submitted!.data), `{"class":"heat","id":"${toHex(ID)}","recordDigest":"${toHex(DIGEST)}","version":1}`);
  assert.equal(submitted!.contract, 'records');

  const here = { height: 9, transactionId: ID };
  const [own, repeat] = decodeRecordResults(results[0]!).map((result) => presentRecordResult(result, here));
  const same = { id: toHex(ID), version: 1, recordDigest: toHex(DIGEST), digestAlg: 'SHA-256' };
  assert.deepEqual(own, { ...same, status: 'stored', currentVersion: 1, height: 9, transactionId: toHex(ID) });
  assert.deepEqual(repeat, { ...same, status: 'repeated', currentVersion: 4, height: null, transactionId: null });
  const [change] = decodeRecordResults(results[2]!).map((result) => presentRecordResult(result, here));
  assert.deepEqual(change, { ...own, version: 2, status: 'amended', currentVersion: 2, digestBefore: toHex(ID) });
});
