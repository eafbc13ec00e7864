import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BLOCK_TRANSACTIONS_LIMIT,
  DecodeError,
  FINALITY_BYTES_MAX,
  NAME_BYTES_MAX,
  TRANSACTION_BYTES_MAX,
} from '../../../../node/format/index.ts';
import { decodeHello, encodeHello, type Hello, judgeHello } from '../../../../node/network/hello.ts';
import {
  ANSWER_BLOCKS_MAX,
  type BulkMessage,
  CODE_BYTES_MAX,
  decodeBulkMessage,
  encodeBulkMessage,
  ROW_KEY_BYTES_MAX,
  SEALED_CHANGES_MAX,
} from '../../../../node/peers/messages.ts';
import { CUT_OFF_MS, Penalties, REPORT_WINDOW_MS, REPORTS_MAX } from '../../../../node/network/penalties.ts';

const plain = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { noNullPrototype: true });
const bytes = fc.uint8Array({ maxLength: 60 });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const logId = fc.uint8Array({ minLength: 16, maxLength: 16 });
const keyId = fc.string({ maxLength: 20 });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const height = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const finality = fc.option(bytes, { nil: undefined });
const message: fc.Arbitrary<BulkMessage> = fc.oneof(
  fc.record({ kind: fc.constant('transactions' as const), transactions: fc.array(bytes) }),
  fc.record({ kind: fc.constant('status' as const), height, hash: digest }),
  fc.record({ kind: fc.constant('getTransactions' as const), id: u32, hashes: fc.array(digest) }),
  fc.record({ kind: fc.constant('getBlocks' as const), id: u32, fromHeight: height, count: u32, bytesMax: u32 }),
  fc.record({ kind: fc.constant('getHeaders' as const), id: u32, fromHeight: height, count: u32 }),
  fc.record({ kind: fc.constant('transactionsAnswer' as const), id: u32, transactions: fc.array(bytes) }),
  fc.record({ kind: fc.constant('blocksAnswer' as const), id: u32, blocks: fc.array(plain({ block: bytes, finality })) }),
  fc.record({ kind: fc.constant('headersAnswer' as const), id: u32, headers: fc.array(plain({ header: bytes, finality })) }),
  fc.record({ kind: fc.constant('getRow' as const), id: u32, key: bytes, height }),
  fc.record({ kind: fc.constant('rowAnswer' as const), id: u32, row: finality }),
  fc.record({ kind: fc.constant('sealedHead' as const), log: logId, sequence: height }),
  fc.record({ kind: fc.constant('getSealed' as const), id: u32, log: logId, after: height }),
  fc.record({
    kind: fc.constant('sealedAnswer' as const),
    id: u32,
    log: logId,
    boxes: fc.array(plain({ sequence: height, keyId, box: bytes })),
  }),
  fc.record({ kind: fc.constant('declined' as const), id: u32, code: fc.constantFrom('PEER_DECLINED', 'STORE_DAMAGED') }),
);

test('every message decodes to itself, and has one byte string only', () => {
  fc.assert(
    fc.property(message, (value) => {
      const encoded = encodeBulkMessage(value);
      const decoded = decodeBulkMessage(encoded);
      assert.deepEqual(decoded, { ...value });
      assert.deepEqual(encodeBulkMessage(decoded), encoded);
      assert.throws(() => decodeBulkMessage(Uint8Array.of(...encoded, 0)), DecodeError);
      assert.throws(() => decodeBulkMessage(encoded.subarray(0, encoded.length - 1)), DecodeError);
    }),
  );
});

test('any bytes decode or throw DecodeError, and what decodes encodes to the same bytes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 15 }), fc.uint8Array({ maxLength: 80 }), (kind, rest) => {
      const input = Uint8Array.of(kind, ...rest);
      let decoded: BulkMessage;
      try {
        decoded = decodeBulkMessage(input);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
        return;
      }
      assert.deepEqual(encodeBulkMessage(decoded), input);
    }),
    { numRuns: 2000 },
  );
});

