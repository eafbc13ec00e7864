/**
 * The segments of the query index: the closed ones in the store, the open one in memory and as facts of its blocks in the store. A version
 * is known by its ordinal, its place in the order of commits. What is here is what a rebuild from blocks would make: the boundaries follow
 * from the versions alone.
 */
import { type ByteText, decodeAll, type Digest, equalBytes, fromByteText, toByteText, toHex, Writer } from '../../format/index.ts';
import { ChainError } from '../../errors/index.ts';
import { type Pause, type Steps, withPauses } from '../../pace/index.ts';
import type { Store, StoreOperation } from '../../world.ts';
import type { NamedFacts, WrittenVersion } from '../../../contracts/index.ts';
import { decodeBlockFacts } from '../../ledger/index.ts';
import { INDEX_FORM, indexKey, timeText } from './keys.ts';
import { ClosedSegment, firstWhere, type NewRow, OpenSegment, RowSummary, SEGMENT_ROWS_MAX, type SegmentRows } from './segment.ts';

/** Columns of closed segments held in memory, bytes; those of the segment read longest ago are let go past it. */
export const COLUMNS_HELD_BYTES_MAX = 67_108_864;
/** Rows of the store fetched at once when the index is opened. */
const LOAD_ROWS = 256;
const TIME_BYTES = 8;
const US_PER_MS = 1_000n;

