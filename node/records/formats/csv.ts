/**
 * CSV bodies (RFC 4180, UTF-8 with or without byte order mark, CRLF or LF): a header row of field names flattened with dots, items of lists
 * counted from 1 (`pro_raw_material.2.pro_supplier`), one record a row. An unquoted empty cell is absent, a quoted one is empty text.
 * Rows are counted as a spreadsheet counts them: the header is row 1, an empty line is a row that holds no record.
 */
import { dottedPath, fromUtf8, type RecordPath, textFault, type TextStruct, type TextTree } from '../../format/index.ts';
import {
  BODY_BYTES_MAX,
  BODY_DEPTH_MAX,
  BODY_FAULTS_MAX,
  BODY_RECORDS_MAX,
  type BodyFault,
  type ParsedRecord,
  type ParseSteps,
  type Place,
  placeUnder,
  refusedBody,
  tooManyRecords,
} from './body.ts';

export const CSV_COLUMNS_MAX = 2_000; // columns of one body
const LIST_INDEX_MAX = 10_000; // highest item number in a column name
const HEADER_PLACE = { row: 1, column: '' } as const;
const HEADER_CHARACTERS_MAX = 262_144; // within which the header row must end for its delimiter to be told
/** What other programs put where a comma belongs. */
const FOREIGN_DELIMITERS: Readonly<Record<string, string>> = { ';': 'semicolon', '\t': 'tab', '|': 'vertical bar' };

export interface CsvRow {
  /** From 1; an empty line counts, a line end inside quotes does not. */
  readonly row: number;
  /**
   * undefined for an unquoted empty cell. Holds `CSV_COLUMNS_MAX + 1` cells when the row has more than may be: reading ends in that row.
   */
  readonly cells: readonly (string | undefined)[];
}

/** Ends the reading of a text that is no CSV. */
export class CsvFault extends Error {
  readonly row: number;
  constructor(reason: string, row: number) {
    super(reason);
    this.row = row;
  }
}

/**
 * Rows in order, read as they are asked for. A quote inside an unquoted cell stands for itself (`12 1/2"`); text after a closing quote is
 * refused, since readers differ on what it means. @throws CsvFault
 */
export function* csvRows(text: string): Generator<CsvRow, void> {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  for (let row = 1; at < text.length; row++) {
    const cells: (string | undefined)[] = [];
    const newline = text.indexOf('\n', at);
    let lineEnd = newline < 0 ? text.length : newline;
    for (let more = true; more; ) {
      let cell: string | undefined;
      if (text[at] === '"') {
        const from = at + 1;
        at = closingQuote(text, from);
        if (at < 0) throw new CsvFault('a quoted cell is not closed', row);
        cell = text.slice(from, at++).replaceAll('""', '"');
        if (at > lineEnd) {
          const next = text.indexOf('\n', at);
          lineEnd = next < 0 ? text.length : next;
        }
        if (at < text.length && text[at] !== ',' && at !== lineEnd && !(text[at] === '\r' && at + 1 === lineEnd && lineEnd < text.length))
          throw new CsvFault('a closing quote is followed by text', row);
        if (text[at] === '\r') at++;
      } else {
        const from = at;
        while (at < lineEnd && text.charCodeAt(at) !== 0x2c) at++;
        const to = at === lineEnd && lineEnd < text.length && at > from && text[at - 1] === '\r' ? at - 1 : at;
        if (to > from) cell = text.slice(from, to);
        else if (at >= lineEnd && cells.length === 0) break; // an empty line
      }
      cells.push(cell);
      more = at < lineEnd && text[at] === ',';
      if (more) at++;
      if (cells.length > CSV_COLUMNS_MAX) {
        yield { row, cells };
        return;
      }
    }
    at = lineEnd + 1;
    if (cells.length > 0) yield { row, cells };
  }
}

/** Index of the quote that closes the cell, or -1. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}

/**
 * What the header row shows of a text that is CSV of another kind: lines that end with CR alone, or more of another delimiter than commas.
 * Quoted cells do not count. Undefined when there is nothing to say; then the rows speak for themselves.
 */
export function foreignForm(
  text: string,
): { readonly code: 'CSV_LINE_END' | 'CSV_DELIMITER'; readonly data: BodyFault['data'] } | undefined {
  const counts = new Map<string, number>();
  const count = (delimiter: string): number => counts.get(delimiter) ?? 0;
  let cellStart = true;
  for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; at < Math.min(text.length, HEADER_CHARACTERS_MAX); at++) {
    const character = text[at]!;
    if (character === '\n') break;
    if (character === '\r') {
      if (text[at + 1] === '\n') break;
      return { code: 'CSV_LINE_END', data: { found: 'CR', wanted: 'CRLF or LF' } };
    }
    if (character === '"' && cellStart) {
      at = closingQuote(text, at + 1);
      if (at < 0) return undefined;
    }
    cellStart = character === ',' || Object.hasOwn(FOREIGN_DELIMITERS, character);
    if (cellStart) counts.set(character, count(character) + 1);
  }
  const [most] = Object.keys(FOREIGN_DELIMITERS).sort((a, b) => count(b) - count(a));
  if (count(most!) <= count(',')) return undefined;
  return { code: 'CSV_DELIMITER', data: { found: FOREIGN_DELIMITERS[most!]!, wanted: 'comma' } };
}

