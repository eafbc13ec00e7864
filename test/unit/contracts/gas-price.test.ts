/**
 * Gas is time (design: execution): the worst operation's time per gas, times `blockGasMax`, fits a quarter of the view time-out. Held here coarsely,
 * against a signature check measured beside each operation in processor time, so that a busy machine does not decide it; exactly, and in figures, by
 * test/bench/gas-calibrate.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { GAS_PER_MICROSECOND } from '../../../contracts/index.ts';
import { createCrypto } from '../../../node/crypto/index.ts';
import { createContracts } from '../../../node/ledger/contracts.ts';
import { type Measured, measure, overrun, REFERENCE_US } from '../../bench/gas/measure.ts';
import { openOperations } from '../../bench/gas/operations.ts';

/** What noise, cold code and another processor may add up to; prices were found wrong by 5 to 160 times. */
const OVERRUN_MAX = 4;
/** Slices in ms: who exceeds is measured again, longer. */
const SLICES_MS = [3, 15, 60];

test('no operation takes much longer than its gas pays for', { timeout: 300_000 }, async () => {
  const { operations, reference } = await openOperations();
  const dear: string[] = [];
  for (const operation of operations) {
    let measured: Measured | undefined;
    for (const sliceMs of SLICES_MS) {
      measured = measure(operation, reference, sliceMs);
      if (overrun(measured) <= OVERRUN_MAX) break;
    }
    if (measured && overrun(measured) > OVERRUN_MAX)
      dear.push(
        `${measured.name}: ${measured.gas} gas for ${measured.us.toFixed(0)} us, beside a signature check of ${measured.referenceUs.toFixed(0)} us`,
      );
  }
  assert.deepEqual(dear, []);
});

test('an operation is fair at its price and overruns by as much as its gas falls short', () => {
  const fair = { us: 300, gas: 300 * GAS_PER_MICROSECOND, referenceUs: REFERENCE_US };
  assert.equal(overrun(fair), 1);
  assert.equal(overrun({ ...fair, gas: fair.gas / 10 }), 10);
  assert.equal(overrun({ ...fair, us: 900, referenceUs: 3 * REFERENCE_US }), 1, 'a machine three times slower');
});

test('the engine is compiled whole and optimised before it runs: no call after a start waits for the compiler', async () => {
  await createContracts(createCrypto(), 1);
  setFlagsFromString('--allow-natives-syntax');
  // (module (func (export "f") (result i32) i32.const 7))
  const bytes = Uint8Array.from([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 7, 11,
  ]);
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports;
  const isOptimised = new Function('f', 'return %IsTurboFanFunction(f)') as (f: unknown) => boolean;
  assert.equal(isOptimised(f), true); // before it was ever called
});
