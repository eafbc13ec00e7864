/**
 * Checks the files of a LevelDB database by LevelDB's own checksums, which it does not check by itself when reading through this binding.
 * The checksum per value (level-store.ts) finds a damaged value; it cannot see a damaged filter, key or write-ahead record, which make a
 * value look absent. An adapter: it reads files. Formats: LevelDB doc/table_format.md and doc/log_format.md; Snappy format_description.txt.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from '../pace/index.ts';

export interface DamagedFile {
  readonly file: string;
  /** First byte of the block or record that does not hold. */
  readonly offset: number;
}

const FOOTER_BYTES = 48;
const TABLE_MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** Compression type and CRC behind each block. */
const BLOCK_TRAILER_BYTES = 5;
const LOG_BLOCK_BYTES = 32_768;
/** Bytes checked between two turns of the event loop: 3 ms. A value of megabytes is one block, and its table one file. */
const STEP_BYTES = 1_048_576;
/** CRC u32, length u16, type u8. */
const LOG_HEADER_BYTES = 7;
/** 1 a whole batch, 2 its first part, 3 a middle one, 4 its last. */
const LOG_TYPE_FIRST = 2;
const LOG_TYPE_MAX = 4;

const TABLE_C = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0x82f63b78 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32C (Castagnoli) of bytes[from, to), going on from `value`. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, value = 0): number {
  let crc = ~value;
  for (let i = from; i < to; i++) crc = TABLE_C[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** LevelDB stores checksums rotated and shifted, so that a checksum of data that holds checksums stays sound. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * Reads every table file once. Tables never change, so this may run beside a live database; one that compaction removes meanwhile is
 * skipped. @returns the damaged ones.
 */
export async function scrubTables(path: string, between?: () => Promise<void>): Promise<readonly DamagedFile[]> {
  return scrub(path, '.ldb', (bytes) => withTurns(damageInTable(bytes)), between);
}

/** Checks the write-ahead logs of a database that is not open. A torn end is no damage: what stood there was never acknowledged. */
export async function scrubLogs(path: string): Promise<readonly DamagedFile[]> {
  return scrub(path, '.log', damageInLog);
}

async function scrub(
  path: string,
  ending: string,
  check: (bytes: Uint8Array) => number | undefined | Promise<number | undefined>,
  between?: () => Promise<void>,
): Promise<DamagedFile[]> {
  const damaged: DamagedFile[] = [];
  for (const file of (await readdir(path)).filter((name) => name.endsWith(ending)).sort()) {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(join(path, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    const offset = await check(bytes);
    if (offset !== undefined) damaged.push({ file, offset });
    await between?.();
  }
  return damaged;
}

async function withTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Offset of the first block of a table file that does not hold, or undefined. */
export function* damageInTable(file: Uint8Array): Steps<number | undefined> {
  const footerAt = file.length - FOOTER_BYTES;
  if (footerAt < 0 || TABLE_MAGIC.some((byte, i) => file[file.length - 8 + i] !== byte)) return Math.max(0, footerAt);
  try {
    const footer = new Cursor(file, footerAt, file.length - 8);
    for (const root of [readHandle(footer), readHandle(footer)]) {
      if (!(yield* blockHolds(file, root))) return root.offset;
      for (const handle of handlesIn(blockContents(file, root))) if (!(yield* blockHolds(file, handle))) return handle.offset;
    }
  } catch {
    return footerAt; // handles that cannot be read
  }
  return undefined;
}

function* blockHolds(file: Uint8Array, { offset, size }: Handle): Steps<boolean> {
  const end = offset + size;
  if (end + BLOCK_TRAILER_BYTES > file.length - FOOTER_BYTES) return false;
  let crc = 0;
  for (let at = offset; at <= end; ) {
    const to = Math.min(end + 1, (Math.floor(at / STEP_BYTES) + 1) * STEP_BYTES); // so that short blocks share a step
    crc = crc32c(file, at, to, crc);
    if (to % STEP_BYTES === 0) yield;
    at = to;
  }
  return readU32(file, end + 1) === masked(crc);
}

function blockContents(file: Uint8Array, { offset, size }: Handle): Uint8Array {
  const raw = file.subarray(offset, offset + size);
  return file[offset + size] === 0 ? raw : snappyDecode(raw);
}

/** Values of an index block: each is the place of another block. Keys share prefixes and are passed over. */
function handlesIn(block: Uint8Array): Handle[] {
  const entriesEnd = block.length - 4 - 4 * readU32(block, block.length - 4);
  const cursor = new Cursor(block, 0, entriesEnd);
  const handles: Handle[] = [];
  while (cursor.at < entriesEnd) {
    cursor.varint(); // bytes shared with the key before
    const keyBytes = cursor.varint();
    const valueBytes = cursor.varint();
    cursor.skip(keyBytes);
    const valueEnd = cursor.at + valueBytes;
    handles.push(readHandle(cursor));
    cursor.skip(valueEnd - cursor.at);
  }
  return handles;
}

function readHandle(cursor: Cursor): Handle {
  return { offset: cursor.varint(), size: cursor.varint() };
}

class Cursor {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 49; factor *= 128) {
      const byte = this.#bytes[this.at];
      if (byte === undefined || this.at >= this.#end) throw new RangeError('varint is cut');
      this.at++;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError('varint is too long');
  }

  skip(count: number): void {
    if (count < 0 || this.at + count > this.#end) throw new RangeError('entry is cut');
    this.at += count;
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** @throws RangeError when the bytes are no Snappy block. */
export function snappyDecode(bytes: Uint8Array): Uint8Array {
  const cursor = new Cursor(bytes, 0, bytes.length);
  const out = new Uint8Array(cursor.varint());
  let to = 0;
  while (cursor.at < bytes.length) {
    const tag = bytes[cursor.at]!;
    cursor.skip(1);
    if ((tag & 3) === 0) {
      const extra = Math.max(0, (tag >> 2) - 59); // lengths of 60 and more stand in the next one to four bytes
      const length = extra === 0 ? (tag >> 2) + 1 : littleEndian(bytes, cursor, extra) + 1;
      const from = cursor.at;
      cursor.skip(length);
      out.set(bytes.subarray(from, from + length), to);
      to += length;
      continue;
    }
    const short = (tag & 3) === 1;
    const length = short ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const distance = short ? ((tag >> 5) << 8) + littleEndian(bytes, cursor, 1) : littleEndian(bytes, cursor, (tag & 3) === 2 ? 2 : 4);
    if (distance === 0 || distance > to || to + length > out.length) throw new RangeError('copy reaches outside');
    for (let i = 0; i < length; i++, to++) out[to] = out[to - distance]!;
  }
  if (to !== out.length) throw new RangeError('block is short');
  return out;
}

function littleEndian(bytes: Uint8Array, cursor: Cursor, count: number): number {
  const at = cursor.at;
  cursor.skip(count);
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

/**
 * Offset of the first record of a write-ahead log that does not hold although a later batch does, or undefined. Parts of the last batch may
 * be missing anywhere in it: the system writes pages in any order before a sync, and a store syncs what stands in front of a batch.
 */
export function damageInLog(file: Uint8Array): number | undefined {
  let suspect: number | undefined;
  for (let block = 0; block < file.length; block += LOG_BLOCK_BYTES) {
    const blockEnd = Math.min(block + LOG_BLOCK_BYTES, file.length);
    for (let at = block; at + LOG_HEADER_BYTES <= blockEnd; ) {
      const length = file[at + 4]! | (file[at + 5]! << 8);
      const type = file[at + 6]!;
      const end = at + LOG_HEADER_BYTES + length;
      const holds = type >= 1 && type <= LOG_TYPE_MAX && end <= blockEnd && readU32(file, at) === masked(crc32c(file, at + 6, end));
      if (holds && type <= LOG_TYPE_FIRST && suspect !== undefined) return suspect;
      if (!holds) {
        suspect ??= at;
        // A length that can be believed leads to the next record; otherwise only the next block has a known start.
        if (length === 0 || end > blockEnd) break;
      }
      at = end;
    }
  }
  return undefined;
}
