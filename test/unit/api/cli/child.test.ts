/** The entry files that commands start as processes of their own: each is there, and one that is not is an error with a code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesUnder, ROOT, readText } from '../../../tools/source.ts';

function tracemill(root: string, ...args: readonly string[]) {
  return spawnSync(process.execPath, [join(root, 'dist/api/cli/main.js'), ...args], { cwd: root, encoding: 'utf8' });
}

test('every entry that a command starts stands in package.json and leads to a file of the source, and none stands there for nothing', () => {
  const { imports } = JSON.parse(readText('package.json')) as { readonly imports: Readonly<Record<string, string>> };
  const started = filesUnder('api/cli', '.ts').flatMap((path) => [...readText(path).matchAll(/runEntry\(cli, '([^']*)'/g)]);
  assert.deepEqual(started.map((match) => match[1]).sort(), Object.keys(imports).sort());
  const sources = new Set([...filesUnder('devnet', '.ts'), ...filesUnder('test', '.ts')]);
  for (const [entry, path] of Object.entries(imports)) {
    assert.ok(sources.has(path.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts')), `${entry} leads to ${path}`);
  }
});

test('a command that starts an entry hands on its options and takes over its exit code', () => {
  const { status, stderr } = tracemill(ROOT, 'sim', '--', '--seeds', '0');
  assert.match(stderr, /^usage: npm run sim/);
  assert.equal(status, 2);
});

test('an entry that is not in the installation is CLI_FILE_UNREADABLE', () => {
  const root = mkdtempSync(join(tmpdir(), 'tracemill-cli-'));
  try {
    for (const part of ['package.json', 'dist/api', 'dist/node']) cpSync(join(ROOT, part), join(root, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    const { status, stdout } = tracemill(root, '--json', 'sim');
    const { code, data } = JSON.parse(stdout) as { readonly code: string; readonly data: { readonly path: string } };
    assert.equal(code, 'CLI_FILE_UNREADABLE');
    assert.match(data.path, /dist[\\/]test[\\/]simulation[\\/]run\.js$/);
    assert.notEqual(status, 0);
  } finally {
    rmSync(root, { recursive: true });
  }
});
