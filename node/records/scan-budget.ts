/**
 * What searches may cost the thread that votes. A search reads index rows; those it answers with are bounded by the page, those it only
 * passes over, or counts, are paid here: a caller in debt is refused with the wait, and all scans together are held to the rate of the
 * node, a few ms at a time. A count can wait: its answer comes after a rest, as the headroom says, and its caller counts nothing else
 * meanwhile.
 */
import { ChainError } from '../errors/index.ts';
import { ALL_HEADROOM, createPause, type Headroom, rateSaving, TokenBucket, TokenBuckets } from '../pace/index.ts';
import type { Clock, Timers } from '../world.ts';

/** Rows a second that one caller may have passed over or counted. */
export const SCAN_ROWS_PER_SECOND = 2_500;
/** Rows a second of all callers together: about a quarter of the thread at 25 us a row. */
export const SCAN_ROWS_PER_SECOND_ALL = 10_000;
/** Budget that is saved up, in ms of its rate. */
export const SCAN_SAVED_MS = 2_000;
/** What is said to wait, ms, while another count of the caller runs. */
const COUNT_WAIT_MS = 1_000;

/** Called with the rows that a slice of a scan passed over; resolves when the scan may go on, in a turn that has room for it. */
export type Pace = (rows: number) => Promise<void>;

export interface ScanBudget {
  /** @throws ChainError RATE_LIMITED with `retryAfterMs` when the caller is in debt */
  scan<T>(caller: string, work: (pace: Pace) => Promise<T>): Promise<T>;
  /** As scan, one at a time for each caller. */
  count<T>(caller: string, work: (pace: Pace) => Promise<T>): Promise<T>;
}

export function createScanBudget({
  clock,
  timers,
  headroom = ALL_HEADROOM,
}: {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly headroom?: Headroom;
}): ScanBudget {
  const buckets = new TokenBuckets(clock);
  const rate = rateSaving(SCAN_ROWS_PER_SECOND, SCAN_SAVED_MS);
  const all = new TokenBucket(rateSaving(SCAN_ROWS_PER_SECOND_ALL, SCAN_SAVED_MS), clock);
  const counting = new Set<string>();

  async function scan<T>(caller: string, work: (pace: Pace) => Promise<T>): Promise<T> {
    const retryAfterMs = buckets.of(caller, rate).waitMs();
    if (retryAfterMs > 0) throw new ChainError('RATE_LIMITED', { rowsPerSecond: SCAN_ROWS_PER_SECOND, retryAfterMs });
    const pause = createPause({ clock, timers });
    return work(async (rows) => {
      buckets.of(caller, rate).charge(rows);
      all.charge(rows);
      for (let waitMs = all.waitMs(); waitMs > 0; waitMs = all.waitMs())
        await new Promise<void>((resolve) => void timers.after(waitMs, resolve));
      await pause();
    });
  }

  return {
    scan,
    async count(caller, work) {
      if (counting.has(caller)) throw new ChainError('RATE_LIMITED', { countsMax: 1, retryAfterMs: COUNT_WAIT_MS });
      counting.add(caller);
      const startedMs = clock.monotonic();
      try {
        const counted = await scan(caller, work);
        const rest = headroom.restMs(clock.monotonic() - startedMs);
        if (rest > 0) await new Promise<void>((resolve) => void timers.after(rest, resolve));
        return counted;
      } finally {
        counting.delete(caller);
      }
    },
  };
}
