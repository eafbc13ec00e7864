import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  concat,
  DecodeError,
  decodeReceipt,
  encodeReceipt,
  encodeRecordResults,
  gasUsedOf,
  type Receipt,
  toHex,
  utf8,
} from '../../../../node/format/index.ts';
import { recordResults } from './record-results-fixture.ts';
import { blobs, counts, digests, holdsCanonical, names } from './roundtrip.ts';

const front = {
  transactionId: digests,
  height: counts,
  index: fc.nat(0xffff_ffff),
  gasUsed: counts,
  keyKind: fc.constantFrom('own' as const, 'custodial' as const),
};
const whole = {
  status: fc.constant('ok' as const),
  code: fc.constant('OK'),
  detail: fc.constant(new Uint8Array(0)),
  failedCall: fc.constant(0),
};
const failed = {
  status: fc.constant('failed' as const),
  code: names.filter((name) => name !== 'OK'),
  detail: blobs(),
  failedCall: fc.nat(0xffff_ffff),
};
const receipts: fc.Arbitrary<Receipt> = fc.oneof(
  fc.record({ ...front, ...failed, results: fc.constant([]), events: fc.constant([]) }),
  fc
    .record({
      ...{ ...front, ...whole, results: fc.array(fc.oneof(blobs(), recordResults.map(encodeRecordResults)), { maxLength: 3 }) },
      events: fc.array(fc.record({ call: fc.nat(2), contract: names, name: names, data: blobs() }), { maxLength: 3 }),
    })
    .map((receipt) => ({
      ...receipt,
      events: receipt.events.filter(({ call }) => call < receipt.results.length).sort((a, b) => a.call - b.call),
    })),
);

test('a receipt comes back from its bytes, and no other bytes stand for one', () => {
  holdsCanonical(receipts, encodeReceipt, decodeReceipt, 300);
});

test('the gas of a receipt is read without the rest', () => {
  fc.assert(fc.property(receipts, (receipt) => assert.equal(gasUsedOf(encodeReceipt(receipt)), receipt.gasUsed)));
});

const ok: Receipt = {
  ...{ transactionId: new Uint8Array(32), height: 5, index: 2, status: 'ok', code: 'OK', detail: new Uint8Array(0), failedCall: 0 },
  ...{ gasUsed: 7, keyKind: 'own', results: [utf8('1'), utf8('2')], events: [] },
};
const event = (call: number) => ({ call, contract: 'c', name: 'n', data: utf8('{}') });
const refused: Receipt = { ...ok, status: 'failed', code: 'GAS_EXHAUSTED', detail: utf8('{}'), failedCall: 1, results: [], events: [] };

test('each changed byte of a receipt is refused or tells of something else, and so is one byte more or less', () => {
  for (const bytes of [encodeReceipt({ ...ok, events: [event(0), event(1)] }), encodeReceipt(refused)]) {
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const changed = bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
        try {
          assert.equal(toHex(encodeReceipt(decodeReceipt(changed))), toHex(changed), `byte ${at}, bit ${bit}`);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }
    for (const other of [concat(bytes, new Uint8Array(1)), bytes.subarray(0, -1)]) assert.throws(() => decodeReceipt(other), DecodeError);
  }
});

test('a receipt that no transaction gets is neither written nor read', () => {
  const none: readonly (readonly [string, Receipt])[] = [
    ['events against the order of the calls', { ...ok, events: [event(1), event(0)] }],
    ['an event of a call that is not there', { ...ok, events: [event(2)] }],
    ['ok with a code', { ...ok, code: 'GAS_EXHAUSTED' }],
    ['ok with facts of a failure', { ...ok, detail: utf8('{}') }],
    ['ok with a failed call', { ...ok, failedCall: 1 }],
    ['failed as OK', { ...refused, code: 'OK' }],
    ['failed with a result', { ...refused, results: [utf8('1')] }],
    ['failed with an event', { ...refused, events: [event(0)] }],
  ];
  for (const [name, receipt] of none) assert.throws(() => encodeReceipt(receipt), RangeError, name);
  const swap = (receipt: Receipt, from: string, to: string): Uint8Array => {
    const hex = toHex(encodeReceipt(receipt));
    assert.ok(hex.includes(from));
    return Uint8Array.from(Buffer.from(hex.replace(from, to), 'hex'));
  };
  const call = (number: number): string => `0000000${number}0000000163`; // and the contract behind it
  assert.throws(() => decodeReceipt(swap({ ...ok, events: [event(1), event(1)] }, call(1), call(2))), /order of the calls/);
  const [first, second] = [toHex(encodeReceipt({ ...ok, events: [event(0), event(1)] })), call(1)];
  const at = first.lastIndexOf(second);
  const back = (call(1) + first.slice(first.indexOf(call(0)) + second.length, at) + call(0)) as string;
  const turned = first.slice(0, first.indexOf(call(0))) + back + first.slice(at + second.length);
  assert.throws(() => decodeReceipt(Uint8Array.from(Buffer.from(turned, 'hex'))), /order of the calls/);
  const long = { ...refused, code: 'XX' };
  assert.throws(() => decodeReceipt(swap(long, toHex(utf8('XX')), toHex(utf8('OK')))), /says OK/);
  const bits = encodeReceipt(ok);
  bits[52] = 4;
  assert.throws(() => decodeReceipt(bits), /bits of a receipt are 4/);
});
