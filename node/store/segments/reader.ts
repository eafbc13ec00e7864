/**
 * Reads frames by location, on any thread: what has a location is on disk and changes no more, but for a repair. Checksums are checked on
 * every read from the disk, and only for the pieces that are asked for; what does not match is STORE_DAMAGED, never an answer.
 */
import { ChainError } from '../../errors/index.ts';
import { BoundedMap } from '../../pace/bounded-map.ts';
import type { DataFile, FileDirectory } from '../../world.ts';
import {
  agreedSeed,
  FRAME_HEAD_BYTES,
  type Frame,
  type FrameHead,
  type Location,
  locate,
  offsetOf,
  parseHead,
  parseSegmentHeader,
  parseTable,
  pieceBytes,
  PIECE_BYTES,
  prologueBytes,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
  segmentOf,
  SUM_STEP_BYTES,
  sumAt,
} from './form.ts';

/** Files held open at once. */
const FILES_OPEN_MAX = 64;
/** Pieces held in memory: 4 MiB. */
const PIECES_CACHED_MAX = 256;
/** Pieces of one read that are held: more would drive out all others for something that is read once. */
const PIECES_CACHED_PER_READ = 4;
const HEADS_CACHED_MAX = 256;
/** Read with the head, in bytes: short frames are whole then, and the table of one of 16 MB too. */
const FIRST_READ_BYTES = 4_096;

interface Head extends FrameHead {
  readonly sums: Uint32Array;
}

interface OpenSegment {
  readonly number: number;
  readonly file: DataFile;
  readonly seed: number;
  /** Reads under way; a file that was let go is closed when they are over. */
  users: number;
  gone: boolean;
}

/** Where the sums of a segment begin; undefined when no header says it. */
export type SeedOf = (number: number) => Promise<number | undefined>;

export class SegmentReader {
  readonly #directory: FileDirectory;
  readonly #seedOf: SeedOf;
  readonly #open = new Map<number, Promise<OpenSegment | undefined>>();
  readonly #heads = new BoundedMap<Location, Head>(HEADS_CACHED_MAX);
  readonly #pieces = new BoundedMap<Location, Uint8Array>(PIECES_CACHED_MAX);

  constructor(directory: FileDirectory, seedOf: SeedOf) {
    this.#directory = directory;
    this.#seedOf = seedOf;
  }

