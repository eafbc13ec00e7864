/** Whose turn it is at the reader, and what it may cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import {
  createQueryQueue,
  GAS_PER_MS,
  TRIALS_WAITING_MAX,
  QUERIES_PER_CALLER_MAX,
  QUERIES_WAITING_MAX,
  QUERY_GAS_PER_SECOND,
  QUERY_GAS_PER_SECOND_ALL,
  QUERY_GAS_SAVED_MS,
  QUERY_WAIT_MS_MAX,
} from '../../../../node/ledger/query-queue.ts';
import { QUERY_GAS_MAX } from '../../../../node/ledger/reader.ts';
import { ManualHeadroom, ManualTime, settle } from '../memory-world.ts';

/** A queue whose jobs end when told, and what became of each. */
function bench() {
  const time = new ManualTime();
  const headroom = new ManualHeadroom(1);
  const queue = createQueryQueue({ clock: time, timers: time, headroom });
  const started: string[] = [];
  const refused: { readonly name: string; readonly code: string; readonly retryAfterMs: number }[] = [];
  const running: { readonly name: string; end(gasUsed: number): void; fail(): void }[] = [];
  const kept = (name: string, answer: Promise<unknown>): void => {
    answer.catch((error: ChainError) => refused.push({ name, code: error.code, retryAfterMs: error.data.retryAfterMs as number }));
  };
  const job = (name: string) => () =>
    new Promise<{ gasUsed: number }>((resolve, reject) => {
      started.push(name);
      running.push({
        name,
        end: (gasUsed) => resolve({ gasUsed }),
        fail: () => reject(new ChainError('SERVER_BUSY', { retryAfterMs: 1_000 })),
      });
    });
  return {
    time,
    headroom,
    queue,
    started,
    refused,
    query: (caller: string, name = caller) => kept(name, queue.query(caller, job(name))),
    trial: (name: string) => kept(name, queue.trial(job(name))),
    async end(gasUsed: number) {
      running.shift()!.end(gasUsed);
      await settle();
    },
    async fail() {
      running.shift()!.fail();
      await settle();
    },
    running: () => running.map(({ name }) => name),
  };
}

