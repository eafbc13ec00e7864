import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  consensusHashOf,
  decodeBlock,
  decodeConfiguration,
  decodeHeader,
  decodeProposal,
  defaultParameters,
  encodeBlock,
  encodeConfiguration,
  encodeHeader,
  encodeProposal,
  faultsMax,
  type Header,
  hashTagged,
  headerHash,
  quorumSize,
  toHex,
  type Validator,
} from '../../../../node/format/index.ts';
import { crypto, testKey } from './genesis-fixture.ts';
import { blobs, counts, digests, holdsCanonical, names } from './roundtrip.ts';

const headers: fc.Arbitrary<Header> = fc.record({
  version: fc.nat(0xffff_ffff),
  chainId: digests,
  era: counts,
  height: counts,
  parentHash: digests,
  timestampMs: counts,
  proposer: names,
  engine: names,
  engineData: blobs(),
  txRoot: digests,
  receiptsRoot: digests,
  stateRoot: digests,
  consensusHash: digests,
  nextConsensusHash: digests,
});

test('header, block and proposal come back from their bytes, and no other bytes stand for them', () => {
  holdsCanonical(headers, encodeHeader, decodeHeader, 60);
  const blocks = fc.record({ header: headers, seal: blobs(), transactions: fc.array(blobs(), { maxLength: 3 }) });
  holdsCanonical(blocks, encodeBlock, decodeBlock, 60);
  const proposals = fc.record({ header: blobs(), seal: blobs(), transactionHashes: fc.array(digests, { maxLength: 3 }) });
  holdsCanonical(proposals, encodeProposal, decodeProposal, 60);
});

test('every field of a header changes its hash', () => {
  fc.assert(
    fc.property(headers, headers, (a, b) => {
      const hash = toHex(headerHash(crypto, encodeHeader(a)));
      for (const name of Object.keys(a) as (keyof Header)[]) {
        const same = JSON.stringify(a[name]) === JSON.stringify(b[name]);
        assert.equal(toHex(headerHash(crypto, encodeHeader({ ...a, [name]: b[name] }))) === hash, same, name);
      }
    }),
    { numRuns: 20 },
  );
});

const validators: readonly Validator[] = ['a', 'b', 'c', 'd'].map((node) => ({
  node,
  publicKey: testKey(node).publicKey,
  suite: 1,
  weight: 1,
}));
const configuration = { engine: 'pbft', executionVersion: 1, parameters: defaultParameters(), validators };

test('a configuration decodes to what its hash covers, and its order is fixed', () => {
  const bytes = encodeConfiguration(configuration);
  const decoded = decodeConfiguration(bytes);
  assert.deepEqual(decoded.validators, validators);
  assert.deepEqual(Object.fromEntries(decoded.parameters.map(({ name, value }) => [name, value])), configuration.parameters);
  assert.equal(toHex(consensusHashOf(crypto, configuration)), toHex(hashTagged(crypto, 'consensus', bytes)));
  for (const broken of [[...validators].reverse(), [validators[0]!, validators[0]!]])
    assert.throws(() => encodeConfiguration({ ...configuration, validators: broken }), RangeError);
  for (const change of [{ engine: 'pos' }, { executionVersion: 2 }, { parameters: { ...configuration.parameters, viewTimeoutMs: 1 } }])
    assert.notEqual(toHex(consensusHashOf(crypto, { ...configuration, ...change })), toHex(consensusHashOf(crypto, configuration)));
});

test('any two quorums share an honest validator, and the honest alone make one', () => {
  for (let n = 1; n <= 128; n++) {
    const f = faultsMax(n);
    const q = quorumSize(n);
    assert.ok(2 * q - n > f, `two quorums of ${n}`);
    assert.ok(q <= n - f, `liveness of ${n}`);
    assert.ok(2 * (q - 1) - n <= f, `no smaller quorum of ${n}`);
    if (n % 3 === 1) assert.equal(q, 2 * f + 1);
  }
  for (const n of [0, -1, 1.5, Number.NaN]) assert.throws(() => quorumSize(n), RangeError);
});
