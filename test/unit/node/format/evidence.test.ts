import assert from 'node:assert/strict';
import { judgeFinality } from '../../../../consensus/finality.ts';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import {
  canonicalJson,
  consensusHashOf,
  decodeHeader,
  type Evidence,
  type EvidenceParts,
  evidenceSteps,
  headerHash,
  type Json,
  toHex,
  toByteText,
  u32Text,
  utf8,
  verifyEvidence,
} from '../../../../node/format/index.ts';
import { buildEvidence, certify, fixtureMap, genesisText, headerAt, longParts, opened, plainParts, recordId } from './evidence-fixture.ts';
import { crypto } from './genesis-fixture.ts';

const map = fixtureMap(3_000);
const plain = plainParts(map);
const long = longParts(map);
const trust = { kind: 'genesis', text: genesisText } as const;
const THREE = ['north-1', 'east-1', 'west-1'];

function refusal(parts: EvidenceParts): string {
  const verdict = verifyEvidence(crypto, judgeFinality, buildEvidence(parts), trust);
  assert.equal(verdict.ok, false);
  assert.deepEqual(verdict.claims, []);
  return `${verdict.faults[0]!.check}: ${verdict.faults[0]!.detail}`;
}

test('a bundle says in words which record is in which certified state, and how long that holds', () => {
  const verdict = verifyEvidence(crypto, judgeFinality, buildEvidence(plain), trust, (record) => [`written by ${record.actor}`]);
  assert.deepEqual(verdict.faults, []);
  assert.equal(verdict.ok, true);
  const digest = toHex(crypto.hash(plain.value));
  assert.equal(
    verdict.claims[0],
    `Record ${toHex(recordId)} version 2, digest ${digest} (SHA-256 of the stored bytes), is in the state certified by 3 of 4 validators at height 900, era 0, of chain ${toHex(opened.chainId)}`,
  );
  assert.match(verdict.claims[1]!, /follow from the genesis file .* over 0 changes/);
  assert.equal(verdict.claims[2], 'Valid as of height 900; a later recovery order cannot be excluded without a newer header');
  assert.equal(verdict.claims[3], 'written by mes@north');
});

test('a bundle over a change of validators carries the barrier, and its transaction shows its receipt', () => {
  const verdict = verifyEvidence(crypto, judgeFinality, buildEvidence(long), trust);
  assert.deepEqual(verdict.faults, []);
  assert.match(verdict.claims[0]!, /certified by 4 of 4 validators at height 900, era 3/);
  assert.match(verdict.claims[1]!, /over 1 change of configuration/);
  assert.match(verdict.claims[3]!, /of mes@north, signed by a custodial key, ended with OK at height 50, certified by 3 of 4 validators/);
});

test('what the steps give is the file as it is written, name by name', () => {
  for (const parts of [plain, long]) {
    const steps = evidenceSteps(parts);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    assert.equal(JSON.stringify(step.value), buildEvidence(parts));
  }
});

test('a pinned header stands in for the genesis file', () => {
  for (const [parts, header] of [
    [plain, plain.state.header],
    [long, long.state.header],
    [{ ...long, inclusion: undefined }, long.barriers[0]!.header],
  ] as const) {
    const { height } = decodeHeader(header);
    const pinned = { kind: 'pinned', height, hash: headerHash(crypto, header) } as const;
    const { inclusion: _, ...rest } = parts;
    assert.deepEqual(verifyEvidence(crypto, judgeFinality, buildEvidence(rest), pinned).faults, []);
    assert.equal(verifyEvidence(crypto, judgeFinality, buildEvidence(rest), { ...pinned, height: height + 1 }).ok, false);
    assert.equal(verifyEvidence(crypto, judgeFinality, buildEvidence(rest), { ...pinned, hash: crypto.hash(utf8('x')) }).ok, false);
  }
});

