import assert from 'node:assert/strict';
import { judgeFinality } from '../../../../consensus/finality.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  decodeBlock,
  decodeConfiguration,
  decodeRecordVersion,
  encodeBlock,
  encodeRecordVersion,
  fromHex,
  parameterNames,
  parameterNamesAt,
  parameterTable,
  toHex,
  verifyEvidence,
} from '../../../../node/format/index.ts';
import { frozenBytes, frozenFiles } from './frozen-bytes.ts';
import { crypto } from './genesis-fixture.ts';

const folder = 'test/data/frozen';
const kept = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8');
const script = new URL('../../../../../node/verify/verify-evidence.mjs', import.meta.url);
const { verifyBundle } = (await import(script.href)) as { verifyBundle(bundle: string, genesis: string): string[] };

test('record form, digests, transaction, header, certificate, receipts and state keys are the bytes they were', () => {
  const before = JSON.parse(kept('bytes.json')) as Record<string, string>;
  const now = frozenBytes();
  for (const [name, bytes] of Object.entries(before)) assert.equal(now[name], bytes, name);
  assert.deepEqual(Object.keys(now), Object.keys(before));
});

test('bundles are written as they were, and those that were written verify, by us and by the script alone', () => {
  for (const [name, text] of Object.entries(frozenFiles())) assert.equal(text, kept(name), name);
  const genesis = kept('genesis.json');
  const bundles = readdirSync(folder).filter((name) => name.startsWith('evidence-'));
  assert.equal(bundles.length, 2);
  for (const name of bundles) {
    const verdict = verifyEvidence(crypto, judgeFinality, kept(name), { kind: 'genesis', text: genesis });
    assert.deepEqual(verdict.faults, [], name);
    assert.ok(verifyBundle(kept(name), genesis).length > 0);
  }
});

test('what was written is read again', () => {
  const bytes = JSON.parse(kept('bytes.json')) as Record<string, string>;
  assert.equal(toHex(encodeRecordVersion(decodeRecordVersion(fromHex(bytes.recordVersion!), 2))), bytes.recordVersion);
  assert.equal(toHex(encodeBlock(decodeBlock(fromHex(bytes.block!)))), bytes.block);
  assert.equal(decodeConfiguration(fromHex(bytes.configuration!)).parameters.length, parameterNamesAt(1).length);
});

test('a parameter that a later executionVersion brings is no part of the hashes before it', () => {
  const grown = { ...parameterTable, unfinalBlocksMax: { min: 1, max: 9, default: 3, unit: 'blocks', description: '', since: 2 } };
  assert.deepEqual(parameterNamesAt(1, grown), parameterNamesAt(1));
  assert.deepEqual(parameterNamesAt(2, grown), [...parameterNames, 'unfinalBlocksMax']);
});
