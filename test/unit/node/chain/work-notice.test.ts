/** When consensus hears that it owes a block for what was held back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BULK_GAS_MAX, createGasShares, type GasUse } from '../../../../node/chain/mempool/gas-shares.ts';
import type { Waiting } from '../../../../node/chain/mempool/mempool.ts';
import { createWorkNotice } from '../../../../node/chain/work-notice.ts';
import { ManualTime } from '../memory-world.ts';

const RECORD = 24_000_000;
const DEAR = 10_000_000_000;

/** Real shares, of which dear calls and bulk have used up what they may, while `bob` keeps within his own. */
function stand() {
  const time = new ManualTime();
  const shares = createGasShares(time, () => true);
  for (const gas of [DEAR, BULK_GAS_MAX]) for (let i = 0; i < 2; i++) shares.charge([{ sender: 'eve', gasLimit: gas, gasUsed: gas }], 0);
  shares.charge([{ sender: 'bob', gasLimit: RECORD, gasUsed: RECORD }], 0);
  const queues = new Map<string, GasUse[]>();
  const heard: [number, boolean][] = [];
  const begunMs = time.nowMs;
  const notice = createWorkNotice({
    clock: time,
    timers: time,
    dueInMs: (entry) => shares.dueInMs(entry ? new Map([[entry.sender, [entry]]]) : queues, 'self'),
    workWaiting: (waiting) => void heard.push([time.nowMs - begunMs, waiting]),
  });
  return {
    notice,
    heard,
    add(sender: string, gasLimit: number) {
      const use = { sender, gasLimit };
      queues.set(sender, [...(queues.get(sender) ?? []), use]);
      notice.tell(use as Waiting);
      return shares.dueInMs(new Map([[sender, [use]]]), 'self');
    },
    take: (sender: string) => void queues.delete(sender),
    wait(ms: number) {
      for (let passed = 0; passed < ms; passed++) time.advance(1);
    },
  };
}

test('a block is owed for what is held back when its time has come, not before, though nothing else happens', () => {
  const { notice, heard, add, wait } = stand();
  const dueMs = add('eve', DEAR);
  assert.ok(dueMs > 1 && Number.isFinite(dueMs), `${dueMs}`);
  assert.deepEqual(heard, []);
  notice.tell();
  assert.deepEqual(heard, [[0, false]]);
  wait(dueMs - 1);
  assert.equal(heard.length, 1);
  wait(1);
  assert.deepEqual(heard.at(-1), [dueMs, true]);
});

test('what comes later and is due later puts off nothing, and what is due before goes before', () => {
  for (const order of [
    [BULK_GAS_MAX, DEAR],
    [DEAR, BULK_GAS_MAX],
  ]) {
    const { heard, add, wait } = stand();
    const dues = order.map((gas) => add('eve', gas));
    const [firstMs, lastMs] = [Math.min(...dues), Math.max(...dues)];
    assert.ok(firstMs > 0 && firstMs < lastMs, `${dues}`);
    wait(lastMs + 1);
    assert.deepEqual(heard[0], [firstMs, true], `${order}`);
  }
});

test('what a block may hold at once is told at once, and a node that stops tells nothing more', () => {
  const { notice, heard, add, wait } = stand();
  add('bob', RECORD);
  assert.deepEqual(heard, [[0, true]]);
  const dueMs = add('eve', DEAR);
  notice.stop();
  wait(dueMs + 1);
  assert.equal(heard.length, 1);
});

test('what comes while consensus knows that a block is owed tells it nothing; a block later it hears of what is left, and when its time has come', () => {
  const { notice, heard, add, take, wait } = stand();
  add('bob', RECORD);
  add('bob', RECORD);
  const dueMs = add('eve', DEAR);
  assert.deepEqual(heard.splice(0), [[0, true]]);
  take('bob');
  notice.tell();
  assert.deepEqual(heard.splice(0), [[0, false]]);
  wait(dueMs);
  assert.deepEqual(heard.splice(0), [[dueMs, true]]);
  take('eve');
  notice.tell();
  add('bob', RECORD);
  assert.deepEqual(heard, [
    [dueMs, false],
    [dueMs, true],
  ]);
});
