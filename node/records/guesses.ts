/**
 * A bound on guesses at content that an account may not read. That a key is taken cannot be hidden, and a sender who repeats a record must
 * be told whether it equals the stored one; so each answer "it differs" is charged to the account, at this node, and an account in debt
 * waits before it may touch records of others. Sending again what is stored costs nothing, nor does anything about records that the account
 * may read.
 */
import { ChainError } from '../errors/index.ts';
import { TokenBuckets } from '../pace/index.ts';
import type { Clock } from '../world.ts';

export const GUESSES_PER_MINUTE = 10;
/** Guesses saved up, and had at the start: devices that disagree about a batch are no attack. */
export const GUESSES_SAVED_COUNT = 100;
const MS_PER_MINUTE = 60_000;
const SECONDS_PER_MINUTE = 60;

export interface Guesses {
  /** Before anything is said of a record that the account may not read. @throws ChainError RATE_LIMITED */
  admit(account: string): void;
  /** What was sent differs from such a record. */
  charge(account: string): void;
}

export function createGuesses(clock: Pick<Clock, 'monotonic'>): Guesses {
  const buckets = new TokenBuckets(clock);
  const rate = { perSecond: GUESSES_PER_MINUTE / SECONDS_PER_MINUTE, burst: GUESSES_SAVED_COUNT };
  return {
    admit(account) {
      const retryAfterMs = buckets.of(account, rate).waitMs();
      if (retryAfterMs > 0) throw new ChainError('RATE_LIMITED', { count: GUESSES_PER_MINUTE, perMs: MS_PER_MINUTE, retryAfterMs });
    },
    charge: (account) => buckets.of(account, rate).charge(1),
  };
}
