/** What a node has voted for before a start, read from the chain's own proofs: a vote log that is older than they are has lost votes. */
import { isVotedBy } from '../consensus/index.ts';

/** Proofs of finality searched at the start for votes of this node, by which an old vote log is known. */
const PROOFS_LOOKED_AT = 64;

/** Highest of the last heights whose proof of finality holds a vote of `node`, or may have held one; 0 when there is none. */
export function lastSigned(
  finalityAt: (height: number) => Uint8Array | 'damaged' | undefined,
  engine: string,
  node: string,
  height: number,
): number {
  for (let at = height; at > Math.max(0, height - PROOFS_LOOKED_AT); at--) {
    const finality = finalityAt(at);
    if (finality === 'damaged' || (finality && isVotedBy(engine, finality, node))) return at;
  }
  return 0;
}
