/** Token buckets per operation and caller: `count` calls at once, refilled evenly over `perMs`. Bounded: the longest idle ones are forgotten. */
import type { RateLimit } from './route.ts';

const BUCKETS_MAX = 20_000; // callers times operations remembered

interface Bucket {
  tokens: number;
  atMs: number;
}

export interface RateLimiter {
  /** 0 when the call may go on, else the ms to wait. */
  take(key: string, limit: RateLimit, nowMs: number): number;
}

/** `factor` multiplies every limit; 0 switches them off. */
export function createRateLimiter(factor: number): RateLimiter {
  const buckets = new Map<string, Bucket>(); // in order of last use: the first is the longest idle
  return {
    take(key, limit, nowMs) {
      if (factor === 0) return 0;
      const countMax = limit.count * factor;
      const perToken = limit.perMs / countMax;
      const bucket = buckets.get(key) ?? { tokens: countMax, atMs: nowMs };
      bucket.tokens = Math.min(countMax, bucket.tokens + Math.max(0, nowMs - bucket.atMs) / perToken);
      bucket.atMs = nowMs;
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > BUCKETS_MAX) buckets.delete(buckets.keys().next().value!);
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return 0;
      }
      return Math.ceil((1 - bucket.tokens) * perToken);
    },
  };
}
