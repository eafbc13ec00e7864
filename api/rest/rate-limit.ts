/** A token bucket for each operation and caller: `count` calls at once, refilled evenly over `perMs`. */
import { TokenBuckets } from '../../node/pace/index.ts';
import type { Clock } from '../../node/world.ts';
import type { RateLimit } from './route.ts';

const MS_PER_SECOND = 1_000;

export interface RateLimiter {
  /** 0 when the call may go on, else the ms to wait. */
  take(key: string, limit: RateLimit): number;
}

/** `factor` multiplies every limit; 0 switches them off. */
export function createRateLimiter(factor: number, clock: Pick<Clock, 'monotonic'>): RateLimiter {
  const buckets = new TokenBuckets(clock);
  return {
    take(key, { count, perMs }) {
      if (factor === 0) return 0;
      const burst = count * factor;
      return buckets.of(key, { perSecond: (burst / perMs) * MS_PER_SECOND, burst }).take(1);
    },
  };
}
