/**
 * A segment of the query index: up to SEGMENT_ROWS_MAX versions, in the order of their commits, as columns. The last one is open and in
 * memory (open-segment.ts); a closed one is rows of the store, one a column, read when a value of it is asked for. Which segments have a
 * value says the directory (directory.ts), which rows of a segment its columns.
 */
import type { LinkFact, MaterialFact } from '../../../contracts/classes/index.ts';
import { type ByteText, type RecordState, toByteText, toHex, u32Text } from '../../format/index.ts';
import type { ChainError } from '../../errors/index.ts';
import type { Store } from '../../world.ts';
import { fixedColumn, type ItemColumn, itemColumn, numberColumn, type TextColumn, textColumn } from './columns.ts';
import { indexKey, type PostedField, TIME_BIAS } from './keys.ts';
import { linkText, type RecordSummary } from './summary.ts';

export const SEGMENT_ROWS_MAX = 4_096;
/** What a closed segment takes in memory before a column of it is read, about. */
const CLOSED_SEGMENT_BYTES = 4_096;
/** Of a column that was read, with what it is searched by and the texts that were asked for, about. */
export const HELD_PER_BYTE = 2;
export const ID_BYTES = 32;
export const TIME_BYTES = 8;

/** Texts of an item: a device; supplier, batch and report of a material; rel, type, id and org of a link. */
export const arities = { devices: 1, materials: 3, links: 4 } as const;
export const [SUPPLIER, BATCH, REPORT] = [0, 1, 2] as const;
export const [REL, TYPE, ID, ORG] = [0, 1, 2, 3] as const;

const fixed = (width: number) => (bytes: Uint8Array) => fixedColumn(bytes, width);
const items = (arity: number) => (bytes: Uint8Array) => itemColumn(bytes, arity);

/** Columns by name: letter in keys, and how one that is closed is read. Times are biased (timeText). */
const table = {
  id: { letter: 'i', read: fixed(ID_BYTES) },
  time: { letter: 't', read: fixed(TIME_BYTES) },
  version: { letter: 'v', read: numberColumn },
  height: { letter: 'h', read: numberColumn },
  committedAtMs: { letter: 'm', read: numberColumn },
  class: { letter: 'c', read: textColumn },
  org: { letter: 'o', read: textColumn },
  author: { letter: 'a', read: textColumn },
  state: { letter: 's', read: textColumn },
  product: { letter: 'p', read: textColumn },
  productionBatch: { letter: 'b', read: textColumn },
  factory: { letter: 'f', read: textColumn },
  report: { letter: 'q', read: textColumn },
  verdict: { letter: 'e', read: textColumn },
  devices: { letter: 'd', read: items(arities.devices) },
  materials: { letter: 'r', read: items(arities.materials) },
  links: { letter: 'l', read: items(arities.links) },
} as const;

const ORDER_LETTER = 'z';

type Table = typeof table;
export type ColumnName = keyof Table;
export type Columns = { readonly [name in ColumnName]: ReturnType<Table[name]['read']> };
export const columnNames = Object.keys(table) as ColumnName[];

export function columnKey(segment: number, name: ColumnName): ByteText {
  return indexKey.column(segment, table[name].letter);
}

/** Rows in order of time, id and version, two bytes each. */
export function orderKey(segment: number): ByteText {
  return indexKey.column(segment, ORDER_LETTER);
}

/** The rows of one segment. */
export interface SegmentRows {
  readonly number: number;
  readonly columns: Columns;
  /** Rows that have the value, by time, id and version. */
  posting(field: PostedField, value: string): Promise<ArrayLike<number>>;
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
    for (const name of columnNames)
      Object.defineProperty(columns, name, { configurable: true, enumerable: true, get: () => this.#load(columns, name) });
    this.columns = columns as Columns;
  }

  #load(columns: object, name: ColumnName): unknown {
    const key = columnKey(this.number, name);
    const bytes = this.#store.get(key);
    if (!bytes) throw this.#watch.missing(key);
    this.bytes += bytes.length * HELD_PER_BYTE;
    this.#watch.onRead(bytes.length * HELD_PER_BYTE);
    const column = table[name].read(bytes);
    Object.defineProperty(columns, name, { value: column, enumerable: true });
    return column;
  }

