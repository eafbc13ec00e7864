/** Broken rules per peer. Past a bound within a window the peer is cut off for a while; then it starts with a clean slate. */

export const REPORTS_MAX = 20;
export const REPORT_WINDOW_MS = 60_000;
export const CUT_OFF_MS = 60_000;

export class Penalties {
  readonly #reports = new Map<string, number[]>();
  readonly #cutUntil = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  /** Counts one report; true when it is the one that cuts the peer off. */
  report(node: string, nowMs: number): boolean {
    this.#counts.set(node, this.count(node) + 1);
    const recent = (this.#reports.get(node) ?? []).filter((at) => at > nowMs - REPORT_WINDOW_MS);
    recent.push(nowMs);
    if (recent.length < REPORTS_MAX) {
      this.#reports.set(node, recent);
      return false;
    }
    this.#reports.delete(node);
    const cutAlready = this.isCutOff(node, nowMs);
    this.#cutUntil.set(node, nowMs + CUT_OFF_MS);
    return !cutAlready;
  }

  isCutOff(node: string, nowMs: number): boolean {
    return this.cutOffMs(node, nowMs) > 0;
  }

  /** How much longer it is cut off, ms. */
  cutOffMs(node: string, nowMs: number): number {
    const leftMs = (this.#cutUntil.get(node) ?? nowMs) - nowMs;
    if (leftMs <= 0) this.#cutUntil.delete(node);
    return Math.max(0, leftMs);
  }

  /** All reports about a node. */
  count(node: string): number {
    return this.#counts.get(node) ?? 0;
  }

  forget(node: string): void {
    this.#reports.delete(node);
    this.#cutUntil.delete(node);
    this.#counts.delete(node);
  }
}
