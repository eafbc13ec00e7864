/** How much goes into a block, by how long rounds of such blocks take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBlockBudget, ROUND_PART_MAX, WORK_PART_MAX, WORK_PART_MIN, WORK_PART_START } from '../../../../node/chain/block-budget.ts';

const VIEW_MS = 2_000;
const LIMIT_MS = VIEW_MS * ROUND_PART_MAX;

test('blocks grow while their rounds are short, up to what a view bears, and shrink while they are long', () => {
  const budget = createBlockBudget();
  assert.equal(budget.workMs(VIEW_MS), VIEW_MS * WORK_PART_START);
  const steps: readonly (readonly [roundMs: number, workMs: number])[] = [
    [1, 157],
    [LIMIT_MS, 157],
    [LIMIT_MS / 1.1, 172],
    [LIMIT_MS / 2, 215],
    [LIMIT_MS / 2, VIEW_MS * WORK_PART_MAX],
    [LIMIT_MS / 2, VIEW_MS * WORK_PART_MAX],
    [LIMIT_MS * 1.25, 200],
    [LIMIT_MS * 100, 100],
    [LIMIT_MS * 100, 50],
    [LIMIT_MS * 100, 32],
    [LIMIT_MS * 100, 32],
  ];
  for (const [roundMs, workMs] of steps) {
    budget.final(roundMs, VIEW_MS);
    assert.equal(budget.workMs(VIEW_MS), workMs, `after a round of ${roundMs} ms`);
  }
  assert.equal(budget.workMs(VIEW_MS), Math.ceil(VIEW_MS * WORK_PART_MIN));
});

test('a block that another took the place of halves the next ones, however often', () => {
  const budget = createBlockBudget();
  for (let i = 0; i < 20; i++) budget.final(1, VIEW_MS);
  for (const workMs of [125, 63, 32, 32]) {
    budget.failed();
    assert.equal(budget.workMs(VIEW_MS), workMs);
  }
});

/** A cluster of which the slowest replica of a quorum executes at this multiple of the proposer's time, beside 60 ms for votes and disks. */
test('whatever the machines of the others, rounds come to the part of a view that is theirs, and stay', () => {
  for (const slower of [0.5, 1, 2, 5, 20]) {
    const budget = createBlockBudget();
    const rounds: number[] = [];
    for (let i = 0; i < 40; i++) {
      const roundMs = 60 + slower * budget.workMs(VIEW_MS);
      rounds.push(roundMs);
      budget.final(roundMs, VIEW_MS);
    }
    for (const roundMs of rounds.slice(20))
      assert.ok(roundMs <= Math.max(1.01 * LIMIT_MS, 60 + slower * VIEW_MS * WORK_PART_MIN + slower), `${slower}: ${roundMs}`);
  }
});
