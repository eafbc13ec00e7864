/** Both sides of a visit on streams that the test holds. Over real connections: visits.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Stream } from '@libp2p/interface';
import { ChainError } from '../../../../node/errors/index.ts';
import { concat, utf8 } from '../../../../node/format/index.ts';
import { frameHeader } from '../../../../node/network/frames.ts';
import {
  askOnce,
  VISIT_ANSWER_BYTES_MAX,
  VISIT_QUESTION_BYTES_MAX,
  VISIT_TIMEOUT_MS,
  VisitDesk,
  type VisitHandler,
  VISITS_AT_ONCE_MAX,
  VISITS_BURST,
  VISITS_PER_SECOND,
} from '../../../../node/network/visits.ts';
import { framed, TestStream } from './test-stream.ts';

const QUESTION = utf8('headers from 3');
const ANSWER = utf8('headers');
const VISITORS = new Map(['k1', 'k2', 'k3', 'k4', 'k5'].map((key) => [key, `node of ${key}`]));

/** A clock that the test moves, and timers by it; `waiting` are those that are neither due nor cancelled. */
function createTime() {
  let nowMs = 0;
  const waiting = new Map<() => void, number>();
  const clock = { now: () => nowMs, monotonic: () => nowMs };
  const timers = {
    after(ms: number, run: () => void): () => void {
      waiting.set(run, nowMs + ms);
      return () => void waiting.delete(run);
    },
    every: () => () => undefined,
  };
  const advance = (ms: number): void => {
    nowMs += ms;
    for (const [run, atMs] of waiting) if (atMs <= nowMs && waiting.delete(run)) run();
  };
  return { clock, timers, advance, waiting };
}

function createDesk(handler: VisitHandler = async () => ANSWER) {
  const time = createTime();
  const desk = new VisitDesk(time);
  desk.admit(VISITORS);
  desk.handle(handler);
  /** A visit by `key` that sends `parts`; `verdict` is what has become of it. */
  const visit = (key: string, ...parts: Uint8Array[]) => {
    const stream = new TestStream();
    const ended: string[] = [];
    const done = desk.serve(key, stream as unknown as Stream, (reason) => void ended.push(reason));
    for (const part of parts) stream.hear(part);
    const verdict = async (): Promise<string> => {
      await nextTurn();
      if (ended.length > 0) return ended.join();
      return stream.isClosed ? new TextDecoder().decode(concat(...stream.sent).subarray(4)) : 'under way';
    };
    return { stream, done, verdict };
  };
  return { ...time, desk, visit };
}

test('a visitor that the chain names gets one answer, under the name that its key has, and then the stream is closed', async () => {
  const asked: string[] = [];
  const { visit, desk, waiting } = createDesk(async (from, question) => {
    asked.push(`${from}: ${new TextDecoder().decode(question)}`);
    return ANSWER;
  });
  const whole = framed(QUESTION);
  assert.equal(await visit('k1', whole.slice(0, 3), whole.slice(3, 9), whole.slice(9)).verdict(), 'headers');
  assert.equal(await visit('k1', concat(whole, whole)).verdict(), 'headers');
  assert.equal(await visit('nobody', whole).verdict(), 'PEER_DECLINED');
  assert.deepEqual(asked, ['node of k1: headers from 3', 'node of k1: headers from 3']);
  assert.equal(waiting.size, 0);
  desk.admit(new Map([['k2', 'node of k2']]));
  assert.equal(await visit('k1', whole).verdict(), 'PEER_DECLINED', 'it is a visitor no longer');
  assert.equal(await visit('k2', whole).verdict(), 'headers');
  const dumb = new VisitDesk(createTime());
  dumb.admit(VISITORS);
  const reasons: string[] = [];
  await dumb.serve('k1', new TestStream() as unknown as Stream, (reason) => void reasons.push(reason));
  assert.deepEqual(reasons, ['PEER_DECLINED'], 'nobody is there who answers');
});

test('what is no question in time ends unanswered', async () => {
  const { visit, advance } = createDesk();
  for (const parts of [[frameHeader(VISIT_QUESTION_BYTES_MAX + 1)], [frameHeader(0)]])
    assert.equal(await visit('k1', ...parts).verdict(), 'PEER_DECLINED');
  assert.equal(await visit('k1', framed(new Uint8Array(VISIT_QUESTION_BYTES_MAX))).verdict(), 'headers');
  for (const end of ['close', 'remoteCloseWrite'] as const) {
    const half = visit('k1', framed(QUESTION).slice(0, 8));
    half.stream.tell(end);
    assert.equal(await half.verdict(), 'PEER_DECLINED', end);
  }
  const slow = visit('k1');
  advance(VISIT_TIMEOUT_MS - 1);
  assert.equal(await slow.verdict(), 'under way');
  advance(1);
  assert.equal(await slow.verdict(), 'PEER_DECLINED');
});

