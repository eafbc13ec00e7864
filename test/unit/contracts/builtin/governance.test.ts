import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configurationOf,
  createBuiltins,
  entryOf,
  genesisFaults,
  genesisWrites,
  governanceKey,
  isMajority,
  may,
  parametersOf,
  type Proposal,
  stateKey,
} from '../../../../contracts/index.ts';
import { decodeJson, defaultParameters, encodeConfiguration, encodeJson, type Json, toHex } from '../../../../node/format/index.ts';
import { MemoryChain, refusal } from '../memory-host.ts';
import { acceptKey, BAD_KEY, key, nodeData, ORGANISATIONS, ownKey, testChain, testGenesis } from './chain.ts';

const proposal = (value: Json) => value as unknown as Proposal;
const propose = (chain: MemoryChain, body: Json, sender = 'admin@acme') => proposal(chain.call(sender, 'governance', 'propose', body));
const vote = (chain: MemoryChain, organisation: string, id: string, approve = true) =>
  proposal(chain.call(`admin@${organisation}`, 'governance', 'vote', { id, approve }));
/** Proposes and has the first `count` organisations approve. */
function pass(chain: MemoryChain, body: Json, count = 3): Proposal {
  let last = propose(chain, body);
  for (const organisation of ORGANISATIONS.slice(0, count)) last = vote(chain, organisation, last.id);
  return last;
}
const openIds = (chain: MemoryChain) =>
  (chain.query('operator@acme', 'governance', 'open', {}) as unknown as Proposal[]).map(({ id }) => id);
const pathsOf = (detail: Readonly<Record<string, unknown>>) => (detail.faults as { path: string }[]).map(({ path }) => path);

test('two thirds of the organisations decide: the table of both readings at every small count', () => {
  const needed = [1, 2, 3, 4, 5, 6, 7].map((total) => [0, 1, 2, 3, 4, 5, 6, 7].find((count) => isMajority(count, total)));
  assert.deepEqual(needed, [1, 2, 2, 3, 4, 4, 5]);
  assert.equal(isMajority(0, 0), false);
});

test('a parameter changes with the vote that completes the majority, not before, and the configuration follows', () => {
  const chain = testChain();
  const before = toHex(encodeConfiguration(configurationOf(chain.read)));
  const { id, expiryHeight } = propose(chain, { kind: 'setParameter', name: 'idleBlockIntervalMs', value: 900 });
  assert.deepEqual([id, expiryHeight], ['00000001', 1 + defaultParameters().governanceVotingBlocks]);
  assert.equal(vote(chain, 'acme', '1').state, 'open', 'a number without leading zeros names it too');
  assert.equal(vote(chain, 'bolt', id).state, 'open');
  assert.equal(toHex(encodeConfiguration(configurationOf(chain.read))), before);
  chain.height = 5;
  const decided = vote(chain, 'cast', id);
  assert.deepEqual([decided.state, decided.decidedHeight, decided.votes.length], ['passed', 5, 3]);
  assert.equal(parametersOf(chain.read).idleBlockIntervalMs, 900);
  assert.deepEqual(chain.query('operator@bolt', 'governance', 'parameters', {}), {
    ...defaultParameters(),
    ...{ governanceVotingBlocks: 10, idleBlockIntervalMs: 900 },
  });
  assert.notEqual(toHex(encodeConfiguration(configurationOf(chain.read))), before, 'the deciding block is a barrier');
  assert.deepEqual(chain.events.at(-1), { contract: 'governance', name: 'configurationChanged', data: { height: 6 } });
  assert.equal(refusal(() => vote(chain, 'dent', id)).code, 'GOVERNANCE_PROPOSAL_DECIDED');
  chain.height = expiryHeight + 1;
  assert.deepEqual(proposal(chain.query('operator@acme', 'governance', 'get', { id })), decided, 'what was decided stays so');
});

