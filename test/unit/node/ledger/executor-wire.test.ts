import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buffersOf, pack, packCommitted, packed, unpack, unpackCommitted, unpacked } from '../../../../node/ledger/executor-wire.ts';

const goOn = async () => undefined;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test('a list comes out of its one buffer as it went in, empty parts and the empty list included', async () => {
  for (const parts of [[], [bytes()], [bytes(1, 2), bytes(), bytes(3)], [bytes(), bytes(9)]])
    assert.deepEqual(unpack(await pack(parts, goOn)), parts);
});

test('a part that is a view of a larger buffer travels without the rest of it', async () => {
  const large = new Uint8Array(8192).fill(7);
  const { bytes: buffer } = await pack([large.subarray(10, 12), large.subarray(20, 21)], goOn);
  assert.equal(buffer.buffer.byteLength, 3);
});

test('transactions keep their keys, and the rest of a request stays as it is, over a real transfer', async () => {
  const request = { headerBytes: bytes(5), transactions: [1, 2, 3].map((i) => ({ bytes: bytes(i, i), publicKey: bytes(i + 10) })) };
  const message = await packed(request, goOn);
  const moved = structuredClone(message, { transfer: buffersOf(message.transactions) });
  assert.deepEqual(unpacked(moved), request);
  assert.equal(message.transactions.bytes.length, 0, 'moved, not copied');
});

test('what a transaction was opened to travels with it, and its absence too', async () => {
  const opened = { bytes: bytes(1), publicKey: bytes(2), id: bytes(3), hash: bytes(4) };
  const transactions = [opened, { bytes: bytes(5), publicKey: bytes(6) }, { ...opened, bytes: bytes(7) }];
  assert.deepEqual(unpacked(await packed({ transactions }, goOn)).transactions, transactions);
});

test('a committed block keeps ids and receipts apart', async () => {
  const committed = {
    height: 3,
    hash: bytes(1),
    headerBytes: bytes(2),
    transactionIds: [bytes(3), bytes(4)],
    receipts: [bytes(5, 5), bytes()],
    recordFacts: bytes(7),
    configuration: bytes(6),
    barrier: false,
    registryChanged: true,
  };
  assert.deepEqual(unpackCommitted(await packCommitted(committed, goOn)), committed);
});
