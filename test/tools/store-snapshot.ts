/** Snapshots for nodes that tests run on a store in memory. */
import type { LedgerSnapshot } from '../../node/ledger/reader.ts';
import type { Store } from '../../node/world.ts';

/** A store that nothing writes while a read is under way, as its own snapshot. */
export function asSnapshot(store: Pick<Store, 'get' | 'range'>): LedgerSnapshot {
  return { get: (key) => store.get(key), range: (options) => store.range(options), close: () => Promise.resolve() };
}
