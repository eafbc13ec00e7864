import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundles, createContractMachine, loadWasm } from '../../../../contracts/index.ts';
import { utf8 } from '../../../../node/format/index.ts';
import { hash, newMachine } from '../workbench.ts';
import { contractOf, stand } from './stand.ts';

test('the running bundle is the frozen one of executionVersion 1', async () => {
  const { bundleDigest } = await newMachine();
  assert.equal(bundleDigest, 'e90764ead2849591db315a4bd03e61fc7bbe66b1275f2a7a9396b7df958e39da');
  assert.equal(bundles[1], bundleDigest, 'a changed prelude, gas table, permit or engine is a new executionVersion');
});

test('a node that lacks the bundle of an executionVersion does not start', async () => {
  const wasm = await loadWasm();
  await assert.rejects(createContractMachine({ executionVersion: 2, wasm, hash }), { name: 'ExecutionFault' });
  const changed = wasm.slice();
  changed[changed.length - 1]! ^= 1;
  await assert.rejects(createContractMachine({ executionVersion: 1, wasm: changed, hash }), { name: 'ExecutionFault' });
});

/** Arithmetic, text, regular expressions, sorting, garbage: whatever could differ between releases of the JavaScript engine around the machine. */
const GOLDEN = contractOf({
  m: `const rows = []; for (let i = 0; i < 2000; i++) rows.push({ i, s: Math.sin(i).toString(), p: String(Math.pow(1.1, i % 97)) });
    rows.sort((a, b) => (a.s < b.s ? -1 : 1)); const text = JSON.stringify(rows);
    return [text.length, text.replace(/[^0-9]+/g, '').length, String(7n ** 300n % 1000000007n), rows[1000].i];`,
});

test('result, gas and image of a known contract are what they were when the bundle was frozen, on every Node version', async () => {
  const machine = await newMachine();
  const { result, gasUsed } = stand(machine, GOLDEN).run('m', [], 10_000_000_000);
  assert.deepEqual(
    [result, gasUsed, machine.load(utf8(GOLDEN)).imageDigest],
    [[120_269, 73_290, '678144625', 0], 2_095_246_412, 'f36ea0db8d38bf06c02be24853a19dc28dc04e53fb7b8ddc4485a36073459659'],
  );
});
