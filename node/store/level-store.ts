/**
 * Store on LevelDB (adapter over `level`). Each value ends in a CRC-32 of its key and itself, checked on every read.
 *
 * A write that fails leaves LevelDB refusing all further ones, and its log torn: the database must be opened again before the next write.
 * The store does that by itself, but only once a probe file shows that the disk has room, because an open that fails would also end
 * reading. Until then reads go on. `multithreading` lets a worker thread open the same database; LevelDB is then closed only when every
 * thread has, so `releaseOthers` must make the others let go around a reopening.
 */
import { mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Level } from 'level';
import { ChainError } from '../errors/index.ts';
import { type ByteText, toHex, fromByteText } from '../format/index.ts';
import type { LedgerStore, Store, StoreOperation } from '../world.ts';
import { CHECKSUM_BYTES, crc32 } from './checksum.ts';
import { LogFiles, logNames } from './log-files.ts';
import { type DamagedFile, scrubLogs, scrubTables } from './scrub.ts';

/**
 * LevelDB's log in memory before it becomes a table, in bytes; up to two stand in memory at a time. Where keys are hashes every table
 * covers the whole range and is merged with all below it, so fewer and larger tables write less: at 50,000 records 64 MiB 769 MB and 16 MiB
 * 1,491 MB.
 */
export const WRITE_BUFFER_BYTES = 67_108_864;
/**
 * That of the chain store. LevelDB pushes a table down a level after one read in 16 kB that had to look past it, as it has to for each new
 * record that a client hands in, of which no row stands: each table rewrites the whole database, whatever the sizes of the levels. With a read a row 3,000,000
 * random rows of 330 bytes wrote 13.9 GB and rising with 64 MiB, 6.5 GB with 192 MiB.
 */
export const CHAIN_WRITE_BUFFER_BYTES = 268_435_456;
export const CACHE_BYTES = 67_108_864;
/**
 * Room the disk must show before a full store opens again, in bytes, beyond twice its logs: LevelDB writes its log out as a table when it
 * opens.
 */
export const REOPEN_ROOM_BYTES = 33_554_432;
/** Rows fetched from LevelDB at a time. */
const RANGE_STEP = 1000;
/**
 * Of values that are checked or written in one turn: a few ms. A full block takes 7 ms at once to be checked, and 60 where zlib has no
 * CRC-32.
 */
export const CHECK_STEP_BYTES = 4_194_304;
const PROBE_STEP = new Uint8Array(1_048_576);
const FULL = /No space left on device|File too large|Disk quota exceeded/;
const FULL_CODES = new Set(['ENOSPC', 'EFBIG', 'EDQUOT']);

type Snapshot = ReturnType<Level['snapshot']>;

export interface LevelStoreOptions {
  /** Directory; made when missing. */
  readonly path: string;
  /** Allow other threads of this process to open the same directory. */
  readonly multithreading?: boolean;
  /** Makes other threads close the database; the function it resolves to lets them open it again. */
  readonly releaseOthers?: () => Promise<() => Promise<void>>;
  /** Told of every read or write that failed, beside the exception: a damaged value, a full disk. */
  readonly onFault?: (fault: ChainError) => void;
  /** Told of every batch that was written: a disk that was full has room again. */
  readonly onWritten?: () => void;
  /** Made by createSyncMarks, the same for every thread that opens the directory; its own when absent. */
  readonly syncMarks?: Int32Array;
  /** WRITE_BUFFER_BYTES when absent. */
  readonly writeBufferBytes?: number;
  readonly reopenRoomBytes?: number;
}

/**
 * @throws ChainError STORE_LOCKED when another process holds the directory, STORE_NOT_OPENED when LevelDB cannot read its files,
 * STORE_FULL, STORE_IO.
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<LevelStore> {
  await mkdir(options.path, { recursive: true, mode: 0o700 });
  const [damaged] = await scrubLogs(options.path); // LevelDB would leave the record out and say nothing
  if (damaged !== undefined) throw new ChainError('STORE_NOT_OPENED', { path: options.path, ...damaged });
  const store = new LevelStore(options);
  try {
    await store.open();
  } catch (error) {
    if (!(error instanceof ChainError) || error.code !== 'STORE_DAMAGED') throw error;
    throw new ChainError('STORE_NOT_OPENED', error.data, error);
  }
  return store;
}

/** In the name of a store or a log that was set aside. */
export const ASIDE = '.damaged-';

