/**
 * Disks that crash. What was synced stays; what was not is lost from some point on, and the last record may be torn (half of it is on disk,
 * which opening drops, as the real log does). A disk outlives the processes that use it; `SimLog` and `SimStore` are one process's view.
 */
import { ChainError } from '../../node/errors/index.ts';
import type { ByteText } from '../../node/format/index.ts';
import type { AppendLog, FileDirectory, LedgerStore, StoreOperation } from '../../node/world.ts';
import { SimDirectory, SimFiles } from './files.ts';
import type { SeededRandom } from './random.ts';

/** Time of one fdatasync, ms. */
const SYNC_MIN_MS = 0.2;
const SYNC_MAX_MS = 4;
/** Of any other call on a file, ms. */
const FILE_CALL_MS = 0.05;

/** Runs `then` after `ms` unless the process has died. */
export type Later = (ms: number, then: () => void) => void;
/** Called at each persist point; true kills the process there. */
export type PersistHook = (point: {
  readonly count: number;
  readonly stage: 'before' | 'during' | 'after';
  /** The log is replaced, as at a stable checkpoint. */
  readonly rewrite: boolean;
}) => boolean;

export class SimDisk {
  /** Durable records of each log, and rows of each store, by name. */
  readonly logs = new Map<string, Uint8Array[]>();
  readonly stores = new Map<string, Map<ByteText, Uint8Array>>();
  readonly directories = new Map<string, SimFiles>();
  full = false;
  /** Syncs of stores and files fail. */
  syncFails = false;
  /** One did since the process was started. */
  syncFailed = false;
  /** Synced batches of stores and syncs of files are persist points too. */
  hooksStores = false;
  persistCount = 0;
  onPersist: PersistHook = () => false;
  /** Writes under way in the present process: what happens to each if it dies now. */
  readonly underWay = new Set<(random: SeededRandom) => void>();

  /** The process dies: each unfinished write ends somewhere between nothing and everything. */
  crash(random: SeededRandom): void {
    for (const end of this.underWay) end(random);
    this.underWay.clear();
    const isKilled = random.chance(0.5); // the system outlives the process and still writes everything
    for (const files of this.directories.values()) files.crash(() => isKilled || random.chance(0.5));
  }

  syncMs(random: SeededRandom): number {
    return SYNC_MIN_MS + random.ratio() * (SYNC_MAX_MS - SYNC_MIN_MS);
  }
}

/** The files of one directory as a process has them: each call takes a while, a sync as long as one of a log. */
export function simDirectory(
  disk: SimDisk,
  name: string,
  random: SeededRandom,
  later: Later,
  kill: () => void = () => {},
  isAlive: () => boolean = () => true,
): FileDirectory {
  const files = disk.directories.get(name) ?? new SimFiles();
  disk.directories.set(name, files);
  return new SimDirectory(
    files,
    (run, syncs) =>
      new Promise((resolve, reject) => {
        if (!isAlive()) return;
        const count = syncs && disk.hooksStores ? ++disk.persistCount : undefined;
        const killed = (stage: 'before' | 'during' | 'after'): boolean => {
          if (count === undefined || !disk.onPersist({ count, stage, rewrite: false })) return false;
          kill();
          return true;
        };
        if (killed('before') || killed('during')) return; // what was written and not synced is there in part
        later(syncs ? disk.syncMs(random) : FILE_CALL_MS, () => {
          files.roomBytes = disk.full ? 0 : Number.POSITIVE_INFINITY;
          files.syncFails = disk.syncFails;
          try {
            const result = run();
            if (!killed('after')) resolve(result);
          } catch (error) {
            if (error instanceof ChainError && error.code === 'STORE_IO') disk.syncFailed = true;
            reject(error);
          }
        });
      }),
  );
}

export class SimLog implements AppendLog {
  readonly records: readonly Uint8Array[];
  readonly #disk: SimDisk;
  readonly #name: string;
  readonly #random: SeededRandom;
  readonly #later: Later;
  readonly #kill: () => void;
  readonly #isAlive: () => boolean;

  constructor(disk: SimDisk, name: string, random: SeededRandom, later: Later, kill: () => void, isAlive: () => boolean) {
    this.#disk = disk;
    this.#name = name;
    this.#random = random;
    this.#later = later;
    this.#kill = kill;
    this.#isAlive = isAlive;
    this.records = [...(disk.logs.get(name) ?? [])];
  }

