/**
 * The one canonical encoding of everything hashed, signed or sent: fields in fixed order, integers big-endian and of fixed width,
 * byte strings and lists behind a 32-bit count. There is one byte string for a value, and `decode` refuses every other
 * (design: chain, "Encoding"). Hashes are always taken over bytes received, never over a re-encoding.
 *
 * What runs for each record is handed a declared function and the value, not a closure over it: V8 holds optimised code by the functions
 * that have it, so that of a closure that was let go is gone with the next full collection, and is compiled again.
 */
import { fromUtf8, shortAscii, utf8 } from './bytes.ts';

/** Longest byte string or list the encoding can carry, in bytes or items; callers set tighter bounds of their own. */
export const CODEC_LENGTH_MAX = 0x3fff_ffff;
const U32 = 0x1_0000_0000;
/** Texts up to here are copied unit by unit: the engine's encoder takes longer to be called. */
const SHORT_TEXT_UNITS = 64;
/** Longest view that a writer keeps. */
const VIEW_KEPT_BYTES_MAX = 512;
const ASCII_END = 0x80;

export class DecodeError extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(`Cannot decode: ${reason}`);
    this.name = 'DecodeError';
    this.reason = reason;
  }
}

export class Writer {
  #buffer: Uint8Array;
  #view: DataView;
  /** By length, of the memory there is now: for a hash of a few bytes a view costs as much as a third of it. */
  #views: (Uint8Array | undefined)[] = [];
  #at = 0;

  constructor(bytesExpected = 256) {
    this.#buffer = new Uint8Array(bytesExpected);
    this.#view = new DataView(this.#buffer.buffer);
  }