  /** @throws ChainError STORE_DAMAGED {segment, location}, STORE_IO */
  read(location: Location): Promise<Frame> {
    return this.#with(location, async (segment) => {
      const head = await this.#head(segment, location);
      return { kind: head.kind, height: head.height, payload: await this.#payload(segment, location, head, { from: 0, to: head.length }) };
    });
  }

  /** Bytes [from, to) of the payload. @throws ChainError STORE_DAMAGED, STORE_IO; RangeError when it is shorter */
  readPart(location: Location, from: number, to: number): Promise<Uint8Array> {
    return this.#with(location, async (segment) => {
      const head = await this.#head(segment, location);
      if (from < 0 || from > to || to > head.length) throw new RangeError(`Cannot read bytes ${from} to ${to} of ${head.length}`);
      return this.#payload(segment, location, head, { from, to });
    });
  }

  /** What is held of a segment is let go: its file was repaired or removed. */
  forget(number: number): void {
    for (const cache of [this.#heads, this.#pieces]) for (const key of cache.keys()) if (segmentOf(key) === number) cache.delete(key);
    const opening = this.#open.get(number);
    this.#open.delete(number);
    opening?.then(letGo, () => undefined);
  }

  close(): void {
    for (const number of [...this.#open.keys()]) this.forget(number);
  }

  /** A file that does not hold is opened anew once: it may have been repaired from another thread. */
  async #with<T>(location: Location, read: (segment: OpenSegment) => Promise<T>): Promise<T> {
    const number = segmentOf(location);
    const attempt = async (): Promise<T> => {
      let segment = await this.#segment(number);
      while (segment?.gone) segment = await this.#segment(number); // let go meanwhile
      if (segment === undefined) throw damaged(location);
      segment.users++;
      try {
        return await read(segment);
      } finally {
        segment.users--;
        if (segment.gone) letGo(segment);
      }
    };
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ChainError) || error.code !== 'STORE_DAMAGED') throw error;
      this.forget(number);
      return attempt();
    }
  }

  #segment(number: number): Promise<OpenSegment | undefined> {
    const held = this.#open.get(number);
    if (held !== undefined) return held;
    const opening = this.#openSegment(number);
    this.#open.set(number, opening);
    const oldest = this.#open.keys().next().value!;
    if (this.#open.size > FILES_OPEN_MAX) {
      this.#open.get(oldest)!.then(letGo, () => undefined);
      this.#open.delete(oldest);
    }
    const forget = () => this.#open.get(number) === opening && this.#open.delete(number);
    opening.then((segment) => segment === undefined && forget(), forget); // looked for again next time
    return opening;
  }

  async #openSegment(number: number): Promise<OpenSegment | undefined> {
    const seed = await this.#seedOf(number);
    const file = seed === undefined ? undefined : await this.#directory.open(segmentName(number));
    return file && { number, file, seed: seed!, users: 0, gone: false };
  }

  async #head(segment: OpenSegment, location: Location): Promise<Head> {
    const held = this.#heads.get(location);
    if (held) return held;
    const { file, seed } = segment;
    const at = offsetOf(location);
    const first = new Uint8Array(FIRST_READ_BYTES);
    await file.read(at, first);
    const head = parseHead(first, seed, at);
    if (head === undefined) throw damaged(location);
    const payloadFrom = prologueBytes(head.length);
    let table = first.subarray(FRAME_HEAD_BYTES, payloadFrom);
    if (payloadFrom > first.length) {
      table = new Uint8Array(payloadFrom - FRAME_HEAD_BYTES);
      await file.read(at + FRAME_HEAD_BYTES, table);
    }
    const sums = parseTable(table, head, seed, at);
    if (sums === undefined) throw damaged(location);
    const whole = { ...head, sums };
    this.#heads.set(location, whole);
    if (head.length > 0 && payloadFrom + head.length <= first.length) {
      const bytes = first.slice(payloadFrom, payloadFrom + head.length);
      this.#checkPiece(segment, location, whole, 0, bytes);
      this.#pieces.set(locate(segment.number, at + payloadFrom), bytes);
    }
    return whole;
  }

  async #payload(segment: OpenSegment, location: Location, head: Head, span: { readonly from: number; readonly to: number }) {
    const payloadAt = offsetOf(location) + prologueBytes(head.length);
    const first = Math.floor(span.from / PIECE_BYTES);
    const end = Math.ceil(span.to / PIECE_BYTES);
    const start = first * PIECE_BYTES;
    const out = new Uint8Array(Math.max(0, Math.min(end * PIECE_BYTES, head.length) - start));
    const keep = end - first <= PIECES_CACHED_PER_READ;
    const part = (piece: number, count = 1) =>
      out.subarray(piece * PIECE_BYTES - start, Math.min((piece + count) * PIECE_BYTES, head.length) - start);
    const placeOf = (piece: number) => locate(segment.number, payloadAt + piece * PIECE_BYTES);
    for (let piece = first; piece < end; ) {
      const held = this.#pieces.get(placeOf(piece));
      if (held) {
        this.#pieces.set(placeOf(piece), held); // the newest again
        part(piece++).set(held);
        continue;
      }
      let count = 1;
      while (piece + count < end && count < SUM_STEP_BYTES / PIECE_BYTES && !this.#pieces.has(placeOf(piece + count))) count++;
      await segment.file.read(payloadAt + piece * PIECE_BYTES, part(piece, count));
      for (const last = piece + count; piece < last; piece++) {
        this.#checkPiece(segment, location, head, piece, part(piece));
        if (keep) this.#pieces.set(placeOf(piece), part(piece).slice());
      }
    }
    return out.subarray(span.from - start, span.to - start);
  }

  #checkPiece({ seed }: OpenSegment, location: Location, head: Head, piece: number, bytes: Uint8Array): void {
    const at = offsetOf(location) + prologueBytes(head.length) + piece * PIECE_BYTES;
    if (bytes.length !== pieceBytes(head.length, piece) || sumAt(seed, at, bytes) !== head.sums[piece]) throw damaged(location);
  }
}

export function damaged(location: Location): ChainError {
  return new ChainError('STORE_DAMAGED', { segment: segmentName(segmentOf(location)), location });
}

function letGo(segment: OpenSegment | undefined): void {
  if (segment === undefined) return;
  segment.gone = true;
  if (segment.users === 0) segment.file.close().catch(() => undefined); // it was only read
}

/** As the files say it, for a thread that only reads. */
export function seedsIn(directory: FileDirectory, chainId: Uint8Array): SeedOf {
  const headerAt = async (number: number): Promise<SegmentHeader | undefined> => {
    const file = await directory.open(segmentName(number));
    try {
      return file && (await readHeader(file))?.header;
    } finally {
      await file?.close();
    }
  };
  return async (number) => agreedSeed(chainId, number, await headerAt(number), await headerAt(number + 1));
}

type ReadHeader = ReturnType<typeof parseSegmentHeader>;

export async function readHeader(file: DataFile): Promise<ReadHeader> {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  await file.read(0, bytes);
  return parseSegmentHeader(bytes);
}
