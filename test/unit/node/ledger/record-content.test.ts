/** Content stands in the bodies of blocks alone: contracts read it there, wherever it was written, and a body that is gone is a fault of the store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, keyOf, production } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import {
  type Call,
  decodeContent,
  decodeJson,
  decodeReceipt,
  decodeRecordResults,
  isRecordResults,
  presentRecordResult,
  encodeAmendment,
  encodeContent,
  encodeJson,
  encodeSubmissions,
  type Json,
  recordIdOf,
  type Submission,
  toHex,
} from '../../../../node/format/index.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { add, executorOn, signedCalls, submissionsOf } from './small-chain.ts';

const records = (method: string, args: Uint8Array): Call => ({ contract: CONTRACT.records, method, args });
const idOf = ({ content }: Submission) => recordIdOf(crypto, 'production', 'north', keyOf(production, decodeContent(content)));
const get = (submission: Submission, version?: number): Call =>
  records('get', encodeJson({ id: toHex(idOf(submission)), ...(version === undefined ? {} : { version }) }));
const submit = (...submissions: readonly Submission[]): Call => records('submit', encodeSubmissions(submissions));

const toldOf = (result: Uint8Array): Json =>
  decodeRecordResults(result).map((each) => presentRecordResult(each, { height: 1, transactionId: new Uint8Array(32) }));

/** Results of the calls of each transaction of a block. */
function resultsOf({ receipts }: { readonly receipts: readonly Uint8Array[] }): readonly (readonly Json[])[] {
  return receipts.map(decodeReceipt).map(({ status, code, results }) => {
    assert.equal(status, 'ok', code);
    return results.map((result) => (isRecordResults(result) ? toldOf(result) : decodeJson(result)));
  });
}
const contentOf = (result: Json | undefined): Json => (result as { readonly record: Json }).record;

test('a contract reads the content of a record wherever it was written: this transaction, this block, a block before', async () => {
  const store = new MemoryStore();
  const executor = executorOn(store);
  const [a, b, c] = submissionsOf(1, 3) as [Submission, Submission, Submission];
  const tree = ({ content }: Submission) => decodeContent(content) as Json;
  const corrected = encodeContent({ ...decodeContent(b.content), production_location: 'corrected' });
  const change = { recordId: idOf(b), reason: 'typed wrongly', source: {} };
  const first = await add(
    executor,
    await executor.open(),
    signedCalls(1, [submit(a), submit(b, c), get(c), get(a)]),
    signedCalls(1, [get(b), records('amend', encodeAmendment({ ...change, expectedVersion: 1, content: corrected })), get(b)], 2),
    signedCalls(1, [get(b)], 3),
  );
  const [own, next, last] = resultsOf(first);
  assert.deepEqual(contentOf(last![0]), decodeContent(corrected));
  assert.deepEqual([contentOf(own![2]), contentOf(own![3])], [tree(c), tree(a)]);
  assert.deepEqual([contentOf(next![0]), contentOf(next![2])], [tree(b), decodeContent(corrected)]);

  const second = await add(
    executor,
    first,
    signedCalls(2, [
      records('withdraw', encodeAmendment({ ...change, expectedVersion: 2, content: undefined })),
      ...[get(b), get(b, 2), get(b, 1), get(c)],
    ]),
  );
  const [, gone, ...before] = resultsOf(second)[0]!;
  assert.equal(contentOf(gone), null);
  assert.deepEqual(
    (gone as { readonly key: Json }).key,
    keyOf(production, decodeContent(b.content)),
    'a tombstone has the key of what it withdrew',
  );
  assert.deepEqual(before.map(contentOf), [decodeContent(corrected), tree(b), tree(c)]);
});

test('a body that is damaged under a contract is a damaged store, and no receipt', async () => {
  const store = new MemoryStore();
  const executor = executorOn(store);
  const [a] = submissionsOf(1, 1) as [Submission];
  const tip = await add(executor, await executor.open(), signedCalls(1, [submit(a)]));
  await store.batch([{ key: ledgerKey.body(1), value: undefined }]);
  await assert.rejects(
    add(executor, tip, signedCalls(2, [get(a)])),
    (error) => error instanceof ChainError && error.code === 'STORE_DAMAGED',
  );
});
