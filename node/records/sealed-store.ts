/**
 * The sealed store: clear values of sealed fields, beside the chain and deletable (design: record, "Sealed fields"). Each record has a data
 * key of its own, kept wrapped under the organisation's storage key; values and salts lie encrypted under it. Erasing destroys the data key
 * and the values and leaves a mark, so that a late retry cannot bring them back. A deleted row may linger in the database's files until
 * they are compacted, encrypted.
 *
 * Values of a submission that is under way wait apart, under its transaction id: they become values of the record when its receipt says ok,
 * and go when it is refused or can no longer be final. What waits is not counted, answered or sent to other nodes.
 *
 * Every change takes the next number of a log, by which the other nodes of the organisation fetch what they lack (sealed-replication.ts).
 */
import {
  type ByteText,
  decodeAll,
  DecodeError,
  DIGEST_BYTES,
  type Digest,
  Reader,
  Writer,
  fromByteText,
  prefixEnd,
  toByteText,
  utf8,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import { loadRow, rangeAround } from '../store/index.ts';
import { BoundedMap } from '../pace/bounded-map.ts';
import { joined, type Pause, withPauses } from '../pace/index.ts';
import type { Random, Store, StoreOperation } from '../world.ts';
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, type Aead } from './cipher.ts';
import type { SealedValue } from './prepare.ts';
import { u64Text } from './query/keys.ts';
import { decodeValues, encodeValues, NO_VALUES, SEALED_BYTES_MAX, SEALED_VALUES_MAX, sealedBytes, STEP_VALUES } from './sealed-values.ts';

/** Key prefixes of the sealed store; retired rows stay. */
export const sealedKeyspace = {
  dataKey: { prefix: 'k', holds: 'record id -> data key, wrapped under the storage key' },
  values: { prefix: 'v', holds: 'record id -> paths, values and salts, encrypted under the data key' },
  erased: { prefix: 'e', holds: 'record id -> empty; values of this record were erased and stay so' },
  waiting: {
    prefix: 'w',
    holds: 'transaction id -> last height it may be final at, then record ids and their values, encrypted under the storage key',
  },
  log: { prefix: 'l', holds: 'number of a change -> record id' },
  logId: { prefix: 'i', holds: 'nothing -> id of the log, 16 random bytes: another one numbers other changes' },
  cursor: { prefix: 'c', holds: 'node id -> log and number up to which its changes have been taken' },
} as const;

export interface SealedRecord {
  readonly recordId: Digest;
  readonly sealed: readonly SealedValue[];
}

export interface SealedStore {
  /**
   * Adds values of one or more records, durably, in order. Values of an erased record are dropped.
   * @throws ChainError RECORD_TOO_LARGE when a record would have more than SEALED_BYTES_MAX or SEALED_VALUES_MAX of them
   */
  put(records: readonly SealedRecord[]): Promise<void>;
  /** Keeps values of a transaction that is about to be sent, durably, apart from those of stored records. */
  hold(transactionId: Digest, expiryHeight: number, records: readonly SealedRecord[]): Promise<void>;
  /** The transaction is final and stored its records: what waited for it is put. */
  keep(transactionId: Digest): Promise<void>;
  /** The transaction stored nothing: what waited for it is deleted. */
  drop(transactionId: Digest): Promise<void>;
  /** Transactions that values wait for. */
  waiting(): Promise<readonly Waiting[]>;
  /** All values held of a record, of every version. Empty when none were or they are erased. @throws ChainError STORE_DAMAGED */
  getSteps(recordId: Digest): Generator<void, readonly SealedValue[], void>;
  /** Destroys the data key and the values. */
  erase(recordId: Digest): Promise<void>;
  isErased(recordId: Digest): boolean;
  /** Id of this node's log and number of its last change, 0 when there was none. */
  head(): Promise<LogPosition>;
  /**
   * Changes after a number, oldest first, each as its record stands when it is asked for; those of a damaged record are left out, and
   * numbered anew when it is repaired.
   */
  changesAfter(sequence: number, countMax: number): AsyncGenerator<SealedChange, void, void>;
  /** Called after each change. */
  onChange(listener: () => void): void;
}

export interface Waiting {
  readonly transactionId: Digest;
  /** Last height it may be final at. */
  readonly expiryHeight: number;
}

export interface LogPosition {
  /** 16 bytes. */
  readonly log: Uint8Array;
  readonly sequence: number;
}

export interface SealedChange {
  readonly sequence: number;
  readonly recordId: Digest;
  readonly erased: boolean;
  /** As encodeValues of sealed-values.ts writes them. */
  readonly values: Uint8Array;
}

