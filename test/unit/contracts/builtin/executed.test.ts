/** The built-in contracts under the real executor: nested calls, gas, atomicity; and the genesis state against what a stranger reads from the file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configurationOf,
  type ContractMachine,
  createBuiltins,
  entryOf,
  executeTransaction,
  genesisWrites,
  type Read,
  stateKey,
} from '../../../../contracts/index.ts';
import {
  type Call,
  decodeJson,
  defaultParameters,
  encodeConfiguration,
  encodeJson,
  fromUtf8,
  type Json,
  openGenesis,
  toHex,
} from '../../../../node/format/index.ts';
import { createHash } from 'node:crypto';
import { acceptKey, nodeData, testGenesis } from './chain.ts';

const hash = (data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest());
/** Deployed contracts take no part here. */
const machine = { bundleDigest: '' } as ContractMachine;
const deps = { builtins: createBuiltins({ acceptKey }), machine, hash, verify: () => false };

class Chain {
  readonly state = new Map([...genesisWrites(testGenesis())].map(([key, value]) => [key, value!]));
  readonly read: Read = (contract, key) => this.state.get(stateKey(contract, key));
  height = 1;

  run(sender: string, calls: readonly (readonly [string, string, Json])[], gasLimit = 1_000_000_000) {
    const tx = {
      transactionId: new Uint8Array(32),
      index: 0,
      sender,
      keyId: 'own-1',
      keyKind: 'own',
      gasLimit,
      calls: calls.map(([contract, method, args]): Call => ({ contract, method, args: encodeJson(args) })),
    } as const;
    const block = {
      chainId: new Uint8Array(32),
      height: this.height++,
      timestampMs: 1_700_000_000_000,
      era: 0,
      parameters: defaultParameters(),
    };
    const execution = executeTransaction(
      tx,
      block,
      { get: (key) => this.state.get(key), transaction: () => assert.fail('no body is read') },
      deps,
    );
    for (const [key, value] of execution.writes) value ? this.state.set(key, value) : this.state.delete(key);
    return execution;
  }
}

test('governance reaches the register through a nested call, and nobody else does', () => {
  const chain = new Chain();
  const proposed = chain.run('admin@acme', [
    ['governance', 'propose', { kind: 'addNode', id: 'n-new', organisation: 'acme', node: nodeData(70) as unknown as Json }],
  ]);
  assert.equal(proposed.status, 'ok', `${proposed.code} ${fromUtf8(proposed.detail)}`);
  for (const organisation of ['acme', 'bolt', 'cast']) {
    const voted = chain.run(`admin@${organisation}`, [['governance', 'vote', { id: '1', approve: true }]]);
    assert.equal(voted.status, 'ok', `${voted.code} ${fromUtf8(voted.detail)}`);
  }
  assert.equal(entryOf(chain.read, 'node', 'n-new')?.state, 'active');
  assert.equal(configurationOf(chain.read).validators.length, 5);
  assert.equal(chain.run('admin@acme', [['registry', 'put', { entries: [] }]]).code, 'REGISTRY_GOVERNANCE_ONLY');
});

test('one refused call of a transaction takes back those before it, and gas bounds what keys cost', () => {
  const chain = new Chain();
  const register = (id: string): readonly [string, string, Json] => ['registry', 'register', { kind: 'factory', id, data: { name: 'x' } }];
  const both = chain.run('admin@acme', [register('F-7'), register('F-001')]);
  assert.deepEqual([both.status, both.code, both.failedCall, both.writes.size], ['failed', 'REGISTRY_ENTRY_KNOWN', 1, 0]);
  assert.equal(entryOf(chain.read, 'factory', 'F-7'), undefined);
  const key = { keyId: 'k', publicKey: '03'.repeat(32), kind: 'own', scope: ['*'] };
  const poor = chain.run('admin@acme', [['registry', 'addKey', { id: 'operator@acme', key }]], 20_000_000);
  assert.equal(poor.code, 'GAS_EXHAUSTED');
  const rich = chain.run('admin@acme', [['registry', 'addKey', { id: 'operator@acme', key }]]);
  assert.equal(rich.status, 'ok', fromUtf8(rich.detail));
  assert.equal((decodeJson(rich.results[0]!) as { version: number }).version, 2);
});

test('the first configuration is the same from the state and from the file alone', () => {
  const genesis = testGenesis();
  const opened = openGenesis({ hash }, JSON.stringify(genesis));
  assert.equal(toHex(encodeConfiguration(configurationOf(new Chain().read))), toHex(encodeConfiguration(opened.configuration)));
});
