/** A map of so many entries at most. Past that the one goes that was set longest ago; to set a key again makes it the newest. */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #countMax: number;

  constructor(countMax: number) {
    super();
    this.#countMax = countMax;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#countMax) this.delete(this.keys().next().value as K);
    return this;
  }
}
