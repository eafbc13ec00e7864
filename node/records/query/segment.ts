/**
 * A segment of the query index: up to SEGMENT_ROWS_MAX versions, in the order of their commits, as columns. The last one is open and in
 * memory; a closed one is rows of the store, one a column, read when a value of it is asked for, and one for each value that is posted.
 */
import type { LinkFact, MaterialFact } from '../../../contracts/classes/index.ts';
import { type ByteText, fromByteText, type RecordState, toByteText, toHex, u32Text } from '../../format/index.ts';
import type { ChainError } from '../../errors/index.ts';
import { isSteps, type Steps } from '../../pace/index.ts';
import type { Store } from '../../world.ts';
import {
  type Column,
  fixedColumn,
  GrowingFixed,
  GrowingLists,
  GrowingNumbers,
  GrowingTexts,
  listColumn,
  numberColumn,
  textColumn,
} from './columns.ts';
import { indexKey, type PostedField, postedFields, TIME_BIAS } from './keys.ts';
import { postedOf, type RecordSummary } from './summary.ts';

export const SEGMENT_ROWS_MAX = 4_096;
/** Facts of one segment, about; one version may have more. It bounds what is written in one piece, and the memory of what is open. */
const SEGMENT_BYTES_MAX = 4_194_304;
/** What a version and an item of its lists count, however short their texts: they take time to be written and posted. */
const ROW_BYTES = 64;
const ITEM_BYTES = 16;
/** Items of the lists of a version that are pushed or posted between two pauses. */
const STEP_ITEMS = 1_024;
/** What a closed segment takes in memory before a column of it is read, about. */
const CLOSED_SEGMENT_BYTES = 4_096;
const ID_BYTES = 32;
const TIME_BYTES = 8;

const fixed = (width: number) => ({ grow: () => new GrowingFixed(width), read: (bytes: Uint8Array) => fixedColumn(bytes, width) });
const numbers = { grow: () => new GrowingNumbers(), read: numberColumn };
const texts = { grow: () => new GrowingTexts(), read: textColumn };
const lists = { grow: () => new GrowingLists(), read: listColumn };

/**
 * Columns by name, each with its letter in keys. Times are biased (timeText); an item of materials and links is its texts, parted by NUL.
 */
const table = {
  id: { letter: 'i', ...fixed(ID_BYTES) },
  time: { letter: 't', ...fixed(TIME_BYTES) },
  version: { letter: 'v', ...numbers },
  height: { letter: 'h', ...numbers },
  committedAtMs: { letter: 'm', ...numbers },
  class: { letter: 'c', ...texts },
  org: { letter: 'o', ...texts },
  author: { letter: 'a', ...texts },
  state: { letter: 's', ...texts },
  product: { letter: 'p', ...texts },
  productionBatch: { letter: 'b', ...texts },
  factory: { letter: 'f', ...texts },
  report: { letter: 'q', ...texts },
  verdict: { letter: 'e', ...texts },
  devices: { letter: 'd', ...lists },
  materials: { letter: 'r', ...lists },
  links: { letter: 'l', ...lists },
} as const;

type Table = typeof table;
type Columns = { readonly [name in keyof Table]: ReturnType<Table[name]['read']> };
type Growing = { readonly [name in keyof Table]: ReturnType<Table[name]['grow']> };
const names = Object.keys(table) as (keyof Table)[];
const textNames = ['class', 'org', 'author', 'state', 'product', 'productionBatch', 'factory', 'report', 'verdict'] as const;
const fieldNames = Object.keys(postedFields) as PostedField[];

/** The rows of one segment. */
export interface SegmentRows {
  readonly number: number;
  readonly columns: Columns;
  /** Rows that have the value, by time, id and version. */
  posting(field: PostedField, value: string): Promise<ArrayLike<number>>;
}

/** A version as it is added: its time as timeText. */
export type NewRow = Omit<RecordSummary, 'timeUs'> & { readonly id: Uint8Array; readonly version: number; readonly time: ByteText };

export class OpenSegment implements SegmentRows {
  readonly number: number;
  readonly columns: Growing = Object.fromEntries(names.map((name) => [name, table[name].grow()])) as unknown as Growing;
  /** Rows by posted value, as they were committed. */
  readonly #postings = Object.fromEntries(fieldNames.map((field) => [field, new Map()])) as Record<PostedField, Map<string, number[]>>;
  #count = 0;
  #bytes = 0;
  /** Rows in order of time, as far as they were asked for so, and the keys they stand by. */
  readonly #ordered: number[] = [];
  readonly #keys: ByteText[] = [];

