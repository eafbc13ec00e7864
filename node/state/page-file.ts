/** The page file of a real machine (adapter on node:fs). It begins empty, and what it holds is lost with the node: see segments.ts. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { ChainError } from '../errors/index.ts';
import type { PageFile } from './segments.ts';

export interface OpenPageFile extends PageFile {
  /** Removes the file. */
  close(): void;
}

/** @throws ChainError STORE_FULL, STORE_IO, as all that it does. */
export function openPageFile(path: string): OpenPageFile {
  const file = withStoreErrors(path, () => openSync(path, 'w+', 0o600));
  return {
    write(at, bytes) {
      withStoreErrors(path, () => {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
      });
    },
    read(at, count) {
      const bytes = new Uint8Array(count);
      const read = withStoreErrors(path, () => readSync(file, bytes, 0, count, at));
      return bytes.subarray(0, read);
    },
    close() {
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
}

function withStoreErrors<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC' || (error as NodeJS.ErrnoException).code === 'EDQUOT';
    throw new ChainError(full ? 'STORE_FULL' : 'STORE_IO', { path }, error);
  }
}
