import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fault, genesisOutgrown, parseGenesis } from '../../../../node/config/index.ts';
import { testKey } from '../format/genesis-fixture.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { decodeJson, toHex } from '../../../../node/format/index.ts';
import { type Genesis, genesisWrites, registryKey } from '../../../../contracts/index.ts';

const hex = (digit: number, kind: number) => toHex(testKey(`${kind}${digit}`).publicKey);
/** The identity: every signature of zeros is one under it. */
const SMALL_ORDER = `01${'00'.repeat(31)}`;
const good: Genesis = {
  version: 1,
  name: 'test',
  timestampMs: 1_700_000_000_000,
  engine: 'pbft',
  executionVersion: 1,
  parameters: { viewTimeoutMs: 3_000 },
  organisations: [
    { id: 'mill', name: 'Mill' },
    { id: 'lab', name: 'Lab' },
  ],
  nodes: [1, 2, 3, 4].map((i) => ({
    id: `n${i}`,
    organisation: i < 4 ? 'mill' : 'lab',
    transportKey: hex(i, 1),
    validatorKey: hex(i, 2),
    tokenKey: hex(i, 3),
    custodialKey: hex(i, 4),
    addresses: [`/ip4/127.0.0.1/tcp/${26_600 + i}`],
    role: 'validator' as const,
    weight: 1,
  })),
  accounts: [
    {
      id: 'admin@mill',
      organisation: 'mill',
      type: 'person',
      roles: ['admin'],
      keys: [{ keyId: 'n1', publicKey: hex(1, 4), suite: 1, kind: 'custodial', node: 'n1', scope: ['*'], validTo: null, revoked: false }],
    },
  ],
  factories: [{ id: 'F-001', organisation: 'mill', name: 'Hall one' }],
  devices: [{ id: 'M-1', organisation: 'mill', factory: 'F-001' }],
};

const faultsOf = (genesis: unknown): readonly Fault[] => {
  try {
    parseGenesis(JSON.stringify(genesis), { isNew: true });
  } catch (error) {
    assert.ok(error instanceof ChainError && error.code === 'GENESIS_INVALID');
    return error.data.faults as readonly Fault[];
  }
  return [];
};
// biome-ignore lint/suspicious/noExplicitAny: faulty files are made on purpose
type Loose = any;
const changed = (change: (genesis: Loose) => void): unknown => {
  const copy = structuredClone(good);
  change(copy);
  return copy;
};

test('a whole genesis is read as it stands', () => {
  assert.deepEqual(parseGenesis(JSON.stringify(good)), good);
});

const cases: readonly (readonly [string, (genesis: Loose) => void, readonly string[]])[] = [
  ['two nodes of one id', (g) => (g.nodes[1].id = 'n1'), ['/nodes/1/id']],
  ['two nodes with one validator key', (g) => (g.nodes[1].validatorKey = g.nodes[0].validatorKey), ['/nodes/1/validatorKey']],
  ...(['transportKey', 'validatorKey', 'tokenKey'] as const).map((name): (typeof cases)[number] => [
    `a ${name} of small order`,
    (g) => (g.nodes[1][name] = SMALL_ORDER),
    [`/nodes/1/${name}`],
  ]),
  [
    'a custodial key and an own one that are points of no curve',
    (g) => {
      g.nodes[3].custodialKey = 'ff'.repeat(32);
      g.accounts[0].keys[0] = { ...g.accounts[0].keys[0], kind: 'own', node: null, publicKey: '02'.repeat(32) };
    },
    ['/accounts/0/keys/0/publicKey', '/nodes/3/custodialKey'],
  ],
  ['three validators', (g) => (g.nodes[3].role = 'observer'), ['/nodes']],
  ['a validator without weight', (g) => (g.nodes[2].weight = 0), ['/nodes/2/weight']],
  ['an organisation nobody declared', (g) => (g.nodes[3].organisation = 'ghost'), ['/nodes/3/organisation']],
  ['an account named for another organisation', (g) => (g.accounts[0].id = 'admin@lab'), ['/accounts/0/id']],
  ['a custodial key at a foreign node', (g) => (g.accounts[0].keys[0].node = 'n4'), ['/accounts/0/keys/0/node']],
  ["a custodial key that is not the node's", (g) => (g.accounts[0].keys[0].publicKey = hex(9, 9)), ['/accounts/0/keys/0/publicKey']],
  ['an own key that names a node', (g) => (g.accounts[0].keys[0].kind = 'own'), ['/accounts/0/keys/0/node']],
  ['a role that the chain does not have', (g) => g.accounts[0].roles.push('no-such-role'), ['/accounts/0/roles/1']],
  ['a role whose name every object has', (g) => (g.accounts[0].roles = ['toString']), ['/accounts/0/roles/0']],
  ["a device at another organisation's factory", (g) => (g.devices[0].organisation = 'lab'), ['/devices/0/factory']],
  ['a validator that weighs more than the others', (g) => (g.nodes[2].weight = 2), ['/nodes']],
  ['a first view longer than the longest', (g) => (g.parameters = { viewTimeoutMs: 50_000 }), ['/parameters']],
  ['blocks longer than a quarter of a view', (g) => (g.parameters = { viewTimeoutMs: 1_000 }), ['/parameters']],
  ['an id that no transaction could give', (g) => (g.factories[0].id = g.devices[0].factory = 'F-1 '), ['/factories/0/id']],
  ['a device in no factory', (g) => (g.devices[0].factory = 'F-9'), ['/devices/0/factory']],
  [
    'an unknown and an excessive parameter',
    (g) => (g.parameters = { viewTimeotMs: 1, viewTimeoutMs: 1 }),
    ['/parameters/viewTimeotMs', '/parameters/viewTimeoutMs'],
  ],
  [
    'several faults of form',
    (g) => Object.assign(g, { engine: 'raft', name: undefined, nodes: [{ ...g.nodes[0], transportKey: 'AB' }, ...g.nodes.slice(1)] }),
    ['/engine', '/name', '/nodes/0/transportKey'],
  ],
  ['a name the form does not know', (g) => (g.nodes[0].wieght = 1), ['/nodes/0/wieght']],
];
for (const [what, change, pointers] of cases) {
  test(`genesis with ${what} is refused by pointer`, () => {
    assert.deepEqual(
      faultsOf(changed(change))
        .map((fault) => fault.pointer)
        .sort(),
      pointers,
    );
  });
}

