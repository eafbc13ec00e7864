/** Many callers of one account at once, who send single records again and again: through the record service into a node whose blocks the test makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CROWD_WAIT_MS_MAX, RETURN_MS_MAX, WAIT_MS_MAX } from '../../../../node/records/coalescing.ts';
import type { SubmitOutcome } from '../../../../node/records/types.ts';
import { names, record, type Rig, rig, sendAgainAtOnce, sendAll, sentProducts } from './record-rig.ts';

const COUNT = 8;

/** So many callers have had their answers together. */
async function crowd(door: Rig): Promise<void> {
  const answers = sendAll(door, names(COUNT));
  await door.settled();
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(answers);
}

test('a crowd goes together: what it sends waits for what is under way, then until all are back or for a few ms', async () => {
  const door = rig();
  await crowd(door);
  const answers = sendAll(door, names(COUNT, 'A'));
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(2), [names(COUNT, 'A')], 'all are back: no time passes');
  answers.push(...sendAll(door, names(2, 'B')));
  await door.turns();
  door.time.advance(2 * WAIT_MS_MAX);
  await door.turns();
  assert.equal(door.sent.length, 3, 'until what is under way is over');
  door.end(door.sent[2]!);
  await Promise.all(answers.slice(0, -2));
  answers.push(...sendAll(door, names(COUNT - 1, 'C')));
  await door.turns();
  assert.equal(door.sent.length, 3, 'one of them is not back');
  answers.push(...sendAll(door, ['last']));
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(3), [[...names(2, 'B'), ...names(COUNT - 1, 'C'), 'last']]);
  door.end(door.sent[3]!);
  await Promise.all(answers);

  const few = sendAll(door, names(2, 'D'));
  await door.turns();
  door.time.advance(RETURN_MS_MAX - 1);
  await door.turns();
  assert.equal(door.sent.length, 4);
  door.time.advance(1);
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(4), [names(2, 'D')], 'the others stay away');
  door.end(door.sent[4]!);
  await Promise.all(few);
});

test('a crowd that comes back one after another goes together when nobody comes any more, or when it has waited long enough', async () => {
  const LATE_MS = RETURN_MS_MAX - 1;
  const MOST = Math.ceil(CROWD_WAIT_MS_MAX / LATE_MS);
  assert.ok(2 * LATE_MS > RETURN_MS_MAX && 2 * LATE_MS + 1 < CROWD_WAIT_MS_MAX && MOST < COUNT - 1);
  const comeBack = async (count: number): Promise<Rig> => {
    const door = rig();
    await crowd(door);
    for (const name of names(count, 'A')) {
      sendAll(door, [name]);
      await door.turns();
      door.time.advance(LATE_MS);
      await door.turns();
    }
    return door;
  };
  const two = await comeBack(2);
  assert.equal(two.sent.length, 2, 'each came soon after the one before');
  two.time.advance(RETURN_MS_MAX - LATE_MS);
  await two.turns();
  assert.deepEqual(sentProducts(two).slice(2), [names(2, 'A')]);
  const most = await comeBack(MOST);
  assert.deepEqual(sentProducts(most).slice(2), [names(MOST, 'A')]);
});

test('nobody of a crowd goes alone because this node took long to answer it: the first who is back waits for the next', async () => {
  const door = rig();
  await crowd(door);
  door.time.advance(CROWD_WAIT_MS_MAX - 1);
  await door.turns();
  const answers = sendAll(door, ['first']);
  await door.turns();
  assert.equal(door.sent.length, 2);
  answers.push(...sendAll(door, names(COUNT - 1, 'A')));
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(2), [['first', ...names(COUNT - 1, 'A')]]);
  door.end(door.sent[2]!);
  await Promise.all(answers);
});

/** Callers in several transactions that are under way. */
async function parted(door: Rig): Promise<Promise<SubmitOutcome>[]> {
  const answers: Promise<SubmitOutcome>[] = [];
  for (const part of names(3)) {
    answers.push(...sendAll(door, names(part === 'P-0' ? 1 : 2, part)));
    await door.settled();
  }
  assert.deepEqual(
    sentProducts(door).map(({ length }) => length),
    [1, 2, 2],
  );
  return answers;
}

test('a crowd whose callers stand in several transactions is one all the same: what it sends next goes together', async () => {
  const door = rig();
  const answers = await parted(door);
  answers.push(...sendAll(door, names(2, 'A')));
  await door.settled();
  assert.equal(door.sent.length, 3, 'it waits for what is under way');
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(answers.slice(0, 5));
  answers.push(...sendAll(door, names(2, 'B')));
  await door.turns();
  assert.equal(door.sent.length, 3, 'and for those who had their answers');
  door.time.advance(RETURN_MS_MAX);
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(3), [[...names(2, 'A'), ...names(2, 'B')]]);
  door.end(door.sent[3]!);
  await Promise.all(answers);
});

test('who is back before the rest of his crowd has had its answers is counted once', async () => {
  const door = rig();
  const answers = await parted(door);
  for (const bytes of door.sent.slice(0, 2)) door.end(bytes);
  await Promise.all(answers.slice(0, 3));
  answers.push(...sendAll(door, names(3, 'A')));
  await door.turns();
  door.end(door.sent[2]!);
  await Promise.all(answers.slice(3, 5));
  answers.push(...sendAll(door, names(2, 'B')));
  await door.turns();
  assert.deepEqual(sentProducts(door).slice(3), [[...names(3, 'A'), ...names(2, 'B')]], 'all are back: no time passes');
  door.end(door.sent[3]!);
  await Promise.all(answers);
});

test('when nobody of a crowd came back a lone record goes at once', async () => {
  const door = rig();
  const answers = await parted(door);
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(answers);
  door.time.advance(CROWD_WAIT_MS_MAX);
  await door.turns();
  await sendAgainAtOnce(door);
});

test('those who do not wait for the block are no crowd', async () => {
  const door = rig();
  for (const name of names(COUNT, 'async')) await door.send([record(name)], { wait: 'async' });
  const waiting = sendAll(door, ['sync']);
  await door.settled();
  assert.deepEqual(sentProducts(door).slice(COUNT), [['sync']]);
  for (const bytes of door.sent) door.end(bytes);
  await Promise.all(waiting);
});

test('a record of a crowd waits for a transaction that does not end no longer than so long', async () => {
  const door = rig();
  await crowd(door);
  const answers = sendAll(door, names(COUNT, 'A'));
  await door.turns();
  answers.push(...sendAll(door, ['late']));
  await door.turns();
  door.time.advance(CROWD_WAIT_MS_MAX - 1);
  await door.turns();
  assert.equal(door.sent.length, 3);
  door.time.advance(1);
  await door.turns();
  assert.deepEqual(sentProducts(door).at(-1), ['late']);
  for (const bytes of door.sent.slice(2)) door.end(bytes);
  await Promise.all(answers);
});
