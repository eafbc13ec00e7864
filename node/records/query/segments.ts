/**
 * The segments of the query index: the closed ones in the store, the open one in memory and as facts of its blocks in the store. A version
 * is known by its ordinal, its place in the order of commits. What is here is what a rebuild from blocks would make: the boundaries follow
 * from the versions alone. The store may be some blocks behind: what stands in memory alone is had again from blocks.
 */
import { type ByteText, type Digest, equalBytes, fromByteText, toHex } from '../../format/index.ts';
import { ChainError } from '../../errors/index.ts';
import { type Pause, type Steps, withPauses } from '../../pace/index.ts';
import type { Store, StoreOperation } from '../../world.ts';
import { BlockFactsReader } from '../../ledger/index.ts';
import { Directory, GROUP_SEGMENTS, ValueSegments } from './directory.ts';
import { indexKey, type PostedField } from './keys.ts';
import { itemNames, OpenSegment } from './open-segment.ts';
import {
  type BlockOfFacts,
  decodeEntry,
  decodeKept,
  encodeEntry,
  encodeHead,
  encodeKept,
  type IndexHead,
  type SegmentEntry,
} from './rows.ts';
import { arities, ClosedSegment, firstWhere, RowSummary, SEGMENT_ROWS_MAX, type SegmentRows } from './segment.ts';

/** Columns of closed segments held in memory, bytes; those of the segment read longest ago are let go past it. */
export const COLUMNS_HELD_BYTES_MAX = 67_108_864;
/** Rows of the store fetched at once when the index is opened. */
const LOAD_ROWS = 256;
/** Versions and items of lists that are added between two pauses. */
const STEP_ROWS = 32;
const STEP_ITEMS = 1_024;

class OpenEntry implements SegmentEntry {
  readonly first: number;
  readonly heightFirst: number;
  heightLast: number;
  readonly replaced: (readonly [row: number, ordinal: number])[] = [];
  readonly segment: OpenSegment;

  constructor(segment: OpenSegment, first: number, height: number) {
    this.segment = segment;
    this.first = first;
    this.heightFirst = height;
    this.heightLast = height;
  }

  get count(): number {
    return this.segment.count;
  }

  get timeMin(): ByteText {
    return this.segment.timeMin;
  }

  get timeMax(): ByteText {
    return this.segment.timeMax;
  }
}

/** Called with the key of a row that is gone; the store itself reports one that is damaged. */
export type OnMissing = (key: ByteText) => void;

export class Segments {
  readonly #store: Store;
  readonly #onMissing: OnMissing;
  /** Of the closed segments, then of the open ones. */
  readonly #entries: (SegmentEntry | OpenEntry)[] = [];
  #open: OpenSegment[] = [];
  #directory = new Directory();
  /** What it will be when the operations are written. */
  #directoryNext = this.#directory;
  #kept = 0;
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

