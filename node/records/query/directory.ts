/**
 * Which closed segments have a posted value, by a hash of it: a segment that is named wrongly has no row of the value, and none is left out.
 * Segments are grouped as they close: for each of BUCKETS parts of all hashes a group is one row of the store, so that the rows which a value
 * can stand in lie side by side, one for 65,536 versions. Until its group is made a segment is one row, and in memory.
 */
import type { ByteText } from '../../format/index.ts';
import type { ChainError } from '../../errors/index.ts';
import type { Store, StoreOperation } from '../../world.ts';
import { indexKey, type PostedField, postedFields } from './keys.ts';

export const GROUP_SEGMENTS = 16;
const BUCKET_BITS = 12;
const BUCKETS = 1 << BUCKET_BITS;
/** Rows of a bucket that are read at once. */
const GROUPS_AT_ONCE = 32;
const HASH_BYTES = 4;
const ENTRY_BYTES = HASH_BYTES + 1; // the hash, and the segment's place in its group

/** FNV-1a over the field and the UTF-16 units of the value, then the last steps of MurmurHash3, for buckets go by the upper bits. Part of the form. */
export function hashOf(field: PostedField, value: string): number {
  let hash = Math.imul(0x811c9dc5 ^ postedFields[field].charCodeAt(0), 0x01000193);
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function bucketOf(hash: number): number {
  return hash >>> (32 - BUCKET_BITS);
}

export function sortedByBucket(hashes: readonly number[]): Uint32Array {
  const starts = startsOf(hashes);
  const sorted = new Uint32Array(hashes.length);
  for (const hash of hashes) sorted[starts[bucketOf(hash)]!++] = hash;
  return sorted;
}

/** Where each bucket begins, and where the last one ends. */
function startsOf(hashes: ArrayLike<number>): Uint32Array {
  const starts = new Uint32Array(BUCKETS + 1);
  for (let i = 0; i < hashes.length; i++) starts[bucketOf(hashes[i]!) + 1]!++;
  for (let bucket = 0; bucket < BUCKETS; bucket++) starts[bucket + 1]! += starts[bucket]!;
  return starts;
}

export function bytesOf(hashes: Uint32Array): Uint8Array {
  const out = new Uint8Array(HASH_BYTES * hashes.length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < hashes.length; i++) view.setUint32(HASH_BYTES * i, hashes[i]!);
  return out;
}

/** Hashes of the values of a segment in order of their buckets. */
class Values {
  readonly hashes: Uint32Array;
  readonly starts: Uint32Array;

  constructor(hashes: Uint32Array) {
    this.hashes = hashes;
    this.starts = startsOf(hashes);
  }

  has(hash: number): boolean {
    const bucket = bucketOf(hash);
    const end = this.starts[bucket + 1]!;
    for (let at = this.starts[bucket]!; at < end; at++) if (this.hashes[at] === hash) return true;
    return false;
  }
}

export class Directory {
  readonly groups: number;
  /** Of the closed segments behind the groups. */
  readonly #waiting: readonly Values[];

  constructor(groups = 0, waiting: readonly Values[] = []) {
    this.groups = groups;
    this.#waiting = waiting;
  }

  /** @throws ChainError when a row is damaged or missing */
  static load(store: Pick<Store, 'get'>, closed: number, missing: (key: ByteText) => ChainError): Directory {
    const groups = Math.floor(closed / GROUP_SEGMENTS);
    const waiting: Values[] = [];
    for (let segment = groups * GROUP_SEGMENTS; segment < closed; segment++) {
      const bytes = store.get(indexKey.values(segment));
      if (!bytes) throw missing(indexKey.values(segment));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      waiting.push(new Values(Uint32Array.from({ length: bytes.length / HASH_BYTES }, (_, i) => view.getUint32(HASH_BYTES * i))));
    }
    return new Directory(groups, waiting);
  }

  /** The directory with one more segment; gives rows to be written before it is used, and undefined where there may be a pause. */
  *with(hashes: Uint32Array): Generator<StoreOperation | undefined, Directory, void> {
    const waiting = [...this.#waiting, new Values(hashes)];
    if (waiting.length < GROUP_SEGMENTS) return new Directory(this.groups, waiting);
    for (let bucket = 0; bucket < BUCKETS; bucket++) yield { key: indexKey.group(bucket, this.groups), value: groupRow(waiting, bucket) };
    return new Directory(this.groups + 1);
  }

  /** Whether a segment behind the groups has the value. */
  waits(segment: number, hash: number): boolean {
    return this.#waiting[segment - this.groups * GROUP_SEGMENTS]?.has(hash) ?? false;
  }
}

function groupRow(segments: readonly Values[], bucket: number): Uint8Array {
  let count = 0;
  for (const { starts } of segments) count += starts[bucket + 1]! - starts[bucket]!;
  const out = new Uint8Array(ENTRY_BYTES * count);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [place, { hashes, starts }] of segments.entries()) {
    for (let i = starts[bucket]!; i < starts[bucket + 1]!; i++, at++) {
      view.setUint32(HASH_BYTES * at, hashes[i]!);
      out[HASH_BYTES * count + at] = place;
    }
  }
  return out;
}

/** Segments that have one value. */
export class ValueSegments {
  readonly #store: Pick<Store, 'range'>;
  readonly #directory: () => Directory;
  readonly #missing: (key: ByteText) => ChainError;
  readonly #hash: number;
  /** By group: a bit for each segment. */
  readonly #found = new Map<number, number>();

  constructor(
    store: Pick<Store, 'range'>,
    directory: () => Directory,
    missing: (key: ByteText) => ChainError,
    field: PostedField,
    value: string,
  ) {
    this.#store = store;
    this.#directory = directory;
    this.#missing = missing;
    this.#hash = hashOf(field, value);
  }

  /** @throws ChainError when a row is damaged or missing */
  async has(segment: number): Promise<boolean> {
    const group = Math.floor(segment / GROUP_SEGMENTS);
    if (group >= this.#directory().groups) return this.#directory().waits(segment, this.#hash);
    if (!this.#found.has(group)) await this.#read(group - (group % GROUPS_AT_ONCE));
    return ((this.#found.get(group)! >> (segment % GROUP_SEGMENTS)) & 1) === 1;
  }

  async #read(first: number): Promise<void> {
    const end = Math.min(first + GROUPS_AT_ONCE, this.#directory().groups);
    const bucket = bucketOf(this.#hash);
    const [from, to] = [indexKey.group(bucket, first), indexKey.group(bucket, end)];
    const rows = await this.#store.range({ from, to, limit: GROUPS_AT_ONCE });
    for (let group = first; group < end; group++) {
      const row = rows[group - first];
      if (row?.key !== indexKey.group(bucket, group)) throw this.#missing(indexKey.group(bucket, group));
      this.#found.set(group, segmentsIn(row.value, this.#hash));
    }
  }
}

function segmentsIn(row: Uint8Array, hash: number): number {
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  const count = row.length / ENTRY_BYTES;
  let found = 0;
  for (let i = 0; i < count; i++) if (view.getUint32(HASH_BYTES * i) === hash) found |= 1 << row[HASH_BYTES * count + i]!;
  return found;
}
