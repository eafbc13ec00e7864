/**
 * JSON bodies: one record as an object, or a list of them. Reading is node/format/json-text; here shapes no record can have are refused,
 * and null is a fault of its field only.
 */
import { type JsonPath, type LosslessJson, pointerOf, readJsonSteps, type TextStruct } from '../../format/index.ts';
import {
  BODY_BYTES_MAX,
  BODY_FAULTS_MAX,
  BODY_RECORDS_MAX,
  type BodyFault,
  type ParsedRecord,
  type ParseSteps,
  placeUnder,
  refusedBody,
  tooManyRecords,
} from './body.ts';

/** One step an item of a list. */
export function* parseJsonSteps(bytes: Uint8Array): ParseSteps {
  if (bytes.length > BODY_BYTES_MAX) return refusedBody('json', 'FORMAT_TOO_LARGE', { pointer: '' }, { bytesMax: `${BODY_BYTES_MAX}` });
  const reading = yield* readJsonSteps(bytes, BODY_RECORDS_MAX);
  if (!reading.ok)
    return { ok: false, format: 'json', faults: reading.faults.map(({ code, pointer, data }) => ({ code, place: { pointer }, data })) };
  const { value } = reading;
  const items: readonly LosslessJson[] = Array.isArray(value) ? value : [value];
  if (items.length === 0) return refusedBody('json', 'FORMAT_NO_RECORDS', { pointer: '' });
  if (items.length > BODY_RECORDS_MAX) return tooManyRecords('json', { pointer: '' });
  const faults: BodyFault[] = [];
  const nulls: BodyFault[] = [];
  const records: ParsedRecord[] = [];
  for (const [i, item] of items.entries()) {
    const top: JsonPath = Array.isArray(value) ? [i] : [];
    if (typeof item !== 'object' || item === null || Array.isArray(item))
      faults.push({ code: 'FORMAT_NOT_A_RECORD', place: { pointer: pointerOf(top) }, data: {} });
    else if (reading.hasNull) takeNullsOf(item as { [name: string]: LosslessJson }, top, nulls);
    if (faults.length + nulls.length >= BODY_FAULTS_MAX) return { ok: false, format: 'json', faults: [...faults, ...nulls] };
    const at = { pointer: pointerOf(top) };
    records.push({ tree: item as TextStruct, at, locate: (path) => placeUnder(at, path) });
    yield;
  }
  if (faults.length > 0) return { ok: false, format: 'json', faults: [...faults, ...nulls] };
  return nulls.length === 0 ? { ok: true, format: 'json', records } : { ok: true, format: 'json', records, faults: nulls };
}

function takeNullsOf(record: { [name: string]: LosslessJson }, top: JsonPath, faults: BodyFault[]): void {
  if (record.token === null) {
    faults.push({ code: 'FORMAT_NULL', place: { pointer: pointerOf([...top, 'token']) }, data: {} });
    delete record.token; // no token, rather than one that differs from the header's
  }
  takeNulls(record, [...top], faults);
}

/** Puts empty text in the place of every null of a value just read, and names the places. */
function takeNulls(value: LosslessJson, path: (string | number)[], faults: BodyFault[]): void {
  if (typeof value === 'string' || value === null) return;
  const holder = value as { [name: string | number]: LosslessJson };
  const entries: Iterable<[string | number, LosslessJson]> = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [name, member] of entries) {
    path.push(name);
    if (member !== null) takeNulls(member, path, faults);
    else {
      holder[name] = '';
      if (faults.length < BODY_FAULTS_MAX) faults.push({ code: 'FORMAT_NULL', place: { pointer: pointerOf(path) }, data: {} });
    }
    path.pop();
  }
}
