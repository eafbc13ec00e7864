/** Single records of one account at once, through the record service into a node whose blocks the test makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXCESS_GAS_PER_BLOCK } from '../../../../node/chain/mempool/gas-shares.ts';
import { GAS } from '../../../../contracts/index.ts';
import { openTransaction } from '../../../../node/format/index.ts';
import { CROWD_WAIT_MS_MAX, GAS_MAX, RETURN_MS_MAX, SHARED_FAILURES_MAX, WAIT_MS_MAX } from '../../../../node/records/coalescing.ts';
import type { SubmitOutcome } from '../../../../node/records/types.ts';
import { codes, idOf, names, productsOf, record, rig, sendAgainAtOnce, sendAll, sentProducts, times } from './record-rig.ts';
import { crypto } from './sample.ts';

const COUNT = 8;

test('a lone record goes at once, and those that come while it is under way go together a few ms later', async () => {
  const door = rig();
  const answers = sendAll(door, names(COUNT));
  await door.turns();
  assert.deepEqual(sentProducts(door), [['P-0']], 'no time has passed');
  door.time.advance(WAIT_MS_MAX - 1);
  await door.turns();
  assert.equal(door.sent.length, 1);
  door.time.advance(1);
  await door.turns();
  assert.deepEqual(sentProducts(door), [['P-0'], names(COUNT).slice(1)]);
  for (const bytes of door.sent) door.end(bytes);
  const outcomes = await Promise.all(answers);
  assert.equal(new Set(outcomes.map(({ records: [row] }) => row!.id)).size, COUNT, 'each its own record');
  for (const [i, { transactionId, status, records }] of outcomes.entries())
    assert.deepEqual(
      [transactionId, status, records.length, records[0]!.status],
      [idOf(door.sent[i === 0 ? 0 : 1]!), 'confirmed', 1, 'stored'],
    );
  assert.equal(door.gathered(), COUNT - 1);
  assert.deepEqual(door.calls, { hold: 2, keep: 2, drop: 0 });
  door.time.advance(CROWD_WAIT_MS_MAX); // nobody of them came back
  await sendAgainAtOnce(door);
});

test('the proof of a receipt is made once for all whose records stand behind it', async () => {
  const door = rig();
  const bytes = new Uint8Array(32);
  door.inclusion.shown = { receipt: bytes, index: 0, count: 2, path: [bytes], headerBytes: bytes };
  const [first, ...others] = sendAll(door, names(COUNT));
  await door.settled();
  for (const sent of door.sent) door.end(sent);
  await first;
  const proofs = (await Promise.all(others)).map(({ inclusionProof }) => inclusionProof);
  assert.equal(new Set(proofs).size, 1);
  assert.equal(proofs[0]!.count, 2);
  assert.equal(door.inclusion.asked, 2);
});

test('what waits goes as soon as nothing is under way any more, before its time', async () => {
  const door = rig();
  const answers = sendAll(door, names(3));
  await door.turns();
  door.end(door.sent[0]!);
  await door.turns();
  assert.deepEqual(sentProducts(door), [['P-0'], ['P-1', 'P-2']]);
  door.end(door.sent[1]!);
  assert.deepEqual(
    codes(await Promise.allSettled(answers)),
    times(3, () => 'OK'),
  );
});

test('a transaction that nobody waits for and that is over keeps no record waiting', async () => {
  for (const end of [undefined, { state: 'expired', expiryHeight: 9 }] as const) {
    const door = rig();
    await door.send([record('P-0')], { wait: 'async' });
    door.end(door.sent[0]!, end);
    await sendAgainAtOnce(door);
  }
});

test('who does not wait for the block is told a transaction of his record alone', async () => {
  const door = rig();
  const waiting = sendAll(door, names(3));
  await door.turns();
  const outcome = await door.send([record('async')], { wait: 'async' });
  assert.deepEqual([sentProducts(door).at(-1), outcome.transactionId], [['async'], idOf(door.sent.at(-1)!)]);
  await door.settled();
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(waiting);
});

test('records of several accounts, and bodies of several records, stand in transactions of their own', async () => {
  const door = rig();
  const answers = [
    ...sendAll(door, names(3, 'A')),
    ...sendAll(door, names(3, 'B'), { account: 'erp@alpha' }),
    door.send([record('C-0'), record('C-1')], { timeoutMs: 60_000 }),
  ];
  await door.settled();
  const senders = door.sent.map((bytes) => openTransaction(crypto, bytes).transaction.sender);
  assert.deepEqual(
    sentProducts(door)
      .map((products, i) => [senders[i], products])
      .sort(),
    [
      ['erp@alpha', ['B-0']],
      ['erp@alpha', ['B-1', 'B-2']],
      ['mes@alpha', ['A-0']],
      ['mes@alpha', ['A-1', 'A-2']],
      ['mes@alpha', ['C-0', 'C-1']],
    ],
  );
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(answers);
});

test('a record that the chain refuses fails alone: the others go again without it, and each keeps its own place', async () => {
  const door = rig();
  const answers = sendAll(door, names(6));
  await door.settled();
  // Another account is faster, with other content under the key of one of them.
  const other = door.send([record('P-3', { production_location: 'elsewhere' })], { account: 'erp@alpha', timeoutMs: 60_000 });
  await door.turns();
  door.end(door.sent[2]!);
  await other;
  door.end(door.sent[0]!);
  door.end(door.sent[1]!);
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(3), [['P-1', 'P-2', 'P-4', 'P-5']]);
  door.end(door.sent[3]!);
  const results = await Promise.allSettled(answers);
  assert.deepEqual(codes(results), ['OK', 'OK', 'OK', 'RECORD_KEY_CONFLICT', 'OK', 'OK']);
  const { details } = (results[3] as PromiseRejectedResult).reason.data as { details: readonly { readonly pointer: string }[] };
  assert.deepEqual(
    details.map(({ pointer }) => pointer),
    ['/0'],
    'at its place in its own body',
  );
  for (const i of [1, 2, 4, 5]) {
    const { transactionId, records } = (results[i] as PromiseFulfilledResult<SubmitOutcome>).value;
    assert.deepEqual([transactionId, records[0]!.status], [idOf(door.sent[3]!), 'stored']);
  }
  assert.ok(
    [...door.sealedRows.rows.keys()].every((key) => !key.startsWith('w')),
    'no values wait any more',
  );
  assert.ok(door.order.lastIndexOf('hold') < door.order.indexOf('drop'), 'their values are never without a place on disk');
});

test('a failure that names no record, or a second one, sends each alone', async () => {
  for (const [failures, together] of [
    [[{ failed: 'OUT_OF_GAS' }], 0],
    [times(SHARED_FAILURES_MAX, () => ({ failed: 'RECORD_TIME_AHEAD', detail: { record: 0, path: [] } })), 1],
  ] as const) {
    const door = rig();
    const answers = sendAll(door, names(6));
    await door.settled();
    door.end(door.sent[0]!);
    for (const [i, failure] of failures.entries()) {
      door.end(door.sent[1 + i]!, failure);
      await door.turns();
    }
    const alone = door.sent.slice(2 + together);
    assert.deepEqual(
      alone.map((bytes) => productsOf(bytes).length),
      alone.map(() => 1),
    );
    for (const bytes of alone) door.end(bytes);
    const refused = together === 0 ? 0 : SHARED_FAILURES_MAX;
    const told = codes(await Promise.allSettled(answers));
    assert.deepEqual([told.filter((code) => code === 'OK').length, alone.length], [6 - refused, 5 - refused]);
  }
});

test('the record of a caller who has gone is sent again too when a neighbour made its transaction fail', async () => {
  const door = rig();
  const answers = sendAll(door, names(4), { timeoutMs: 20 });
  await door.settled();
  door.time.advance(20);
  for (const { status } of await Promise.all(answers)) assert.equal(status, 'pending');
  door.end(door.sent[1]!, { failed: 'RECORD_TIME_AHEAD', detail: { record: 1, path: [] } });
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(2), [['P-1', 'P-3']]);
  // An equal submission joins the transaction it stands in now.
  const again = door.send([record('P-3')], { timeoutMs: 60_000 });
  await door.turns();
  assert.equal(door.sent.length, 3);
  door.end(door.sent[2]!);
  assert.equal((await again).transactionId, idOf(door.sent[2]!));
});

test('who is refused when his record is sent again hears that, not of the neighbour', async () => {
  const door = rig();
  const answers = sendAll(door, names(4));
  await door.settled();
  door.end(door.sent[0]!);
  door.chain.refusal = 'MEMPOOL_FULL';
  door.end(door.sent[1]!, { failed: 'RECORD_TIME_AHEAD', detail: { record: 1, path: [] } });
  assert.deepEqual(codes(await Promise.allSettled(answers)), ['OK', 'MEMPOOL_FULL', 'RECORD_TIME_AHEAD', 'MEMPOOL_FULL']);
  door.chain.refusal = undefined;
  await sendAgainAtOnce(door);
});

test('what admission or the signer refuses is refused to each, leaves no values, and holds up nobody after', async () => {
  const door = rig();
  const first = door.send([record('first')], { timeoutMs: 60_000 });
  await door.turns();
  const answers = sendAll(door, names(4));
  await door.turns();
  door.chain.refusal = 'RATE_LIMITED';
  await door.settled();
  assert.deepEqual(
    codes(await Promise.allSettled(answers)),
    times(4, () => 'RATE_LIMITED'),
  );
  door.chain.refusal = undefined;
  door.end(door.sent[0]!);
  await first;
  assert.deepEqual(door.calls, { hold: 2, keep: 1, drop: 1 });
  await sendAgainAtOnce(door);
});

test('records of one key never stand in one transaction', async () => {
  const door = rig();
  const answers = [
    door.send([record('first')], { timeoutMs: 60_000 }),
    ...[{}, { production_location: 'elsewhere' }, {}].map((more) => door.send([record('P-1', more)], { timeoutMs: 60_000 })),
    door.send([record('P-2')], { timeoutMs: 60_000 }),
  ];
  await door.settled();
  assert.deepEqual(sentProducts(door), [['first'], ['P-1'], ['P-1', 'P-2']], 'an equal one joins, another goes in the next');
  for (const bytes of door.sent) door.end(bytes);
  await door.settled();
  for (const bytes of door.sent.slice(3)) door.end(bytes);
  assert.deepEqual(codes(await Promise.allSettled(answers)), ['OK', 'OK', 'RECORD_KEY_CONFLICT', 'OK', 'OK']);
});

test('what stands together asks for no more gas than any block holds, whatever comes', async () => {
  const door = rig();
  const parameters = Object.fromEntries(times(60, (i) => [`parameter_${i}`, { value: `${i}.5`, unit: 'mm' }]));
  const long = (name: string) => record(name, { production_location: 'x'.repeat(200), ext: { device_id: 'D-1', parameters } });
  const answers = [...sendAll(door, names(60)), ...names(20, 'L').map((name) => door.send([long(name)], { timeoutMs: 60_000 }))];
  await door.settled();
  door.time.advance(CROWD_WAIT_MS_MAX);
  await door.turns();
  const counts = sentProducts(door).map(({ length }) => length);
  assert.equal(sentProducts(door).flat().length, 80);
  for (const [i, bytes] of door.sent.entries()) {
    const { gasLimit, calls } = openTransaction(crypto, bytes).transaction;
    assert.ok(gasLimit <= GAS_MAX + 2 * GAS.transaction && calls.length === 1, `${gasLimit} of ${counts[i]} records`);
  }
  assert.ok(GAS_MAX + 2 * GAS.transaction <= EXCESS_GAS_PER_BLOCK);
  assert.ok(Math.max(...counts) >= 10, `${counts}`);
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(answers);
});

test('each is answered with his own part of a receipt: one that another account stored meanwhile is repeated, its neighbours are stored', async () => {
  const door = rig();
  const answers = sendAll(door, names(4));
  await door.settled();
  const other = door.send([record('P-2')], { account: 'erp@alpha', timeoutMs: 60_000 });
  await door.turns();
  for (const i of [2, 0, 1]) door.end(door.sent[i]!);
  await other;
  const outcomes = await Promise.all(answers);
  assert.deepEqual(
    outcomes.map(({ transactionId, records: [row] }) => [transactionId, row!.status]),
    [
      [idOf(door.sent[0]!), 'stored'],
      [idOf(door.sent[1]!), 'stored'],
      [idOf(door.sent[2]!), 'repeated'],
      [idOf(door.sent[1]!), 'stored'],
    ],
  );
});

test('whatever comes and fails, each caller has one record on the chain and his own answer', async () => {
  const call = fc.record({
    product: fc.integer({ min: 0, max: 12 }),
    taken: fc.boolean(),
    ms: fc.integer({ min: 0, max: RETURN_MS_MAX }),
    ends: fc.integer({ min: 0, max: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 2, maxLength: 16 }), async (calls) => {
      const door = rig();
      let ended = 0;
      const endNext = async (): Promise<void> => {
        if (ended < door.sent.length) door.end(door.sent[ended++]!);
        await door.turns();
      };
      const asked: {
        readonly product: string;
        readonly location: string;
        readonly outcome: Promise<PromiseSettledResult<SubmitOutcome>[]>;
      }[] = [];
      for (const { product, taken, ms, ends } of calls) {
        const [name, location] = [`P-${product}`, taken ? 'elsewhere' : 'here'];
        const outcome = Promise.allSettled([door.send([record(name, { production_location: location })], { timeoutMs: 600_000 })]);
        asked.push({ product: name, location, outcome });
        await door.turns();
        door.time.advance(ms);
        for (let i = 0; i < ends; i++) await endNext();
      }
      for (let quiet = 0; quiet < 2; quiet = ended < door.sent.length ? 0 : quiet + 1) {
        door.time.advance(CROWD_WAIT_MS_MAX);
        await door.settled();
        await endNext();
      }
      for (const { product, location, outcome } of asked) {
        const [result] = await outcome;
        const onChain = door.stored.get(product)!;
        if (result!.status === 'rejected') {
          assert.deepEqual([result!.reason.code, onChain.location !== location], ['RECORD_KEY_CONFLICT', true], String(result!.reason));
          continue;
        }
        const { status, transactionId, records } = result!.value;
        assert.deepEqual([status, transactionId, records.length], ['confirmed', onChain.transactionId, 1]);
        assert.deepEqual([records[0]!.id, onChain.location], [onChain.id, location], 'his own record, as he sent it');
      }
    }),
    { numRuns: 40 },
  );
});

test('who has too much waiting is refused before his body is read, and nothing of it stays', async () => {
  const door = rig();
  door.chain.busy = true;
  const [code] = codes(await Promise.allSettled([door.send([record('P-1'), record('P-1', { product_uid: '' })])]));
  assert.deepEqual([code, door.sent.length, door.count()], ['SERVER_BUSY', 0, 0], 'a body that would be refused otherwise');
  door.chain.busy = false;
  await sendAgainAtOnce(door);
});
