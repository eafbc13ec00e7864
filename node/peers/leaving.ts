/** Nodes that the register no longer admits: each stays connected for a while, or it would never learn that it is expelled. Pure. */
import type { AdmittedNode } from '../world.ts';

/** A node that the register no longer admits stays connected for this long, to fetch the block that says so, ms. */
export const EXPEL_AFTER_MS = 10_000;

export class Leaving {
  /** In the order they left. */
  readonly #rows = new Map<string, { readonly listed: AdmittedNode; readonly untilMs: number }>();

  /**
   * The list of registered nodes has changed.
   * @param nowMs monotonic.
   * @returns those that left with this change.
   */
  change(before: readonly AdmittedNode[], after: readonly AdmittedNode[], nowMs: number): readonly AdmittedNode[] {
    const left = before.filter(({ node }) => !after.some((entry) => entry.node === node));
    for (const { node } of after) this.#rows.delete(node);
    for (const listed of left) this.#rows.set(listed.node, { listed, untilMs: nowMs + EXPEL_AFTER_MS });
    return left;
  }

  /** Those whose time is not over. */
  heard(nowMs: number): readonly AdmittedNode[] {
    for (const [node, { untilMs }] of this.#rows) if (untilMs <= nowMs) this.#rows.delete(node);
    return Array.from(this.#rows.values(), ({ listed }) => listed);
  }

  /** When the time of the next one is over; undefined when nobody is leaving. */
  nextMs(): number | undefined {
    const [first] = this.#rows.values();
    return first?.untilMs;
  }
}
