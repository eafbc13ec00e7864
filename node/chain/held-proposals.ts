/** Proposals that were built or executed here, until a block of their height is final. */
import { BoundedMap } from '../pace/bounded-map.ts';
import { type ByteText, type Digest, equalBytes, toByteText, toHex } from '../format/index.ts';
import type { Location } from '../store/index.ts';
import type { Waiting } from './mempool/mempool.ts';

/** Of the height being decided and the one above, newest first: twice what an engine remembers executions. */
export const PROPOSALS_HELD_MAX = 64;

export interface HeldProposal {
  /** As its primary sent it. */
  readonly proposal: Uint8Array;
  readonly parent: Digest;
  readonly seal: Uint8Array;
  readonly headerBytes: Uint8Array;
  /** Where its body stands in the block files, once it is on disk. One that could not be written is held no longer. */
  readonly body: Promise<Location>;
  readonly transactions: ListedTransactions;
  /** When building or executing it began, monotonic ms. */
  readonly beganMs: number;
  /** When it was built, if that took all of the time for it, monotonic ms. */
  readonly timeUpMs?: number | undefined;
  /** Transactions that may not stand above its parent. */
  readonly refused: readonly { readonly id: Digest; readonly code: string }[];
}

/** Transactions of a proposal in its order, found by their full hash as well: few are ever looked for, so that the table for it waits until one is. */
export class ListedTransactions {
  readonly entries: readonly Waiting[];
  #byHash: Map<ByteText, Waiting> | undefined;

  constructor(entries: readonly Waiting[]) {
    this.entries = entries;
  }

  get(hashKey: ByteText): Waiting | undefined {
    this.#byHash ??= new Map(this.entries.map((entry) => [entry.hashKey, entry]));
    return this.#byHash.get(hashKey);
  }
}

export class HeldProposals {
  readonly #byName = new BoundedMap<string, HeldProposal>(PROPOSALS_HELD_MAX);

  hold(hash: Digest, held: HeldProposal): void {
    const name = toHex(hash);
    this.#byName.set(name, held);
    held.body.catch(() => {
      if (this.#byName.get(name) === held) this.#byName.delete(name);
    });
  }

  get(hash: Digest): HeldProposal | undefined {
    return this.#byName.get(toHex(hash));
  }

  /** What is not final of a block and those it stands on. */
  notFinal(hash: Digest): HeldProposal[] {
    const found: HeldProposal[] = [];
    for (let held = this.get(hash); held; held = this.get(held.parent)) found.push(held);
    return found;
  }

  /** Those that stand on a block. */
  on(parent: Digest): HeldProposal[] {
    return [...this.#byName.values()].filter((held) => equalBytes(held.parent, parent));
  }

  /** Lets go of all but those that stand on a block, which is final. */
  keepOn(parent: Digest): void {
    for (const [name, held] of this.#byName) if (!equalBytes(held.parent, parent)) this.#byName.delete(name);
  }

  /** By its full hash, of whichever proposal. */
  transaction(hash: Digest): Waiting | undefined {
    const key = toByteText(hash);
    for (const { transactions } of this.#byName.values()) {
      const found = transactions.get(key);
      if (found) return found;
    }
    return undefined;
  }
}
