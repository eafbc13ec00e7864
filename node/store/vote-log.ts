/**
 * The vote log: what this validator has signed, on disk before it leaves (adapter on node:fs; design: chain, "Votes persist before they are
 * sent"). One file, written ahead with zeros so that a sync moves no metadata; one frame and one synced write per append.
 *
 * A crash can tear the last frame only, and it leaves zeros (sectors never written) or a short file: such a frame was never synced, so no
 * vote in it was sent, and it is dropped. Every other mismatch means that synced votes may be lost: the log is set aside, and the replica
 * starts mute. Header and body have checksums of their own, and a frame ends in a byte that is not zero, so that the two cases can be told
 * apart.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ChainError } from '../errors/index.ts';
import { concat, DecodeError, decodeAll, utf8 } from '../format/index.ts';
import type { AppendLog, LogLoss } from '../world.ts';
import { crc32 } from './checksum.ts';
import { fileError, guarded, openSynced, putFile, writeAt, writeSynced } from './files.ts';
import { ASIDE } from './level-store.ts';

/** Below the data directory. */
export const VOTE_LOG_FILE = 'votes.log';
/** Room written ahead at a time, in bytes: what the blocks between two checkpoints take, unless they are large. Each checkpoint writes it anew. */
export const VOTE_LOG_STEP_BYTES = 262_144;
export const VOTE_LOG_RECORD_BYTES_MAX = 16_777_216;
const MAGIC = utf8('TMILLVOTES/1\n\0\0\0'); // 16 bytes, then frames
const FRAME_MAGIC = 0xf7a3c51b;
/** magic u32, body length u32, sequence u64, CRC of these u32, CRC of the body u32. */
const FRAME_HEADER_BYTES = 24;
const FRAME_END = 0xa5;
/** Before a list and each of its records. */
const COUNT_BYTES = 4;
/** A disk writes a sector whole or not at all. */
const SECTOR_BYTES = 512;

/**
 * What a log that takes the place of a lost one begins with: no engine can read it, so that the replica starts mute, through restarts,
 * until its log is cut at a checkpoint.
 */
export const LOST_RECORD = new Uint8Array(0);
/** The machine has no room to read at the moment: nothing is known of the file. */
const PASSING_CODES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);

export interface VoteLog extends AppendLog {
  /** Bytes of a last frame that never reached the disk whole, and were dropped. */
  readonly tornBytes: number;
}

/**
 * Opens the log, or makes an empty one. One that is damaged or cannot be read is set aside under another name, never deleted, and the
 * replica starts mute.
 * @param options.expected the chain holds blocks, so a log has been here: when there is none, it is lost.
 * @throws ChainError STORE_FULL, STORE_IO.
 */
export async function openVoteLog(path: string, options: { readonly expected?: boolean } = {}): Promise<VoteLog> {
  await guarded(() => mkdir(dirname(path), { recursive: true, mode: 0o700 }));
  const found = await readLog(path);
  if (found.state === 'missing')
    return FileVoteLog.create(path, options.expected ? { cause: 'missing', setAside: undefined, offset: undefined } : undefined);
  if (found.state === 'whole') return FileVoteLog.resume(path, found.content);
  const setAside = `${path}${ASIDE}${randomBytes(4).toString('hex')}`;
  await guarded(() => rename(path, setAside));
  return FileVoteLog.create(path, { cause: found.state, setAside: basename(setAside), offset: found.offset });
}

/** What `doctor` says of a log; changes nothing. A node that runs may be writing: then a torn end means nothing. */
export interface VoteLogFinding {
  readonly records: number;
  readonly tornBytes: number;
  /** The log takes the place of a lost one. */
  readonly replacesLost: boolean;
  /** File names of logs that were set aside. */
  readonly setAside: readonly string[];
}

