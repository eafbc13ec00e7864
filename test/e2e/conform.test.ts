/** The floor of proved rows of DB53/T 1407-2025 holds on a live devnet: what `npm run conform` does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runEntry } from './child.ts';

/** A minute on a quiet machine: rows that stop nodes wait for them to come back. */
const TIMEOUT_MS = 1_500_000;

test('every row that was proved once is proved again', async () => {
  const { code, out } = await runEntry('test/conformance/run.js', [], TIMEOUT_MS);
  assert.equal(code, 0, out);
  assert.match(out, /\d+ of 105 proved/);
});
