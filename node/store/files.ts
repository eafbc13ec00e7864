/**
 * Files of this machine (adapter on node:fs). The calls run on the threads of libuv, so that neither a slow disk nor a large group holds
 * the thread that votes; errors of the system become codes of the error table.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { platform } from 'node:os';
import { dirname, join } from 'node:path';
import { ChainError } from '../errors/index.ts';
import type { DataFile, FileDirectory } from '../world.ts';

const FULL_CODES: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const OWNER_ONLY = 0o600;
/**
 * A file opened so has each write on disk when that resolves: one call of the pool instead of two. 0 where a sync is asked for after each
 * write instead: macOS would leave such a write in the drive's cache, which libuv's fdatasync empties there (F_FULLFSYNC).
 */
const SYNCED_WRITES: number = platform() === 'linux' ? constants.O_DSYNC : 0;

/** Makes the directory when it is missing. */
export async function openDirectory(path: string): Promise<FileDirectory> {
  await guarded(() => mkdir(path, { recursive: true, mode: 0o700 }));
  return {
    list: () => guarded(() => readdir(path)),
    open: (name) =>
      guarded(async () => {
        try {
          return new RealFile(await openSynced(join(path, name)));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
          throw error;
        }
      }),
    readNow(name, at, into) {
      let file: number | undefined;
      try {
        file = openSync(join(path, name), constants.O_RDONLY);
        let done = 0;
        for (let read = 1; done < into.length && read > 0; done += read) read = readSync(file, into, done, into.length - done, at + done);
        into.fill(0, done);
        return true;
      } catch (error) {
        if (file === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw fileError(error);
      } finally {
        if (file !== undefined) closeSync(file);
      }
    },
    put: (name, bytes) =>
      guarded(async () => {
        const file = await putFile(join(path, name), bytes);
        await file.close();
      }),
    rename: (from, to) =>
      guarded(async () => {
        await rename(join(path, from), join(path, to));
        await syncDirectory(path);
      }),
    remove: (name) =>
      guarded(async () => {
        await rm(join(path, name), { force: true });
        await syncDirectory(path);
      }),
  };
}

class RealFile implements DataFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  size(): Promise<number> {
    return guarded(async () => (await this.#file.stat()).size);
  }

  read(at: number, into: Uint8Array): Promise<void> {
    return guarded(async () => {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await this.#file.read(into, done, into.length - done, at + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      into.fill(0, done);
    });
  }

  write(at: number, parts: readonly Uint8Array[]): Promise<void> {
    return guarded(async () => {
      let left = parts.filter((part) => part.length > 0);
      for (let to = at; left.length > 0; ) {
        const { bytesWritten } = await this.#file.writev(left, to);
        to += bytesWritten;
        left = behind(left, bytesWritten);
      }
      if (SYNCED_WRITES === 0) await this.#file.datasync();
    });
  }

  truncate(bytes: number): Promise<void> {
    return guarded(() => this.#file.truncate(bytes));
  }

  sync(): Promise<void> {
    return guarded(() => this.#file.datasync());
  }

  close(): Promise<void> {
    return guarded(() => this.#file.close());
  }
}

/** What is left of the parts behind so many bytes: the system may write less than it was given. */
function behind(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  for (const part of parts) {
    const done = Math.min(part.length, bytes);
    bytes -= done;
    if (done < part.length) left.push(part.subarray(done));
  }
  return left;
}

/** A file whose writes are synced ones, where there are such. */
export function openSynced(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | SYNCED_WRITES);
}

/** On disk when this resolves, in a file of `openSynced` or `putFile`. */
export async function writeSynced(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  await writeAt(file, bytes, at);
  if (SYNCED_WRITES === 0) await file.datasync();
}

/** A new file under `path`, in place of any old one, on disk when this resolves: temporary file, fsync, rename, fsync of the directory. */
export async function putFile(path: string, bytes: Uint8Array): Promise<FileHandle> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | SYNCED_WRITES, OWNER_ONLY);
  try {
    await writeAt(file, bytes, 0);
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return file;
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true }); // on a full disk it would hold the room that others wait for
    throw error;
  }
}

export async function writeAt(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(join(path, '.'), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Throws errors of the system as ChainError STORE_FULL or STORE_IO. */
export async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fileError(error);
  }
}

export function fileError(error: unknown): ChainError {
  if (error instanceof ChainError) return error;
  if (FULL_CODES.has((error as NodeJS.ErrnoException).code)) return new ChainError('STORE_FULL', {}, error);
  return new ChainError('STORE_IO', { reason: (error as Error).message }, error);
}
