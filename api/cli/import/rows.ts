/**
 * Cuts a file of records into rows without reading it whole and without touching a byte of a row: a number keeps its spelling, a quoted cell
 * its quotes. What a row means is the format door's business. Text in, raw rows out; faults of the file's frame throw CLI_FILE_MALFORMED.
 */
import { ChainError } from '../../../node/errors/index.ts';
import { foreignForm } from '../../../node/records/formats/index.ts';
import type { RowFormat } from './format.ts';

export interface RawRow {
  /** From 0. */
  readonly index: number;
  /** As a person counts: from 1; in a CSV the header is row 1, as a spreadsheet shows it. */
  readonly number: number;
  readonly text: string;
}

/** Rows of one file with what must stand around them in a body. */
export interface RowSource {
  readonly contentType: string;
  rows(): AsyncGenerator<RawRow, void, undefined>;
  /** A body of these rows; may be called once the first row was seen. */
  body(rows: readonly RawRow[]): string;
}

const ROW_CHARACTERS_MAX = 16_777_216; // a longer row is not a record but a file of another kind
const BOM = '\ufeff';

/** Text of a file as it is read; a character may be cut between two chunks. @throws ChainError CLI_FILE_MALFORMED for what is not UTF-8 */
export async function* utf8Chunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw malformed('the file is not UTF-8');
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

export function rowSource(format: RowFormat, chunks: AsyncIterable<string>): RowSource {
  switch (format) {
    case 'jsonl':
      return { contentType: 'application/json', rows: () => numbered(lines(chunks)), body: jsonBody };
    case 'json':
      return { contentType: 'application/json', rows: () => numbered(arrayItems(chunks)), body: jsonBody };
    case 'csv':
      return csvSource(chunks);
    case 'xml':
      return xmlSource(chunks);
  }
}

const jsonBody = (rows: readonly RawRow[]): string => `[${rows.map((row) => row.text).join(',')}]`;

async function* numbered(texts: AsyncIterable<string>): AsyncGenerator<RawRow, void, undefined> {
  let index = 0;
  for await (const text of texts) yield { index, number: ++index, text };
}

async function* withoutBom(chunks: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let first = true;
  for await (const chunk of chunks) {
    if (chunk === '') continue;
    yield first && chunk.startsWith(BOM) ? chunk.slice(1) : chunk;
    first = false;
  }
}

async function* lines(chunks: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const chunk of withoutBom(chunks)) {
    const parts = (rest + chunk).split('\n');
    rest = bounded(parts.pop()!);
    for (const part of parts) if (part.trim() !== '') yield part.trim();
  }
  if (rest.trim() !== '') yield rest.trim();
}

/** Items of one JSON array at the top, or the one object that stands there instead. */
async function* arrayItems(chunks: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let item = '';
  let depth = 0; // of brackets inside an item
  let inText = false;
  let escaped = false;
  let frame: 'before' | 'object' | 'array' | 'after' = 'before';
  for await (const chunk of withoutBom(chunks)) {
    for (const character of chunk) {
      if (inText) {
        item += character;
        if (escaped) escaped = false;
        else if (character === '\\') escaped = true;
        else if (character === '"') inText = false;
        continue;
      }
      const blank = character === ' ' || character === '\n' || character === '\r' || character === '\t';
      if (frame === 'before') {
        if (blank) continue;
        if (character === '[') frame = 'array';
        else if (character === '{') [frame, item, depth] = ['object', '{', 1];
        else throw malformed(`expected [ or {, found ${JSON.stringify(character)}`);
        continue;
      }
      if (frame === 'after') {
        if (!blank) throw malformed('text follows the end of the JSON value');
        continue;
      }
      if (frame === 'array' && depth === 0 && (character === ',' || character === ']')) {
        if (item.trim() !== '') yield item.trim();
        else if (character === ',') throw malformed('an item of the array is empty');
        item = '';
        if (character === ']') frame = 'after';
        continue;
      }
      item += character;
      if (character === '"') inText = true;
      else if (character === '{' || character === '[') depth++;
      else if (character === '}' || character === ']') depth--;
      if (frame === 'object' && depth === 0) {
        yield item;
        [item, frame] = ['', 'after'];
      }
    }
    bounded(item);
  }
  if (frame !== 'after') throw malformed('the file ends inside the JSON value');
}

function csvSource(chunks: AsyncIterable<string>): RowSource {
  let header: string | undefined;
  return {
    contentType: 'text/csv',
    async *rows() {
      let index = 0;
      let number = 0;
      for await (const text of csvRecords(chunks)) {
        number++;
        if (text === '') continue; // an empty line is no record, but a spreadsheet counts it
        if (header === undefined) {
          header = text;
          const foreign = foreignForm(text);
          if (foreign) throw malformed(`the header shows ${foreign.data.found} where ${foreign.data.wanted} is read`);
        } else yield { index: index++, number, text };
      }
      if (header === undefined) throw malformed('the file has no header');
    },
    body: (rows) => [header ?? '', ...rows.map((row) => row.text)].join('\r\n') + '\r\n',
  };
}

