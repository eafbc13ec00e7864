/**
 * A strict, lossless JSON reader: every number, true and false become the text they were written with (`40.0` stays `40.0`), so a record
 * keeps the bytes its writer chose. RFC 8259, and stricter where replicas or other formats would disagree: duplicate names, `__proto__`,
 * unpaired surrogates, characters XML 1.0 cannot carry, a byte order mark, bytes that are not UTF-8, and depth are refused by their own
 * codes. A fault of syntax ends the reading; all others are collected, so that a caller hears of them at once. Pure; runs in a browser too.
 */
import { fromUtf8 } from './bytes.ts';
import { JSON_DEPTH_MAX } from './json.ts';

/** Leaves are texts; null is kept apart, because no record field may hold it and the refusal should say so. */
export type LosslessJson = string | null | readonly LosslessJson[] | { readonly [name: string]: LosslessJson };

export interface JsonTextFault {
  readonly code:
    | 'JSON_MALFORMED'
    | 'JSON_TOO_DEEP'
    | 'JSON_NAME_REPEATED'
    | 'JSON_NAME_FORBIDDEN'
    | 'JSON_BOM'
    | 'FORMAT_NOT_UTF8'
    | 'TEXT_SURROGATE_UNPAIRED'
    | 'TEXT_CHARACTER_FORBIDDEN';
  /** JSON Pointer (RFC 6901) of the value at fault. */
  readonly pointer: string;
  readonly data: Readonly<Record<string, string>>;
}

/** `hasNull`: a null stands somewhere in the value. */
export type JsonTextReading =
  | { readonly ok: true; readonly value: LosslessJson; readonly hasNull: boolean }
  | { readonly ok: false; readonly faults: readonly JsonTextFault[] };

export const JSON_FAULTS_MAX = 1_000; // faults collected from one text before reading stops

/** Names and indices from the top to a value. */
export type JsonPath = readonly (string | number)[];

/** Characters of a name in a pointer; a longer one is cut, since a thousand faults would repeat it. */
export const POINTER_NAME_MAX = 640;

