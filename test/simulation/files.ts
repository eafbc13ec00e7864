/**
 * A disk's directory that crashes. Writes are seen at once and are on disk after `sync`; a crash keeps any sectors of those in between, in any order,
 * or all of them when only the process was killed. It may be full at any byte, and bits may turn over. `SimFiles` outlives processes; `SimDirectory` is
 * what one process has of it.
 */
import { ChainError } from '../../node/errors/index.ts';
import type { DataFile, FileDirectory } from '../../node/world.ts';

/** Written whole or not at all, in bytes. */
const SECTOR_BYTES = 512;

export type DiskCall =
  | { readonly kind: 'put'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'write'; readonly name: string; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly name: string; readonly size: number }
  | { readonly kind: 'sync'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'remove'; readonly name: string };

/** Whether a sector of an unsynced change reached the disk. */
export type Landed = (write: number, sector: number) => boolean;

class Content {
  #bytes = new Uint8Array(0);
  size = 0;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, at);
    this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    if (size < this.size) this.#bytes.fill(0, size, this.size);
    else this.write(size, new Uint8Array(0));
    this.size = size;
  }
}

interface SimFile {
  seen: Content;
  durable: Content;
  unsynced: DiskCall[];
}

export class SimFiles {
  readonly files = new Map<string, SimFile>();
  /** Bytes by which files may still grow. */
  roomBytes = Number.POSITIVE_INFINITY;
  /** A sync fails, and what it was to bring to the disk is forgotten: it is read as before, and no later sync brings it there (as on Linux). */
  syncFails = false;
  /** Every call that changed something, in order. */
  readonly calls: DiskCall[] = [];

  /** @throws ChainError STORE_FULL when there is no room; a write has then done its front. */
  carryOut(call: DiskCall): void {
    this.calls.push(call);
    const file = this.files.get(call.name);
    switch (call.kind) {
      case 'put':
        if (call.bytes.length > this.roomBytes) throw new ChainError('STORE_FULL');
        this.roomBytes -= call.bytes.length;
        this.files.set(call.name, { seen: contentOf(call.bytes), durable: contentOf(call.bytes), unsynced: [] });
        return;
      case 'remove':
        this.roomBytes += file?.seen.size ?? 0;
        this.files.delete(call.name);
        return;
      case 'rename':
        this.files.delete(call.name);
        if (file) this.files.set(call.to, file);
        return;
    }
    if (file === undefined) throw new ChainError('STORE_IO', { reason: `${call.name} is not there` });
    if (call.kind === 'sync' && this.syncFails) {
      file.unsynced = [];
      throw new ChainError('STORE_IO', { reason: 'EIO' });
    }
    if (call.kind === 'sync') {
      for (const earlier of file.unsynced) apply(file.durable, earlier);
      file.unsynced = [];
      return;
    }
    const room = call.kind === 'write' ? Math.max(0, file.seen.size - call.at) + this.roomBytes : 0;
    const done = call.kind === 'write' && call.bytes.length > room ? { ...call, bytes: call.bytes.subarray(0, room) } : call;
    const before = file.seen.size;
    apply(file.seen, done);
    file.unsynced.push(done);
    this.roomBytes -= file.seen.size - before;
    if (done !== call) throw new ChainError('STORE_FULL');
  }

  /** Unsynced changes of all files: how many sectors each has; a truncation counts as one. */
  unsyncedSectors(): number[] {
    return [...this.files.values()].flatMap(({ unsynced }) =>
      unsynced.map((call) => (call.kind === 'write' ? sectorsOf(call.at, call.bytes.length) : 1)),
    );
  }

