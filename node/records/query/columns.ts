/**
 * Columns of a segment: the values of one field for all its rows. One that grows is typed arrays, its texts numbers of one dictionary of the
 * segment; one that is closed is bytes in which every value is found where it stands, and a text is read when it is asked for.
 */
import { Reader, utf8, Writer } from '../../format/index.ts';
import type { Steps } from '../../pace/index.ts';
import { ClosedDictionary } from './closed-dictionary.ts';

export interface Column<T> {
  at(row: number): T;
}

/** Texts by number, from 1; 0 is none. */
export interface Coded {
  /** 0 of a text that stands nowhere in the column. */
  codeOf(text: string): number;
  text(code: number): string | undefined;
}

export interface TextColumn extends Coded, Column<string | undefined> {
  codeAt(row: number): number;
}

/** Several items a row, each of so many texts as the column's arity says. */
export interface ItemColumn extends Coded {
  /** First item of the row; of the row behind the last one, how many items there are. */
  first(row: number): number;
  codeAt(item: number, place: number): number;
  /** Sets `has` of each row with an item that has the code at this place to 1; `has` is as long as there are rows. */
  mark(has: Uint8Array, code: number, place: number): void;
}

const GROWING_ROWS = 256;
const STEP_ITEMS = 4_096; // texts or numbers read or written between two pauses

/** Values of one width: ids and times. */
export class GrowingFixed implements Column<Uint8Array> {
  readonly #width: number;
  #held: Uint8Array;
  #count = 0;

  constructor(width: number) {
    this.#width = width;
    this.#held = new Uint8Array(width * GROWING_ROWS);
  }