test('lists, names and keys are taken up to their bounds and no further', () => {
  const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
  const digestOf = new Uint8Array(32);
  const none = new Uint8Array(0);
  const log = new Uint8Array(16);
  const bounds: readonly (readonly [bound: number, of: (count: number) => BulkMessage])[] = [
    [BLOCK_TRANSACTIONS_LIMIT, (count) => ({ kind: 'transactions', transactions: many(count, none) })],
    [BLOCK_TRANSACTIONS_LIMIT, (count) => ({ kind: 'transactionsAnswer', id: 1, transactions: many(count, none) })],
    [TRANSACTION_BYTES_MAX, (count) => ({ kind: 'transactions', transactions: [new Uint8Array(count)] })],
    [BLOCK_TRANSACTIONS_LIMIT, (count) => ({ kind: 'getTransactions', id: 1, hashes: many(count, digestOf) })],
    [ANSWER_BLOCKS_MAX, (count) => ({ kind: 'blocksAnswer', id: 1, blocks: many(count, { block: none, finality: undefined }) })],
    [ANSWER_BLOCKS_MAX, (count) => ({ kind: 'headersAnswer', id: 1, headers: many(count, { header: none, finality: undefined }) })],
    [FINALITY_BYTES_MAX, (count) => ({ kind: 'headersAnswer', id: 1, headers: [{ header: none, finality: new Uint8Array(count) }] })],
    [ROW_KEY_BYTES_MAX, (count) => ({ kind: 'getRow', id: 1, key: new Uint8Array(count), height: 1 })],
    [SEALED_CHANGES_MAX, (count) => ({ kind: 'sealedAnswer', id: 1, log, boxes: many(count, { sequence: 1, keyId: 'k', box: none }) })],
    [NAME_BYTES_MAX, (count) => ({ kind: 'sealedAnswer', id: 1, log, boxes: [{ sequence: 1, keyId: 'k'.repeat(count), box: none }] })],
    [CODE_BYTES_MAX, (count) => ({ kind: 'declined', id: 1, code: 'C'.repeat(count) })],
  ];
  for (const [bound, of] of bounds) {
    const { kind } = decodeBulkMessage(encodeBulkMessage(of(bound)));
    assert.throws(() => decodeBulkMessage(encodeBulkMessage(of(bound + 1))), DecodeError, `${kind}: ${bound}`);
  }
});

const own: Hello = {
  protocolVersion: 1,
  chainId: new Uint8Array(32).fill(1),
  genesisHash: new Uint8Array(32).fill(2),
  node: 'a',
  channel: 'votes',
  height: 9,
};

test('a hello is taken only from the proven node, of this chain, version and channel', () => {
  const theirs = { ...own, node: 'b', height: 3 };
  assert.deepEqual(judgeHello(encodeHello(theirs), own, 'b'), { code: 'OK', hello: theirs });
  const cases: [Partial<Hello>, string][] = [
    [{ chainId: new Uint8Array(32) }, 'PEER_CHAIN_FOREIGN'],
    [{ genesisHash: new Uint8Array(32) }, 'PEER_CHAIN_FOREIGN'],
    [{ protocolVersion: 2 }, 'PEER_VERSION_UNKNOWN'],
    [{ node: 'c' }, 'PEER_HELLO_INVALID'],
    [{ channel: 'bulk' }, 'PEER_HELLO_INVALID'],
  ];
  for (const [change, code] of cases) assert.equal(judgeHello(encodeHello({ ...theirs, ...change }), own, 'b').code, code);
  const encoded = encodeHello(theirs);
  for (let cut = 0; cut < encoded.length; cut++) assert.equal(judgeHello(encoded.subarray(0, cut), own, 'b').code, 'PEER_HELLO_INVALID');
  assert.equal(decodeHello(new Uint8Array(2000)), undefined);
  const channelAt = encoded.length - 9;
  for (const channel of [0, 3, 255]) {
    const odd = encoded.slice();
    odd[channelAt] = channel;
    assert.equal(judgeHello(odd, own, 'b').code, 'PEER_HELLO_INVALID', `channel ${channel}`);
  }
});

test('only reports close together cut a peer off, and it may come back later', () => {
  const penalties = new Penalties();
  for (let n = 0; n < REPORTS_MAX * 2; n++) assert.equal(penalties.report('slow', (n * REPORT_WINDOW_MS) / (REPORTS_MAX - 2)), false);
  for (let n = 1; n < REPORTS_MAX; n++) assert.equal(penalties.report('quick', n), false);
  assert.equal(penalties.isCutOff('quick', REPORTS_MAX), false);
  assert.equal(penalties.report('quick', REPORTS_MAX), true);
  assert.equal(penalties.isCutOff('quick', REPORTS_MAX), true);
  assert.equal(penalties.isCutOff('slow', REPORTS_MAX), false);
  assert.equal(penalties.isCutOff('quick', REPORTS_MAX + CUT_OFF_MS), false);
  assert.equal(penalties.report('quick', REPORTS_MAX + CUT_OFF_MS), false, 'a clean slate');
});
