/** Which way the house points, and the words that replicated and pure code may not use (STYLE: the map; design: execution, chain "seams"). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, exportedBy, places, readText, type SourceFile, sourceFiles, staticImportsOf, takenBy, target } from '../tools/source.ts';

/** Leaves of node/ that folders above and below may import. */
const GROUND_FLOOR = ['node/format', 'node/errors'];
/** Folder -> folders it may import. Longest match wins on both sides; whatever is not listed is refused. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'node/format': ['node/format'],
  'node/errors': ['node/errors'],
  consensus: ['consensus', 'node/format'],
  contracts: ['contracts', ...GROUND_FLOOR],
  node: ['node', ...GROUND_FLOOR, 'consensus', 'contracts'],
  api: ['api', 'node', ...GROUND_FLOOR, 'consensus', 'contracts'],
  devnet: ['devnet', 'api', 'node', ...GROUND_FLOOR, 'consensus', 'contracts'],
  test: ['test', 'devnet', 'api', 'node', ...GROUND_FLOOR, 'consensus', 'contracts'],
};
/** The one arrow upwards: the command `devnet` of the CLI starts what stands in devnet/. */
const UPWARDS: ReadonlySet<string> = new Set(['api/cli']);

/**
 * Doors beside a room's index.ts, and what they are for. Each spares those who come this way something that the index would load with it: the start of
 * every command and of every thread is what its imports cost.
 */
const SIDE_DOORS: Readonly<Record<string, string>> = {
  'api/client/answer.ts': 'every command reads answers, few open a connection',
  'api/rest/server.ts':
    'it loads the rooms of which it is made, and they take from the index what a route is: through one door that is a circle',
  'consensus/finality.ts': 'who judges a proof loads no replica',
  'consensus/pbft/certificates.ts': 'the same, one room further in',
  'node/format/engine-names.ts': 'every command line says which engines there are',
  'node/keystore/atomic-file.ts': 'the login writes a token and opens no keystore',
  'node/keystore/certificates.ts': 'it loads an X.509 library that few commands need',
  'node/keystore/key-kinds.ts': 'every command line says which keys there are',
  'node/pace/bounded-map.ts': 'the threads that verify signatures need nothing else of pace, nor its errors',
};

/** Pure and replicated: the same bytes on every machine, in a browser too. */
const PURE = ['consensus/', 'contracts/', 'node/format/', 'node/errors/'];
/** Reads the engine's file from disk; everything else of the VM is pure. */
const PURE_EXCEPT: ReadonlySet<string> = new Set(['contracts/quickjs/load-wasm.ts']);

