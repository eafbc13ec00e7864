import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BUCKETS_MAX, rateSaving, TokenBucket, TokenBuckets } from '../../../../node/pace/token-bucket.ts';
import { ManualTime } from '../memory-world.ts';

test('a bucket lets its burst through, then its rate; a debt is paid off, and more than the burst is never saved', () => {
  const time = new ManualTime();
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, time);
  const began = time.nowMs;
  const steps: [atMs: number, taken: number, waitMs: number, left: number][] = [
    [0, 1, 0, 2],
    [0, 1, 0, 1],
    [0, 1, 0, 0],
    [0, 1, 100, 0],
    [50, 1, 50, 0.5],
    [100, 20, 0, -19],
    [1_900, 1, 200, -1],
    [2_200, 0, 0, 2],
    [9_000, 0, 0, 3],
    [9_000, 3, 0, 0],
  ];
  for (const [atMs, taken, waitMs, left] of steps) {
    time.nowMs = began + atMs;
    assert.equal(bucket.take(taken), waitMs, `at ${atMs}`);
    assert.equal(bucket.left(), left, `left at ${atMs}`);
  }
});

test('whatever is asked when, no more than burst and rate goes through, a debt aside, and who waits as told is let through', () => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(2_000), tokens: fc.integer({ min: 1, max: 50 }), asTold: fc.boolean() }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), asks, (perSecond, burst, all) => {
      const time = new ManualTime();
      const began = time.nowMs;
      const bucket = new TokenBucket({ perSecond, burst }, time);
      let before = 0; // charged before the last that was let through
      let charged = 0;
      for (const { afterMs, tokens, asTold } of all) {
        const toldMs = bucket.waitMs();
        time.nowMs += asTold ? toldMs + 1 : afterMs; // the sum of parts of tokens may be a hair short of one
        const waitMs = bucket.take(tokens);
        if (asTold) assert.equal(waitMs, 0);
        else assert.ok(Math.abs(waitMs - Math.max(0, toldMs - afterMs)) <= 1, `${waitMs} after ${afterMs} of ${toldMs}`);
        if (waitMs === 0) {
          before = charged;
          charged += tokens;
        }
        assert.ok(before <= burst + ((time.nowMs - began) * perSecond) / 1_000);
      }
    }),
  );
});

test('callers do not share, and the longest idle of too many is forgotten', () => {
  const buckets = new TokenBuckets(new ManualTime());
  const rate = rateSaving(2, 2_000);
  for (const caller of ['idle', 'busy']) assert.equal(buckets.of(caller, rate).take(4), 0);
  assert.equal(buckets.of('other', rate).left(), 4);
  for (let i = 0; i < BUCKETS_MAX - 1; i++) {
    buckets.of(`caller ${i}`, rate);
    buckets.of('busy', rate);
  }
  assert.equal(buckets.of('busy', rate).left(), 0);
  assert.equal(buckets.of('idle', rate).left(), 4);
});

test('to look at what callers have left makes none forgotten', () => {
  const buckets = new TokenBuckets(new ManualTime());
  const rate = { perSecond: 1, burst: 5 };
  buckets.of('debtor', rate).charge(9);
  for (let i = 0; i <= BUCKETS_MAX; i++) assert.equal(buckets.left(`caller ${i}`, rate), 5);
  assert.equal(buckets.left('debtor', rate), -4);
});
