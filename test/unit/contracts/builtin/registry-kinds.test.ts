import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ENTRY_DATA_BYTES_MAX,
  entryOf,
  GAS_PER_CLASS_BYTE,
  loadClass,
  MAP_NAMES_MAX,
  type RegistryEntry,
  registryKey,
  stateKey,
} from '../../../../contracts/index.ts';
import { decodeJson, encodeJson, type Json, type JsonObject } from '../../../../node/format/index.ts';
import { type MemoryChain, refusal } from '../memory-host.ts';
import { key, testChain } from './chain.ts';

const PAPER = key(7);
const register = (chain: MemoryChain, body: JsonObject, sender = 'admin@acme') => chain.call(sender, 'registry', 'register', body);
const loaded = (chain: MemoryChain, name: string, version?: number) =>
  loadClass({ read: chain.read, block: chain.host('admin@acme', 'admin@acme', 'records').block }, name, version, 0);

const heat = (changes: JsonObject = {}): JsonObject => ({
  name: 'heat',
  version: 1,
  key: ['furnace', 'started'],
  body: {
    type: 'struct',
    properties: {
      furnace: { type: 'text', maxLength: 64 },
      started: { type: 'text', format: 'time', maxLength: 64 },
      grade: { type: 'text', enum: ['A', 'B'] },
      degrees: { type: 'decimal', minimum: '0', maximum: '2000' },
    },
    required: ['furnace', 'started', 'degrees'],
  },
  facts: { time: 'started' },
  ...changes,
});

const ENTRIES: Readonly<Record<string, JsonObject>> = {
  class: { id: 'heat', data: heat() },
  mapping: { id: 'mes/heat-csv', documentDigest: PAPER, data: { name: 'Heats of the MES', class: 'production', format: 'text/csv' } },
  interface: { id: 'mes-1', data: { name: 'Line MES', system: 'MES 7' } },
  agreement: { id: 'supply-2026', documentDigest: PAPER, data: { name: 'Supply', parties: ['bolt', 'cast'] } },
  authorisation: { id: 'audit-2026', documentDigest: PAPER, data: { name: 'Audit', grantee: 'dent', purpose: 'Yearly audit' } },
  document: { id: 'certificate-7', documentDigest: PAPER, data: { name: 'Certificate', mediaType: 'application/pdf', bytes: 1_024 } },
};

test('every kind an organisation keeps is registered, changed and withdrawn by its owner, and all versions stay', () => {
  for (const [kind, entry] of Object.entries(ENTRIES)) {
    const chain = testChain();
    const id = entry.id as string;
    const first = register(chain, { kind, ...entry }) as unknown as RegistryEntry;
    assert.deepEqual([first.owner, first.version, first.state], ['acme', 1, 'active'], kind);
    assert.equal(
      refusal(() => register(chain, { kind, ...entry }, kind === 'agreement' ? 'admin@dent' : 'admin@bolt')).code,
      'REGISTRY_ENTRY_KNOWN',
      kind,
    );
    const change = { kind, ...entry, version: 1, validTo: 1_900_000_000_000 };
    assert.equal(refusal(() => chain.call('admin@bolt', 'registry', 'update', change)).code, 'REGISTRY_ENTRY_FOREIGN', kind);
    assert.equal(refusal(() => chain.call('operator@acme', 'registry', 'update', change)).code, 'ACCESS_DENIED', kind);
    assert.equal((chain.call('admin@acme', 'registry', 'update', change) as unknown as RegistryEntry).validTo, 1_900_000_000_000, kind);
    chain.call('admin@acme', 'registry', 'withdraw', { kind, id });
    assert.equal(entryOf(chain.read, kind as RegistryEntry['kind'], id)?.state, 'withdrawn', kind);
    assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'resume', { kind, id })).code, 'REGISTRY_ENTRY_WITHDRAWN', kind);
    const states = [1, 2, 3].map((version) => {
      const bytes = chain.read('registry', registryKey.version(kind as RegistryEntry['kind'], id, version));
      const held = decodeJson(bytes!) as unknown as RegistryEntry;
      return [held.version, held.state, held.validTo];
    });
    assert.deepEqual(states, [
      [1, 'active', null],
      [2, 'active', 1_900_000_000_000],
      [3, 'withdrawn', 1_900_000_000_000],
    ]);
  }
});

