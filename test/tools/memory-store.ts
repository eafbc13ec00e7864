/** A Store in memory, for tools and tests: same order, same batches, nothing survives. */
import type { ByteText } from '../../node/format/index.ts';
import type { LedgerStore, StoreOperation } from '../../node/world.ts';

export class MemoryStore implements LedgerStore {
  readonly #values = new Map<ByteText, Uint8Array>();
  /** Sorted; may hold deleted keys until the next range. */
  #sorted: ByteText[] = [];
  #added: ByteText[] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: ByteText): Uint8Array | undefined {
    return this.#values.get(key);
  }

  batch(operations: readonly StoreOperation[]): Promise<void> {
    for (const { key, value } of operations) {
      if (value === undefined) this.#values.delete(key);
      else {
        if (!this.#values.has(key)) this.#added.push(key);
        this.#values.set(key, value.slice());
      }
    }
    return Promise.resolve();
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  range(options: Parameters<LedgerStore['range']>[0]): Promise<{ key: ByteText; value: Uint8Array }[]> {
    this.#settle();
    const rows: { key: ByteText; value: Uint8Array }[] = [];
    const first = lowerBound(this.#sorted, options.from);
    const end = options.to === undefined ? this.#sorted.length : lowerBound(this.#sorted, options.to);
    for (let n = 0; n < end - first && rows.length < options.limit; n++) {
      const key = this.#sorted[options.reverse ? end - 1 - n : first + n]!;
      rows.push({ key, value: this.#values.get(key)! });
    }
    return Promise.resolve(rows);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #settle(): void {
    if (this.#added.length === 0 && this.#sorted.length === this.#values.size) return;
    const added = this.#added.sort(compare);
    const merged: ByteText[] = [];
    const take = (key: ByteText) => {
      if (this.#values.has(key) && merged.at(-1) !== key) merged.push(key);
    };
    let at = 0;
    for (const key of this.#sorted) {
      while (at < added.length && added[at]! < key) take(added[at++]!);
      take(key);
    }
    while (at < added.length) take(added[at++]!);
    this.#sorted = merged;
    this.#added = [];
  }
}

function compare(a: ByteText, b: ByteText): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lowerBound(sorted: readonly ByteText[], key: ByteText): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