test('an organisation votes once, whichever account votes, and refusals end a proposal as soon as it cannot pass', () => {
  const chain = testChain();
  chain.call('admin@acme', 'registry', 'register', {
    kind: 'account',
    id: 'deputy@acme',
    data: { type: 'person', roles: ['admin'], keys: [] },
  });
  const { id } = propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 5 });
  vote(chain, 'acme', id);
  assert.equal(refusal(() => chain.call('deputy@acme', 'governance', 'vote', { id, approve: true })).code, 'GOVERNANCE_VOTE_REPEATED');
  assert.equal(refusal(() => chain.call('operator@bolt', 'governance', 'vote', { id, approve: true })).code, 'ACCESS_DENIED');
  assert.equal(vote(chain, 'bolt', id, false).state, 'open');
  assert.equal(vote(chain, 'cast', id, false).state, 'rejected');
  assert.equal(parametersOf(chain.read).blockTransactionsMax, defaultParameters().blockTransactionsMax);
});

test('a proposal past its time takes no vote, shows as expired, and makes room when the next comes', () => {
  const chain = testChain();
  const { id, expiryHeight } = propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 5 });
  const shown = () => proposal(chain.query('operator@acme', 'governance', 'get', { id }));
  chain.height = expiryHeight;
  vote(chain, 'acme', id);
  assert.deepEqual([shown().state, shown().decidedHeight, openIds(chain)], ['open', null, [id]]);
  chain.height = expiryHeight + 1;
  assert.equal(refusal(() => vote(chain, 'bolt', id)).code, 'GOVERNANCE_PROPOSAL_EXPIRED');
  assert.deepEqual([shown().state, shown().decidedHeight, openIds(chain)], ['expired', expiryHeight, []]);
  propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 6 });
  assert.deepEqual(openIds(chain), ['00000002']);
});

test('only so many proposals are open at once, and those past their time make room for as many', () => {
  const chain = testChain();
  const next = () => propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 5 });
  const { expiryHeight } = next();
  for (let i = 1; i < 64; i++) next();
  chain.height = expiryHeight;
  assert.equal(refusal(next).code, 'GOVERNANCE_PROPOSALS_FULL');
  chain.height = expiryHeight + 1;
  assert.deepEqual([next().id, openIds(chain)], ['00000065', ['00000065']]);
  const late = refusal(() => vote(chain, 'acme', '1'));
  assert.deepEqual([late.code, late.detail.state], ['GOVERNANCE_PROPOSAL_DECIDED', 'expired']);
  assert.equal(proposal(chain.query('operator@acme', 'governance', 'get', { id: '1' })).decidedHeight, expiryHeight);
});

test('a decision closes its own proposal alone', () => {
  const chain = testChain();
  const ids = [5, 6, 7].map((value) => propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value }).id);
  for (const organisation of ['acme', 'bolt', 'cast']) vote(chain, organisation, ids[1]!);
  assert.deepEqual(openIds(chain), [ids[0], ids[2]]);
  for (const organisation of ['acme', 'bolt', 'cast']) vote(chain, organisation, ids[0]!);
  assert.equal(parametersOf(chain.read).blockTransactionsMax, 5);
});

test('a vote names a proposal that there is, by up to eight digits', () => {
  const chain = testChain();
  propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 5 });
  for (const id of ['', 'a', '1 ', 'a1', '-1', '000000001'])
    for (const run of [() => vote(chain, 'acme', id), () => chain.query('operator@acme', 'governance', 'get', { id })])
      assert.equal(refusal(run).code, 'BUILTIN_ARGUMENTS_INVALID', id);
  assert.equal(refusal(() => vote(chain, 'acme', '2')).code, 'GOVERNANCE_PROPOSAL_UNKNOWN');
});

test('the vote of an organisation that was suspended since does not count', () => {
  const chain = testChain();
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  const { id } = propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 5 });
  const other = propose(chain, { kind: 'setParameter', name: 'blockTransactionsMax', value: 6 });
  vote(chain, 'dent', id);
  vote(chain, 'dent', other.id, false);
  pass(chain, { kind: 'suspendOrganisation', id: 'dent' });
  assert.equal(refusal(() => vote(chain, 'dent', other.id)).code, 'ACCESS_DENIED');
  assert.equal(vote(chain, 'acme', id).state, 'open', 'one of three');
  assert.equal(vote(chain, 'acme', other.id, false).state, 'open', 'two of three can still approve');
  assert.equal(vote(chain, 'bolt', id).state, 'passed', 'two of three');
});

