/** The real World (adapter): the clock, timers and random of this machine. Log, crypto and verifier are made by the caller. */
import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { SteppedCrypto } from '../format/index.ts';
import type { Log, Timers, VerifyPool, World } from '../world.ts';

export const realTimers: Timers = {
  after: (ms, run) => {
    if (ms <= 0) {
      // Never a timer of 0 ms: Node runs on what falls due while timers run, so two pieces of work in turns would keep the loop from its
      // sockets.
      const turn = setImmediate(run);
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every,
};

interface Pulse {
  readonly runs: Set<() => void>;
  readonly timer: NodeJS.Timeout;
}

/** By period, ms. */
const pulses = new Map<number, Pulse>();

/** What has one period runs together, the first time after that or less: an idle node is woken once for all of it. */
function every(ms: number, run: () => void): () => void {
  const own = (): void => run(); // the same function twice is two runs
  const pulse = pulses.get(ms) ?? startPulse(ms);
  pulse.runs.add(own);
  return () => {
    pulse.runs.delete(own);
    if (pulse.runs.size > 0 || pulses.get(ms) !== pulse) return;
    clearInterval(pulse.timer);
    pulses.delete(ms);
  };
}

function startPulse(ms: number): Pulse {
  const runs = new Set<() => void>();
  const timer = setInterval(() => {
    // Those of its beginning that were not cancelled since: one that is begun by another would else follow at once, and for ever if it begins itself anew.
    for (const run of [...runs]) if (runs.has(run)) run();
  }, ms);
  const pulse = { runs, timer };
  pulses.set(ms, pulse);
  return pulse;
}

/**
 * Short requests are cut from a pool drawn this many bytes at a time: a draw costs as much for twelve bytes as for thousands, and each API
 * call makes a few.
 */
const RANDOM_POOL_BYTES = 4_096;
const RANDOM_SMALL_BYTES = 64;

/** What was given out stands nowhere else: it is erased here. */
function createRandom(): World['random'] {
  const pool = new Uint8Array(RANDOM_POOL_BYTES);
  let used = RANDOM_POOL_BYTES;
  return {
    bytes(count) {
      if (count > RANDOM_SMALL_BYTES) return randomFillSync(new Uint8Array(count));
      if (used + count > RANDOM_POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const bytes = pool.slice(used, used + count);
      pool.fill(0, used, used + count);
      used += count;
      return bytes;
    },
  };
}

export function createRealWorld(parts: { readonly log: Log; readonly crypto: SteppedCrypto; readonly verifier: VerifyPool }): World {
  return {
    ...parts,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    timers: realTimers,
    random: createRandom(),
  };
}