test('a near miss is answered with the name that was meant', () => {
  const [fault] = faultsOf(changed((g) => (g.parameters = { viewTimeotMs: 1_000 })));
  assert.match(fault!.message, /did you mean viewTimeoutMs/);
});

test('who takes over a genesis cannot change it: what a later rule says of full blocks is put right by governance, and it is told how', () => {
  const text = (parameters: Record<string, number>) => JSON.stringify({ ...good, parameters });
  const cases: readonly (readonly [Record<string, number>, Record<string, number>])[] = [
    [{ viewTimeoutMs: 1_000 }, { viewTimeoutMs: 2_000 }],
    [{ viewTimeoutMs: 250, viewTimeoutMaxMs: 1_999 }, { blockGasMax: 2_500_000_000 }],
  ];
  for (const [given, expected] of cases) {
    assert.throws(() => parseGenesis(text(given), { isNew: true }), { code: 'GENESIS_INVALID' });
    const { fault, change } = genesisOutgrown(parseGenesis(text(given)))!;
    assert.match(fault, /blockGasMax must not be above/);
    const { name, value } = JSON.parse(change) as { name: string; value: number };
    assert.deepEqual({ [name]: value }, expected);
  }
  assert.equal(genesisOutgrown(good), undefined);
  assert.match(
    faultsOf(changed((g) => (g.parameters = { viewTimeoutMs: 1_000 })))[0]!.message,
    /20000000000 .* state a lower one, or longer views/,
  );
  assert.throws(() => parseGenesis(text({ viewTimeoutMs: 50_000 })), { code: 'GENESIS_INVALID' }, 'no chain ever ran with that');
});

test('a genesis may register mappings: each of a built-in class, with the digest of its document', () => {
  const mapping = {
    id: 'mes/1',
    organisation: 'mill',
    name: 'MES',
    class: 'production',
    format: 'text/csv',
    documentDigest: 'ab'.repeat(32),
  };
  const withMapping = (change: object) => faultsOf({ ...good, mappings: [{ ...mapping, ...change }] }).map(({ pointer }) => pointer);
  assert.deepEqual(withMapping({}), []);
  assert.deepEqual(withMapping({ class: 'heats' }), ['/mappings/0/class']);
  assert.deepEqual(withMapping({ organisation: 'nobody' }), ['/mappings/0/organisation']);
  assert.deepEqual(withMapping({ documentDigest: 'AB' }), ['/mappings/0/documentDigest']);
  const written = [...genesisWrites({ ...good, mappings: [mapping] })];
  const [, entry] = written.find(([key]) => key.endsWith(registryKey.entry('mapping', 'mes/1')))!;
  const { owner, documentDigest, data } = decodeJson(entry!) as { readonly [name: string]: unknown };
  assert.deepEqual([owner, documentDigest], ['mill', mapping.documentDigest]);
  assert.deepEqual(data, { name: 'MES', class: 'production', format: 'text/csv' });
});
