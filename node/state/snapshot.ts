/**
 * The whole state map as one sequence of bytes, written and read front to back. It is read into a map or refused, never half loaded: every
 * frame is hashed together with the hash before it, and what was read must come to the count and the root it began with.
 *
 * Head:  u8 form | u64 height | root | u32 count | hash
 * Frame: u32 bytes | per entry in key order: u16 length, key, valueHash, u64 location | hash
 * Hash = H(map-snapshot, hash before (none for the head) || what stands before it in its frame). A frame of 0 bytes is the last.
 */
import { ChainError } from '../errors/index.ts';
import {
  compareBytes,
  concat,
  type Crypto,
  DIGEST_BYTES,
  type Digest,
  equalBytes,
  hashTagged,
  MAP_KEY_BYTES_MAX,
  Writer,
} from '../format/index.ts';
import { SortedBatch, VALUE_BYTES } from './batch.ts';
import { readLocation } from './location.ts';
import { MergedLoader } from './merged-changes.ts';
import type { MapHash } from './node-hash.ts';
import { createMapLoader, type StateMap } from './state-map.ts';
import type { EntryWriter } from './entry-walk.ts';
import type { MapRoom } from './tree.ts';

const FORM = 1;
const HEAD_BYTES = 1 + 8 + DIGEST_BYTES + 4;
/** A frame is ended once it holds so many bytes. */
const FRAME_BYTES = 256 * 1024;
const ENTRY_BYTES_MAX = 2 + MAP_KEY_BYTES_MAX + VALUE_BYTES;
const FRAME_BYTES_MAX = FRAME_BYTES + ENTRY_BYTES_MAX;

type Hash = Pick<Crypto, 'hash'>;
type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface SnapshotHead {
  readonly height: number;
  readonly root: Digest;
  readonly count: number;
}

/** The bytes of a snapshot, a frame at a time; as fast as they are taken. @throws Error when they are not `head.count` entries in key order. */
export function* writeSnapshot(crypto: Hash, head: SnapshotHead, entries: EntryWriter): Generator<Uint8Array, void> {
  const seal = sealer(crypto);
  const begin = new Writer(HEAD_BYTES).u8(FORM).u64(head.height).fixed(head.root, DIGEST_BYTES).u32(head.count).finish();
  yield concat(begin, seal(begin));
  const frame = new Uint8Array(4 + FRAME_BYTES_MAX);
  let at = 4;
  let count = 0;
  let last = -1; // where the entry before begins; it stays there until the next one is written
  const finish = (): Uint8Array => {
    new DataView(frame.buffer).setUint32(0, at - 4);
    const bytes = frame.subarray(0, at);
    at = 4;
    return concat(bytes, seal(bytes));
  };
  for (let end = entries.next(frame, at); end >= 0; end = entries.next(frame, at)) {
    if (last >= 0 && !isKeyBefore(frame, last, at)) throw new Error('Cannot write a snapshot of entries out of order');
    last = at;
    count++;
    at = end;
    if (at >= FRAME_BYTES) yield finish();
  }
  if (count !== head.count) throw new Error(`Cannot end a snapshot of ${head.count} entries after ${count}`);
  if (at > 4) yield finish();
  yield finish();
}

/** Of two entries in one array, each a u16 length and a key. */
function isKeyBefore(bytes: Uint8Array, a: number, b: number): boolean {
  const [aBytes, bBytes] = [keyBytesAt(bytes, a), keyBytesAt(bytes, b)];
  const shared = Math.min(aBytes, bBytes);
  for (let i = 2; i < 2 + shared; i++) if (bytes[a + i] !== bytes[b + i]) return bytes[a + i]! < bytes[b + i]!;
  return aBytes < bBytes;
}

function keyBytesAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/**
 * The map that a snapshot holds, with what was written since.
 * @param changes encoded change sets, oldest first, each of which `decodeChangeSet` has read. With any, whether what is stored leads to the
 * root that it should is left to who knows that root.
 * @throws ChainError STORE_DAMAGED
 */
export async function loadSnapshot(
  hash: MapHash,
  chunks: Chunks,
  room?: MapRoom,
  changes: readonly Uint8Array[] = [],
): Promise<{ readonly head: SnapshotHead; readonly map: StateMap }> {
  const frames = new Frames(hash, chunks);
  const head = await frames.head();
  const loader = new MergedLoader(createMapLoader(hash, room), changes);
  for await (const batch of frames.batches(head.count)) loader.add(batch);
  const map = loader.finish();
  if (changes.length === 0 && !equalBytes(map.root(), head.root)) throw damaged('its entries lead to another root');
  return { head, map };
}

