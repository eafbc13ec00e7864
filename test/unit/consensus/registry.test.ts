import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine, engineNames, isEngineName } from '../../../consensus/index.ts';
import { CHAIN_ID, GENESIS, PARAMETERS, validators } from './pbft/table.ts';

const start = {
  chainId: CHAIN_ID,
  self: 'a',
  validators: validators(),
  height: 0,
  digest: GENESIS,
  certificate: undefined,
  parameters: PARAMETERS,
  log: [],
};
const crypto = { hash: (data: Uint8Array) => data, sign: () => new Uint8Array(), verify: () => false };

test('every engine named can be created and names itself', () => {
  for (const name of engineNames) {
    assert.ok(isEngineName(name));
    const engine = createEngine(name, start, crypto);
    assert.equal(engine.name, name);
    assert.equal(engine.status().engine, name);
    assert.equal(engine.status().height, 1);
  }
});

test('a name nobody registered is refused', () => {
  assert.equal(isEngineName('toString'), false);
  assert.throws(() => createEngine('raft', start, crypto), RangeError);
});
