/** A validator that timed out alone in a higher view: when the others join it, and when not; and what keeps it from going there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../../../consensus/pbft/messages.ts';
import { JOIN_EVERY_BLOCKS } from '../../../../consensus/pbft/recovery.ts';
import { prePrepare, signed, Table } from './table.ts';

/** d says where it stands every 100 ms for `ms`; what b did that matters. */
function stands(b: Table, ms: number, place: { height: number; view: number }): string[] {
  const lines: string[] = [];
  for (let spent = 0; spent < ms; spent += 100) {
    lines.push(...b.tick(100));
    lines.push(...b.hear(signed<Status>({ kind: 'status', ...place, changing: true, node: 'd' })));
  }
  return lines.filter((line) => line.startsWith('broadcast viewChange'));
}

test('a validator level with us that stands alone in a higher view for a time-out is joined there', () => {
  const b = new Table('b');
  assert.deepEqual(stands(b, 900, { height: 0, view: 1 }), []);
  assert.equal(stands(b, 300, { height: 0, view: 1 })[0], 'broadcast viewChange v1 final 0 prepared []');
});

test('one that moves on, comes down, falls behind or names a view out of reach is not', () => {
  const b = new Table('b');
  for (let view = 1; view < 20; view++) assert.deepEqual(stands(b, 500, { height: 0, view }), []);
  for (let i = 0; i < 4; i++) {
    assert.deepEqual(stands(b, 800, { height: 0, view: 1 }), []);
    assert.deepEqual(stands(b, 100, { height: 0, view: 0 }), []);
  }
  assert.deepEqual(stands(b, 5_000, { height: 0, view: 4_000_000_000 }), []);
  for (let height = 1; height <= 5; height++) b.delivered(`X${height}`, height);
  assert.deepEqual(stands(b, 5_000, { height: 0, view: 1 }), []);
  assert.equal(stands(b, 1_200, { height: 1, view: 1 }).length > 0, true);
});

test('nobody is joined twice within so many blocks', () => {
  const b = new Table('b');
  assert.ok(stands(b, 1_200, { height: 0, view: 1 }).length > 0);
  let joined = 0;
  for (let height = 1; height <= 2 * JOIN_EVERY_BLOCKS; height++) {
    const { view } = b.status;
    b.delivered(`X${height}`, height, view); // the view it went to opens
    if (stands(b, 1_500, { height, view: view + 1 }).length > 0) joined++;
  }
  assert.equal(joined, 2);
});

test('a primary that proposes nothing is handed what waits when half of its time is left, once in a view and height', () => {
  const b = new Table('b');
  b.work();
  b.tick(0);
  assert.deepEqual(b.tick(480), []);
  assert.deepEqual(b.tick(40), ['hand over to a']);
  assert.deepEqual(b.tick(400), []);
  b.delivered('X', 1);
  b.tick(0);
  assert.deepEqual(b.tick(480), []);
  assert.deepEqual(b.tick(40), ['hand over to a']);
});

test('nothing is handed over where nothing waits, a proposal is under way, or to oneself', () => {
  const late = (table: Table) => [0, 480, 40, 400].flatMap((ms) => table.tick(ms)).filter((line) => line.startsWith('hand over'));
  assert.deepEqual(late(new Table('b')), []);
  const proposed = new Table('b');
  proposed.work();
  proposed.hear(prePrepare('a', 0, 1, 'X'));
  assert.deepEqual(late(proposed), []);
  const primary = new Table('a');
  primary.work();
  assert.deepEqual(late(primary), []);
});
