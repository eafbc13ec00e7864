/** What every call of the command line pays before it does anything. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readText, staticImportsOf, target } from '../../../tools/source.ts';

const ENTRY = 'dist/api/cli/main.js';

/** Everything loaded with the entry: paths from the root, names of packages. Reads what runs, so imports of types are gone. */
function loadedWith(entry: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const specifier of staticImportsOf(readText(path))) {
      const inside = target(path, specifier);
      if (inside === undefined) seen.add(specifier);
      else waiting.push(inside);
    }
  }
  return seen;
}

test('a command line loads its own declarations, the error table and one package; what a command does is loaded by its action', () => {
  const loaded = loadedWith(ENTRY);
  assert.ok(loaded.has('dist/api/cli/record.js') && loaded.has('dist/node/errors/index.js'), 'the walk sees imports');
  const allowed =
    /^dist\/(?:api\/cli\/|node\/errors\/|api\/client\/answer\.js$|node\/keystore\/key-kinds\.js$|node\/format\/engine-names\.js$)|^node:/;
  assert.deepEqual(
    [...loaded].filter((path) => !allowed.test(path)),
    ['commander'],
  );
  const sockets = [...loaded].filter((path) => /^node:(?:https?|http2|tls|net|worker_threads)$/.test(path));
  assert.deepEqual(sockets, []);
});
