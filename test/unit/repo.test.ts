/** What a visitor relies on: a page per folder, licences, one sentence per dependency, nothing of somebody's machine. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesUnder, ROOT, readText, TOP_FOLDERS } from '../tools/source.ts';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly license?: string;
}
const manifest = JSON.parse(readText('package.json')) as Manifest;
const dependencies = { ...manifest.dependencies, ...manifest.devDependencies };

/** Files a person wrote: no data, no lock file. */
const written = [
  ...TOP_FOLDERS.flatMap((folder) => ['.ts', '.md', '.json', '.html', '.css', '.js'].flatMap((suffix) => filesUnder(folder, suffix))),
  'README.md',
  'THIRD-PARTY.md',
  'package.json',
  '.ci/run',
].filter((path) => !path.startsWith('test/data/') && !path.startsWith('devnet/data/') && path !== 'test/unit/repo.test.ts');

test('every folder has a page of one screen that says what it owns and what it does not', () => {
  for (const folder of TOP_FOLDERS) {
    if (filesUnder(folder, '.ts').length === 0) continue;
    assert.equal(existsSync(join(ROOT, folder, 'README.md')), true, `${folder}/README.md`);
    const text = readText(`${folder}/README.md`);
    const at = ['Owns', 'Does not own', 'Depends on', 'Known couplings'].map((heading) =>
      text.search(new RegExp(`^(?:#+ |\\*\\*)${heading}\\b`, 'm')),
    );
    assert.equal(
      at.every((place, i) => place >= 0 && (i === 0 || place > at[i - 1]!)),
      true,
      `${folder}/README.md: headings at ${at.join(', ')}`,
    );
    assert.equal(text.split('\n').length <= 80, true, `${folder}/README.md is longer than a screen`);
  }
});

test('every dependency has an exact version, its licence in THIRD-PARTY.md and a sentence in the README', () => {
  const licences = readText('THIRD-PARTY.md');
  const readme = readText('README.md');
  const faults: string[] = [];
  for (const [name, version] of Object.entries(dependencies)) {
    if (!/^\d+\.\d+\.\d+$/.test(version)) faults.push(`${name}: version ${version} is not exact`);
    const installed = (JSON.parse(readText(`node_modules/${name}/package.json`)) as Manifest).license;
    if (!licences.includes(`| ${name} | ${installed} |`)) faults.push(`${name}: THIRD-PARTY.md lacks the row with ${installed}`);
    if (!new RegExp(`^\\| \`${name.replace(/[/.]/g, '\\$&')}\` \\| \\S.{10,} \\|$`, 'm').test(readme))
      faults.push(`${name}: README.md lacks a sentence`);
  }
  for (const match of `${licences}\n`.matchAll(/^\| ([@a-z][^ ]*) \| /gm))
    if (match[1] !== 'package' && !Object.hasOwn(dependencies, match[1]!)) faults.push(`${match[1]}: in THIRD-PARTY.md, but no dependency`);
  for (const match of readme.matchAll(/^\| `([@a-z][^`]*)` \| /gm))
    if (!Object.hasOwn(dependencies, match[1]!) && !match[1]!.includes(' ')) faults.push(`${match[1]}: in README.md, but no dependency`);
  assert.deepEqual(faults, []);
});

test('the project stands under Apache-2.0', () => {
  assert.equal(manifest.license, 'Apache-2.0');
  assert.match(readText('LICENSE'), /Apache License\s+Version 2\.0, January 2004/);
});

test('every npm command that the README names exists', () => {
  for (const match of readText('README.md').matchAll(/npm run ([a-z]+)/g))
    assert.equal(Object.hasOwn(manifest.scripts, match[1]!), true, `npm run ${match[1]}`);
});

test('no file names a place of somebody’s machine, a package registry or work left undone', () => {
  const banned: Readonly<Record<string, RegExp>> = {
    'a path of a machine': /(?:^|[\s'"`(=])\/(?:home|Users|root|work)\/[a-z]/,
    'a registry': /registry\.npm|npmjs\.|npmmirror|verdaccio|artifactory/i,
    'work left undone': /\b(?:TODO|FIXME|XXX)\b/,
  };
  const found = written.flatMap((path) => {
    const lines = readText(path).split('\n');
    return Object.entries(banned).flatMap(([what, pattern]) =>
      lines.flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${what}: ${line.trim().slice(0, 80)}`] : [])),
    );
  });
  assert.deepEqual(found, []);
});

test('decisions are numbered from 1 in each folder, without gaps or repetition', () => {
  const folders = new Map<string, number[]>();
  for (const path of TOP_FOLDERS.flatMap((folder) => filesUnder(folder, '.md'))) {
    const match = /^(.*\/decisions)\/(\d{4})-[a-z0-9-]+\.md$/.exec(path);
    if (match) folders.set(match[1]!, [...(folders.get(match[1]!) ?? []), Number(match[2])]);
  }
  for (const [folder, numbers] of folders)
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
      folder,
    );
});
