import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createBlockPace,
  FASTEST_KEPT_MS,
  LITTLE_GAS_MAX,
  SLOWNESS_MAX,
  USUAL_TIMES,
} from '../../../../../node/chain/mempool/block-pace.ts';

const RECORD_GAS = 20_000_000;
const ROUND_MS = 25;

function stand() {
  let nowMs = 0;
  const pace = createBlockPace({ monotonic: () => nowMs });
  return {
    pace,
    /** Blocks one after another, each taking so long. */
    blocks(tookMs: number, forMs: number, gas = RECORD_GAS) {
      for (const endMs = nowMs + forMs; nowMs < endMs; ) {
        nowMs += tookMs;
        pace.note(gas, tookMs);
      }
    },
  };
}

test('a chain is slow by how its blocks compare with its fastest, not by their time: links between plants are slow without being busy', () => {
  for (const roundMs of [ROUND_MS, 10 * ROUND_MS]) {
    const { pace, blocks } = stand();
    assert.equal(pace.slowness(), 1, 'nothing known');
    blocks(roundMs, 60_000);
    assert.equal(pace.slowness(), 1);
    blocks(USUAL_TIMES * roundMs, 60_000);
    assert.equal(pace.slowness(), 1, 'as slow as usual');
    blocks(3 * USUAL_TIMES * roundMs, 60_000);
    assert.ok(Math.abs(pace.slowness() - 3) < 0.01, `${pace.slowness()}`);
    blocks(20 * USUAL_TIMES * roundMs, 60_000);
    assert.equal(pace.slowness(), SLOWNESS_MAX);
    blocks(roundMs, 60_000);
    assert.equal(pace.slowness(), 1);
  }
});

test('blocks of much gas tell nothing', () => {
  const { pace, blocks } = stand();
  blocks(ROUND_MS, 60_000);
  blocks(1_000, 60_000, LITTLE_GAS_MAX + 1);
  assert.equal(pace.slowness(), 1);
});

test('the fastest block is forgotten in time: a chain that has become slow for good is as fast as it can be', () => {
  const { pace, blocks } = stand();
  blocks(ROUND_MS, 1_000);
  blocks(4 * USUAL_TIMES * ROUND_MS, FASTEST_KEPT_MS);
  assert.ok(pace.slowness() > 3.9);
  blocks(4 * USUAL_TIMES * ROUND_MS, 2 * FASTEST_KEPT_MS);
  assert.equal(pace.slowness(), 1);
});
