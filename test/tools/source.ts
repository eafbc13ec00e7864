/** Reads the project's own source for the tests that hold its rules: files, imports, and code with comments and text blanked out. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the project, from dist/test/tools. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const TOP_FOLDERS = ['api', 'consensus', 'contracts', 'devnet', 'node', 'test'] as const;

export interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the contents of strings replaced by spaces; lines and columns stay. */
  readonly code: string;
  readonly imports: readonly string[];
}

/** Paths under the root of every file below `folder` whose name ends in `suffix`, sorted. */
export function filesUnder(folder: string, suffix: string): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(suffix) && !name.split(sep).includes('node_modules'))
    .map((name) => `${folder}/${name.split(sep).join('/')}`)
    .sort();
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function sourceFiles(...folders: readonly string[]): readonly SourceFile[] {
  return folders
    .flatMap((folder) => filesUnder(folder, '.ts'))
    .map((path) => {
      const text = readText(path);
      return { path, text, code: codeOf(text), imports: importsOf(text) };
    });
}

/** What a module imports, relative ones as paths from the root. */
export function importsOf(text: string): readonly string[] {
  const dynamic = codeOf(text, true).matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g);
  return [...staticImportsOf(text), ...[...dynamic].map((match) => match[1]!)];
}

/** What is loaded with a module: its imports without those that wait until a line of it runs. */
export function staticImportsOf(text: string): readonly string[] {
  const matches = codeOf(text, true).matchAll(/(?:^|[\s;}])(?:import|export)(?:\s[^'"();]*?\sfrom)?\s*['"]([^'"]+)['"]/g);
  return [...matches].map((match) => match[1]!);
}

/** What one statement takes from another module, by the names that it has there; no names where it takes whatever there is. */
export interface Taken {
  readonly specifier: string;
  readonly names: readonly string[] | undefined;
}

/** Everything that a module imports or hands on. An `import()` takes all: what becomes of it is up to the lines around it. */
export function takenBy(text: string): readonly Taken[] {
  const code = codeOf(text, true);
  const named = code.matchAll(/(?:^|[\s;}])(?:import|export)\s+(?:type\s+)?(\{[^}]*\}|\*[^'"();]*?)\s*from\s*['"]([^'"]+)['"]/g);
  const dynamic = code.matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g);
  return [
    ...[...named].map(([, list, specifier]) => ({ specifier: specifier!, names: list!.startsWith('{') ? namesIn(list!, 0) : undefined })),
    ...[...dynamic].map(([, specifier]) => ({ specifier: specifier!, names: undefined })),
  ];
}

/** Names under which a module hands out what it holds and what it takes from others; `*` for all of another's. */
export function exportedBy(text: string): readonly string[] {
  const code = codeOf(text);
  const declared = code.matchAll(/^export\s+(?:async\s+)?(?:type|interface|class|const|function\*?)\s+(\w+)/gm);
  const listed = code.matchAll(/^export\s+(?:type\s+)?(\{[^}]*\}|\*)/gm);
  return [
    ...[...declared].map((match) => match[1]!),
    ...[...listed].flatMap((match) => (match[1] === '*' ? ['*'] : namesIn(match[1]!, -1))),
  ];
}

/** @param side of `a as b`: 0 for what it is called over there, -1 for what it is called here. */
function namesIn(list: string, side: 0 | -1): readonly string[] {
  const entries = list.slice(1, -1).split(',');
  return entries.flatMap(
    (entry) =>
      entry
        .trim()
        .replace(/^type\s+/, '')
        .split(/\s+as\s+/)
        .at(side) || [],
  );
}

/** Where a relative import leads, from the root; undefined for packages. */
export function target(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return relative(ROOT, resolve(ROOT, dirname(path), specifier))
    .split(sep)
    .join('/');
}

/** Blanks comments, and strings unless told to keep them. Knows templates and tells a regular expression from a division by what stands before. */
export function codeOf(text: string, keepStrings = false): string {
  let out = '';
  let at = 0;
  const templates: number[] = []; // depth of braces at which each open template goes on
  let depth = 0;
  const blank = (to: number, keep: boolean) => {
    const part = text.slice(at, to);
    out += keep ? part : part.replace(/[^\n]/g, ' ');
    at = to;
  };
  const endOfTemplate = (from: number): number => {
    for (let i = from; i < text.length; i++) {
      if (text[i] === '\\') i++;
      else if (text[i] === '`') return i + 1;
      else if (text[i] === '$' && text[i + 1] === '{') {
        templates.push(depth++);
        return i + 2;
      }
    }
    return text.length;
  };
  while (at < text.length) {
    const char = text[at]!;
    const pair = text.slice(at, at + 2);
    if (pair === '//') blank(lineEnd(text, at), false);
    else if (pair === '/*') blank(after(text, '*/', at + 2), false);
    else if (char === "'" || char === '"') blank(quoteEnd(text, at + 1, char), keepStrings);
    else if (char === '`') blank(endOfTemplate(at + 1), keepStrings);
    else if (char === '/' && startsRegExp(out)) blank(regExpEnd(text, at + 1), true);
    else {
      if (char === '{') depth++;
      if (char === '}' && --depth === templates.at(-1)) {
        templates.pop();
        blank(endOfTemplate(at + 1), keepStrings);
        continue;
      }
      blank(at + 1, true);
    }
  }
  return out;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function after(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from);
  return end < 0 ? text.length : end + mark.length;
}

function quoteEnd(text: string, from: number, quote: string): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === quote || text[i] === '\n') return i + 1;
  }
  return text.length;
}

function regExpEnd(text: string, from: number): number {
  let inClass = false;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '[') inClass = true;
    else if (text[i] === ']') inClass = false;
    else if ((text[i] === '/' && !inClass) || text[i] === '\n') return i + 1;
  }
  return text.length;
}

function startsRegExp(before: string): boolean {
  const trimmed = before.trimEnd();
  return trimmed === '' || /[(,=:[!&|?{};+\-*<>~^%]$/.test(trimmed) || /\b(?:return|typeof|case|of|in|=>)$/.test(trimmed);
}

/** `path:line` of every place where `pattern` (global) stands in the code. */
export function places(file: SourceFile, pattern: RegExp): readonly string[] {
  return [...file.code.matchAll(pattern)].map((match) => {
    const line = file.code.slice(0, match.index).split('\n').length;
    return `${file.path}:${line} ${match[0].trim()}`;
  });
}