test('who follows the chain hears of proposals, votes and decisions, and of a new configuration where there is one and nowhere else', () => {
  const chain = testChain();
  const observer = { ...nodeData(80), role: 'observer' } as unknown as Json;
  const keys = ['k1', 'k2'].map((keyId) => ({ keyId, publicKey: key(120), kind: 'own', scope: ['*'] }));
  const administrators: Json = [{ id: 'admin@echo', keys }];
  const table: readonly [body: { readonly [name: string]: Json }, isBarrier: boolean, approvals?: number][] = [
    [{ kind: 'setParameter', name: 'blockTransactionsMax', value: 5 }, true],
    [{ kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) }, true],
    [{ kind: 'addNode', id: 'n-watch', organisation: 'acme', node: observer }, false],
    [{ kind: 'replaceValidatorKey', id: 'n-watch', validatorKey: key(90) }, false],
    [{ kind: 'suspendNode', id: 'n-watch' }, false],
    [{ kind: 'resumeNode', id: 'n-watch' }, false],
    [{ kind: 'suspendNode', id: 'n-acme-2' }, true],
    [{ kind: 'replaceValidatorKey', id: 'n-acme-2', validatorKey: key(91) }, false],
    [{ kind: 'resumeNode', id: 'n-acme-2' }, true],
    [{ kind: 'replaceValidatorKey', id: 'n-acme-2', validatorKey: key(92) }, true],
    [{ kind: 'addOrganisation', id: 'echo', name: 'Echo works', administrators }, false],
    [{ kind: 'suspendOrganisation', id: 'echo' }, false, 4],
    [{ kind: 'resumeOrganisation', id: 'echo', nodes: [] }, false],
  ];
  for (const [body, isBarrier, approvals = 3] of table) {
    const from = chain.events.length;
    const before = toHex(encodeConfiguration(configurationOf(chain.read)));
    const { id, kind, expiryHeight } = pass(chain, body, approvals);
    const heard = chain.events.slice(from).filter(({ contract }) => contract === 'governance');
    const votes = ORGANISATIONS.slice(0, approvals).map((organisation) => ['voted', { id, organisation, approve: true }]);
    assert.deepEqual(
      heard.map(({ name, data }) => [name, data]),
      [
        ['proposed', { id, kind, organisation: 'acme', expiryHeight }],
        ...votes,
        ['decided', { id, kind, state: 'passed' }],
        ...(isBarrier ? [['configurationChanged', { height: 2 }]] : []),
      ],
    );
    assert.equal(toHex(encodeConfiguration(configurationOf(chain.read))) !== before, isBarrier);
  }
});

test('parameters have ranges and combinations, and what is no parameter is named', () => {
  const chain = testChain();
  const table: readonly [Json, string][] = [
    [{ kind: 'setParameter', name: 'blockTransactionsMax', value: 0 }, 'BUILTIN_ARGUMENTS_INVALID'],
    [{ kind: 'setParameter', name: 'blockTransactionsMax', value: '5' }, 'BUILTIN_ARGUMENTS_INVALID'],
    [{ kind: 'setParameter', name: 'toString', value: 1 }, 'BUILTIN_ARGUMENTS_INVALID'],
    [{ kind: 'setParameter', name: 'heightsInFlightMax', value: 2 }, 'BUILTIN_ARGUMENTS_INVALID'],
    [{ kind: 'setParameter', name: 'viewTimeoutMs', value: 40_000 }, 'GOVERNANCE_IMPOSSIBLE'],
    [{ kind: 'setParameter', name: 'blockGasMax', value: 1_000_000 }, 'GOVERNANCE_IMPOSSIBLE'],
    [{ kind: 'abolish' }, 'BUILTIN_ARGUMENTS_INVALID'],
  ];
  for (const [body, code] of table) assert.equal(refusal(() => propose(chain, body)).code, code, JSON.stringify(body));
  const { viewTimeoutMs, transactionGasMax } = defaultParameters();
  for (const [name, least] of Object.entries({ viewTimeoutMaxMs: viewTimeoutMs, blockGasMax: transactionGasMax })) {
    const set = (value: number): Json => ({ kind: 'setParameter', name, value });
    assert.equal(refusal(() => propose(chain, set(least - 1))).code, 'GOVERNANCE_IMPOSSIBLE', name);
    assert.equal(pass(chain, set(least)).state, 'passed', name);
  }
});