  constructor(number: number) {
    this.number = number;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= SEGMENT_ROWS_MAX || this.#bytes >= SEGMENT_BYTES_MAX;
  }

  /**
   * In steps, for a version may name tens of thousands of materials; nobody looks for its row before its block is whole
   * (Segments.rowsWhole).
   */
  *push(added: NewRow): Steps<void> {
    const { columns } = this;
    columns.id.push(added.id);
    columns.time.push(fromByteText(added.time));
    columns.version.push(added.version);
    columns.height.push(added.height);
    columns.committedAtMs.push(added.committedAtMs);
    this.#bytes += ROW_BYTES;
    for (const name of textNames) this.#pushText(name, added[name]);
    yield* this.#pushList('devices', added.devices, String);
    yield* this.#pushList('materials', added.materials, materialText);
    yield* this.#pushList('links', added.links, linkItem);
    const row = this.#count++;
    let values = 0;
    for (const [field, value] of postedOf(added)) {
      const posted = this.#postings[field].get(value);
      if (!posted) this.#postings[field].set(value, [row]);
      else if (posted.at(-1) !== row) posted.push(row);
      if (++values % STEP_ITEMS === 0) yield;
    }
  }

  #pushText(name: (typeof textNames)[number], text: string | undefined): void {
    this.columns[name].push(text);
    if (text !== undefined) this.#bytes += text.length;
  }

  *#pushList<T>(name: 'devices' | 'materials' | 'links', items: Iterable<T>, textOf: (item: T) => string): Steps<void> {
    const column = this.columns[name];
    let pushed = 0;
    for (const item of items) {
      const text = textOf(item);
      column.add(text);
      this.#bytes += ITEM_BYTES + text.length;
      if (++pushed % STEP_ITEMS === 0) yield;
    }
    column.end();
  }

  async posting(field: PostedField, value: string): Promise<ArrayLike<number>> {
    return field === 'timeline' ? this.#byTime().slice() : this.#sorted(this.#postings[field].get(value) ?? []);
  }

  /** All rows in order of time. Rows come nearly in it, so each new one is put in its place from the end. */
  #byTime(): readonly number[] {
    for (let row = this.#ordered.length; row < this.#count; row++) {
      const key = rowKey(this, row);
      let at = this.#ordered.length;
      if (at > 0 && this.#keys[at - 1]! > key) at = firstWhere(at, (i) => this.#keys[i]! > key);
      this.#ordered.splice(at, 0, row);
      this.#keys.splice(at, 0, key);
    }
    return this.#ordered;
  }

  #sorted(rows: readonly number[]): readonly number[] {
    if (rows.length < 2) return rows;
    const place = new Uint16Array(this.#count);
    for (const [at, row] of this.#byTime().entries()) place[row] = at;
    return rows.toSorted((a, b) => place[a]! - place[b]!);
  }

  /** Its rows of the store, for a segment that is closed; undefined where there may be a pause and no row is ready. */
  *encode(): Generator<{ readonly key: ByteText; readonly value: Uint8Array } | undefined, void, void> {
    for (const name of names) {
      const made = this.columns[name].encode();
      yield { key: indexKey.column(this.number, table[name].letter), value: isSteps(made) ? yield* pausing(made) : made };
    }
    const byTime = this.#byTime();
    yield { key: indexKey.posting('timeline', '', this.number), value: encodePosting(byTime) };
    const place = new Uint16Array(this.#count);
    for (const [at, row] of byTime.entries()) place[row] = at;
    for (const field of fieldNames) {
      for (const [value, rows] of this.#postings[field]) {
        const sorted = rows.length === 1 ? rows : rows.toSorted((a, b) => place[a]! - place[b]!);
        yield { key: indexKey.posting(field, value, this.number), value: encodePosting(sorted) };
      }
    }
  }
}

export interface ClosedSegmentWatch {
  /** A column of so many bytes was read. */
  onRead(bytes: number): void;
  /** What is thrown for a column that is gone. */
  missing(key: ByteText): ChainError;
}

export class ClosedSegment implements SegmentRows {
  readonly number: number;
  readonly columns: Columns;
  readonly #store: Store;
  readonly #watch: ClosedSegmentWatch;
  /** In memory, about: of itself and of the columns read so far. */
  bytes = CLOSED_SEGMENT_BYTES;

  constructor(store: Store, number: number, watch: ClosedSegmentWatch) {
    this.#store = store;
    this.#watch = watch;
    this.number = number;
    const columns = {};
    for (const name of names)
      Object.defineProperty(columns, name, { configurable: true, enumerable: true, get: () => this.#load(columns, name) });
    this.columns = columns as Columns;
  }

  #load(columns: object, name: keyof Table): Column<unknown> {
    const key = indexKey.column(this.number, table[name].letter);
    const bytes = this.#store.get(key);
    if (!bytes) throw this.#watch.missing(key);
    this.bytes += bytes.length;
    this.#watch.onRead(bytes.length);
    const column = table[name].read(bytes);
    Object.defineProperty(columns, name, { value: column, enumerable: true });
    return column;
  }

  async posting(field: PostedField, value: string): Promise<ArrayLike<number>> {
    const key = indexKey.posting(field, value, this.number);
    const [row] = await this.#store.range({ from: key, to: `${key}\0`, limit: 1 }); // a turn of the event loop, where get would be none
    return row ? decodePosting(row.value) : [];
  }
}

/** Work in steps, where pauses stand between rows. */
function* pausing<T>(steps: Steps<T>): Generator<undefined, T, void> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield undefined;
  }
}

