/**
 * Byte strings: hex, UTF-8, comparison, concatenation. Pure; runs in a browser too.
 *
 * Two forms are used in the project. `Uint8Array` stands at borders (wire, disk, hashes). `ByteText` is a JavaScript string of one
 * UTF-16 unit (0 to 255) per byte: it can be a Map key, and `<` orders it exactly as memcmp orders the bytes. State keys are ByteText.
 */

declare const byteText: unique symbol;
export type ByteText = string & { readonly [byteText]?: true };

const HEX_LETTERS = new TextEncoder().encode('0123456789abcdef');
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function toHex(bytes: Uint8Array): string {
  if (bytes.length === DIGEST_HEX.length / 2) return digestHex(bytes);
  if (bytes.length > SHORT_BYTES) return toLongHex(bytes);
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += HEX[bytes[i]!];
  return out;
}

/** Letters of the digest that is being written. */
const DIGEST_HEX: number[] = Array.from({ length: 64 }, () => 0);

/** Most of what becomes hex: in one piece, without a text for each letter before. */
function digestHex(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) {
    DIGEST_HEX[2 * i] = HEX_LETTERS[bytes[i]! >> 4]!;
    DIGEST_HEX[2 * i + 1] = HEX_LETTERS[bytes[i]! & 15]!;
  }
  return String.fromCharCode.apply(null, DIGEST_HEX);
}

/** Growing a text letter by letter is the fastest way for a few, and fifty times too slow for megabytes. */
const SHORT_BYTES = 512;

function toLongHex(bytes: Uint8Array): string {
  const out = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    out[2 * i] = HEX_LETTERS[bytes[i]! >> 4]!;
    out[2 * i + 1] = HEX_LETTERS[bytes[i]! & 15]!;
  }
  return decoder.decode(out);
}

/** @throws RangeError unless `text` is an even count of lower-case hexadecimal digits: one value has one spelling. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new RangeError('Cannot read hex: expected an even count of lower-case digits');
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BASE64URL_LETTERS = encoder.encode(BASE64URL);
const NO_LETTER = 64;
/** By UTF-16 unit below 128. */
const BASE64URL_VALUES = Uint8Array.from({ length: 128 }, (_, unit) => {
  const value = BASE64URL.indexOf(String.fromCharCode(unit));
  return value < 0 ? NO_LETTER : value;
});

/** RFC 4648 §5 without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const letters = Math.min(3, bytes.length - i) + 1;
    for (let j = 0; j < letters; j++) out[at++] = BASE64URL_LETTERS[(bits >> (18 - 6 * j)) & 63]!;
  }
  return decoder.decode(out);
}

/** @throws RangeError for other letters, padding, and bits left over that are not zero: one value has one spelling. */
export function fromBase64Url(text: string): Uint8Array {
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = BASE64URL_VALUES[text.charCodeAt(i)] ?? NO_LETTER;
    if (value === NO_LETTER) throw new RangeError('Cannot read base64url: foreign letter');
    bits = ((bits << 6) | value) & 0xfff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[at++] = bits >> held;
  }
  if (held >= 6 || (bits & ((1 << held) - 1)) !== 0) throw new RangeError('Cannot read base64url: bits left over');
  return out;
}

/** @throws RangeError when `text` holds an unpaired surrogate, which has no UTF-8 form. */
export function utf8(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  if (bytes.length !== text.length && !isPaired(text)) throw new RangeError('Cannot encode text: unpaired surrogate');
  return bytes; // as many bytes as units: all of it is ASCII
}

function isPaired(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
    i++;
  }
  return true;
}

/** Half surrogate pairs become U+FFFD, so that the text has a UTF-8 form. */
export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, '\ufffd');
}

/** @throws TypeError when the bytes are not well-formed UTF-8. A byte order mark is kept as a character. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const SHORT_ASCII_BYTES = 64;
const ASCII_MOST = 127;
/** By length, the short text that was made last: the name of a class, an account or a contract comes again and again. */
const madeLast: string[] = new Array<string>(SHORT_ASCII_BYTES + 1).fill('');

/** The text of a few ASCII bytes, for which the engine's decoder takes longer to be called; undefined for any others. */
export function shortAscii(bytes: Uint8Array, from: number, to: number): string | undefined {
  const length = to - from;
  if (length > SHORT_ASCII_BYTES) return undefined;
  const last = madeLast[length]!;
  let i = 0;
  while (i < length && bytes[from + i] === last.charCodeAt(i)) i++;
  if (i === length) return last;
  for (; i < length; i++) if (bytes[from + i]! > ASCII_MOST) return undefined;
  const text = String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[]);
  madeLast[length] = text;
  return text;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order of unsigned bytes, as memcmp: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const CHUNK = 4096; // arguments of one String.fromCharCode.apply; well under every engine's limit

export function toByteText(bytes: Uint8Array): ByteText {
  if (bytes.length === DIGEST_LENGTH) return digestText(bytes);
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let out = '';
  for (let i = 0; i < bytes.length; i += CHUNK) out += String.fromCharCode.apply(null, bytes.subarray(i, i + CHUNK) as unknown as number[]);
  return out;
}

const DIGEST_LENGTH = 32;

/** Digests are nearly all that becomes a key: a list of arguments that is written out takes a third of the time of `apply`. */
function digestText(b: Uint8Array): ByteText {
  // biome-ignore format: four rows of eight
  return String.fromCharCode(
    b[0]!, b[1]!, b[2]!, b[3]!, b[4]!, b[5]!, b[6]!, b[7]!,
    b[8]!, b[9]!, b[10]!, b[11]!, b[12]!, b[13]!, b[14]!, b[15]!,
    b[16]!, b[17]!, b[18]!, b[19]!, b[20]!, b[21]!, b[22]!, b[23]!,
    b[24]!, b[25]!, b[26]!, b[27]!, b[28]!, b[29]!, b[30]!, b[31]!,
  );
}

export function fromByteText(text: ByteText): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** Four bytes, big-endian, so that numbers sort as they count. */
export function u32Text(value: number): ByteText {
  return String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** The smallest byte text greater than every text that starts with `prefix`, or undefined when there is none (all 0xff). */
export function prefixEnd(prefix: ByteText): ByteText | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const unit = prefix.charCodeAt(i);
    if (unit < 255) return prefix.slice(0, i) + String.fromCharCode(unit + 1);
  }
  return undefined;
}
