/** The thread for bodies itself, under hostile bodies of each format: what it does to the thread that votes, and to the bodies behind. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { after, test } from 'node:test';
import { production } from '../../../../contracts/index.ts';
import { type Bodies, createBodies, SMALL_BODY_BYTES_MAX } from '../../../../node/records/bodies.ts';
import { BODY_LIMITS } from '../../../../node/records/body-thread.ts';
import { type BodyTask, readBody } from '../../../../node/records/body-work.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { utf8 } from '../../../../node/format/index.ts';
import { nextTurn } from '../../../../node/pace/index.ts';
import { realTimers } from '../../../../node/real/world.ts';
import type { BodyFormat } from '../../../../node/records/formats/index.ts';
import { annexRecord, crypto } from './sample.ts';
import { createTestWorld } from '../../api/stand-in-world.ts';

const HOLD_MS_MAX = 20; // the rule of the node
const TRIES_MAX = 3;
/** So long the main thread is held while a body is read, ms: many times what its reading takes. */
const HELD_MS = 500;
const world = { ...createTestWorld(), crypto };
const sealingKey = new Uint8Array(32).fill(3);
const rowsTask: BodyTask = { want: 'rows', definition: production, org: 'alpha', sealingKey, source: {}, statedDigest: undefined };

const opened: Bodies[] = [];
function open(limits = BODY_LIMITS): Bodies {
  const bodies = createBodies({ world }, limits);
  opened.push(bodies);
  return bodies;
}
after(async () => {
  for (const bodies of opened) await bodies.stop();
});

const bodyOf = (format: BodyFormat, text: string) => ({ format, bytes: utf8(text) });
const many = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => annexRecord({ product_uid: `SN-${i}` })));

