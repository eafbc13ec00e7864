import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundles } from '../../../../contracts/index.ts';
import { newMachine } from '../workbench.ts';

test('the running bundle is the frozen one of executionVersion 1', async () => {
  const { bundleDigest } = await newMachine();
  assert.equal(bundleDigest, bundles[1], 'a changed prelude, gas table, permit or engine is a new executionVersion');
});