const BANNED_IN_PURE: Readonly<Record<string, RegExp>> = {
  'a clock': /\bDate\b|\bperformance\b/g,
  'a timer': /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g,
  chance: /\bMath\s*\.\s*random\b|\bgetRandomValues\b|\brandomUUID\b/g,
  'the machine': /\bprocess\s*\.|\bBuffer\b|\brequire\s*\(|\bglobalThis\b(?!\s*:)/g,
  'the language of the machine': /\bIntl\b|\.\s*(?:localeCompare|normalize|toLocale\w*|toLowerCase|toUpperCase)\b/g,
  'Unicode tables of the engine': /\\p\{|\bnew\s+RegExp\b/g,
  'mathematics beyond integers':
    /\bMath\s*\.\s*(?!(?:floor|ceil|min|max|trunc|abs|sign|imul|clz32)\b)\w+|\bparseFloat\b(?!\s*:)|\btoFixed\b/g,
  fractions: /(?<![\w.])\d+\.\d+/g,
};
/** Consensus has no log, no waiting either. */
const BANNED_IN_CONSENSUS: Readonly<Record<string, RegExp>> = {
  waiting: /\b(?:async|await|Promise)\b/g,
  'a log': /\bconsole\b|\blog\s*\./g,
};

/**
 * Files of node/ that touch the machine themselves, each saying so in its module comment with the word "adapter". Everything else of node/ runs from a
 * World and therefore in the simulator.
 */
const BANNED_IN_SHELL: Readonly<Record<string, RegExp>> = {
  'a clock': /\bDate\s*\.|\bnew\s+Date\b|\bperformance\s*\./g,
  'a timer': /\b(?:setTimeout|setInterval|setImmediate)\b/g,
  chance: /\bMath\s*\.\s*random\b|\bgetRandomValues\b|\brandomUUID\b|\brandomBytes\b/g,
};

/** The name of an engine, in code and in text, its folder and its codes; not in comments, nor in words for people. */
const ENGINE = /\bpbft\b|\bPBFT_/;

const all = sourceFiles('api', 'consensus', 'contracts', 'devnet', 'node', 'test');
const isPure = (file: SourceFile) => PURE.some((folder) => file.path.startsWith(folder)) && !PURE_EXCEPT.has(file.path);
const isAdapter = (file: SourceFile) => file.path.startsWith('node/') && !isPure(file) && /\badapter\b/i.test(moduleComment(file.text));

/** The first comment of a file, when the file begins with one. */
function moduleComment(text: string): string {
  return text.startsWith('/**') ? text.slice(0, text.indexOf('*/')) : '';
}

function folderOf(path: string): string {
  return GROUND_FLOOR.find((folder) => path.startsWith(`${folder}/`)) ?? path.slice(0, path.indexOf('/'));
}

test('every import follows an arrow of the map', () => {
  const wrong: string[] = [];
  for (const file of all) {
    for (const specifier of file.imports) {
      const path = target(file.path, specifier);
      if (path === undefined) continue;
      const allowed = ARROWS[folderOf(file.path)]!;
      const upwards = folderOf(path) === 'devnet' && [...UPWARDS].some((folder) => file.path.startsWith(`${folder}/`));
      if (!allowed.includes(folderOf(path)) && !upwards) wrong.push(`${file.path} imports ${path}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/*
 * A folder with an index.ts is a room, and that is its door. One without is a part of the room around it, and so is api/rest/routes, whose index.ts
 * is the table of all routes. Files that stand in api/ or node/ themselves are in no room and are imported by name (world.ts, service.ts). Who stands
 * in a room imports what is in it by file. A room in a room (contracts/classes) may be entered through its own door or that of the outer one.
 * Tests go where they like, and what only they take from a door counts as taken. Entries of threads and programs are started by address, not imported.
 */
const shipped = all.filter(({ path }) => !path.startsWith('test/'));
const doors = shipped.filter(({ path }) => path.endsWith('/index.ts') && path !== 'api/rest/routes/index.ts');
const roomOf = (door: SourceFile) => door.path.slice(0, -'index.ts'.length);

test('every folder of api/ and node/ has a door, and so have consensus/, contracts/ and devnet/', () => {
  const folders = shipped.flatMap(({ path }) => /^(?:api|node)\/[^/]+\/|^(?:consensus|contracts|devnet)\//.exec(path) ?? []);
  const rooms = doors.map(roomOf);
  assert.deepEqual(
    [...new Set(folders)].filter((folder) => !rooms.includes(folder)),
    [],
  );
});

test('a room is entered through its door', () => {
  const used = new Set<string>();
  const past = shipped.flatMap(({ path, imports }) =>
    imports.flatMap((specifier) => {
      const to = target(path, specifier);
      if (to === undefined) return [];
      const entered = doors.filter((door) => to.startsWith(roomOf(door)) && !path.startsWith(roomOf(door)));
      if (entered.length === 0 || entered.some((door) => door.path === to)) return [];
      if (Object.hasOwn(SIDE_DOORS, to)) used.add(to);
      return used.has(to) ? [] : [`${path} imports ${to}`];
    }),
  );
  assert.deepEqual(past, []);
  assert.deepEqual([...used].sort(), Object.keys(SIDE_DOORS).sort(), 'a door beside the index that nobody comes through is none');
});

test('a door says by name what it hands out, and hands out nothing that nobody outside takes', () => {
  const takers = all.map((file) => ({ file, taken: takenBy(file.text) }));
  const idle = doors.flatMap((door) => {
    const outside = takers.filter(({ file }) => !file.path.startsWith(roomOf(door)));
    const names = new Set<string>();
    for (const { file, taken } of outside) {
      for (const one of taken.filter(({ specifier }) => target(file.path, specifier) === door.path)) {
        for (const name of one.names ?? file.code.match(/\w+/g) ?? []) names.add(name);
      }
    }
    return exportedBy(door.text)
      .filter((name) => !names.has(name))
      .map((name) => `${door.path} ${name}`);
  });
  assert.deepEqual(idle, []);
});

test('no module waits for itself to be loaded', () => {
  const loaded = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' > '));
    if (loaded.has(path) || way.includes(path)) return;
    const next = staticImportsOf(readText(path)).flatMap((specifier) => target(path, specifier) ?? []); // as built: imports of types are gone
    for (const to of next) visit(to, [...way, path]);
    loaded.add(path);
  };
  for (const { path } of shipped) if (!path.endsWith('.d.ts')) visit(`dist/${path.replace(/\.ts$/, '.js')}`, []);
  assert.deepEqual(circles, []);
});

test('an operation knows no dialect; the server knows what a dialect is, and one only for what cannot be read', () => {
  const known = all
    .filter(({ path }) => path.startsWith('api/rest/'))
    .flatMap(({ path, text }) =>
      takenBy(text)
        .filter(({ specifier }) => target(path, specifier)?.startsWith('api/dialects/'))
        .map(({ names }) => `${path}: ${names?.join(', ') ?? 'all'}`),
    );
  assert.deepEqual(known.sort(), [
    'api/rest/exchange.ts: Dialect, Head, Outcome',
    'api/rest/handle.ts: CallText, Outcome',
    'api/rest/server.ts: Dialect',
    'api/rest/tls-server.ts: MEDIA_TYPE, messageOf',
  ]);
});

test('pure and replicated code imports no module of the machine', () => {
  const wrong = all
    .filter(isPure)
    .flatMap((file) => file.imports.filter((name) => name.startsWith('node:')).map((name) => `${file.path} ${name}`));
  assert.deepEqual(wrong, []);
});

test('node/format and consensus need no package but the curve arithmetic of the reference verifier', () => {
  const allowed = /^@noble\/(?:curves|hashes)\//;
  const files = all.filter((file) => file.path.startsWith('node/format/') || file.path.startsWith('consensus/'));
  const wrong = files.flatMap((file) =>
    file.imports.filter((name) => !name.startsWith('.') && !allowed.test(name)).map((name) => `${file.path} ${name}`),
  );
  assert.deepEqual(wrong, []);
});

test('pure and replicated code has no clock, timer, chance, locale, fraction or engine tables', () => {
  const wrong = all
    .filter(isPure)
    .flatMap((file) =>
      Object.entries(BANNED_IN_PURE).flatMap(([what, pattern]) => places(file, pattern).map((place) => `${place}: ${what}`)),
    );
  assert.deepEqual(wrong, []);
});

test('consensus neither waits nor logs', () => {
  const files = all.filter((file) => file.path.startsWith('consensus/'));
  const wrong = files.flatMap((file) =>
    Object.entries(BANNED_IN_CONSENSUS).flatMap(([what, pattern]) => places(file, pattern).map((place) => `${place}: ${what}`)),
  );
  assert.deepEqual(wrong, []);
});

test('the shell reaches clock, timers, chance and the machine through its World; adapters say that they are one', () => {
  const files = all.filter((file) => file.path.startsWith('node/') && !isPure(file) && !isAdapter(file));
  const wrong = files.flatMap((file) => [
    ...Object.entries(BANNED_IN_SHELL).flatMap(([what, pattern]) => places(file, pattern).map((place) => `${place}: ${what}`)),
    ...file.imports.filter((name) => name.startsWith('node:')).map((name) => `${file.path}: imports ${name}`),
  ]);
  assert.deepEqual(wrong, []);
});

test('an engine is named in consensus/ and where a configuration says which there are, nowhere else', () => {
  const CONFIGURATION = ['node/format/engine-names.ts', 'node/format/engines.ts'];
  const named = all.filter(
    ({ path, text }) => !path.startsWith('consensus/') && !path.startsWith('test/') && ENGINE.test(codeOf(text, true)),
  );
  assert.deepEqual(
    named.map(({ path }) => path),
    CONFIGURATION,
  );
});

test('process, its environment and its arguments appear in entry files only', () => {
  const isEntry = (path: string) => path === 'api/cli/main.ts' || path.startsWith('devnet/') || path.startsWith('test/');
  const wrong = all.filter((file) => !isEntry(file.path) && !isAdapter(file)).flatMap((file) => places(file, /\bprocess\s*\.\s*\w+/g));
  assert.deepEqual(wrong, []);
});

test('no file is a drawer without a label, and none has a default export', () => {
  const drawers = all.filter((file) => /(?:^|\/)(?:utils?|helpers?|common|manager|misc)\.ts$/.test(file.path)).map((file) => file.path);
  assert.deepEqual(drawers, []);
  assert.deepEqual(
    all.flatMap((file) => places(file, /\bexport\s+default\b/g)),
    [],
  );
});

test('the scan sees what it is meant to see', () => {
  assert.equal(all.length > 20, true);
  const probe: SourceFile = { path: 'consensus/x.ts', text: '', code: 'const at = Date.now() * 1.5; value.toLowerCase();', imports: [] };
  const found = Object.values(BANNED_IN_PURE).flatMap((pattern) => places(probe, pattern));
  assert.equal(found.length, 3, found.join('\n'));
});
