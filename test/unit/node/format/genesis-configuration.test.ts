import assert from 'node:assert/strict';
import test from 'node:test';
import {
  canonicalJson,
  consensusHashOf,
  DecodeError,
  defaultParameters,
  type GenesisFile,
  hashTagged,
  type Json,
  NAME_BYTES_MAX,
  openGenesis,
  utf8,
  VALIDATORS_MAX,
} from '../../../../node/format/index.ts';
import { GENESIS_BYTES_MAX } from '../../../../node/format/genesis-configuration.ts';
import type { Genesis } from '../../../../contracts/index.ts';
import { crypto, genesisFixture, hex, VALIDATORS } from './genesis-fixture.ts';

// The leaf repeats the shape of Genesis because it may not import it: either direction failing to compile is the test.
const asGenesis = (file: GenesisFile): Genesis => file;
const asFile = (genesis: Genesis): GenesisFile => genesis;

test('a genesis file gives its hash, its chainId and a configuration of its validators in order of their ids', () => {
  const genesis = genesisFixture();
  const opened = openGenesis(crypto, JSON.stringify(genesis));
  assert.deepEqual(asGenesis(opened.genesis), asFile(genesis));
  const hash = hashTagged(crypto, 'genesis', utf8(canonicalJson(genesis as unknown as Json)));
  assert.equal(hex(opened.genesisHash), hex(hash));
  assert.equal(hex(opened.chainId), hex(hashTagged(crypto, 'chain', hash)));
  assert.deepEqual(
    opened.configuration.validators.map((v) => v.node),
    [...VALIDATORS].sort(),
  );
  assert.equal(hex(opened.configuration.validators[0]!.publicKey), genesis.nodes.find((n) => n.id === 'east-1')!.validatorKey);
  assert.deepEqual(opened.configuration.parameters, { ...defaultParameters(), blockTransactionsMax: 500 });
  assert.equal(consensusHashOf(crypto, opened.configuration).length, 32);
});

test('the suite of a validator is that of its node, Ed25519 unless it says another', () => {
  const genesis = genesisFixture();
  const nodes = genesis.nodes.map((node) => (node.id === 'east-1' ? { ...node, suite: 7 } : node));
  const { validators } = openGenesis(crypto, JSON.stringify({ ...genesis, nodes })).configuration;
  for (const { node, suite } of validators) assert.equal(suite, node === 'east-1' ? 7 : 1, node);
});

test('indentation and order of names do not change the chain, one changed character of content does', () => {
  const genesis = genesisFixture();
  const one = openGenesis(crypto, JSON.stringify(genesis));
  const shuffled = Object.fromEntries(Object.entries(genesis).reverse());
  assert.equal(hex(openGenesis(crypto, JSON.stringify(shuffled, null, 4)).genesisHash), hex(one.genesisHash));
  assert.notEqual(hex(openGenesis(crypto, JSON.stringify({ ...genesis, name: 'fixturf' })).genesisHash), hex(one.genesisHash));
});

test('observers stand in the file but not in the configuration', () => {
  const genesis = genesisFixture();
  const observer = { ...genesis.nodes[0]!, id: 'aaa', role: 'observer' as const };
  const opened = openGenesis(crypto, JSON.stringify({ ...genesis, nodes: [observer, ...genesis.nodes] }));
  assert.equal(opened.configuration.validators.length, 4);
});

const node0 = genesisFixture().nodes[0]!;
const account0 = genesisFixture().accounts[0]!;
const withAccount = (change: object): object => ({ accounts: [{ ...account0, ...change }] });
const withKey = (change: object): object => withAccount({ keys: [{ ...account0.keys[0]!, ...change }] });
const nodesOf = (count: number, role: 'validator' | 'observer') =>
  Array.from({ length: count }, (_, i) => ({ ...node0, id: `n${i}`, role }));
