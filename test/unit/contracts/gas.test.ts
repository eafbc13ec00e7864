import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parameterTable } from '../../../node/format/index.ts';
import { GAS, GAS_PER_MICROSECOND, LOAD_GAS_MAX, Tank } from '../../../contracts/index.ts';

test('a tank that runs out is empty, and says so with its limit', () => {
  const tank = new Tank(100);
  tank.use(60);
  assert.equal(tank.left, 40);
  assert.throws(() => tank.use(41), { code: 'GAS_EXHAUSTED', detail: { gasLimit: 100 } });
  assert.equal(tank.used, 100);
});

test('a gas limit that is no count of units is refused', () => {
  for (const limit of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => new Tank(limit), RangeError);
});

test('a full block of the default size is a quarter of the default view time-out', () => {
  const blockMs = parameterTable.blockGasMax.default / GAS_PER_MICROSECOND / 1000;
  assert.equal(blockMs, parameterTable.viewTimeoutMs.default / 4);
});

test('the smallest transaction gas limit governance may set still pays for a written key', () => {
  assert.ok(GAS.transaction + GAS.call + GAS.write < parameterTable.transactionGasMax.min * 2);
  assert.ok(LOAD_GAS_MAX < parameterTable.transactionGasMax.default);
});