/** Time of the main thread, ms: on Linux what it had of a processor, so that other work of the machine is not counted. */
function threadMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** The longest that a timer of a millisecond had to wait while `work` went on, ms of the thread's time. */
async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = threadMs();
  const tick = setInterval(() => {
    const now = threadMs();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  await work();
  await new Promise((resolve) => setTimeout(resolve, 2)); // what the end of the work held is seen too
  clearInterval(tick);
  return longest;
}

function codeOf(error: unknown): string {
  return error instanceof ChainError ? error.code : String(error);
}

const hostile: Readonly<Record<string, readonly [BodyFormat, () => string]>> = {
  'an object of many names': ['json', () => `{${Array.from({ length: 40_000 }, (_, i) => `"n${i}":"1"`).join(',')}}`],
  'a list in a list': ['json', () => `{"a":[${'[],'.repeat(200_000)}"1"]}`],
  'a text of escapes': ['json', () => `{"a":"${'\\n'.repeat(1_000_000)}"}`],
  'many records': ['json', () => many(1_500)],
  'long names at fault': ['json', () => `{${Array.from({ length: 200 }, (_, i) => `"${'x'.repeat(50_000)}${i}":null`).join(',')}}`],
  'a cell of quotes': ['csv', () => `a\n"${'""'.repeat(1_000_000)}"\n`],
  'wide rows': ['csv', () => `${Array.from({ length: 2_000 }, (_, i) => `c${i}`).join(',')}\n${`${'1,'.repeat(1_999)}1\n`.repeat(60)}`],
  'many elements': ['xml', () => `<record>${Array.from({ length: 30_000 }, (_, i) => `<a${i}/>`).join('')}</record>`],
  'a text of entities': ['xml', () => `<record><a>${'&lt;'.repeat(250_000)}</a></record>`],
};

test('no body holds the main thread past 20 ms, and each is answered as if it had been read there', { timeout: 300_000 }, async () => {
  const bodies = open({ ...BODY_LIMITS, workMs: 60_000 }); // on a busy machine
  await bodies.read('warm', bodyOf('json', many(100)), rowsTask);
  for (const [name, [format, make]] of Object.entries(hostile)) {
    const text = make();
    assert.ok(text.length > SMALL_BODY_BYTES_MAX);
    let least = Number.POSITIVE_INFINITY;
    let read: Awaited<ReturnType<Bodies['read']>> | string = '';
    for (let tries = 0; tries < TRIES_MAX && least > HOLD_MS_MAX; tries++) {
      const body = bodyOf(format, text);
      const held = await longestHold(async () => {
        read = await bodies.read('a', body, rowsTask).catch(codeOf);
      });
      least = Math.min(least, held);
      assert.equal(body.bytes.length, utf8(text).length, 'the bytes came back');
    }
    assert.ok(least <= HOLD_MS_MAX, `${name}: ${least} ms`);
    const steps = readBody(crypto, utf8(text), format, rowsTask);
    let here = '';
    try {
      let step = steps.next();
      while (step.done !== true) step = steps.next();
      here = summary(step.value);
    } catch (error) {
      here = codeOf(error);
    }
    assert.equal(typeof read === 'string' ? read : summary(read), here, name);
  }
  assert.equal(bodies.stats().ended, 0);
  assert.ok(bodies.stats().workSeconds > 0);
});

test('the thread rests for what a body took of the processor, and not for the time until its answer is met', {
  skip: platform() !== 'linux',
}, async () => {
  const told: number[] = [];
  const headroom = {
    part: 1,
    restMs(workMs: number) {
      told.push(workMs);
      return 0;
    },
  };
  const bodies = createBodies({ world, headroom });
  opened.push(bodies);
  const read = () => bodies.read('a', bodyOf('json', many(60)), rowsTask);
  await read(); // the thread is up
  const reading = read();
  await new Promise((sent) => setImmediate(sent));
  for (const untilMs = performance.now() + HELD_MS; performance.now() < untilMs; );
  await reading;
  await nextTurn(realTimers); // the queue goes on
  assert.equal(told.length, 2);
  assert.ok(
    told.every((ms) => ms > 0 && ms < HELD_MS),
    `${told}`,
  );
  assert.ok(Math.abs(told[0]! + told[1]! - bodies.stats().workSeconds * 1_000) < 0.001);
});

/** What reading gave, as text: rows with their places, faults, numbers. */
function summary({ token, prepared, columns }: Awaited<ReturnType<Bodies['read']>>): string {
  const { rows = [], ...rest } = prepared ?? {};
  const told = rows.map(({ record, prepared: row, facts, locate }) => [
    record,
    row,
    { ...facts, timeUs: `${facts.timeUs}` },
    locate(['a', 1], ''),
  ]);
  return JSON.stringify([token, rest, told, [...(columns ?? [])]]);
}

test('a body that takes too much memory or time is refused by a code, and the ones behind it are read', { timeout: 300_000 }, async () => {
  for (const [limits, body] of [
    [{ ...BODY_LIMITS, heapMb: 64 }, bodyOf('json', `{"a":[${'["1"],'.repeat(700_000)}"1"]}`)],
    [{ ...BODY_LIMITS, workMs: 1_500 }, bodyOf('json', `{${Array.from({ length: 900_000 }, (_, i) => `"n${i}":1`).join(',')}}`)],
  ] as const) {
    const bodies = open(limits);
    await bodies.read('warm', bodyOf('json', many(60)), rowsTask);
    const ends: unknown[] = await Promise.all([
      bodies.read('a', body, rowsTask).then(() => 'read', codeOf),
      bodies.read('a', bodyOf('json', many(60)), rowsTask).then(({ prepared }) => prepared!.rows.length, codeOf),
      bodies.read('b', bodyOf('json', many(61)), rowsTask).then(({ prepared }) => prepared!.rows.length, codeOf),
    ]);
    assert.deepEqual(ends, ['BODY_TOO_COSTLY', 60, 61]);
    assert.equal(bodies.stats().ended, 1);
  }
});

test('a stopped thread refuses what waits and what comes', { timeout: 300_000 }, async () => {
  const bodies = open();
  const waiting = ['a', 'b'].map((caller) => bodies.read(caller, bodyOf('json', many(60)), rowsTask).then(() => 'read', codeOf));
  await bodies.stop();
  assert.deepEqual(await Promise.all(waiting), ['SERVER_BUSY', 'SERVER_BUSY']);
  assert.equal(await bodies.read('a', bodyOf('json', many(60)), rowsTask).then(() => 'read', codeOf), 'SERVER_BUSY');
});

test('a body whose caller has gone while it waited is not read', { timeout: 30_000 }, async () => {
  const bodies = open();
  const caller = new AbortController();
  const ends = Promise.all([
    bodies.read('a', bodyOf('json', many(60)), rowsTask).then(({ prepared }) => prepared!.rows.length, codeOf),
    bodies.read('b', { ...bodyOf('json', many(60)), gone: () => caller.signal }, rowsTask).then(() => 'read', codeOf),
  ]);
  assert.equal(bodies.stats().waiting, 1);
  caller.abort();
  assert.equal(bodies.stats().waiting, 0);
  assert.deepEqual(await ends, [60, 'SERVER_BUSY']);
});
