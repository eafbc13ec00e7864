/**
 * The buckets of the state map: up to BUCKET_ENTRIES_MAX entries each, as records of bytes appended to segments of memory. A record is never changed;
 * what is no longer used is garbage, and the segments with the most of it are emptied into the newest one, so that memory stays within a third of what
 * is alive whatever sizes come and go. Buckets are known by number, which stays when their record moves.
 *
 * Record: u32 bucket | u16 bytes of the body | u16 skip | first `skip` bytes of every key | body | per entry: u64 location, high half first
 * Body, as the bucket's hash covers it: u8 count | per entry in key order: u16 length, key from byte `skip` on, valueHash
 */
import { DIGEST_BYTES, MAP_KEY_BYTES_MAX } from '../format/index.ts';

/** Entries of one bucket; a subtree of more has a branch on top. Part of the form (node/format/state-proof.ts). */
export { BUCKET_ENTRIES_MAX } from '../format/index.ts';
export const RECORD_HEADER_BYTES = 8;
export const LOCATION_BYTES = 8;

const SEGMENT_BYTES = 256 * 1024;
/** Places are counted in units of four bytes, so that 32 bits reach 16 GiB. */
const UNIT_BYTES = 4;
const SEGMENT_UNITS_BITS = 16; // SEGMENT_BYTES / UNIT_BYTES = 2^16
const SEGMENT_UNITS_MASK = (1 << SEGMENT_UNITS_BITS) - 1;
/** Garbage is collected once it is more than this part of what is alive, ... */
const GARBAGE_DIVISOR = 4;
/** ... but for so many bytes, which a small map may always leave lying. */
const GARBAGE_BYTES_FREE = 2 * SEGMENT_BYTES;

export class BucketLog {
  readonly #segments: Uint8Array[] = [];
  /** By segment: bytes of records in use. */
  readonly #segmentLive: number[] = [];
  readonly #emptySegments: number[] = [];
  /** By bucket: 1 + place of its record in units; 0 when the number is free. */
  #places = new Uint32Array(1024);
  readonly #freeNumbers: number[] = [];
  #numbers = 0;
  #newest = -1;
  #at = SEGMENT_BYTES;
  #liveBytes = 0;

