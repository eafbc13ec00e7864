import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  concat,
  DecodeError,
  decodeTransaction,
  encodeTransaction,
  hashTagged,
  NAME_BYTES_MAX,
  openTransaction,
  type SignedTransaction,
  signTransaction,
  SUITE,
  toHex,
  TRANSACTION_CALLS_MAX,
  transactionHashOf,
  transactionSigningBytes,
  createSigningBytes,
  utf8,
  Writer,
} from '../../../../node/format/index.ts';
import { crypto, testKey } from './genesis-fixture.ts';
import { blobs, counts, digests, holdsCanonical, names } from './roundtrip.ts';

const transactions: fc.Arbitrary<SignedTransaction> = fc.record({
  chainId: digests,
  sender: names,
  keyId: names,
  salt: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  expiryHeight: counts,
  calls: fc.array(fc.record({ contract: names, method: names, args: blobs() }), { maxLength: 4 }),
  gasLimit: counts,
  suite: fc.nat(255),
  signature: fc.uint8Array({ maxLength: 128 }),
});

test('a transaction comes back from its bytes, and no other bytes stand for one', () => {
  holdsCanonical(transactions, encodeTransaction, decodeTransaction);
});

const body = {
  chainId: new Uint8Array(32),
  sender: 'mes@north',
  keyId: 'k',
  salt: new Uint8Array(16),
  expiryHeight: 9,
  calls: [{ contract: 'records', method: 'submit', args: utf8('{}') }],
  gasLimit: 5,
  suite: SUITE.ed25519,
};

test('the id covers everything but the signature, the hash covers the signature too', () => {
  const key = testKey('mes');
  const signed = signTransaction(crypto, body, key.sign);
  assert.ok(crypto.verify(SUITE.ed25519, key.publicKey, transactionSigningBytes(signed.id), signed.transaction.signature));
  const resigned = openTransaction(crypto, encodeTransaction({ ...body, signature: new Uint8Array(64) }));
  assert.equal(toHex(resigned.id), toHex(signed.id));
  assert.notEqual(toHex(resigned.hash), toHex(signed.hash));
  for (const change of [
    { salt: new Uint8Array(16).fill(1) },
    { expiryHeight: 10 },
    { gasLimit: 6 },
    { suite: 2 },
    { calls: [] },
    { keyId: 'l' },
  ])
    assert.notEqual(toHex(signTransaction(crypto, { ...body, ...change }, key.sign).id), toHex(signed.id));
});

test('more calls than a transaction may hold are refused before they are read', () => {
  const calls = Array.from({ length: 1_001 }, () => body.calls[0]!);
  assert.throws(() => decodeTransaction(encodeTransaction({ ...body, calls, signature: new Uint8Array(0) })), /1001 items/);
  const promised = new Writer().fixed(body.chainId, 32).text('a').text('b').fixed(body.salt, 16).u64(1).u32(1_000).finish();
  assert.throws(() => decodeTransaction(promised), DecodeError);
});

test('the hash of a transaction is that of its id and its signature, opened or not, and one changed byte changes it', () => {
  fc.assert(
    fc.property(transactions, fc.nat(), fc.integer({ min: 1, max: 255 }), (transaction, place, bits) => {
      const bytes = encodeTransaction(transaction);
      const { id, hash } = openTransaction(crypto, bytes);
      assert.equal(toHex(hash), toHex(hashTagged(crypto, 'transaction-full', id, transaction.signature)));
      assert.equal(toHex(transactionHashOf(crypto, bytes)), toHex(hash));
      const changed = bytes.map((byte, i) => (i === place % bytes.length ? byte ^ bits : byte));
      for (const other of [changed, bytes.subarray(0, place % bytes.length), concat(bytes, new Uint8Array([bits]))])
        assert.notEqual(toHex(transactionHashOf(crypto, other)), toHex(hash));
    }),
    { numRuns: 300 },
  );
});

const EMPTY_CALL = { contract: '', method: '', args: new Uint8Array(0) };

test('bytes that are no transaction have a digest of their own', () => {
  const bytes = encodeTransaction({ ...body, signature: new Uint8Array(64) });
  for (const junk of [
    new Uint8Array(0),
    utf8('junk'),
    bytes.subarray(0, -1),
    concat(bytes, new Uint8Array(1)),
    new Uint8Array(5_000).fill(255),
    encodeTransaction({
      ...body,
      calls: Array.from({ length: TRANSACTION_CALLS_MAX + 1 }, () => EMPTY_CALL),
      signature: new Uint8Array(64),
    }),
    encodeTransaction({ ...body, calls: [{ ...EMPTY_CALL, contract: 'c'.repeat(NAME_BYTES_MAX + 1) }], signature: new Uint8Array(64) }),
    encodeTransaction({ ...body, calls: [{ ...EMPTY_CALL, method: 'm'.repeat(NAME_BYTES_MAX + 1) }], signature: new Uint8Array(64) }),
  ])
    assert.equal(toHex(transactionHashOf(crypto, junk)), toHex(hashTagged(crypto, 'transaction-malformed', junk)));
});

test('signing hashes the bytes of a transaction once, and so does opening it', () => {
  let hashed = 0;
  const counting = {
    ...crypto,
    hash(data: Uint8Array) {
      hashed += data.length;
      return crypto.hash(data);
    },
  };
  const args = new Uint8Array(1_000_000);
  const signed = signTransaction(counting, { ...body, calls: [{ contract: 'records', method: 'submit', args }] }, testKey('mes').sign);
  assert.ok(hashed < args.length + 10_000, `${hashed} bytes`);
  hashed = 0;
  assert.deepEqual(openTransaction(counting, signed.bytes), signed);
  assert.ok(hashed < args.length + 10_000, `${hashed} bytes`);
});

test('the signed bytes of many transactions are those of each alone, and stay as they were', () => {
  const signingBytes = createSigningBytes();
  const ids = Array.from({ length: 200 }, (_, i) => crypto.hash(utf8(String(i))));
  assert.deepEqual(ids.map(signingBytes), ids.map(transactionSigningBytes));
});
