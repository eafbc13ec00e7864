/** What the contract of records asks of a transaction and of a query under the real executor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { records } from '../../../../contracts/builtin/records.ts';
import { builtinClasses } from '../../../../contracts/classes/index.ts';
import {
  bodyGas,
  type ContractMachine,
  createBuiltins,
  executeTransaction,
  GAS_PER_CLASS_BYTE,
  genesisWrites,
  queryContract,
  registryKey,
  stateKey,
} from '../../../../contracts/index.ts';
import {
  decodeJson,
  decodeRecordResults,
  defaultParameters,
  encodeAmendment,
  encodeContent,
  encodeJson,
  encodeSubmissions,
  encodeTransaction,
  fromUtf8,
  SUITE,
  type Submission,
  type TextStruct,
  toHex,
} from '../../../../node/format/index.ts';
import { QUERY_GAS_MAX } from '../../../../node/ledger/reader.ts';
import { prepareRecord } from '../../../../node/records/prepare.ts';
import { annexRecord, crypto } from '../../node/records/sample.ts';
import { acceptKey, testGenesis } from './chain.ts';

const ORG = 'acme';
const SENDER = 'operator@acme';
/** Deployed contracts take no part here. */
const machine = { bundleDigest: '' } as ContractMachine;
const deps = {
  builtins: new Map([...createBuiltins({ acceptKey }), [records.name, records]]),
  machine,
  hash: crypto.hash,
  verify: () => false,
};

class Chain {
  readonly state = new Map([...genesisWrites(testGenesis())].map(([key, value]) => [key, value!]));
  readonly bodies = new Map<number, Uint8Array>();
  readonly keysRead: string[] = [];
  bodiesRead = 0;
  height = 0;
  readonly view = {
    get: (key: string) => {
      this.keysRead.push(key);
      return this.state.get(key);
    },
    transaction: (height: number) => {
      this.bodiesRead++;
      return this.bodies.get(height)!;
    },
  };

  #block() {
    const parameters = defaultParameters();
    return { chainId: new Uint8Array(32), height: this.height, timestampMs: 1_760_000_000_000, era: 0, parameters };
  }

  run(method: string, args: Uint8Array, gasLimit: number) {
    const calls = [{ contract: 'records', method, args }];
    const named = { sender: SENDER, keyId: 'own-1', gasLimit, calls };
    const form = { chainId: new Uint8Array(32), salt: new Uint8Array(16), expiryHeight: 99, suite: SUITE.ed25519 };
    this.bodies.set(++this.height, encodeTransaction({ ...named, ...form, signature: new Uint8Array(64) }));
    const transaction = { ...named, transactionId: new Uint8Array(32), index: 0, keyKind: 'own' } as const;
    const execution = executeTransaction(transaction, this.#block(), this.view, deps);
    for (const [key, value] of execution.writes) value ? this.state.set(key, value) : this.state.delete(key);
    return execution;
  }

  /** Its id. */
  submit(tree: TextStruct, submission: Submission = sealed(tree)): Uint8Array {
    const { code, detail, results } = this.run('submit', encodeSubmissions([submission]), 2_000_000_000);
    assert.equal(code, 'OK', fromUtf8(detail));
    return decodeRecordResults(results[0]!)[0]!.id;
  }

  get(id: Uint8Array) {
    const query = { caller: SENDER, contract: 'records', method: 'get', args: encodeJson({ id: toHex(id) }), gasLimit: QUERY_GAS_MAX };
    return queryContract(query, this.#block(), this.view, deps);
  }
}

function sealed(tree: TextStruct) {
  const preparation = prepareRecord({ crypto, org: ORG, sealingKey: new Uint8Array(32).fill(3) }, builtinClasses.production!, tree);
  return preparation.ok ? preparation.prepared.submission : assert.fail(JSON.stringify(preparation.faults));
}

test('a record of 2,000 measured values in 75 kB is told to who asks for it within the gas of one query', () => {
  const chain = new Chain();
  const parameters = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`p${1_000 + i}`, { value: '1234.567890123456' }]));
  const tree = annexRecord({ ext: { device_id: 'D-1', parameters } });
  assert.ok(sealed(tree).content.length >= 75_000);
  const { code, result } = chain.get(chain.submit(tree));
  assert.equal(code, 'OK');
  assert.equal((decodeJson(result) as { status: string }).status, 'current');
});

test('an amendment that would change the key is told so for less gas than an earlier block costs to read', () => {
  const chain = new Chain();
  const recordId = chain.submit(annexRecord());
  const { content } = sealed(annexRecord({ product_uid: 'SN-2' }));
  const gasLimit = 300_000_000;
  assert.ok(gasLimit < bodyGas(defaultParameters()));
  const { code, detail } = chain.run(
    'amend',
    encodeAmendment({ recordId, expectedVersion: 1, reason: 'r', content, source: {} }),
    gasLimit,
  );
  assert.equal(code, 'RECORD_KEY_CHANGED', fromUtf8(detail));
  assert.equal(chain.bodiesRead, 0);
});

test('who asks for a record of an early version of its class pays for each version that is looked at, and few are', () => {
  const chain = new Chain();
  const registered = (version: number): number => {
    const body = { type: 'struct', properties: { id: { type: 'text', maxLength: version } }, required: ['id'] };
    const data = { name: 'heat', version, key: ['id'], body, facts: {} };
    const terms = { state: 'active', validFrom: null, validTo: null, documentDigest: null };
    const bytes = encodeJson({ kind: 'class', id: 'heat', owner: ORG, version, ...terms, data });
    for (const key of [registryKey.entry('class', 'heat'), registryKey.version('class', 'heat', version)])
      chain.state.set(stateKey('registry', key), bytes);
    return bytes.length;
  };
  registered(1);
  const tree = { id: 'x' };
  const id = chain.submit(tree, { class: 'heat', classVersion: 1, content: encodeContent(tree), source: {} });
  const told = () => {
    chain.keysRead.length = 0;
    const { code, detail, result, gasUsed } = chain.get(id);
    assert.equal(code, 'OK', fromUtf8(detail));
    assert.deepEqual((decodeJson(result) as { key: unknown }).key, tree);
    return { gasUsed, opened: chain.keysRead.filter((key) => key.includes('class/heat')).length };
  };
  const now = told();
  assert.equal(now.opened, 1);
  let bytes = 0;
  for (let version = 2; version <= 64; version++) bytes = registered(version);
  const later = told();
  assert.ok(later.opened <= 8, `${later.opened} of 64 versions`);
  assert.ok(later.gasUsed - now.gasUsed >= (later.opened - 1) * GAS_PER_CLASS_BYTE * (bytes - 9), 'lengths differ by a few digits');
});
