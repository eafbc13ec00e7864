/** The seeds every `npm test` runs, in two files, so that they run on two processors; thousands go through `npm run sim`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './scenario.ts';

/** @param from first seed of a run of `count` */
export function testSeeds(from: number, count: number): void {
  test(`seeded clusters ${from} to ${from + count - 1} hold their promises through trouble and make progress after it`, async () => {
    for (let seed = from; seed < from + count; seed++) {
      const { failure, story, transcript } = await runSeed(seed);
      assert.equal(failure, undefined, `seed ${seed}: ${story}\n${transcript.slice(-40).join('\n')}`);
    }
  });
}
