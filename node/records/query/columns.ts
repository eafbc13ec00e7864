/**
 * Columns of a segment: the values of one field for all its rows. One that grows is kept as arrays; one that is closed is bytes in which
 * every value is found where it stands, and a text is read when it is asked for.
 */
import { Reader, utf8, Writer } from '../../format/index.ts';
import type { Steps } from '../../pace/index.ts';

export interface Column<T> {
  at(row: number): T;
}

export interface GrowingColumn<T> extends Column<T> {
  push(value: T): void;
  encode(): Uint8Array | Steps<Uint8Array>;
}

/** Values of one width: ids and times. */
export class GrowingFixed implements GrowingColumn<Uint8Array> {
  readonly #width: number;
  #held: Uint8Array;
  #count = 0;

  constructor(width: number) {
    this.#width = width;
    this.#held = new Uint8Array(width * 64);
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

  encode(): Uint8Array {
    return this.#held.slice(0, this.#width * this.#count);
  }
}

export function fixedColumn(bytes: Uint8Array, width: number): Column<Uint8Array> {
  return { at: (row) => bytes.subarray(row * width, (row + 1) * width) };
}

/** Whole numbers from 0. */
export class GrowingNumbers implements GrowingColumn<number> {
  readonly #values: number[] = [];

  push(value: number): void {
    this.#values.push(value);
  }

  at(row: number): number {
    return this.#values[row]!;
  }

  encode(): Uint8Array {
    return encodeNumbers(this.#values);
  }
}

const U32_MAX = 0xffff_ffff;

/** The least value, the width of the differences from it, and each difference; no differences where all values are equal. */
function encodeNumbers(values: readonly number[]): Uint8Array {
  let least = values[0] ?? 0;
  let most = least;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const span = most - least;
  const width = span === 0 ? 0 : span <= 0xff ? 1 : span <= 0xffff ? 2 : span <= U32_MAX ? 4 : 8;
  const writer = new Writer(9 + width * values.length).u64(least).u8(width);
  if (width === 1) for (const value of values) writer.u8(value - least);
  else if (width === 2) for (const value of values) writer.u16(value - least);
  else if (width === 4) for (const value of values) writer.u32(value - least);
  else if (width === 8) for (const value of values) writer.u64(value - least);
  return writer.finish();
}

const NUMBERS_HEAD_BYTES = 9;

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

const ENCODED_BYTES = 16_384; // of most columns of texts
const STEP_ITEMS = 4_096; // texts of lists pushed or written between two pauses

/** Each text once; a code counts from 1, 0 is none. */
class Dictionary {
  readonly #codes = new Map<string, number>();
  readonly #texts: string[] = [];

  code(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    this.#texts.push(text);
    this.#codes.set(text, this.#texts.length);
    return this.#texts.length;
  }

  text(code: number): string {
    return this.#texts[code - 1]!;
  }

  *write(writer: Writer): Steps<void> {
    const parts: Uint8Array[] = [];
    writer.u32(this.#texts.length);
    let end = 0;
    for (const text of this.#texts) {
      const part = utf8(text);
      end += part.length;
      writer.u32(end);
      if (parts.push(part) % STEP_ITEMS === 0) yield;
    }
    for (const [at, part] of parts.entries()) {
      writer.fixed(part, part.length);
      if (at % STEP_ITEMS === STEP_ITEMS - 1) yield;
    }
  }
}

/** Texts by code, each decoded when it is asked for. */
function readDictionary(reader: Reader): (code: number) => string {
  const count = reader.u32();
  const ends = reader.fixed(4 * count);
  const view = new DataView(ends.buffer, ends.byteOffset, ends.byteLength);
  const bytes = Buffer.from(reader.fixed(count === 0 ? 0 : view.getUint32(4 * (count - 1))));
  const texts = new Array<string | undefined>(count);
  return (code) => {
    const at = code - 1;
    texts[at] ??= bytes.toString('utf8', at === 0 ? 0 : view.getUint32(4 * (at - 1)), view.getUint32(4 * at));
    return texts[at];
  };
}

export class GrowingTexts implements GrowingColumn<string | undefined> {
  readonly #dictionary = new Dictionary();
  readonly #codes: number[] = [];

  push(text: string | undefined): void {
    this.#codes.push(text === undefined ? 0 : this.#dictionary.code(text));
  }

  at(row: number): string | undefined {
    const code = this.#codes[row]!;
    return code === 0 ? undefined : this.#dictionary.text(code);
  }

  *encode(): Steps<Uint8Array> {
    const writer = new Writer(ENCODED_BYTES);
    yield* this.#dictionary.write(writer);
    return writer.bytes(encodeNumbers(this.#codes)).finish();
  }
}

export function textColumn(bytes: Uint8Array): Column<string | undefined> {
  const reader = new Reader(bytes);
  const text = readDictionary(reader);
  const codes = numberColumn(reader.bytes());
  return {
    at(row) {
      const code = codes.at(row);
      return code === 0 ? undefined : text(code);
    },
  };
}

export interface ListColumn extends Column<readonly string[]> {
  /** Texts of the row, each read when it is its turn. */
  each(row: number): Iterable<string>;
}

/** Several texts a row. */
export class GrowingLists implements GrowingColumn<readonly string[]>, ListColumn {
  readonly #dictionary = new Dictionary();
  readonly #codes: number[] = [];
  readonly #ends: number[] = [];

  push(texts: readonly string[]): void {
    for (const text of texts) this.add(text);
    this.end();
  }

  /** One text of the row that comes next, which is there when it is ended. */
  add(text: string): void {
    this.#codes.push(this.#dictionary.code(text));
  }

  end(): void {
    this.#ends.push(this.#codes.length);
  }

  at(row: number): readonly string[] {
    return [...this.each(row)];
  }

  *each(row: number): Generator<string, void, void> {
    const end = this.#ends[row]!;
    for (let at = row === 0 ? 0 : this.#ends[row - 1]!; at < end; at++) yield this.#dictionary.text(this.#codes[at]!);
  }

  *encode(): Steps<Uint8Array> {
    const writer = new Writer(ENCODED_BYTES);
    yield* this.#dictionary.write(writer);
    yield;
    return writer.bytes(encodeNumbers(this.#ends)).bytes(encodeNumbers(this.#codes)).finish();
  }
}

export function listColumn(bytes: Uint8Array): ListColumn {
  const reader = new Reader(bytes);
  const text = readDictionary(reader);
  const ends = numberColumn(reader.bytes());
  const codes = numberColumn(reader.bytes());
  function* each(row: number): Generator<string, void, void> {
    const end = ends.at(row);
    for (let at = row === 0 ? 0 : ends.at(row - 1); at < end; at++) yield text(codes.at(at));
  }
  return { at: (row) => [...each(row)], each };
}
