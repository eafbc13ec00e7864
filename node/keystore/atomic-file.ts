/** Files that are there whole or not at all: written beside, flushed, renamed, and the directory flushed (adapter: the disk). */
import { readFileSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** @param mode permission bits of the new file, set before any byte is in it. */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const beside = `${path}.new`;
  await rm(beside, { force: true }); // left by a crash
  const file = await open(beside, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** undefined when there is no such file. @throws RangeError past `bytesMax`. */
export function readFile(path: string, bytesMax: number): string | undefined {
  try {
    const { size } = statSync(path);
    if (size > bytesMax) throw new RangeError(`Cannot read ${path}: ${size} bytes, at most ${bytesMax} are expected`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
