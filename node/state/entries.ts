/**
 * Entries on their way from one bucket to another: where each one's key, valueHash and location stand, in a batch of writes or in the
 * record of a bucket. Nothing is copied until a bucket is written, and no object is made for an entry.
 */
import { DIGEST_BYTES } from '../format/index.ts';
import { type BucketLog, bodyBytesAt, LOCATION_BYTES, RECORD_HEADER_BYTES, skipAt } from './bucket-log.ts';
import { BODY_AT, type NodeHash } from './node-hash.ts';

/** In place of `head` for a key that stands in one piece at `tail`, as in a batch. */
export const NO_HEAD = -1;

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
    for (let i = lo; i < hi; ) {
      const from = i++;
      if (this.skip[from] !== skip || this.head[from] === NO_HEAD) {
        at = this.#writeEntry(from, skip, scratch, at);
        continue;
      }
      // Entries that stand one behind the other in a bucket of the same slot go over together, lengths and all.
      while (i < hi && this.bytes[i] === this.bytes[from] && this.head[i] === this.head[from] && this.tail[i] === this.#endOf(i - 1) + 2)
        i++;
      const run = this.bytes[from]!.subarray(this.tail[from]! - 2, this.#endOf(i - 1));
      scratch.set(run, at);
      at += run.length;
    }
    hasher.bucket(at, out, outAt);
    return this.#record(lo, hi, skip, log, hasher, at);
  }

  /** Where the valueHash of entry i ends. */
  #endOf(i: number): number {
    return this.valueHashAt(i) + DIGEST_BYTES;
  }

  #writeEntry(i: number, skip: number, target: Uint8Array, from: number): number {
    const bytes = this.bytes[i]!;
    const length = this.length[i]!;
    const ownSkip = this.skip[i]!;
    let at = from;
    target[at++] = (length - skip) >> 8;
    target[at++] = length - skip;
    for (let head = this.head[i]! + skip, to = this.head[i]! + ownSkip; head < to; head++) target[at++] = bytes[head]!;
    const behind = Math.max(skip - ownSkip, 0);
    const tail = this.tail[i]! + behind;
    const count = length - ownSkip - behind + DIGEST_BYTES;
    for (let j = 0; j < count; j++) target[at + j] = bytes[tail + j]!;
    return at + count;
  }

  /** Writes entry i, whose key is the path of a branch, as a bucket of its own. */
  writeEnd(i: number, log: BucketLog, hasher: NodeHash): number {
    const { scratch } = hasher;
    scratch.set([1, 0, 0], BODY_AT);
    const bytes = this.bytes[i]!;
    const from = this.valueHashAt(i);
    for (let j = 0; j < DIGEST_BYTES; j++) scratch[BODY_AT + 3 + j] = bytes[from + j]!;
    return this.#record(i, i + 1, this.length[i]!, log, hasher, BODY_AT + 3 + DIGEST_BYTES);
  }

  #record(lo: number, hi: number, skip: number, log: BucketLog, hasher: NodeHash, end: number): number {
    const bucket = log.add(end - BODY_AT, skip, hi - lo);
    const target = log.segment(bucket);
    let at = log.start(bucket) + RECORD_HEADER_BYTES;
    this.writeKey(lo, skip, target, at);
    at += skip;
    target.set(hasher.body(end), at);
    at += end - BODY_AT;
    for (let i = lo; i < hi; i++) {
      const bytes = this.bytes[i]!;
      const location = this.location[i]!;
      for (let j = 0; j < LOCATION_BYTES; j++) target[at++] = bytes[location + j]!;
    }
    return bucket;
  }
}
