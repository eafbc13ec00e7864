/** Every right that a transaction can need is asked for by execution itself: whoever signs with his own key comes past no interface. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { executeTransaction, GAS, genesisWrites, type Right, rights } from '../../../../contracts/index.ts';
import { createCrypto } from '../../../../node/crypto/index.ts';
import {
  type Call,
  decodeJson,
  defaultParameters,
  encodeAmendment,
  encodeContent,
  encodeJson,
  encodeSubmissions,
  fromUtf8,
  type Json,
} from '../../../../node/format/index.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { testGenesis } from './chain.ts';

const TIME_MS = 1_700_000_000_000;
const crypto = createCrypto();
const contracts = await createContracts(crypto, 1);
const state = new Map([...genesisWrites(testGenesis())].map(([key, value]) => [key, value!]));
let transactions = 0;

function run(sender: string, ...calls: readonly Call[]) {
  const tx = {
    transactionId: crypto.hash(encodeJson(++transactions)),
    index: 0,
    sender,
    keyId: 'own-1',
    keyKind: 'own',
    gasLimit: 10_000_000_000,
  } as const;
  const block = { chainId: new Uint8Array(32), height: 7, timestampMs: TIME_MS, era: 0, parameters: defaultParameters() };
  const { hash, verify } = crypto;
  return executeTransaction(
    { ...tx, calls },
    block,
    { get: (key) => state.get(key), transaction: () => assert.fail('no body is read') },
    { ...contracts, hash, verify },
  );
}

function keep(sender: string, contract: string, method: string, args: Json): Json {
  const done = run(sender, { contract, method, args: encodeJson(args) });
  assert.equal(done.status, 'ok', `${done.code} ${fromUtf8(done.detail)}`);
  for (const [key, value] of done.writes) value ? state.set(key, value) : state.delete(key);
  return decodeJson(done.results[0]!);
}

/** For each right an account that holds it alone, and one that holds every other. */
const holder = (right: Right) => `holder${rights.indexOf(right)}@acme`;
const lacking = (right: Right) => `lacking${rights.indexOf(right)}@acme`;
for (const right of rights) {
  const rest = rights.filter((other) => other !== right);
  for (const [account, held] of [
    [holder(right), [right]],
    [lacking(right), rest],
  ] as const) {
    keep('admin@acme', 'access', 'setRole', { role: account, rights: [...held] });
    keep('admin@acme', 'registry', 'register', { kind: 'account', id: account, data: { type: 'person', roles: [account], keys: [] } });
  }
}

const CODE = 'contract({ methods: { add(ctx) { return 1; } }, queries: { total(ctx) { return 1; } } });';
const source = { language: 'javascript', code: CODE, sourceDigest: '0'.repeat(64) };
const { address } = keep('admin@acme', 'contracts', 'deploy', source) as { readonly address: string };
const proposal = { kind: 'setParameter', name: 'governanceVotingBlocks', value: 20 };
const { id } = keep('admin@acme', 'governance', 'propose', proposal) as { readonly id: string };
const grant = { right: 'record:read', object: 'device/D-1', organisation: 'bolt' };
const newKey = (keyId: string): Json => {
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return { keyId, publicKey: Buffer.from(x!, 'base64url').toString('hex'), kind: 'own', scope: ['*'] };
};
const managed = 'managed@acme'; // no stronger than who may manage accounts and nothing else
const managedData = { type: 'person', roles: [holder('account:manage')], keys: [newKey('k1')] };
keep('admin@acme', 'registry', 'register', { kind: 'account', id: managed, data: managedData });

type Case = readonly [right: Right, contract: string, method: string, args: Json | Uint8Array, code?: string];