test('one query runs at a time, callers take turns however many each has waiting, and trials go before all of them', async () => {
  const { query, trial, end, started, running } = bench();
  for (const name of ['a1', 'a2', 'a3', 'a4']) query('a@x', name);
  for (const name of ['b1', 'b2']) query('b@x', name);
  query('c@x', 'c1');
  trial('p1');
  for (let i = 0; i < 8; i++) {
    assert.equal(running().length, 1);
    await end(1);
  }
  assert.deepEqual(started, ['a1', 'p1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
});

test('a caller who has used up his gas is told the wait, queries of his that wait with it, and others go on; the wait is enough', async () => {
  const { query, end, started, refused, time } = bench();
  const saved = (QUERY_GAS_PER_SECOND * QUERY_GAS_SAVED_MS) / 1_000;
  for (let gas = 0; gas < saved; gas += QUERY_GAS_MAX) {
    query('loop@x', 'spent');
    await end(QUERY_GAS_MAX);
  }
  const ran = started.length;
  query('loop@x', 'late');
  await settle();
  assert.deepEqual([started.length, refused.at(-1)!.code], [ran, 'RATE_LIMITED']);
  time.advance(refused.at(-1)!.retryAfterMs);
  query('loop@x', 'after the wait');
  query('loop@x', 'behind it');
  query('other@x');
  await end(QUERY_GAS_MAX);
  assert.deepEqual(started.slice(ran), ['after the wait', 'other@x']);
  assert.deepEqual(refused.at(-1), { name: 'behind it', code: 'RATE_LIMITED', retryAfterMs: refused.at(-1)!.retryAfterMs });
  assert.ok(refused.at(-1)!.retryAfterMs >= 100 && refused.at(-1)!.retryAfterMs < 1_000, String(refused.at(-1)!.retryAfterMs));
});

test('thirty callers whose queries loop get the gas a second of the node between them, shared evenly, and no more', async () => {
  const { query, end, started, time, running } = bench();
  const callers = Array.from({ length: 30 }, (_, i) => `caller-${i}@x`);
  const seconds = 20;
  for (let ms = 0; ms < seconds * 1_000; ms += 50) {
    for (const caller of callers) query(caller);
    while (running().length > 0) await end(QUERY_GAS_MAX);
    time.advance(50);
  }
  const saved = (QUERY_GAS_PER_SECOND_ALL * QUERY_GAS_SAVED_MS) / 1_000;
  const most = Math.ceil((QUERY_GAS_PER_SECOND_ALL * seconds + saved) / QUERY_GAS_MAX) + 1;
  assert.ok(started.length <= most && started.length >= most * 0.9, `${started.length} of ${most}`);
  const each = callers.map((caller) => started.filter((name) => name === caller).length);
  assert.ok(Math.max(...each) - Math.min(...each) <= 1, each.join(' '));
});

test('places are bounded per caller and in all, and a full queue still has one for a caller who has none', async () => {
  const { query, refused, end, started } = bench();
  query('first@x', 'running');
  const callers = Array.from({ length: QUERIES_WAITING_MAX / QUERIES_PER_CALLER_MAX }, (_, i) => `c${i}@x`);
  for (const caller of callers) for (let i = 0; i <= QUERIES_PER_CALLER_MAX; i++) query(caller, `${caller} ${i}`);
  await settle();
  assert.deepEqual(
    refused.map(({ name, code }) => [name, code]),
    callers.map((caller) => [`${caller} ${QUERIES_PER_CALLER_MAX}`, 'RATE_LIMITED']),
  );
  query('late@x');
  await settle();
  assert.equal(refused.at(-1)!.name, `c0@x ${QUERIES_PER_CALLER_MAX - 1}`, 'the newest of who has most');
  for (let i = 0; i <= callers.length + 1; i++) await end(1);
  assert.ok(started.includes('late@x'));
});

test('trials that wait are bounded', async () => {
  const { trial, refused } = bench();
  for (let i = 0; i < TRIALS_WAITING_MAX + 2; i++) trial(`p${i}`);
  await settle();
  assert.deepEqual(
    refused.map(({ name, code }) => [name, code]),
    [[`p${TRIALS_WAITING_MAX + 1}`, 'SERVER_BUSY']],
  );
});

test('a query that ends with its thread is charged for its time', async () => {
  const { query, fail, time, refused, started } = bench();
  query('kill@x');
  time.advance(5_000);
  await fail();
  query('kill@x', 'again');
  await settle();
  assert.equal(started.length, 1);
  const owed = 5_000 * GAS_PER_MS - (QUERY_GAS_PER_SECOND * QUERY_GAS_SAVED_MS) / 1_000;
  assert.ok(refused.at(-1)!.retryAfterMs >= owed / (QUERY_GAS_PER_SECOND / 1_000));
});

test('a queue that stops refuses what waits and what comes', async () => {
  const { query, queue, refused } = bench();
  query('a@x', 'running');
  query('a@x', 'waiting');
  queue.stop(new ChainError('SERVER_BUSY', {}));
  query('b@x', 'new');
  await settle();
  assert.deepEqual(refused.map(({ name }) => name).sort(), ['new', 'waiting']);
});

test('while the voting thread is late queries rest after each piece of work, trials do not, and who waits too long is told to come back', async () => {
  const { time, headroom, query, trial, end, running, refused } = bench();
  headroom.part = 1 / 4;
  query('a@x', 'a1');
  query('a@x', 'a2');
  time.advance(100);
  await end(1);
  assert.deepEqual(running(), []);
  trial('p');
  assert.deepEqual(running(), ['p']);
  await end(0);
  time.advance(299);
  assert.deepEqual(running(), []);
  time.advance(1);
  assert.deepEqual(running(), ['a2'], 'three times what the work took');
  query('b@x', 'b1');
  time.advance(QUERY_WAIT_MS_MAX + 1);
  headroom.part = 1;
  await end(1);
  assert.deepEqual([running(), refused.map(({ name, code }) => [name, code])], [[], [['b1', 'RATE_LIMITED']]]);
});

test('a short trial after a long query does not end its rest', async () => {
  const { time, headroom, query, trial, end, running } = bench();
  headroom.part = 1 / 4;
  query('a@x', 'a1');
  time.advance(100);
  await end(1);
  trial('p');
  await end(0);
  query('a@x', 'a2');
  time.advance(299);
  assert.deepEqual(running(), []);
  time.advance(1);
  assert.deepEqual(running(), ['a2']);
});
