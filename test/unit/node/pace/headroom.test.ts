/** What is left for work that can wait, by how late the voting thread comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HEADROOM_LATE_MS,
  HEADROOM_LOOK_MS,
  HEADROOM_PART_MIN,
  HEADROOM_REST_MS_MAX,
  HEADROOM_SAVED_MS,
  HEADROOM_STEP,
  restOf,
  watchHeadroom,
} from '../../../../node/pace/headroom.ts';
import { ManualTime } from '../memory-world.ts';

test('the part falls by half with each look that is late, to its least, and rises by a step with each on time, to all of it', () => {
  const time = new ManualTime();
  let meanMs = 0;
  let windows = 0;
  const meter = { read: () => ({ meanMs, p99Ms: 0, maxMs: 0 }), reset: () => void windows++, stop: () => undefined };
  const headroom = watchHeadroom(meter, { clock: time, timers: time });
  time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, 1);
  meanMs = HEADROOM_LATE_MS + 0.1;
  time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, 1 / 2);
  time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, 1 / 4);
  for (let i = 0; i < 10; i++) time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, HEADROOM_PART_MIN);
  meanMs = HEADROOM_LATE_MS;
  time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, HEADROOM_PART_MIN + HEADROOM_STEP);
  for (let i = 0; i < 1 / HEADROOM_STEP; i++) time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, 1);
  assert.equal(windows, 14 + 1 / HEADROOM_STEP - 0, 'each look has a window of its own');
  headroom.stop();
  meanMs = 100;
  time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.part, 1);
});

test('rest is in proportion to the work, and bounded', () => {
  for (const [part, workMs, rest] of [
    [1, 100, 0],
    [1 / 2, 100, 100],
    [1 / 4, 10, 30],
    [HEADROOM_PART_MIN, 1_000, HEADROOM_REST_MS_MAX],
  ] as const)
    assert.equal(restOf(part, workMs), rest);
});

test('what is saved up rests for nothing, and comes back at the least part; work beyond it rests', () => {
  const time = new ManualTime();
  let meanMs = HEADROOM_LATE_MS + 1;
  const meter = { read: () => ({ meanMs, p99Ms: 0, maxMs: 0 }), reset: () => undefined, stop: () => undefined };
  const headroom = watchHeadroom(meter, { clock: time, timers: time });
  assert.equal(headroom.restMs(10 * HEADROOM_SAVED_MS), 0, 'on time: nothing is charged');
  for (let i = 0; i < 10; i++) time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.restMs(HEADROOM_SAVED_MS / 2), 0);
  assert.equal(headroom.restMs(HEADROOM_SAVED_MS / 2 + 20), restOf(HEADROOM_PART_MIN, 20));
  assert.equal(headroom.restMs(1), restOf(HEADROOM_PART_MIN, 1));
  time.advance(30 / HEADROOM_PART_MIN);
  assert.equal(headroom.restMs(30), 0);
  assert.equal(headroom.restMs(1), restOf(HEADROOM_PART_MIN, 1));
  meanMs = 0;
  time.advance(HEADROOM_LOOK_MS);
  assert.equal(headroom.restMs(10), restOf(HEADROOM_PART_MIN + HEADROOM_STEP, 10 - HEADROOM_LOOK_MS * HEADROOM_PART_MIN));
  headroom.stop();
});
