/**
 * Verdicts on what comes again and again while views change: certificates and the view changes around them. A repetition costs a hash instead of
 * a quorum of signatures. They hold for one validator set, so they go with every final block.
 */
import { type Certificate, certificateFault, encodeCertificate, toByteText, toHex } from '../../node/format/index.ts';
import type { EngineCrypto } from '../engine.ts';
import { prepareCertificateFault } from './certificates.ts';
import { encodeMessage, signingBytes, type ViewChange } from './messages.ts';
import type { Replica } from './replica.ts';

/** Verdicts kept, about 200 bytes each; past it all go, and the next repetition is judged anew. */
export const VERDICTS_MAX = 4_096;

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

/**
 * Certificates of one block differ in whose votes they hold, and hold the same few votes: each is checked once. Hundreds of certificates in a new view
 * of many validators would otherwise hold the thread for most of a second.
 */
function oncePerVote({ crypto, verdicts }: Replica): Pick<EngineCrypto, 'verify'> {
  let message: Uint8Array | undefined;
  let place = '';
  return {
    verify(suite, publicKey, signed, signature) {
      if (signed !== message) place = `vote ${toByteText(crypto.hash(signed))}`; // the same for all votes of a certificate
      message = signed;
      const name = place + toByteText(publicKey) + toByteText(signature);
      if (verdicts.has(name)) return verdicts.get(name) === undefined;
      if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
      const valid = crypto.verify(suite, publicKey, signed, signature);
      verdicts.set(name, valid ? undefined : 'signature does not verify');
      return valid;
    },
  };
}

/** What is wrong with a commit certificate under the present validators, or undefined. */
export function commitFault(replica: Replica, certificate: Certificate): string | undefined {
  return judged(replica, 'commit', encodeCertificate(certificate), () =>
    certificateFault(oncePerVote(replica), replica.chainId, certificate, replica.validators),
  );
}

/** What is wrong with a prepare certificate under the present validators, or undefined. */
export function prepareFault(replica: Replica, certificate: Certificate): string | undefined {
  return judged(replica, 'prepare', encodeCertificate(certificate), () =>
    prepareCertificateFault(oncePerVote(replica), replica.chainId, certificate, replica.byNode),
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
