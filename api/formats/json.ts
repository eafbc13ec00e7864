/** JSON bodies: one record as an object, or a list of them. Reading is node/format/json-text; here null and shapes no record can have are refused. */
import { type JsonPath, type LosslessJson, pointerOf, readJsonText, type TextStruct } from '../../node/format/index.ts';
import { BODY_BYTES_MAX, BODY_FAULTS_MAX, BODY_RECORDS_MAX, type BodyFault, type ParsedBody, refusedBody } from './body.ts';

export function parseJsonBody(bytes: Uint8Array): ParsedBody {
  if (bytes.length > BODY_BYTES_MAX) return refusedBody('json', 'FORMAT_TOO_LARGE', { pointer: '' }, { bytesMax: `${BODY_BYTES_MAX}` });
  const reading = readJsonText(bytes);
  if (!reading.ok)
    return { ok: false, format: 'json', faults: reading.faults.map(({ code, pointer, data }) => ({ code, place: { pointer }, data })) };
  const { value } = reading;
  const items: readonly LosslessJson[] = Array.isArray(value) ? value : [value];
  if (items.length === 0) return refusedBody('json', 'FORMAT_NO_RECORDS', { pointer: '' });
  if (items.length > BODY_RECORDS_MAX)
    return refusedBody('json', 'FORMAT_TOO_MANY_RECORDS', { pointer: '' }, { count: `${items.length}`, countMax: `${BODY_RECORDS_MAX}` });
  const faults: BodyFault[] = [];
  const records = items.map((item, i) => {
    const top: JsonPath = Array.isArray(value) ? [i] : [];
    if (typeof item !== 'object' || item === null || Array.isArray(item))
      faults.push({ code: 'FORMAT_NOT_A_RECORD', place: { pointer: pointerOf(top) }, data: {} });
    else findNulls(item, [...top], faults);
    return { tree: item as TextStruct, locate: (path: JsonPath) => ({ pointer: pointerOf([...top, ...path]) }) };
  });
  return faults.length === 0 ? { ok: true, format: 'json', records } : { ok: false, format: 'json', faults };
}

function findNulls(value: LosslessJson, path: (string | number)[], faults: BodyFault[]): void {
  if (typeof value === 'string' || faults.length >= BODY_FAULTS_MAX) return;
  if (value === null) {
    faults.push({ code: 'FORMAT_NULL', place: { pointer: pointerOf(path) }, data: {} });
    return;
  }
  const entries: Iterable<[string | number, LosslessJson]> = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [name, member] of entries) {
    path.push(name);
    findNulls(member, path, faults);
    path.pop();
  }
}
