/** Many sends of one record at once, through the record service into a node whose blocks the test makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BodiesDependencies, createBodies } from '../../../../node/records/bodies.ts';
import { checkRows } from './checked-rows.ts';
import { createRecordService, type RecordServiceDependencies } from '../../../../node/records/service.ts';
import { type CheckedRow, type SubmitDependencies, submitRows } from '../../../../node/records/submit.ts';
import { createSlices } from '../../../../node/pace/slices.ts';
import { createUnderWay, UNDER_WAY_MAX } from '../../../../node/records/under-way.ts';
import type { ParsedRecord } from '../../../../node/records/formats/index.ts';
import type { Caller, RecordSubmitOptions, SubmitOutcome } from '../../../../node/records/types.ts';
import { CONTRACT, keyOf, production, recordKey, stateKey } from '../../../../contracts/index.ts';
import { ChainError, type ErrorCode } from '../../../../node/errors/index.ts';
import {
  decodeContent,
  decodeSubmissions,
  defaultParameters,
  encodeJson,
  type JsonObject,
  openTransaction,
  type Receipt,
  RECORDS_PER_CALL_MAX,
  recordIdOf,
  signTransaction,
  type TextStruct,
  toByteText,
  toHex,
} from '../../../../node/format/index.ts';
import { aesGcm, createSealedStore } from '../../../../node/records/index.ts';
import type { Head, NodeService, TransactionStatus } from '../../../../node/service.ts';
import { testKey } from '../format/genesis-fixture.ts';
import { ManualTime } from '../memory-world.ts';
import { createMemoryStore, pause } from './memory-store.ts';
import { createRecordSource } from '../../../../node/records/source.ts';
import { Shelf } from './shelf.ts';
import { annexRecord, crypto } from './sample.ts';
import { createTestState, putAccounts } from '../../api/stand-ins.ts';

const SENDS = 8;
const caller = (account: string) => ({ account, organisation: 'alpha' }) as Caller;
const record = (product_uid: string, more: object = {}) => annexRecord({ product_uid, ...more });

function rig() {
  const state = createTestState();
  state.put('factory', 'F-001', 'alpha', {});
  state.put('device', 'D-1', 'alpha', {});
  putAccounts(state, { 'mes@alpha': ['device'], 'erp@alpha': ['operator'] });
  const sealedRows = createMemoryStore();
  let salts = 0;
  const random = { bytes: (count: number) => new Uint8Array(count).map((_, i) => (i === 0 ? salts >> 8 : i === 1 ? salts++ : 0)) };
  const sealed = createSealedStore(sealedRows, aesGcm, random, new Uint8Array(32).fill(5), pause);
  const calls = { hold: 0, keep: 0, drop: 0 };
  const counting =
    <A extends unknown[], R>(name: keyof typeof calls, run: (...args: A) => R) =>
    (...args: A): R => {
      calls[name]++;
      return run(...args);
    };
  const counted = {
    ...sealed,
    hold: counting('hold', sealed.hold),
    keep: counting('keep', sealed.keep),
    drop: counting('drop', sealed.drop),
  };
  const shelf = new Shelf(state.rows);
  const statuses = new Map<string, TransactionStatus>();
  const waiting: { readonly id: string; readonly resolve: (status: TransactionStatus) => void }[] = [];
  const sent: Uint8Array[] = [];
  const blocks: ((head: Head) => void)[] = [];
  const time = new ManualTime();
  const chain = { height: 9, refusal: undefined as ErrorCode | undefined };
  const known = (id: Uint8Array): TransactionStatus => statuses.get(toHex(id)) ?? { state: 'unknown' };
  const node = {
    info: { chainId: new Uint8Array(32) },
    head: () => ({ height: chain.height, timestampMs: 1_760_000_000_000, era: 0 }),
    signsFor: () => true,
    parameters: defaultParameters,
    state: { get: (key: string) => state.rows.get(key) },
    signFor: async (sender: string, calls: never) => {
      const transaction = { chainId: new Uint8Array(32), sender, keyId: 'k', salt: random.bytes(16), expiryHeight: 1_000, calls };
      return signTransaction(crypto, { ...transaction, gasLimit: 1, suite: 1 }, testKey('mes').sign).bytes;
    },
    async submit(bytes: Uint8Array) {
      if (chain.refusal) throw new ChainError(chain.refusal);
      sent.push(bytes);
      const { id } = openTransaction(crypto, bytes);
      statuses.set(toHex(id), { state: 'pending', sinceMs: 0 });
      return id;
    },
    transaction: async (id: Uint8Array) => known(id),
    awaitTransaction: (id: Uint8Array, timeoutMs: number) =>
      known(id).state !== 'pending'
        ? Promise.resolve(known(id))
        : new Promise<TransactionStatus>((resolve) => {
            time.after(timeoutMs, () => resolve(known(id)));
            waiting.push({ id: toHex(id), resolve });
          }),
    onBlock: (listener: (head: Head) => void) => void blocks.push(listener),
  };
  const bodies = createBodies({ world: { clock: time, timers: time, crypto } as unknown as BodiesDependencies['world'] });
  const parts = {
    ...{ node, bodies, crypto, sealed: counted, index: undefined, timers: time, clock: time },
    blocks: shelf.blocks,
    source: createRecordSource({ state: node.state, blocks: shelf.blocks }),
    sealingKeys: () => [new Uint8Array(32).fill(3)],
    inclusions: {
      async receipt() {
        return undefined;
      },
      position: (id: Uint8Array) => ({ height: 1, index: 0, blockHash: id }),
    },
  };
  const records = createRecordService(parts as unknown as RecordServiceDependencies);
  const underWay = createUnderWay(node as unknown as NodeService, crypto, bodies.inSlices);

  return {
    deps: { ...parts, underWay } as unknown as SubmitDependencies,
    sent,
    count: records.underWay,
    sealedRows,
    bodies,
    chain,
    calls,
    time,
    async send(trees: readonly TextStruct[], more: { account?: string; wait?: 'sync' | 'async'; timeoutMs?: number } = {}) {
      const { account = 'mes@alpha', wait = 'sync', timeoutMs = 50 } = more;
      const body = { bytes: new TextEncoder().encode(JSON.stringify(trees)), mediaType: 'application/json' } as const;
      const known = caller(account);
      const options = { wait, timeoutMs, recordClass: 'production', requestId: 'r' } as unknown as RecordSubmitOptions;
      return records.submit(body, { known, identify: () => known, address: '' }, options);
    },
    /** Until what was sent stands in the pool. */
    async settled() {
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    /** Ends a transaction: its records are stored as the contract does, or it ends as told. */
    end(
      bytes: Uint8Array,
      end?: TransactionStatus | { readonly failed: string; readonly failedCall?: number; readonly detail?: JsonObject },
    ) {
      const { id, transaction } = openTransaction(crypto, bytes);
      chain.height++;
      const results = transaction.calls.map(({ args }) =>
        encodeJson(
          decodeSubmissions(args).map(({ content }) => {
            const recordId = recordIdOf(crypto, 'production', 'alpha', keyOf(production, decodeContent(content)));
            const row = stateKey(CONTRACT.records, recordKey.version(toByteText(recordId), 1));
            const before = state.rows.has(row);
            if (end === undefined && !before) {
              const own = { class: 'production', org: 'alpha', actor: 'mes@alpha', content };
              shelf.put(recordId, { ...own, height: chain.height, transactionId: id });
            }
            return { id: toHex(recordId), status: before ? 'repeated' : 'stored', currentVersion: 1 };
          }),
        ),
      );
      const failure = end !== undefined && 'failed' in end ? end : undefined;
      const { failed, failedCall = 0, detail } = failure ?? {};
      const receipt = {
        ...{ transactionId: id, height: chain.height, index: 0, results, gasUsed: 1, events: [], failedCall, keyKind: 'custodial' },
        ...{ status: failed ? 'failed' : 'ok', code: failed ?? 'OK', detail: detail ? encodeJson(detail) : new Uint8Array(0) },
      } as Receipt;
      const status: TransactionStatus =
        end !== undefined && 'state' in end ? end : { state: 'confirmed', receipt, blockHash: id, timestampMs: 1 };
      statuses.set(toHex(id), status);
      for (const waiter of waiting.filter((each) => each.id === toHex(id))) waiter.resolve(status);
      for (const listener of blocks) listener({ height: chain.height } as Head);
    },
  };
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const idOf = (bytes: Uint8Array): string => toHex(openTransaction(crypto, bytes).id);
const codes = (results: readonly PromiseSettledResult<SubmitOutcome>[]) =>
  results.map((result) => (result.status === 'rejected' ? (result.reason as ChainError).code : 'OK'));

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
  const { send, settled, sent, end, bodies } = rig();
  t.after(() => bodies.stop());
  const answer = send(times(RECORDS_PER_CALL_MAX + 2, (i) => record(`P-${i}`)));
  const refused = assert.rejects(answer, (error: ChainError) => {
    const { details, sameKeyAs } = error.data as { details: { pointer: string }[]; sameKeyAs: number };
    assert.deepEqual([error.code, details.length, details[0]!.pointer], ['RECORD_KEY_CONFLICT', 1, `/${RECORDS_PER_CALL_MAX + 1}`]);
    assert.equal(sameKeyAs, RECORDS_PER_CALL_MAX);
    return true;
  });
  while (sent.length === 0) await settled();
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
  const outcome = await submitRows(deps, 'production', records, rows, caller('mes@alpha'), options);
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
      return { id: new Uint8Array(32), settle: async () => {} };
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