  #durable(): Uint8Array[] {
    let records = this.#disk.logs.get(this.#name);
    if (!records) {
      records = [];
      this.#disk.logs.set(this.#name, records);
    }
    return records;
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    return this.#write(
      false,
      () => this.#durable().push(...records.map((record) => record.slice())),
      // Whole records from the front may have reached the disk; a torn one behind them is dropped on open.
      (random) => this.#durable().push(...records.slice(0, random.integer(0, records.length)).map((record) => record.slice())),
    );
  }

  rewrite(records: readonly Uint8Array[]): Promise<void> {
    const replace = () =>
      this.#disk.logs.set(
        this.#name,
        records.map((record) => record.slice()),
      );
    return this.#write(true, replace, (random) => random.chance(0.5) && replace()); // by rename: old or new
  }

  #write(rewrite: boolean, done: () => void, torn: (random: SeededRandom) => void): Promise<void> {
    const disk = this.#disk;
    if (!this.#isAlive()) return new Promise(() => {}); // what a dead process still computes would be written by the next one's death
    if (disk.full) return new Promise((_, reject) => this.#later(1, () => reject(new ChainError('STORE_FULL'))));
    const count = ++disk.persistCount;
    if (disk.onPersist({ count, stage: 'before', rewrite })) {
      this.#kill();
      return new Promise(() => {});
    }
    disk.underWay.add(torn);
    if (disk.onPersist({ count, stage: 'during', rewrite })) {
      this.#kill();
      return new Promise(() => {});
    }
    return new Promise((resolve) =>
      this.#later(disk.syncMs(this.#random), () => {
        disk.underWay.delete(torn);
        done();
        if (disk.onPersist({ count, stage: 'after', rewrite })) this.#kill();
        else resolve();
      }),
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class SimStore implements LedgerStore {
  readonly #disk: SimDisk;
  readonly #rows: Map<ByteText, Uint8Array>;
  readonly #durable: Map<ByteText, Uint8Array>;
  readonly #random: SeededRandom;
  readonly #later: Later;
  readonly #kill: () => void;
  readonly #isAlive: () => boolean;
  /** Batches in order that are visible to this process and not on disk yet. */
  #unsynced: (readonly StoreOperation[])[] = [];
  /** A sync failed: what this process writes from then on is lost with it, whatever later syncs say. */
  #lost = false;
  readonly #onCrash: (random: SeededRandom) => void;

  constructor(disk: SimDisk, name: string, random: SeededRandom, later: Later, kill: () => void, isAlive: () => boolean) {
    this.#disk = disk;
    this.#random = random;
    this.#later = later;
    this.#kill = kill;
    this.#isAlive = isAlive;
    let durable = disk.stores.get(name);
    if (!durable) {
      durable = new Map();
      disk.stores.set(name, durable);
    }
    this.#durable = durable;
    this.#rows = new Map(durable);
    this.#onCrash = (chance) => this.#sync(chance.integer(0, this.#unsynced.length));
    disk.underWay.add(this.#onCrash);
  }

  get(key: ByteText): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (!this.#isAlive()) return new Promise(() => {});
    if (this.#disk.full) return new Promise((_, reject) => this.#later(1, () => reject(new ChainError('STORE_FULL'))));
    if (options.sync && this.#disk.syncFails) return new Promise((_, reject) => this.#later(1, () => reject(this.#failed())));
    const copied = operations.map(({ key, value }) => ({ key, value: value?.slice() }));
    const count = options.sync && this.#disk.hooksStores ? ++this.#disk.persistCount : undefined;
    const killed = (stage: 'before' | 'during' | 'after') => {
      if (count === undefined || !this.#disk.onPersist({ count, stage, rewrite: false })) return false;
      this.#kill();
      return true;
    };
    if (killed('before')) return new Promise(() => {});
    this.#unsynced.push(copied);
    if (killed('during')) return new Promise(() => {});
    return new Promise((resolve) =>
      this.#later(options.sync ? this.#disk.syncMs(this.#random) : 0.05, () => {
        apply(this.#rows, copied);
        if (options.sync) this.#sync(this.#unsynced.indexOf(copied) + 1);
        if (!killed('after')) resolve();
      }),
    );
  }

  sync(): Promise<void> {
    if (!this.#isAlive()) return new Promise(() => {});
    const last = this.#unsynced.at(-1);
    const count = this.#disk.hooksStores ? ++this.#disk.persistCount : undefined;
    const killed = (stage: 'before' | 'during' | 'after'): boolean => {
      if (count === undefined || !this.#disk.onPersist({ count, stage, rewrite: false })) return false;
      this.#kill();
      return true;
    };
    if (killed('before') || killed('during')) return new Promise(() => {});
    return new Promise((resolve, reject) =>
      this.#later(this.#disk.syncMs(this.#random), () => {
        if (this.#disk.syncFails) {
          this.#sync(this.#random.integer(0, this.#unsynced.length)); // some of it may be there
          this.#lost = true;
          reject(this.#failed());
          return;
        }
        if (last) this.#sync(this.#unsynced.indexOf(last) + 1);
        if (!killed('after')) resolve();
      }),
    );
  }

  #failed(): ChainError {
    this.#disk.syncFailed = true;
    return new ChainError('STORE_IO', { reason: 'EIO' });
  }

  #sync(count: number): void {
    for (const operations of this.#unsynced.splice(0, count)) if (!this.#lost) apply(this.#durable, operations);
  }

  range(options: {
    readonly from: ByteText;
    readonly to: ByteText | undefined;
    readonly reverse?: boolean;
    readonly limit: number;
  }): Promise<{ key: ByteText; value: Uint8Array }[]> {
    const { from, to, reverse, limit } = options;
    const keys = [...this.#rows.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort();
    if (reverse) keys.reverse();
    return Promise.resolve(keys.slice(0, limit).map((key) => ({ key, value: this.#rows.get(key)! })));
  }

  close(): Promise<void> {
    this.#sync(this.#unsynced.length);
    this.#disk.underWay.delete(this.#onCrash);
    return Promise.resolve();
  }
}

function apply(rows: Map<ByteText, Uint8Array>, operations: readonly StoreOperation[]): void {
  for (const { key, value } of operations) {
    if (value === undefined) rows.delete(key);
    else rows.set(key, value);
  }
}
