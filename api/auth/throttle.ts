/**
 * Slows down who guesses. Failures count for the account and the address they come from: a stranger elsewhere does not shut out the holder. In
 * memory; the account's own count, which a restart does not forget, stands in its credential.
 */
import { BoundedMap } from '../../node/pace/bounded-map.ts';
import type { Clock } from '../../node/world.ts';

/** Failures before a wait begins; then LOCK_MS, doubled with each further one. */
export const FAILURES_FREE = 5;
const LOCK_MS = 1_000;
export const LOCK_MS_MAX = 900_000;
/** Account and address pairs remembered; past it the one not seen for longest goes. */
const PAIRS_MAX = 10_000;

/** How long to wait after so many failures, ms. */
export function lockMs(failures: number, freeCount = FAILURES_FREE, msMax = LOCK_MS_MAX): number {
  return failures < freeCount ? 0 : Math.min(LOCK_MS * 2 ** Math.min(failures - freeCount, 20), msMax);
}

export interface Throttle {
  /** ms until this pair may try again. */
  waitMs(account: string, address: string): number;
  fail(account: string, address: string): void;
  succeed(account: string, address: string): void;
  /** Whether the account has been logged in to from there. */
  knows(account: string, address: string): boolean;
}

export function createThrottle(clock: Pick<Clock, 'monotonic'>): Throttle {
  const pairs = new BoundedMap<string, { readonly failures: number; readonly untilMs: number; readonly known: boolean }>(PAIRS_MAX);
  const keyOf = (account: string, address: string): string => `${account}\0${address}`;

  function keep(account: string, address: string, failures: number, known: boolean): void {
    pairs.set(keyOf(account, address), { failures, untilMs: clock.monotonic() + lockMs(failures), known });
  }

  return {
    waitMs: (account, address) => Math.max(0, (pairs.get(keyOf(account, address))?.untilMs ?? 0) - clock.monotonic()),
    fail(account, address) {
      const pair = pairs.get(keyOf(account, address));
      keep(account, address, (pair?.failures ?? 0) + 1, pair?.known ?? false);
    },
    succeed: (account, address) => keep(account, address, 0, true),
    knows: (account, address) => pairs.get(keyOf(account, address))?.known ?? false,
  };
}
