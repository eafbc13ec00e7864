/**
 * Token buckets: tokens come at a steady rate up to a burst. A caller that finds one goes on; what it takes may be charged before or after,
 * and may leave a debt that the next call waits for.
 */
import { BoundedMap } from './bounded-map.ts';
import type { Clock } from '../world.ts';

/** Callers whose buckets are remembered; the longest idle are forgotten. */
export const BUCKETS_MAX = 20_000;
const MS_PER_SECOND = 1_000;

export interface TokenRate {
  readonly perSecond: number;
  /** Most that is saved up; a bucket begins with that. */
  readonly burst: number;
}

/** A rate whose burst is what comes in `savedMs`. */
export function rateSaving(perSecond: number, savedMs: number): TokenRate {
  return { perSecond, burst: (perSecond / MS_PER_SECOND) * savedMs };
}

export class TokenBucket {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor({ perSecond, burst }: TokenRate, clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#perMs = perSecond / MS_PER_SECOND;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = clock.monotonic();
  }

  /** Tokens left; negative when some are owed. */
  left(): number {
    const nowMs = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    return this.#tokens;
  }

  /** Ms until there is a token; 0 when there is. */
  waitMs(): number {
    const left = this.left();
    return left >= 1 ? 0 : Math.ceil((1 - left) / this.#perMs);
  }

  charge(tokens: number): void {
    this.#tokens = this.left() - tokens;
  }

  /** Charges when there is a token, else says how many ms to wait for one. */
  take(tokens: number): number {
    const waitMs = this.waitMs();
    if (waitMs === 0) this.charge(tokens);
    return waitMs;
  }
}

/** A bucket for each caller. */
export class TokenBuckets {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #buckets = new BoundedMap<string, TokenBucket>(BUCKETS_MAX);

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** `rate` counts when the caller is not remembered. */
  of(caller: string, rate: TokenRate): TokenBucket {
    const bucket = this.#buckets.get(caller) ?? new TokenBucket(rate, this.#clock);
    this.#buckets.set(caller, bucket); // the newest again
    return bucket;
  }

  /** Tokens left of a caller, without remembering it: to look at all callers would otherwise push the debts of some out. */
  left(caller: string, { burst }: TokenRate): number {
    return this.#buckets.get(caller)?.left() ?? burst;
  }
}
