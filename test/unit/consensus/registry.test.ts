import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine, producerOf } from '../../../consensus/index.ts';
import { engineNames, isEngineName } from '../../../node/format/index.ts';
import { CHAIN_ID, GENESIS, PARAMETERS, validators } from './pbft/table.ts';

const start = {
  chainId: CHAIN_ID,
  self: 'a',
  validators: validators(),
  height: 0,
  digest: GENESIS,
  finality: undefined,
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

test('the producer of a block follows from the view in its engineData, and from nothing else', () => {
  const set = validators();
  const view = (last: number) => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, last]);
  for (const number of [0, 1, 2, 3, 4, 5]) assert.equal(producerOf('pbft', view(number), set), set[number % set.length]!.node);
  for (const data of [new Uint8Array(0), new Uint8Array(9)]) assert.equal(producerOf('pbft', data, set), undefined);
  assert.equal(producerOf('raft', view(0), set), undefined);
  assert.equal(producerOf('pbft', view(0), []), undefined);
});
