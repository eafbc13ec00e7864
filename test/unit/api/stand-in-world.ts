/** Clock, timers, chance, log and store that a test of the interface holds in its hand. */
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import type { ByteText } from '../../../node/format/index.ts';
import type { Log, Store, World } from '../../../node/world.ts';
import { realTimers } from '../../../node/real/world.ts';
import { createMemoryStore } from '../node/records/memory-store.ts';

export const GENESIS_HASH = createHash('sha256').update('genesis').digest();
export const CHAIN_ID = new Uint8Array(createHash('sha256').update('chain').digest());
export const START_MS = 1_760_000_000_000;

export interface TestWorld extends World {
  advance(ms: number): void;
  /** From now on the clock goes on by `advance` alone. */
  hold(): void;
  readonly logged: string[];
}

/** Real timers, a clock that tests move, and what was logged as text. */
export function createTestWorld(): TestWorld {
  let shiftMs = 0;
  const logged: string[] = [];
  const started = performance.now();
  let heldMs: number | undefined;
  const elapsedMs = (): number => (heldMs ?? performance.now() - started) + shiftMs;
  const say = (level: string) => (fields: Readonly<Record<string, unknown>>, event: string) =>
    void logged.push(`${level} ${event} ${JSON.stringify(fields)}`);
  const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), child: () => log };
  return {
    advance: (ms) => {
      shiftMs += ms;
    },
    hold: () => {
      heldMs = performance.now() - started;
    },
    logged,
    clock: {
      now: () => START_MS + Math.floor(elapsedMs()),
      monotonic: elapsedMs,
    },
    timers: {
      after: realTimers.after,
      every(ms, run) {
        const timer = setInterval(run, ms);
        timer.unref();
        return () => clearInterval(timer);
      },
    },
    random: { bytes: (count) => new Uint8Array(randomBytes(count)) },
    log,
    crypto: {
      hash: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
      hasher() {
        const hash = createHash('sha256');
        return { update: (data) => void hash.update(data), digest: () => new Uint8Array(hash.digest()) };
      },
      verify: (_suite, publicKey, message, signature) => {
        try {
          const key = createPublicKey({
            key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
            format: 'jwk',
          });
          return verify(null, message, key, signature);
        } catch {
          return false;
        }
      },
    },
    verifier: { verify: async () => false, verifyAll: async () => [], stop: async () => {} },
  };
}

export interface TestStore extends Store {
  readonly rows: Map<ByteText, Uint8Array>;
  /** When set, every batch fails with it. */
  failure: Error | undefined;
  batches: number;
}

export function createTestStore(): TestStore {
  const memory = createMemoryStore();
  const store: TestStore = {
    ...memory,
    failure: undefined,
    batches: 0,
    async batch(operations, options) {
      await Promise.resolve();
      if (store.failure !== undefined) throw store.failure;
      store.batches++;
      await memory.batch(operations, options);
    },
  };
  return store;
}
