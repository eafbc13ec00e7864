/**
 * Verdicts on what comes again and again while views change: certificates and the view changes around them. A repetition costs a hash instead of
 * a quorum of signatures. They hold for one validator set, so they go with every final block.
 */
import { type Certificate, certificateFault, encodeCertificate, toHex } from '../../node/format/index.ts';
import { prepareCertificateFault } from './certificates.ts';
import { encodeMessage, signingBytes, type ViewChange } from './messages.ts';
import type { Replica } from './replica.ts';

/** Verdicts kept, about 200 bytes each; past it all go, and the next repetition is judged anew. */
export const VERDICTS_MAX = 1_024;

/** Name of what was judged -> what is wrong with it, or undefined. */
export type Verdicts = Map<string, string | undefined>;

function judged(replica: Replica, kind: string, bytes: Uint8Array, judge: () => string | undefined): string | undefined {
  const name = `${kind} ${toHex(replica.crypto.hash(bytes))}`;
  const { verdicts } = replica;
  if (verdicts.has(name)) return verdicts.get(name);
  if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
  const fault = judge();
  verdicts.set(name, fault);
  return fault;
}

/** What is wrong with a commit certificate under the present validators, or undefined. */
export function commitFault(replica: Replica, certificate: Certificate): string | undefined {
  return judged(replica, 'commit', encodeCertificate(certificate), () =>
    certificateFault(replica.crypto, replica.chainId, certificate, replica.validators),
  );
}

/** What is wrong with a prepare certificate under the present validators, or undefined. */
export function prepareFault(replica: Replica, certificate: Certificate): string | undefined {
  return judged(replica, 'prepare', encodeCertificate(certificate), () =>
    prepareCertificateFault(replica.crypto, replica.chainId, certificate, replica.byNode),
  );
}

/** True when a validator signed this view change. */
export function isSigned(replica: Replica, message: ViewChange): boolean {
  const fault = judged(replica, 'viewChange', encodeMessage(message), () => {
    const validator = replica.byNode.get(message.node);
    if (!validator) return 'not a validator';
    const signed = signingBytes(replica.chainId, message);
    return replica.crypto.verify(validator.suite, validator.publicKey, signed, message.signature) ? undefined : 'signature does not verify';
  });
  return fault === undefined;
}