/**
 * Records by RFC 4180 §2, empty lines included: a line end inside quotes does not end a record. A cell is quoted when a quote opens it; a quote
 * further on in a bare cell stands for itself, as it does for the nodes.
 */
async function* csvRecords(chunks: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let record = '';
  let quoted = false;
  let cell: 'start' | 'quoted' | 'bare' = 'start';
  for await (const chunk of withoutBom(chunks)) {
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const character = chunk[i];
      if (character === '"' && cell !== 'bare') {
        quoted = !quoted; // a doubled quote closes and opens
        cell = 'quoted';
      } else if (quoted) continue;
      else if (character !== '\n') cell = character === ',' ? 'start' : cell === 'start' ? 'bare' : cell;
      else {
        yield (record + chunk.slice(from, i)).replace(/\r$/, '');
        cell = 'start';
        record = '';
        from = i + 1;
      }
    }
    record = bounded(record + chunk.slice(from));
  }
  if (quoted) throw malformed('the file ends inside quotes');
  if (record.replace(/\r$/, '') !== '') yield record.replace(/\r$/, '');
}

/** Children of the root element, each as its raw text; a root that is itself the record is the one row. */
function xmlSource(chunks: AsyncIterable<string>): RowSource {
  let root: string | undefined;
  return {
    contentType: 'application/xml',
    async *rows() {
      let index = 0;
      for await (const { rootTag, text } of xmlChildren(chunks)) {
        root = rootTag;
        yield { index, number: ++index, text };
      }
    },
    body: (rows) => {
      const texts = rows.map((row) => row.text).join('\n');
      return root === undefined ? texts : `${root}${texts}</${nameOf(root)}>`;
    },
  };
}

const LIST_ROOT = 'records'; // root element of a list of records
const nameOf = (tag: string): string => /^<([^\s/>]+)/.exec(tag)?.[1] ?? '';

async function* xmlChildren(
  chunks: AsyncIterable<string>,
): AsyncGenerator<{ readonly rootTag: string | undefined; readonly text: string }, void, undefined> {
  let rest = '';
  let depth = 0;
  let rootTag: string | undefined;
  let open: string | undefined; // raw text of the row being read
  for await (const chunk of withoutBom(chunks)) {
    rest += chunk;
    for (;;) {
      const token = nextXmlToken(rest);
      if (token === undefined) break;
      rest = rest.slice(token.length);
      const isTag = token.startsWith('<') && !token.startsWith('<?') && !token.startsWith('<!');
      if (token.startsWith('<!DOCTYPE')) throw malformed('a document type declaration is not read');
      if (depth === 0 && isTag && rootTag === undefined && open === undefined) {
        if (nameOf(token) === LIST_ROOT) {
          rootTag = token;
          depth = 1;
          continue;
        }
      } else if (depth === 1 && rootTag !== undefined && open === undefined && token.startsWith('</')) {
        depth = 0;
        continue;
      }
      const base = rootTag === undefined ? 0 : 1;
      if (open === undefined) {
        if (!isTag) continue; // blank space, comments and the declaration between rows
        open = '';
      }
      open = bounded(open + token);
      if (isTag && token.startsWith('</')) depth--;
      else if (isTag && !token.endsWith('/>')) depth++;
      if (isTag && depth === base) {
        yield { rootTag, text: open };
        open = undefined;
      }
    }
    bounded(rest);
  }
  if (depth !== 0 || rest.trim() !== '') throw malformed('the file ends inside an element');
}

/** The next tag, comment, CDATA section, instruction or run of text, when it stands there whole. */
function nextXmlToken(text: string): string | undefined {
  if (text === '') return undefined;
  if (!text.startsWith('<')) {
    const end = text.indexOf('<');
    return end < 0 ? undefined : text.slice(0, end);
  }
  for (const [begin, end] of [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<?', '?>'],
  ] as const) {
    if (text.startsWith(begin)) return cut(text, text.indexOf(end, begin.length), end.length);
    if (begin.startsWith(text)) return undefined; // too short to tell
  }
  let quote: string | undefined;
  for (let i = 1; i < text.length; i++) {
    const character = text[i]!;
    if (quote !== undefined) quote = character === quote ? undefined : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return text.slice(0, i + 1);
  }
  return undefined;
}

function cut(text: string, at: number, length: number): string | undefined {
  return at < 0 ? undefined : text.slice(0, at + length);
}

function bounded(text: string): string {
  if (text.length > ROW_CHARACTERS_MAX) throw malformed(`a row is longer than ${ROW_CHARACTERS_MAX} characters`);
  return text;
}

function malformed(reason: string): ChainError {
  return new ChainError('CLI_FILE_MALFORMED', { reason });
}
