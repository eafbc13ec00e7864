import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountData, entryOf, type RegistryEntry, registryKey, stateKey } from '../../../../contracts/index.ts';
import { decodeJson, encodeJson, type Json } from '../../../../node/format/index.ts';
import { refusal } from '../memory-host.ts';
import { BAD_KEY, key, testChain } from './chain.ts';

const factory = (id: string) => ({ kind: 'factory', id, data: { name: 'Line works' } });
const account = (id: string, keys: readonly Json[] = []) => ({ kind: 'account', id, data: { type: 'service', roles: ['operator'], keys } });
const accountData = (entry: Json) => (entry as unknown as RegistryEntry).data as unknown as AccountData;

test('every version of an entry stays readable, and an update names the version it is based on', () => {
  const chain = testChain();
  chain.call('admin@bolt', 'registry', 'register', factory('工厂-1'));
  const update = { kind: 'factory', id: '工厂-1', version: 1, data: { name: 'New name' } };
  chain.call('admin@bolt', 'registry', 'update', update);
  const moved = refusal(() => chain.call('admin@bolt', 'registry', 'update', update));
  assert.equal(moved.code, 'REGISTRY_VERSION_MOVED');
  assert.equal(moved.detail.currentVersion, 2);
  assert.deepEqual(entryOf(chain.read, 'factory', '工厂-1')?.data, { name: 'New name' });
  const first = decodeJson(chain.read('registry', registryKey.version('factory', '工厂-1', 1))!) as unknown as RegistryEntry;
  assert.deepEqual([first.version, first.data, first.owner], [1, { name: 'Line works' }, 'bolt']);
  assert.deepEqual(
    chain.query('operator@acme', 'registry', 'version', { kind: 'factory', id: '工厂-1', version: 1 }),
    first as unknown as Json,
  );
  assert.deepEqual(
    chain.events,
    [1, 2].map((version) => ({
      contract: 'registry',
      name: 'entryChanged',
      data: { kind: 'factory', id: '工厂-1', owner: 'bolt', version, state: 'active' },
    })),
  );
  const ask = (method: string, args: { readonly [name: string]: Json }) => () =>
    chain.query('operator@acme', 'registry', method, { kind: 'factory', id: '工厂-1', ...args });
  assert.deepEqual(ask('get', {})(), { ...first, version: 2, data: { name: 'New name' } });
  assert.equal(refusal(ask('get', { id: '工厂-2' })).code, 'REGISTRY_ENTRY_UNKNOWN');
  assert.equal(refusal(ask('get', { kind: 'robot' })).code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.equal(refusal(ask('version', { version: 3 })).code, 'REGISTRY_ENTRY_UNKNOWN');
  for (const version of [0, 2 ** 32]) assert.equal(refusal(ask('version', { version })).code, 'BUILTIN_ARGUMENTS_INVALID');
});

test('the validity of an entry has either bound, both in order, or none', () => {
  const register = (terms: { readonly [name: string]: Json }) =>
    testChain().call('admin@acme', 'registry', 'register', { ...factory('F-2'), ...terms }) as unknown as RegistryEntry;
  const table: readonly [{ readonly [name: string]: Json }, boolean][] = [
    [{}, true],
    [{ validFrom: 0, validTo: 1 }, true],
    [{ validFrom: 5 }, true],
    [{ validTo: 0 }, true],
    [{ validFrom: 5, validTo: 5 }, false],
    [{ validFrom: 6, validTo: 5 }, false],
    [{ validFrom: -1 }, false],
    [{ validTo: -1 }, false],
    [{ documentDigest: key(7) }, true],
    [{ documentDigest: 'abc' }, false],
  ];
  for (const [terms, sound] of table) {
    if (!sound) assert.equal(refusal(() => register(terms)).code, 'BUILTIN_ARGUMENTS_INVALID', JSON.stringify(terms));
    else {
      const { validFrom, validTo, documentDigest } = register(terms);
      assert.deepEqual({ validFrom, validTo, documentDigest }, { validFrom: null, validTo: null, documentDigest: null, ...terms });
    }
  }
});

test('all faults of a registration are named at once, by pointer', () => {
  const chain = testChain();
  const { code, detail } = refusal(() =>
    chain.call('admin@acme', 'registry', 'register', {
      kind: 'account',
      id: 'Zoë@acme',
      validFrom: 5,
      validTo: 5,
      colour: 'red',
      data: {
        type: 'robot',
        roles: ['operator', 'king'],
        keys: [{ keyId: 'K', publicKey: BAD_KEY, kind: 'own', node: 'n-acme', scope: [] }],
      },
    }),
  );
  assert.equal(code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.deepEqual((detail.faults as { path: string }[]).map((fault) => fault.path).sort(), [
    '/colour',
    '/data/keys/0/keyId',
    '/data/keys/0/node',
    '/data/keys/0/publicKey',
    '/data/keys/0/scope',
    '/data/roles/1',
    '/data/type',
    '/id',
    '/validTo',
  ]);
  assert.equal(chain.gasUsed > 0, true, 'screening a key costs gas');
});

test('ids have bounds and a charset, and account ids end in the organisation', () => {
  const chain = testChain();
  const refused = ['', 'x'.repeat(129), ' F', 'F ', 'a\0b', 'a\u2028b'];
  for (const id of refused)
    assert.equal(
      refusal(() => chain.call('admin@acme', 'registry', 'register', factory(id))).code,
      'BUILTIN_ARGUMENTS_INVALID',
      JSON.stringify(id),
    );
  for (const id of ['eve@bolt', 'eve', '-eve@acme', 'eve@acme@acme', 'EVE@acme', `${'e'.repeat(49)}@acme`])
    assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'register', account(id))).code, 'BUILTIN_ARGUMENTS_INVALID', id);
  chain.call('admin@acme', 'registry', 'register', account('eve.1-x@acme'));
});

