/**
 * Whether a block is final: the bytes that prove it, judged by one pure function per engine. Verifier, block sync, checks, repair and
 * evidence ask here and know no engine. A leaf: it imports the form of each engine's proof and no engine, so that a page that verifies a
 * bundle loads no replica. `node/format/` may import nothing of consensus/, or the two would import each other: its verdict on a bundle is
 * handed `judgeFinality`.
 */
import { DecodeError, type Digest, equalBytes, type JudgeFinality } from '../node/format/index.ts';
import { certificateFault, decodeCertificate } from './pbft/certificates.ts';

/** What a proof of finality says, before anybody has judged it. */
export interface FinalityProof {
  readonly height: number;
  readonly digest: Digest;
  /** Who vouches for the block; nobody under an engine without votes. */
  readonly votes: readonly { readonly node: string; readonly signature: Uint8Array }[];
  /** The engine's own. */
  readonly details: Readonly<Record<string, number>>;
}

/** What one engine makes of its proofs. */
interface FinalityRules {
  /** @throws DecodeError */
  open(finality: Uint8Array): FinalityProof;
  /** Judges a proof that names this very block. */
  readonly judge: JudgeFinality;
}

const pbft: FinalityRules = {
  open(finality) {
    const { view, ...proof } = decodeCertificate(finality);
    return { ...proof, details: { view } };
  },
  judge(crypto, { chainId, validators }, finality) {
    const certificate = decodeCertificate(finality);
    const fault = certificateFault(crypto, chainId, 'commit', certificate, validators);
    return fault === undefined ? { fault, assurance: `${certificate.votes.length} of ${validators.length} validators` } : { fault };
  },
};

/** @throws DecodeError for an engine that is not known: its proofs cannot be read. */
function rulesOf(engine: string): FinalityRules {
  switch (engine) {
    case 'pbft':
      return pbft;
    default:
      throw new DecodeError('proof of an engine that is not known');
  }
}

/** @throws DecodeError for bytes that are no proof of this engine. */
export function openFinality(engine: string, finality: Uint8Array): FinalityProof {
  return rulesOf(engine).open(finality);
}

export const judgeFinality: JudgeFinality = (crypto, block, finality) => {
  try {
    const rules = rulesOf(block.engine);
    const { height, digest } = rules.open(finality);
    if (height !== block.height || !equalBytes(digest, block.digest)) return { fault: 'certificate is for another header' };
    return rules.judge(crypto, block, finality);
  } catch (error) {
    if (error instanceof DecodeError) return { fault: error.message };
    throw error;
  }
};

/** Whether the proof holds a vote of `node`; false for one of another engine. */
export function isVotedBy(engine: string, finality: Uint8Array, node: string): boolean {
  try {
    return openFinality(engine, finality).votes.some((vote) => vote.node === node);
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}