/** @returns undefined when there is no log. @throws ChainError VOTE_LOG_DAMAGED {path, offset, reason} */
export async function examineVoteLog(path: string): Promise<VoteLogFinding | undefined> {
  const found = await readLog(path);
  if (found.state === 'missing') return undefined;
  if (found.state !== 'whole') throw new ChainError('VOTE_LOG_DAMAGED', { path, offset: found.offset, reason: found.reason });
  const { records, tornBytes } = found.content;
  const setAside = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}${ASIDE}`)).sort();
  return { records: records.length, tornBytes, replacesLost: records[0]?.length === 0, setAside };
}

type Found =
  | { readonly state: 'missing' }
  | { readonly state: 'whole'; readonly content: VoteLogContent }
  | { readonly state: 'damaged' | 'unreadable'; readonly offset: number | undefined; readonly reason: string };

async function readLog(path: string): Promise<Found> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { state: 'missing' };
    if (PASSING_CODES.has(code)) throw fileError(error);
    return { state: 'unreadable', offset: undefined, reason: message };
  }
  const content = parseVoteLog(bytes);
  if (content.damagedAt === undefined) return { state: 'whole', content };
  return { state: 'damaged', offset: content.damagedAt, reason: `the bytes from ${content.damagedAt} on are not what was written` };
}

export interface VoteLogContent {
  readonly records: readonly Uint8Array[];
  /** First byte after the last whole frame. */
  readonly end: number;
  readonly nextSequence: number;
  readonly tornBytes: number;
  readonly damagedAt: number | undefined;
}

/** Judges the bytes of a log; pure. */
export function parseVoteLog(bytes: Uint8Array): VoteLogContent {
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength); // a Buffer's slice would not copy
  const records: Uint8Array[] = [];
  let at = MAGIC.length;
  let sequence = 0;
  const outcome = (tornBytes: number, damagedAt: number | undefined): VoteLogContent => ({
    records,
    end: at,
    nextSequence: sequence,
    tornBytes,
    damagedAt,
  });
  // A log appears by rename with its first bytes synced: a wrong or short beginning is never a torn append.
  if (file.length < MAGIC.length || MAGIC.some((byte, i) => file[i] !== byte)) return outcome(0, 0);
  for (;;) {
    const frame = readFrame(file, at);
    if (frame === undefined || frame.sequence !== sequence) break;
    records.push(...frame.records);
    at = frame.end;
    sequence++;
  }
  const last = lastNonZero(file, at);
  if (last < at) return outcome(0, undefined);
  if (anyFrameAfter(file, at + 1) || !looksTorn(file, at, last)) return outcome(0, at);
  return outcome(last + 1 - at, undefined);
}

interface FrameHeader {
  readonly length: number;
  readonly sequence: number;
  readonly bodyCrc: number;
}

function readHeader(file: Uint8Array, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > file.length) return undefined;
  const view = new DataView(file.buffer, file.byteOffset + at, FRAME_HEADER_BYTES);
  if (view.getUint32(0) !== FRAME_MAGIC || view.getUint32(16) !== crc32(file.subarray(at, at + 16))) return undefined;
  return { length: view.getUint32(4), sequence: Number(view.getBigUint64(8)), bodyCrc: view.getUint32(20) };
}

function readFrame(file: Uint8Array, at: number): { records: Uint8Array[]; sequence: number; end: number } | undefined {
  const header = readHeader(file, at);
  if (header === undefined) return undefined;
  const bodyAt = at + FRAME_HEADER_BYTES;
  const bodyEnd = bodyAt + header.length;
  if (bodyEnd >= file.length || file[bodyEnd] !== FRAME_END) return undefined;
  const body = file.slice(bodyAt, bodyEnd);
  if (crc32(body) !== header.bodyCrc) return undefined;
  try {
    const records = decodeAll(body, (r) => r.list((item) => item.bytes(VOTE_LOG_RECORD_BYTES_MAX)));
    return { records, sequence: header.sequence, end: bodyEnd + 1 };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function lastNonZero(file: Uint8Array, from: number): number {
  for (let i = file.length - 1; i >= from; i--) if (file[i] !== 0) return i;
  return from - 1;
}

function anyFrameAfter(file: Uint8Array, from: number): boolean {
  const first = FRAME_MAGIC >>> 24;
  for (let at = file.indexOf(first, from); at !== -1; at = file.indexOf(first, at + 1)) if (readHeader(file, at) !== undefined) return true;
  return false;
}

/** Whether the bad frame at `at` is one that was being written: cut by the end of the file, or with parts that are still zero. */
function looksTorn(file: Uint8Array, at: number, last: number): boolean {
  const header = readHeader(file, at);
  if (header === undefined) {
    if (last < at + FRAME_HEADER_BYTES - 1 || file.length < at + FRAME_HEADER_BYTES) return true; // the header itself is cut
    const boundary = nextSector(at); // a sector the header lies in was not written, later ones were
    if (allZero(file, at, Math.min(boundary, last))) return true;
    return boundary < at + FRAME_HEADER_BYTES && allZero(file, boundary, Math.min(boundary + SECTOR_BYTES, last));
  }
  const end = at + FRAME_HEADER_BYTES + header.length + 1;
  if (end > file.length || file[end - 1] === 0) return true;
  for (let sector = nextSector(at); sector + SECTOR_BYTES <= end; sector += SECTOR_BYTES)
    if (allZero(file, sector, sector + SECTOR_BYTES)) return true;
  return allZero(file, at + FRAME_HEADER_BYTES, Math.min(nextSector(at), end)) && nextSector(at) > at + FRAME_HEADER_BYTES;
}

function nextSector(at: number): number {
  return (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES;
}

function allZero(file: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (file[i] !== 0) return false;
  return true;
}

function encodeFrame(records: readonly Uint8Array[], sequence: number): Uint8Array {
  let bodyBytes = COUNT_BYTES;
  for (const record of records) bodyBytes += COUNT_BYTES + record.length;
  const bodyEnd = FRAME_HEADER_BYTES + bodyBytes;
  const frame = new Uint8Array(bodyEnd + 1);
  const view = new DataView(frame.buffer);
  let at = FRAME_HEADER_BYTES;
  view.setUint32(at, records.length);
  at += COUNT_BYTES;
  for (const record of records) {
    view.setUint32(at, record.length);
    frame.set(record, at + COUNT_BYTES);
    at += COUNT_BYTES + record.length;
  }
  view.setUint32(0, FRAME_MAGIC);
  view.setUint32(4, bodyBytes);
  view.setBigUint64(8, BigInt(sequence));
  view.setUint32(16, crc32(frame.subarray(0, 16)));
  view.setUint32(20, crc32(frame.subarray(FRAME_HEADER_BYTES, bodyEnd)));
  frame[bodyEnd] = FRAME_END;
  return frame;
}

class FileVoteLog implements VoteLog {
  readonly records: readonly Uint8Array[];
  readonly tornBytes: number;
  readonly lost: LogLoss | undefined;
  readonly #path: string;
  #file: FileHandle;
  #at: number;
  #size: number;
  #sequence: number;
  #turn: Promise<unknown> = Promise.resolve();
  /** After a failed write or sync nobody knows what the disk holds: no further append may succeed. */
  #broken: ChainError | undefined;

  private constructor(
    path: string,
    file: FileHandle,
    content: { at: number; size: number; sequence: number; records: readonly Uint8Array[] },
    opened: { readonly tornBytes: number; readonly lost: LogLoss | undefined },
  ) {
    this.#path = path;
    this.#file = file;
    this.#at = content.at;
    this.#size = content.size;
    this.#sequence = content.sequence;
    this.records = content.records;
    this.tornBytes = opened.tornBytes;
    this.lost = opened.lost;
  }

  static async create(path: string, lost: LogLoss | undefined): Promise<FileVoteLog> {
    const records = lost ? [LOST_RECORD] : [];
    const made = await writeWhole(path, records);
    return new FileVoteLog(path, made.file, { ...made, records }, { tornBytes: 0, lost });
  }

  static async resume(path: string, content: VoteLogContent): Promise<FileVoteLog> {
    const opened = { tornBytes: content.tornBytes, lost: undefined };
    if (content.tornBytes > 0) {
      const made = await writeWhole(path, content.records); // a clean file, so that old bytes cannot join a new frame
      return new FileVoteLog(path, made.file, { ...made, records: content.records }, opened);
    }
    const file = await guarded(() => openSynced(path));
    const { size } = await file.stat();
    return new FileVoteLog(path, file, { at: content.end, size, sequence: content.nextSequence, records: content.records }, opened);
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      if (records.length === 0) return;
      const frame = encodeFrame(records, this.#sequence);
      while (this.#at + frame.length > this.#size) await this.#grow();
      try {
        await writeSynced(this.#file, frame, this.#at);
      } catch (error) {
        this.#broken = fileError(error);
        throw this.#broken;
      }
      this.#at += frame.length;
      this.#sequence++;
    });
  }

  /** Fails without harm on a full disk: nothing but zeros was written. */
  #grow(): Promise<void> {
    return guarded(async () => {
      await writeAt(this.#file, new Uint8Array(VOTE_LOG_STEP_BYTES), this.#size);
      await this.#file.sync();
      this.#size += VOTE_LOG_STEP_BYTES;
    });
  }

  rewrite(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      const made = await writeWhole(this.#path, records);
      const old = this.#file;
      this.#file = made.file;
      this.#at = made.at;
      this.#size = made.size;
      this.#sequence = made.sequence;
      await old.close();
    });
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#file.close();
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(() => {
      if (this.#broken !== undefined) throw this.#broken;
      return run();
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** A new log under `path`, in place of any old one, on disk when this resolves. */
async function writeWhole(
  path: string,
  records: readonly Uint8Array[],
): Promise<{ file: FileHandle; at: number; size: number; sequence: number }> {
  return guarded(async () => {
    const frame = records.length === 0 ? new Uint8Array(0) : encodeFrame(records, 0);
    const at = MAGIC.length + frame.length;
    const size = (Math.floor(at / VOTE_LOG_STEP_BYTES) + 1) * VOTE_LOG_STEP_BYTES;
    const file = await putFile(path, concat(MAGIC, frame, new Uint8Array(size - at)));
    return { file, at, size, sequence: records.length === 0 ? 0 : 1 };
  });
}
