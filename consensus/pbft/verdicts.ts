/**
 * Verdicts on what comes again and again while views change: certificates and the view changes around them. A repetition costs a hash
 * instead of a quorum of signatures. They hold for one validator set, so they go with every final block.
 */
import { equalBytes, toByteText, toHex, type Validator } from '../../node/format/index.ts';
import { type Certificate, certificateFault, encodeCertificate, voteSigningBytes } from './certificates.ts';
import type { EngineCrypto, SignatureCheck } from '../engine.ts';
import { type Committed, holdsCertificates, type Message, type NewView, signingBytes, type ViewChange } from './messages.ts';
import { type Replica, tryDecode, voteText } from './replica.ts';

/** Verdicts kept, about 200 bytes each; past it all go, and the next repetition is judged anew. */
export const VERDICTS_MAX = 16_384;

/** Signed texts whose valid votes are found by key alone; past it all go. */
const PLACES_MAX = 256;

/** Name of what was voted on -> public key of a validator, the very array of the validator set -> its last valid signature. */
export type ValidVotes = Map<string, Map<Uint8Array, Uint8Array>>;

/** Name of what was judged -> what is wrong with it, or undefined. */
export type Verdicts = Map<string, string | undefined>;

function judged(replica: Replica, kind: string, bytes: Uint8Array, judge: () => string | undefined): string | undefined {
  const name = `${kind} ${toHex(replica.crypto.hash(bytes))}`;
  const { verdicts } = replica;
  if (verdicts.has(name)) return verdicts.get(name);
  const fault = judge();
  keep(verdicts, name, fault);
  return fault;
}

/**
 * Certificates of one block hold different selections of the same few votes: each vote is checked once. Hundreds of certificates in a new
 * view of many validators would otherwise hold the thread for most of a second.
 */
function oncePerVote({ crypto, verdicts, validVotes }: Replica): Pick<EngineCrypto, 'verify'> {
  const nameOf = naming(crypto);
  return {
    verify(suite, publicKey, message, signature) {
      const place = nameOf.place(message);
      const known = validVotes.get(place)?.get(publicKey);
      // No name is made for it: a new view of 100 validators repeats 134 votes 4,489 times.
      if (known && equalBytes(known, signature)) return true;
      const name = nameOf({ suite, publicKey, message, signature });
      if (!verdicts.has(name)) {
        const valid = crypto.verify(suite, publicKey, message, signature);
        keep(verdicts, name, valid ? undefined : 'signature does not verify');
      }
      if (verdicts.get(name) !== undefined) return false;
      if (validVotes.size >= PLACES_MAX) validVotes.clear();
      const votes = validVotes.get(place) ?? new Map<Uint8Array, Uint8Array>();
      validVotes.set(place, votes.set(publicKey, signature.slice()));
      return true;
    },
  };
}

interface Naming {
  (check: SignatureCheck): string;
  place(message: Uint8Array): string;
}

/** Names checks of signatures; cheap for those that follow each other and share a message, as the votes of a certificate do. */
function naming(crypto: Pick<EngineCrypto, 'hash'>): Naming {
  let last: Uint8Array | undefined;
  let placed = '';
  const place = (message: Uint8Array): string => {
    if (message !== last) placed = `vote ${toByteText(crypto.hash(message))}`;
    last = message;
    return placed;
  };
  const name = ({ publicKey, message, signature }: SignatureCheck): string =>
    place(message) + toByteText(publicKey) + toByteText(signature);
  return Object.assign(name, { place });
}

function keep(verdicts: Verdicts, name: string, fault: string | undefined): void {
  if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
  verdicts.set(name, fault);
}

/** The shell has checked these and found them valid. */
export function noteValid({ crypto, verdicts }: Replica, checks: readonly SignatureCheck[]): void {
  const nameOf = naming(crypto);
  for (const check of checks) keep(verdicts, nameOf(check), undefined);
}

/** Those signatures of a view change or new view that are known to be valid, each once. */
export function validIn(replica: Replica, bytes: Uint8Array): readonly SignatureCheck[] {
  const { verdicts } = replica;
  const nameOf = naming(replica.crypto);
  const found = new Map<string, SignatureCheck>();
  for (const check of checksOf(replica, bytes)) {
    const name = nameOf(check);
    if (verdicts.has(name) && verdicts.get(name) === undefined) found.set(name, check);
  }
  return [...found.values()];
}

