/**
 * Record content as bytes: RFC 8785 text of a struct whose leaves are texts. This is the hot path of every replica, so reading and judging
 * the form are one pass without building the text again: the reader takes nothing but what the writer would have written. Pure; runs in a
 * browser too.
 */
import { fromUtf8, utf8 } from './bytes.ts';
import { DecodeError } from './codec.ts';
import { JSON_DEPTH_MAX, namesInOrder } from './json.ts';
import { textFault } from './json-text.ts';

/** A tree whose leaves are texts: the one form all formats come to. */
export type TextTree = string | readonly TextTree[] | TextStruct;
export interface TextStruct {
  readonly [name: string]: TextTree;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_STRUCT = 0x7b;
const CLOSE_STRUCT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/**
 * RFC 8785 text of a tree of texts. @throws RangeError for nesting past JSON_DEPTH_MAX, unpaired surrogates and control characters of XML
 * 1.0.
 */
export function encodeContent(content: TextStruct): Uint8Array {
  return writer.write(content);
}

/** Of the memory that is kept for the next content, bytes: most records are of one or two kilobytes. */
const KEPT_BYTES = 65_536;
/** Texts of more UTF-16 units are left to the engine. */
const LONG_UNITS = 4_096;
/** Of a unit in UTF-8: a surrogate half is not written alone. */
const UNIT_BYTES_MAX = 3;

/** Writes the bytes at once: a text of all would be put together, laid flat, and encoded. */
class ContentWriter {
  #bytes = new Uint8Array(KEPT_BYTES);
  #at = 0;

  write(content: TextStruct): Uint8Array {
    this.#at = 0;
    this.#value(content, 0);
    const out = this.#bytes.slice(0, this.#at);
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(KEPT_BYTES);
    return out;
  }

  #value(value: TextTree, depth: number): void {
    if (typeof value === 'string') this.#text(value);
    else if (depth >= JSON_DEPTH_MAX) throw new RangeError(`Cannot write content nested deeper than ${JSON_DEPTH_MAX}`);
    else if (Array.isArray(value)) this.#list(value, depth);
    else this.#struct(value as TextStruct, depth);
  }