test('a full block takes a quarter of a view at most, whichever of the two is changed, and either may be once the other allows it', () => {
  const chain = testChain();
  const set = (name: string, value: number): Json => ({ kind: 'setParameter', name, value });
  const { blockGasMax, viewTimeoutMs } = defaultParameters();
  for (const body of [set('blockGasMax', blockGasMax + 1), set('viewTimeoutMs', viewTimeoutMs - 1)]) {
    const { code, detail } = refusal(() => propose(chain, body));
    assert.equal(code, 'GOVERNANCE_IMPOSSIBLE');
    for (const name of ['blockGasMax', 'viewTimeoutMs']) assert.match(JSON.stringify(detail), new RegExp(name));
  }
  assert.equal(pass(chain, set('viewTimeoutMs', 2 * viewTimeoutMs)).state, 'passed');
  assert.equal(pass(chain, set('blockGasMax', 2 * blockGasMax)).state, 'passed');
});

test('an organisation joins with its administrator, its node becomes a validator, and both can be suspended again', () => {
  const chain = testChain();
  const administrators = [{ id: 'admin@echo', keys: [{ keyId: 'own-1', publicKey: key(120), kind: 'own', scope: ['*'] }] }];
  assert.equal(pass(chain, { kind: 'addOrganisation', id: 'echo', name: 'Echo works', administrators }).state, 'passed');
  assert.equal(may(chain.read, 'admin@echo', 'governance:vote'), true);

  const added = propose(chain, { kind: 'addNode', id: 'n-echo', organisation: 'echo', node: nodeData(50) }, 'admin@echo');
  for (const organisation of ['acme', 'bolt', 'cast'])
    assert.equal(vote(chain, organisation, added.id).state, 'open', 'five organisations need four votes');
  assert.equal(vote(chain, 'echo', added.id).state, 'passed');
  assert.deepEqual(
    configurationOf(chain.read).validators.map((row) => row.node),
    ['n-acme', 'n-bolt', 'n-cast', 'n-dent', 'n-echo'],
  );
  assert.equal(toHex(configurationOf(chain.read).validators[4]!.publicKey), key(51));

  const out = propose(chain, { kind: 'suspendOrganisation', id: 'echo' });
  for (const organisation of ORGANISATIONS) vote(chain, organisation, out.id);
  assert.equal(may(chain.read, 'admin@echo', 'governance:vote'), false);
  assert.equal(entryOf(chain.read, 'node', 'n-echo')?.state, 'suspended');
  assert.equal(entryOf(chain.read, 'node', 'n-echo')?.version, 2);
  assert.equal(configurationOf(chain.read).validators.length, 4);
});