const recordId = new Uint8Array(32);
const submission = { class: 'nothing', classVersion: 1, content: encodeContent({ a: '1' }), source: {} };
/** What the holder hears is `code`, OK when absent: the call went past the right to what it asks for. */
const cases: readonly Case[] = [
  ['record:submit', 'records', 'submit', encodeSubmissions([submission]), 'RECORD_CLASS_UNKNOWN'],
  [
    'record:submit',
    'records',
    'amend',
    encodeAmendment({ recordId, expectedVersion: 1, reason: 'x', content: encodeContent({ a: '1' }), source: {} }),
    'RECORD_NOT_FOUND',
  ],
  [
    'record:submit',
    'records',
    'withdraw',
    encodeAmendment({ recordId, expectedVersion: 1, reason: 'x', content: undefined, source: {} }),
    'RECORD_NOT_FOUND',
  ],
  ['record:read', 'records', 'get', { id: '00'.repeat(32) }, 'RECORD_NOT_FOUND'],
  ['contract:deploy', 'contracts', 'deploy', source],
  ['contract:call', address, 'add', []],
  ['contract:call', address, 'total', []],
  ['contract:manage', 'contracts', 'pause', { address }],
  ['contract:manage', 'contracts', 'resume', { address }, 'CONTRACT_STATE_CONFLICT'],
  ['contract:manage', 'contracts', 'terminate', { address }],
  ['transaction:submit', 'audit', 'anchor', { node: 'n-acme', head: '00'.repeat(32), count: 1 }],
  ['chain:read', 'contracts', 'info', { address }],
  ['chain:read', 'contracts', 'list', {}],
  ['chain:read', 'registry', 'get', { kind: 'device', id: 'D-1' }],
  ['chain:read', 'registry', 'version', { kind: 'device', id: 'D-1', version: 1 }],
  ['chain:read', 'access', 'may', { account: 'admin@acme', right: 'chain:read' }],
  ['chain:read', 'governance', 'get', { id }],
  ['chain:read', 'governance', 'open', {}],
  ['chain:read', 'governance', 'parameters', {}],
  ['chain:read', 'audit', 'last', { node: 'n-acme' }, 'AUDIT_ANCHOR_UNKNOWN'],
  ['registry:manage', 'registry', 'register', { kind: 'factory', id: 'F-2', data: { name: 'x' } }],
  ['registry:manage', 'registry', 'update', { kind: 'factory', id: 'F-001', version: 1, data: { name: 'y' } }],
  ['registry:manage', 'registry', 'suspend', { kind: 'factory', id: 'F-001' }],
  ['registry:manage', 'registry', 'resume', { kind: 'factory', id: 'F-001' }, 'REGISTRY_STATE_UNCHANGED'],
  ['registry:manage', 'registry', 'withdraw', { kind: 'factory', id: 'F-001' }],
  ['registry:manage', 'access', 'grant', grant],
  ['registry:manage', 'access', 'revoke', grant, 'ACCESS_GRANT_UNKNOWN'],
  ['account:manage', 'access', 'setRole', { role: 'spare@acme', rights: [] }],
  [
    'account:manage',
    'registry',
    'register',
    { kind: 'account', id: 'new@acme', data: { type: 'person', roles: [holder('account:manage')], keys: [] } },
  ],
  ['account:manage', 'registry', 'addKey', { id: managed, key: newKey('k2') }],
  ['account:manage', 'registry', 'revokeKey', { id: managed, keyId: 'k1' }],
  ['account:manage', 'registry', 'raiseSessionEpoch', { id: managed }],
  ['governance:propose', 'governance', 'propose', proposal],
  ['governance:vote', 'governance', 'vote', { id, approve: true }],
];

for (const [right, contract, method, args, code = 'OK'] of cases) {
  const call = { contract, method, args: args instanceof Uint8Array ? args : encodeJson(args) };
  test(`${contract === address ? 'a deployed contract' : contract}.${method} is refused to who lacks ${right} alone, and taken from who holds it alone`, () => {
    const refused = run(lacking(right), call);
    assert.match(refused.code, /^(ACCESS_DENIED|CONTRACT_RIGHT_MISSING|RECORD_RIGHT_MISSING)$/);
    assert.deepEqual(decodeJson(refused.detail), { right, account: lacking(right) });
    assert.equal(refused.writes.size, 0);
    const taken = run(holder(right), call);
    assert.equal(taken.code, code, fromUtf8(taken.detail));
  });
}

/** Rights that no transaction needs: they open what a node shows of itself, or narrow one that is in the table. */
const shownByNodes: readonly Right[] = [
  'record:read:own',
  'chain:read:own',
  'node:read',
  'alarm:read',
  'alarm:acknowledge',
  'audit:read',
  'metrics:read',
];
/** Called by the contract of governance alone. */
const calledWithin = ['registry.put'];

test('every right and every method of a built-in contract has its row', () => {
  const asked = new Set(cases.map(([right]) => right));
  assert.deepEqual([...asked, ...shownByNodes].sort(), [...rights].sort());
  const named = cases.map(([, contract, method]) => `${contract}.${method}`).filter((name) => !name.startsWith(address));
  const methods = [...contracts.builtins.values()].flatMap(({ name, methods, queries }) =>
    [...Object.keys(methods), ...Object.keys(queries)].map((method) => `${name}.${method}`),
  );
  assert.deepEqual([...new Set([...named, ...calledWithin])].sort(), methods.sort());
});

test('the right to call is judged at each call, after what the calls before it changed, and paid for', () => {
  const call = { contract: address, method: 'add', args: encodeJson([]) };
  assert.equal(run('admin@acme', call, call).status, 'ok');
  const before = run(lacking('contract:call'), call);
  assert.ok(before.gasUsed > GAS.transaction + 3 * GAS.read, `organisation, account and role are read: ${before.gasUsed} gas`);
  const self = managing();
  const refused = run(self, call, { contract: 'access', method: 'setRole', args: encodeJson({ role: self, rights: [] }) }, call);
  assert.deepEqual([refused.code, refused.failedCall], ['CONTRACT_RIGHT_MISSING', 2]);
});

/** An account that may call and may change its own role. */
function managing(): string {
  const account = 'managing@acme';
  keep('admin@acme', 'access', 'setRole', { role: account, rights: ['account:manage', 'contract:call'] });
  keep('admin@acme', 'registry', 'register', { kind: 'account', id: account, data: { type: 'person', roles: [account], keys: [] } });
  return account;
}
