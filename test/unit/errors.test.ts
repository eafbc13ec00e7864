/** Code, table and docs of errors agree (DB53/T 1407-2025 5.2.1.1.b-3: every code has a meaning and a remedy). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { type ErrorRow, errorTable } from '../../node/errors/index.ts';
import { errorDocs } from '../tools/error-docs.ts';
import { filesUnder, ROOT, readText, type SourceFile, sourceFiles } from '../tools/source.ts';

const table: Readonly<Record<string, ErrorRow>> = errorTable;
const source = sourceFiles('api', 'consensus', 'contracts', 'devnet', 'node').filter((file) => !file.path.startsWith('node/errors/'));

/** Codes named where one is thrown, answered or carried: by a literal right there. */
const NAMED = /(?:new\s+(?:ChainError|ContractFailure)\s*\(\s*|\bcode\s*:\s*)'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)'/g;
/** Codes of consensus/ live in notes and drops, of CLI and client on the other side of the wire: they never stand in an envelope. */
const OTHER_FAMILIES = /^(?:PBFT_|POS_|POW_|CLIENT_)/;

function namedIn(file: SourceFile): readonly string[] {
  return [...withoutComments(file).matchAll(NAMED)].map((match) => match[1]!).filter((code) => !OTHER_FAMILIES.test(code));
}

/** Keeps a line unless nothing but blanks is left of it once comments are gone. */
function withoutComments(file: SourceFile): string {
  const code = file.code.split('\n');
  return file.text
    .split('\n')
    .filter((_, line) => code[line]!.trim() !== '')
    .join('\n');
}

test('every code that the source throws or answers stands in the table', () => {
  const unknown = source.flatMap((file) =>
    namedIn(file)
      .filter((code) => !Object.hasOwn(table, code))
      .map((code) => `${file.path}: ${code}`),
  );
  assert.deepEqual(unknown, []);
});

test('every row of the table is used somewhere in the source', () => {
  const text = source.map((file) => withoutComments(file)).join('\n');
  const used = new Set([...text.matchAll(/['"`]([A-Z][A-Z0-9_]*)['"`]/g)].map((match) => match[1]!));
  for (const match of text.matchAll(/\b([A-Z][A-Z0-9_]+)\s*:/g)) used.add(match[1]!); // codes as names of a table
  assert.deepEqual(
    Object.keys(table).filter((code) => !used.has(code)),
    [],
  );
});

test('no code stands in two areas, where one row would silently win', async () => {
  const seen = new Map<string, string>();
  const twice: string[] = [];
  for (const path of filesUnder('node/errors', '.ts')) {
    if (path === 'node/errors/index.ts') continue; // hands on what stands in the others
    const module = (await import(pathToFileURL(join(ROOT, 'dist', path.replace(/\.ts$/, '.js'))).href)) as Record<string, unknown>;
    for (const [name, rows] of Object.entries(module)) {
      if (!name.endsWith('Errors')) continue;
      for (const code of Object.keys(rows as object)) {
        if (seen.has(code)) twice.push(`${code} in ${seen.get(code)} and ${path}`);
        seen.set(code, path);
      }
    }
  }
  assert.deepEqual(twice, []);
  assert.deepEqual([...seen.keys()].sort(), Object.keys(table).sort(), 'every area is part of the table');
});

test('every row has text and remedy in both languages and a status that fits its kind', () => {
  const statuses: Readonly<Record<ErrorRow['kind'], readonly number[]>> = {
    invalid: [400, 422],
    unauthenticated: [401],
    forbidden: [403],
    missing: [404, 410],
    conflict: [409, 412],
    tooLarge: [413, 414],
    limited: [429],
    busy: [503],
    timeout: [408, 504],
    damaged: [500],
    internal: [200, 500],
    unsupported: [400, 405, 406, 415, 501],
  };
  const faults: string[] = [];
  for (const [code, row] of Object.entries(table)) {
    if (!/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/.test(code)) faults.push(`${code}: spelling`);
    for (const text of [row.text, row.remedy]) {
      if (!/^\S.*[^.\s]$/.test(text.en)) faults.push(`${code}: ${text.en}`);
      if (!/[\u4e00-\u9fff]/.test(text.zh)) faults.push(`${code}: ${text.zh}`);
    }
    if (!statuses[row.kind].includes(row.httpStatus)) faults.push(`${code}: ${row.kind} with ${row.httpStatus}`);
  }
  assert.deepEqual(faults, []);
});

test('the page of codes is the table', () => {
  assert.equal(readText('node/errors/README.md'), errorDocs(), 'run: node dist/test/tools/write-error-docs.js');
});
