/** Many sends of one record at once, through the record service into a node whose blocks the test makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRows } from './checked-rows.ts';
import { type CheckedRow, submitRows } from '../../../../node/records/submit.ts';
import { createSlices } from '../../../../node/pace/slices.ts';
import type { Sent } from '../../../../node/records/coalescing.ts';
import type { PreparedRecord } from '../../../../node/records/prepare.ts';
import { createUnderWay, UNDER_WAY_MAX } from '../../../../node/records/under-way.ts';
import type { ParsedRecord } from '../../../../node/records/formats/index.ts';
import type { RecordSubmitOptions, SubmitOutcome } from '../../../../node/records/types.ts';
import type { ChainError } from '../../../../node/errors/index.ts';
import { openTransaction, RECORDS_PER_CALL_MAX } from '../../../../node/format/index.ts';
import type { NodeService, TransactionStatus } from '../../../../node/service.ts';
import { ManualTime } from '../memory-world.ts';
import { caller, codes, idOf, record, rig, times } from './record-rig.ts';
import { crypto } from './sample.ts';

const SENDS = 8;

test('eight sends of one record at once make one transaction, one receipt for all, and one row of sealed values', async () => {
  const { send, settled, sent, end, calls, sealedRows } = rig();
  const answers = times(SENDS, () => send([record('P-1')]));
  await settled();
  assert.equal(sent.length, 1);
  end(sent[0]!);
  const outcomes = await Promise.all(answers);
  assert.equal(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size, 1);
  assert.deepEqual(
    [outcomes[0]!.transactionId, outcomes[0]!.status, outcomes[0]!.records[0]!.status],
    [idOf(sent[0]!), 'confirmed', 'stored'],
  );
  assert.deepEqual(calls, { hold: 1, keep: 1, drop: 0 });
  assert.ok(
    [...sealedRows.rows.keys()].every((key) => !key.startsWith('w')),
    'nothing waits any more',
  );
  const again = await send([record('P-1')]);
  assert.deepEqual([sent.length, again.transactionId, again.records[0]!.status], [1, idOf(sent[0]!), 'repeated']);
});

test('who does not wait gets the pending transaction of the others, and who waits does so for his own time', async () => {
  const { send, settled, sent, end, time } = rig();
  const impatient = send([record('P-1')], { timeoutMs: 10 });
  const patient = send([record('P-1')], { timeoutMs: 1_000 });
  await settled();
  const asynchronous = await send([record('P-1')], { wait: 'async' });
  assert.deepEqual([asynchronous.status, asynchronous.transactionId, sent.length], ['pending', idOf(sent[0]!), 1]);
  time.advance(10);
  assert.equal((await impatient).status, 'pending');
  end(sent[0]!);
  assert.deepEqual(
    [(await patient).status, (await patient).transactionId, (await impatient).transactionId],
    ['confirmed', ...times(2, () => idOf(sent[0]!))],
  );
});

test('what is under way is counted once, until a block after its end', async () => {
  const { send, settled, sent, end, count } = rig();
  assert.equal(count(), 0);
  const answers = [send([record('P-1')]), send([record('P-1')]), send([record('P-2')])];
  await settled();
  assert.equal(count(), 2);
  end(sent[0]!);
  await settled();
  assert.equal(count(), 1);
  end(sent[1]!);
  await Promise.all(answers);
  await settled();
  assert.equal(count(), 0);
});

test('a refusal reaches all who joined, and the next send is not held up by it', async () => {
  for (const [how, code] of [
    ['admission', 'MEMPOOL_FULL'],
    [{ state: 'rejected', code: 'TRANSACTION_KEY_UNKNOWN', data: {} }, 'TRANSACTION_KEY_UNKNOWN'],
    [{ state: 'expired', expiryHeight: 9 }, 'TRANSACTION_EXPIRED'],
    [{ failed: 'RIGHT_MISSING' }, 'RIGHT_MISSING'],
  ] as const) {
    const { send, settled, sent, end, chain, calls, sealedRows } = rig();
    if (how === 'admission') chain.refusal = 'MEMPOOL_FULL';
    const answers = Promise.allSettled(times(SENDS, () => send([record('P-1')])));
    await settled();
    if (how !== 'admission') end(sent[0]!, how);
    assert.deepEqual(
      codes(await answers),
      times(SENDS, () => code),
    );
    assert.deepEqual([calls.hold, calls.keep], [1, 0]);
    if (how === 'admission' || 'failed' in how) assert.deepEqual([calls.drop, sealedRows.rows.size], [1, 0], code);
    chain.refusal = undefined;
    const before = sent.length;
    const next = send([record('P-1')]);
    await settled();
    assert.equal(sent.length, before + 1, code);
    end(sent[before]!);
    assert.equal((await next).status, 'confirmed');
  }
});

test('the record that a later call of a transaction refuses is named by its place in the body', { timeout: 120_000 }, async (t) => {
  const { send, turns, sent, end, bodies } = rig();
  t.after(() => bodies.stop());
  const answer = send(times(RECORDS_PER_CALL_MAX + 2, (i) => record(`P-${i}`)));
  const refused = assert.rejects(answer, (error: ChainError) => {
    const { details, sameKeyAs } = error.data as { details: { pointer: string }[]; sameKeyAs: number };
    assert.deepEqual([error.code, details.length, details[0]!.pointer], ['RECORD_KEY_CONFLICT', 1, `/${RECORDS_PER_CALL_MAX + 1}`]);
    assert.equal(sameKeyAs, RECORDS_PER_CALL_MAX);
    return true;
  });
  while (sent.length === 0) await turns(); // no time passes: the thread for bodies has only so much
  assert.equal(openTransaction(crypto, sent[0]!).transaction.calls.length, 2);
  end(sent[0]!, { failed: 'RECORD_KEY_CONFLICT', failedCall: 1, detail: { record: 1, path: [], sameKeyAs: 0 } });
  await refused;
});

test('what overlaps in part, in another order or from another account goes alone, and is answered with the transaction that stored it', async () => {
  const { send, settled, sent, end } = rig();
  const [a, b, c] = [record('A'), record('B'), record('C')];
  const first = send([a, b]);
  await settled();
  const others: ReturnType<typeof send>[] = [];
  for (const rows of [[b, c], [b, a], [b]]) {
    others.push(send(rows));
    await settled();
  }
  others.push(send([a, b], { account: 'erp@alpha' }));
  await settled();
  assert.equal(sent.length, 5);
  for (const bytes of sent) end(bytes);
  const [overlap, turned, part, stranger] = (await Promise.all(others)) as [SubmitOutcome, SubmitOutcome, SubmitOutcome, SubmitOutcome];
  const id = idOf(sent[0]!);
  assert.equal((await first).transactionId, id);
  for (const outcome of [turned, part, stranger]) {
    assert.deepEqual([outcome.transactionId, outcome.height], [id, 10], 'the first receipt');
    assert.ok(outcome.records.every((row) => row.status === 'repeated' && row.transactionId === id));
  }
  assert.equal(overlap.transactionId, idOf(sent[1]!));
  assert.deepEqual(
    overlap.records.map((row) => [row.status, row.transactionId]),
    [
      ['repeated', id],
      ['stored', undefined],
    ],
  );
});

test('other content under the key of a record under way is no equal of it', async () => {
  const { send, settled, sent } = rig();
  void send([record('P-1')]);
  void send([record('P-1', { production_location: 'elsewhere' })]);
  await settled();
  assert.equal(sent.length, 2, 'the chain judges the second');
});

test('a record that became final after it was checked makes no second transaction', async () => {
  const { send, settled, sent, end, deps } = rig();
  const first = send([record('P-1')]);
  await settled();
  const records = [{ tree: record('P-1'), locate: () => ({ pointer: '/' }) }] as unknown as readonly ParsedRecord[];
  const rows: CheckedRow[] = [];
  const steps = checkRows(deps, records, caller('mes@alpha'), 'production');
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true && rows.push(...step.value)) break;
  assert.equal(rows[0]!.first, undefined);
  end(sent[0]!);
  await first;
  const options = { wait: 'sync', timeoutMs: 50, recordClass: 'production' } as RecordSubmitOptions;
  const outcome = await submitRows(deps, records, rows, caller('mes@alpha'), options);
  assert.deepEqual([sent.length, outcome.transactionId, outcome.records[0]!.status], [1, idOf(sent[0]!), 'repeated']);
});

test('the register is bounded, its oldest leaves past it, and what is over leaves after the next block', async () => {
  let pending = true;
  let onBlock = (): void => {};
  const node = {
    transaction: async () => (pending ? { state: 'pending', sinceMs: 0 } : { state: 'expired', expiryHeight: 1 }) as TransactionStatus,
    onBlock: (listener: () => void) => {
      onBlock = listener;
      return () => {};
    },
  };
  const underWay = createUnderWay(
    node as unknown as NodeService,
    crypto,
    createSlices({ clock: new ManualTime(), timers: new ManualTime() }),
  );
  const sends: string[] = [];
  const join = (name: string) =>
    underWay.join(name, [], async () => {
      sends.push(name);
      return { id: new Uint8Array(32), place: 0, settle: async () => false };
    });
  for (let i = 0; i <= UNDER_WAY_MAX; i++) await join(`${i}`);
  for (const name of ['1', `${UNDER_WAY_MAX}`]) await join(name);
  assert.equal(sends.length, UNDER_WAY_MAX + 1, 'those within the bound are joined');
  await join('0');
  assert.deepEqual(sends.slice(UNDER_WAY_MAX + 1), ['0'], 'the oldest had left');
  pending = false;
  onBlock();
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  pending = true; // so that only what has left is sent again
  await join('2');
  await join('9000');
  assert.deepEqual(sends.slice(UNDER_WAY_MAX + 2), ['2']);
});

test('after a block each transaction is asked after once, however many submissions stand in it', async () => {
  let onBlock = (): void => {};
  let asked = 0;
  const node = {
    async transaction() {
      asked++;
      return { state: 'pending', sinceMs: 0 } as TransactionStatus;
    },
    onBlock: (listener: () => void) => {
      onBlock = listener;
    },
  };
  const time = new ManualTime();
  const underWay = createUnderWay(node as unknown as NodeService, crypto, createSlices({ clock: time, timers: time }));
  const sentIn = (id: Uint8Array): Sent => ({ id, place: 0, settle: async () => false });
  const ids = [new Uint8Array(32), new Uint8Array(32).fill(1)];
  for (let i = 0; i < SENDS; i++) {
    const own = { recordId: new Uint8Array(32).fill(i), recordDigest: new Uint8Array(32) } as unknown as PreparedRecord;
    await underWay.join('mes@alpha', [own], async () => sentIn(ids[i % 2]!));
  }
  onBlock();
  await new Promise(setImmediate);
  assert.deepEqual([asked, underWay.count()], [2, SENDS]);
});