  #list(list: readonly TextTree[], depth: number): void {
    this.#unit(OPEN_LIST);
    for (let i = 0; i < list.length; i++) {
      if (i > 0) this.#unit(COMMA);
      this.#value(list[i]!, depth + 1);
    }
    this.#unit(CLOSE_LIST);
  }

  #struct(struct: TextStruct, depth: number): void {
    this.#unit(OPEN_STRUCT);
    const names = namesInOrder(struct);
    for (let i = 0; i < names.length; i++) {
      if (i > 0) this.#unit(COMMA);
      this.#text(names[i]!);
      this.#unit(COLON);
      this.#value(struct[names[i]!]!, depth + 1);
    }
    this.#unit(CLOSE_STRUCT);
  }

  #text(text: string): void {
    if (text.length > LONG_UNITS || !this.#plain(text)) this.#asEngine(text);
  }

  /** False, and nothing is written, of a text with escapes or surrogate pairs. */
  #plain(text: string): boolean {
    const { length } = text;
    this.#room(UNIT_BYTES_MAX * length + 2);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) {
        if (unit < 0x20 || unit === QUOTE || unit === BACKSLASH) return false;
        bytes[at++] = unit;
      } else if (unit < 0x800) {
        bytes[at++] = 0xc0 | (unit >> 6);
        bytes[at++] = 0x80 | (unit & 0x3f);
      } else {
        if (unit >= 0xd800 && unit <= 0xdfff) return false;
        bytes[at++] = 0xe0 | (unit >> 12);
        bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
        bytes[at++] = 0x80 | (unit & 0x3f);
      }
    }
    bytes[at++] = QUOTE;
    this.#at = at;
    return true;
  }

  #asEngine(text: string): void {
    const bytes = utf8(writeText(text));
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #unit(unit: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = unit;
  }

  #room(count: number): void {
    const need = this.#at + count;
    if (need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(need, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

function writeText(text: string): string {
  const written = JSON.stringify(text);
  // Longer by more than its quotes: something was escaped, and only then can it be what no reader takes.
  if (written.length !== text.length + 2 && textFault(text))
    throw new RangeError('Cannot write a character that not all formats can carry');
  return written;
}

/**
 * Reads content and refuses every other spelling of it, and every character that not all formats can carry (see textFault).
 * @throws DecodeError
 */
export function decodeContent(bytes: Uint8Array): TextStruct {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw new DecodeError('content is not UTF-8');
  }
  const reader = new ContentReader(text);
  const content = reader.value(0);
  if (typeof content === 'string' || Array.isArray(content) || !reader.ended) throw new DecodeError('content is not one struct of texts');
  return content as TextStruct;
}

// Characters that stand for themselves inside a text: no quote, backslash, control, surrogate half or noncharacter of XML.
const PLAIN = /[^"\\\u0000-\u001f\ud800-\udfff\ufffe\uffff]*/y;
/** The only escapes RFC 8785 writes for characters that records may hold. */
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', n: '\n', r: '\r', t: '\t' };

class ContentReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at === this.#text.length;
  }

  value(depth: number): TextTree {
    const first = this.#text.charCodeAt(this.#at);
    if (first === QUOTE) return this.#string();
    if (depth >= JSON_DEPTH_MAX) throw new DecodeError(`content is nested deeper than ${JSON_DEPTH_MAX}`);
    if (first === OPEN_STRUCT) return this.#struct(depth);
    if (first === OPEN_LIST) return this.#list(depth);
    throw this.#fault('a text, list or struct is expected');
  }

  #struct(depth: number): TextStruct {
    const out: Record<string, TextTree> = {};
    this.#at++;
    if (this.#take(CLOSE_STRUCT)) return out;
    let previous: string | undefined;
    do {
      const name = this.#string();
      if (name === '__proto__' || (previous !== undefined && name <= previous)) throw this.#fault('names are not in ascending order');
      previous = name;
      if (!this.#take(COLON)) throw this.#fault('a colon is expected');
      out[name] = this.value(depth + 1);
    } while (this.#take(COMMA));
    if (!this.#take(CLOSE_STRUCT)) throw this.#fault('a comma or } is expected');
    return out;
  }

  #list(depth: number): readonly TextTree[] {
    const out: TextTree[] = [];
    this.#at++;
    if (this.#take(CLOSE_LIST)) return out;
    do out.push(this.value(depth + 1));
    while (this.#take(COMMA));
    if (!this.#take(CLOSE_LIST)) throw this.#fault('a comma or ] is expected');
    return out;
  }

  #string(): string {
    if (!this.#take(QUOTE)) throw this.#fault('a text is expected');
    const text = this.#text;
    let out = '';
    for (let from = this.#at; ; ) {
      PLAIN.lastIndex = this.#at;
      PLAIN.test(text);
      this.#at = PLAIN.lastIndex;
      const unit = text.charCodeAt(this.#at);
      if (unit === QUOTE) {
        const end = this.#at++;
        return out === '' ? text.slice(from, end) : out + text.slice(from, end);
      }
      if (unit === BACKSLASH) {
        const letter = text[this.#at + 1] ?? '';
        if (!Object.hasOwn(ESCAPES, letter)) throw this.#fault('not the escape RFC 8785 writes');
        out += text.slice(from, this.#at) + ESCAPES[letter]!;
        this.#at += 2;
        from = this.#at;
        continue;
      }
      const next = text.charCodeAt(this.#at + 1);
      if (!(unit >= 0xd800 && unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff)) throw this.#fault('a character is not allowed');
      this.#at += 2;
    }
  }

  #take(unit: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== unit) return false;
    this.#at++;
    return true;
  }

  #fault(reason: string): DecodeError {
    return new DecodeError(`content is not in canonical form (RFC 8785): ${reason} at character ${this.#at}`);
  }
}

/** One for all: nothing else runs before a content is written. */
const writer = new ContentWriter();