test('an organisation joins with its node and an administrator for whom that node signs, in one proposal', () => {
  const chain = testChain();
  const join = (changes: object = {}, keyChanges: object = {}): Json => ({
    kind: 'addOrganisation',
    id: 'echo',
    name: 'Echo works',
    nodes: [{ id: 'echo-1', ...nodeData(50) }],
    administrators: [
      { id: 'admin@echo', keys: [{ keyId: 'echo-1', publicKey: key(53), kind: 'custodial', node: 'echo-1', scope: ['*'], ...keyChanges }] },
    ],
    ...changes,
  });
  const admin = { id: 'admin@echo', keys: [{ keyId: 'k', publicKey: key(120), kind: 'own', scope: ['*'] }] };
  const many = Array.from({ length: 9 }, (_, i) => ({ ...admin, id: `admin-${i}@echo` }));
  const node = { id: 'echo-1', ...nodeData(50) };
  const refusals: readonly [Json, string][] = [
    [join({}, { publicKey: key(52) }), '/administrators/0/keys/0/publicKey'], // a key of the node, but not the custodial one
    [join({}, { node: 'n-acme', publicKey: key(13) }), '/administrators/0/keys/0/node'], // a node of another organisation
    [join({ nodes: [node, { ...nodeData(60), id: 'echo-2' }] }, { node: 'echo-2' }), '/administrators/0/keys/0/publicKey'],
    [join({ nodes: [] }), '/administrators/0/keys/0/node'],
    [join({ nodes: [node, { ...nodeData(60), id: 'echo-1' }] }), '/nodes'],
    [join({ nodes: many.map((_, i) => ({ ...node, id: `echo-${i}` })) }), '/nodes'],
    [join({ nodes: [{ ...node, validatorKey: BAD_KEY }] }), '/nodes/0/validatorKey'],
    [join({ nodes: [{ ...node, id: 'Echo 1' }] }), '/nodes/0/id'],
    [join({ id: 'Echo' }), '/id'],
    [join({ name: '' }), '/name'],
    [join({ administrators: [] }), '/administrators'],
    [join({ administrators: many }), '/administrators'],
    [join({ administrators: [admin, admin] }), '/administrators/1/id'],
    [join({ administrators: [{ ...admin, id: 'eve@acme' }] }), '/administrators/0/id'], // of another organisation
    [join({ administrators: [{ ...admin, id: 'echo' }] }), '/administrators/0/id'],
    [join({ administrators: [{ ...admin, keys: [] }] }), '/administrators/0/keys'],
    [join({ administrators: [{ ...admin, keys: [...admin.keys, ...admin.keys] }] }), '/administrators/0/keys'],
  ];
  for (const [body, path] of refusals) {
    const { code, detail } = refusal(() => propose(chain, body));
    assert.equal(code, 'BUILTIN_ARGUMENTS_INVALID', path);
    assert.ok(pathsOf(detail).includes(path), `${path}: ${JSON.stringify(detail.faults)}`);
  }
  const twin = [
    { id: 'echo-1', ...nodeData(50) },
    { id: 'echo-2', ...nodeData(50) },
  ];
  assert.equal(refusal(() => propose(chain, join({ nodes: twin }))).code, 'GOVERNANCE_IMPOSSIBLE');
  const watch = { id: 'echo-2', ...nodeData(60), role: 'observer' };
  assert.equal(pass(chain, join({ nodes: [node, watch] })).state, 'passed');
  assert.equal(may(chain.read, 'admin@echo', 'governance:vote'), true);
  assert.deepEqual(
    configurationOf(chain.read).validators.map((row) => row.node),
    ['echo-1', 'n-acme', 'n-bolt', 'n-cast', 'n-dent'],
  );
  assert.deepEqual(entryOf(chain.read, 'node', 'echo-1')?.data, nodeData(50));
  assert.equal(entryOf(chain.read, 'node', 'echo-2')?.owner, 'echo');
});

test('a chain has so many organisations and validators, and one more is refused', () => {
  const chain = testChain();
  const put = (row: string, value: Json) => chain.state.set(stateKey('governance', row), encodeJson(value));
  const join = (id: string): Json => ({
    kind: 'addOrganisation',
    id,
    name: 'x',
    administrators: [{ id: `admin@${id}`, keys: [{ keyId: 'k', publicKey: key(120), kind: 'own', scope: ['*'] }] }],
  });
  const others = Array.from({ length: 250 }, (_, i) => `o${100 + i}`);
  put(governanceKey.organisations, [...ORGANISATIONS, ...others]);
  pass(chain, join('echo'));
  pass(chain, join('foxtrot'), 4);
  const row = decodeJson(chain.read('governance', governanceKey.organisations)!);
  assert.deepEqual(row, [...ORGANISATIONS, 'echo', 'foxtrot', ...others]);
  assert.equal(refusal(() => propose(chain, join('golf'))).code, 'GOVERNANCE_IMPOSSIBLE');

  const add = (id: string, number: number): Json => ({ kind: 'addNode', id, organisation: 'acme', node: nodeData(number) });
  const validator = (_: unknown, i: number) => ({ node: `n${i}`, publicKey: `${i}`.padStart(64, '0'), suite: 1, weight: 1 });
  put(governanceKey.validators, Array.from({ length: 127 }, validator));
  pass(chain, add('n-acme-2', 60), 4);
  assert.equal(configurationOf(chain.read).validators.length, 128);
  assert.equal(refusal(() => propose(chain, add('n-acme-3', 70))).code, 'GOVERNANCE_IMPOSSIBLE');
});

