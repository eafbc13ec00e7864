/**
 * CSV bodies (RFC 4180, UTF-8 with or without byte order mark, CRLF or LF): a header row of field names flattened with dots, items of lists
 * counted from 1 (`pro_raw_material.2.pro_supplier`), one record a row. An unquoted empty cell is absent, a quoted one is empty text.
 * Rows are counted as a spreadsheet counts them: the header is row 1, an empty line is a row that holds no record.
 */
import { CsvError, parse } from 'csv-parse/sync';
import { dottedPath, fromUtf8, type RecordPath, textFault, type TextStruct, type TextTree } from '../../node/format/index.ts';
import { BODY_BYTES_MAX, BODY_DEPTH_MAX, BODY_FAULTS_MAX, BODY_RECORDS_MAX, type BodyFault, type ParsedBody, refusedBody } from './body.ts';

export const CSV_COLUMNS_MAX = 2_000; // columns of one body
const LIST_INDEX_MAX = 10_000; // highest item number in a column name
const HEADER_PLACE = { row: 1, column: '' } as const;

export type CsvRows =
  | {
      readonly ok: true;
      readonly rows: readonly (readonly (string | undefined)[])[] /** Empty lines in front of each row. */;
      readonly empty: readonly number[];
    }
  | { readonly ok: false; readonly reason: string; readonly row: number };

/**
 * Cells by row; undefined for an unquoted empty cell. A quote inside an unquoted cell stands for itself (`12 1/2"`); text after a closing quote is
 * refused, since readers differ on what it means.
 */
export function readCsvRows(text: string): CsvRows {
  const ambiguous = textAfterQuote(text);
  if (ambiguous !== undefined) return { ok: false, reason: 'a closing quote is followed by text', row: ambiguous };
  try {
    const rows = parse(text, {
      bom: true,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      info: true,
      max_record_size: BODY_BYTES_MAX,
      cast: (value, { quoting }) => (value === '' && !quoting ? undefined : value),
    }) as unknown as { readonly record: (string | undefined)[]; readonly info: { readonly empty_lines: number } }[];
    return { ok: true, rows: rows.map(({ record }) => record), empty: rows.map(({ info }) => info.empty_lines) };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { records } = error as unknown as { readonly records?: number };
    return { ok: false, reason: error.message, row: (records ?? 0) + 1 };
  }
}

