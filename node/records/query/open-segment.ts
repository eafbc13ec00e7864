/** The segment of the query index that grows: its columns in memory, and its rows of the store once it is full. */
import { type ByteText, fromByteText, toByteText } from '../../format/index.ts';
import type { BlockFactsReader } from '../../ledger/index.ts';
import type { Steps } from '../../pace/index.ts';
import { GrowingDictionary, GrowingFixed, GrowingItems, GrowingNumbers, GrowingTexts } from './columns.ts';
import { bytesOf, hashOf, sortedByBucket } from './directory.ts';
import { indexKey, type PostedField, timeText } from './keys.ts';
import {
  arities,
  BATCH,
  columnKey,
  columnNames,
  encodeOrder,
  firstWhere,
  ID,
  ID_BYTES,
  orderKey,
  REPORT,
  type RowSummary,
  rowsWith,
  SEGMENT_ROWS_MAX,
  type SegmentRows,
  SUPPLIER,
  TIME_BYTES,
  TYPE,
} from './segment.ts';
import { linkText } from './summary.ts';

/** Facts of one segment, about; one version may have more. It bounds what is written in one piece, and the memory of what is open. */
const SEGMENT_BYTES_MAX = 4_194_304;
/** What a version, a text and an item of a list count, however short: they take time to be written and posted. */
const ROW_BYTES = 64;
const ITEM_BYTES = 16;
/** Items and rows looked at between two pauses. */
const STEP_ITEMS = 4_096;

export const itemNames = ['devices', 'materials', 'links'] as const;
const nameds = ['product', 'productionBatch', 'factory', 'report', 'verdict'] as const;

const US_PER_MS = 1_000n;
const HIGH_BIAS = 0x1000_0000; // TIME_BIAS in the upper half

const postedTexts = [
  ['author', 'author'],
  ['class', 'class'],
  ['product', 'product'],
  ['factory', 'factory'],
  ['report', 'report'],
  ['productionBatch', 'batch'],
] as const;
const postedItems = [
  ['devices', 0, 'device', ''],
  ['materials', SUPPLIER, 'supplier', ''],
  ['materials', BATCH, 'batch', ''],
  ['materials', REPORT, 'link', linkText({ type: 'report', id: '' })],
] as const;

function columnsOf(texts: GrowingDictionary) {
  const numbers = () => new GrowingNumbers();
  const text = () => new GrowingTexts(texts);
  return {
    id: new GrowingFixed(ID_BYTES),
    time: new GrowingFixed(TIME_BYTES),
    ...{ version: numbers(), height: numbers(), committedAtMs: numbers() },
    ...{ class: text(), org: text(), author: text(), state: text() },
    ...{ product: text(), productionBatch: text(), factory: text(), report: text(), verdict: text() },
    devices: new GrowingItems(texts, arities.devices),
    materials: new GrowingItems(texts, arities.materials),
    links: new GrowingItems(texts, arities.links),
  };
}