  #room(count: number): number {
    const at = this.#at;
    const need = at + count;
    if (need > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(need, this.#buffer.length * 2));
      grown.set(this.#buffer);
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
      this.#views = [];
    }
    this.#at = need;
    return at;
  }

  u8(value: number): this {
    checkInteger(value, 0xff);
    const at = this.#room(1);
    this.#buffer[at] = value;
    return this;
  }

  u16(value: number): this {
    checkInteger(value, 0xffff);
    const at = this.#room(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    checkInteger(value, U32 - 1);
    const at = this.#room(4);
    this.#view.setUint32(at, value);
    return this;
  }

  /** Eight bytes for a non-negative safe integer: heights, milliseconds, gas. */
  u64(value: number): this {
    checkInteger(value, Number.MAX_SAFE_INTEGER);
    const at = this.#room(8);
    this.#view.setUint32(at, Math.floor(value / U32));
    this.#view.setUint32(at + 4, value % U32);
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** Bytes of a length both sides know: digests, keys, signatures. */
  fixed(bytes: Uint8Array, length: number): this {
    if (bytes.length !== length) throw new RangeError(`Cannot encode ${bytes.length} bytes where ${length} are fixed`);
    const at = this.#room(length);
    this.#buffer.set(bytes, at);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.u32(bytes.length);
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  text(text: string): this {
    const { length } = text;
    if (length > SHORT_TEXT_UNITS) return this.bytes(utf8(text));
    const start = this.#at;
    this.u32(length);
    const at = this.#room(length);
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= ASCII_END) {
        this.#at = start;
        return this.bytes(utf8(text));
      }
      buffer[at + i] = unit;
    }
    return this;
  }

  /** Bytes without their length. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  /** Units up to 255, a byte each, without their count: ASCII, ByteText. */
  units(text: string): this {
    const at = this.#room(text.length);
    for (let i = 0; i < text.length; i++) this.#buffer[at + i] = text.charCodeAt(i);
    return this;
  }

  list<T>(items: readonly T[], write: (writer: Writer, item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  optional<T>(value: T | undefined, write: (writer: Writer, value: T) => void): this {
    this.bool(value !== undefined);
    if (value !== undefined) write(this, value);
    return this;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#at);
  }

  /** What was written, in place: gone with the next write. */
  view(): Uint8Array {
    const end = this.#at;
    if (end > VIEW_KEPT_BYTES_MAX) return this.#buffer.subarray(0, end);
    const known = this.#views[end];
    if (known !== undefined) return known;
    const view = this.#buffer.subarray(0, end);
    this.#views[end] = view;
    return view;
  }

  /** Begins anew in the same memory. */
  restart(): this {
    this.#at = 0;
    return this;
  }

  get capacity(): number {
    return this.#buffer.length;
  }
}

const SPARE_BYTES = 4_096;
/** A writer that has grown past this is not held. */
const SPARE_BYTES_MAX = 65_536;
let spare: Writer | undefined = new Writer(SPARE_BYTES);

/**
 * The one writer for all that is short, written at once and not kept: memory of its own would cost several times the writing. To be given
 * back whatever happens; what was not copied out of it is gone then.
 */
export function takeSpareWriter(): Writer {
  const writer = spare ?? new Writer(); // taken already, further out
  spare = undefined;
  return writer.restart();
}

export function giveBackWriter(writer: Writer): void {
  spare = writer.capacity <= SPARE_BYTES_MAX ? writer : new Writer(SPARE_BYTES);
}

/** What `write` writes of a value, for some hundred bytes. */
export function encodeShort<T>(write: (writer: Writer, value: T) => void, value: T): Uint8Array {
  const writer = takeSpareWriter();
  try {
    write(writer, value);
    return writer.finish();
  } finally {
    giveBackWriter(writer);
  }
}

/** As encodeShort, of what is let go with the block that wrote it. */
export function encodeBrief<T>(write: (writer: Writer, value: T) => void, value: T): Uint8Array {
  const writer = takeSpareWriter();
  try {
    write(writer, value);
    const written = writer.view();
    const bytes = roomFor(written.length);
    bytes.set(written);
    return bytes;
  } finally {
    giveBackWriter(writer);
  }
}

const ROOM_BYTES = 16_384;
/** What is longer has memory of its own. */
const ROOM_PART_BYTES_MAX = 2_048;
let room = new Uint8Array(ROOM_BYTES);
let roomUsed = 0;

/** Memory for what is short and soon gone: many share one array, which stays as long as any of them, and is sent whole to another thread. */
export function roomFor(length: number): Uint8Array {
  if (length > ROOM_PART_BYTES_MAX) return new Uint8Array(length);
  if (roomUsed + length > ROOM_BYTES) {
    room = new Uint8Array(ROOM_BYTES);
    roomUsed = 0;
  }
  roomUsed += length;
  return room.subarray(roomUsed - length, roomUsed);
}

function checkInteger(value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw new RangeError(`Cannot encode ${value}: expected an integer from 0 to ${max}`);
}

/** Reads what Writer wrote. Byte strings come back as views on the input: copy what must outlive it. Every method throws DecodeError. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new DecodeError(`input ends ${count - (this.#bytes.length - at)} bytes early`);
    this.#at = at + count;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  u32(): number {
    return u32At(this.#bytes, this.#take(4));
  }

  u64(): number {
    const at = this.#take(8);
    const value = u32At(this.#bytes, at) * U32 + u32At(this.#bytes, at + 4);
    if (!Number.isSafeInteger(value)) throw new DecodeError('integer above 2^53 - 1');
    return value;
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw new DecodeError(`flag is ${value}`);
    return value === 1;
  }

  fixed(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(lengthMax = CODEC_LENGTH_MAX): Uint8Array {
    const length = this.u32();
    if (length > lengthMax) throw tooLong(length, lengthMax);
    return this.fixed(length);
  }

  text(bytesMax = CODEC_LENGTH_MAX): string {
    const length = this.u32();
    if (length > bytesMax) throw tooLong(length, bytesMax);
    const at = this.#take(length);
    const text = shortAscii(this.#bytes, at, at + length);
    if (text !== undefined) return text;
    try {
      return fromUtf8(this.#bytes.subarray(at, at + length));
    } catch {
      throw new DecodeError('text is not UTF-8');
    }
  }

  list<T>(read: (reader: Reader) => T, countMax = CODEC_LENGTH_MAX): T[] {
    const count = this.u32();
    if (count > countMax) throw new DecodeError(`${count} items where at most ${countMax} are allowed`);
    if (count > this.#bytes.length - this.#at) throw new DecodeError('list is longer than the input'); // every item takes a byte at least
    const out: T[] = [];
    for (let i = 0; i < count; i++) out.push(read(this));
    return out;
  }

  optional<T>(read: (reader: Reader) => T): T | undefined {
    return this.bool() ? read(this) : undefined;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new DecodeError(`${this.#bytes.length - this.#at} bytes left over`);
  }
}

function tooLong(length: number, lengthMax: number): DecodeError {
  return new DecodeError(`${length} bytes where at most ${lengthMax} are allowed`);
}

/** By bytes: a DataView over what is read once takes longer to make than the reading. */
function u32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** An item of a list of byte strings. */
export function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writer.bytes(bytes);
}

export function readBytes(reader: Reader): Uint8Array {
  return reader.bytes();
}

/** Decodes a whole byte string: nothing may be left over. */
export function decodeAll<T>(bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes);
  const value = read(reader);
  reader.end();
  return value;
}
