import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planted, plantedBugs } from '../tools/planted-bugs.ts';
import { codeOf, exportedBy, filesUnder, importsOf, readText, takenBy } from '../tools/source.ts';

test('comments and strings are blanked, code between and inside templates is kept, lines stay', () => {
  const text = [
    "const a = 'Date'; // Date",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is a program
    'const b = `Date ${Date.now() + `${x}`} Date`;',
    '/* Date',
    " Date */ const c = /Date'/.test(d) / 2; // 'Date",
  ].join('\n');
  const code = codeOf(text);
  assert.equal(code.split('\n').length, text.split('\n').length);
  assert.equal(code.length, text.length);
  assert.deepEqual(
    [...code.matchAll(/Date/g)].map((match) => text.slice(match.index, match.index + 8)),
    ['Date.now', "Date'/.t"],
  );
});

test('imports are found in every form, and not in comments', () => {
  const text = [
    "import { a } from './a.ts';",
    "import type { b,\n c } from '../b.ts';",
    "export * from './c.ts';",
    "import './d.ts';",
    "const e = await import('e');",
    "// import f from 'f';",
    'import g, { type h } from "node:g";',
  ].join('\n');
  assert.deepEqual([...importsOf(text)].sort(), ['../b.ts', './a.ts', './c.ts', './d.ts', 'e', 'node:g']);
});

test('names are known by what they are called where they come from, and handed out by what they are called here', () => {
  const text = [
    "import { a, type b as c } from './a.ts';",
    "import type * as d from './d.ts';",
    "export { e as f, type g } from './e.ts';",
    "export * from './h.ts';",
    "const { i } = await import('./i.ts');",
    'export const j = 1;',
    'export async function k() {}',
    'export interface L {}',
    "// export { m } from './m.ts';",
    'export { a };',
  ].join('\n');
  assert.deepEqual(takenBy(text), [
    { specifier: './a.ts', names: ['a', 'b'] },
    { specifier: './d.ts', names: undefined },
    { specifier: './e.ts', names: ['e', 'g'] },
    { specifier: './h.ts', names: undefined },
    { specifier: './i.ts', names: undefined },
  ]);
  assert.deepEqual([...exportedBy(text)].sort(), ['*', 'L', 'a', 'f', 'g', 'j', 'k']);
});

test('every planted bug still has the one place that it replaces, a name of its own and a test that is there', () => {
  const tests = new Set(filesUnder('test', '.test.ts'));
  for (const bug of plantedBugs) {
    for (const [file, source] of planted(bug)) assert.notEqual(source, readText(file), bug.name);
    assert.ok(tests.has(bug.test), `${bug.name}: ${bug.test}`);
    const names = [...readText(bug.test).matchAll(/^ *test\(\s*(['"`])(.*)\1/gm)].map((match) => match[2]!);
    const only = new RegExp(bug.only ?? '');
    assert.ok(
      names.some((name) => only.test(name)),
      `${bug.name}: no test of ${bug.test} is named like ${bug.only}`,
    );
  }
  assert.equal(new Set(plantedBugs.map(({ name }) => name)).size, plantedBugs.length);
});