test('a question that has no answer, or too long a one, ends unanswered', async () => {
  const answers: (() => Promise<Uint8Array | undefined>)[] = [
    async () => undefined,
    async () => new Uint8Array(VISIT_ANSWER_BYTES_MAX + 1),
    async () => {
      throw new Error('no store');
    },
  ];
  for (const answer of answers) {
    const { visit } = createDesk(answer);
    assert.equal(await visit('k1', framed(QUESTION)).verdict(), 'PEER_DECLINED');
    assert.equal(await visit('k1', framed(QUESTION)).verdict(), 'PEER_DECLINED', 'its place is free again');
  }
  const { visit } = createDesk(async () => new Uint8Array(VISIT_ANSWER_BYTES_MAX).fill(65));
  assert.equal((await visit('k1', framed(QUESTION)).verdict()).length, VISIT_ANSWER_BYTES_MAX);
});

test('a visitor is answered one question at a time, and all of them so many', async () => {
  const { visit } = createDesk();
  const keys = [...VISITORS.keys()];
  const open = [visit(keys[0]!)];
  assert.equal(await visit(keys[0]!, framed(QUESTION)).verdict(), 'PEER_DECLINED');
  for (const key of keys.slice(1, VISITS_AT_ONCE_MAX)) open.push(visit(key));
  assert.equal(await visit(keys[VISITS_AT_ONCE_MAX]!, framed(QUESTION)).verdict(), 'PEER_DECLINED');
  for (const { stream, verdict } of open) {
    stream.hear(framed(QUESTION));
    assert.equal(await verdict(), 'headers');
  }
  assert.equal(await visit(keys[0]!, framed(QUESTION)).verdict(), 'headers');
  assert.equal(await visit(keys[VISITS_AT_ONCE_MAX]!, framed(QUESTION)).verdict(), 'headers');
});

test('a visitor may connect and ask only so often, on however few connections, and another one is not held up by it', async () => {
  const { visit, desk, advance } = createDesk();
  const ask = async (key: string): Promise<boolean> => (await visit(key, framed(QUESTION)).verdict()) === 'headers';
  const connect = async (key: string): Promise<boolean> => desk.mayConnect(key);
  for (const attempt of [ask, connect]) {
    for (let i = 0; i < VISITS_BURST; i++) assert.ok(await attempt('k1'));
    assert.ok(!(await attempt('k1')));
    assert.ok(await attempt('k2'));
    advance(1_000);
    for (let i = 0; i < VISITS_PER_SECOND; i++) assert.ok(await attempt('k1'));
    assert.ok(!(await attempt('k1')));
  }
  assert.equal(desk.mayConnect('nobody'), false);
});

test('who asks has the answer, or PEER_UNREACHABLE when none comes whole, in time and within its bound', async () => {
  const unreachable = (error: unknown): boolean => error instanceof ChainError && error.code === 'PEER_UNREACHABLE';
  const begin = () => {
    const time = createTime();
    const stream = new TestStream();
    const answer = askOnce(stream as unknown as Stream, QUESTION, time.timers);
    assert.deepEqual(concat(...stream.sent), framed(QUESTION));
    return { ...time, stream, answer };
  };
  const whole = begin();
  whole.stream.hear(framed(ANSWER).slice(0, 5), framed(ANSWER).slice(5));
  assert.deepEqual(await whole.answer, ANSWER);
  assert.equal(whole.waiting.size, 0);
  for (const fail of [
    ({ stream }) => stream.hear(frameHeader(VISIT_ANSWER_BYTES_MAX + 1)),
    ({ stream }) => {
      stream.hear(framed(ANSWER).slice(0, 8));
      stream.tell('close');
    },
    ({ stream }) => stream.tell('remoteCloseWrite'),
    ({ advance }) => advance(VISIT_TIMEOUT_MS),
  ] satisfies ((begun: ReturnType<typeof begin>) => void)[]) {
    const begun = begin();
    fail(begun);
    await assert.rejects(begun.answer, unreachable);
  }
});
