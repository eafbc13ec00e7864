/**
 * The form of the segment files: a header, then frames one behind the other; the frames of one append are a group. Numbers are big-endian.
 *
 *   header   two copies of {magic, chain id, salt, number, first height, what is known of the segment before, CRC}, a page apart
 *   frame    head {magic u32, kind u8, height u56, length u32, bytes of the group before and after the frame u32 each, CRC of the table u32,
 *            CRC of these u32}, table {CRC u32 of each piece}, payload in pieces of PIECE_BYTES, end mark
 *
 * Each CRC begins with a number that follows from the segment and the offset of what it covers, so that right bytes in a wrong place do not
 * pass. The salt is random: what a client puts into a payload cannot look like a frame of this node. A part of a payload is read and
 * checked by its pieces alone. The end mark is not zero, so that a frame whose end never reached the disk can be told from one that was
 * changed there.
 */
import { DecodeError, equalBytes, Reader, utf8, Writer } from '../../format/index.ts';
import type { Steps } from '../../pace/index.ts';
import { crc32 } from '../checksum.ts';

/** A segment takes no further group once it would grow past this, in bytes; a larger group has one for itself. */
export const SEGMENT_BYTES = 67_108_864;
/** Of one frame, in bytes: twice the longest frame of the wire. */
export const FRAME_PAYLOAD_BYTES_MAX = 67_108_864;
/** Of one append, frames and all, in bytes. */
export const GROUP_BYTES_MAX = 134_217_728;
/** What is checked as one, in bytes: to read a record of 2 kB costs as much, whatever the length of its block. */
export const PIECE_BYTES = 16_384;
/** Summed in one turn, in bytes: 1 ms, and 8 where zlib has no CRC-32. */
export const SUM_STEP_BYTES = 4_194_304;

/** What a frame holds. Numbers are never used again for something else. */
export const FRAME_KIND = { body: 1, certificate: 2, changeSet: 3, receipts: 4, swept: 5 } as const;
const KIND_MAX = 255;

export interface Frame {
  /** One of FRAME_KIND. */
  readonly kind: number;
  readonly height: number;
  readonly payload: Uint8Array;
}

/** Segment number and offset of a frame in one safe integer. They rise in the order of writing. */
export type Location = number;

/** Above every offset: SEGMENT_BYTES and GROUP_BYTES_MAX stay below it. */
const OFFSET_SPAN = 2 ** 28;
export const SEGMENT_NUMBER_MAX = 2 ** 25 - 1;
export const FIRST_SEGMENT = 1;

export function locate(segment: number, offset: number): Location {
  return segment * OFFSET_SPAN + offset;
}

export function segmentOf(location: Location): number {
  return Math.floor(location / OFFSET_SPAN);
}

export function offsetOf(location: Location): number {
  return location % OFFSET_SPAN;
}