test('organisations and nodes change by governance only, and put answers to nobody else', () => {
  const chain = testChain();
  for (const kind of ['organisation', 'node'])
    assert.equal(
      refusal(() => chain.call('admin@acme', 'registry', 'suspend', { kind, id: 'acme' })).code,
      'BUILTIN_ARGUMENTS_INVALID',
      kind,
    );
  const entry = { ...entryOf(chain.read, 'organisation', 'acme')!, state: 'suspended' } as unknown as Json;
  assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'put', { entries: [entry] })).code, 'REGISTRY_GOVERNANCE_ONLY');
  assert.equal(entryOf(chain.read, 'organisation', 'acme')?.state, 'active');
});

test('ids are used once, entries of others are out of reach, and a withdrawn entry stays withdrawn', () => {
  const chain = testChain();
  assert.equal(refusal(() => chain.call('admin@bolt', 'registry', 'register', factory('F-001'))).code, 'REGISTRY_ENTRY_KNOWN');
  const named = { kind: 'factory', id: 'F-001' };
  assert.equal(refusal(() => chain.call('admin@bolt', 'registry', 'withdraw', named)).code, 'REGISTRY_ENTRY_FOREIGN');
  assert.equal(refusal(() => chain.call('operator@acme', 'registry', 'withdraw', named)).code, 'ACCESS_DENIED');
  assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'resume', named)).code, 'REGISTRY_STATE_UNCHANGED');
  assert.equal(
    refusal(() => chain.call('admin@acme', 'registry', 'suspend', { kind: 'factory', id: 'F-9' })).code,
    'REGISTRY_ENTRY_UNKNOWN',
  );
  chain.call('admin@acme', 'registry', 'withdraw', named);
  assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'resume', named)).code, 'REGISTRY_ENTRY_WITHDRAWN');
  assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'register', factory('F-001'))).code, 'REGISTRY_ENTRY_KNOWN');
});

test('a device stands in a factory of its own organisation', () => {
  const chain = testChain();
  const device = { kind: 'device', id: 'D-9', data: { factory: 'F-001' } };
  assert.equal(refusal(() => chain.call('admin@bolt', 'registry', 'register', device)).code, 'BUILTIN_ARGUMENTS_INVALID');
  chain.call('admin@acme', 'registry', 'register', device);
  assert.equal(entryOf(chain.read, 'device', 'D-9')?.owner, 'acme');
});

