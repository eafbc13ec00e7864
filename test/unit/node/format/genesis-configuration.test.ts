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
  openGenesis,
  utf8,
} from '../../../../node/format/index.ts';
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

test('text that is no JSON object is refused', () => {
  for (const text of ['', '{', '[]', 'null', '"x"']) assert.throws(() => openGenesis(crypto, text), DecodeError);
});
