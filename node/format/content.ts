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

/**
 * RFC 8785 text of a tree of texts. @throws RangeError for nesting past JSON_DEPTH_MAX, unpaired surrogates and control characters of XML
 * 1.0.
 */
export function encodeContent(content: TextStruct): Uint8Array {
  return utf8(write(content, 0));
}

function write(value: TextTree, depth: number): string {
  if (typeof value === 'string') return writeText(value);
  if (depth >= JSON_DEPTH_MAX) throw new RangeError(`Cannot write content nested deeper than ${JSON_DEPTH_MAX}`);
  let out = '';
  if (Array.isArray(value)) {
    for (const item of value) out += (out === '' ? '[' : ',') + write(item, depth + 1);
    return out === '' ? '[]' : `${out}]`;
  }
  const struct = value as TextStruct;
  for (const name of namesInOrder(struct)) out += `${(out === '' ? '{' : ',') + writeText(name)}:${write(struct[name]!, depth + 1)}`;
  return out === '' ? '{}' : `${out}}`;
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
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const CLOSE_STRUCT = 0x7d;
const CLOSE_LIST = 0x5d;
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
    if (first === 0x7b) return this.#struct(depth);
    if (first === 0x5b) return this.#list(depth);
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