test('a suspended node is resumed by votes, with the key and the place it had', () => {
  const chain = testChain();
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  const before = configurationOf(chain.read).validators;
  assert.equal(refusal(() => propose(chain, { kind: 'resumeNode', id: 'n-dent' })).code, 'GOVERNANCE_IMPOSSIBLE', 'it is active');
  pass(chain, { kind: 'suspendNode', id: 'n-dent' });
  assert.equal(configurationOf(chain.read).validators.length, 4);
  assert.equal(pass(chain, { kind: 'resumeNode', id: 'n-dent' }).state, 'passed');
  assert.deepEqual(configurationOf(chain.read).validators, before);
  assert.equal(entryOf(chain.read, 'node', 'n-dent')?.version, 3);
});

test('the key of a validator is replaced in place, at a barrier: name, place and other keys stay', () => {
  const chain = testChain();
  const before = configurationOf(chain.read).validators;
  const entry = entryOf(chain.read, 'node', 'n-dent')!;
  assert.equal(pass(chain, { kind: 'replaceValidatorKey', id: 'n-dent', validatorKey: key(77) }).state, 'passed');
  const after = configurationOf(chain.read).validators;
  assert.deepEqual(
    after.map((row) => ({ ...row, publicKey: toHex(row.publicKey) })),
    before.map((row) => ({ ...row, publicKey: row.node === 'n-dent' ? key(77) : toHex(row.publicKey) })),
  );
  const replaced = entryOf(chain.read, 'node', 'n-dent')!;
  assert.deepEqual(replaced.data, { ...entry.data, validatorKey: key(77) });
  assert.equal(replaced.version, entry.version + 1);
});

test('the keys of a node are judged by the suite it names, and it votes by that suite', () => {
  const suites: number[] = [];
  const acceptAny = (suite: number): boolean => suites.push(suite) > 0;
  const chain = new MemoryChain(createBuiltins({ acceptKey: acceptAny }), genesisWrites(testGenesis()));
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: { ...nodeData(60), suite: 2 } });
  pass(chain, { kind: 'replaceValidatorKey', id: 'n-acme-2', validatorKey: key(90) });
  assert.deepEqual(suites, [2, 2, 2, 2, 2]);
  assert.deepEqual(
    configurationOf(chain.read).validators.map(({ suite }) => suite),
    [1, 2, 1, 1, 1],
  );
});

