/** The writes of one block, sorted and in bytes, and what they replaced. */
import { type ByteText, DIGEST_BYTES, type Digest, MAP_KEY_BYTES_MAX } from '../format/index.ts';
import { LOCATION_BYTES } from './bucket-log.ts';
import { readLocation, writeLocation } from './location.ts';

/** undefined as valueHash deletes. `location` says where the value lies; no hash covers it. */
export interface MapWrite {
  readonly key: ByteText;
  readonly valueHash: Digest | undefined;
  /** Safe integer from 0; 0 when absent. */
  readonly location?: number;
}

/** One write a key, in key order. In `bytes`, where `at` says: key, valueHash, location. */
export interface Batch {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Where each key begins, and its length. */
  readonly at: Uint32Array;
  readonly lengths: Uint16Array;
  /** True when write i deletes. */
  deletes(i: number): boolean;
  /** Notes what stood under key i. */
  replace(i: number, bytes: Uint8Array, valueHashAt: number, locationAt: number): void;
}

export const VALUE_BYTES = DIGEST_BYTES + LOCATION_BYTES;

/** The writes of a block in any order; of two for one key the later counts. */
export class WriteBatch implements Batch {
  readonly keys: readonly ByteText[];
  readonly bytes: Uint8Array;
  readonly at: Uint32Array;
  readonly lengths: Uint16Array;
  readonly #deletes: Uint8Array;
  /** 1 where the key was in the map before; then its valueHash and location are in #former. */
  readonly #replaced: Uint8Array;
  readonly #former: Uint8Array;

  /** @throws RangeError for a key, valueHash or location that the map cannot hold. */
  constructor(writes: readonly MapWrite[]) {
    const sorted = sortWrites(writes);
    const count = sorted.length;
    let bytes = 0;
    for (const { key, valueHash } of sorted) {
      if (key.length === 0 || key.length > MAP_KEY_BYTES_MAX) throw new RangeError(`Cannot map a key of ${key.length} bytes`);
      if (valueHash && valueHash.length !== DIGEST_BYTES) throw new RangeError(`Cannot map a value hash of ${valueHash.length} bytes`);
      bytes += key.length + VALUE_BYTES;
    }
    const keys: ByteText[] = [];
    for (const { key } of sorted) keys.push(key);
    this.keys = keys;
    this.bytes = new Uint8Array(bytes);
    this.at = new Uint32Array(count);
    this.lengths = new Uint16Array(count);
    this.#deletes = new Uint8Array(count);
    this.#replaced = new Uint8Array(count);
    this.#former = new Uint8Array(count * VALUE_BYTES);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const { key, valueHash, location = 0 } = sorted[i]!;
      this.at[i] = at;
      this.lengths[i] = key.length;
      for (let j = 0; j < key.length; j++) {
        const unit = key.charCodeAt(j);
        if (unit > 255) throw new RangeError('Cannot map a key that is no byte text');
        this.bytes[at++] = unit;
      }
      if (valueHash === undefined) this.#deletes[i] = 1;
      else this.bytes.set(valueHash, at);
      writeLocation(this.bytes, at + DIGEST_BYTES, location);
      at += VALUE_BYTES;
    }
  }

  get count(): number {
    return this.keys.length;
  }

  deletes(i: number): boolean {
    return this.#deletes[i] === 1;
  }

  replace(i: number, bytes: Uint8Array, valueHashAt: number, locationAt: number): void {
    const at = i * VALUE_BYTES;
    this.#replaced[i] = 1;
    for (let j = 0; j < DIGEST_BYTES; j++) this.#former[at + j] = bytes[valueHashAt + j]!;
    for (let j = 0; j < LOCATION_BYTES; j++) this.#former[at + DIGEST_BYTES + j] = bytes[locationAt + j]!;
  }

  /** Keys that were in the map before. */
  replaced(): ReadonlySet<ByteText> {
    const keys = new Set<ByteText>();
    for (let i = 0; i < this.count; i++) if (this.#replaced[i] === 1) keys.add(this.keys[i]!);
    return keys;
  }

  /** Writes that undo these. */
  undo(): MapWrite[] {
    const writes: MapWrite[] = [];
    for (let i = 0; i < this.count; i++) writes.push(this.#undoOf(i));
    return writes;
  }

  #undoOf(i: number): MapWrite {
    const key = this.keys[i]!;
    if (this.#replaced[i] === 0) return { key, valueHash: undefined };
    const at = i * VALUE_BYTES;
    return { key, valueHash: this.#former.slice(at, at + DIGEST_BYTES), location: readLocation(this.#former, at + DIGEST_BYTES) };
  }
}

/**
 * The last write of each key, in key order; the writes themselves when they are that already. Code unit order is byte order for ByteText.
 */
export function sortWrites(writes: readonly MapWrite[]): readonly MapWrite[] {
  let sorted = true;
  for (let i = 1; sorted && i < writes.length; i++) sorted = writes[i]!.key > writes[i - 1]!.key;
  if (sorted) return writes;
  const last = new Map(writes.map((write) => [write.key, write]));
  return Array.from(last.keys())
    .sort()
    .map((key) => last.get(key)!);
}

/** New entries in key order, as bytes that stay what they are. */
export class SortedBatch implements Batch {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly at: Uint32Array;
  readonly lengths: Uint16Array;

  constructor(count: number, bytes: Uint8Array, at: Uint32Array, lengths: Uint16Array) {
    this.count = count;
    this.bytes = bytes;
    this.at = at;
    this.lengths = lengths;
  }

  deletes(): boolean {
    return false;
  }

  replace(): void {
    throw new Error('A sorted batch holds a key that is in the map');
  }
}

export function nibbleOf(batch: Batch, i: number, index: number): number {
  const byte = batch.bytes[batch.at[i]! + (index >> 1)]!;
  return (index & 1) === 0 ? byte >> 4 : byte & 15;
}