/** Frames up to this many bytes hold some forty signatures at most, which a step checks in 2 ms. */
export const CHECKED_IN_STEP_BYTES_MAX = 4_096;

/** See Engine.signatures: of view changes and new views, the only messages that carry more than one certificate. */
export function signaturesOf(replica: Replica, bytes: Uint8Array): Iterable<SignatureCheck> | undefined {
  return bytes.length > CHECKED_IN_STEP_BYTES_MAX && holdsCertificates(bytes) ? unchecked(replica, bytes) : undefined;
}

function* unchecked(replica: Replica, bytes: Uint8Array): Generator<SignatureCheck, void> {
  const { verdicts } = replica;
  const nameOf = naming(replica.crypto);
  const given = new Set<string>();
  for (const check of checksOf(replica, bytes)) {
    const name = nameOf(check);
    if (verdicts.has(name) || given.has(name)) continue;
    given.add(name);
    yield check;
  }
}

/**
 * The signature of the message first, then those of its view changes, then the votes judged in them. Nodes that are no validators are left
 * out.
 */
function* checksOf({ byNode, chainId, height }: Replica, bytes: Uint8Array): Generator<SignatureCheck, void> {
  const message = tryDecode(bytes);
  if (message?.kind !== 'viewChange' && message?.kind !== 'newView') return;
  const ofSigner = (signed: ViewChange | NewView): SignatureCheck[] => {
    const signer = byNode.get(signed.node);
    return signer ? [{ ...signer, message: signingBytes(chainId, signed), signature: signed.signature }] : [];
  };
  yield* ofSigner(message);
  const viewChanges = message.kind === 'viewChange' ? [message] : [];
  for (const inner of message.kind === 'newView' ? message.viewChanges : []) {
    const opened = tryDecode(inner);
    if (opened?.kind !== 'viewChange') return;
    viewChanges.push(opened);
    yield* ofSigner(opened);
  }
  const votes = function* (phase: 'prepare' | 'commit', certificate: Certificate): Generator<SignatureCheck, void> {
    const signed = voteSigningBytes(chainId, phase, certificate);
    for (const { node, signature } of certificate.votes) {
      const signer = byNode.get(node);
      if (signer) yield { ...signer, message: signed, signature };
    }
  };
  for (const { prepared, certificate } of viewChanges) {
    for (const each of prepared) yield* votes('prepare', each);
    if (certificate && certificate.height > height) yield* votes('commit', certificate);
  }
}

/** What is wrong with a certificate under the present validators, or undefined. */
export function judgedFault(replica: Replica, phase: 'prepare' | 'commit', certificate: Certificate): string | undefined {
  const { chainId, validators, byNode } = replica;
  return judged(replica, phase, encodeCertificate(certificate), () =>
    certificateFault(oncePerVote(replica), chainId, phase, certificate, validators, byNode),
  );
}

/** True when a validator signed this view change; `bytes` are its encoding. */
export function isSigned(replica: Replica, message: ViewChange, bytes: Uint8Array): boolean {
  const fault = judged(replica, 'viewChange', bytes, () => {
    const validator = replica.byNode.get(message.node);
    if (!validator) return 'not a validator';
    const { suite, publicKey } = validator;
    const signed = signingBytes(replica.chainId, message);
    return oncePerVote(replica).verify(suite, publicKey, signed, message.signature) ? undefined : 'signature does not verify';
  });
  return fault === undefined;
}

/** True when this validator signed a message; `bytes` are its encoding. */
export function isSignedBy(
  replica: Replica,
  { suite, publicKey }: Validator,
  message: Exclude<Message, Committed>,
  bytes: Uint8Array,
): boolean {
  switch (message.kind) {
    case 'viewChange':
      return isSigned(replica, message, bytes);
    case 'prepare':
    case 'commit':
    case 'checkpoint':
      return replica.crypto.verify(suite, publicKey, voteText(replica, message.kind, message), message.signature);
    default:
      return replica.crypto.verify(suite, publicKey, signingBytes(replica.chainId, message), message.signature);
  }
}
