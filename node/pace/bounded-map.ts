/** How much of a map's values may be held, in bytes. */
export interface BytesBound<V> {
  readonly bytesMax: number;
  /** Must give the same for a value at every call. */
  readonly bytesOf: (value: V) => number;
}

/**
 * A map of so many entries at most, and of so many bytes where they differ in size. Past a bound the entries that were set longest ago are
 * dropped; to set a key again makes it the newest. The newest stays, however large it is.
 */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #countMax: number;
  readonly #bound: BytesBound<V> | undefined;
  #bytes = 0;

  constructor(countMax: number, bound?: BytesBound<V>) {
    super();
    this.#countMax = countMax;
    this.#bound = bound;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    this.#bytes += this.#bound?.bytesOf(value) ?? 0;
    while (this.size > this.#countMax || (this.size > 1 && this.#bytes > (this.#bound?.bytesMax ?? 0)))
      this.delete(this.keys().next().value as K);
    return this;
  }

  override delete(key: K): boolean {
    if (this.#bound && this.has(key)) this.#bytes -= this.#bound.bytesOf(this.get(key) as V);
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#bytes = 0;
  }
}
