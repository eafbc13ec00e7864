/**
 * The buckets of the state map: up to BUCKET_ENTRIES_MAX entries each, as records of bytes appended to segments of memory. A record is
 * never changed; what is no longer used is garbage, and the segments with the most of it are emptied into the newest one, so that memory
 * stays within a third of what is alive whatever sizes come and go. Buckets are known by number, which stays when their record moves.
 *
 * Record: u32 bucket | u16 bytes of the body | u16 skip | first `skip` bytes of every key | body | per entry: u64 location, high half first
 * Body, as the bucket's hash covers it: u8 count | per entry in key order: u16 length, key from byte `skip` on, valueHash
 */
import { type PageFile, SEGMENT_BYTES, Segments } from './segments.ts';

export const RECORD_HEADER_BYTES = 8;
export const LOCATION_BYTES = 8;

/** Places are counted in units of four bytes, so that 32 bits reach 16 GiB. */
const UNIT_BYTES = 4;
const SEGMENT_UNITS_BITS = 16; // SEGMENT_BYTES / UNIT_BYTES = 2^16
const SEGMENT_UNITS_MASK = (1 << SEGMENT_UNITS_BITS) - 1;
/** Garbage is collected once it is more than this part of what is alive, ... */
const GARBAGE_DIVISOR = 4;
/** ... but for so many bytes, which a small map may always leave lying. */
const GARBAGE_BYTES_FREE = 2 * SEGMENT_BYTES;

export class BucketLog {
  readonly #segments: Segments;
  /** By segment: bytes of records in use. */
  readonly #segmentLive: number[] = [];
  /** By bucket: 1 + place of its record in units, 0 when the number is free; and units of its record. */
  #places = new Uint32Array(1024);
  #sizes = new Uint16Array(1024);
  readonly #freeNumbers: number[] = [];
  #numbers = 0;
  #newest = -1;
  #at = SEGMENT_BYTES;
  #liveBytes = 0;
  /** The bucket read last from the page file, and its record. */
  #readBucket = 0;
  #readRecord: Uint8Array = new Uint8Array(0);

  constructor(file: PageFile | undefined) {
    this.#segments = new Segments(file);
  }

  /** Buckets in use. */
  get count(): number {
    return this.#numbers - this.#freeNumbers.length;
  }

  /** Of records in use, in memory or not. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Memory taken, garbage and tables included. */
  get bytes(): number {
    return this.#segments.bytes + this.#places.byteLength + this.#sizes.byteLength;
  }

  /**
   * The bytes that hold the record of a bucket; it begins at `start(bucket)`. Both hold until the next `collect`.
   * @throws PagesDamaged
   */
  segment(bucket: number): Uint8Array {
    return this.#segments.inMemory(this.#segmentOf(bucket)) ?? this.#read(bucket);
  }

  start(bucket: number): number {
    return this.#segments.inMemory(this.#segmentOf(bucket)) === undefined ? 0 : this.#startOf(bucket);
  }

  #segmentOf(bucket: number): number {
    return (this.#places[bucket]! - 1) >>> SEGMENT_UNITS_BITS;
  }

  #startOf(bucket: number): number {
    return ((this.#places[bucket]! - 1) & SEGMENT_UNITS_MASK) * UNIT_BYTES;
  }

  #read(bucket: number): Uint8Array {
    if (bucket !== this.#readBucket) {
      const start = this.#startOf(bucket);
      this.#readRecord = this.#segments.read(this.#segmentOf(bucket), start, start + this.#sizes[bucket]! * UNIT_BYTES);
      this.#readBucket = bucket;
    }
    return this.#readRecord;
  }

  /** Room for a new record: fills its header and returns its bucket. The caller writes the rest. */
  add(bodyBytes: number, skip: number, entries: number): number {
    const bucket = this.#freeNumbers.pop() ?? this.#newNumber();
    const bytes = recordBytes(bodyBytes, skip, entries);
    const at = this.#room(bytes);
    const segment = this.#segments.inMemory(this.#newest)!;
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
    const bytes = this.#sizes[bucket]! * UNIT_BYTES;
    this.#segmentLive[this.#segmentOf(bucket)]! -= bytes;
    this.#liveBytes -= bytes;
    this.#places[bucket] = 0;
    this.#freeNumbers.push(bucket);
  }

  /**
   * Empties segments until garbage is within its bound, and keeps what fits `bytesMax` in memory. Records move.
   * @returns how many segments went to the page file
   * @throws PagesDamaged; ChainError STORE_FULL, STORE_IO when no more can be moved to the page file
   */
  collect(bytesMax: number): number {
    this.#readBucket = 0;
    const garbage = () => this.#segments.count * SEGMENT_BYTES - this.#liveBytes;
    while (garbage() > this.#liveBytes / GARBAGE_DIVISOR + GARBAGE_BYTES_FREE) this.#empty(this.#sparsest());
    return this.#segments.spill(bytesMax - this.#places.byteLength - this.#sizes.byteLength);
  }

  #newNumber(): number {
    const bucket = ++this.#numbers;
    if (bucket === this.#places.length) {
      const [places, sizes] = [new Uint32Array(2 * bucket), new Uint16Array(2 * bucket)];
      places.set(this.#places);
      sizes.set(this.#sizes);
      [this.#places, this.#sizes] = [places, sizes];
    }
    return bucket;
  }

  #room(bytes: number): number {
    if (this.#at + bytes > SEGMENT_BYTES) {
      if (this.#newest >= 0) this.#endSegment();
      this.#newest = this.#segments.take();
      this.#segmentLive[this.#newest] = 0;
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  /** Behind the last record of a segment stand four zeros: no bucket has the number 0. */
  #endSegment(): void {
    if (this.#at < SEGMENT_BYTES) this.#segments.inMemory(this.#newest)!.fill(0, this.#at, this.#at + UNIT_BYTES);
  }

  #settle(bucket: number, at: number, bytes: number): void {
    this.#places[bucket] = placeOf(this.#newest, at);
    this.#sizes[bucket] = bytes / UNIT_BYTES;
    this.#segmentLive[this.#newest]! += bytes;
    this.#liveBytes += bytes;
  }

  /** The segment with the fewest bytes in use, the newest one left out. */
  #sparsest(): number {
    let found = -1;
    for (let i = 0; i < this.#segments.numbers; i++)
      if (i !== this.#newest && !this.#segments.isFree(i) && (found < 0 || this.#segmentLive[i]! < this.#segmentLive[found]!)) found = i;
    return found;
  }

  /** Moves what is in use out of a segment. */
  #empty(index: number): void {
    const live = this.#segmentLive[index]!;
    const from = live === 0 ? NOTHING : (this.#segments.inMemory(index) ?? this.#segments.read(index, 0, SEGMENT_BYTES));
    for (let at = 0; at < from.length && this.#segmentLive[index]! > 0; ) {
      const bucket = ((from[at]! << 24) | (from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!) >>> 0;
      if (bucket === 0) break;
      const bytes = recordBytesAt(from, at);
      if (this.#places[bucket] === placeOf(index, at)) {
        const to = this.#room(bytes);
        this.#segments.inMemory(this.#newest)!.set(from.subarray(at, at + bytes), to);
        this.#segmentLive[index]! -= bytes;
        this.#liveBytes -= bytes;
        this.#settle(bucket, to, bytes);
      }
      at += bytes;
    }
    this.#segments.give(index);
  }
}

const NOTHING = new Uint8Array(0);

function placeOf(segment: number, at: number): number {
  return ((segment << SEGMENT_UNITS_BITS) >>> 0) + at / UNIT_BYTES + 1;
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
