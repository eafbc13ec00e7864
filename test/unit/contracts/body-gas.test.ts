import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyGas, type BuiltinContract, executeTransaction, queryContract } from '../../../contracts/index.ts';
import { defaultParameters, encodeTransaction } from '../../../node/format/index.ts';
import { createCrypto } from '../../../node/crypto/index.ts';

const { hash, verify } = createCrypto();
/** Reads as many bodies of block 1 as its arguments have bytes. */
const bodies = (host: Parameters<BuiltinContract['methods'][string]>[0], args: Uint8Array): Uint8Array => {
  for (let i = 0; i < args.length; i++) host.callAt({ height: 1, index: 0, call: 0 });
  return args;
};
const contract: BuiltinContract = { name: 'reads', methods: { bodies }, queries: { bodies } };
const deps = { builtins: new Map([['reads', contract]]), machine: undefined as never, hash, verify };
const own = { chainId: new Uint8Array(32), sender: 'a@b', keyId: 'k', salt: new Uint8Array(16), expiryHeight: 9, gasLimit: 1, suite: 1 };
const call = { contract: 'reads', method: 'bodies', args: new Uint8Array(0) };
const chain = { get: () => undefined, transaction: () => encodeTransaction({ ...own, calls: [call], signature: new Uint8Array(64) }) };
const parameters = defaultParameters();
const blockAt = (height: number) => ({ chainId: own.chainId, height, timestampMs: 0, era: 0, parameters });
const price = bodyGas(parameters);

test('a transaction pays for each body of an earlier block that it reads, and for none of its own block', () => {
  const used = (count: number, height: number): number => {
    const calls = [{ ...call, args: new Uint8Array(count) }];
    const transaction = {
      transactionId: own.chainId,
      index: 1,
      sender: 'a@b',
      keyId: 'k',
      keyKind: 'own',
      gasLimit: 9 * price,
      calls,
    } as const;
    const { code, gasUsed } = executeTransaction(transaction, blockAt(height), chain, deps);
    assert.equal(code, 'OK');
    return Math.floor(gasUsed / price);
  };
  assert.deepEqual([used(0, 2), used(1, 2), used(3, 2), used(3, 1)], [0, 1, 3, 0]);
});

test('a query reads one body beside its gas limit, which counts as used, and pays for the next', () => {
  const ask = (count: number) => {
    const query = { caller: 'a@b', contract: 'reads', method: 'bodies', args: new Uint8Array(count), gasLimit: price / 2 };
    const { code, gasUsed } = queryContract(query, blockAt(1), chain, deps); // it stands on the last block that is stored
    return [code, gasUsed > price];
  };
  assert.deepEqual([ask(0), ask(1), ask(2)], [['OK', false], ['OK', true], ['GAS_EXHAUSTED', true]]); // biome-ignore format: a table
});
