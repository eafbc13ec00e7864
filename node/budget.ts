/** Budgets of work that is charged after it is done: units saved up at a steady rate, and a debt when more was used than there was. */
import type { Clock } from './world.ts';

/** Callers whose budgets are remembered; the longest idle are forgotten. */
const CALLERS_MAX = 20_000;
const MS_PER_SECOND = 1_000;

export class Budget {
  readonly #perMs: number;
  readonly #most: number;
  #units: number;
  #atMs: number;

  /** @param savedMs what an idle budget saves up, in ms of its rate; it begins with that */
  constructor(perSecond: number, savedMs: number, nowMs: number) {
    this.#perMs = perSecond / MS_PER_SECOND;
    this.#most = this.#perMs * savedMs;
    this.#units = this.#most;
    this.#atMs = nowMs;
  }

  /** Units left; negative when some are owed. */
  left(nowMs: number): number {
    this.#fill(nowMs);
    return this.#units;
  }

  /** Ms until something is left again; 0 when it is. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return this.#units > 0 ? 0 : Math.ceil((1 - this.#units) / this.#perMs);
  }

  charge(units: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#units -= units;
  }

  #fill(nowMs: number): void {
    this.#units = Math.min(this.#most, this.#units + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}

/** A budget of the same rate for each caller. */
export function createBudgets(perSecond: number, savedMs: number, clock: Pick<Clock, 'monotonic'>): { of(caller: string): Budget } {
  const budgets = new Map<string, Budget>(); // in order of last use
  return {
    of(caller) {
      const budget = budgets.get(caller) ?? new Budget(perSecond, savedMs, clock.monotonic());
      budgets.delete(caller);
      budgets.set(caller, budget);
      if (budgets.size > CALLERS_MAX) budgets.delete(budgets.keys().next().value!);
      return budget;
    },
  };
}
