/** Buckets kept; past it those that are full go: they say no more than none. */
const BUCKETS_MAX = 2_048;

/** Token bucket per peer: `perSecond` on average, `burst` at once. Time is handed in. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** Takes `count` tokens if the bucket holds any at all; an expensive answer may leave it in debt, and the next ones wait. */
  take(peer: string, count: number, nowMs: number): boolean {
    const bucket = this.#buckets.get(peer) ?? { tokens: this.#burst, atMs: nowMs };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * this.#perSecond);
    bucket.atMs = nowMs;
    this.#buckets.set(peer, bucket);
    if (this.#buckets.size > BUCKETS_MAX) this.#dropFull(nowMs);
    if (bucket.tokens <= 0) return false;
    bucket.tokens -= count;
    return true;
  }

  #dropFull(nowMs: number): void {
    for (const [peer, { tokens, atMs }] of this.#buckets)
      if (tokens + ((nowMs - atMs) / 1000) * this.#perSecond >= this.#burst) this.#buckets.delete(peer);
  }

  forget(peer: string): void {
    this.#buckets.delete(peer);
  }
}