  /** Buckets in use. */
  get count(): number {
    return this.#numbers - this.#freeNumbers.length;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Memory taken, garbage and tables included. */
  get bytes(): number {
    return this.#segments.length * SEGMENT_BYTES + this.#places.byteLength;
  }

  /** The segment that holds the record of a bucket; its record begins at `start(bucket)`. Both hold until the next `collect`. */
  segment(bucket: number): Uint8Array {
    return this.#segments[(this.#places[bucket]! - 1) >>> SEGMENT_UNITS_BITS]!;
  }

  start(bucket: number): number {
    return ((this.#places[bucket]! - 1) & SEGMENT_UNITS_MASK) * UNIT_BYTES;
  }

  /** Room for a new record: fills its header and returns its bucket. The caller writes the rest. */
  add(bodyBytes: number, skip: number, entries: number): number {
    const bucket = this.#freeNumbers.pop() ?? this.#newNumber();
    const bytes = recordBytes(bodyBytes, skip, entries);
    const at = this.#room(bytes);
    const segment = this.#segments[this.#newest]!;
    segment[at] = bucket >>> 24;
    segment[at + 1] = bucket >>> 16;
    segment[at + 2] = bucket >>> 8;
    segment[at + 3] = bucket;
    segment[at + 4] = bodyBytes >> 8;
    segment[at + 5] = bodyBytes;
    segment[at + 6] = skip >> 8;
    segment[at + 7] = skip;
    this.#settle(bucket, at, bytes);
    return bucket;
  }

  /** The bucket is no longer used; its record stays readable until the next `collect`. */
  free(bucket: number): void {
    const bytes = this.#bytesOf(bucket);
    this.#segmentLive[(this.#places[bucket]! - 1) >>> SEGMENT_UNITS_BITS]! -= bytes;
    this.#liveBytes -= bytes;
    this.#places[bucket] = 0;
    this.#freeNumbers.push(bucket);
  }

  /** Empties segments until garbage is within its bound. Records move. */
  collect(): void {
    const filled = () => (this.#segments.length - this.#emptySegments.length) * SEGMENT_BYTES;
    while (filled() - this.#liveBytes > this.#liveBytes / GARBAGE_DIVISOR + GARBAGE_BYTES_FREE) this.#empty(this.#sparsest());
  }

  #bytesOf(bucket: number): number {
    const segment = this.segment(bucket);
    return recordBytesAt(segment, this.start(bucket));
  }

  #newNumber(): number {
    const bucket = ++this.#numbers;
    if (bucket === this.#places.length) {
      const grown = new Uint32Array(2 * bucket);
      grown.set(this.#places);
      this.#places = grown;
    }
    return bucket;
  }

  #room(bytes: number): number {
    if (this.#at + bytes > SEGMENT_BYTES) {
      if (this.#newest >= 0) this.#endSegment();
      this.#newest = this.#emptySegments.pop() ?? this.#segments.push(new Uint8Array(SEGMENT_BYTES)) - 1;
      this.#segmentLive[this.#newest] = 0;
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  /** Behind the last record of a segment stand four zeros: no bucket has the number 0. */
  #endSegment(): void {
    if (this.#at < SEGMENT_BYTES) this.#segments[this.#newest]!.fill(0, this.#at, this.#at + UNIT_BYTES);
  }

  #settle(bucket: number, at: number, bytes: number): void {
    this.#places[bucket] = ((this.#newest << SEGMENT_UNITS_BITS) >>> 0) + at / UNIT_BYTES + 1;
    this.#segmentLive[this.#newest]! += bytes;
    this.#liveBytes += bytes;
  }

  /** The segment with the fewest bytes in use, the newest one left out. */
  #sparsest(): number {
    const empty = new Set(this.#emptySegments);
    let found = -1;
    for (let i = 0; i < this.#segments.length; i++)
      if (i !== this.#newest && !empty.has(i) && (found < 0 || this.#segmentLive[i]! < this.#segmentLive[found]!)) found = i;
    return found;
  }

  /** Moves what is in use out of a segment. */
  #empty(index: number): void {
    const from = this.#segments[index]!;
    for (let at = 0; at < SEGMENT_BYTES && this.#segmentLive[index]! > 0; ) {
      const bucket = ((from[at]! << 24) | (from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!) >>> 0;
      if (bucket === 0) break;
      const bytes = recordBytesAt(from, at);
      if (this.#places[bucket] === ((index << SEGMENT_UNITS_BITS) >>> 0) + at / UNIT_BYTES + 1) {
        const to = this.#room(bytes);
        this.#segments[this.#newest]!.set(from.subarray(at, at + bytes), to);
        this.#segmentLive[index]! -= bytes;
        this.#liveBytes -= bytes;
        this.#settle(bucket, to, bytes);
      }
      at += bytes;
    }
    this.#emptySegments.push(index);
  }
}

function recordBytes(bodyBytes: number, skip: number, entries: number): number {
  return (RECORD_HEADER_BYTES + skip + bodyBytes + LOCATION_BYTES * entries + UNIT_BYTES - 1) & -UNIT_BYTES;
}

function recordBytesAt(segment: Uint8Array, at: number): number {
  const skip = skipAt(segment, at);
  return recordBytes(bodyBytesAt(segment, at), skip, segment[at + RECORD_HEADER_BYTES + skip]!);
}

export function bodyBytesAt(segment: Uint8Array, at: number): number {
  return (segment[at + 4]! << 8) | segment[at + 5]!;
}

export function skipAt(segment: Uint8Array, at: number): number {
  return (segment[at + 6]! << 8) | segment[at + 7]!;
}

/** Bytes of the longest body there can be. */
export function bodyBytesMax(entries: number): number {
  return 1 + entries * (2 + MAP_KEY_BYTES_MAX + DIGEST_BYTES);
}
