/**
 * Texts of canonical content as bytes, judged where they stand: spans [from, to) between the quotes. Each function says exactly what the
 * checker's own says of the text (check.ts, schema.ts, decimal.ts, time.ts); what is rare is turned into text and handed to that.
 */
import { DECIMAL_LENGTH_MAX, fromUtf8, parseTime, shortAscii, US_PER_SECOND } from '../../node/format/index.ts';
import { isPathText, PATH_LENGTH_MAX } from './check.ts';
import { FIELD_NAME_LENGTH_MAX, isFieldName } from './schema.ts';

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UNDERSCORE = 0x5f;
const LETTER_N = 0x6e;
const LETTER_R = 0x72;
const LETTER_T = 0x74;
const ASCII_END = 0x80;

/**
 * 1 for bytes that stand for themselves in a text: printable ASCII without quote and backslash, and DEL, which RFC 8785 does not escape.
 */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < ASCII_END && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

/** Reads texts of RFC 8785 one after another. After a refusal its place is undefined. */
export class TextScanner {
  /** The bytes that are read, with zeros behind them: no text goes on at a zero. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The next byte. */
  at = 0;
  /** Of the text read last: its span, its code points, and whether an escape stands in it. */
  from = 0;
  to = 0;
  points = 0;
  escaped = false;

  /** Reads the text whose opening quote is next. */
  text(): boolean {
    const { bytes } = this;
    let at = this.at;
    if (bytes[at] !== QUOTE) return false;
    this.from = ++at;
    this.escaped = false;
    let points = 0;
    for (;;) {
      const run = at;
      while (PLAIN[bytes[at]!] === 1) at++;
      points += at - run;
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.to = at;
        this.at = at + 1;
        this.points = points;
        return true;
      }
      if (byte < 0x20) return false;
      points++;
      if (byte === BACKSLASH) {
        const letter = bytes[at + 1];
        if (letter !== QUOTE && letter !== BACKSLASH && letter !== LETTER_N && letter !== LETTER_R && letter !== LETTER_T) return false;
        this.escaped = true;
        at += 2;
        continue;
      }
      const length = characterLength(bytes, at);
      if (length === 0) return false;
      at += length;
    }
  }

  /** The text read last. */
  lastText(): string {
    return textOf(this.bytes, this.from, this.to);
  }
}

/**
 * Bytes of the UTF-8 character above ASCII at `at`; 0 when it is malformed or one that not all formats carry.
 * Source: RFC 3629 §4; XML 1.0 §2.2 leaves out U+FFFE and U+FFFF.
 */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const second = bytes[at + 1]!;
  const third = bytes[at + 2]!;
  const fourth = bytes[at + 3]!;
  if (first < 0xc2 || first > 0xf4 || (second & 0xc0) !== 0x80) return 0;
  if (first < 0xe0) return 2;
  if ((third & 0xc0) !== 0x80) return 0;
  if (first < 0xf0) {
    if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0; // a longer form than needed; a surrogate
    return first === 0xef && second === 0xbf && third >= 0xbe ? 0 : 3;
  }
  if ((fourth & 0xc0) !== 0x80 || (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return 4;
}

const UNESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The text that stands between quotes at a span which `TextScanner.text` has read. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  const text = shortAscii(bytes, from, to) ?? fromUtf8(bytes.subarray(from, to));
  let at = text.indexOf('\\');
  if (at < 0) return text;
  let out = '';
  let done = 0;
  for (; at >= 0; at = text.indexOf('\\', done)) {
    const letter = text[at + 1]!;
    out += text.slice(done, at) + (UNESCAPED[letter] ?? letter);
    done = at + 2;
  }
  return out + text.slice(done);
}

/**
 * True when the span is this text, character by character: no escape, nothing but ASCII. Another span may be it as well, spelled otherwise.
 */
export function isTextAt(bytes: Uint8Array, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (bytes[from + i] !== unit || unit === BACKSLASH || unit >= ASCII_END) return false;
  }
  return true;
}

/** True when the first character alone shows that the text is not blank; of all others isBlank decides. */
export function beginsVisibly(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from]!;
  return to > from && first > 0x20 && first < 0x7f && first !== BACKSLASH;
}

export function sameBytesAt(bytes: Uint8Array, from: number, to: number, expected: Uint8Array): boolean {
  if (to - from !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[from + i] !== expected[i]) return false;
  return true;
}

/** Whether the span is one of these texts, which stand by ascending bytes: a class may allow many. */
export function isOneOf(bytes: Uint8Array, from: number, to: number, sorted: readonly Uint8Array[]): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const text = sorted[middle]!;
    const shared = Math.min(text.length, to - from);
    let i = 0;
    while (i < shared && bytes[from + i] === text[i]) i++;
    const order = i < shared ? bytes[from + i]! - text[i]! : to - from - text.length;
    if (order === 0) return true;
    if (order < 0) high = middle - 1;
    else low = middle + 1;
  }
  return false;
}

