/** A sorted store in memory, for tests of what sits on a Store. */
import type { Digest } from '../../../../node/format/index.ts';
import type { SealedStore, SealedValue } from '../../../../node/records/index.ts';
import type { Store } from '../../../../node/world.ts';

export function createMemoryStore(): Store & { readonly rows: Map<string, Uint8Array> } {
  const rows = new Map<string, Uint8Array>();
  return {
    rows,
    get: (key) => rows.get(key),
    async batch(operations) {
      for (const { key, value } of operations) {
        if (value === undefined) rows.delete(key);
        else rows.set(key, value);
      }
    },
    async range({ from, to, reverse, limit }) {
      const keys = [...rows.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort();
      if (reverse) keys.reverse();
      return keys.slice(0, limit).map((key) => ({ key, value: rows.get(key)! }));
    },
    async close() {},
  };
}

/** What a sealed store does between parts of its work: the event loop turns. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** All values held of a record, in one piece. */
export function heldOf(sealed: Pick<SealedStore, 'getSteps'>, recordId: Digest): readonly SealedValue[] {
  const steps = sealed.getSteps(recordId);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
