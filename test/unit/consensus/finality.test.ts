/** What proves a block final, judged engine by engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVotedBy, judgeFinality, openFinality } from '../../../consensus/index.ts';
import { type Certificate, decodeCertificate, encodeCertificate, voteSigningBytes } from '../../../consensus/pbft/certificates.ts';
import { DecodeError, type JudgedBlock, utf8, type Validator } from '../../../node/format/index.ts';
import { crypto, testKey } from '../node/format/genesis-fixture.ts';
import { blobs, counts, digests, holdsCanonical, names } from '../node/format/roundtrip.ts';

const chainId = new Uint8Array(32).fill(3);
const digest = new Uint8Array(32).fill(4);
const validators: readonly Validator[] = ['a', 'b', 'c', 'd'].map((node) => ({
  node,
  publicKey: testKey(node).publicKey,
  suite: 1,
  weight: 1,
}));
const block: JudgedBlock = { engine: 'pbft', chainId, height: 7, digest, validators };

function certificateOf(
  nodes: readonly string[],
  signed: Parameters<typeof voteSigningBytes> = [chainId, 'commit', 2, 7, digest],
): Certificate {
  return { view: 2, height: 7, digest, votes: nodes.map((node) => ({ node, signature: testKey(node).sign(voteSigningBytes(...signed)) })) };
}

test('a certificate holds with a quorum of distinct, sorted, valid commit votes and with nothing less', () => {
  const fault = (certificate: Certificate) => judgeFinality(crypto, block, encodeCertificate(certificate)).fault;
  assert.equal(fault(certificateOf(['a', 'b', 'c'])), undefined);
  assert.equal(fault(certificateOf(['a', 'b', 'c', 'd'])), undefined);
  assert.match(fault(certificateOf(['a', 'b']))!, /2 votes where 3/);
  assert.match(fault(certificateOf(['a', 'b', 'b']))!, /not sorted/);
  assert.match(fault(certificateOf(['b', 'a', 'c']))!, /not sorted/);
  assert.match(fault(certificateOf(['a', 'b', 'e']))!, /e is not a validator/);
  const others: Parameters<typeof voteSigningBytes>[] = [
    [digest, 'commit', 2, 7, digest],
    [chainId, 'prepare', 2, 7, digest],
    [chainId, 'checkpoint', 2, 7, digest],
    [chainId, 'commit', 3, 7, digest],
    [chainId, 'commit', 2, 8, digest],
    [chainId, 'commit', 2, 7, chainId],
  ];
  for (const signed of others) assert.match(fault(certificateOf(['a', 'b', 'c'], signed))!, /signature of a/);
});

test('a certificate comes back from its bytes, and no other bytes stand for it', () => {
  const votes = fc.array(fc.record({ node: names, signature: blobs() }), { maxLength: 4 });
  const certificates: fc.Arbitrary<Certificate> = fc.record({ view: counts, height: counts, digest: digests, votes });
  holdsCanonical(certificates, encodeCertificate, decodeCertificate, 60);
});

test('a proof counts for the block it names, and bytes that are no proof of the engine are a fault, never an exception', () => {
  const sound = encodeCertificate(certificateOf(['a', 'b', 'c']));
  assert.deepEqual(judgeFinality(crypto, block, sound), { fault: undefined, assurance: '3 of 4 validators' });
  assert.match(judgeFinality(crypto, { ...block, height: 8 }, sound).fault!, /another header/);
  assert.match(judgeFinality(crypto, { ...block, digest: chainId }, sound).fault!, /another header/);
  for (const bytes of [new Uint8Array(), utf8('no certificate'), sound.slice(1), Uint8Array.of(...sound, 0)])
    assert.match(judgeFinality(crypto, block, bytes).fault!, /Cannot decode/);
  assert.match(judgeFinality(crypto, { ...block, engine: 'toString' }, sound).fault!, /not known/);
});

test('a proof shows its block, who voted for it and what its engine adds', () => {
  const sound = encodeCertificate(certificateOf(['a', 'b', 'c']));
  const { height, votes, details } = openFinality('pbft', sound);
  assert.deepEqual([height, votes.map(({ node }) => node), details], [7, ['a', 'b', 'c'], { view: 2 }]);
  assert.throws(() => openFinality('raft', sound), DecodeError);
  assert.deepEqual(
    ['a', 'd'].map((node) => isVotedBy('pbft', sound, node)),
    [true, false],
  );
  assert.equal(isVotedBy('raft', sound, 'a'), false);
});