test('what an entry of each kind may not say is named by pointer', () => {
  const table: readonly [string, JsonObject, string][] = [
    ['class', { data: heat({ name: 'cold' }) }, '/data/name'],
    ['class', { data: heat({ version: 2 }) }, '/data/version'],
    ['class', { data: heat({ colour: 'red' }) }, '/data/colour'],
    ['class', { data: heat({ key: ['nowhere'] }) }, '/data/key nowhere'],
    ['class', { data: heat({ facts: { time: 'grade' } }) }, '/data/facts/time'],
    ['class', { data: heat({ facts: { materials: { list: 'grade', supplier: 'a', batch: 'b' } } }) }, '/data/facts/materials/list'],
    ['class', { data: 'heat' }, '/data'],
    ['mapping', { documentDigest: null }, '/documentDigest'],
    ['mapping', { data: { name: 'x', class: 'nothing', format: 'csv' } }, '/data/class'],
    ['interface', { data: { name: 'x', system: '' } }, '/data/system'],
    ['agreement', { data: { name: 'x', parties: [] } }, '/data/parties'],
    ['agreement', { data: { name: 'x', parties: ['acme'] } }, '/data/parties/0'],
    ['authorisation', { data: { name: 'x', grantee: 'nobody', purpose: 'y' } }, '/data/grantee'],
    ['document', { data: { name: 'x', mediaType: 'PDF', bytes: 1 } }, '/data/mediaType'],
    ['document', { documentDigest: 'abc' }, '/documentDigest'],
  ];
  for (const [kind, changes, path] of table) {
    const { code, detail } = refusal(() => register(testChain(), { kind, ...ENTRIES[kind], ...changes }));
    assert.equal(code, 'BUILTIN_ARGUMENTS_INVALID', `${kind} ${path}`);
    assert.ok(
      (detail.faults as { path: string }[]).some((fault) => fault.path === path),
      `${kind} ${path}: ${JSON.stringify(detail.faults)}`,
    );
  }
  assert.equal(
    refusal(() => register(testChain(), { kind: 'class', id: 'production', data: heat({ name: 'production' }) })).code,
    'REGISTRY_ENTRY_KNOWN',
  );
  const enumOf = (length: number) => Array.from({ length }, (_, i) => `${i}`.padStart(600, 'x'));
  const large = heat({
    body: { type: 'struct', properties: { furnace: { type: 'text', enum: enumOf(120) }, started: { type: 'text' } } } as Json,
  });
  const { detail } = refusal(() => register(testChain(), { kind: 'class', id: 'heat', data: large }));
  assert.match(JSON.stringify(detail.faults), new RegExp(`at most ${ENTRY_DATA_BYTES_MAX} bytes`));
});

test('lists that every replica looks through are short and without repetition', () => {
  const body = (field: Json, more: JsonObject = {}): JsonObject => ({
    type: 'struct',
    properties: { furnace: { type: 'text' }, started: { type: 'text', format: 'time' }, list: field },
    ...more,
  });
  const names = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);
  const struct = { type: 'struct', properties: Object.fromEntries(names(40).map((name) => [name, { type: 'text' }])) };
  const refused: readonly JsonObject[] = [
    body({ type: 'text', enum: names(129) }),
    body({ type: 'text', enum: ['A', 'A'] }),
    body({ type: 'text', enum: [] }),
    body({ ...struct, required: ['n1', 'n1'] }),
    body({ ...struct, requiredAny: names(17) }),
  ];
  for (const wrong of refused)
    assert.equal(
      refusal(() => register(testChain(), { kind: 'class', id: 'heat', data: heat({ body: wrong }) })).code,
      'BUILTIN_ARGUMENTS_INVALID',
    );
  register(testChain(), {
    kind: 'class',
    id: 'heat',
    data: heat({ body: body({ ...struct, required: names(40), requiredAny: names(16) }) }),
  });
  assert.equal(
    refusal(() => register(testChain(), { kind: 'class', id: 'heat', data: heat({ key: ['furnace', 'furnace'] }) })).code,
    'BUILTIN_ARGUMENTS_INVALID',
  );
});