/** What is known of every segment without reading it. */
export interface SegmentEntry {
  /** Ordinal of its first row. */
  readonly first: number;
  readonly count: number;
  readonly heightFirst: number;
  readonly heightLast: number;
  /** Least and greatest time, as timeText. */
  readonly timeMin: ByteText;
  readonly timeMax: ByteText;
  /**
   * Rows that are a next version, each with the ordinal of the one that it replaced. In memory none of a closed segment: `#replacedBy` has
   * them by the row that was replaced.
   */
  readonly replaced: readonly (readonly [row: number, ordinal: number])[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type OpenEntry = Mutable<SegmentEntry> & { readonly replaced: (readonly [number, number])[] };

function encodeEntry({ first, count, heightFirst, heightLast, timeMin, timeMax, replaced }: SegmentEntry): Uint8Array {
  const writer = new Writer(64 + 12 * replaced.length).u64(first).u32(count).u64(heightFirst).u64(heightLast);
  writer.fixed(fromByteText(timeMin), TIME_BYTES).fixed(fromByteText(timeMax), TIME_BYTES);
  return writer.list(replaced, (w, [row, ordinal]) => w.u32(row).u64(ordinal)).finish();
}

function decodeEntry(bytes: Uint8Array): SegmentEntry {
  return decodeAll(bytes, (reader) => ({
    first: reader.u64(),
    count: reader.u32(),
    heightFirst: reader.u64(),
    heightLast: reader.u64(),
    timeMin: toByteText(reader.fixed(TIME_BYTES)),
    timeMax: toByteText(reader.fixed(TIME_BYTES)),
    replaced: reader.list((r) => [r.u32(), r.u64()] as const),
  }));
}

/** How far the index has come. */
export interface IndexHead {
  readonly height: number;
  /** Segments closed. */
  readonly closed: number;
  /** Rows of all segments. */
  readonly rows: number;
}

const HEAD_BYTES = 24;

function encodeHead({ height, closed, rows }: IndexHead): Uint8Array {
  return new Writer(HEAD_BYTES).u64(height).u32(closed).u64(rows).u32(INDEX_FORM).finish();
}

/** Undefined of rows in another form: fed from the first block again, the index writes every row anew. */
export function readHead(store: Pick<Store, 'get'>): IndexHead | undefined {
  const bytes = store.get(indexKey.height);
  if (bytes?.length !== HEAD_BYTES) return undefined; // none, or of another form
  const row = decodeAll(bytes, (reader) => ({ height: reader.u64(), closed: reader.u32(), rows: reader.u64(), form: reader.u32() }));
  return row.form === INDEX_FORM ? row : undefined;
}

/** A block of which some versions stand in no closed segment. */
interface OpenBlock {
  readonly height: number;
  /** Ordinal behind its last version. */
  readonly end: number;
}

/** Called with the key of a row that is gone; the store itself reports one that is damaged. */
export type OnMissing = (key: ByteText) => void;

export class Segments {
  readonly #store: Store;
  readonly #onMissing: OnMissing;
  /** Of the closed segments, then of the open ones. */
  readonly #entries: (SegmentEntry | OpenEntry)[] = [];
  #open: OpenSegment[] = [];
  #blocks: OpenBlock[] = [];
  readonly #held = new Map<number, ClosedSegment>();
  #heldBytes = 0;
  /** By segment: of each row that a later version replaced, the ordinal of that version and one. */
  readonly #replacedBy = new Map<number, Uint32Array>();
  /** Versions added, those of a block under way included. */
  #rows = 0;
  /** Versions of final blocks that are whole in the index. */
  rowsWhole = 0;

  private constructor(store: Store, onMissing: OnMissing) {
    this.#store = store;
    this.#onMissing = onMissing;
  }

  /** @throws ChainError STORE_DAMAGED when a row is damaged or missing */
  static async load(store: Store, head: IndexHead | undefined, pause: Pause, onMissing: OnMissing = () => undefined): Promise<Segments> {
    const segments = new Segments(store, onMissing);
    if (head) await segments.#load(head, pause);
    return segments;
  }

  async #load({ height, closed, rows }: IndexHead, pause: Pause): Promise<void> {
    for await (const { key, value } of rowsBetween(this.#store, indexKey.segment(0), indexKey.segment(closed))) {
      if (key !== indexKey.segment(this.#entries.length)) break;
      const entry = decodeEntry(value);
      this.#entries.push({ ...entry, replaced: [] });
      for (const [row, ordinal] of entry.replaced) this.#noteReplaced(ordinal, entry.first + row);
      this.#rows = entry.first + entry.count;
      await pause();
    }
    for await (const { key, value } of rowsBetween(this.#store, indexKey.block(0), indexKey.block(height + 1))) {
      const at = heightOfKey(key);
      const { first, facts } = openBlockRow(value);
      const { timestampMs, versions } = await withPauses(decodeBlockFacts(facts), pause);
      if (first > this.#rows) throw this.#missing(key);
      for (const version of versions.slice(this.#rows - first)) {
        await withPauses(this.push(version, at, timestampMs), pause);
        await pause();
      }
      this.#blocks.push({ height: at, end: this.#rows });
    }
    if (this.#rows !== rows) throw this.#missing(indexKey.block(height));
    this.rowsWhole = rows;
  }

  get count(): number {
    return this.#entries.length;
  }

  get closedCount(): number {
    return this.#entries.length - this.#open.length;
  }

  entry(segment: number): SegmentEntry {
    return this.#entries[segment]!;
  }

  rows(segment: number): SegmentRows {
    const open = segment - this.closedCount;
    return open >= 0 ? this.#open[open]! : this.#closed(segment);
  }

  #closed(number: number): ClosedSegment {
    const held = this.#held.get(number) ?? this.#hold(number);
    this.#held.delete(number); // it goes behind those read longer ago
    this.#held.set(number, held);
    for (const [other, { bytes }] of this.#held) {
      if (this.#heldBytes <= COLUMNS_HELD_BYTES_MAX || other === number) break;
      this.#held.delete(other);
      this.#heldBytes -= bytes;
    }
    return held;
  }

  #hold(number: number): ClosedSegment {
    const segment: ClosedSegment = new ClosedSegment(this.#store, number, {
      onRead: (bytes) => {
        if (this.#held.get(number) === segment) this.#heldBytes += bytes;
      },
      missing: (key) => this.#missing(key),
    });
    this.#heldBytes += segment.bytes;
    return segment;
  }

  #missing(key: ByteText): ChainError {
    this.#onMissing(key);
    return new ChainError('STORE_DAMAGED', { key: toHex(fromByteText(key)) });
  }

  /** Segment in which a version stands. */
  segmentOf(ordinal: number): number {
    return firstWhere(this.#entries.length, (segment) => this.entry(segment).first > ordinal) - 1;
  }

  /** Whether no version that stands at `height` has replaced the row. */
  standsAt(segment: number, row: number, height: number): boolean {
    const by = this.#replacedBy.get(segment)?.[row] ?? 0;
    if (by === 0) return true;
    const ordinal = by - 1;
    const newer = this.segmentOf(ordinal);
    const { first, heightFirst, heightLast } = this.entry(newer);
    if (heightFirst > height) return true;
    return heightLast > height && this.rows(newer).columns.height.at(ordinal - first) > height;
  }

  #noteReplaced(ordinal: number, by: number): void {
    const segment = this.segmentOf(ordinal);
    const { first } = this.entry(segment);
    const noted = this.#replacedBy.get(segment) ?? new Uint32Array(SEGMENT_ROWS_MAX);
    noted[ordinal - first] = by + 1;
    this.#replacedBy.set(segment, noted);
  }

  /** Adds a version behind all others. */
  *push(facts: WrittenVersion, height: number, timestampMs: number): Steps<void> {
    const before = facts.heightBefore === undefined ? undefined : this.#find(facts.id, facts.version - 1, facts.heightBefore);
    const { segment, entry } = this.#filling(height);
    const row = newRow(facts, before?.summary, height, timestampMs);
    const { time } = row;
    yield* segment.push(row);
    if (before) {
      entry.replaced.push([entry.count, before.ordinal]);
      this.#noteReplaced(before.ordinal, this.#rows);
    }
    entry.count++;
    entry.heightLast = height;
    if (entry.count === 1 || time < entry.timeMin) entry.timeMin = time;
    if (time > entry.timeMax) entry.timeMax = time;
    this.#rows++;
  }

  #filling(height: number): { readonly segment: OpenSegment; readonly entry: OpenEntry } {
    const last = this.#open.at(-1);
    if (last && !last.isFull) return { segment: last, entry: this.#entries.at(-1) as OpenEntry };
    const segment = new OpenSegment(this.#entries.length);
    const entry: OpenEntry = {
      first: this.#rows,
      count: 0,
      heightFirst: height,
      heightLast: height,
      timeMin: '',
      timeMax: '',
      replaced: [],
    };
    this.#entries.push(entry);
    this.#open.push(segment);
    return { segment, entry };
  }

  /** A version by its height: the versions of a block stand side by side. */
  #find(id: Digest, version: number, height: number): { readonly ordinal: number; readonly summary: RowSummary } | undefined {
    let segment = firstWhere(this.#entries.length, (at) => this.entry(at).heightLast >= height);
    for (; segment < this.#entries.length && this.entry(segment).heightFirst <= height; segment++) {
      const { first, count } = this.entry(segment);
      const rows = this.rows(segment);
      const { columns } = rows;
      for (let row = firstWhere(count, (at) => columns.height.at(at) >= height); row < count && columns.height.at(row) === height; row++)
        if (columns.version.at(row) === version && equalBytes(columns.id.at(row), id))
          return { ordinal: first + row, summary: new RowSummary(rows, row) };
    }
    return undefined;
  }

  /**
   * What the store is to hold when the versions of a block are added: rows of segments that are full, which nobody reads yet, and the
   * operations that make all of it valid at once. Undefined is a pause.
   */
  *operations(height: number, facts: Uint8Array): Generator<StoreOperation | undefined, readonly StoreOperation[], void> {
    const closing = this.#open.filter(({ isFull }) => isFull);
    for (const segment of closing) yield* segment.encode();
    const closed = this.closedCount + closing.length;
    const rowsClosed = closed === 0 ? 0 : this.entry(closed - 1).first + this.entry(closed - 1).count;
    const last: StoreOperation[] = closing.map(({ number }) => ({ key: indexKey.segment(number), value: encodeEntry(this.entry(number)) }));
    for (const block of this.#blocks) {
      if (block.end > rowsClosed) break;
      last.push({ key: indexKey.block(block.height), value: undefined });
    }
    const isOpen = this.#rows > Math.max(this.rowsWhole, rowsClosed);
    last.push({ key: indexKey.block(height), value: isOpen ? blockRow(this.rowsWhole, facts) : undefined });
    last.push({ key: indexKey.height, value: encodeHead({ height, closed, rows: this.#rows }) });
    return last;
  }

  /** The operations were written. */
  written(height: number): IndexHead {
    for (const { number, isFull } of this.#open) if (isFull) (this.entry(number) as OpenEntry).replaced.length = 0;
    this.#open = this.#open.filter(({ isFull }) => !isFull);
    if (this.#rows > this.rowsWhole) this.#blocks.push({ height, end: this.#rows });
    const next = this.closedCount === this.count ? undefined : this.entry(this.closedCount);
    this.#blocks = next ? this.#blocks.filter(({ end }) => end > next.first) : [];
    this.rowsWhole = this.#rows;
    return { height, closed: this.closedCount, rows: this.#rows };
  }
}

/**
 * A tombstone, and content of a class that is not known, keep the facts of the version before, so that they are found where that one was.
 */
function newRow(facts: WrittenVersion, before: RowSummary | undefined, height: number, committedAtMs: number): NewRow {
  const { id, version, class: name, org, actor, state, named } = facts;
  const { product, productionBatch, factory, report, verdict, devices = [], materials = [], links = [] } = named ?? before ?? NOTHING;
  const author = before?.author ?? actor;
  const time = (named || !before ? named?.timeUs : BigInt(before.timeUs)) ?? BigInt(committedAtMs) * US_PER_MS;
  const said = { product, productionBatch, factory, report, verdict, devices, materials, links };
  return { id, version, class: name, org, author, state, height, committedAtMs, time: timeText(time), ...said };
}

const NOTHING: Partial<NamedFacts> = {};

/** The facts of a block behind the ordinal of its first version. */
function blockRow(first: number, facts: Uint8Array): Uint8Array {
  return new Writer(12 + facts.length).u64(first).bytes(facts).finish();
}

function openBlockRow(bytes: Uint8Array): { readonly first: number; readonly facts: Uint8Array } {
  return decodeAll(bytes, (reader) => ({ first: reader.u64(), facts: reader.bytes() }));
}

function heightOfKey(key: ByteText): number {
  let height = 0;
  for (const unit of key.slice(-8)) height = height * 256 + unit.charCodeAt(0);
  return height;
}

async function* rowsBetween(store: Store, from: ByteText, to: ByteText): AsyncGenerator<{ key: ByteText; value: Uint8Array }, void, void> {
  for (let next = from; ; ) {
    const chunk = await store.range({ from: next, to, limit: LOAD_ROWS });
    yield* chunk;
    if (chunk.length < LOAD_ROWS) return;
    next = `${chunk.at(-1)!.key}\0`;
  }
}