/** Below, at or above zero as the bytes at `at` come before `token`, begin with it, or come after. */
export function compareToken(bytes: Uint8Array, at: number, token: Uint8Array): number {
  for (let i = 0; i < token.length; i++) {
    const difference = bytes[at + i]! - token[i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Names of a map hold no character above U+D7FF, so that the order of their bytes is that of their UTF-16 units. */
export function isBefore(bytes: Uint8Array, aFrom: number, aTo: number, bFrom: number, bTo: number): boolean {
  const shared = Math.min(aTo - aFrom, bTo - bFrom);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[aFrom + i]! - bytes[bFrom + i]!;
    if (difference !== 0) return difference < 0;
  }
  return aTo - aFrom < bTo - bFrom;
}

/** See isFieldName. */
export function isNameAt(bytes: Uint8Array, from: number, to: number): boolean {
  if (to === from || to - from > 3 * FIELD_NAME_LENGTH_MAX) return false;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte >= ASCII_END) return isFieldName(textOf(bytes, from, to));
    if (!isNameByte(byte, i > from)) return false;
  }
  if (bytes[from] === UNDERSCORE && bytes[from + 1] === UNDERSCORE) return isFieldName(textOf(bytes, from, to)); // it may be __proto__
  return to - from <= FIELD_NAME_LENGTH_MAX;
}

function isNameByte(byte: number, later: boolean): boolean {
  const letter = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === UNDERSCORE;
  return letter || (later && (isDigit(byte) || byte === MINUS));
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

const ITEM_NUMBER_DIGITS_MAX = 5;

/** See isPathText. */
export function isPathAt(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > 3 * PATH_LENGTH_MAX) return false;
  let part = from;
  for (let i = from; i <= to; i++) {
    const byte = i === to ? DOT : bytes[i]!;
    if (byte >= ASCII_END) return isPathText(textOf(bytes, from, to));
    if (byte !== DOT) continue;
    if (isDigit(bytes[part]!) ? !isItemNumber(bytes, part, i) : !isNameAt(bytes, part, i)) return false;
    part = i + 1;
  }
  return to - from <= PATH_LENGTH_MAX;
}

function isItemNumber(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from >= 1 && to - from <= ITEM_NUMBER_DIGITS_MAX && bytes[from] !== ZERO && digitsEnd(bytes, from, to) === to;
}

/** The end of the digits that stand from `from` on. */
function digitsEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && isDigit(bytes[at]!)) at++;
  return at;
}

function afterSign(bytes: Uint8Array, from: number, to: number): number {
  return from < to && (bytes[from] === PLUS || bytes[from] === MINUS) ? from + 1 : from;
}

/** See isInteger. */
export function isIntegerAt(bytes: Uint8Array, from: number, to: number): boolean {
  const digits = afterSign(bytes, from, to);
  return to > digits && to - from <= DECIMAL_LENGTH_MAX && digitsEnd(bytes, digits, to) === to;
}

const EXPONENT_DIGITS_MAX = 4;

/** See isDecimal. */
export function isDecimalAt(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > DECIMAL_LENGTH_MAX) return false;
  const whole = afterSign(bytes, from, to);
  let at = digitsEnd(bytes, whole, to);
  if (at === whole) return false;
  if (at < to && bytes[at] === DOT) {
    const fraction = at + 1;
    at = digitsEnd(bytes, fraction, to);
    if (at === fraction) return false;
  }
  if (at < to && (bytes[at]! | 0x20) === 0x65) {
    const exponent = afterSign(bytes, at + 1, to);
    at = digitsEnd(bytes, exponent, to);
    if (at === exponent || at - exponent > EXPONENT_DIGITS_MAX) return false;
  }
  return at === to;
}

export const HEX_DIGEST_LENGTH = 64;
/** 1 for lower-case hexadecimal digits. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => (isDigit(byte) || (byte >= 0x61 && byte <= 0x66) ? 1 : 0));

export function isDigestAt(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== HEX_DIGEST_LENGTH) return false;
  for (let i = from; i < to; i++) if (HEX[bytes[i]!] !== 1) return false;
  return true;
}

/** The checker's set: visible ASCII and all from U+0080 to U+D7FF; a UTF-8 character up to there begins with 0xed at most. */
export function isUnitAt(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte <= 0x20 || byte === 0x7f || byte > 0xed) return false;
    if (byte !== BACKSLASH) continue;
    const letter = bytes[++i];
    if (letter !== QUOTE && letter !== BACKSLASH) return false;
  }
  return to > from;
}

