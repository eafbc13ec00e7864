/**
 * Quorum certificates: their form, the bytes their votes sign, and what is wrong with one. Commit certificates prove blocks final
 * (consensus/finality.ts). A leaf: whoever judges one needs no replica.
 */
import {
  type Crypto,
  decodeAll,
  DIGEST_BYTES,
  type Digest,
  domainTag,
  encodeShort,
  NAME_BYTES_MAX,
  quorumSize,
  type Reader,
  SIGNATURE_BYTES_MAX,
  type Validator,
  VALIDATORS_MAX,
  type Writer,
} from '../../node/format/index.ts';

/** Where a replica speaks: nobody signs two digests of one phase there. */
export interface Place {
  readonly height: number;
  readonly view: number;
}

/** Lower height first, then lower view. */
export function comparePlaces(a: Place, b: Place): number {
  return a.height - b.height || a.view - b.view;
}

/** Votes of one phase of a quorum for one header hash. `node` are registered ids, sorted. */
export interface Certificate extends Place {
  readonly digest: Digest;
  readonly votes: readonly { readonly node: string; readonly signature: Uint8Array }[];
}

export type VotePhase = 'prepare' | 'commit' | 'checkpoint';
const PHASE_NUMBER = { prepare: 1, commit: 2, checkpoint: 3 } as const;

/** What a vote says, wherever it stands. */
interface VotedOn extends Place {
  readonly digest: Digest;
}

/** The bytes a validator signs for one vote; `chainId` inside keeps votes of one network out of another. */
export function voteSigningBytes(chainId: Digest, phase: VotePhase, votedOn: VotedOn): Uint8Array {
  return encodeShort(writeVoteText, { chainId, phase, votedOn });
}

function writeVoteText(
  writer: Writer,
  { chainId, phase, votedOn }: { readonly chainId: Digest; readonly phase: VotePhase; readonly votedOn: VotedOn },
): void {
  const { view, height, digest } = votedOn;
  writer.raw(domainTag('vote')).fixed(chainId, DIGEST_BYTES).u8(PHASE_NUMBER[phase]).u64(view).u64(height).fixed(digest, DIGEST_BYTES);
}

export function encodeCertificate(certificate: Certificate): Uint8Array {
  return encodeShort(writeCertificate, certificate);
}

function writeCertificate(writer: Writer, { view, height, digest, votes }: Certificate): void {
  writer.u64(view).u64(height).fixed(digest, DIGEST_BYTES).list(votes, writeSignature);
}

function writeSignature(writer: Writer, { node, signature }: Certificate['votes'][number]): void {
  writer.text(node).bytes(signature);
}

export function readCertificate(reader: Reader): Certificate {
  return {
    view: reader.u64(),
    height: reader.u64(),
    digest: reader.fixed(DIGEST_BYTES),
    votes: reader.list((r) => ({ node: r.text(NAME_BYTES_MAX), signature: r.bytes(SIGNATURE_BYTES_MAX) }), VALIDATORS_MAX),
  };
}

/** @throws DecodeError */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  return decodeAll(bytes, readCertificate);
}

/** A certificate out of votes of one kind for one (view, height, digest), sorted by node id. */
export function certificateOf(votes: readonly (Certificate['votes'][number] & Omit<Certificate, 'votes'>)[]): Certificate {
  const [first] = votes;
  if (!first) throw new RangeError('Cannot certify with no votes');
  return {
    view: first.view,
    height: first.height,
    digest: first.digest,
    votes: votes.map(({ node, signature }) => ({ node, signature })).sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}

/** Checks a certificate of `phase` against the validators of its height; undefined when it holds, else what is wrong. */
export function certificateFault(
  crypto: Pick<Crypto, 'verify'>,
  chainId: Digest,
  phase: 'prepare' | 'commit',
  certificate: Certificate,
  validators: readonly Validator[],
  byNode: ReadonlyMap<string, Validator> = new Map(validators.map((validator) => [validator.node, validator])),
): string | undefined {
  const { votes } = certificate;
  const quorum = quorumSize(validators.length);
  if (votes.length < quorum) return `${votes.length} votes where ${quorum} are needed`;
  const message = voteSigningBytes(chainId, phase, certificate);
  let previous = '';
  for (const { node, signature } of votes) {
    if (node <= previous) return 'votes are not sorted by node id without repetition';
    previous = node;
    const validator = byNode.get(node);
    if (!validator) return `${node} is not a validator of this height`;
    if (!crypto.verify(validator.suite, validator.publicKey, message, signature)) return `signature of ${node} does not verify`;
  }
  return undefined;
}