/**
 * Opens a store whose rows are made of others, so that a node starts without it: one that does not open is kept beside under another name,
 * and an empty one takes its place.
 * @param unique hex digits for that name.
 */
export async function openDerivedStore(
  options: LevelStoreOptions,
  unique: string,
): Promise<{ readonly store: LevelStore; readonly setAside: string | undefined }> {
  try {
    return { store: await openLevelStore(options), setAside: undefined };
  } catch (error) {
    if (!(error instanceof ChainError) || error.code !== 'STORE_NOT_OPENED') throw error;
  }
  const setAside = `${basename(options.path)}${ASIDE}${unique}`;
  await rename(options.path, join(dirname(options.path), setAside));
  return { store: await openLevelStore(options), setAside };
}

// Of the batches of all threads that were written without a sync: how many there were, and how many of them were there when the last sync began that
// succeeded. Whoever writes the next batch does not sync again what another thread has synced meanwhile.
const WRITTEN = 0;
const SYNCED = 1;

export function createSyncMarks(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

export class LevelStore implements LedgerStore {
  readonly #options: LevelStoreOptions;
  #db: Level<Buffer, Buffer>;
  /** The last write failed: LevelDB accepts none until it is opened again. */
  #mustReopen = false;
  readonly #syncMarks: Int32Array;
  readonly #logs: LogFiles;
  #writes: Promise<unknown> = Promise.resolve();

  constructor(options: LevelStoreOptions) {
    this.#options = options;
    this.#syncMarks = options.syncMarks ?? createSyncMarks();
    this.#logs = new LogFiles(options.path);
    this.#db = this.#create();
  }

  #create(): Level<Buffer, Buffer> {
    return new Level<Buffer, Buffer>(this.#options.path, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: CACHE_BYTES,
      writeBufferSize: this.#options.writeBufferBytes ?? WRITE_BUFFER_BYTES,
      multithreading: this.#options.multithreading ?? false,
    });
  }

  async open(): Promise<void> {
    try {
      await this.#db.open();
    } catch (error) {
      throw storeError(error, { path: this.#options.path });
    }
  }

  get(key: ByteText, snapshot?: Snapshot): Uint8Array | undefined {
    try {
      const stored: Buffer | undefined = this.#db.getSync(Buffer.from(key, 'latin1'), snapshot ? { snapshot } : {});
      return stored === undefined ? undefined : checkedValue(Buffer.from(key, 'latin1'), stored);
    } catch (error) {
      throw this.#reported(storeError(error, { key: keyHex(key) }));
    }
  }

  /**
   * Rows as they stand now, whatever is written later. To be closed before the store. @throws ChainError SERVER_BUSY while the store is
   * opened anew
   */
  snapshot(): Pick<Store, 'get' | 'range' | 'close'> {
    try {
      const snapshot = this.#db.snapshot();
      return {
        get: (key) => this.get(key, snapshot),
        range: (options) => this.range(options, snapshot),
        close: () => snapshot.close(),
      };
    } catch (error) {
      throw this.#reported(storeError(error, {}));
    }
  }

  #reported(fault: ChainError): ChainError {
    this.#options.onFault?.(fault);
    return fault;
  }

  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    const done = this.#writes.then(() => this.#write(operations, options.sync));
    this.#writes = done.catch(() => undefined);
    return done;
  }

  async #write(operations: readonly StoreOperation[], sync: boolean): Promise<void> {
    try {
      if (this.#mustReopen) await this.#reopen();
    } catch (error) {
      throw this.#reported(storeError(error, {}));
    }
    // A loss of power takes pages of what was not synced, wherever they stand: a whole batch behind a torn one would be damage, and end the
    // next start.
    if (Atomics.load(this.#syncMarks, WRITTEN) !== Atomics.load(this.#syncMarks, SYNCED)) await this.sync();
    try {
      const batch = this.#db.batch(); // the chained form is five times as fast as an array on Node 20
      let bytes = 0;
      for (const { key, value } of operations) {
        const keyBytes = Buffer.from(key, 'latin1');
        if (value === undefined) batch.del(keyBytes);
        else
          batch.put(keyBytes, value.length > CHECK_STEP_BYTES ? await withChecksumInSteps(keyBytes, value) : withChecksum(keyBytes, value));
        bytes += value?.length ?? 0;
        if (bytes < CHECK_STEP_BYTES) continue;
        await nextTurn();
        bytes = 0;
      }
      await batch.write({ sync });
      if (!sync) Atomics.add(this.#syncMarks, WRITTEN, 1);
    } catch (error) {
      this.#mustReopen = true;
      throw this.#reported(storeError(error, {}));
    }
    this.#options.onWritten?.();
  }

  /**
   * Syncs LevelDB's logs themselves, whoever wrote them: a batch stands in one whole when its promise resolves. A synced batch would not
   * do: when it begins a new log, LevelDB leaves the one before as it is. One that is gone meanwhile has become a table, which LevelDB
   * syncs. Of a sync that failed a next one says nothing: the system may have forgotten what it could not write, and call that synced
   * (PostgreSQL's lesson of 2018). Whoever rests anything on it does not ask again before the node starts again (node/chain/chain.ts).
   */
  async sync(): Promise<void> {
    const written = Atomics.load(this.#syncMarks, WRITTEN);
    try {
      await this.#logs.sync();
      Atomics.store(this.#syncMarks, SYNCED, written);
    } catch (error) {
      throw this.#reported(storeError(error, {}));
    }
  }

  /**
   * Lets go of the database so that another thread can open it anew; the function it resolves to takes it up again. Reads in between fail.
   */
  async release(): Promise<() => Promise<void>> {
    await this.#writes;
    await this.#db.close();
    await this.#logs.close();
    return async () => {
      this.#db = this.#create();
      await this.open();
    };
  }

  async #reopen(): Promise<void> {
    await this.#probeRoom();
    const letOthersBack = await this.#options.releaseOthers?.();
    try {
      await this.#db.close();
      this.#db = this.#create();
      await this.open();
      this.#mustReopen = false;
    } finally {
      await letOthersBack?.();
    }
  }

  /** Writes and removes a file as large as LevelDB may need; free-space counters know nothing of quotas and limits. */
  async #probeRoom(): Promise<void> {
    const path = join(this.#options.path, 'room.probe');
    const bytes = 2 * (await logBytes(this.#options.path)) + (this.#options.reopenRoomBytes ?? REOPEN_ROOM_BYTES);
    const { bavail, bsize } = await statfs(this.#options.path);
    // Counters that say no are right, and asking them keeps what room there is for others; when they say yes, the file decides.
    if (bavail * bsize < bytes) throw new ChainError('STORE_FULL', { freeBytes: bavail * bsize, neededBytes: bytes });
    try {
      const file = await open(path, 'w', 0o600);
      try {
        for (let at = 0; at < bytes; ) at += (await file.write(PROBE_STEP, 0, Math.min(PROBE_STEP.length, bytes - at))).bytesWritten;
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw storeError(error, {});
    } finally {
      await rm(path, { force: true });
    }
  }

  async range(options: Parameters<Store['range']>[0], snapshot?: Snapshot): Promise<{ key: ByteText; value: Uint8Array }[]> {
    const rows: { key: ByteText; value: Uint8Array }[] = [];
    try {
      const iterator = this.#db.iterator({
        gte: Buffer.from(options.from, 'latin1'),
        ...(options.to === undefined ? {} : { lt: Buffer.from(options.to, 'latin1') }),
        reverse: options.reverse ?? false,
        limit: options.limit,
        ...(snapshot && { snapshot }),
      });
      try {
        for (;;) {
          const entries = await iterator.nextv(Math.min(RANGE_STEP, options.limit - rows.length || 1));
          if (entries.length === 0) break;
          for (const [key, stored] of entries) {
            const value = stored.length > CHECK_STEP_BYTES ? await checkedInSteps(key, stored) : checkedValue(key, stored);
            rows.push({ key: key.toString('latin1'), value });
          }
        }
      } finally {
        await iterator.close();
      }
    } catch (error) {
      throw this.#reported(storeError(error, { from: keyHex(options.from) }));
    }
    return rows;
  }

  /**
   * Reads all table files and checks LevelDB's own checksums, which also cover keys and filters: damage there makes a value look absent.
   * About 3 ms a mebibyte of this thread, in steps of as much; for a start in the background, where `between` is awaited after each file,
   * and for `doctor`.
   */
  scrub(between?: () => Promise<void>): Promise<readonly DamagedFile[]> {
    return scrubTables(this.#options.path, between);
  }

  /** Waits for writes under way. Closing twice is allowed. */
  async close(): Promise<void> {
    await this.#writes;
    await this.#db.close();
    await this.#logs.close();
  }
}

function withChecksum(key: Buffer, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  stored.set(value);
  stored.writeUInt32BE(crc32(value, crc32(key)), value.length);
  return stored;
}

/** The same for what takes long. */
async function withChecksumInSteps(key: Buffer, value: Uint8Array): Promise<Buffer> {
  const stored = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  let sum = crc32(key);
  for (let at = 0; at < value.length; at += CHECK_STEP_BYTES) {
    const part = value.subarray(at, at + CHECK_STEP_BYTES);
    stored.set(part, at);
    sum = crc32(part, sum);
    await nextTurn();
  }
  stored.writeUInt32BE(sum, value.length);
  return stored;
}

function checkedValue(key: Buffer, stored: Buffer): Uint8Array {
  const value = valueIn(stored);
  return sound(key, stored, value, crc32(value, crc32(key)));
}

/** The same for what takes long: the event loop goes on between two steps. */
async function checkedInSteps(key: Buffer, stored: Buffer): Promise<Uint8Array> {
  const value = valueIn(stored);
  let sum = crc32(key);
  for (let at = 0; at < value.length; at += CHECK_STEP_BYTES) {
    await nextTurn();
    sum = crc32(value.subarray(at, at + CHECK_STEP_BYTES), sum);
  }
  return sound(key, stored, value, sum);
}

function valueIn(stored: Buffer): Uint8Array {
  return new Uint8Array(stored.buffer, stored.byteOffset, Math.max(0, stored.length - CHECKSUM_BYTES));
}

/** @throws ChainError STORE_DAMAGED */
function sound(key: Buffer, stored: Buffer, value: Uint8Array, sum: number): Uint8Array {
  if (stored.length < CHECKSUM_BYTES || stored.readUInt32BE(value.length) !== sum)
    throw new ChainError('STORE_DAMAGED', { key: toHex(key) });
  return value;
}

function keyHex(key: ByteText): string {
  return toHex(fromByteText(key));
}

async function logBytes(path: string): Promise<number> {
  const logs = await logNames(path);
  // LevelDB may remove one meanwhile.
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(path, name)).catch(() => undefined))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The ChainError for an error of LevelDB or the file system. */
function storeError(error: unknown, data: Readonly<Record<string, unknown>>): ChainError {
  if (error instanceof ChainError) return error;
  const chain = [error, (error as { cause?: unknown }).cause].filter((e) => e instanceof Error) as (Error & { code?: string })[];
  const says = (code: string) => chain.some((e) => e.code === code);
  if (chain.some((e) => FULL.test(e.message) || (e.code !== undefined && FULL_CODES.has(e.code))))
    return new ChainError('STORE_FULL', data, error);
  if (says('LEVEL_LOCKED')) return new ChainError('STORE_LOCKED', data, error);
  if (says('LEVEL_CORRUPTION')) return new ChainError('STORE_DAMAGED', data, error);
  // Without a cause it is not a failed opening: the store is closed for a moment, to be opened anew.
  if (chain.length === 1 && (says('LEVEL_DATABASE_NOT_OPEN') || says('LEVEL_ITERATOR_NOT_OPEN')))
    return new ChainError('SERVER_BUSY', { reason: 'the store is being opened anew' }, error);
  return new ChainError('STORE_IO', { ...data, reason: chain.at(-1)?.message ?? String(error) }, error);
}