/** 1 for bytes that may follow the first of either half of a media type. */
const MEDIA_TYPE = Uint8Array.from({ length: 256 }, (_, byte) =>
  isDigit(byte) || (byte >= 0x61 && byte <= 0x7a) || '!#$&^_.+-'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

export function isMediaTypeAt(bytes: Uint8Array, from: number, to: number): boolean {
  let slash = from;
  while (slash < to && bytes[slash] !== SLASH) slash++;
  return isMediaTypeHalf(bytes, from, slash) && isMediaTypeHalf(bytes, slash + 1, to);
}

function isMediaTypeHalf(bytes: Uint8Array, from: number, to: number): boolean {
  if (to <= from) return false;
  const first = bytes[from]!;
  if (!isDigit(first) && !(first >= 0x61 && first <= 0x7a)) return false;
  for (let i = from + 1; i < to; i++) if (MEDIA_TYPE[bytes[i]!] !== 1) return false;
  return true;
}

/**
 * UTC microseconds of a claimed time; undefined when parseTime refuses it. The spelling that nearly all have is read here, every other one
 * by parseTime.
 */
export function timeAt(bytes: Uint8Array, from: number, to: number): bigint | undefined {
  if (readPlainTime(bytes, from, to)) {
    const us = plainTime.seconds * US_PER_SECOND_NUMBER + plainTime.us;
    return Number.isSafeInteger(us) ? BigInt(us) : BigInt(plainTime.seconds) * US_PER_SECOND + BigInt(plainTime.us);
  }
  const reading = parseTime(textOf(bytes, from, to));
  return reading.ok ? reading.us : undefined;
}

/** See canonicalTime, for the same spelling with `Z`; undefined for every other one. */
export function canonicalTimeAt(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (bytes[to - 1] !== 0x5a || bytes[from + DATE_LENGTH] !== 0x54 || !readPlainTime(bytes, from, to)) return undefined;
  let end = to - 1;
  if (end > from + SECOND_END) while (bytes[end - 1] === ZERO) end--;
  if (bytes[end - 1] === DOT) end--;
  return `${textOf(bytes, from, end)}Z`;
}

const DATE_LENGTH = 10;
const SECOND_END = 19; // `YYYY-MM-DDTHH:MM:SS`
const TIME_LENGTH_MAX = 64; // as parseTime has it
const FRACTION_DIGITS = 6;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const YEAR_LEAST = 1; // a time of year 0000 or 9999 may lie in another year in UTC: parseTime looks closer
const YEAR_MOST = 9_998;
const SECONDS_PER_DAY = 86_400;
const US_PER_SECOND_NUMBER = Number(US_PER_SECOND); // exact for centuries around 1970
/** Of the time read last. */
const plainTime = { seconds: 0, us: 0 };

/** RFC 3339 without leap second, in the years that have four digits everywhere on Earth. False decides nothing: parseTime may accept it. */
function readPlainTime(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from <= SECOND_END || to - from > TIME_LENGTH_MAX) return false;
  const year = 100 * twoDigits(bytes, from) + twoDigits(bytes, from + 2);
  const month = twoDigits(bytes, from + 5);
  const day = twoDigits(bytes, from + 8);
  const hour = twoDigits(bytes, from + 11);
  const minute = twoDigits(bytes, from + 14);
  const second = twoDigits(bytes, from + 17);
  if (!(year >= YEAR_LEAST && year <= YEAR_MOST && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59))
    return false;
  if (bytes[from + 4] !== MINUS || bytes[from + 7] !== MINUS || (bytes[from + DATE_LENGTH]! | 0x20) !== 0x74) return false;
  if (bytes[from + 13] !== COLON || bytes[from + 16] !== COLON) return false;
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > MONTH_DAYS[month - 1]! + (leap ? 1 : 0)) return false;
  let at = from + SECOND_END;
  let us = 0;
  if (bytes[at] === DOT) {
    const fraction = at + 1;
    at = digitsEnd(bytes, fraction, to);
    if (at === fraction) return false;
    for (let i = 0; i < FRACTION_DIGITS; i++) us = 10 * us + (fraction + i < at ? bytes[fraction + i]! - ZERO : 0);
  }
  const offset = offsetMinutes(bytes, at, to);
  if (Number.isNaN(offset)) return false;
  plainTime.seconds = daysFromEpoch(year, month, day) * SECONDS_PER_DAY + hour * 3_600 + (minute - offset) * 60 + second;
  plainTime.us = us;
  return true;
}

/** NaN unless two digits stand there: it compares false with everything. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? 10 * tens + ones : Number.NaN;
}

function offsetMinutes(bytes: Uint8Array, at: number, to: number): number {
  if (to - at === 1 && (bytes[at]! | 0x20) === 0x7a) return 0;
  if (to - at !== 6 || (bytes[at] !== PLUS && bytes[at] !== MINUS) || bytes[at + 3] !== COLON) return Number.NaN;
  const hours = twoDigits(bytes, at + 1);
  const minutes = twoDigits(bytes, at + 4);
  if (!(hours <= 23 && minutes <= 59)) return Number.NaN;
  return bytes[at] === MINUS ? -(60 * hours + minutes) : 60 * hours + minutes;
}

/** As in time.ts, in numbers: within the years above all of it is exact. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const y = (month <= 2 ? year - 1 : year) + 400;
  const m = (month + 9) % 12;
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return 365 * y + leapDays + Math.floor((m * 306 + 5) / 10) + day - 1 - 719_468 - 146_097;
}
