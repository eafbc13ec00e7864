/** What the chain tells the rest of the node, as it happens: one emitter, so that parts that stand on the chain need not exist before it. */
import type { Digest } from '../format/index.ts';
import type { Committed } from '../ledger/index.ts';
import type { BlockCheck } from '../service.ts';
import type { ChainPort } from './driver.ts';

export interface ChainEvents {
  /** A block is final and stored, its transactions have left the mempool. */
  readonly committed: Committed;
  /** A proposal failed these checks: its proposer is accused. */
  readonly refused: { readonly height: number; readonly hash: Digest; readonly failed: readonly BlockCheck[] };
  /** A fresh proposal older than clocks may differ was not voted for. */
  readonly stale: { readonly height: number; readonly hash: Digest; readonly proposer: string };
  /** `from` have final blocks up to a height that this node has not reached. */
  readonly wanted: { readonly height: number; readonly from: readonly string[] };
  /** The primary proposes nothing, although something waits here. */
  readonly idle: { readonly primary: string };
  readonly evidence: Parameters<ChainPort['evidence']>[0];
  readonly note: { readonly event: string; readonly fields: Readonly<Record<string, string | number>> };
}

export interface Emitter<Events> {
  /** Calls every listener at once, in the order they came; what one throws goes to whoever emits. */
  emit<Kind extends keyof Events>(kind: Kind, event: Events[Kind]): void;
  /** Returns a function that ends it. */
  on<Kind extends keyof Events>(kind: Kind, listener: (event: Events[Kind]) => void): () => void;
}

export function createEmitter<Events>(): Emitter<Events> {
  const listeners: { [Kind in keyof Events]?: Set<(event: Events[Kind]) => void> } = {};
  return {
    emit(kind, event) {
      for (const listener of listeners[kind] ?? []) listener(event);
    },
    on(kind, listener) {
      const of: Set<typeof listener> = listeners[kind] ?? new Set();
      listeners[kind] = of.add(listener);
      return () => void of.delete(listener);
    },
  };
}
