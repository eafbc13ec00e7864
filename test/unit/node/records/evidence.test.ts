import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordEvidence } from '../../../../node/records/evidence.ts';
import { judgeFinality } from '../../../../consensus/finality.ts';
import {
  canonicalJson,
  encodeReceipt,
  encodeContent,
  encodeRecordVersion,
  encodeSubmissions,
  recordDigest,
  type Json,
  merkleRoot,
  recordIdOf,
  signTransaction,
  sourceDigest,
  stateValueHash,
  toByteText,
  verifyEvidence,
} from '../../../../node/format/index.ts';
import { CONTRACT, recordKey, stateKey } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { mapOf } from '../state/map-of.ts';
import { certify, genesisText, headerAt, opened } from '../format/evidence-fixture.ts';
import { crypto, testKey } from '../format/genesis-fixture.ts';

const VOTERS = ['north-1', 'east-1', 'west-1'];
const trust = { kind: 'genesis', text: genesisText } as const;

/** A chain of two blocks: height 50 wrote the record, height 51 is the head. */
function chain() {
  const [content, source] = [encodeContent({ product_uid: 'P' }), { system: 'mes' }];
  const args = encodeSubmissions([{ class: 'production', classVersion: 1, content, source }]);
  const transactions = [0, 1, 2].map((i) =>
    signTransaction(
      crypto,
      {
        ...{ chainId: opened.chainId, sender: 'mes@north', keyId: 'k1', salt: new Uint8Array(16).fill(i), expiryHeight: 60 },
        ...{ calls: [{ contract: 'records', method: 'submit', args }], gasLimit: 1_000_000, suite: 1 },
      },
      testKey('mes').sign,
    ),
  );
  const receipts = transactions.map(({ id }, index) =>
    encodeReceipt({
      ...{ transactionId: id, height: 50, index, status: 'ok', code: 'OK', detail: new Uint8Array(0), failedCall: 0, gasUsed: 1 },
      ...{ keyKind: 'custodial', results: [], events: [] },
    }),
  );
  const recordId = recordIdOf(crypto, 'production', 'north', { product_uid: 'P' });
  const key = stateKey(CONTRACT.records, recordKey.version(toByteText(recordId), 1));
  const value = encodeRecordVersion({
    ...{ class: 'production', classVersion: 1, org: 'north', actor: 'mes@north', state: 'current', change: undefined },
    ...{ recordDigest: recordDigest(crypto, content), normalDigest: undefined, sourceDigest: sourceDigest(crypto, source) },
    ...{ height: 50, index: 1, call: 0, item: 0, transactionId: transactions[1]!.id },
  });
  const map = mapOf(crypto, [{ key, valueHash: stateValueHash(crypto, value) }]);
  const roots = {
    txRoot: merkleRoot(
      crypto.hash,
      transactions.map(({ hash }) => hash),
    ),
    receiptsRoot: merkleRoot(crypto.hash, receipts),
  };
  const blocks = new Map([
    [50, certify(headerAt(50, roots), opened.configuration, VOTERS)],
    [51, certify(headerAt(51, { stateRoot: map.root() }), opened.configuration, VOTERS)],
  ]);
  const node = {
    info: opened,
    state: { get: (row: string) => (row === key ? value : undefined) },
    prove: async () => {
      const head = blocks.get(51)!;
      return { height: 51, headerBytes: head.header, finality: head.certificate, proof: map.prove(key) };
    },
    blocks: {
      transaction: async ({ height, index }: { height: number; index: number }) => (height === 50 ? transactions[index]!.bytes : undefined),
      headerBytes: (height: number) => blocks.get(height)?.header,
      finality: (height: number) => blocks.get(height)?.certificate,
      block: (height: number) => (height === 50 ? { transactions: transactions.map(({ bytes }) => bytes) } : undefined),
      receiptBytes: (height: number) => (height === 50 ? receipts : undefined),
      configuration: async () => opened.configuration,
      configurationHeights: async () => [0],
    },
  } as unknown as Parameters<typeof recordEvidence>[0];
  return { node, recordId, transactionId: transactions[1]!.id };
}

function textOf(steps: Awaited<ReturnType<typeof recordEvidence>>): string {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return canonicalJson(step.value as unknown as Json);
  }
}

test('a bundle of a record proves the stored version, alone or with the transaction that wrote it and the kind of key that signed', async () => {
  const { node, recordId } = chain();
  const plain = verifyEvidence(crypto, judgeFinality, textOf(await recordEvidence(node, crypto, recordId, 1)), trust);
  assert.deepEqual([plain.ok, plain.claims.some((claim) => claim.startsWith('Transaction'))], [true, false]);
  const whole = verifyEvidence(crypto, judgeFinality, textOf(await recordEvidence(node, crypto, recordId, 1, true)), trust);
  assert.deepEqual(whole.faults, []);
  assert.match(whole.claims.at(-1)!, /of mes@north, signed by a custodial key, ended with OK at height 50/);
});

test('a version that is not there has no bundle', async () => {
  const { node, recordId } = chain();
  await assert.rejects(
    recordEvidence(node, crypto, recordId, 2),
    (error) => error instanceof ChainError && error.code === 'RECORD_NOT_FOUND',
  );
});