  push(value: Uint8Array): void {
    const at = this.#width * this.#count++;
    if (at === this.#held.length) {
      const grown = new Uint8Array(2 * at);
      grown.set(this.#held);
      this.#held = grown;
    }
    this.#held.set(value, at);
  }

  at(row: number): Uint8Array {
    return this.#held.subarray(row * this.#width, (row + 1) * this.#width);
  }

  /** As memcmp orders the values of two rows. */
  compare(a: number, b: number): number {
    const held = this.#held;
    const width = this.#width;
    for (let i = 0; i < width; i++) {
      const difference = held[a * width + i]! - held[b * width + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  encode(): Uint8Array {
    return this.#held.slice(0, this.#width * this.#count);
  }
}

export function fixedColumn(bytes: Uint8Array, width: number): Column<Uint8Array> {
  return { at: (row) => bytes.subarray(row * width, (row + 1) * width) };
}

/** Whole numbers from 0. */
export class GrowingNumbers implements Column<number> {
  #values = new Float64Array(GROWING_ROWS);
  #count = 0;

  push(value: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(2 * this.#count);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = value;
  }

  at(row: number): number {
    return this.#values[row]!;
  }

  encode(): Uint8Array {
    return encodeNumbers(this.#values.subarray(0, this.#count));
  }
}

/** Numbers of texts. */
class GrowingCodes {
  #codes = new Uint32Array(GROWING_ROWS);
  count = 0;

  push(code: number): void {
    if (this.count === this.#codes.length) {
      const grown = new Uint32Array(2 * this.count);
      grown.set(this.#codes);
      this.#codes = grown;
    }
    this.#codes[this.count++] = code;
  }

  at(index: number): number {
    return this.#codes[index]!;
  }

  all(): Uint32Array {
    return this.#codes.subarray(0, this.count);
  }
}

const U32 = 0x1_0000_0000;
const U32_MAX = U32 - 1;
const NUMBERS_HEAD_BYTES = 9;

/** The least value, the width of the differences from it, and each difference; no differences where all values are equal. */
function encodeNumbers(values: Uint32Array | Float64Array): Uint8Array {
  let least = values[0] ?? 0;
  let most = least;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const span = most - least;
  const width = span === 0 ? 0 : span <= 0xff ? 1 : span <= 0xffff ? 2 : span <= U32_MAX ? 4 : 8;
  const out = new Uint8Array(NUMBERS_HEAD_BYTES + width * values.length);
  const view = new DataView(out.buffer);
  writeU64(view, 0, least);
  out[NUMBERS_HEAD_BYTES - 1] = width;
  if (width === 0) return out;
  for (let i = 0, at = NUMBERS_HEAD_BYTES; i < values.length; i++, at += width) {
    const difference = values[i]! - least;
    if (width === 1) out[at] = difference;
    else if (width === 2) view.setUint16(at, difference);
    else if (width === 4) view.setUint32(at, difference);
    else writeU64(view, at, difference);
  }
  return out;
}

function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / U32));
  view.setUint32(at + 4, value % U32);
}

export function numberColumn(bytes: Uint8Array): Column<number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const least = new Reader(bytes).u64();
  const width = bytes[NUMBERS_HEAD_BYTES - 1]!;
  const from = NUMBERS_HEAD_BYTES;
  switch (width) {
    case 0:
      return { at: () => least };
    case 1:
      return { at: (row) => least + bytes[from + row]! };
    case 2:
      return { at: (row) => least + view.getUint16(from + 2 * row) };
    case 4:
      return { at: (row) => least + view.getUint32(from + 4 * row) };
    default:
      return { at: (row) => least + Number(view.getBigUint64(from + 8 * row)) };
  }
}

/** The texts of a segment that grows, each once: its columns hold their numbers. */
export class GrowingDictionary implements Coded {
  readonly #codes = new Map<string, number>();
  readonly #texts: string[] = [];
  /** UTF-16 units of all texts. */
  units = 0;

  get count(): number {
    return this.#texts.length;
  }

  /** Number of the text, which stands in the dictionary from now on. */
  code(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const code = this.#texts.push(text);
    this.#codes.set(text, code);
    this.units += text.length;
    return code;
  }

  codeOf(text: string): number {
    return this.#codes.get(text) ?? 0;
  }

  text(code: number): string | undefined {
    return this.#texts[code - 1];
  }

  /** A dictionary of the texts that a column has, in the order in which it has them, and its numbers in that. */
  *encode(codes: Uint32Array): Steps<readonly [texts: Uint8Array, codes: Uint8Array]> {
    const own = new Uint32Array(this.count + 1);
    const renumbered = new Uint32Array(codes.length);
    const texts: string[] = [];
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at]!;
      if (code !== 0 && own[code] === 0) own[code] = texts.push(this.#texts[code - 1]!);
      renumbered[at] = own[code]!;
      if (at % STEP_ITEMS === STEP_ITEMS - 1) yield;
    }
    const parts: Uint8Array[] = [];
    const ends = new Writer(4 + 4 * texts.length).u32(texts.length);
    for (let from = 0, end = 0; from < texts.length; from += STEP_ITEMS) {
      const some = texts.slice(from, from + STEP_ITEMS);
      const part = utf8(some.join(''));
      let units = 0;
      for (const text of some) units += text.length;
      const isAscii = units === part.length;
      for (const text of some) {
        end += isAscii ? text.length : Buffer.byteLength(text);
        ends.u32(end);
      }
      parts.push(part);
      yield;
    }
    for (const part of parts) ends.raw(part);
    return [ends.view(), encodeNumbers(renumbered)];
  }
}

export class GrowingTexts implements TextColumn {
  readonly #dictionary: GrowingDictionary;
  readonly #codes = new GrowingCodes();

  constructor(dictionary: GrowingDictionary) {
    this.#dictionary = dictionary;
  }

  /** @param code of the segment's dictionary */
  push(code: number): void {
    this.#codes.push(code);
  }

  codeAt(row: number): number {
    return this.#codes.at(row);
  }

  codeOf(text: string): number {
    return this.#dictionary.codeOf(text);
  }

  text(code: number): string | undefined {
    return this.#dictionary.text(code);
  }

  at(row: number): string | undefined {
    return this.#dictionary.text(this.#codes.at(row));
  }

  *encode(): Steps<Uint8Array> {
    const [texts, codes] = yield* this.#dictionary.encode(this.#codes.all());
    return new Writer(texts.length + 4 + codes.length).raw(texts).bytes(codes).finish();
  }
}

export function textColumn(bytes: Uint8Array): TextColumn {
  const reader = new Reader(bytes);
  const dictionary = new ClosedDictionary(reader);
  const codes = numberColumn(reader.bytes());
  return {
    at: (row) => dictionary.text(codes.at(row)),
    codeAt: (row) => codes.at(row),
    codeOf: (text) => dictionary.codeOf(text),
    text: (code) => dictionary.text(code),
  };
}

export class GrowingItems implements ItemColumn {
  readonly #arity: number;
  readonly #dictionary: GrowingDictionary;
  readonly #codes = new GrowingCodes();
  readonly #ends = new GrowingCodes();

  constructor(dictionary: GrowingDictionary, arity: number) {
    this.#dictionary = dictionary;
    this.#arity = arity;
  }

  /** The next text of the item under way of the row that comes next, which is there when it is ended. */
  add(code: number): void {
    this.#codes.push(code);
  }

  end(): void {
    this.#ends.push(this.#codes.count / this.#arity);
  }

  first(row: number): number {
    return row === 0 ? 0 : this.#ends.at(row - 1);
  }

  codeAt(item: number, place: number): number {
    return this.#codes.at(item * this.#arity + place);
  }

  mark(has: Uint8Array, code: number, place: number): void {
    markLookedFor(this, has, code, place);
  }

  codeOf(text: string): number {
    return this.#dictionary.codeOf(text);
  }

  text(code: number): string | undefined {
    return this.#dictionary.text(code);
  }

  *encode(): Steps<Uint8Array> {
    const [texts, codes] = yield* this.#dictionary.encode(this.#codes.all());
    yield;
    const ends = encodeNumbers(this.#ends.all());
    return new Writer(texts.length + ends.length + codes.length + 8).raw(texts).bytes(ends).bytes(codes).finish();
  }
}

function markLookedFor(column: ItemColumn, has: Uint8Array, code: number, place: number): void {
  for (let row = 0, item = 0; row < has.length; row++)
    for (const end = column.first(row + 1); item < end; item++) if (column.codeAt(item, place) === code) has[row] = 1;
}

class ClosedItems implements ItemColumn {
  readonly #arity: number;
  readonly #dictionary: ClosedDictionary;
  readonly #ends: Column<number>;
  readonly #codes: Column<number>;
  /** By place: undefined while nobody asked, and after the first who did: most ask once. */
  readonly #rows: (RowsByCode | 'asked' | undefined)[] = [];

  constructor(bytes: Uint8Array, arity: number) {
    const reader = new Reader(bytes);
    this.#arity = arity;
    this.#dictionary = new ClosedDictionary(reader);
    this.#ends = numberColumn(reader.bytes());
    this.#codes = numberColumn(reader.bytes());
  }

  first(row: number): number {
    return row === 0 ? 0 : this.#ends.at(row - 1);
  }

  codeAt(item: number, place: number): number {
    return this.#codes.at(item * this.#arity + place);
  }

  codeOf(text: string): number {
    return this.#dictionary.codeOf(text);
  }

  text(code: number): string | undefined {
    return this.#dictionary.text(code);
  }

  mark(has: Uint8Array, code: number, place: number): void {
    const known = this.#rows[place];
    if (known === undefined) {
      this.#rows[place] = 'asked';
      markLookedFor(this, has, code, place);
      return;
    }
    const rows = known === 'asked' ? new RowsByCode(this, place, { rows: has.length, codes: this.#dictionary.count }) : known;
    this.#rows[place] = rows;
    rows.mark(has, code);
  }
}

/** The rows of each code at one place of the items. */
class RowsByCode {
  /** Where the rows of a code begin; behind the last one, how many there are. */
  readonly #starts: Uint32Array;
  readonly #rows: Uint16Array;

  constructor(column: ItemColumn, place: number, counts: { readonly rows: number; readonly codes: number }) {
    const items = column.first(counts.rows);
    const starts = new Uint32Array(counts.codes + 2);
    for (let item = 0; item < items; item++) starts[column.codeAt(item, place) + 1]!++;
    for (let code = 1; code < starts.length; code++) starts[code]! += starts[code - 1]!;
    const next = starts.slice();
    this.#starts = starts;
    this.#rows = new Uint16Array(items);
    for (let row = 0, item = 0; row < counts.rows; row++)
      for (const end = column.first(row + 1); item < end; item++) this.#rows[next[column.codeAt(item, place)]!++] = row;
  }

  mark(has: Uint8Array, code: number): void {
    for (let i = this.#starts[code]!; i < this.#starts[code + 1]!; i++) has[this.#rows[i]!] = 1;
  }
}

export function itemColumn(bytes: Uint8Array, arity: number): ItemColumn {
  return new ClosedItems(bytes, arity);
}
