/**
 * Entries on their way from one bucket to another: where each one's key, valueHash and location stand, in a batch of writes or in the record of a bucket.
 * Nothing is copied until a bucket is written, and no object is made for an entry.
 */
import { DIGEST_BYTES } from '../format/index.ts';
import { type BucketLog, bodyBytesAt, LOCATION_BYTES, RECORD_HEADER_BYTES, skipAt } from './bucket-log.ts';
import { BODY_AT, type NodeHash } from './node-hash.ts';

/** Entries in key order. Of each key the first `skip` bytes stand at `head` and the rest at `tail`, followed by the valueHash. */
export class Entries {
  count = 0;
  readonly bytes: Uint8Array[] = [];
  readonly head: number[] = [];
  readonly skip: number[] = [];
  readonly tail: number[] = [];
  /** Bytes of the key. */
  readonly length: number[] = [];
  readonly location: number[] = [];

  clear(): void {
    this.count = 0;
  }

  push(bytes: Uint8Array, head: number, skip: number, tail: number, length: number, location: number): void {
    const i = this.count++;
    this.bytes[i] = bytes;
    this.head[i] = head;
    this.skip[i] = skip;
    this.tail[i] = tail;
    this.length[i] = length;
    this.location[i] = location;
  }

  /** Appends the entries of a bucket. */
  pushBucket(log: BucketLog, bucket: number): void {
    const bytes = log.segment(bucket);
    const start = log.start(bucket);
    const skip = skipAt(bytes, start);
    const head = start + RECORD_HEADER_BYTES;
    let tail = head + skip + 1;
    let location = head + skip + bodyBytesAt(bytes, start);
    for (let left = bytes[head + skip]!; left > 0; left--) {
      const tailBytes = (bytes[tail]! << 8) | bytes[tail + 1]!;
      tail += 2;
      this.push(bytes, head, skip, tail, skip + tailBytes, location);
      tail += tailBytes + DIGEST_BYTES;
      location += LOCATION_BYTES;
    }
  }

  byte(i: number, index: number): number {
    const skip = this.skip[i]!;
    return index < skip ? this.bytes[i]![this.head[i]! + index]! : this.bytes[i]![this.tail[i]! + index - skip]!;
  }

  nibble(i: number, index: number): number {
    const byte = this.byte(i, index >> 1);
    return (index & 1) === 0 ? byte >> 4 : byte & 15;
  }

  /** Nibbles that two keys begin with in common, when the first `from` bytes are known to be. */
  sharedNibbles(a: number, b: number, from: number): number {
    const most = Math.min(this.length[a]!, this.length[b]!);
    let i = from;
    while (i < most && this.byte(a, i) === this.byte(b, i)) i++;
    if (i === most) return 2 * i;
    return 2 * i + (((this.byte(a, i) ^ this.byte(b, i)) & 0xf0) === 0 ? 1 : 0);
  }

  valueHashAt(i: number): number {
    return this.tail[i]! + this.length[i]! - this.skip[i]!;
  }

  /** Copies the first bytes of a key. */
  writeKey(i: number, count: number, target: Uint8Array, at: number): void {
    for (let index = 0; index < count; index++) target[at + index] = this.byte(i, index);
  }

  /** Writes entries lo to hi as a bucket whose slot ends in byte `skip`, and its hash to `out`. Returns the bucket. */
  writeBucket(lo: number, hi: number, skip: number, log: BucketLog, hasher: NodeHash, out: Uint8Array, outAt: number): number {
    const { scratch } = hasher;
    let at = BODY_AT;
    scratch[at++] = hi - lo;
    for (let i = lo; i < hi; i++) {
      const bytes = this.bytes[i]!;
      const length = this.length[i]!;
      const ownSkip = this.skip[i]!;
      scratch[at++] = (length - skip) >> 8;
      scratch[at++] = length - skip;
      for (let from = this.head[i]! + skip, to = this.head[i]! + ownSkip; from < to; from++) scratch[at++] = bytes[from]!;
      const behind = Math.max(skip - ownSkip, 0);
      const from = this.tail[i]! + behind;
      const count = length - ownSkip - behind + DIGEST_BYTES;
      for (let j = 0; j < count; j++) scratch[at + j] = bytes[from + j]!;
      at += count;
    }
    hasher.bucket(at, out, outAt);
    return this.#record(lo, hi, skip, log, scratch, at);
  }

  /** Writes entry i, whose key is the path of a branch, as a bucket of its own. */
  writeEnd(i: number, log: BucketLog, { scratch }: NodeHash): number {
    scratch.set([1, 0, 0], BODY_AT);
    const bytes = this.bytes[i]!;
    const from = this.valueHashAt(i);
    for (let j = 0; j < DIGEST_BYTES; j++) scratch[BODY_AT + 3 + j] = bytes[from + j]!;
    return this.#record(i, i + 1, this.length[i]!, log, scratch, BODY_AT + 3 + DIGEST_BYTES);
  }

  #record(lo: number, hi: number, skip: number, log: BucketLog, scratch: Uint8Array, end: number): number {
    const bucket = log.add(end - BODY_AT, skip, hi - lo);
    const target = log.segment(bucket);
    let at = log.start(bucket) + RECORD_HEADER_BYTES;
    this.writeKey(lo, skip, target, at);
    at += skip;
    for (let i = BODY_AT; i < end; i++) target[at++] = scratch[i]!;
    for (let i = lo; i < hi; i++) {
      const bytes = this.bytes[i]!;
      const location = this.location[i]!;
      for (let j = 0; j < LOCATION_BYTES; j++) target[at++] = bytes[location + j]!;
    }
    return bucket;
  }
}