const own = headerAt(900, { stateRoot: map.root() });
const foreign = consensusHashOf(crypto, { ...opened.configuration, executionVersion: 2 });
const refused: readonly (readonly [string, EvidenceParts, RegExp])[] = [
  [
    'two votes of four',
    { ...plain, state: certify(own, opened.configuration, ['north-1', 'east-1']) },
    /header: 2 votes where 3 are needed/,
  ],
  ['a vote of a stranger', { ...plain, state: certify(own, opened.configuration, [...THREE, 'zeta-1']) }, /zeta-1 is not a validator/],
  ['another value', { ...plain, value: utf8('{}') }, /value: the state holds another value/],
  [
    'a key that is not there',
    { ...plain, key: `${plain.key}x`, proof: map.prove(`${plain.key}x`) },
    /the key is not in the certified state/,
  ],
  ['a proof of another key', { ...plain, proof: map.prove('a') }, /map proof: .*leaves open/],
  [
    'a header of another state',
    { ...plain, state: certify(headerAt(900, {}), opened.configuration, THREE) },
    /map proof: .*leads to another root/,
  ],
  [
    'a certificate of another header',
    { ...plain, state: { ...plain.state, certificate: certify(headerAt(900, {}), opened.configuration, THREE).certificate } },
    /certificate is for another header/,
  ],
  [
    'a configuration that genesis does not give',
    {
      ...plain,
      state: certify(
        headerAt(900, { stateRoot: map.root(), consensusHash: foreign }),
        { ...opened.configuration, executionVersion: 2 },
        THREE,
      ),
    },
    /header: consensusHash of height 900/,
  ],
  ['its barrier left out', { ...long, barriers: [] }, /header: consensusHash of height 900/],
  [
    'a barrier that changes nothing',
    { ...plain, barriers: [certify(headerAt(5, {}), opened.configuration, THREE)] },
    /changes no configuration/,
  ],
  ['a receipt of another transaction', { ...long, inclusion: { ...long.inclusion!, receipt: plain.value } }, /inclusion: /],
];
for (const [what, parts, reason] of refused) {
  test(`a bundle with ${what} is refused by the name of the check`, () => assert.match(refusal(parts), reason));
}

test('another genesis file refuses the bundle', () => {
  const other = JSON.stringify({ ...(JSON.parse(genesisText) as object), name: 'other' });
  assert.equal(verifyEvidence(crypto, judgeFinality, buildEvidence(plain), { kind: 'genesis', text: other }).faults[0]!.check, 'genesis');
  assert.equal(verifyEvidence(crypto, judgeFinality, buildEvidence(plain), { kind: 'genesis', text: '{}' }).faults[0]!.check, 'trust');
});

test('text that is not a bundle comes back as a fault of form', () => {
  for (const text of ['', '{', '[]', 'null', `${buildEvidence(plain)} `, JSON.stringify(JSON.parse(buildEvidence(plain)), null, 1)])
    assert.equal(verifyEvidence(crypto, judgeFinality, text, trust).faults[0]!.check, 'form');
});

test('the published schema takes every bundle and refuses what the reader refuses', () => {
  const schema = JSON.parse(readFileSync(new URL('../../../../../node/format/evidence.schema.json', import.meta.url), 'utf8')) as object;
  const validate = new Ajv2020.default({ strict: true }).compile(schema);
  for (const parts of [plain, long]) assert.ok(validate(JSON.parse(buildEvidence(parts))), JSON.stringify(validate.errors));
  const bundle = JSON.parse(buildEvidence(long)) as Evidence;
  const broken: unknown[] = [
    { ...bundle, format: 'tracemill/evidence/v2' },
    { ...bundle, digestAlg: 'sha-1' },
    { ...bundle, more: 1 },
    { ...bundle, era: -1 },
    { ...bundle, era: 1.5 },
    { ...bundle, chainId: bundle.chainId.toUpperCase() },
    { ...bundle, key: 'a+b=' },
    { ...bundle, state: { ...bundle.state, header: 1 } },
    { ...bundle, barriers: [{}] },
    { ...bundle, inclusion: { ...bundle.inclusion, receiptPath: ['X'] } },
  ];
  for (const name of Object.keys(bundle)) if (name !== 'inclusion' && name !== 'record') broken.push({ ...bundle, [name]: undefined });
  for (const value of broken) {
    const text = JSON.stringify(value);
    assert.equal(validate(JSON.parse(text)), false, text.slice(0, 200));
    assert.equal(verifyEvidence(crypto, judgeFinality, sorted(text), trust).ok, false);
  }
});

function sorted(text: string): string {
  try {
    return canonicalJson(JSON.parse(text) as Json);
  } catch {
    return text;
  }
}

test('a record takes 6 kB at four validators in a map of ten million keys, and of 400 none more than 6.5', () => {
  // Buckets are as full as in a map of ten million keys, which has two full levels more above them: each with three siblings in the quad of its path, three
  // closed quads, and what it says of itself.
  const levelBytes = 3 * (1 + 36) + 3 * (1 + 36) + 8;
  const [keys, levels] = [Math.round(1e7 / 16 ** 2), 2];
  const large = fixtureMap(keys);
  const rest = buildEvidence(plain).length - Math.ceil((plain.proof.length * 4) / 3);
  const sizes = Array.from({ length: 400 }, (_, i) => {
    const key = `\x07recordsv${toByteText(crypto.hash(utf8(String(i))))}${u32Text(1)}`;
    return rest + Math.ceil(((large.prove(key).length + levels * levelBytes) * 4) / 3);
  });
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  assert.ok(mean <= 6 * 1024, `${mean} bytes on average`);
  assert.ok(Math.max(...sizes) <= 6.5 * 1024, `${Math.max(...sizes)} bytes at most`);
});