test('a validator key is not replaced by one in use, one that is no key, or for a node that is not there', () => {
  const chain = testChain();
  const data = entryOf(chain.read, 'node', 'n-dent')!.data as unknown as { validatorKey: string; transportKey: string };
  const other = toHex(configurationOf(chain.read).validators.find((row) => row.node !== 'n-dent')!.publicKey);
  for (const validatorKey of [data.validatorKey, data.transportKey, other])
    assert.equal(refusal(() => propose(chain, { kind: 'replaceValidatorKey', id: 'n-dent', validatorKey })).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(
    refusal(() => propose(chain, { kind: 'replaceValidatorKey', id: 'nobody', validatorKey: key(77) })).code,
    'GOVERNANCE_IMPOSSIBLE',
  );
  assert.notEqual(refusal(() => propose(chain, { kind: 'replaceValidatorKey', id: 'n-dent', validatorKey: 'no' })).code, undefined);
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  pass(chain, { kind: 'suspendNode', id: 'n-dent' });
  pass(chain, { kind: 'replaceValidatorKey', id: 'n-dent', validatorKey: key(77) }); // a stolen key is replaced before its node comes back
  assert.ok(!configurationOf(chain.read).validators.some((row) => row.node === 'n-dent'));
  pass(chain, { kind: 'resumeNode', id: 'n-dent' });
  assert.ok(configurationOf(chain.read).validators.some((row) => toHex(row.publicKey) === key(77)));
});

test('a key that a suspended node left to another validator does not come back twice', () => {
  const chain = testChain();
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  pass(chain, { kind: 'suspendNode', id: 'n-acme-2' });
  pass(chain, { kind: 'addNode', id: 'n-acme-3', organisation: 'acme', node: nodeData(60) });
  assert.equal(refusal(() => propose(chain, { kind: 'resumeNode', id: 'n-acme-2' })).code, 'GOVERNANCE_IMPOSSIBLE');
});

test('a suspended organisation is resumed with the nodes the proposal names, and its node cannot be resumed before it', () => {
  const chain = testChain();
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  pass(chain, { kind: 'suspendOrganisation', id: 'dent' });
  assert.equal(may(chain.read, 'admin@dent', 'record:read'), false);
  assert.equal(refusal(() => propose(chain, { kind: 'resumeNode', id: 'n-dent' })).code, 'GOVERNANCE_IMPOSSIBLE');
  const foreign = propose.bind(undefined, chain, { kind: 'resumeOrganisation', id: 'dent', nodes: ['n-acme'] });
  assert.equal(refusal(foreign).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(pass(chain, { kind: 'resumeOrganisation', id: 'dent', nodes: [] }, 2).state, 'passed');
  assert.equal(may(chain.read, 'admin@dent', 'governance:vote'), true);
  assert.equal(configurationOf(chain.read).validators.length, 4, 'its node stays out');
  pass(chain, { kind: 'resumeNode', id: 'n-dent' });
  assert.equal(configurationOf(chain.read).validators.length, 5);
  pass(chain, { kind: 'suspendOrganisation', id: 'dent' });
  pass(chain, { kind: 'resumeOrganisation', id: 'dent', nodes: ['n-dent'] }, 2);
  assert.equal(configurationOf(chain.read).validators.length, 5);
});

test('all validators of an organisation go with it, and those of another do not come back with it', () => {
  const chain = testChain();
  const voting = () => configurationOf(chain.read).validators.map((row) => row.node);
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  pass(chain, { kind: 'addNode', id: 'n-bolt-2', organisation: 'bolt', node: nodeData(70) });
  pass(chain, { kind: 'addNode', id: 'n-dent-2', organisation: 'dent', node: nodeData(80) });
  const all = voting();
  pass(chain, { kind: 'suspendNode', id: 'n-bolt-2' });
  pass(chain, { kind: 'suspendOrganisation', id: 'dent' });
  assert.deepEqual(voting(), ['n-acme', 'n-acme-2', 'n-bolt', 'n-cast']);
  const resume = (...nodes: string[]): Json => ({ kind: 'resumeOrganisation', id: 'dent', nodes });
  assert.equal(refusal(() => propose(chain, resume('n-dent', 'n-bolt-2'))).code, 'GOVERNANCE_IMPOSSIBLE');
  pass(chain, resume('n-dent', 'n-dent-2'), 2);
  assert.deepEqual(
    voting(),
    all.filter((node) => node !== 'n-bolt-2'),
  );
});

test('PBFT never falls below four validators, not even when the chain moved between proposal and decision', () => {
  const chain = testChain();
  assert.equal(refusal(() => propose(chain, { kind: 'suspendNode', id: 'n-dent' })).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(refusal(() => propose(chain, { kind: 'suspendOrganisation', id: 'dent' })).code, 'GOVERNANCE_IMPOSSIBLE');
  pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
  const first = propose(chain, { kind: 'suspendNode', id: 'n-dent' });
  const second = propose(chain, { kind: 'suspendNode', id: 'n-cast' });
  for (const organisation of ['acme', 'bolt']) for (const { id } of [first, second]) vote(chain, organisation, id);
  assert.equal(vote(chain, 'cast', first.id).state, 'passed');
  const before = chain.digest();
  assert.equal(refusal(() => vote(chain, 'cast', second.id)).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(chain.digest(), before);
  assert.deepEqual(
    configurationOf(chain.read).validators.map((row) => row.node),
    ['n-acme', 'n-acme-2', 'n-bolt', 'n-cast'],
  );
});

test('nodes with refused keys, keys of other validators, weights, bad addresses or absent organisations are not admitted', () => {
  const chain = testChain();
  const add =
    (changes: object, organisation = 'acme') =>
    () =>
      propose(chain, { kind: 'addNode', id: 'n-new', organisation, node: { ...nodeData(70), ...changes } });
  assert.equal(refusal(add({ validatorKey: BAD_KEY })).code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.equal(refusal(add({ validatorKey: key(70) })).code, 'BUILTIN_ARGUMENTS_INVALID', 'one key for two purposes');
  assert.equal(refusal(add({ addresses: ['http://node'] })).code, 'BUILTIN_ARGUMENTS_INVALID');
  assert.equal(refusal(add({ validatorKey: key(11) })).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(refusal(add({ weight: 2 })).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(refusal(add({}, 'nobody')).code, 'GOVERNANCE_IMPOSSIBLE');
  assert.equal(
    refusal(() => propose(chain, { kind: 'addNode', id: 'n-acme', organisation: 'acme', node: nodeData(70) })).code,
    'GOVERNANCE_IMPOSSIBLE',
  );
  assert.equal(
    pass(chain, { kind: 'addNode', id: 'n-watch', organisation: 'acme', node: { ...nodeData(80), role: 'observer' } }).state,
    'passed',
  );
  assert.equal(configurationOf(chain.read).validators.length, 4, 'an observer does not vote');
});

test('the genesis state does not depend on the order of the file, and its faults are all named', () => {
  const genesis = testGenesis();
  const turned = {
    ...genesis,
    nodes: [...genesis.nodes].reverse(),
    accounts: [...genesis.accounts].reverse(),
    organisations: [...genesis.organisations].reverse(),
  };
  assert.deepEqual([...genesisWrites(turned)], [...genesisWrites(genesis)]);
  assert.equal(testChain(turned).digest(), testChain(genesis).digest());
  const keys = [...genesisWrites(genesis).keys()];
  assert.deepEqual(
    keys,
    [...keys].sort((a, b) => (a < b ? -1 : 1)),
  );
  assert.equal(parametersOf(testChain(genesis).read).governanceVotingBlocks, 10);
  assert.deepEqual(genesisFaults(genesis, acceptKey), []);
  const faults = genesisFaults(
    {
      ...genesis,
      nodes: genesis.nodes.slice(1),
      accounts: [{ id: 'x@bolt', organisation: 'acme', type: 'person', roles: ['king'], keys: [ownKey(1)] }],
      devices: [{ id: 'D-1', organisation: 'bolt', factory: 'F-001' }],
      factories: [...genesis.factories, ...genesis.factories],
    },
    acceptKey,
  );
  assert.deepEqual(faults.map(({ pointer }) => pointer).sort(), [
    '/accounts/0/id',
    '/accounts/0/roles/0',
    '/devices/0/factory',
    '/factories/1/id',
    '/nodes',
  ]);
});

test('two replicas that execute the same calls hold the same state', () => {
  const run = () => {
    const chain = new MemoryChain(createBuiltins({ acceptKey }), genesisWrites(testGenesis()));
    pass(chain, { kind: 'setParameter', name: 'viewTimeoutMs', value: 3000 });
    pass(chain, { kind: 'addNode', id: 'n-acme-2', organisation: 'acme', node: nodeData(60) });
    return chain.digest();
  };
  assert.equal(run(), run());
});