const refused: readonly (readonly [string, object, RegExp])[] = [
  ['another version', { version: 2 }, /\/version/],
  ['an unknown engine', { engine: 'raft' }, /\/engine/],
  ['a parameter that does not exist', { parameters: { blokBytesMax: 1 } }, /\/parameters\/blokBytesMax/],
  ['a parameter out of range', { parameters: { blockTransactionsMax: 0 } }, /\/parameters\/blockTransactionsMax/],
  ['three validators', { nodes: genesisFixture().nodes.slice(1) }, /3 validators/],
  ['a node named twice', { nodes: [...genesisFixture().nodes, node0] }, /\/nodes\/4\/id/],
  ['a node of no organisation', { nodes: [{ ...node0, organisation: 'x' }] }, /\/nodes\/0\/organisation/],
  ['a key in upper case', { nodes: [{ ...node0, validatorKey: node0.validatorKey.toUpperCase() }] }, /\/nodes\/0\/validatorKey/],
  ['a weight of zero', { nodes: [{ ...node0, weight: 0 }] }, /\/nodes\/0\/weight/],
  ['a signature suite of zero', { nodes: [{ ...node0, suite: 0 }] }, /\/nodes\/0\/suite/],
  ['a missing list', { devices: undefined }, /\/devices/],
  ['a device of no factory', { devices: [{ id: 'D', organisation: 'north', factory: 'F9' }] }, /\/devices\/0\/factory/],
  ['a chain parameter that is text', { parameters: { blockTransactionsMax: '500' } }, /\/parameters\/blockTransactionsMax/],
  ['more validators than may vote', { nodes: nodesOf(VALIDATORS_MAX + 1, 'validator') }, new RegExp(`${VALIDATORS_MAX + 1} validators`)],
  ['validators that are observers alone', { nodes: nodesOf(4, 'observer') }, /0 validators/],
  ['a node of an unknown role', { nodes: [{ ...node0, role: 'reader' }] }, /\/nodes\/0\/role/],
  ['a node key that is too long', { nodes: [{ ...node0, tokenKey: `${node0.tokenKey}00` }] }, /\/nodes\/0\/tokenKey/],
  ['a node without a weight', { nodes: [{ ...node0, weight: '1' }] }, /\/nodes\/0\/weight/],
  ['a name that is too long', { name: 'n'.repeat(NAME_BYTES_MAX + 1) }, /\/name/],
  ['a name that is empty', { name: '' }, /\/name/],
  ['an organisation without a name', { organisations: [{ id: 'north' }] }, /\/organisations\/0\/name/],
  ['an account of no organisation', withAccount({ organisation: 'x' }), /\/accounts\/0\/organisation/],
  ['an account of an unknown type', withAccount({ type: 'robot' }), /\/accounts\/0\/type/],
  ['an account whose role is no text', withAccount({ roles: [1] }), /\/accounts\/0\/roles\/0/],
  ['an account key that is no hex', withKey({ publicKey: 'zz' }), /\/accounts\/0\/keys\/0\/publicKey/],
  ['an account key of half a byte', withKey({ publicKey: 'abc' }), /\/accounts\/0\/keys\/0\/publicKey/],
  ['an account key that is too long', withKey({ publicKey: 'ab'.repeat(129) }), /\/accounts\/0\/keys\/0\/publicKey/],
  ['a key of an unknown kind', withKey({ kind: 'lent' }), /\/accounts\/0\/keys\/0\/kind/],
  ['a custodial key of no node', withKey({ node: 'x' }), /\/accounts\/0\/keys\/0\/node/],
  ['a custodial key without a node', withKey({ node: null }), /\/accounts\/0\/keys\/0\/node/],
  ['an own key that a node holds', withKey({ kind: 'own' }), /\/accounts\/0\/keys\/0\/node/],
  ['a key that may be revoked', withKey({ revoked: null }), /\/accounts\/0\/keys\/0\/revoked/],
  ['a factory of no organisation', { factories: [{ id: 'F1', organisation: 'x', name: 'Plant' }] }, /\/factories\/0\/organisation/],
  ['a fraction', { timestampMs: 1.5 }, /not JSON of text and whole numbers/],
];
for (const [what, change, reason] of refused) {
  test(`a genesis file with ${what} is refused by name`, () => {
    assert.throws(
      () => openGenesis(crypto, JSON.stringify({ ...genesisFixture(), ...change })),
      (error) => error instanceof DecodeError && reason.test(error.reason),
    );
  });
}

test('a genesis file may hold as many validators, and names as long, as the bounds say', () => {
  const change = { nodes: nodesOf(VALIDATORS_MAX, 'validator'), name: 'n'.repeat(NAME_BYTES_MAX), accounts: [] };
  const { configuration } = openGenesis(crypto, JSON.stringify({ ...genesisFixture(), ...change }));
  assert.equal(configuration.validators.length, VALIDATORS_MAX);
});

test('text longer than its bound is refused unread', () => {
  const text = JSON.stringify(genesisFixture());
  assert.doesNotThrow(() => openGenesis(crypto, text.padEnd(GENESIS_BYTES_MAX)));
  assert.throws(() => openGenesis(crypto, text.padEnd(GENESIS_BYTES_MAX + 1)), DecodeError);
});

test('text that is no JSON object is refused', () => {
  for (const text of ['', '{', '[]', 'null', '"x"']) assert.throws(() => openGenesis(crypto, text), DecodeError);
});
