import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundles, createContractMachine, loadWasm } from '../../../../contracts/index.ts';
import { hash, newMachine } from '../workbench.ts';

test('the running bundle is the frozen one of executionVersion 1', async () => {
  const { bundleDigest } = await newMachine();
  assert.equal(bundleDigest, '31431be71ad4d49f47cca99a9f1971ee9cc259404d59ec3236524493afedd416');
  assert.equal(bundles[1], bundleDigest, 'a changed prelude, gas table, permit or engine is a new executionVersion');
});

test('a node that lacks the bundle of an executionVersion does not start', async () => {
  const wasm = await loadWasm();
  await assert.rejects(createContractMachine({ executionVersion: 2, wasm, hash }), { name: 'ExecutionFault' });
  const changed = wasm.slice();
  changed[changed.length - 1]! ^= 1;
  await assert.rejects(createContractMachine({ executionVersion: 1, wasm: changed, hash }), { name: 'ExecutionFault' });
});
