/**
 * The entries of one version in key order, written one by one as a snapshot has them. No object is made for an entry: a snapshot writes every key of the
 * map a few times for each key that a block writes.
 */
import { DIGEST_BYTES } from '../format/index.ts';
import { bodyBytesAt, LOCATION_BYTES, RECORD_HEADER_BYTES, skipAt } from './bucket-log.ts';
import type { Node, Tree } from './tree.ts';

export interface EntryWriter {
  /** Writes the next entry, u16 length | key | valueHash | u64 location, to `target` from `at` on. @returns where it ends; -1 when there is none */
  next(target: Uint8Array, at: number): number;
}

/** Nothing that it walks over may be freed until its end; buckets may move. */
export class EntryWalk implements EntryWriter {
  readonly #tree: Tree;
  readonly #buckets: Iterator<number>;
  #bucket = 0;
  /** Of the bucket: entries, those written, and where the next one begins in the record. */
  #count = 0;
  #written = 0;
  #from = 0;

  constructor(tree: Tree, top: Node) {
    this.#tree = tree;
    this.#buckets = tree.buckets(top);
  }

  /** @throws PagesDamaged */
  next(target: Uint8Array, at: number): number {
    const { log } = this.#tree;
    while (this.#written === this.#count) {
      const bucket = this.#buckets.next();
      if (bucket.done === true) return -1;
      this.#begin(bucket.value);
    }
    const bytes = log.segment(this.#bucket);
    const start = log.start(this.#bucket);
    const head = start + RECORD_HEADER_BYTES;
    const skip = skipAt(bytes, start);
    const tail = start + this.#from;
    const tailBytes = (bytes[tail]! << 8) | bytes[tail + 1]!;
    const length = skip + tailBytes;
    const ended = tailBytes + DIGEST_BYTES;
    const location = head + skip + bodyBytesAt(bytes, start) + LOCATION_BYTES * this.#written;
    let to = at;
    target[to++] = length >> 8;
    target[to++] = length;
    for (let i = 0; i < skip; i++) target[to++] = bytes[head + i]!;
    for (let i = 2; i < 2 + ended; i++) target[to++] = bytes[tail + i]!;
    for (let i = 0; i < LOCATION_BYTES; i++) target[to++] = bytes[location + i]!;
    this.#written++;
    this.#from += 2 + ended;
    return to;
  }

  #begin(bucket: number): void {
    const { log } = this.#tree;
    const bytes = log.segment(bucket);
    const start = log.start(bucket);
    const body = RECORD_HEADER_BYTES + skipAt(bytes, start);
    this.#bucket = bucket;
    this.#count = bytes[start + body]!;
    this.#written = 0;
    this.#from = body + 1;
  }
}
