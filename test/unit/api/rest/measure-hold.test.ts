/** The measure of tests that bound how long the thread is held sees a hold. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { measureHold } from './thread-hold.ts';

const PIECES = 40;
/** 8,192 pages: 4 ms and the filling; 110 ms where a page takes 13 us. */
const FRESH_BYTES = 32 << 20;
const FRESH_MS_MAX = 40;
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

test('memory that is touched first is no more of a hold than on a usual machine', async () => {
  let longestMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 3; tries++) {
    const held = await measureHold(async () => void Buffer.allocUnsafeSlow(FRESH_BYTES).fill(1));
    longestMs = Math.min(longestMs, held.longestMs);
  }
  assert.ok(longestMs < FRESH_MS_MAX, `${longestMs} ms`);
});