  async #load({ closed, rows, kept }: IndexHead, pause: Pause): Promise<void> {
    for await (const { key, value } of rowsBetween(this.#store, indexKey.segment(0), indexKey.segment(closed))) {
      if (key !== indexKey.segment(this.#entries.length)) break;
      const entry = decodeEntry(value);
      this.#entries.push({ ...entry, replaced: [] });
      for (const [row, ordinal] of entry.replaced) this.#noteReplaced(ordinal, entry.first + row);
      await pause();
    }
    if (this.#entries.length !== closed) throw this.#missing(indexKey.segment(this.#entries.length));
    this.#directory = Directory.load(this.#store, closed, (key) => this.#missing(key));
    this.#directoryNext = this.#directory;
    for (; this.#kept < kept; this.#kept++) {
      const bytes = this.#store.get(indexKey.kept(this.#kept));
      if (!bytes) throw this.#missing(indexKey.kept(this.#kept));
      const { first, blocks } = decodeKept(bytes);
      if (this.#kept === 0) this.#rows = first;
      for (const { height, facts } of blocks) await withPauses(this.push(facts, height), pause);
    }
    if (kept === 0) this.#rows = rows;
    if (this.#rows !== rows) throw this.#missing(indexKey.height);
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

  /** Which closed segments have the value. */
  valueSegments(field: PostedField, value: string): ValueSegments {
    return new ValueSegments(
      this.#store,
      () => this.#directory,
      (key) => this.#missing(key),
      field,
      value,
    );
  }

  /** Versions in closed segments. */
  get #rowsClosed(): number {
    const { closedCount } = this;
    return closedCount === 0 ? 0 : this.entry(closedCount - 1).first + this.entry(closedCount - 1).count;
  }

  /** Adds the versions of a block behind all others, but for those that stand in a closed segment already. */
  *push(facts: Uint8Array, height: number): Steps<void> {
    const version = new BlockFactsReader(facts);
    const rowsClosed = this.#rowsClosed;
    let segment: OpenSegment | undefined;
    while (version.next()) {
      if (this.#rows++ < rowsClosed) {
        if (version.isNamed) for (const name of itemNames) yield* passItems(version, name);
        continue;
      }
      if (!segment || segment.isFull) {
        segment = this.#filling(height);
        segment.beginBlock();
      }
      const before = version.heightBefore === undefined ? undefined : this.#find(version.id, version.version - 1, version.heightBefore);
      segment.add(version, before?.summary, height);
      if (!version.isNamed && before) yield* segment.copyItems(before.summary);
      if (version.isNamed) {
        for (const name of itemNames) {
          let left = version.number();
          for (; left > STEP_ITEMS; left -= STEP_ITEMS) {
            segment.takeItems(version, name, STEP_ITEMS);
            yield;
          }
          segment.takeItems(version, name, left);
        }
      }
      segment.endRow();
      const entry = this.#entries.at(-1) as OpenEntry;
      entry.heightLast = height;
      if (before) {
        entry.replaced.push([segment.count - 1, before.ordinal]);
        this.#noteReplaced(before.ordinal, this.#rows - 1);
      }
      if (this.#rows % STEP_ROWS === 0) yield;
    }
  }

  /** Called for a version that was counted. */
  #filling(height: number): OpenSegment {
    const last = this.#open.at(-1);
    if (last && !last.isFull) return last;
    const segment = new OpenSegment(this.#entries.length);
    this.#entries.push(new OpenEntry(segment, this.#rows - 1, height));
    this.#open.push(segment);
    return segment;
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

  /** Versions in no closed segment. */
  get rowsOpen(): number {
    return this.#rows - this.#rowsClosed;
  }

  /** Whether segments are full, which `closing` writes. */
  get isClosing(): boolean {
    return this.#open.some(({ isFull }) => isFull);
  }

  /**
   * What the store is to hold when a block was added that fills segments: their rows, which nobody reads yet, and the operations that make
   * all of it valid at once. Undefined is a pause. Of the block the store knows nothing when versions of it stand in no closed segment.
   */
  *closing(height: number): Generator<StoreOperation | undefined, readonly StoreOperation[], void> {
    const closing = this.#open.filter(({ isFull }) => isFull);
    let directory = this.#directory;
    for (const segment of closing) directory = yield* directory.with(yield* segment.encode());
    this.#directoryNext = directory;
    const last: StoreOperation[] = closing.map(({ number }) => ({ key: indexKey.segment(number), value: encodeEntry(this.entry(number)) }));
    for (let segment = this.#directory.groups * GROUP_SEGMENTS; segment < directory.groups * GROUP_SEGMENTS; segment++)
      last.push({ key: indexKey.values(segment), value: undefined });
    for (let kept = 0; kept < this.#kept; kept++) last.push({ key: indexKey.kept(kept), value: undefined });
    const closed = this.closedCount + closing.length;
    const isWhole = closed === this.count;
    const rows = isWhole ? this.#rows : this.rowsWhole;
    last.push({ key: indexKey.height, value: encodeHead({ height: isWhole ? height : height - 1, closed, rows, kept: 0 }) });
    return last;
  }

  /** What `closing` gave was written. */
  closed(): void {
    for (const { number, isFull } of this.#open) {
      if (!isFull) continue;
      const { first, count, heightFirst, heightLast, timeMin, timeMax } = this.entry(number);
      this.#entries[number] = { first, count, heightFirst, heightLast, timeMin, timeMax, replaced: [] };
    }
    this.#open = this.#open.filter(({ isFull }) => !isFull);
    this.#directory = this.#directoryNext;
    this.#kept = 0;
  }

  /** What the store is to hold when it is to know of all blocks up to this height; of `blocks`, from version `first` on, it knows nothing. */
  keeping(height: number, first: number, blocks: readonly BlockOfFacts[]): readonly StoreOperation[] {
    const { closedCount: closed } = this;
    if (blocks.length === 0)
      return [{ key: indexKey.height, value: encodeHead({ height, closed, rows: this.rowsWhole, kept: this.#kept }) }];
    return [
      { key: indexKey.kept(this.#kept), value: encodeKept(first, blocks) },
      { key: indexKey.height, value: encodeHead({ height, closed, rows: this.rowsWhole, kept: this.#kept + 1 }) },
    ];
  }

  /** What `keeping` gave for so many blocks was written. */
  kept(blocks: number): void {
    if (blocks > 0) this.#kept++;
  }

  /** The versions of a block are whole. */
  added(): void {
    this.rowsWhole = this.#rows;
  }
}

/** Reads past the items of a list. */
function* passItems(version: BlockFactsReader, name: (typeof itemNames)[number]): Steps<void> {
  const count = version.number();
  for (let item = 0; item < count; item++) {
    for (let place = 0; place < arities[name]; place++) version.text();
    if (item % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }
}

async function* rowsBetween(store: Store, from: ByteText, to: ByteText): AsyncGenerator<{ key: ByteText; value: Uint8Array }, void, void> {
  for (let next = from; ; ) {
    const chunk = await store.range({ from: next, to, limit: LOAD_ROWS });
    yield* chunk;
    if (chunk.length < LOAD_ROWS) return;
    next = `${chunk.at(-1)!.key}\0`;
  }
}
