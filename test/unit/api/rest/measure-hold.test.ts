/** The measure of tests that bound how long the thread is held sees a hold. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { measureHold } from './thread-hold.ts';

const PIECES = 40;
const bytes = Buffer.alloc(2 << 20, 'x');
const piece = (): void => void createHash('sha256').update(bytes).digest();

test('work without a turn is one hold, and the same work in turns is as many short ones', async () => {
  const atOnce = await measureHold(async () => {
    for (let i = 0; i < PIECES; i++) piece();
  });
  const inTurns = await measureHold(async () => {
    for (let i = 0; i < PIECES; i++) {
      piece();
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  assert.ok(atOnce.longestMs > 3 * inTurns.longestMs, `${atOnce.longestMs} and ${inTurns.longestMs} ms`);
  assert.ok(inTurns.longestMs > 0 && inTurns.totalMs > inTurns.longestMs);
});
