/** Quorum certificates out of votes, and the check of a prepare certificate. Commit certificates are checked by node/format. */
import { type Certificate, type Digest, quorumSize, type Validator, voteSigningBytes } from '../../node/format/index.ts';
import type { EngineCrypto } from '../engine.ts';
import type { Vote } from './messages.ts';

/** A certificate out of votes of one kind for one (view, height, digest), sorted by node id. */
export function certificateOf(votes: readonly Vote[]): Certificate {
  const [first] = votes;
  if (!first) throw new RangeError('Cannot certify with no votes');
  return {
    view: first.view,
    height: first.height,
    digest: first.digest,
    votes: votes.map(({ node, signature }) => ({ node, signature })).sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}

/** What is wrong with a prepare certificate, or undefined when it holds. */
export function prepareCertificateFault(
  crypto: Pick<EngineCrypto, 'verify'>,
  chainId: Digest,
  certificate: Certificate,
  validators: ReadonlyMap<string, Validator>,
): string | undefined {
  const quorum = quorumSize(validators.size);
  if (certificate.votes.length < quorum) return `${certificate.votes.length} votes where ${quorum} are needed`;
  const message = voteSigningBytes(chainId, 'prepare', certificate.view, certificate.height, certificate.digest);
  let previous = '';
  for (const vote of certificate.votes) {
    if (vote.node <= previous) return 'votes are not sorted by node id without repetition';
    previous = vote.node;
    const validator = validators.get(vote.node);
    if (!validator) return `${vote.node} is not a validator`;
    if (!crypto.verify(validator.suite, validator.publicKey, message, vote.signature)) return `signature of ${vote.node} does not verify`;
  }
  return undefined;
}
