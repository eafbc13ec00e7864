/**
 * Claimed times: RFC 3339 or 13-digit epoch milliseconds, as UTC microseconds. The text is kept as submitted; this value serves order,
 * range queries and the bound on the future. A 10-digit number could be seconds or a truncated time and is refused as ambiguous.
 * Arithmetic is on bigint, never on floats. Pure; runs in a browser too.
 */

export type TimeReading =
  | { readonly ok: true; readonly us: bigint }
  | { readonly ok: false; readonly code: 'RECORD_TIME_AMBIGUOUS' | 'RECORD_TIME_MALFORMED' };

export const US_PER_SECOND = 1_000_000n;
export const US_PER_MS = 1_000n;
const SECONDS_PER_DAY = 86_400n;
const TIME_LENGTH_MAX = 64; // characters; RFC 3339 sets no bound on the fraction
const RFC3339 = /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})$/;
const MALFORMED = { ok: false, code: 'RECORD_TIME_MALFORMED' } as const;
const MONTH_DAYS = [31n, 28n, 31n, 30n, 31n, 30n, 31n, 31n, 30n, 31n, 30n, 31n];

/**
 * Source: RFC 3339 §5.6 and §5.7. A leap second (:60) stands only at 23:59 UTC of the last day of a month (ITU-R TF.460) and is ordered,
 * with or without fraction, with the first instant after it; canonicalTime tells the two apart. Digits past the microsecond are dropped. A
 * time whose year in UTC is not of four digits is refused.
 */
export function parseTime(text: string): TimeReading {
  if (text !== lastText) {
    lastReading = readTime(text);
    lastText = text;
  }
  return lastReading;
}

// The check of a class, its facts and its index ask about the same text one after the other.
let lastText = '';
let lastReading: TimeReading = MALFORMED;

function readTime(text: string): TimeReading {
  if (text.length > TIME_LENGTH_MAX) return MALFORMED;
  if (/^[0-9]{13}$/.test(text)) return { ok: true, us: BigInt(text) * US_PER_MS };
  if (/^[0-9]{10}$/.test(text)) return { ok: false, code: 'RECORD_TIME_AMBIGUOUS' };
  const match = RFC3339.exec(text);
  if (!match) return MALFORMED;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(BigInt) as [bigint, bigint, bigint, bigint, bigint, bigint];
  if (month < 1n || month > 12n || day < 1n || day > daysOfMonth(year, month)) return MALFORMED;
  if (hour > 23n || minute > 59n || second > 60n) return MALFORMED;
  const offset = offsetMinutes(match[8]!);
  if (offset === undefined) return MALFORMED;
  const minuteOfUtcDay = (((hour * 60n + minute - offset) % 1440n) + 1440n) % 1440n;
  if (second === 60n && minuteOfUtcDay !== 1439n) return MALFORMED;
  const seconds = daysFromEpoch(year, month, day) * SECONDS_PER_DAY + hour * 3600n + (minute - offset) * 60n + second;
  const fraction = `${match[7] ?? ''}000000`.slice(0, 6);
  const us = seconds * US_PER_SECOND + (second === 60n ? 0n : BigInt(fraction));
  const utc = formatTime(us);
  if (utc === undefined || (second === 60n && !utc.startsWith('01', 'YYYY-MM-'.length))) return MALFORMED;
  return { ok: true, us };
}

/**
 * The one text of an instant, however it was spelled: RFC 3339 in UTC with `Z`, every digit of the fraction but trailing zeros. A leap
 * second keeps its :60, so that no two instants share a text. Undefined when parseTime refuses `text`.
 */
export function canonicalTime(text: string): string | undefined {
  const reading = parseTime(text);
  if (!reading.ok) return undefined;
  const [, , , , , , second, fraction = ''] = RFC3339.exec(text) ?? [];
  const leap = second === '60';
  const utc = formatTime(leap ? reading.us - US_PER_SECOND : reading.us)!;
  const [whole, parts] = [utc.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length), utc.slice('YYYY-MM-DDTHH:MM:SS.'.length, -1)];
  const digits = (leap ? fraction : parts + fraction.slice(parts.length)).replace(/0+$/, '');
  return `${leap ? `${whole.slice(0, -2)}60` : whole}${digits === '' ? '' : `.${digits}`}Z`;
}

function offsetMinutes(text: string): bigint | undefined {
  if (text === 'Z' || text === 'z') return 0n;
  const hours = BigInt(text.slice(1, 3));
  const minutes = BigInt(text.slice(4, 6));
  if (hours > 23n || minutes > 59n) return undefined;
  return text.startsWith('-') ? -(hours * 60n + minutes) : hours * 60n + minutes;
}

function daysOfMonth(year: bigint, month: bigint): bigint {
  let days = 0n;
  for (let i = 0n, at = 0; i < month; i++, at++) days = MONTH_DAYS[at]!;
  return month === 2n && isLeap(year) ? 29n : days;
}

function isLeap(year: bigint): boolean {
  return year % 4n === 0n && (year % 100n !== 0n || year % 400n === 0n);
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that the leap day comes last. */
function daysFromEpoch(year: bigint, month: bigint, day: bigint): bigint {
  const y = (month <= 2n ? year - 1n : year) + 400n; // shifted by one whole cycle: year 0000 stays positive
  const m = (month + 9n) % 12n;
  return 365n * y + y / 4n - y / 100n + y / 400n + (m * 306n + 5n) / 10n + (day - 1n) - 719_468n - 146_097n;
}

/** UTC microseconds as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, for answers; years outside 0000 to 9999 give undefined. */
export function formatTime(us: bigint): string | undefined {
  const secondsUs = floorDivide(us, US_PER_SECOND);
  const days = floorDivide(secondsUs, SECONDS_PER_DAY);
  const secondOfDay = secondsUs - days * SECONDS_PER_DAY;
  const shifted = days + 719_468n + 146_097n;
  const cycle = floorDivide(shifted, 146_097n);
  const dayOfCycle = shifted - cycle * 146_097n;
  const yearOfCycle = (dayOfCycle - dayOfCycle / 1_460n + dayOfCycle / 36_524n - dayOfCycle / 146_096n) / 365n;
  const dayOfYear = dayOfCycle - (365n * yearOfCycle + yearOfCycle / 4n - yearOfCycle / 100n);
  const m = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * m + 2n) / 5n + 1n;
  const month = m < 10n ? m + 3n : m - 9n;
  const year = yearOfCycle + cycle * 400n - 400n + (month <= 2n ? 1n : 0n);
  if (year < 0n || year > 9999n) return undefined;
  const fraction = us - secondsUs * US_PER_SECOND;
  return (
    `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${pad(secondOfDay / 3600n, 2)}:${pad((secondOfDay / 60n) % 60n, 2)}:` +
    `${pad(secondOfDay % 60n, 2)}.${pad(fraction, 6)}Z`
  );
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

function pad(value: bigint, width: number): string {
  return value.toString().padStart(width, '0');
}