const NAME = /^(\d{8})\.segment$/;

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.segment`;
}

/** Undefined for the name of anything else. */
export function segmentNumber(name: string): number | undefined {
  const match = NAME.exec(name);
  return match ? Number(match[1]) : undefined;
}

// Header

const MAGIC = utf8('TMILLSEGMENT/1\n\0'); // 16 bytes
export const SALT_BYTES = 16;
const CHAIN_ID_BYTES = 32;
/** From one copy of the header to the other, in bytes: one page of the disk does not hold both. */
const HEADER_COPY_STEP = 4_096;
/** Frames begin behind it. */
export const SEGMENT_HEADER_BYTES = 2 * HEADER_COPY_STEP;
const HEADER_COPY_BYTES = MAGIC.length + CHAIN_ID_BYTES + SALT_BYTES + 4 + 8 + (1 + SALT_BYTES + 4 + 8);

/** What a segment says of the one before it, which is complete by then. */
export interface SegmentLink {
  readonly salt: Uint8Array;
  /** First byte behind its last group. */
  readonly end: number;
  /** Highest height of its frames. */
  readonly heightMax: number;
}

export interface SegmentHeader {
  readonly chainId: Uint8Array;
  readonly salt: Uint8Array;
  readonly number: number;
  /** Height of its first frame. */
  readonly heightFirst: number;
  /** Undefined in the first segment there is. */
  readonly previous: SegmentLink | undefined;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { previous } = header;
  const copy = new Writer(HEADER_COPY_STEP)
    .fixed(MAGIC, MAGIC.length)
    .fixed(header.chainId, CHAIN_ID_BYTES)
    .fixed(header.salt, SALT_BYTES)
    .u32(header.number)
    .u64(header.heightFirst)
    .bool(previous !== undefined)
    .fixed(previous?.salt ?? new Uint8Array(SALT_BYTES), SALT_BYTES)
    .u32(previous?.end ?? 0)
    .u64(previous?.heightMax ?? 0)
    .finish();
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  for (let at = 0; at < bytes.length; at += HEADER_COPY_STEP)
    bytes.set(new Writer(128).fixed(copy, copy.length).u32(crc32(copy)).finish(), at);
  return bytes;
}

/** @returns the header, and whether both copies are sound; undefined when none is. */
export function parseSegmentHeader(bytes: Uint8Array): { readonly header: SegmentHeader; readonly complete: boolean } | undefined {
  const [first, second] = [0, HEADER_COPY_STEP].map((at) => parseHeaderCopy(bytes.slice(at, at + HEADER_COPY_BYTES + 4)));
  const header = first ?? second;
  return header && { header, complete: first !== undefined && second !== undefined };
}

function parseHeaderCopy(bytes: Uint8Array): SegmentHeader | undefined {
  try {
    const reader = new Reader(bytes);
    if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
    reader.fixed(MAGIC.length);
    const front = {
      chainId: reader.fixed(CHAIN_ID_BYTES),
      salt: reader.fixed(SALT_BYTES),
      number: reader.u32(),
      heightFirst: reader.u64(),
    };
    const isLinked = reader.bool();
    const link = { salt: reader.fixed(SALT_BYTES), end: reader.u32(), heightMax: reader.u64() };
    if (reader.u32() !== crc32(bytes.subarray(0, HEADER_COPY_BYTES))) return undefined;
    return { ...front, previous: isLinked ? link : undefined };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Where the sums of a segment begin. */
export function segmentSeed(chainId: Uint8Array, salt: Uint8Array, number: number): number {
  return crc32(new Writer(64).fixed(chainId, CHAIN_ID_BYTES).fixed(salt, SALT_BYTES).u32(number).finish());
}

/**
 * The same as two files say it: the segment's own header and that of the next one, as far as each can be read. Undefined where neither
 * belongs to the segment, or they disagree about it: then it is not read until the store has mended it.
 */
export function agreedSeed(
  chainId: Uint8Array,
  number: number,
  own: SegmentHeader | undefined,
  next: SegmentHeader | undefined,
): number | undefined {
  const isOf = (header: SegmentHeader, place: number) => header.number === place && equalBytes(header.chainId, chainId);
  const stated = own && isOf(own, number) ? own.salt : undefined;
  const told = next && isOf(next, number + 1) ? next.previous?.salt : undefined;
  const salt = stated ?? told;
  return salt === undefined || (told && !equalBytes(told, salt)) ? undefined : segmentSeed(chainId, salt, number);
}

/** CRC of what stands at `offset`: another for every offset, because CRC keeps different beginnings apart. */
export function sumAt(seed: number, offset: number, bytes: Uint8Array): number {
  return crc32(bytes, (seed + offset) >>> 0);
}

// Frames

const FRAME_MAGIC = 0xf7a4d21d;
export const FRAME_MAGIC_BYTES = Uint8Array.of(0xf7, 0xa4, 0xd2, 0x1d);
export const FRAME_HEAD_BYTES = 32;
const SUM_BYTES = 4;
const U32 = 2 ** 32;
export const FRAME_END = Uint8Array.of(0xa5);

export interface FrameHead {
  readonly kind: number;
  readonly height: number;
  /** Bytes of the payload. */
  readonly length: number;
  /** Bytes of the same group before the frame and after it. */
  readonly before: number;
  readonly after: number;
  readonly tableSum: number;
}

export function pieceCount(length: number): number {
  return Math.ceil(length / PIECE_BYTES);
}

/** From the first byte of a frame to its payload. */
export function prologueBytes(length: number): number {
  return FRAME_HEAD_BYTES + SUM_BYTES * pieceCount(length);
}

export function frameBytes(length: number): number {
  return prologueBytes(length) + length + FRAME_END.length;
}

/** Head and table of a frame that is to stand at `offset`. */
export function* encodePrologue(
  frame: Frame,
  place: { readonly seed: number; readonly offset: number; readonly before: number; readonly after: number },
): Steps<Uint8Array> {
  const { seed, offset } = place;
  const { length } = frame.payload;
  const bytes = new Uint8Array(prologueBytes(length));
  const view = new DataView(bytes.buffer);
  const payloadAt = offset + bytes.length;
  for (let from = 0, at = FRAME_HEAD_BYTES; from < length; from += PIECE_BYTES, at += SUM_BYTES) {
    if (from > 0 && from % SUM_STEP_BYTES === 0) yield;
    view.setUint32(at, sumAt(seed, payloadAt + from, frame.payload.subarray(from, from + PIECE_BYTES)));
  }
  view.setUint32(0, FRAME_MAGIC);
  view.setUint32(4, frame.kind * 2 ** 24 + Math.floor(frame.height / U32));
  view.setUint32(8, frame.height % U32);
  view.setUint32(12, length);
  view.setUint32(16, place.before);
  view.setUint32(20, place.after);
  view.setUint32(24, sumAt(seed, offset + FRAME_HEAD_BYTES, bytes.subarray(FRAME_HEAD_BYTES)));
  view.setUint32(28, sumAt(seed, offset, bytes.subarray(0, 28)));
  return bytes;
}

/** @throws RangeError for a frame that the form cannot hold. */
export function checkFrame({ kind, height, payload }: Frame): void {
  if (!Number.isInteger(kind) || kind < 1 || kind > KIND_MAX) throw new RangeError(`Cannot store a frame of kind ${kind}`);
  if (!Number.isSafeInteger(height) || height < 0) throw new RangeError(`Cannot store a frame of height ${height}`);
  if (payload.length > FRAME_PAYLOAD_BYTES_MAX) throw new RangeError(`Cannot store a frame of ${payload.length} bytes`);
}

/** The head in these 32 bytes when they were written for `offset`. */
export function parseHead(bytes: Uint8Array, seed: number, offset: number): FrameHead | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEAD_BYTES);
  if (view.getUint32(0) !== FRAME_MAGIC || view.getUint32(28) !== sumAt(seed, offset, bytes.subarray(0, 28))) return undefined;
  const length = view.getUint32(12);
  if (length > FRAME_PAYLOAD_BYTES_MAX) return undefined;
  return {
    kind: view.getUint8(4),
    height: (view.getUint32(4) % 2 ** 24) * U32 + view.getUint32(8),
    length,
    before: view.getUint32(16),
    after: view.getUint32(20),
    tableSum: view.getUint32(24),
  };
}

/** The sums of the pieces, when the table is sound. */
export function parseTable(bytes: Uint8Array, head: FrameHead, seed: number, offset: number): Uint32Array | undefined {
  if (sumAt(seed, offset + FRAME_HEAD_BYTES, bytes) !== head.tableSum) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: pieceCount(head.length) }, (_, i) => view.getUint32(i * SUM_BYTES));
}

/** Bytes of a piece: the last one may be shorter. */
export function pieceBytes(length: number, piece: number): number {
  return Math.min(PIECE_BYTES, length - piece * PIECE_BYTES);
}
