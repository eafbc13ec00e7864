/** The real World (adapter): the clock, timers and random of this machine. Log, crypto and verifier are made by the caller. */
import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Crypto } from '../format/index.ts';
import type { Log, VerifyPool, World } from '../world.ts';

export function createRealWorld(parts: { readonly log: Log; readonly crypto: Crypto; readonly verifier: VerifyPool }): World {
  return {
    ...parts,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    timers: {
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      every: (ms, run) => {
        const timer = setInterval(run, ms);
        return () => clearInterval(timer);
      },
    },
    random: { bytes: (count) => randomFillSync(new Uint8Array(count)) },
  };
}
