import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLoopMeter, LOOP_HELD_MS_MAX, LOOP_WINDOW_MS, watchLoop } from '../../../../node/real/loop-delay.ts';
import { ManualTime } from '../memory-world.ts';

test('the meter sees how long the loop was held', async () => {
  const meter = createLoopMeter();
  try {
    await sleep(50);
    const heldMs = 150;
    const end = performance.now() + heldMs;
    while (performance.now() < end);
    await sleep(50);
    const { maxMs, meanMs, p99Ms } = meter.read();
    assert.ok(maxMs >= heldMs - 20, `${maxMs} ms`); // a busy machine makes it more, never less
    assert.ok(meanMs <= maxMs && p99Ms <= maxMs * 1.01); // the histogram keeps three digits
  } finally {
    meter.stop();
  }
});

test('a loop held past the bound is told once, and that it is over after a whole window without, the first one too', () => {
  const time = new ManualTime();
  let maxMs = 0;
  const told: string[] = [];
  const meter = {
    read: () => ({ meanMs: 0, p99Ms: 0, maxMs }),
    reset() {
      maxMs = 0;
    },
    stop: () => void told.push('stopped'),
  };
  const watch = watchLoop({
    meter,
    timers: time,
    onHeld: (heldMs) => void told.push(`held ${heldMs}`),
    onCalm: () => void told.push('calm'),
  });
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 1_000) time.advance(1_000);
  };
  maxMs = LOOP_HELD_MS_MAX;
  pass(2 * LOOP_WINDOW_MS);
  assert.deepEqual(told.splice(0), ['calm'], 'what was said before the start is over');
  maxMs = LOOP_HELD_MS_MAX + 1;
  pass(2_000);
  assert.deepEqual(told, [`held ${LOOP_HELD_MS_MAX + 1}`]);
  maxMs = 3_000;
  pass(LOOP_WINDOW_MS - 2_000);
  pass(LOOP_WINDOW_MS - 1_000);
  assert.equal(told.length, 1, 'not before the window is over');
  pass(1_000);
  assert.deepEqual(told.slice(1), ['calm']);
  maxMs = 900;
  pass(1_000);
  assert.deepEqual(told.slice(2), ['held 900']);
  watch.stop();
  pass(2 * LOOP_WINDOW_MS);
  assert.deepEqual(told.slice(3), ['stopped']);
});
