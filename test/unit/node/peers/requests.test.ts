import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError, type ErrorCode } from '../../../../node/errors/index.ts';
import { utf8 } from '../../../../node/format/index.ts';
import {
  ANSWER_BLOCKS_MAX,
  ANSWER_BYTES_MAX,
  decodeBulkMessage,
  encodeBulkMessage,
  type Question,
} from '../../../../node/peers/messages.ts';
import { serveBlocks } from '../../../../node/peers/block-server.ts';
import { REQUESTS_PER_PEER_MAX, Requests, SERVED_BURST, SERVED_WAITING_MAX, UNREAD_BYTES_MAX } from '../../../../node/peers/requests.ts';
import { Chain, createHub, type MemoryNetwork, until, world } from './stand-in.ts';

function two(timeoutMs = 10_000, of: typeof world = world): { asker: Requests; a: MemoryNetwork; server: Requests; b: MemoryNetwork } {
  const hub = createHub();
  const [a, b] = [hub.join('a'), hub.join('b')];
  return { asker: new Requests({ network: a, world: of, timeoutMs }), a, server: new Requests({ network: b, world: of, timeoutMs }), b };
}
const withCode = (code: ErrorCode) => (error: unknown) => error instanceof ChainError && error.code === code;
const hash = (n: number) => new Uint8Array(32).fill(n);

test('a question is answered by its own answer, many at a time', async () => {
  const { asker, server } = two();
  server.serve('getTransactions', async (from, question) => {
    assert.equal(from, 'a');
    if (question.kind !== 'getTransactions') throw new Error('kind');
    return { kind: 'transactionsAnswer', transactions: question.hashes.map((h) => h.slice(0, 3)) };
  });
  const answers = await Promise.all(
    Array.from({ length: REQUESTS_PER_PEER_MAX }, (_, n) => asker.getTransactions('b', [hash(n), hash(n + 1)])),
  );
  for (const [n, answer] of answers.entries()) assert.deepEqual(answer, [hash(n).slice(0, 3), hash(n + 1).slice(0, 3)]);
  assert.equal(asker.inFlight('b'), 0);
});

test('blocks and headers are served from a height up, within the bounds', async () => {
  const { asker, server } = two();
  const chain = Chain.of(300, 100);
  serveBlocks(server, chain);
  const blocks = await asker.getBlocks('b', 5, 3, 1_000_000);
  assert.deepEqual(
    blocks,
    [5, 6, 7].map((h) => ({ block: chain.blockBytes(h), finality: chain.finality(h) })),
  );
  assert.equal((await asker.getBlocks('b', 1, 1000, 100_000_000)).length, ANSWER_BLOCKS_MAX);
  assert.equal((await asker.getBlocks('b', 299, 10, 1_000_000)).length, 2);
  assert.equal((await asker.getBlocks('b', 301, 10, 1_000_000)).length, 0);
  assert.equal((await asker.getBlocks('b', 1, 10, 1)).length, 1, 'one block is sent even if it is larger');
  const headers = await asker.getHeaders('b', 1, 4);
  assert.equal(headers.length, 4);
  assert.deepEqual(headers[0]!.finality, chain.finality(1));
});

test('silence, a peer that is not there, a refusal and a departure each have their code', async () => {
  const { asker, server, b } = two(300);
  await assert.rejects(asker.getHeaders('nobody', 1, 1), withCode('PEER_UNREACHABLE'));
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_DECLINED'));
  server.serve('getHeaders', () => {
    throw new ChainError('STORE_DAMAGED');
  });
  await assert.rejects(
    asker.getHeaders('b', 1, 1),
    (error) => withCode('PEER_DECLINED')(error) && (error as ChainError).data.code === 'STORE_DAMAGED',
  );
  b.hears = false;
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_TIMEOUT'));
  const waiting = asker.getHeaders('b', 1, 1);
  b.leave();
  await assert.rejects(waiting, withCode('PEER_UNREACHABLE'));
  assert.equal(asker.inFlight('b'), 0);
});

test('no more than the bound is in flight to one peer', async () => {
  const { asker, b } = two(300);
  b.hears = false;
  const waiting = Array.from({ length: REQUESTS_PER_PEER_MAX }, () => asker.getHeaders('b', 1, 1));
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_UNREACHABLE'));
  for (const result of await Promise.allSettled(waiting)) assert.equal(result.status, 'rejected');
  b.hears = true;
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_DECLINED'), 'room again');
});

test('stopping ends what waits', async () => {
  const { asker, b } = two();
  b.hears = false;
  const waiting = asker.getHeaders('b', 1, 1);
  asker.stop();
  await assert.rejects(waiting, withCode('NODE_STOPPING'));
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('NODE_STOPPING'));
});