/** The map that change sets make of none, as above. */
export function loadChanges(hash: MapHash, changes: readonly Uint8Array[], room?: MapRoom): StateMap {
  return new MergedLoader(createMapLoader(hash, room), changes).finish();
}

/** Hash of a frame, chained to those before it. */
function sealer(crypto: Hash): (bytes: Uint8Array) => Digest {
  let before: Digest = new Uint8Array(0);
  return (bytes) => {
    before = hashTagged(crypto, 'map-snapshot', before, bytes);
    return before;
  };
}

/** Frames out of chunks of any size; the chunk and the frame at hand are all that is in memory. */
class Frames {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #seal: (bytes: Uint8Array) => Digest;
  #chunk = new Uint8Array(0);
  #at = 0;

  constructor(crypto: Hash, chunks: Chunks) {
    this.#chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
    this.#seal = sealer(crypto);
  }

  async head(): Promise<SnapshotHead> {
    const bytes = await this.#take(HEAD_BYTES);
    await this.#checkSeal(bytes);
    const view = new DataView(bytes.buffer);
    if (bytes[0] !== FORM) throw damaged(`form is ${bytes[0]}`);
    return { height: readLocation(bytes, 1), root: bytes.slice(9, 9 + DIGEST_BYTES), count: view.getUint32(9 + DIGEST_BYTES) };
  }

  /** The entries of each frame; ends behind the last one, when they were as many as stated. */
  async *batches(countStated: number): AsyncGenerator<SortedBatch> {
    let count = 0;
    let last: Uint8Array = new Uint8Array(0);
    for (;;) {
      const length = await this.#take(4);
      const size = new DataView(length.buffer).getUint32(0);
      if (size > FRAME_BYTES_MAX) throw damaged(`frame of ${size} bytes`);
      const bytes = concat(length, await this.#take(size));
      await this.#checkSeal(bytes);
      if (size === 0) break;
      const batch = batchOf(bytes, last);
      const end = batch.count - 1;
      last = bytes.subarray(batch.at[end]!, batch.at[end]! + batch.lengths[end]!);
      count += batch.count;
      yield batch;
    }
    if (count !== countStated) throw damaged(`${count} entries where ${countStated} are stated`);
    if (this.#at < this.#chunk.length || (await this.#more())) throw damaged('bytes behind the end');
  }

  async #checkSeal(bytes: Uint8Array): Promise<void> {
    if (!equalBytes(await this.#take(DIGEST_BYTES), this.#seal(bytes))) throw damaged('a hash differs');
  }

  /** The next bytes, in memory of their own. */
  async #take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(count);
    for (let filled = 0; filled < count; ) {
      if (this.#at === this.#chunk.length && !(await this.#more())) throw damaged('it ends too early');
      const part = this.#chunk.subarray(this.#at, this.#at + count - filled);
      out.set(part, filled);
      filled += part.length;
      this.#at += part.length;
    }
    return out;
  }

  /** False when there are no more bytes. */
  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#chunk = next.value as Uint8Array<ArrayBuffer>;
      this.#at = 0;
      if (this.#chunk.length > 0) return true;
    }
  }
}

/** The entries of a frame, all behind the key `last`. @throws ChainError STORE_DAMAGED */
function batchOf(bytes: Uint8Array, last: Uint8Array): SortedBatch {
  const at: number[] = [];
  const lengths: number[] = [];
  let previous = last;
  for (let from = 4; from < bytes.length; ) {
    const length = (bytes[from]! << 8) | (bytes[from + 1] ?? 0);
    const key = bytes.subarray(from + 2, from + 2 + length);
    if (length === 0 || length > MAP_KEY_BYTES_MAX || from + 2 + length + VALUE_BYTES > bytes.length) throw damaged('an entry is cut off');
    if (compareBytes(key, previous) <= 0) throw damaged('keys are out of order');
    previous = key;
    at.push(from + 2);
    lengths.push(length);
    from += 2 + length + VALUE_BYTES;
  }
  return new SortedBatch(at.length, bytes, Uint32Array.from(at), Uint16Array.from(lengths));
}

function damaged(fault: string): ChainError {
  return new ChainError('STORE_DAMAGED', { table: 'state snapshot', fault });
}
