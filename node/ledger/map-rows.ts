/**
 * The state map on disk: what each block changed, and now and then the whole of it (node/state/change-set.ts, snapshot.ts), as rows of the chain store.
 *
 *   mapChanges    height            change set of that block, in the batch of the block
 *   mapSnapshot   height, number    frames of the snapshot of that height, from 0; a row of `meta` names the height of the one that is whole
 *
 * A start loads the snapshot, applies the change sets above it and compares the root with the head's. Where that fails, since rows are damaged, it makes
 * the map from the values themselves, with the hashes stated here for those that are damaged too, and writes a snapshot anew.
 */
import { ChainError } from '../errors/index.ts';
import { type ByteText, type Digest, decodeAll, equalBytes, prefixEnd, Writer } from '../format/index.ts';
import {
  type ChangeSet,
  createStateMap,
  decodeChangeSet,
  encodeChangeSet,
  type HeldMap,
  loadChanges,
  loadSnapshot,
  type MapHash,
  type MapRoom,
  type MapWrite,
  mergeChangeSets,
  PagesDamaged,
  type StateMap,
  writeSnapshot,
} from '../state/index.ts';
import { keyspace, rangeAround } from '../store/index.ts';
import type { Clock, Store, StoreOperation } from '../world.ts';
import { ledgerKey } from './keys.ts';
import { pathOf, type StateRows } from './state-rows.ts';

/**
 * A snapshot follows once so many keys were written since the last one, and a part of all keys: each key written costs as many entries of a snapshot as
 * there are parts, 0.6 us each. A start merges what was written since into the entries of the snapshot.
 */
export const SNAPSHOT_WRITES_MIN = 150_000;
const SNAPSHOT_PART = 4;
/** A node that stops writes one more once so many keys were written since the last, and a part of all keys, so that its next start has little to apply. */
export const LAST_SNAPSHOT_WRITES_MIN = 10_000;
const LAST_SNAPSHOT_PART = 16;
/** Entries of the largest map of which a node that stops writes a snapshot, some 5 s, and the time that it takes for it where the disk is slow. */
const LAST_SNAPSHOT_ENTRIES_MAX = 5_000_000;
const LAST_SNAPSHOT_MS_MAX = 6_000;
/**
 * Written keys that a start merges into the entries of a snapshot, and sets of them; some 90 bytes of memory a key. Those of newer
 * change sets, where snapshots failed for long, are applied to the map that this made, 4 to 7 us a key.
 */
export const MERGED_WRITES_MAX = 2_000_000;
/** Keys of change sets that are applied at once. */
const REPLAY_WRITES = 200_000;
const VALUES_PER_STAGE = 10_000;
const CHANGES_PER_RANGE = 256;
const FRAMES_PER_RANGE = 16; // of a quarter of a MiB each

export interface MapRows {
  /** The map of the state that the head of `height` states. @throws ChainError STORE_DAMAGED when nothing here leads to `stateRoot` */
  open(height: number, stateRoot: Digest): Promise<StateMap>;
  /** The row that goes into the batch of the block. */
  changes(set: ChangeSet): StoreOperation;
  /** The block of `set` is on disk and in the map: a snapshot is begun when it is time for one. */
  committed(map: StateMap, set: ChangeSet): void;
  /** A snapshot met a page of the map that is damaged: the map is to be opened again. */
  lost(): PagesDamaged | undefined;
  /** Writes the whole map anew and drops every row from before. @throws ChainError of the store */
  rewrite(map: StateMap, height: number): Promise<void>;
  /** Ends a snapshot under way, and begins nothing more; resolves when nothing is being written. */
  stop(): Promise<void>;
  /** The same, but for a last snapshot where the next start would have much to apply. `map` is that of `height`, the head's. */
  finish(map: StateMap, height: number): Promise<void>;
}

/** A change set as it is stored, and read. */
interface ChangeRow {
  readonly bytes: Uint8Array;
  readonly set: ChangeSet;
}

interface Written {
  /** Of so many change sets, oldest first, as are merged into the entries of a snapshot. */
  readonly changes: readonly Uint8Array[];
  readonly later: AsyncIterable<ChangeRow>;
}

