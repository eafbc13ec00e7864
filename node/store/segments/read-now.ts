/**
 * Reads a frame at once, for a thread that has nothing else to do while a contract waits for the answer. The checksums are those of
 * SegmentReader; what does not match is STORE_DAMAGED here too.
 */
import { BoundedMap } from '../../pace/bounded-map.ts';
import type { FileDirectory } from '../../world.ts';
import {
  agreedSeed,
  FRAME_END,
  FRAME_HEAD_BYTES,
  type Frame,
  frameBytes,
  type Location,
  offsetOf,
  parseHead,
  parseSegmentHeader,
  parseTable,
  PIECE_BYTES,
  pieceBytes,
  pieceCount,
  prologueBytes,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
  segmentOf,
  sumAt,
} from './form.ts';
import { damaged } from './reader.ts';

/** Segments whose beginning of sums is remembered. */
const SEEDS_HELD_MAX = 256;

/** @throws ChainError STORE_DAMAGED {segment, location}, STORE_IO */
export type ReadNow = (location: Location) => Frame;

export function createReadNow(directory: Pick<FileDirectory, 'readNow'>, chainId: Uint8Array): ReadNow {
  const seeds = new BoundedMap<number, number>(SEEDS_HELD_MAX);

  function headerAt(number: number): SegmentHeader | undefined {
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    return directory.readNow(segmentName(number), 0, bytes) ? parseSegmentHeader(bytes)?.header : undefined;
  }

  function seedOf(number: number): number | undefined {
    const held = seeds.get(number);
    if (held !== undefined) return held;
    const seed = agreedSeed(chainId, number, headerAt(number), headerAt(number + 1));
    if (seed !== undefined) seeds.set(number, seed);
    return seed;
  }

  function frameAt(location: Location): Frame | undefined {
    const number = segmentOf(location);
    const seed = seedOf(number);
    if (seed === undefined) return undefined;
    const at = offsetOf(location);
    const start = new Uint8Array(FRAME_HEAD_BYTES);
    if (!directory.readNow(segmentName(number), at, start)) return undefined;
    const head = parseHead(start, seed, at);
    if (head === undefined) return undefined;
    const bytes = new Uint8Array(frameBytes(head.length));
    if (!directory.readNow(segmentName(number), at, bytes)) return undefined;
    const payloadFrom = prologueBytes(head.length);
    const sums = parseTable(bytes.subarray(FRAME_HEAD_BYTES, payloadFrom), head, seed, at);
    if (sums === undefined) return undefined;
    const payload = bytes.subarray(payloadFrom, bytes.length - FRAME_END.length);
    for (let piece = 0; piece < pieceCount(head.length); piece++) {
      const from = piece * PIECE_BYTES;
      const part = payload.subarray(from, from + pieceBytes(head.length, piece));
      if (sumAt(seed, at + payloadFrom + from, part) !== sums[piece]) return undefined;
    }
    return { kind: head.kind, height: head.height, payload };
  }

  return (location) => {
    const frame = frameAt(location);
    if (frame) return frame;
    seeds.delete(segmentOf(location)); // the file may have been mended since
    const again = frameAt(location);
    if (again === undefined) throw damaged(location);
    return again;
  };
}