test('keys are added once, revoked for ever, and custodial ones are those of the own node', () => {
  const chain = testChain();
  chain.call('admin@acme', 'registry', 'register', account('mes@acme'));
  const own = { keyId: 'k1', publicKey: key(7), kind: 'own', scope: ['records'] };
  const add = (changes: { [name: string]: Json }) => () =>
    chain.call('admin@acme', 'registry', 'addKey', { id: 'mes@acme', key: { ...own, ...changes } });
  add({})();
  assert.equal(refusal(add({})).code, 'BUILTIN_ARGUMENTS_INVALID', 'a keyId names one key for ever');
  const custodial = { keyId: 'k2', kind: 'custodial', node: 'n-acme', publicKey: key(13) };
  for (const changes of [{ publicKey: key(8) }, { node: 'n-bolt', publicKey: key(23) }, { node: null }])
    assert.equal(refusal(add({ ...custodial, ...changes })).code, 'BUILTIN_ARGUMENTS_INVALID', JSON.stringify(changes));
  add(custodial)();
  const revoked = chain.call('mes@acme', 'registry', 'revokeKey', { id: 'mes@acme', keyId: 'k1' });
  assert.deepEqual(
    accountData(revoked).keys.map((held) => [held.keyId, held.revoked]),
    [
      ['k1', true],
      ['k2', false],
    ],
  );
  assert.equal(
    refusal(() => chain.call('mes@acme', 'registry', 'revokeKey', { id: 'mes@acme', keyId: 'k1' })).code,
    'REGISTRY_KEY_UNKNOWN',
  );
  assert.equal(refusal(add({ keyId: 'k1', publicKey: key(9) })).code, 'BUILTIN_ARGUMENTS_INVALID', 'a revoked keyId is not given again');
});

test('who has lost a key revokes it himself while his account is active, and gives himself none', () => {
  const chain = testChain();
  const account = { id: 'operator@acme' };
  const added = { keyId: 'k2', publicKey: key(7), kind: 'own', scope: ['*'] };
  assert.equal(refusal(() => chain.call('operator@acme', 'registry', 'addKey', { ...account, key: added })).code, 'ACCESS_DENIED');
  chain.call('admin@acme', 'registry', 'addKey', { ...account, key: added });
  const revoke = (sender: string, keyId: string) => () => chain.call(sender, 'registry', 'revokeKey', { ...account, keyId });
  revoke('operator@acme', 'k2')();
  chain.call('admin@acme', 'registry', 'suspend', { kind: 'account', ...account });
  assert.equal(refusal(revoke('operator@acme', 'own-1')).code, 'ACCESS_DENIED');
  assert.equal(refusal(() => chain.call('operator@acme', 'registry', 'raiseSessionEpoch', account)).code, 'ACCESS_DENIED');
  assert.equal(refusal(revoke('admin@bolt', 'own-1')).code, 'REGISTRY_ENTRY_FOREIGN');
  const contract = `0x${'1'.repeat(40)}`; // speaks for itself, and has no account
  assert.equal(refusal(() => chain.call(contract, 'registry', 'revokeKey', { id: contract, keyId: 'k' })).code, 'ACCESS_DENIED');
  revoke('admin@acme', 'own-1')();
});

test('a key is read field by field, and what it may not hold is named by pointer', () => {
  const sound: { readonly [name: string]: Json } = { keyId: 'k', publicKey: key(7), kind: 'own', scope: ['*'] };
  const node = { kind: 'custodial', node: 'n-acme', publicKey: key(13) };
  const table: readonly [{ readonly [name: string]: Json }, path?: string][] = [
    [{ scope: ['records', `0x${'0'.repeat(40)}`, 'a'.repeat(41)], validTo: 1, suite: 1, node: null }],
    [node],
    [{ keyId: 'K' }, '/keyId'],
    [{ publicKey: key(7).slice(1) }, '/publicKey'],
    [{ publicKey: `${key(7)}0` }, '/publicKey'],
    [{ publicKey: key(171).toUpperCase() }, '/publicKey'],
    [{ publicKey: BAD_KEY }, '/publicKey'],
    [{ suite: 2 }, '/publicKey'], // for the suite it names
    [{ suite: 0 }, '/suite'],
    [{ suite: 256 }, '/suite'],
    [{ kind: 'shared' }, '/kind'],
    [{ node: 'n-acme' }, '/node'],
    [{ ...node, node: null }, '/node'],
    [{ ...node, node: 'n-nowhere' }, '/node'],
    [{ ...node, node: 'n-bolt', publicKey: key(23) }, '/node'],
    [{ ...node, publicKey: key(12) }, '/publicKey'],
    [{ scope: [] }, '/scope'],
    [{ scope: Array.from({ length: 33 }, (_, i) => `c${i}`) }, '/scope'],
    [{ scope: ['*', '*'] }, '/scope/1'],
    [{ scope: [''] }, '/scope/0'],
    [{ scope: ['a'.repeat(43)] }, '/scope/0'],
    [{ scope: ['records '] }, '/scope/0'],
    [{ scope: ['-records'] }, '/scope/0'],
    [{ validTo: 0 }, '/validTo'],
    [{ revoked: true }, '/revoked'],
  ];
  for (const [changes, path] of table) {
    const add = (chain = testChain()) =>
      chain.call('admin@acme', 'registry', 'addKey', { id: 'operator@acme', key: { ...sound, ...changes } });
    if (path === undefined) {
      const expected = { suite: 1, node: null, validTo: null, ...sound, ...changes, revoked: false };
      assert.deepEqual(accountData(add()).keys.at(-1), expected);
      continue;
    }
    const { code, detail } = refusal(add);
    assert.equal(code, 'BUILTIN_ARGUMENTS_INVALID', path);
    assert.deepEqual([...new Set((detail.faults as { path: string }[]).map((fault) => fault.path))], [`/key${path}`], path);
  }
});