  async posting(field: PostedField, value: string): Promise<ArrayLike<number>> {
    const key = orderKey(this.number);
    const [row] = await this.#store.range({ from: key, to: `${key}\0`, limit: 1 }); // a turn of the event loop, where get would be none
    if (!row) throw this.#watch.missing(key);
    return rowsWith(this.columns, decodeOrder(row.value), field, value);
  }
}

export function encodeOrder(rows: Uint16Array): Uint8Array {
  const out = new Uint8Array(2 * rows.length);
  for (let i = 0; i < rows.length; i++) {
    out[2 * i] = rows[i]! >>> 8;
    out[2 * i + 1] = rows[i]!;
  }
  return out;
}

function decodeOrder(bytes: Uint8Array): Uint16Array {
  const rows = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < rows.length; i++) rows[i] = (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;
  return rows;
}

/** Rows that have the value, in the given order of all rows. */
export function rowsWith(columns: Columns, order: Uint16Array, field: PostedField, value: string): ArrayLike<number> {
  if (field === 'timeline') return order;
  const has = new Uint8Array(order.length);
  mark(has, columns, field, value);
  return order.filter((row) => has[row] === 1);
}

function mark(has: Uint8Array, columns: Columns, field: Exclude<PostedField, 'timeline'>, value: string): void {
  switch (field) {
    case 'device':
      markItems(has, columns.devices, 0, value);
      break;
    case 'supplier':
      markItems(has, columns.materials, SUPPLIER, value);
      break;
    case 'batch':
      markTexts(has, columns.productionBatch, value);
      markItems(has, columns.materials, BATCH, value);
      break;
    case 'link':
      if (value.startsWith(REPORT_LINK)) markItems(has, columns.materials, REPORT, value.slice(REPORT_LINK.length));
      markLinks(has, columns.links, value);
      break;
    default:
      markTexts(has, columns[field], value);
  }
}

const REPORT_LINK = linkText({ type: 'report', id: '' });

function markTexts(has: Uint8Array, column: TextColumn, value: string): void {
  const code = column.codeOf(value);
  if (code === 0) return;
  for (let row = 0; row < has.length; row++) if (column.codeAt(row) === code) has[row] = 1;
}

function markItems(has: Uint8Array, column: ItemColumn, place: number, value: string): void {
  const code = column.codeOf(value);
  if (code !== 0) column.mark(has, code, place);
}

/** A link is named by type and id; the type may hold what parts them. */
function markLinks(has: Uint8Array, column: ItemColumn, value: string): void {
  /** By the number of a type: that of the id which the value names with it. */
  const ids = new Map<number, number>();
  for (let row = 0, item = 0; row < has.length; row++) {
    for (const end = column.first(row + 1); item < end; item++) {
      const type = column.codeAt(item, TYPE);
      let id = ids.get(type);
      if (id === undefined) {
        const start = linkText({ type: column.text(type)!, id: '' });
        id = value.startsWith(start) ? column.codeOf(value.slice(start.length)) : 0;
        ids.set(type, id);
      }
      if (id !== 0 && column.codeAt(item, ID) === id) has[row] = 1;
    }
  }
}

/** Time, id and version: rows sort by it. */
export function rowKey({ columns }: SegmentRows, row: number): ByteText {
  return toByteText(columns.time.at(row)) + toByteText(columns.id.at(row)) + u32Text(columns.version.at(row));
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
    return [...each(this.#columns.devices, this.#row, deviceAt)];
  }
  get materials(): Iterable<MaterialFact> {
    return { [Symbol.iterator]: () => each(this.#columns.materials, this.#row, materialAt) };
  }
  get links(): readonly LinkFact[] {
    return [...each(this.#columns.links, this.#row, linkAt)];
  }
}

function* each<T>(column: ItemColumn, row: number, read: (column: ItemColumn, item: number) => T): Generator<T, void, void> {
  const end = column.first(row + 1);
  for (let item = column.first(row); item < end; item++) yield read(column, item);
}

function deviceAt(column: ItemColumn, item: number): string {
  return column.text(column.codeAt(item, 0))!;
}

function materialAt(column: ItemColumn, item: number): MaterialFact {
  const at = (place: number) => column.text(column.codeAt(item, place));
  return { supplier: at(SUPPLIER)!, batch: at(BATCH)!, report: at(REPORT) };
}

function linkAt(column: ItemColumn, item: number): LinkFact {
  const at = (place: number) => column.text(column.codeAt(item, place));
  return { rel: at(REL)!, type: at(TYPE)!, id: at(ID)!, org: at(ORG) };
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