export function createMapRows(deps: {
  readonly store: Store;
  readonly hash: MapHash;
  readonly state: StateRows;
  /** Bounds the last snapshot of a node that stops. */
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Undefined: all of the map stays in memory. */
  readonly room: MapRoom | undefined;
}): MapRows {
  const { store, hash, state, clock, room } = deps;
  let writesSince = 0;
  let running: Promise<void> | undefined;
  let stopped = false;
  /** The snapshot under way is given up after this time. */
  let untilMs = Number.POSITIVE_INFINITY;
  let lost: PagesDamaged | undefined;

  async function open(height: number, stateRoot: Digest): Promise<StateMap> {
    await running?.catch(() => undefined); // the page file is the new map's from here on
    lost = undefined;
    const stored = await fromRows(height);
    if (equalBytes(stored.root(), stateRoot)) return stored;
    const made = await fromValues(stored);
    if (!equalBytes(made.root(), stateRoot))
      throw new ChainError('STORE_DAMAGED', { table: 'state', fault: `another root than that of ${height}` });
    await rewrite(made, height);
    return room ? fromRows(height) : made;
  }

  /** As far as the rows are sound. */
  async function fromRows(height: number): Promise<StateMap> {
    const at = soundOnly(snapshotHeight);
    const stored = at === undefined ? undefined : await onSnapshot(at, height);
    if (stored) return stored;
    const { changes, later } = await writtenFrom(0, height);
    return await applied(loadChanges(hash, changes, room), later);
  }

  async function onSnapshot(at: number, height: number): Promise<StateMap | undefined> {
    const { changes, later } = await writtenFrom(at + 1, height);
    const loaded = await loadSnapshot(hash, frames(at), room, changes).catch(undefinedWhenDamaged);
    return loaded && (await applied(loaded.map, later));
  }

  async function writtenFrom(from: number, to: number): Promise<Written> {
    const later = changeRows(from, to);
    const changes: Uint8Array[] = [];
    writesSince = 0;
    while (writesSince + changes.length < MERGED_WRITES_MAX) {
      const { done, value } = await later.next();
      if (done) break;
      changes.push(value.bytes);
      writesSince += value.set.writes.length;
    }
    return { changes, later };
  }

  async function applied(map: StateMap, rows: AsyncIterable<ChangeRow>): Promise<StateMap> {
    let sets: ChangeSet[] = [];
    let count = 0;
    const apply = (): void => {
      map.commit(map.stage(mergeChangeSets(sets)));
      writesSince += count;
      sets = [];
      count = 0;
    };
    for await (const { set } of rows) {
      sets.push(set);
      count += set.writes.length;
      if (count >= REPLAY_WRITES) apply();
    }
    if (count > 0) apply();
    return map;
  }

  /** Change sets of the blocks of these heights, oldest first; none for a row that is damaged. */
  async function* changeRows(fromHeight: number, toHeight: number): AsyncGenerator<ChangeRow, undefined> {
    const to = ledgerKey.mapChanges(toHeight + 1);
    for (let from = ledgerKey.mapChanges(fromHeight); ; ) {
      const rows = await rangeAround(store, { from, to, limit: CHANGES_PER_RANGE }, () => new Uint8Array(0));
      for (const { value } of rows) {
        const set = soundOnly(() => decodeChangeSet(hash, value));
        if (set) yield { bytes: value, set };
      }
      if (rows.length < CHANGES_PER_RANGE) return undefined;
      from = `${rows[rows.length - 1]!.key}\0`;
    }
  }

  function snapshotHeight(): number | undefined {
    const row = store.get(ledgerKey.mapSnapshot);
    return row && decodeAll(row, (reader) => reader.u64());
  }

  async function* frames(height: number): AsyncGenerator<Uint8Array> {
    const prefix = ledgerKey.mapFrames(height);
    for (let from: ByteText = prefix; ; ) {
      const rows = await store.range({ from, to: prefixEnd(prefix), limit: FRAMES_PER_RANGE });
      for (const row of rows) yield row.value;
      if (rows.length < FRAMES_PER_RANGE) return;
      from = `${rows[rows.length - 1]!.key}\0`;
    }
  }

  /** In memory, since the page file is that of `stored`, which says the hash of a value that is damaged itself. */
  async function fromValues(stored: StateMap): Promise<StateMap> {
    const map = createStateMap(hash);
    for (let from: ByteText = keyspace.state; ; ) {
      const writes: MapWrite[] = [];
      const rows = await rangeAround(state, { from, to: prefixEnd(keyspace.state), limit: VALUES_PER_STAGE }, (key) => {
        writes.push({ key: pathOf(key), valueHash: stored.has(pathOf(key)) });
        return NOTHING;
      });
      for (const { key, value } of rows) if (value !== NOTHING) writes.push({ key: pathOf(key), valueHash: hash.hash(value) });
      map.commit(map.stage(writes));
      if (rows.length < VALUES_PER_STAGE) return map;
      from = `${rows[rows.length - 1]!.key}\0`;
    }
  }

  function rewrite(map: StateMap, height: number): Promise<void> {
    const held = map.hold();
    const before = running ?? Promise.resolve();
    const work = before.catch(() => undefined).then(() => write(held, height));
    running = work;
    return work.finally(() => {
      held.release();
      if (running === work) running = undefined;
    });
  }

  async function write(held: HeldMap, height: number): Promise<void> {
    const covered = writesSince;
    let number = 0;
    for (const frame of writeSnapshot(hash, { height, root: held.root, count: held.count }, held.entries())) {
      if (clock.monotonic() >= untilMs) return;
      await store.batch([{ key: ledgerKey.mapFrame(height, number++), value: frame }], { sync: false });
    }
    await store.batch([{ key: ledgerKey.mapSnapshot, value: new Writer(8).u64(height).finish() }], { sync: true });
    writesSince -= covered; // blocks went on meanwhile
    await drop(keyspace.mapSnapshot, ledgerKey.mapFrames(height), FRAMES_PER_RANGE);
    await drop(keyspace.mapChanges, ledgerKey.mapChanges(height + 1), CHANGES_PER_RANGE);
  }

  async function drop(from: ByteText, to: ByteText, limit: number): Promise<void> {
    for (;;) {
      const rows = await rangeAround(store, { from, to, limit }, () => new Uint8Array(0)); // a damaged one goes as well
      if (rows.length === 0) return;
      await store.batch(
        rows.map(({ key }) => ({ key, value: undefined })),
        { sync: false },
      );
    }
  }

  async function stop(): Promise<void> {
    stopped = true;
    untilMs = 0;
    await running?.catch(() => undefined);
  }

  return {
    open,
    changes: (set) => ({ key: ledgerKey.mapChanges(set.height), value: encodeChangeSet(hash, set) }),
    committed(map, set) {
      writesSince += set.writes.length;
      if (running || stopped || writesSince < Math.max(SNAPSHOT_WRITES_MIN, map.count() / SNAPSHOT_PART)) return;
      void rewrite(map, set.height).catch((error: unknown) => {
        if (error instanceof PagesDamaged) lost = error;
        return undefinedWhenStoreFails(error);
      });
    },
    lost: () => lost,
    rewrite,
    stop,
    async finish(map, height) {
      await stop();
      const count = map.count();
      if (writesSince < Math.max(LAST_SNAPSHOT_WRITES_MIN, count / LAST_SNAPSHOT_PART) || count > LAST_SNAPSHOT_ENTRIES_MAX) return;
      untilMs = clock.monotonic() + LAST_SNAPSHOT_MS_MAX;
      await rewrite(map, height).catch(undefinedWhenStoreFails);
    },
  };
}

/** Stands for a value that cannot be read. */
const NOTHING = new Uint8Array(0);

function soundOnly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    return undefinedWhenDamaged(error);
  }
}

function undefinedWhenDamaged(error: unknown): undefined {
  if (error instanceof ChainError && error.code === 'STORE_DAMAGED') return undefined;
  throw error;
}

/** Of a snapshot: the store tells of its faults itself, and the next one is tried when it is time; a start does without. */
function undefinedWhenStoreFails(error: unknown): undefined {
  if (error instanceof ChainError) return undefined;
  throw error;
}