test('a node that is suspended signs for no further account', () => {
  const chain = testChain();
  const entry = entryOf(chain.read, 'node', 'n-acme')!;
  chain.state.set(stateKey('registry', registryKey.entry('node', 'n-acme')), encodeJson({ ...entry, state: 'suspended' } as never));
  const custodial = { keyId: 'k2', kind: 'custodial', node: 'n-acme', publicKey: key(13), scope: ['*'] };
  const add = () => chain.call('admin@acme', 'registry', 'addKey', { id: 'operator@acme', key: custodial });
  assert.equal(refusal(add).code, 'BUILTIN_ARGUMENTS_INVALID');
});

test('an account has so many keys in its life, revoked ones counted, and every key that is screened is paid for', () => {
  const chain = testChain();
  const keys = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ keyId: `k${i}`, publicKey: key(i + 1), kind: 'own', scope: ['*'] }));
  const register = (id: string, list: readonly Json[]) => chain.call('admin@acme', 'registry', 'register', account(id, list));
  assert.equal(refusal(() => register('mes@acme', keys(65))).code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.equal(refusal(() => register('mes@acme', [...keys(1), ...keys(1)])).code, 'BUILTIN_ARGUMENTS_INVALID', 'one keyId twice');
  const before = chain.gasUsed;
  register('mes@acme', keys(63));
  assert.ok(chain.gasUsed - before > 63 * 80_000_000);
  const add = (keyId: string) => () =>
    chain.call('admin@acme', 'registry', 'addKey', { id: 'mes@acme', key: { keyId, publicKey: key(7), kind: 'own', scope: ['*'] } });
  add('last')();
  chain.call('admin@acme', 'registry', 'revokeKey', { id: 'mes@acme', keyId: 'k0' });
  assert.equal(refusal(add('more')).code, 'BUILTIN_ARGUMENTS_INVALID');
});

test('a session epoch is raised by the account itself or its administrator, and by nobody else', () => {
  const chain = testChain();
  const raise = (sender: string) => () => chain.call(sender, 'registry', 'raiseSessionEpoch', { id: 'operator@acme' });
  assert.equal(accountData(raise('operator@acme')()).sessionEpoch, 2);
  assert.equal(accountData(raise('admin@acme')()).sessionEpoch, 3);
  assert.equal(refusal(raise('admin@bolt')).code, 'REGISTRY_ENTRY_FOREIGN');
  assert.equal(refusal(raise('operator@bolt')).code, 'ACCESS_DENIED');
});

test('an administrator cannot lock himself out, and an update leaves keys and epoch alone', () => {
  const chain = testChain();
  for (const method of ['suspend', 'withdraw'])
    assert.equal(
      refusal(() => chain.call('admin@acme', 'registry', method, { kind: 'account', id: 'admin@acme' })).code,
      'BUILTIN_ARGUMENTS_INVALID',
    );
  const weaker = { kind: 'account', id: 'admin@acme', version: 1, data: { type: 'person', roles: ['operator'] } };
  assert.equal(refusal(() => chain.call('admin@acme', 'registry', 'update', weaker)).code, 'BUILTIN_ARGUMENTS_INVALID');
  const before = entryOf(chain.read, 'account', 'operator@acme')!.data as unknown as AccountData;
  const entry = chain.call('admin@acme', 'registry', 'update', {
    kind: 'account',
    id: 'operator@acme',
    version: 1,
    data: { type: 'person', roles: ['auditor'] },
  });
  assert.deepEqual(accountData(entry), { ...before, roles: ['auditor'] });
});
