/**
 * Decimal values of records, compared as numbers while the text stays as it was written. No floating point and no rounding: two
 * replicas, and two spellings of one value (`40`, `40.0`, `4e1`), always compare alike. Pure; runs in a browser too.
 */

export const DECIMAL_LENGTH_MAX = 128; // characters of one decimal text
const DECIMAL = /^([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?$/;
const INTEGER = /^[+-]?[0-9]+$/;

interface Decimal {
  /** -1, 0 or 1. */
  readonly sign: -1 | 0 | 1;
  /** Significant digits without leading or trailing zeros; empty for zero. */
  readonly digits: string;
  /** Position of the decimal point, counted from before the first digit. */
  readonly point: bigint;
}

export function isDecimal(text: string): boolean {
  return text.length <= DECIMAL_LENGTH_MAX && DECIMAL.test(text);
}

export function isInteger(text: string): boolean {
  return text.length <= DECIMAL_LENGTH_MAX && INTEGER.test(text);
}

/** Negative, zero or positive as `a` is below, equal to or above `b`. @throws RangeError unless both are decimal texts. */
export function compareDecimal(a: string, b: string): number {
  const left = parse(a);
  const right = parse(b);
  if (left.sign !== right.sign) return left.sign - right.sign;
  return left.sign * compareMagnitude(left, right);
}

const PLAIN_DIGITS_MAX = 40n; // digits or zeros on either side of the point; longer values are written with an exponent

/**
 * The one text of a value, however it was spelled: `40` for `+040.0` and `4e1`, `0` for `-0.00`. @throws RangeError unless it is a decimal
 * text.
 */
export function canonicalDecimal(text: string): string {
  const { sign, digits, point } = parse(text);
  if (sign === 0) return '0';
  const minus = sign < 0 ? '-' : '';
  if (point > PLAIN_DIGITS_MAX || point < -PLAIN_DIGITS_MAX) return `${minus}0.${digits}e${point}`;
  const at = Number(point);
  if (at <= 0) return `${minus}0.${'0'.repeat(-at)}${digits}`;
  if (at >= digits.length) return minus + digits + '0'.repeat(at - digits.length);
  return `${minus}${digits.slice(0, at)}.${digits.slice(at)}`;
}

function parse(text: string): Decimal {
  const match = text.length <= DECIMAL_LENGTH_MAX ? DECIMAL.exec(text) : null;
  if (!match) throw new RangeError('Cannot compare: not a decimal text');
  const whole = match[2]!;
  const all = whole + (match[3] ?? '');
  const digits = all.replace(/^0+/, '');
  if (digits === '') return { sign: 0, digits: '', point: 0n };
  const exponent = match[4] === undefined ? 0n : BigInt(match[4].replace('+', ''));
  return {
    sign: match[1] === '-' ? -1 : 1,
    digits: digits.replace(/0+$/, ''),
    point: BigInt(whole.length - (all.length - digits.length)) + exponent,
  };
}

function compareMagnitude(a: Decimal, b: Decimal): number {
  if (a.point !== b.point) return a.point < b.point ? -1 : 1;
  if (a.digits === b.digits) return 0;
  return a.digits < b.digits ? -1 : 1; // same point, no trailing zeros: text order is value order
}
