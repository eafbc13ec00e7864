/**
 * Entries of a snapshot and what was written since, as one sequence in key order: a map is filled in that order for a small part of what it costs to
 * write each key into one that is there.
 */
import { SortedBatch, VALUE_BYTES } from './batch.ts';
import { WritesOf } from './change-set.ts';
import type { MapLoader, StateMap } from './state-map.ts';

/** Of a batch that is given to the map at once. */
const BATCH_BYTES = 256 * 1024;

/** A map that is filled by a snapshot, frame by frame, while `changes` take their places among its entries. */
export class MergedLoader {
  readonly #loader: MapLoader;
  readonly #changes: MergedChanges;
  #batch = new BatchWriter();

  /** @param changes encoded change sets, oldest first, each of which `decodeChangeSet` has read */
  constructor(loader: MapLoader, changes: readonly Uint8Array[]) {
    this.#loader = loader;
    this.#changes = new MergedChanges(changes);
  }

  /** `batch` holds one entry at least, all behind those added before. */
  add(batch: SortedBatch): void {
    const { bytes, at, lengths, count } = batch;
    if (!this.#changes.isAtOrBefore(bytes, at[count - 1]!, lengths[count - 1]!)) {
      this.#loader.add(batch);
      return;
    }
    for (let i = 0; i < count; i++) {
      let isReplaced = false;
      while (!isReplaced && this.#changes.isAtOrBefore(bytes, at[i]!, lengths[i]!)) {
        isReplaced = this.#changes.isAt(bytes, at[i]!, lengths[i]!);
        this.#takeChange();
      }
      if (!isReplaced) this.#put(bytes, at[i]!, lengths[i]!, at[i]! + lengths[i]!);
    }
    this.#flush();
  }

  finish(): StateMap {
    while (this.#changes.at !== undefined) this.#takeChange();
    this.#flush();
    return this.#loader.finish();
  }

  #takeChange(): void {
    const { bytes, keyAt, keyLength, valueAt, puts } = this.#changes.at!;
    if (puts) this.#put(bytes, keyAt, keyLength, valueAt);
    this.#changes.next();
  }

  #put(bytes: Uint8Array, keyAt: number, keyLength: number, valueAt: number): void {
    this.#batch.put(bytes, keyAt, keyLength, valueAt);
    if (this.#batch.isFull) this.#flush();
  }

  #flush(): void {
    const batch = this.#batch.finish();
    if (batch.count === 0) return;
    this.#loader.add(batch);
    this.#batch = new BatchWriter();
  }
}

class BatchWriter {
  #bytes = new Uint8Array(BATCH_BYTES);
  #used = 0;
  readonly #at: number[] = [];
  readonly #lengths: number[] = [];

  /** Whether one more entry of any length might have no room. */
  get isFull(): boolean {
    return this.#used > BATCH_BYTES / 2;
  }

  put(bytes: Uint8Array, keyAt: number, keyLength: number, valueAt: number): void {
    this.#at.push(this.#used);
    this.#lengths.push(keyLength);
    this.#copy(bytes, keyAt, keyLength);
    this.#copy(bytes, valueAt, VALUE_BYTES);
  }

  finish(): SortedBatch {
    return new SortedBatch(this.#at.length, this.#bytes, Uint32Array.from(this.#at), Uint16Array.from(this.#lengths));
  }

  #copy(bytes: Uint8Array, from: number, length: number): void {
    const [to, at] = [this.#bytes, this.#used];
    for (let i = 0; i < length; i++) to[at + i] = bytes[from + i]!;
    this.#used += length;
  }
}

/** A write of one set; of two sets with one key the one that is later among them counts. */
interface Source {
  readonly writes: WritesOf;
  readonly order: number;
}

/** A binary heap of sets by the key that each is at, the later set first where keys are equal. */
class MergedChanges {
  readonly #heap: Source[] = [];

  constructor(sets: readonly Uint8Array[]) {
    for (const [order, bytes] of sets.entries()) {
      const writes = new WritesOf(bytes);
      if (!writes.next()) continue;
      this.#heap.push({ writes, order });
      this.#up(this.#heap.length - 1);
    }
  }

  /** The write at hand; undefined when there are no more. */
  get at(): WritesOf | undefined {
    return this.#heap[0]?.writes;
  }

  isAtOrBefore(bytes: Uint8Array, keyAt: number, keyLength: number): boolean {
    const now = this.at;
    return now !== undefined && compareKeys(now.bytes, now.keyAt, now.keyLength, bytes, keyAt, keyLength) <= 0;
  }

  isAt(bytes: Uint8Array, keyAt: number, keyLength: number): boolean {
    const now = this.at;
    return now !== undefined && compareKeys(now.bytes, now.keyAt, now.keyLength, bytes, keyAt, keyLength) === 0;
  }

  /** Past the write at hand, and past what earlier sets wrote under its key. */
  next(): void {
    const { bytes, keyAt, keyLength } = this.at!;
    do this.#step();
    while (this.isAt(bytes, keyAt, keyLength));
  }

  #step(): void {
    const heap = this.#heap;
    if (!heap[0]!.writes.next()) {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      heap[0] = last;
    }
    this.#down();
  }

  #up(from: number): void {
    const heap = this.#heap;
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) return;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

function isBefore(a: Source, b: Source): boolean {
  const order = compareKeys(a.writes.bytes, a.writes.keyAt, a.writes.keyLength, b.writes.bytes, b.writes.keyAt, b.writes.keyLength);
  return order < 0 || (order === 0 && a.order > b.order);
}

/** As compareBytes, without arrays of their own. */
function compareKeys(a: Uint8Array, aAt: number, aLength: number, b: Uint8Array, bAt: number, bLength: number): number {
  const shared = Math.min(aLength, bLength);
  for (let i = 0; i < shared; i++) {
    const difference = a[aAt + i]! - b[bAt + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}
