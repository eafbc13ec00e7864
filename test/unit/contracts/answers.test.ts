/** What is remembered of registry and access while a block is executed changes neither a result nor its gas. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Answers,
  ContractFailure,
  type ContractMachine,
  createBuiltins,
  executeTransaction,
  type Execution,
  genesisWrites,
  production,
  records,
  stateKey,
  Tank,
} from '../../../contracts/index.ts';
import { type Call, defaultParameters, encodeJson, encodeSubmissions, type Json } from '../../../node/format/index.ts';
import { prepareRecord } from '../../../node/records/index.ts';
import { annexRecord, crypto } from '../node/records/sample.ts';
import { acceptKey, testGenesis } from './builtin/chain.ts';

const deps = {
  builtins: new Map([...createBuiltins({ acceptKey }), [records.name, records]]),
  machine: { bundleDigest: '' } as ContractMachine,
  hash: crypto.hash,
  verify: () => false,
};

/** The transactions of one block, in order. */
class Block {
  readonly reads: string[] = [];
  readonly #answers: Answers | undefined;
  readonly #state = new Map(genesisWrites(testGenesis()));
  #index = 0;

  constructor(answers: Answers | undefined) {
    this.#answers = answers;
  }

  run(sender: string, calls: readonly Call[], gasLimit = 1_000_000_000): Execution {
    this.reads.length = 0;
    const index = this.#index++;
    const execution = executeTransaction(
      { transactionId: new Uint8Array(32).fill(index), index, sender, keyId: 'own-1', keyKind: 'own', gasLimit, calls },
      { chainId: new Uint8Array(32), height: 1, timestampMs: 1_800_000_000_000, era: 0, parameters: defaultParameters() },
      {
        get: (key) => {
          this.reads.push(key);
          return this.#state.get(key);
        },
        transaction: () => assert.fail('no body is read'),
      },
      this.#answers ? { ...deps, answers: this.#answers } : deps,
    );
    for (const [key, value] of execution.writes) this.#state.set(key, value);
    return execution;
  }
}

const call = (contract: string, method: string, args: Json): Call => ({ contract, method, args: encodeJson(args) });
let product = 0;
function submit(org: string, batch = 'PB-1'): Call {
  const record = annexRecord({
    product_uid: `P-${product++}`,
    pro_factory_uid: 'F-001',
    ext: { device_id: 'D-1', production_batch: batch },
  });
  const preparation = prepareRecord({ crypto, org, sealingKey: new Uint8Array(32) }, production, record);
  assert.ok(preparation.ok);
  return { contract: 'records', method: 'submit', args: encodeSubmissions([preparation.prepared.submission]) };
}

const grant = { right: 'record:submit', object: '*', organisation: 'bolt' };
const suspended = call('registry', 'suspend', { kind: 'factory', id: 'F-001' });
const transactions: readonly (readonly [string, readonly Call[], string])[] = [
  ['operator@acme', [submit('acme')], 'OK'],
  ['operator@acme', [submit('acme'), submit('acme')], 'OK'],
  ['operator@bolt', [submit('bolt')], 'RECORD_FACTORY_FOREIGN'],
  ['admin@acme', [call('access', 'grant', { ...grant, until: null })], 'OK'],
  ['operator@bolt', [submit('bolt')], 'OK'],
  ['operator@bolt', [submit('bolt')], 'OK'],
  ['admin@acme', [submit('acme'), suspended, submit('acme')], 'RECORD_FACTORY_UNKNOWN'], // of the call after it
  ['admin@acme', [submit('acme')], 'OK'], // since all of that was undone
  ['operator@bolt', [submit('bolt')], 'OK'],
  ['admin@acme', [call('access', 'revoke', grant)], 'OK'],
  ['operator@bolt', [submit('bolt')], 'RECORD_FACTORY_FOREIGN'],
  ['admin@acme', [suspended], 'OK'],
  ['operator@acme', [submit('acme')], 'RECORD_FACTORY_UNKNOWN'],
  ['admin@acme', [call('registry', 'suspend', { kind: 'account', id: 'operator@acme' })], 'OK'],
  ['operator@acme', [submit('acme')], 'RECORD_RIGHT_MISSING'],
];

test('transactions of a block come to the same with answers remembered as without, and use the same gas', () => {
  const [warm, cold] = [new Block(new Answers()), new Block(undefined)];
  for (const [i, [sender, calls, code]] of transactions.entries()) {
    const [remembering, asking] = [warm.run(sender, calls), cold.run(sender, calls)];
    assert.equal(asking.code, code, `transaction ${i}`);
    assert.deepEqual(remembering, asking, `transaction ${i}`);
  }
});

test('a transaction comes to the same and uses the same gas where a process remembers the terms of its batches as where it does not', () => {
  const calls = [submit('acme', 'PB-named-here-alone')];
  const [finding, remembering] = [1, 2].map(() => new Block(undefined).run('operator@acme', calls));
  assert.equal(finding!.code, 'OK');
  assert.deepEqual(remembering, finding);
  for (const short of [1, 100_000, 1_000_000])
    assert.equal(new Block(undefined).run('operator@acme', calls, finding!.gasUsed - short).code, 'GAS_EXHAUSTED');
});

test('gas that runs out runs out at the same limit, with answers remembered as without', () => {
  const [sender, calls] = ['operator@acme', [submit('acme')]] as const;
  const { gasUsed } = new Block(undefined).run(sender, calls);
  for (const short of [1, 200_000, 1_000_000, 4_000_000]) {
    const warm = new Block(new Answers());
    warm.run(sender, [submit('acme')]);
    const [remembering, asking] = [warm, new Block(undefined)].map((block) => block.run(sender, calls, gasUsed - short));
    assert.deepEqual(remembering, asking);
    assert.equal(asking!.code, 'GAS_EXHAUSTED');
  }
});

test('a second transaction of a block reads nothing of registry and access again', () => {
  const block = new Block(new Answers());
  const asked = (): string[] =>
    block.reads.filter((key) => key.startsWith(stateKey('registry', '')) || key.startsWith(stateKey('access', '')));
  block.run('operator@acme', [submit('acme')]);
  assert.ok(asked().length > 3);
  block.run('operator@acme', [submit('acme')]);
  assert.deepEqual(asked(), []);
});

test('a bounded number of answers is remembered, and none that was not found', () => {
  const answers = new Answers();
  let found = 0;
  const ask = (question: string, gas = 3): number =>
    answers.cached(question, new Tank(gas), () => {
      found++;
      return question.length;
    });
  for (let i = 0; i < 10_000; i++) ask(`q${i}`);
  assert.deepEqual([ask('q1'), found], [2, 10_000]);
  ask('beyond');
  ask('beyond');
  assert.equal(found, 10_002);
  const failing = new Answers();
  const tank = new Tank(10);
  assert.throws(() => failing.cached('q', tank, () => tank.use(11)), ContractFailure);
  assert.equal(
    failing.cached('q', new Tank(10), () => 7),
    7,
  );
});