  /** Power fails: of what was not synced only what `landed` says is there. */
  crash(landed: Landed): void {
    let write = 0;
    for (const file of this.files.values()) {
      for (const call of file.unsynced) {
        if (call.kind !== 'write') {
          if (landed(write++, 0)) apply(file.durable, call);
          continue;
        }
        const { at, bytes } = call;
        for (let sector = 0; sector < sectorsOf(at, bytes.length); sector++) {
          const from = Math.max(at, (Math.floor(at / SECTOR_BYTES) + sector) * SECTOR_BYTES);
          const to = Math.min(at + bytes.length, (Math.floor(at / SECTOR_BYTES) + sector + 1) * SECTOR_BYTES);
          if (landed(write, sector)) file.durable.write(from, bytes.subarray(from - at, to - at));
        }
        write++;
      }
      file.unsynced = [];
      file.seen = contentOf(file.durable.bytes);
    }
  }

  flip(name: string, at: number, mask = 1): void {
    const file = this.files.get(name)!;
    for (const content of [file.seen, file.durable]) content.bytes[at]! ^= mask;
  }

  bytesOf(name: string): Uint8Array {
    return this.files.get(name)!.seen.bytes;
  }

  copy(): SimFiles {
    const copy = new SimFiles();
    for (const [name, { seen, durable, unsynced }] of this.files)
      copy.files.set(name, { seen: contentOf(seen.bytes), durable: contentOf(durable.bytes), unsynced: [...unsynced] });
    return copy;
  }
}

function fill(into: Uint8Array, file: SimFile, at: number): void {
  const bytes = file.seen.bytes.subarray(at, at + into.length);
  into.set(bytes);
  into.fill(0, bytes.length);
}

function contentOf(bytes: Uint8Array): Content {
  const content = new Content();
  content.write(0, bytes);
  return content;
}

function apply(content: Content, call: DiskCall): void {
  if (call.kind === 'write') content.write(call.at, call.bytes);
  if (call.kind === 'truncate') content.truncate(call.size);
}

function sectorsOf(at: number, length: number): number {
  return length === 0 ? 0 : Math.floor((at + length - 1) / SECTOR_BYTES) - Math.floor(at / SECTOR_BYTES) + 1;
}

/** Runs a change when its time has come; a process that died in between gets no answer. What is only read is answered at once, as by a store. */
export type Timed = <T>(run: () => T, syncs: boolean) => Promise<T>;
const AT_ONCE: Timed = async (run) => run();

export class SimDirectory implements FileDirectory {
  readonly #disk: SimFiles;
  readonly #timed: Timed;

  constructor(disk: SimFiles, timed: Timed = AT_ONCE) {
    this.#disk = disk;
    this.#timed = timed;
  }

  async list(): Promise<readonly string[]> {
    return [...this.#disk.files.keys()];
  }

  async open(name: string): Promise<DataFile | undefined> {
    const disk = this.#disk;
    const carryOut = (call: DiskCall) => this.#timed(() => disk.carryOut(call), call.kind === 'sync');
    const file = disk.files.get(name);
    if (file === undefined) return undefined;
    return {
      size: async () => file.seen.size,
      read: async (at, into) => fill(into, file, at),
      async write(at, parts) {
        await carryOut({ kind: 'write', name, at, bytes: joined(parts) });
        await carryOut({ kind: 'sync', name });
      },
      truncate: (size) => carryOut({ kind: 'truncate', name, size }),
      sync: () => carryOut({ kind: 'sync', name }),
      close: () => Promise.resolve(),
    };
  }

  readNow(name: string, at: number, into: Uint8Array): boolean {
    const file = this.#disk.files.get(name);
    if (file === undefined) return false;
    fill(into, file, at);
    return true;
  }

  put(name: string, bytes: Uint8Array): Promise<void> {
    const copied = bytes.slice();
    return this.#timed(() => this.#disk.carryOut({ kind: 'put', name, bytes: copied }), true);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#timed(() => this.#disk.carryOut({ kind: 'rename', name: from, to }), true);
  }

  remove(name: string): Promise<void> {
    return this.#timed(() => this.#disk.carryOut({ kind: 'remove', name }), true);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
