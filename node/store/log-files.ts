/**
 * The logs of a LevelDB directory, held open (adapter over node:fs): a sync of them that looked for their names and opened each took four
 * calls of the pool, with every block. Which there are is looked up again whenever something was made or removed in the directory.
 */
import { statSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A directory that changed so long before it was listed cannot have changed once more at the same time, ms: a file system may count in seconds. */
const SETTLED_MS = 3_000n;
const NS_PER_MS = 1_000_000n;

export class LogFiles {
  readonly #path: string;
  readonly #files = new Map<string, FileHandle>();
  /** When the directory had changed last as it was listed, ns; undefined when that was too late to rest on. */
  #changedNs: bigint | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Whatever stood in a log before is on disk when this resolves. One that is gone meanwhile has become a table, which LevelDB syncs. */
  sync(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#look();
      for (const file of this.#files.values()) await file.datasync();
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#changedNs = undefined;
      for (const name of [...this.#files.keys()]) await this.#letGo(name);
    });
  }

  async #look(): Promise<void> {
    const { mtimeNs } = statSync(this.#path, { bigint: true });
    if (mtimeNs === this.#changedNs) return;
    const isSettled = mtimeNs + SETTLED_MS * NS_PER_MS < BigInt(Date.now()) * NS_PER_MS;
    this.#changedNs = undefined;
    const names = await logNames(this.#path);
    for (const name of [...this.#files.keys()]) if (!names.includes(name)) await this.#letGo(name);
    for (const name of names) if (!this.#files.has(name)) await this.#open(name);
    if (isSettled) this.#changedNs = mtimeNs;
  }

  async #open(name: string): Promise<void> {
    try {
      this.#files.set(name, await open(join(this.#path, name), 'r+')); // not every system syncs what was opened for reading
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  async #letGo(name: string): Promise<void> {
    const file = this.#files.get(name);
    this.#files.delete(name);
    await file?.close();
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(run);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

export async function logNames(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.endsWith('.log'));
}
