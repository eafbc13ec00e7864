import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { decodeReceipt, encodeReceipt, gasUsedOf, type Receipt } from '../../../../node/format/index.ts';
import { blobs, counts, digests, holdsCanonical, names } from './roundtrip.ts';

const receipts: fc.Arbitrary<Receipt> = fc.record({
  transactionId: digests,
  height: counts,
  index: fc.nat(0xffff_ffff),
  status: fc.constantFrom('ok', 'failed'),
  code: names,
  detail: blobs(),
  failedCall: fc.nat(0xffff_ffff),
  gasUsed: counts,
  keyKind: fc.constantFrom('own', 'custodial'),
  results: fc.array(blobs(), { maxLength: 3 }),
  events: fc.array(fc.record({ contract: names, name: names, data: blobs() }), { maxLength: 3 }),
});

test('a receipt comes back from its bytes, and no other bytes stand for one', () => {
  holdsCanonical(receipts, encodeReceipt, decodeReceipt);
});

test('the gas of a receipt is read without the rest', () => {
  fc.assert(fc.property(receipts, (receipt) => assert.equal(gasUsedOf(encodeReceipt(receipt)), receipt.gasUsed)));
});
