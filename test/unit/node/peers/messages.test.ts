import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../../node/format/index.ts';
import { decodeHello, encodeHello, type Hello, judgeHello } from '../../../../node/network/hello.ts';
import { type BulkMessage, decodeBulkMessage, encodeBulkMessage } from '../../../../node/peers/messages.ts';
import { CUT_OFF_MS, Penalties, REPORT_WINDOW_MS, REPORTS_MAX } from '../../../../node/network/penalties.ts';

const plain = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { noNullPrototype: true });
const bytes = fc.uint8Array({ maxLength: 60 });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
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
    fc.property(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 80 }), (kind, rest) => {
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