export const LOG_ID_BYTES = 16;
const BACKFILL_ROWS = 1_000; // rows of a store from before there was a log, numbered at a time

const RECORDS_AT_ONCE = 16; // records whose values are encrypted and written in one turn: each takes some tenths of a millisecond
const WAITING_RECORDS_MAX = 10_000; // records of one transaction
const WAITING_ROWS = 8; // submissions under way that are read at a time: each may hold megabytes
const HEIGHT_BYTES = 8;
/** Submissions whose values stay in memory until their receipt, and their bytes; those of any other are read from their row. */
const HELD_MAX = 1_000;
const HELD_BYTES_MAX = 4_194_304;

interface Held {
  readonly records: readonly SealedRecord[];
  /** Of its row. */
  readonly bytes: number;
}

/**
 * @param storageKey 32 bytes from the keystore.
 * @param pause lets other work of the thread go on, between parts of what a large transaction or record asks for.
 */
export function createSealedStore(store: Store, aead: Aead, random: Random, storageKey: Uint8Array, pause: Pause): SealedStore {
  const keyOf = (row: keyof typeof sealedKeyspace, id: ByteText): ByteText => sealedKeyspace[row].prefix + id;

  function* open(key: Uint8Array, context: ByteText, bytes: Uint8Array): Generator<void, Uint8Array, void> {
    const plain = yield* aead.open(key, utf8(context), bytes);
    if (!plain) throw new ChainError('STORE_DAMAGED', { store: 'sealed' });
    return plain;
  }

  function seal(key: Uint8Array, context: ByteText, plain: Uint8Array): Generator<void, Uint8Array, void> {
    return aead.seal(key, random.bytes(AEAD_NONCE_BYTES), utf8(context), plain);
  }

  function* dataKey(id: ByteText): Generator<void, Uint8Array | undefined, void> {
    const wrapped = store.get(keyOf('dataKey', id));
    return wrapped && (yield* open(storageKey, keyOf('dataKey', id), wrapped));
  }

  function* valueBytes(id: ByteText, key: Uint8Array | undefined): Generator<void, Uint8Array | undefined, void> {
    const bytes = key && store.get(keyOf('values', id));
    return key && bytes && (yield* open(key, keyOf('values', id), bytes));
  }

  function* valuesUnder(id: ByteText, key: Uint8Array | undefined): Generator<void, readonly SealedValue[], void> {
    const bytes = yield* valueBytes(id, key);
    return bytes ? yield* decodeValues(bytes) : [];
  }

  function* getSteps(recordId: Digest): Generator<void, readonly SealedValue[], void> {
    const id = toByteText(recordId);
    return yield* valuesUnder(id, yield* dataKey(id));
  }

  /** Undefined of a damaged record. */
  async function readable(recordId: Digest): Promise<Uint8Array | undefined> {
    try {
      const id = toByteText(recordId);
      return (await withPauses(valueBytes(id, await withPauses(dataKey(id), pause)), pause)) ?? NO_VALUES;
    } catch (error) {
      if (error instanceof ChainError && error.code === 'STORE_DAMAGED') return undefined;
      throw error;
    }
  }

  function isErased(recordId: Digest): boolean {
    return store.get(keyOf('erased', toByteText(recordId))) !== undefined;
  }

  const listeners: (() => void)[] = [];
  let position: { readonly log: Uint8Array; sequence: number } | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  /** One change after another: each reads what the one before has written, and takes the next number. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = turn.then(work);
    turn = next.catch(() => undefined);
    return next;
  }

  async function opened(): Promise<{ readonly log: Uint8Array; sequence: number }> {
    if (position) return position;
    const { prefix } = sealedKeyspace.log;
    const [last] = await store.range({ from: prefix, to: prefixEnd(prefix), reverse: true, limit: 1 });
    const sequence = last ? decodeAll(fromByteText(last.key.slice(prefix.length)), (reader) => reader.u64()) : 0;
    const held = store.get(sealedKeyspace.logId.prefix);
    position = { log: held ?? random.bytes(LOG_ID_BYTES), sequence };
    if (!held) await backfill(position);
    return position;
  }

  /** Numbers what stands in a store from before there was a log; its id comes last, so that a crash begins again. */
  async function backfill(at: { readonly log: Uint8Array; sequence: number }): Promise<void> {
    at.sequence = 0;
    for (const row of ['dataKey', 'erased'] as const) {
      const { prefix } = sealedKeyspace[row];
      for (let from: ByteText = prefix; ; ) {
        const rows = await store.range({ from, to: prefixEnd(prefix), limit: BACKFILL_ROWS });
        const operations = rows.map(({ key }) => logged(at, key.slice(prefix.length)));
        if (operations.length > 0) await store.batch(operations, { sync: false });
        if (rows.length < BACKFILL_ROWS) break;
        from = `${rows.at(-1)!.key}\0`;
      }
    }
    await store.batch([{ key: sealedKeyspace.logId.prefix, value: at.log }], { sync: true });
  }

  function logged(at: { sequence: number }, id: ByteText): { readonly key: ByteText; readonly value: Uint8Array } {
    at.sequence++;
    return { key: keyOf('log', u64Text(at.sequence)), value: fromByteText(id) };
  }

  /** @param alongside rows of the same batch that are no change of a record */
  async function write(
    changes: ReadonlyMap<ByteText, readonly StoreOperation[]>,
    alongside: readonly StoreOperation[] = [],
    sync = true,
  ): Promise<void> {
    if (changes.size === 0) {
      if (alongside.length > 0) await store.batch(alongside, { sync });
      return;
    }
    const at = await opened();
    const operations = [...changes].flatMap(([id, rows]) => [...rows, logged(at, id)]).concat(alongside);
    await store.batch(operations, { sync });
    for (const listener of listeners) listener();
  }

  /** In parts. Where a row alongside goes last, a crash before it begins again, and what was put is put again alike. */
  async function put(
    records: Iterable<SealedRecord> | AsyncIterable<SealedRecord>,
    alongside: readonly StoreOperation[] = [],
  ): Promise<void> {
    let part: SealedRecord[] = [];
    for await (const record of records) {
      if (part.length === RECORDS_AT_ONCE) {
        await write(await withPauses(changesOf(part), pause), [], alongside.length === 0);
        part = [];
        await pause();
      }
      part.push(record);
    }
    await write(await withPauses(changesOf(part), pause), alongside);
  }

  function* changesOf(records: readonly SealedRecord[]): Generator<void, ReadonlyMap<ByteText, readonly StoreOperation[]>, void> {
    const merged = new Map<ByteText, Merged>();
    for (const { recordId, sealed } of records) {
      if (sealed.length === 0 || isErased(recordId)) continue;
      const id = toByteText(recordId);
      let into = merged.get(id);
      if (!into) {
        const key = yield* dataKey(id);
        into = { key, values: yield* added(new Map(), yield* valuesUnder(id, key)) };
      }
      const before = into.values.size;
      yield* added(into.values, sealed);
      if (into.values.size > before) merged.set(id, into);
    }
    const changes = new Map<ByteText, readonly StoreOperation[]>();
    for (const [id, { key: known, values }] of merged) {
      const key = known ?? random.bytes(AEAD_KEY_BYTES);
      const all = [...values.values()];
      const bytes = sealedBytes(all);
      if (bytes > SEALED_BYTES_MAX || all.length > SEALED_VALUES_MAX)
        throw new ChainError('RECORD_TOO_LARGE', { sealedBytes: bytes, sealedBytesMax: SEALED_BYTES_MAX });
      yield;
      const plain = yield* encodeValues(all);
      changes.set(id, [
        { key: keyOf('dataKey', id), value: yield* seal(storageKey, keyOf('dataKey', id), key) },
        { key: keyOf('values', id), value: yield* seal(key, keyOf('values', id), plain) },
      ]);
    }
    return changes;
  }

  const waitingKey = (transactionId: Digest): ByteText => keyOf('waiting', toByteText(transactionId));
  /** What waits, by the keys of its rows, as it was handed in: its receipt comes soon, and to read and to open the row costs as much as to write it. */
  const held = new BoundedMap<ByteText, Held>(HELD_MAX, { bytesMax: HELD_BYTES_MAX, bytesOf: ({ bytes }) => bytes });
  let waits: Promise<Map<ByteText, Waiting>> | undefined;

  /** What waits, by the keys of its rows: they are read once, for they hold the values too, and kept up to date from then on. */
  function waitingNow(): Promise<Map<ByteText, Waiting>> {
    waits ??= readWaiting().catch((error: unknown) => {
      waits = undefined;
      throw error;
    });
    return waits;
  }

  async function readWaiting(): Promise<Map<ByteText, Waiting>> {
    const found = new Map<ByteText, Waiting>();
    const { prefix } = sealedKeyspace.waiting;
    for (let from: ByteText = prefix; ; ) {
      // The store itself reports a damaged one.
      const rows = await rangeAround(store, { from, to: prefixEnd(prefix), limit: WAITING_ROWS }, () => undefined);
      for (const { key, value } of rows) {
        const expiryHeight = decodeAll(value.subarray(0, HEIGHT_BYTES), (reader) => reader.u64());
        found.set(key, { transactionId: fromByteText(key.slice(prefix.length)), expiryHeight });
      }
      if (rows.length < WAITING_ROWS) return found;
      from = `${rows.at(-1)!.key}\0`;
    }
  }

  async function ended(key: ByteText): Promise<void> {
    held.delete(key);
    (await waitingNow()).delete(key);
  }

  /** Of a transaction that waits; undefined of any other. */
  async function heldUnder(key: ByteText): Promise<Iterable<SealedRecord> | AsyncIterable<SealedRecord> | undefined> {
    const known = held.get(key);
    if (known) return known.records;
    const row = await loadRow(store, key);
    return row && decodeRecords(await withPauses(open(storageKey, key, row.subarray(HEIGHT_BYTES)), pause), pause);
  }

  return {
    getSteps,
    isErased,
    put: (records) => inTurn(() => put(records)),
    async hold(transactionId, expiryHeight, records) {
      const key = waitingKey(transactionId);
      const box = await withPauses(seal(storageKey, key, await withPauses(encodeRecords(records), pause)), pause);
      const value = await withPauses(joined([new Writer(HEIGHT_BYTES).u64(expiryHeight).finish(), box]), pause);
      await store.batch([{ key, value }], { sync: true });
      held.set(key, { records, bytes: value.length });
      (await waitingNow()).set(key, { transactionId, expiryHeight });
    },
    keep: (transactionId) =>
      inTurn(async () => {
        const key = waitingKey(transactionId);
        const records = await heldUnder(key);
        if (records) await put(records, [{ key, value: undefined }]);
        await ended(key);
      }),
    drop: (transactionId) =>
      inTurn(async () => {
        const key = waitingKey(transactionId);
        await store.batch([{ key, value: undefined }], { sync: true });
        await ended(key);
      }),
    waiting: async () => [...(await waitingNow()).values()],
    erase: (recordId) =>
      inTurn(async () => {
        if (isErased(recordId)) return;
        const id = toByteText(recordId);
        const rows = [
          { key: keyOf('dataKey', id), value: undefined },
          { key: keyOf('values', id), value: undefined },
          { key: keyOf('erased', id), value: new Uint8Array(0) },
        ];
        await write(new Map([[id, rows]]));
      }),
    head: () =>
      inTurn(async () => {
        const { log, sequence } = await opened();
        return { log, sequence };
      }),
    async *changesAfter(sequence, countMax) {
      const { prefix } = sealedKeyspace.log;
      const rows = await inTurn(async () => {
        await opened();
        return store.range({ from: keyOf('log', u64Text(sequence + 1)), to: prefixEnd(prefix), limit: countMax });
      });
      for (const { key, value: recordId } of rows) {
        const values = await readable(recordId);
        const at = decodeAll(fromByteText(key.slice(prefix.length)), (reader) => reader.u64());
        if (values) yield { sequence: at, recordId, erased: isErased(recordId), values };
      }
    },
    onChange: (listener) => void listeners.push(listener),
  };
}

