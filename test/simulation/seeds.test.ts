/** The seeds every `npm test` runs; thousands go through `npm run sim`. A file of its own, so that it runs beside the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './scenario.ts';

const SEEDS_FROM = 100;
const SEEDS_COUNT = 200; // seed 199 signs with real Ed25519

test(`${SEEDS_COUNT} seeded clusters hold their promises through trouble and make progress after it`, async () => {
  for (let seed = SEEDS_FROM; seed < SEEDS_FROM + SEEDS_COUNT; seed++) {
    const { failure, story, transcript } = await runSeed(seed);
    assert.equal(failure, undefined, `seed ${seed}: ${story}\n${transcript.slice(-40).join('\n')}`);
  }
});
