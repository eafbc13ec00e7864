/**
 * Faults of a submission as one refusal: its code and data are those of the first fault, its details list all of them, each at its place in the
 * body. Messages are English here; the envelope puts them into the caller's language.
 */
import { ChainError, errorTable, isErrorCode } from '../../node/errors/index.ts';
import type { RecordPath } from '../../node/format/index.ts';
import type { BodyFault, ParsedRecord, Place } from '../formats/index.ts';

/** A fault of one record of the body. */
export interface RowFault {
  readonly code: string;
  readonly record: number;
  readonly path: RecordPath;
  readonly data: Readonly<Record<string, unknown>>;
}

/** @returns the error to throw; `faults` is not empty. */
export function refuseBody(faults: readonly BodyFault[]): ChainError {
  return refusal(faults.map(({ code, place, data }) => detail(code, place, data)));
}

/**
 * @param unreadable faults of single fields of the body; what the class says of the same field is left out. What stands in a header is said once.
 * @param recordsUnchecked records behind the last one looked at.
 */
export function refuseRows(
  records: readonly ParsedRecord[],
  faults: readonly RowFault[],
  unreadable: readonly BodyFault[] = [],
  recordsUnchecked = 0,
): ChainError {
  const places = new Set(unreadable.map(({ place }) => JSON.stringify(place)));
  const said = new Set<string>();
  const details = unreadable.map(({ code, place, data }) => detail(code, place, data));
  for (const { code, record, path, data } of faults) {
    const place = records[record]?.locate(path, code) ?? { pointer: `/${[record, ...path].join('/')}` };
    if (places.has(JSON.stringify(place))) continue;
    const inHeader = 'row' in place && place.row === 1 ? `${code} ${place.column}` : undefined;
    if (inHeader !== undefined && said.has(inHeader)) continue;
    if (inHeader !== undefined) said.add(inHeader);
    details.push(detail(code, place, data));
  }
  return refusal(details, recordsUnchecked > 0 ? { recordsUnchecked } : {});
}

function detail(code: string, place: Place, data: Readonly<Record<string, unknown>>) {
  return { ...data, ...place, code, message: isErrorCode(code) ? errorTable[code].text.en : code };
}

function refusal(
  details: readonly ({ readonly code: string } & Readonly<Record<string, unknown>>)[],
  more: Readonly<Record<string, unknown>> = {},
): ChainError {
  const { code, message: _said, ...facts } = details[0] as { readonly code: string } & Readonly<Record<string, unknown>>;
  return new ChainError(isErrorCode(code) ? code : 'RECORD_FAULTY', { ...facts, ...more, details }); // the remedy of the code speaks of its facts
}