test('bytes that are no message, and answers nobody asked for, are reported', async () => {
  const { a, b } = two();
  for (const bytes of [utf8('garbage'), Uint8Array.of(99), Uint8Array.of(2, 1)]) b.send('a', 'bulk', bytes);
  b.send('a', 'bulk', encodeBulkMessage({ kind: 'headersAnswer', id: 77, headers: [] }));
  b.send('a', 'votes', utf8('not for this layer'));
  await until('four reports', () => a.reports.length === 4);
  assert.deepEqual(
    a.reports.map((r) => r.code),
    [...Array<string>(3).fill('PEER_MESSAGE_MALFORMED'), 'PEER_ANSWER_UNASKED'],
  );
});

test('an answer that comes too late is not held against the peer', async () => {
  const { asker, server, a } = two(300);
  server.serve('getHeaders', async () => {
    await new Promise((resolve) => setTimeout(resolve, 450));
    return { kind: 'headersAnswer', headers: [] };
  });
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_TIMEOUT'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(a.reports, []);
});

test('a late answer excuses nobody else: not who answers in its place, and not more than once', async () => {
  const hub = createHub();
  const [a, b, c] = [hub.join('a'), hub.join('b'), hub.join('c')];
  const asker = new Requests({ network: a, world, timeoutMs: 100 });
  let id: number | undefined;
  b.onFrame((_from, _channel, frame) => {
    const question = decodeBulkMessage(frame);
    if ('id' in question) id = question.id;
  });
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_TIMEOUT'));
  const answer = encodeBulkMessage({ kind: 'headersAnswer', id: id!, headers: [] });
  c.send('a', 'bulk', answer);
  await until('the stranger is reported', () => a.reports.length === 1);
  b.send('a', 'bulk', answer);
  b.send('a', 'bulk', answer);
  await until('the repetition is reported', () => a.reports.length === 2);
  assert.deepEqual(
    a.reports.map(({ node, code }) => `${node} ${code}`),
    ['c PEER_ANSWER_UNASKED', 'b PEER_ANSWER_UNASKED'],
  );
});

test('a peer that loses one of its two connections may still answer on the other, and a new connection is no new budget', async () => {
  const { asker, server, a, b } = two();
  let answer: () => void = () => {};
  server.serve('getHeaders', async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return { kind: 'headersAnswer', headers: [] };
  });
  const waiting = asker.getHeaders('b', 1, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  b.loses('votes');
  await assert.rejects(waiting, withCode('PEER_UNREACHABLE'));
  answer();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(a.reports, []);

  server.serve('getHeaders', () => ({ kind: 'headersAnswer', headers: [] }));
  let answered = 0;
  for (let n = 0; n < SERVED_BURST * 2; n++) {
    a.loses('votes');
    await asker.getHeaders('b', 1, 1).then(
      () => answered++,
      () => undefined,
    );
  }
  assert.ok(answered < SERVED_BURST * 1.5, `${answered} answered`);
});

