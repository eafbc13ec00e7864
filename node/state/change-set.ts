/**
 * What one block changes in the state map, as bytes: the keys it writes with their new valueHashes and locations, and the roots it leads
 * from and to. What undoes a block is a change set too, in the other direction: the same keys with what stood there before.
 *
 * u8 form | u64 height | root before | root after | u32 writes | per write in key order: u16 length, key, u8 (0 deletes, 1 puts),
 * [valueHash, u64 location] | H(map-changes, all of it). No root covers a location, so the hash at the end does.
 */
import { ChainError } from '../errors/index.ts';
import {
  type Crypto,
  DecodeError,
  decodeAll,
  DIGEST_BYTES,
  type Digest,
  equalBytes,
  hashTagged,
  MAP_KEY_BYTES_MAX,
  type Reader,
  toByteText,
  Writer,
} from '../format/index.ts';
import { type MapWrite, sortWrites, VALUE_BYTES } from './batch.ts';

const FORM = 1;
/** Where the count of writes stands. */
const WRITES_AT = 1 + 8 + 2 * DIGEST_BYTES;

type Hash = Pick<Crypto, 'hash'>;

export interface ChangeSet {
  /** Of the block whose state it leads to. */
  readonly height: number;
  readonly before: Digest;
  readonly after: Digest;
  /** Of two for one key the later counts; read back, they are one a key in key order. */
  readonly writes: readonly MapWrite[];
}

export function encodeChangeSet(crypto: Hash, set: ChangeSet): Uint8Array {
  const writer = new Writer(128 + 96 * set.writes.length)
    .u8(FORM)
    .u64(set.height)
    .fixed(set.before, DIGEST_BYTES)
    .fixed(set.after, DIGEST_BYTES);
  writer.list(sortWrites(set.writes), writeWrite);
  return writer.fixed(hashTagged(crypto, 'map-changes', writer.view()), DIGEST_BYTES).finish();
}

function writeWrite(writer: Writer, { key, valueHash, location = 0 }: MapWrite): void {
  writer.u16(key.length).units(key);
  if (valueHash === undefined) writer.u8(0);
  else writer.u8(1).fixed(valueHash, DIGEST_BYTES).u64(location);
}

/** @throws ChainError STORE_DAMAGED for anything that `encodeChangeSet` did not write. */
export function decodeChangeSet(crypto: Hash, bytes: Uint8Array): ChangeSet {
  const body = bytes.subarray(0, Math.max(bytes.length - DIGEST_BYTES, 0));
  if (!equalBytes(hashTagged(crypto, 'map-changes', body), bytes.subarray(body.length))) throw damaged('its hash differs');
  try {
    return decodeAll(body, readChangeSet);
  } catch (error) {
    if (error instanceof DecodeError) throw damaged(error.reason);
    throw error;
  }
}

function readChangeSet(reader: Reader): ChangeSet {
  const form = reader.u8();
  if (form !== FORM) throw new DecodeError(`form is ${form}`);
  const height = reader.u64();
  const before = reader.fixed(DIGEST_BYTES).slice();
  const after = reader.fixed(DIGEST_BYTES).slice();
  let previous = '';
  const writes = reader.list((item): MapWrite => {
    const length = item.u16();
    if (length > MAP_KEY_BYTES_MAX) throw new DecodeError(`key of ${length} bytes`);
    const key = toByteText(item.fixed(length));
    if (key <= previous) throw new DecodeError('keys are out of order');
    previous = key;
    return item.bool() ? { key, valueHash: item.fixed(DIGEST_BYTES).slice(), location: item.u64() } : { key, valueHash: undefined };
  });
  return { height, before, after, writes };
}

/** The writes of an encoded set one after another, in its own bytes. For bytes that `decodeChangeSet` has found to be one. */
export class WritesOf {
  readonly bytes: Uint8Array;
  /** Where the key of the write at hand begins, and its length. */
  keyAt = 0;
  keyLength = 0;
  puts = false;
  #at = WRITES_AT + 4;
  #left: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#left = new DataView(bytes.buffer, bytes.byteOffset).getUint32(WRITES_AT);
  }

  /** Where its valueHash and location stand, when it puts. */
  get valueAt(): number {
    return this.keyAt + this.keyLength + 1;
  }

  /** Goes on to the next write; false when there is none. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    this.keyLength = (this.bytes[this.#at]! << 8) | this.bytes[this.#at + 1]!;
    this.keyAt = this.#at + 2;
    this.puts = this.bytes[this.valueAt - 1] === 1;
    this.#at = this.valueAt + (this.puts ? VALUE_BYTES : 0);
    return true;
  }
}

/** What many sets, oldest first, change together: the last write of each key, in key order. */
export function mergeChangeSets(sets: Iterable<ChangeSet>): readonly MapWrite[] {
  return sortWrites(Array.from(sets, (set) => set.writes).flat());
}

function damaged(fault: string): ChainError {
  return new ChainError('STORE_DAMAGED', { table: 'change set', fault });
}
