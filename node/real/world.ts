/** The real World (adapter): the clock, timers and random of this machine. Log, crypto and verifier are made by the caller. */
import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Crypto } from '../format/index.ts';
import type { Log, Timers, VerifyPool, World } from '../world.ts';

export const realTimers: Timers = {
  after: (ms, run) => {
    if (ms <= 0) {
      // Never a timer of 0 ms: Node runs on what falls due while timers run, so two pieces of work in turns would keep the loop from its sockets.
      const turn = setImmediate(run);
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

export function createRealWorld(parts: { readonly log: Log; readonly crypto: Crypto; readonly verifier: VerifyPool }): World {
  return {
    ...parts,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    timers: realTimers,
    random: { bytes: (count) => randomFillSync(new Uint8Array(count)) },
  };
}
