import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, verifyStateProof, verifyStateRange } from '../../../../node/format/index.ts';
import { frozenAbsent, frozenSets, frozenState, valueHashIn } from './frozen-state.ts';
import { modelRoot, plainHash } from './state-map-model.ts';

const kept = JSON.parse(readFileSync('test/data/frozen/state.json', 'utf8')) as Record<string, string>;

test('roots and proofs of the state are the bytes they were', () => {
  assert.deepEqual(frozenState(), kept);
});

test('the roots that were kept are those of the definition, and the proofs verify', () => {
  for (const [name, keys] of Object.entries(frozenSets))
    assert.equal(kept[`root of ${name}`], modelRoot(new Map(keys.map((key) => [key, valueHashIn(name, key)]))), name);
  const root = fromHex(kept['root of records']!);
  const [key] = frozenSets.records!.slice(7);
  const claim = verifyStateProof(plainHash, root, fromHex(kept['proof of presence']!), key!);
  assert.deepEqual(claim, { present: true, valueHash: valueHashIn('records', key!) });
  assert.deepEqual(verifyStateProof(plainHash, root, fromHex(kept['proof of absence']!), frozenAbsent), { present: false });
  const all = verifyStateRange(plainHash, root, fromHex(kept['proof of the count']!), { from: '', to: undefined });
  assert.equal(all.count, 300);
});