test('a class changes by its next version with the same key, and its terms alone without one', () => {
  const chain = testChain();
  register(chain, { kind: 'class', ...ENTRIES.class });
  const update = (version: number, data: JsonObject) =>
    chain.call('admin@acme', 'registry', 'update', { kind: 'class', id: 'heat', version, data });
  const wrong = (version: number, data: JsonObject) => refusal(() => update(version, data)).code;
  assert.equal(wrong(1, heat({ facts: {} })), 'BUILTIN_ARGUMENTS_INVALID', 'another definition under the same version');
  assert.equal(wrong(1, heat({ version: 3, facts: {} })), 'BUILTIN_ARGUMENTS_INVALID');
  assert.equal(wrong(1, heat({ version: 2, key: ['furnace'] })), 'BUILTIN_ARGUMENTS_INVALID');
  update(1, heat());
  update(2, heat({ version: 2, facts: {} }));
  assert.deepEqual(loaded(chain, 'heat', 2).facts, {});
  assert.equal(refusal(() => loaded(chain, 'heat', 1)).code, 'RECORD_CLASS_VERSION');
});

test('a map of more names than the registry takes today is refused there, and a class that has one already stays good for records', () => {
  const names = (maxItems: number, version = 1) =>
    heat({
      version,
      body: {
        type: 'struct',
        properties: {
          furnace: { type: 'text' },
          started: { type: 'text', format: 'time' },
          names: { type: 'map', names: 'name', values: { type: 'text' }, maxItems },
        },
      },
    });
  const chain = testChain();
  const wide = names(MAP_NAMES_MAX + 1);
  const wideAgain = names(MAP_NAMES_MAX + 1, 2);
  const pathsOf = (run: () => unknown) => (refusal(run).detail.faults as { path: string }[]).map(({ path }) => path);
  assert.deepEqual(
    pathsOf(() => register(chain, { kind: 'class', id: 'heat', data: wide })),
    ['/data/body/names/maxItems'],
  );
  const entry = register(chain, { kind: 'class', id: 'heat', data: names(MAP_NAMES_MAX) }) as JsonObject;
  chain.state.set(stateKey('registry', registryKey.entry('class', 'heat')), encodeJson({ ...entry, data: wide })); // as an older chain took it
  assert.equal(loaded(chain, 'heat').version, 1);
  const update = (version: number, data: JsonObject) =>
    chain.call('admin@acme', 'registry', 'update', { kind: 'class', id: 'heat', version, data, validTo: 1_900_000_000_000 });
  assert.deepEqual(
    pathsOf(() => update(1, wideAgain)),
    ['/data/body/names/maxItems'],
  );
  update(1, wide);
  assert.equal(loaded(chain, 'heat').version, 1, 'its terms changed alone');
  update(2, names(MAP_NAMES_MAX, 2));
});

test('a class that is suspended, withdrawn or outside its time takes no records', () => {
  const chain = testChain();
  register(chain, { kind: 'class', ...ENTRIES.class, validFrom: 1_700_000_000_000, validTo: 1_700_000_000_500 });
  assert.equal(loaded(chain, 'heat').name, 'heat');
  chain.timestampMs = 1_700_000_000_500;
  assert.equal(refusal(() => loaded(chain, 'heat')).code, 'RECORD_CLASS_UNKNOWN');
  chain.timestampMs = 1_700_000_000_000;
  chain.call('admin@acme', 'registry', 'suspend', { kind: 'class', id: 'heat' });
  assert.equal(refusal(() => loaded(chain, 'heat')).code, 'RECORD_CLASS_UNKNOWN');
  chain.call('admin@acme', 'registry', 'resume', { kind: 'class', id: 'heat' });
  assert.equal(loaded(chain, 'heat').version, 1);
});

test('whoever writes a record pays for opening its class each time, whatever a replica remembers', () => {
  const chain = testChain();
  register(chain, { kind: 'class', ...ENTRIES.class });
  const { block } = chain.host('admin@acme', 'admin@acme', 'records');
  const price = GAS_PER_CLASS_BYTE * chain.read('registry', registryKey.entry('class', 'heat'))!.length;
  const paid: number[] = [];
  for (let i = 0; i < 2; i++) loadClass({ read: chain.read, block, useGas: (units) => paid.push(units) }, 'heat', 1, 0);
  assert.deepEqual(paid, [price, price]);
});
