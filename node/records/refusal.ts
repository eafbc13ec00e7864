/**
 * Faults of a submission as one refusal: its code and data are those of the first fault, its details list all of them, each at its place in
 * the body. Messages are English here; the envelope puts them into the caller's language.
 */
import { ChainError, errorTable, isErrorCode } from '../errors/index.ts';
import type { RecordPath } from '../format/index.ts';
import type { BodyFault, ParsedRecord, Place } from './formats/index.ts';

/** Characters of a place or fact in a refusal: names are the sender's, and each fault repeats them. */
export const FAULT_TEXT_MAX = 640;

/** A fault of one record of the body. */
export interface RowFault {
  readonly code: string;
  readonly record: number;
  readonly path: RecordPath;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A fault at its place, with facts of any kind. */
export type PlacedText = Omit<BodyFault, 'data'> & Pick<RowFault, 'data'>;

/** @returns the error to throw; `faults` is not empty. */
export function refuseBody(faults: readonly BodyFault[]): ChainError {
  return refusal(faults.map(detail));
}

/** Faults of records, each of which knows the place of its fields. */
export function refuseRows(
  records: readonly Pick<ParsedRecord, 'locate'>[],
  faults: readonly RowFault[],
  unreadable: readonly BodyFault[] = [],
): ChainError {
  const placed = faults.map(({ code, record, path, data }) => {
    const place = records[record]?.locate(path, code) ?? { pointer: `/${[record, ...path].join('/')}` };
    return { code, place, data };
  });
  return refusePlaced(placed, unreadable);
}

/**
 * @param unreadable faults of single fields of the body; what the class says of the same field is left out. What stands in a header is said
 * once.
 * @param recordsUnchecked records behind the last one looked at.
 */
export function refusePlaced(faults: readonly PlacedText[], unreadable: readonly BodyFault[], recordsUnchecked = 0): ChainError {
  const places = new Set(unreadable.map(({ place }) => placeText(place)));
  const said = new Set<string>();
  const details = unreadable.map(detail);
  for (const fault of faults) {
    const { code, place } = fault;
    if (places.has(placeText(place))) continue;
    const inHeader = 'row' in place && place.row === 1 ? `${code} ${place.column}` : undefined;
    if (inHeader !== undefined && said.has(inHeader)) continue;
    if (inHeader !== undefined) said.add(inHeader);
    details.push(detail(fault));
  }
  return refusal(details, recordsUnchecked > 0 ? { recordsUnchecked } : {});
}

/** The fault with places and facts cut to what an answer shows of them. */
export function shortened<T extends PlacedText>(fault: T): T {
  const { place, data } = fault;
  return { ...fault, place: cutTexts(place as unknown as PlacedText['data']), data: cutTexts(data) };
}

function cutTexts(facts: PlacedText['data']): PlacedText['data'] {
  const long = Object.values(facts).some((fact) => typeof fact === 'string' && fact.length > FAULT_TEXT_MAX);
  if (!long) return facts;
  return Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, typeof fact === 'string' ? cut(fact) : fact]));
}

function cut(text: string): string {
  if (text.length <= FAULT_TEXT_MAX) return text;
  const last = text.charCodeAt(FAULT_TEXT_MAX - 2);
  const half = last >= 0xd800 && last <= 0xdbff; // of a pair that the cut would part
  return `${text.slice(0, FAULT_TEXT_MAX - (half ? 2 : 1))}…`;
}

function placeText(place: Place): string {
  if ('pointer' in place) return place.pointer;
  return 'path' in place ? place.path : `${place.row} ${place.column}`;
}

function detail(fault: PlacedText) {
  const { code, place, data } = shortened(fault);
  return { ...data, ...place, code, message: isErrorCode(code) ? errorTable[code].text.en : code };
}

function refusal(
  details: readonly ({ readonly code: string } & Readonly<Record<string, unknown>>)[],
  more: Readonly<Record<string, unknown>> = {},
): ChainError {
  const { code, message: _said, ...facts } = details[0] as { readonly code: string } & Readonly<Record<string, unknown>>;
  // The remedy of the code speaks of its facts.
  return new ChainError(isErrorCode(code) ? code : 'RECORD_FAULTY', { ...facts, ...more, details });
}