export class OpenSegment implements SegmentRows {
  readonly number: number;
  readonly #texts = new GrowingDictionary();
  readonly columns = columnsOf(this.#texts);
  /** Numbers here of the texts of the block whose versions are added, by their numbers there. */
  #known: number[] = [];
  #count = 0;
  #items = 0;
  /** Rows in order of time, as far as they were asked for so. */
  readonly #order = new Uint16Array(SEGMENT_ROWS_MAX);
  #ordered = 0;
  /** Rows of the least and the greatest time. */
  #first = 0;
  #last = 0;

  constructor(number: number) {
    this.number = number;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    const texts = this.#texts;
    return (
      this.#count >= SEGMENT_ROWS_MAX ||
      ROW_BYTES * this.#count + ITEM_BYTES * (this.#items + texts.count) + texts.units >= SEGMENT_BYTES_MAX
    );
  }

  /** As timeText, of one row at least. */
  get timeMin(): ByteText {
    return toByteText(this.columns.time.at(this.#first));
  }

  get timeMax(): ByteText {
    return toByteText(this.columns.time.at(this.#last));
  }

  /** The versions that are added from now on are of another block. */
  beginBlock(): void {
    this.#known = [];
  }

  /**
   * Adds what a reader stands at, but for its items. A tombstone, and content of a class that is not known, keep the facts of the version
   * before, so that they are found where that one was. Nobody looks for the row before its block is whole (Segments.rowsWhole).
   */
  add(version: BlockFactsReader, before: RowSummary | undefined, height: number): void {
    const { columns } = this;
    const row = this.#count++;
    columns.id.push(version.id);
    columns.version.push(version.version);
    columns.height.push(height);
    columns.committedAtMs.push(version.timestampMs);
    columns.class.push(this.code(version, version.class));
    columns.org.push(this.code(version, version.org));
    columns.author.push(before ? this.#texts.code(before.author) : this.code(version, version.actor));
    columns.state.push(this.code(version, version.state));
    if (version.isNamed) for (const name of nameds) columns[name].push(this.code(version, version[name]));
    else for (const name of nameds) columns[name].push(this.#codeOf(before?.[name]));
    columns.time.push(timeOf(version, before));
    if (columns.time.compare(row, this.#first) < 0) this.#first = row;
    if (columns.time.compare(row, this.#last) > 0) this.#last = row;
  }

  /** Number here of a text of the block. */
  code({ texts }: BlockFactsReader, given: number): number {
    if (given === 0) return 0;
    const known = this.#known[given];
    if (known !== undefined) return known;
    const code = this.#texts.code(texts[given - 1]!);
    this.#known[given] = code;
    return code;
  }

  #codeOf(text: string | undefined): number {
    return text === undefined ? 0 : this.#texts.code(text);
  }

  /** Adds so many of the next items of the row that was added last. */
  takeItems(version: BlockFactsReader, name: (typeof itemNames)[number], count: number): void {
    const column = this.columns[name];
    const texts = count * arities[name];
    for (let i = 0; i < texts; i++) column.add(this.code(version, version.text()));
    this.#items += count;
  }

  /** Adds the items of the version before to the row that was added last. */
  *copyItems({ devices, materials, links }: RowSummary): Steps<void> {
    for (const device of devices) this.#addItem('devices', device);
    for (const { supplier, batch, report } of materials) {
      this.#addItem('materials', supplier, batch, report);
      if (this.#items % STEP_ITEMS === 0) yield;
    }
    for (const { rel, type, id, org } of links) this.#addItem('links', rel, type, id, org);
  }

  #addItem(name: (typeof itemNames)[number], ...texts: readonly (string | undefined)[]): void {
    for (const text of texts) this.columns[name].add(this.#codeOf(text));
    this.#items++;
  }

  /** The row that was added last has all its items. */
  endRow(): void {
    for (const name of itemNames) this.columns[name].end();
  }

  async posting(field: PostedField, value: string): Promise<ArrayLike<number>> {
    const order = this.#byTime();
    return field === 'timeline' ? order.slice() : rowsWith(this.columns, order, field, value);
  }

  /** All rows in order of time. Rows come nearly in it, so each new one is put in its place from the end. */
  #byTime(): Uint16Array {
    const order = this.#order;
    for (; this.#ordered < this.#count; this.#ordered++) {
      const row = this.#ordered;
      let at = row;
      if (at > 0 && this.#isBefore(row, order[at - 1]!)) at = firstWhere(row, (i) => this.#isBefore(row, order[i]!));
      order.copyWithin(at + 1, at, row);
      order[at] = row;
    }
    return order.subarray(0, this.#count);
  }

  #isBefore(a: number, b: number): boolean {
    const { time, id, version } = this.columns;
    return (time.compare(a, b) || id.compare(a, b) || version.at(a) - version.at(b)) < 0;
  }

  /** Its rows of the store, for a segment that is closed, and the hashes of its values; undefined where there may be a pause and no row is ready. */
  *encode(): Generator<{ readonly key: ByteText; readonly value: Uint8Array } | undefined, Uint32Array, void> {
    for (const name of columnNames) {
      const column = this.columns[name];
      if (column instanceof GrowingFixed || column instanceof GrowingNumbers) {
        yield { key: columnKey(this.number, name), value: column.encode() };
        continue;
      }
      const steps = column.encode();
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) yield undefined;
      yield { key: columnKey(this.number, name), value: step.value };
    }
    yield { key: orderKey(this.number), value: encodeOrder(this.#byTime()) };
    const values = sortedByBucket(yield* this.#hashes());
    yield { key: indexKey.values(this.number), value: bytesOf(values) };
    return values;
  }

  /** Of every value that a version is posted under but the timeline's; of a link one may come more than once. */
  *#hashes(): Generator<undefined, number[], void> {
    const { columns } = this;
    const hashes: number[] = [];
    const seen = new Uint32Array(this.#texts.count + 1);
    let pass = 0;
    for (const [name, field] of postedTexts) {
      const column = columns[name];
      pass++;
      for (let row = 0; row < this.#count; row++) {
        const code = column.codeAt(row);
        if (code === 0 || seen[code] === pass) continue;
        seen[code] = pass;
        hashes.push(hashOf(field, column.text(code)!));
      }
      yield undefined;
    }
    for (const [name, place, field, prefix] of postedItems) {
      const column = columns[name];
      const end = column.first(this.#count);
      pass++;
      for (let item = 0; item < end; item++) {
        const code = column.codeAt(item, place);
        if (item % STEP_ITEMS === STEP_ITEMS - 1) yield undefined;
        if (code === 0 || seen[code] === pass) continue;
        seen[code] = pass;
        hashes.push(hashOf(field, prefix + column.text(code)!));
      }
    }
    const { links } = columns;
    const types = new Uint32Array(seen.length); // of each id the type that it came with last
    for (let item = 0, end = links.first(this.#count); item < end; item++) {
      const [type, id] = [links.codeAt(item, TYPE), links.codeAt(item, ID)];
      if (item % STEP_ITEMS === STEP_ITEMS - 1) yield undefined;
      if (types[id] === type) continue;
      types[id] = type;
      hashes.push(hashOf('link', linkText({ type: links.text(type)!, id: links.text(id)! })));
    }
    return hashes;
  }
}

const time = new DataView(new ArrayBuffer(TIME_BYTES));
const timeBytes = new Uint8Array(time.buffer);

/** As bytes of timeText: what the version claims, or the one before it where it claims nothing itself, or the time of its block. */
function timeOf(version: BlockFactsReader, before: RowSummary | undefined): Uint8Array {
  if (version.isNamed && version.hasTime) {
    time.setUint32(0, version.timeHigh + HIGH_BIAS);
    time.setUint32(4, version.timeLow);
    return timeBytes;
  }
  return fromByteText(timeText(!version.isNamed && before ? BigInt(before.timeUs) : BigInt(version.timestampMs) * US_PER_MS));
}