/** Values of one record, held before and put now. */
interface Merged {
  /** Undefined when there was none. */
  readonly key: Uint8Array | undefined;
  readonly values: Map<string, SealedValue>;
}

function* added(to: Map<string, SealedValue>, values: readonly SealedValue[]): Generator<void, Map<string, SealedValue>, void> {
  for (const [i, value] of values.entries()) {
    to.set(value.commitment, value);
    if (i % STEP_VALUES === 0) yield;
  }
  return to;
}

function* encodeRecords(records: readonly SealedRecord[]): Generator<void, Uint8Array, void> {
  const parts = [new Writer(4).u32(records.length).finish()];
  for (const { recordId, sealed } of records) {
    const values = yield* encodeValues(sealed);
    parts.push(recordId, new Writer(4).u32(values.length).finish(), values);
  }
  return yield* joined(parts);
}

/** One by one, as they are asked for. */
async function* decodeRecords(bytes: Uint8Array, pause: Pause): AsyncGenerator<SealedRecord, void, void> {
  const reader = new Reader(bytes);
  const count = reader.u32();
  if (count > WAITING_RECORDS_MAX) throw new DecodeError(`${count} records where at most ${WAITING_RECORDS_MAX} are allowed`);
  for (let left = count; left > 0; left--)
    yield { recordId: reader.fixed(DIGEST_BYTES), sealed: await withPauses(decodeValues(reader.bytes()), pause) };
  reader.end();
}