test('what a peer asked over a connection that has ended is not answered over the next', async () => {
  const { asker, server, a } = two();
  const answers: (() => void)[] = [];
  server.serve('getHeaders', async () => {
    await new Promise<void>((resolve) => void answers.push(resolve));
    return { kind: 'headersAnswer', headers: [] };
  });
  const lost = [asker.getHeaders('b', 1, 1), asker.getHeaders('b', 1, 1)];
  await until('the first is being answered', () => answers.length === 1);
  let heard = 0;
  a.onFrame(() => void heard++);
  a.loses('bulk'); // as b hears it when a starts anew
  const next = asker.getHeaders('b', 1, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  answers.shift()!();
  await until('the next one is being answered', () => answers.length === 1);
  assert.equal(heard, 0);
  answers.shift()!();
  assert.deepEqual(await next, []);
  assert.deepEqual([heard, answers.length], [1, 0]);
  asker.stop();
  await Promise.allSettled(lost);
});

test('an answer to a question of the process before is no answer to one of this', async () => {
  const ids = new Set<number>();
  for (let process = 0; process < 3; process++) {
    const { asker, b } = two();
    b.onFrame((_from, _channel, frame) => {
      const question = decodeBulkMessage(frame);
      if ('id' in question) ids.add(question.id);
    });
    await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_DECLINED'));
    assert.equal(ids.size, process + 1);
  }
});

test('an answer of the wrong kind is refused and reported', async () => {
  const { asker, server, a } = two();
  server.serve('getHeaders', () => ({ kind: 'transactionsAnswer', transactions: [] }));
  await assert.rejects(asker.getHeaders('b', 1, 1), withCode('PEER_MESSAGE_MALFORMED'));
  assert.deepEqual(a.reports, [{ node: 'b', code: 'PEER_MESSAGE_MALFORMED' }]);
});

test('a peer that asks without pause is told to wait', async () => {
  const { asker, server } = two();
  server.serve('getHeaders', () => ({ kind: 'headersAnswer', headers: [] }));
  let refused: unknown;
  for (let n = 0; n < SERVED_BURST * 3 && refused === undefined; n++) await asker.getHeaders('b', 1, 1).catch((error) => (refused = error));
  assert.ok(withCode('PEER_DECLINED')(refused) && (refused as ChainError).data.code === 'PEER_RATE_EXCEEDED');
});

test('a question for many things takes more of the budget than one for few', async () => {
  for (const [question, most] of [
    [{ kind: 'getHeaders', fromHeight: 1, count: 4_000_000_000 }, 30],
    [{ kind: 'getBlocks', fromHeight: 1, count: 256, bytesMax: 1 }, 30],
    [{ kind: 'getTransactions', hashes: Array.from({ length: 10_000 }, () => hash(1)) }, 10],
  ] as const) {
    const stopped = { ...world, clock: { now: () => 0, monotonic: () => 0 } }; // a busy machine refills no budget meanwhile
    const { server, a, b } = two(10_000, stopped);
    let served = 0;
    server.serve(question.kind, () => {
      served++;
      return { kind: 'declined', code: 'PEER_DECLINED' };
    });
    let answers = 0;
    a.onFrame(() => void answers++);
    for (let id = 1; id <= 60; id++) {
      a.send(b.self, 'bulk', encodeBulkMessage({ ...question, id } as Question));
      await until('an answer', () => answers === id);
    }
    assert.ok(served <= most, `${question.kind}: ${served} served`);
  }
});

test('a peer that does not take its answers is given no more of them, and may ask again when it has', async () => {
  const { asker, server, b } = two();
  server.serve('getHeaders', () => ({ kind: 'headersAnswer', headers: [] }));
  let unread = UNREAD_BYTES_MAX + 1;
  b.queuedBytes = () => unread;
  const refused = await asker.getHeaders('b', 1, 1).catch((error: unknown) => error);
  assert.ok(withCode('PEER_DECLINED')(refused) && (refused as ChainError).data.code === 'PEER_RATE_EXCEEDED');
  unread = 0;
  assert.deepEqual(await asker.getHeaders('b', 1, 1), []);
});

test('an answer longer than its bound is refused and reported, unless it is one thing that is as long as it is', async () => {
  const { asker, server, a } = two();
  const long = (count: number) => Array.from({ length: count }, () => ({ block: new Uint8Array(ANSWER_BYTES_MAX), finality: undefined }));
  server.serve('getBlocks', (_from, question) => ({
    kind: 'blocksAnswer',
    blocks:
      question.kind === 'getBlocks' && question.count === 1
        ? [{ block: new Uint8Array(2 * ANSWER_BYTES_MAX), finality: undefined }]
        : long(2),
  }));
  assert.equal((await asker.getBlocks('b', 1, 1, 1)).length, 1);
  assert.deepEqual(a.reports, []);
  await assert.rejects(asker.getBlocks('b', 1, 2, 1), withCode('PEER_MESSAGE_MALFORMED'));
  assert.deepEqual(a.reports, [{ node: 'b', code: 'PEER_MESSAGE_MALFORMED' }]);
});

test('transactions are spread in order, in frames of bounded size, and status reaches the peer', async () => {
  const { asker, server } = two();
  const seen: Uint8Array[] = [];
  let frames = 0;
  server.onTransactions((from, transactions) => {
    assert.equal(from, 'a');
    frames++;
    seen.push(...transactions);
  });
  const sent = Array.from({ length: 30 }, (_, n) => new Uint8Array(100_000).fill(n));
  asker.spreadTransactions(sent);
  asker.spreadTransactions([]);
  const statuses: unknown[] = [];
  server.onStatus((from, status) => statuses.push([from, status.height, status.hash]));
  asker.sendStatus({ height: 9, hash: hash(1) }, 'b');
  await until('all', () => seen.length === 30 && statuses.length === 1);
  assert.deepEqual(seen, sent);
  assert.equal(frames, 3);
  assert.deepEqual(statuses, [['a', 9, hash(1)]]);
});

test('questions that pile up are declined past a bound, and large answers of transactions are cut', async () => {
  const { server, a, b } = two();
  let running = 0;
  let most = 0;
  server.serve('getHeaders', async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 30));
    running--;
    return { kind: 'headersAnswer', headers: [] };
  });
  const declined: Uint8Array[] = [];
  a.onFrame((_, __, frame) => frame[0] === 9 && declined.push(frame));
  for (let id = 1000; id < 1000 + 2 * SERVED_WAITING_MAX; id++)
    a.send('b', 'bulk', encodeBulkMessage({ kind: 'getHeaders', id, fromHeight: 1, count: 1 }));
  await until('declined', () => declined.length === SERVED_WAITING_MAX);
  assert.equal(most, 1, 'one at a time');
  server.stop();
  b.leave();

  const other = two();
  other.server.serve('getTransactions', () => ({
    kind: 'transactionsAnswer',
    transactions: Array.from({ length: 5 }, () => new Uint8Array(1_500_000)),
  }));
  assert.equal((await other.asker.getTransactions('b', [hash(1)])).length, 2);
});