/** One step a row. */
export function* parseCsvSteps(bytes: Uint8Array): ParseSteps {
  if (bytes.length > BODY_BYTES_MAX) return refusedBody('csv', 'FORMAT_TOO_LARGE', HEADER_PLACE, { bytesMax: `${BODY_BYTES_MAX}` });
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return refusedBody('csv', 'FORMAT_NOT_UTF8', HEADER_PLACE);
  }
  const foreign = foreignForm(text);
  if (foreign) return refusedBody('csv', foreign.code, HEADER_PLACE, foreign.data);
  const records: ParsedRecord[] = [];
  const faults: BodyFault[] = [];
  let header: Header | undefined;
  let count = 0; // of rows below the header
  try {
    for (const { row, cells } of csvRows(text)) {
      if (cells.length > CSV_COLUMNS_MAX)
        return refusedBody('csv', 'CSV_TOO_MANY_COLUMNS', { row, column: '' }, { countMax: `${CSV_COLUMNS_MAX}` });
      if (header === undefined) header = readHeader(cells, faults);
      else if (++count > BODY_RECORDS_MAX) return tooManyRecords('csv', HEADER_PLACE);
      else if (!header.faulty) records.push(readRecord(header, cells, row, faults));
      if (faults.length >= BODY_FAULTS_MAX || (header.faulty && count > 0)) break;
      yield;
    }
  } catch (error) {
    if (!(error instanceof CsvFault)) throw error;
    return refusedBody('csv', 'CSV_MALFORMED', { row: error.row, column: '' }, { reason: error.message });
  }
  if (count === 0) return refusedBody('csv', 'FORMAT_NO_RECORDS', HEADER_PLACE);
  return faults.length === 0
    ? { ok: true, format: 'csv', records, columns: header!.renamed }
    : { ok: false, format: 'csv', faults: faults.slice(0, BODY_FAULTS_MAX) };
}

function readRecord(header: Header, cells: readonly (string | undefined)[], row: number, faults: BodyFault[]): ParsedRecord {
  const at = { row, column: '' };
  return { tree: readRow(header.columns, cells, row, faults), at, locate: (path, code) => header.place(path, code, at) };
}

interface Column {
  readonly name: string;
  readonly parts: readonly (string | number)[];
}

/** The header row; says where a fault of a record stands. */
class Header {
  readonly columns: readonly Column[];
  readonly faulty: boolean;
  /**
   * Columns by their dotted path without `.1`, which may have been dropped where a list of one was folded, unless a column has that name.
   */
  readonly renamed = new Map<string, string>();
  /** Every path at or above a column. */
  readonly #given = new Set<string>();

  constructor(columns: readonly Column[], faulty: boolean) {
    this.columns = columns;
    this.faulty = faulty;
    if (faulty) return;
    const names = new Set(columns.map(({ name }) => name));
    for (const { name, parts } of columns) {
      const folded = parts.filter((part) => part !== 0);
      const path = dottedPath(folded);
      if (!names.has(path) && !this.renamed.has(path)) this.renamed.set(path, name);
      for (let i = 1; i <= folded.length; i++) this.#given.add(dottedPath(folded.slice(0, i)));
    }
  }

  /** An unknown name, and a missing one that no column has, are faults of the header. */
  place(path: RecordPath, code: string, at: Place): Place {
    const missing = code === 'RECORD_FIELD_MISSING' && !this.#given.has(dottedPath(path.filter((part) => part !== 0)));
    const place = placeUnder(at, path, this.renamed);
    return code === 'RECORD_FIELD_UNKNOWN' || missing ? ({ ...place, row: HEADER_PLACE.row } as Place) : place;
  }
}

function readHeader(header: readonly (string | undefined)[], faults: BodyFault[]): Header {
  const columns: Column[] = [];
  const fault = (code: string, column: string, data: BodyFault['data'] = {}): void => {
    faults.push({ code, place: { row: 1, column }, data });
  };
  const kinds = new Map<string, 'leaf' | 'struct' | 'list'>();
  for (const [i, cell] of header.entries()) {
    if (faults.length >= BODY_FAULTS_MAX) break;
    const name = cell ?? '';
    const parts = columnParts(name);
    const bad = textFault(name);
    if (bad) fault(bad.code, `${i + 1}`, bad.data);
    else if (!parts) fault('CSV_COLUMN_MALFORMED', name, { name, position: `${i + 1}` });
    else if (kinds.get(name) === 'leaf') fault('CSV_COLUMN_REPEATED', name, { name });
    else if (conflicts(kinds, parts)) fault('CSV_COLUMN_CONFLICT', name, { name });
    columns.push({ name, parts: parts ?? [name] });
  }
  return new Header(columns, faults.length > 0);
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