export function pointerOf(path: JsonPath): string {
  return path.map((part) => `/${shown(String(part)).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function shown(name: string): string {
  return name.length <= POINTER_NAME_MAX ? name : `${name.slice(0, POINTER_NAME_MAX - 1)}…`;
}

/** One step an item of the outermost list. Past `itemsMax` items reading ends; the list then holds one more. */
export function* readJsonSteps(bytes: Uint8Array, itemsMax = Number.POSITIVE_INFINITY): Generator<void, JsonTextReading, void> {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return { ok: false, faults: [{ code: 'FORMAT_NOT_UTF8', pointer: '', data: {} }] };
  }
  if (text.charCodeAt(0) === 0xfeff) return { ok: false, faults: [{ code: 'JSON_BOM', pointer: '', data: {} }] };
  const reader = new JsonReader(text);
  try {
    const value = yield* reader.document(itemsMax);
    return reader.faults.length === 0 ? { ok: true, value, hasNull: reader.hasNull } : { ok: false, faults: reader.faults };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { ok: false, faults: reader.faults };
  }
}

class Stop extends Error {}

/** Characters of a text that stand for themselves and that every format carries. */
const PLAIN = /[^"\\\u0000-\u001f\ud800-\udfff\ufffe\uffff]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class JsonReader {
  readonly faults: JsonTextFault[] = [];
  hasNull = false;
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *document(itemsMax: number): Generator<void, LosslessJson, void> {
    this.#space();
    const list = this.#text[this.#at] === '[';
    const value = list ? yield* this.#items(itemsMax) : this.#value();
    if (list && (value as readonly LosslessJson[]).length > itemsMax) return value;
    this.#space();
    if (this.#at < this.#text.length) this.#stop('something follows the value');
    return value;
  }

  #value(): LosslessJson {
    const unit = this.#text[this.#at];
    switch (unit) {
      case '{':
        return this.#object();
      case '[':
        return this.#list();
      case '"':
        return this.#plain() ?? this.#checked(this.#string());
      case 't':
        return this.#word('true', 'true');
      case 'f':
        return this.#word('false', 'false');
      case 'n':
        this.hasNull = true;
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): LosslessJson {
    const out: Record<string, LosslessJson> = {};
    this.#enter();
    if (this.#take('}')) return out;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#stop('a name in double quotes is expected');
      const plain = this.#plain();
      const name = plain ?? this.#string();
      this.#path.push(name);
      if (plain === undefined) this.#checked(name);
      if (name === '__proto__') this.#fault('JSON_NAME_FORBIDDEN', { name });
      else if (Object.hasOwn(out, name)) this.#fault('JSON_NAME_REPEATED', { name });
      this.#space();
      if (this.#text[this.#at] !== ':') this.#stop('a colon is expected');
      this.#at++;
      this.#space();
      const value = this.#value();
      if (name !== '__proto__') out[name] = value;
      this.#path.pop();
      this.#space();
    } while (this.#more('}'));
    return out;
  }

  #list(): LosslessJson {
    const out: LosslessJson[] = [];
    this.#enter();
    if (this.#take(']')) return out;
    do this.#item(out);
    while (this.#more(']'));
    return out;
  }

  /** The outermost list. */
  *#items(itemsMax: number): Generator<void, LosslessJson, void> {
    const out: LosslessJson[] = [];
    this.#enter();
    if (this.#take(']')) return out;
    do {
      this.#item(out);
      if (out.length > itemsMax) return out;
      yield;
    } while (this.#more(']'));
    return out;
  }

  #item(out: LosslessJson[]): void {
    this.#space();
    this.#path.push(out.length);
    out.push(this.#value());
    this.#path.pop();
    this.#space();
  }

  #enter(): void {
    if (this.#path.length >= JSON_DEPTH_MAX) {
      this.#fault('JSON_TOO_DEEP', { depthMax: `${JSON_DEPTH_MAX}` });
      throw new Stop();
    }
    this.#at++;
    this.#space();
  }

  #more(close: string): boolean {
    if (this.#take(',')) return true;
    if (this.#take(close)) return false;
    return this.#stop(`a comma or ${close} is expected`);
  }

  /** A text without anything to look at, as most are; undefined of any other, which is still to be read. */
  #plain(): string | undefined {
    const from = this.#at + 1;
    PLAIN.lastIndex = from;
    PLAIN.test(this.#text);
    const end = PLAIN.lastIndex;
    if (this.#text.charCodeAt(end) !== 0x22) return undefined;
    this.#at = end + 1;
    return this.#text.slice(from, end);
  }

  #string(): string {
    const text = this.#text;
    let out = '';
    let from = ++this.#at;
    for (;;) {
      const unit = text.charCodeAt(this.#at);
      if (unit === 0x22) {
        out += text.slice(from, this.#at++);
        return out;
      }
      if (unit === 0x5c) {
        out += text.slice(from, this.#at) + this.#escape();
        from = this.#at;
      } else if (unit >= 0x20) {
        this.#at++;
      } else {
        this.#stop(this.#at >= text.length ? 'the text is not closed' : 'a control character must be escaped');
      }
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#stop('four hexadecimal digits are expected');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, letter)) this.#stop('there is no such escape');
    this.#at += 2;
    return ESCAPES[letter]!;
  }

  #number(): string {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (!match) return this.#stop('a value is expected');
    this.#at += match[0].length;
    return match[0];
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#stop('a value is expected');
    this.#at += word.length;
    return value;
  }

  #take(unit: string): boolean {
    if (this.#text[this.#at] !== unit) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at++;
    }
  }

  #checked(text: string): string {
    const fault = textFault(text);
    if (fault) this.#fault(fault.code, fault.data);
    return text;
  }

  #fault(code: JsonTextFault['code'], data: JsonTextFault['data']): void {
    this.faults.push({ code, pointer: pointerOf(this.#path), data });
    if (this.faults.length >= JSON_FAULTS_MAX) throw new Stop();
  }

  #stop(reason: string): never {
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    const column = this.#at - (before.lastIndexOf('\n') + 1) + 1;
    this.faults.push({ code: 'JSON_MALFORMED', pointer: pointerOf(this.#path), data: { reason, line: `${line}`, column: `${column}` } });
    throw new Stop();
  }
}

export interface TextFault {
  readonly code: 'TEXT_SURROGATE_UNPAIRED' | 'TEXT_CHARACTER_FORBIDDEN';
  readonly data: { readonly character: string; readonly position: string };
}

/**
 * The first character of `text` that not every format can carry, or undefined.
 * Source: XML 1.0 (5th edition) §2.2, Char: #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
 */
export function textFault(text: string): TextFault | undefined {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && unit < 0xd800) continue;
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const next = text.charCodeAt(i + 1);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return { code: 'TEXT_SURROGATE_UNPAIRED', data: place(unit, i) };
      i++;
    } else if ((unit < 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) || unit >= 0xfffe) {
      return { code: 'TEXT_CHARACTER_FORBIDDEN', data: place(unit, i) };
    }
  }
  return undefined;
}

function place(unit: number, index: number): TextFault['data'] {
  return { character: `U+${unit.toString(16).padStart(4, '0')}`, position: `${index}` };
}
