/** What is left for work that can wait, by how late the voting thread comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HEADROOM_LATE_MS,
  HEADROOM_LOOK_MS,
  HEADROOM_PART_MIN,
  HEADROOM_REST_MS_MAX,
  HEADROOM_STEP,
  restMs,
  watchHeadroom,
} from '../../../../node/pace/headroom.ts';
import { ManualTime } from '../memory-world.ts';

test('the part falls by half with each look that is late, to its least, and rises by a step with each on time, to all of it', () => {
  const time = new ManualTime();
  let meanMs = 0;
  let windows = 0;
  const meter = { read: () => ({ meanMs, p99Ms: 0, maxMs: 0 }), reset: () => void windows++, stop: () => undefined };
  const headroom = watchHeadroom(meter, time);
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
    assert.equal(restMs({ part }, workMs), rest);
});