/** Row of the first quoted cell with text behind its closing quote. */
function textAfterQuote(text: string): number | undefined {
  const cell = /(?:"[^"]*(?:""[^"]*)*"|[^",\r\n][^,\r\n]*)?(,|\r?\n|$|[\s\S])/y; // one cell, and what ends it
  let row = 1;
  cell.lastIndex = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (cell.lastIndex < text.length) {
    const [whole, end] = cell.exec(text)!;
    if (end === '"') return undefined; // never closed: the parser says so, with its place
    if (end !== ',' && end !== '\n' && end !== '\r\n' && end !== '' && whole.startsWith('"')) return row;
    if (end === '\n' || end === '\r\n') row++;
  }
  return undefined;
}

export function parseCsvBody(bytes: Uint8Array): ParsedBody {
  if (bytes.length > BODY_BYTES_MAX) return refusedBody('csv', 'FORMAT_TOO_LARGE', HEADER_PLACE, { bytesMax: `${BODY_BYTES_MAX}` });
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return refusedBody('csv', 'FORMAT_NOT_UTF8', HEADER_PLACE);
  }
  const reading = readCsvRows(text);
  if (!reading.ok) return refusedBody('csv', 'CSV_MALFORMED', { row: reading.row, column: '' }, { reason: reading.reason });
  const [header, ...rows] = reading.rows;
  if (!header || rows.length === 0) return refusedBody('csv', 'FORMAT_NO_RECORDS', HEADER_PLACE);
  if (rows.length > BODY_RECORDS_MAX)
    return refusedBody('csv', 'FORMAT_TOO_MANY_RECORDS', HEADER_PLACE, { count: `${rows.length}`, countMax: `${BODY_RECORDS_MAX}` });
  const faults: BodyFault[] = [];
  const columns = readHeader(header, faults);
  if (faults.length > 0) return { ok: false, format: 'csv', faults };
  const records = rows.map((cells, i) => {
    const row = i + 2 + reading.empty[i + 1]!;
    return { tree: readRow(columns, cells, row, faults), locate: (path: RecordPath) => ({ row, column: columnOf(columns, path) }) };
  });
  return faults.length === 0
    ? { ok: true, format: 'csv', records }
    : { ok: false, format: 'csv', faults: faults.slice(0, BODY_FAULTS_MAX) };
}

interface Column {
  readonly name: string;
  readonly parts: readonly (string | number)[];
}

function readHeader(header: readonly (string | undefined)[], faults: BodyFault[]): Column[] {
  const columns: Column[] = [];
  const fault = (code: string, column: string, data: BodyFault['data'] = {}): void => {
    faults.push({ code, place: { row: 1, column }, data });
  };
  if (header.length > CSV_COLUMNS_MAX) fault('CSV_TOO_MANY_COLUMNS', '', { count: `${header.length}`, countMax: `${CSV_COLUMNS_MAX}` });
  const kinds = new Map<string, 'leaf' | 'struct' | 'list'>();
  for (const [i, cell] of header.slice(0, CSV_COLUMNS_MAX).entries()) {
    const name = cell ?? '';
    const parts = columnParts(name);
    const bad = textFault(name);
    if (bad) fault(bad.code, `${i + 1}`, bad.data);
    else if (!parts) fault('CSV_COLUMN_MALFORMED', name, { name, position: `${i + 1}` });
    else if (kinds.get(name) === 'leaf') fault('CSV_COLUMN_REPEATED', name, { name });
    else if (conflicts(kinds, parts)) fault('CSV_COLUMN_CONFLICT', name, { name });
    columns.push({ name, parts: parts ?? [name] });
  }
  return columns;
}

/** Names and 0-based item numbers of a column; below `ext.units.` the rest is one name, since it is itself a path. */
function columnParts(name: string): (string | number)[] | undefined {
  const units = 'ext.units.';
  if (name.startsWith(units) && name.length > units.length) return ['ext', 'units', name.slice(units.length)];
  const parts = name.split('.');
  if (parts.length > BODY_DEPTH_MAX || parts.some((part) => part === '' || part === '__proto__')) return undefined;
  const out: (string | number)[] = [];
  for (const [i, part] of parts.entries()) {
    if (!/^[0-9]+$/.test(part)) out.push(part);
    else if (i === 0 || !/^[1-9][0-9]{0,4}$/.test(part) || Number(part) > LIST_INDEX_MAX) return undefined;
    else out.push(Number(part) - 1);
  }
  return out;
}

/** True when a column makes a leaf, struct or list of what an earlier column made another of. */
function conflicts(kinds: Map<string, 'leaf' | 'struct' | 'list'>, parts: readonly (string | number)[]): boolean {
  for (let i = 1; i <= parts.length; i++) {
    const kind = i === parts.length ? 'leaf' : typeof parts[i] === 'number' ? 'list' : 'struct';
    const prefix = dottedPath(parts.slice(0, i));
    const earlier = kinds.get(prefix);
    if (earlier !== undefined && earlier !== kind) return true;
    kinds.set(prefix, kind);
  }
  return false;
}

type Growing = { [name: string]: string | Growing } | (string | Growing)[];

function readRow(columns: readonly Column[], cells: readonly (string | undefined)[], row: number, faults: BodyFault[]): TextStruct {
  const record: Growing = Object.create(null);
  if (cells.length !== columns.length) {
    faults.push({ code: 'CSV_CELL_COUNT', place: { row, column: '' }, data: { count: `${cells.length}`, expected: `${columns.length}` } });
    return {};
  }
  for (const [i, { name, parts }] of columns.entries()) {
    const cell = cells[i];
    if (cell === undefined) continue;
    const bad = textFault(cell);
    if (bad) faults.push({ code: bad.code, place: { row, column: name }, data: bad.data });
    else put(record, parts, cell);
  }
  return closeLists(record, '', row, faults) as TextStruct;
}

function put(top: Growing, parts: readonly (string | number)[], cell: string): void {
  let at = top as { [name: string | number]: string | Growing };
  for (const [i, part] of parts.slice(0, -1).entries()) {
    at[part] ??= typeof parts[i + 1] === 'number' ? [] : Object.create(null);
    at = at[part] as typeof at;
  }
  at[parts.at(-1)!] = cell;
}

/** A list of which only the first item is given is that item; a gap before a given item is a fault. */
function closeLists(value: string | Growing, path: string, row: number, faults: BodyFault[]): TextTree {
  if (typeof value === 'string') return value;
  const under = (name: string): string => (path === '' ? name : `${path}.${name}`);
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closeLists(member, under(name), row, faults)]));
  const items: TextTree[] = [];
  for (let i = 0; i < value.length; i++) {
    const item = value[i];
    if (item === undefined) {
      faults.push({
        code: 'CSV_LIST_GAP',
        place: { row, column: under(`${i + 1}`) },
        data: { missing: `${i + 1}`, given: `${value.length}` },
      });
      return [];
    }
    items.push(closeLists(item, under(`${i + 1}`), row, faults));
  }
  return items.length === 1 ? items[0]! : items;
}

/** The header's spelling of a path; where a list of one was folded, `.1` may have been dropped. */
function columnOf(columns: readonly Column[], path: RecordPath): string {
  const wanted = dottedPath(path);
  if (columns.some(({ name }) => name === wanted)) return wanted;
  const folded = columns.find(({ parts }) => dottedPath(parts.filter((part) => part !== 0)) === wanted);
  return folded?.name ?? wanted;
}
