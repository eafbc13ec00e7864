/** What the executor says of the records of a block is what is read from the block. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONTRACT, type NamedFacts, type WrittenVersion } from '../../../../contracts/index.ts';
import { DecodeError, decodeReceipt, encodeAmendment, encodeSubmissions, toHex } from '../../../../node/format/index.ts';
import type { Committed } from '../../../../node/ledger/executor.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { blockFactsOf, encodeBlockFacts } from '../../../../node/ledger/record-facts.ts';
import { createStateRows } from '../../../../node/ledger/state-rows.ts';
import { createRecordIndex, recordRowsOf } from '../../../../node/records/index.ts';
import { blockFactsIn } from '../../../tools/block-facts.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { ended } from '../../../tools/steps.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { add, blocksOn, executorOn, signedCalls, submissionsOf } from './small-chain.ts';

test('facts of a block are read as they were written', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((one) => !one.includes('\0'));
  const maybe = fc.option(text, { nil: undefined });
  const plain = { noNullPrototype: true } as const;
  const named = fc.record(
    {
      ...{ product: maybe, productionBatch: maybe, factory: maybe, report: maybe, verdict: maybe },
      timeUs: fc.option(fc.bigInt({ min: -62_167_219_200_000_000n, max: 253_402_300_799_999_999n }), { nil: undefined }),
      devices: fc.array(text, { maxLength: 2 }),
      materials: fc.array(fc.record({ supplier: text, batch: text, report: maybe }, plain), { maxLength: 300 }),
      links: fc.array(fc.record({ rel: text, type: text, id: text, org: maybe }, plain), { maxLength: 3 }),
    },
    plain,
  );
  const version = fc
    .record({
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      version: fc.integer({ min: 1, max: 1_000_000 }),
      heightBefore: fc.integer({ min: 1, max: 2 ** 40 }),
      ...{ class: text, org: text, actor: text, state: fc.constantFrom('current' as const, 'deleted' as const) },
      named: fc.option(named, { nil: undefined }),
    })
    .map((one): WrittenVersion => ({ ...one, heightBefore: one.version === 1 ? undefined : one.heightBefore }));
  fc.assert(
    fc.property(fc.array(version, { maxLength: 6 }), fc.integer({ min: 0, max: 2 ** 45 }), (versions, timestampMs) => {
      assert.deepEqual(blockFactsIn(blockFactsOf({ timestampMs, versions })), { timestampMs, versions });
    }),
    { numRuns: 60 },
  );
});

const LISTED: NamedFacts = {
  ...{ product: 'p', productionBatch: undefined, factory: undefined, report: undefined, verdict: undefined, timeUs: undefined },
  devices: [],
  materials: [],
  links: [],
};
const withNamed = (named: NamedFacts): WrittenVersion => ({
  ...{ id: new Uint8Array(32), version: 1, heightBefore: undefined, class: 'c', org: 'o', actor: 'a', state: 'current' as const },
  named,
});

test('lists of any length are read as they were written, and long ones are written in steps', () => {
  for (const [materials, links] of [
    [255, 0],
    [256, 0],
    [0, 257],
    [600, 1_200],
  ] as const) {
    const named = {
      ...LISTED,
      materials: Array.from({ length: materials }, (_, i) => ({ supplier: `s${i}`, batch: `b${i % 7}`, report: i % 2 ? 'r' : undefined })),
      links: Array.from({ length: links }, (_, i) => ({ rel: 'of', type: 't', id: `i${i}`, org: undefined })),
    };
    const facts = { timestampMs: 5, versions: [withNamed(named), withNamed(LISTED)] };
    const bytes = blockFactsOf(facts);
    assert.deepEqual(blockFactsIn(bytes), facts);
    assert.equal([...encodeBlockFacts(facts)].length, Math.floor(materials + links > 256 ? (materials + links) / 256 : 0));
  }
});

test('facts that were cut off, go on behind their end or name a text that was not written do not decode', () => {
  const bytes = blockFactsOf({ timestampMs: 5, versions: [withNamed(LISTED)] });
  for (let end = 0; end < bytes.length; end++) assert.throws(() => blockFactsIn(bytes.subarray(0, end)), DecodeError, `cut at ${end}`);
  assert.throws(() => blockFactsIn(Uint8Array.of(...bytes, 0)), DecodeError);
  const classAt = 8 + 1 + 32 + 1; // behind the time, the count, the id and the version
  for (const code of [0, 2, 200]) assert.throws(() => blockFactsIn(bytes.with(classAt, code)), DecodeError, `text ${code}`);
});

test('what the executor says of records submitted, amended, withdrawn and refused is what is read from their blocks', async () => {
  const store = new MemoryStore();
  const executor = executorOn(store);
  const blocks = blocksOn(store);
  const [submitted, second] = submissionsOf(1, 2) as [ReturnType<typeof submissionsOf>[number], ReturnType<typeof submissionsOf>[number]];
  const ids = new Map<string, Uint8Array>();
  const call = (method: string, args: Uint8Array) => ({ contract: CONTRACT.records, method, args });
  const change = (recordId: Uint8Array, expectedVersion: number, content?: Uint8Array) =>
    encodeAmendment({ recordId, expectedVersion, reason: 'wrong', content, source: {} });
  const opened = await executor.open();
  const committed: Committed[] = [];
  const take = async (...transactions: Uint8Array[]): Promise<Committed> => {
    const next = await add(executor, committed.at(-1) ?? opened, ...transactions);
    committed.push(next);
    for (const { id } of blockFactsIn(next.recordFacts!).versions) ids.set(toHex(id), id.slice());
    return next;
  };
  await take(signedCalls(1, [call('submit', encodeSubmissions([submitted, second]))]));
  const [one, other] = [...ids.values()] as [Uint8Array, Uint8Array];
  const moved = Buffer.from(
    Buffer.from(submitted.content)
      .toString()
      .replace(/"production_location":"[^"]*"/, '"production_location":"moved"'),
  );
  await take(
    signedCalls(2, [call('amend', change(one, 1, moved))]),
    signedCalls(2, [call('withdraw', change(other, 7))], 77), // fails: the version is not there
  );
  await take(
    signedCalls(3, [call('submit', encodeSubmissions(submissionsOf(2, 1))), call('withdraw', change(other, 7))], 78), // both or none
    signedCalls(3, [call('withdraw', change(one, 2))], 79),
  );
  await take(signedCalls(4, [call('submit', encodeSubmissions(submissionsOf(4, 1))), call('withdraw', change(other, 1))]));
  const rows = createStateRows(store);
  const state = { get: (key: string) => rows.get(ledgerKey.state(key)) };
  const [told, read] = [new MemoryStore(), new MemoryStore()];
  const [byFacts, byBlocks] = [createRecordIndex(told, crypto), createRecordIndex(read, crypto)];
  /** Of each block the versions, and where each of them was written before. */
  const first = [1, undefined];
  const written = [[], [first, first], [[2, 1]], [[3, 2]], [first, [2, 1]]];
  for (const { height, recordFacts, receipts } of committed) {
    const { transactions } = (await blocks.block(height))!;
    const { timestampMs, versions } = blockFactsIn(recordFacts!);
    const versionsTold = versions.map(({ version, heightBefore }) => [version, heightBefore]);
    assert.deepEqual(versionsTold, written[height], `block ${height}`);
    await byFacts.applyFacts(height, recordFacts!);
    await byBlocks.applyBlock(height, timestampMs, ended(recordRowsOf({ receipts: receipts.map(decodeReceipt), transactions }, state)));
  }
  const all = { from: '', to: undefined, limit: 1_000 };
  const textOf = async (of: MemoryStore) => (await of.range(all)).map(({ key, value }) => [key, toHex(value)]);
  assert.deepEqual(await textOf(told), await textOf(read));
});
