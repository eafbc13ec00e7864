/** What waits from one sender, and what that adds up to. */
import type { ByteText } from '../../format/index.ts';
import type { Waiting } from './mempool.ts';

/** Oldest first. */
export class Queue {
  readonly #entries = new Map<ByteText, Waiting>();
  bytes = 0;
  gas = 0;

  get size(): number {
    return this.#entries.size;
  }

  add(key: ByteText, entry: Waiting): void {
    this.#entries.set(key, entry);
    this.bytes += entry.bytes.length;
    this.gas += entry.gasLimit;
  }

  delete(key: ByteText, entry: Waiting): void {
    if (!this.#entries.delete(key)) return;
    this.bytes -= entry.bytes.length;
    this.gas -= entry.gasLimit;
  }

  /** When the oldest was admitted, ms. */
  get oldestMs(): number {
    for (const { addedMs } of this.#entries.values()) return addedMs;
    return Number.POSITIVE_INFINITY;
  }

  [Symbol.iterator](): Iterator<Waiting> {
    return this.#entries.values();
  }
}
