/** Broken rules per peer. Past a bound within a window the peer is cut off for a while; then it starts with a clean slate. */

export const REPORTS_MAX = 20;
export const REPORT_WINDOW_MS = 60_000;
export const CUT_OFF_MS = 60_000;

export class Penalties {
  readonly #reports = new Map<string, number[]>();
  readonly #cutUntil = new Map<string, number>();

  /** Counts one report; true when it is the one that cuts the peer off. */
  report(node: string, nowMs: number): boolean {
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
    const until = this.#cutUntil.get(node);
    if (until === undefined) return false;
    if (nowMs < until) return true;
    this.#cutUntil.delete(node);
    return false;
  }

  forget(node: string): void {
    this.#reports.delete(node);
    this.#cutUntil.delete(node);
  }
}
