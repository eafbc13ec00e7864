/** The main job from end to end, as the README promises it: `npm run devnet -- --once`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runEntry } from './child.ts';

/** A minute on a quiet machine. */
const TIMEOUT_MS = 1_500_000;

test('four nodes agree, real records go in, answers prove themselves, and every step of the main job holds', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tracemill-e2e-once-'));
  try {
    const { code, out } = await runEntry('devnet/main.js', ['--once', '--dir', join(dir, 'net')], TIMEOUT_MS);
    assert.equal(code, 0, out);
    assert.match(out, /^all \d+ steps held$/m);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