function encodePosting(rows: readonly number[]): Uint8Array {
  const out = new Uint8Array(2 * rows.length);
  for (let i = 0; i < rows.length; i++) {
    out[2 * i] = rows[i]! >>> 8;
    out[2 * i + 1] = rows[i]!;
  }
  return out;
}

export function decodePosting(bytes: Uint8Array): Uint16Array {
  const rows = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < rows.length; i++) rows[i] = (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;
  return rows;
}

/** Time, id and version: rows sort by it. */
export function rowKey({ columns }: SegmentRows, row: number): ByteText {
  return toByteText(columns.time.at(row)) + toByteText(columns.id.at(row)) + u32Text(columns.version.at(row));
}

const PART = '\0'; // in no text of a record

function materialText({ supplier, batch, report }: MaterialFact): string {
  return report === undefined ? supplier + PART + batch : supplier + PART + batch + PART + report;
}

function linkItem({ rel, type, id, org }: LinkFact): string {
  return org === undefined ? rel + PART + type + PART + id : rel + PART + type + PART + id + PART + org;
}

/** A row as a summary, of which each part is read when it is asked for. */
export class RowSummary implements RecordSummary {
  readonly #columns: Columns;
  readonly #row: number;

  constructor({ columns }: SegmentRows, row: number) {
    this.#columns = columns;
    this.#row = row;
  }

  get class(): string {
    return this.#columns.class.at(this.#row)!;
  }
  get org(): string {
    return this.#columns.org.at(this.#row)!;
  }
  get author(): string {
    return this.#columns.author.at(this.#row)!;
  }
  get state(): RecordState {
    return this.#columns.state.at(this.#row) as RecordState;
  }
  get height(): number {
    return this.#columns.height.at(this.#row);
  }
  get committedAtMs(): number {
    return this.#columns.committedAtMs.at(this.#row);
  }
  get timeUs(): string {
    return String(BigInt(`0x${toHex(this.#columns.time.at(this.#row))}`) - TIME_BIAS);
  }
  get product(): string | undefined {
    return this.#columns.product.at(this.#row);
  }
  get productionBatch(): string | undefined {
    return this.#columns.productionBatch.at(this.#row);
  }
  get factory(): string | undefined {
    return this.#columns.factory.at(this.#row);
  }
  get report(): string | undefined {
    return this.#columns.report.at(this.#row);
  }
  get verdict(): string | undefined {
    return this.#columns.verdict.at(this.#row);
  }
  get devices(): readonly string[] {
    return this.#columns.devices.at(this.#row);
  }
  get materials(): Iterable<MaterialFact> {
    return { [Symbol.iterator]: () => materialsOf(this.#columns.materials.each(this.#row)) };
  }
  get links(): readonly LinkFact[] {
    return this.#columns.links.at(this.#row).map((text) => {
      const [rel, type, id, org] = text.split(PART);
      return { rel: rel!, type: type!, id: id!, org };
    });
  }
}

function* materialsOf(texts: Iterable<string>): Generator<MaterialFact, void, void> {
  for (const text of texts) {
    const [supplier, batch, report] = text.split(PART);
    yield { supplier: supplier!, batch: batch!, report };
  }
}

/** The least of 0 to `count` for which `holds`, which then holds for all that follow; `count` when it holds for none. */
export function firstWhere(count: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
