/**
 * What the format layer needs of cryptography, handed in by the caller: node:crypto in a node, noble in a browser, a keyed hash in the
 * simulator. Every hash has a domain tag, so that bytes of one kind can never stand for another.
 */
import { concat, utf8 } from './bytes.ts';
import { giveBackWriter, takeSpareWriter, type Writer } from './codec.ts';

export const DIGEST_BYTES = 32;

/** What is longer is hashed in memory of its own. */
const COPIED_BYTES_MAX = 32_768;

/** 32 bytes. */
export type Digest = Uint8Array;

/** Signature suites by number; a number is never reused. `simulated` is a keyed hash and is refused outside the simulator's World. */
export const SUITE = { ed25519: 1, simulated: 255 } as const;

export interface Crypto {
  /** SHA-256. Keeps nothing of `data`, whose memory may be used again. */
  hash(data: Uint8Array): Digest;
  /** The one verdict on a signature; false for any malformed key or signature, never an exception. */
  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** A hash of what comes piece by piece, for who pauses between the pieces. Once it has said its digest it takes nothing more. */
export interface Hasher {
  update(data: Uint8Array): void;
  digest(): Digest;
}

export interface SteppedCrypto extends Crypto {
  /** Of all pieces, one behind the other, the same as `hash` of them in one. */
  hasher(): Hasher;
}

const DOMAINS = [
  'genesis',
  'chain',
  'transaction',
  'transaction-full',
  'transaction-malformed',
  'transaction-signature',
  'header',
  'vote',
  'seal',
  'consensus',
  'tree-leaf',
  'tree-node',
  'map-bucket',
  'map-branch',
  'map-changes',
  'map-snapshot',
  'record-id',
  'sealed-field',
  'index',
  'term',
  'term-head',
  'address',
  'exchange',
  'evidence',
  'engine-message',
  'hello',
  'token',
  'image',
  'attestation',
] as const;
export type Domain = (typeof DOMAINS)[number];
const TAGS = new Map<Domain, Uint8Array>(DOMAINS.map((domain) => [domain, utf8(`tracemill/${domain}/v1\n`)]));

/** The bytes that stand in front of everything of one kind before it is hashed or signed. */
export function domainTag(domain: Domain): Uint8Array {
  return TAGS.get(domain)!;
}

export function tagged(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  return concat(domainTag(domain), ...parts);
}

export function hashTagged(crypto: Pick<Crypto, 'hash'>, domain: Domain, ...parts: readonly Uint8Array[]): Digest {
  return hashParts(crypto.hash, domainTag(domain), parts);
}

/** Hash of `front` and the parts behind it, as of one byte string. */
export function hashParts(hash: Crypto['hash'], front: Uint8Array, parts: readonly Uint8Array[]): Digest {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > COPIED_BYTES_MAX) return hash(concat(front, ...parts));
  const writer = takeSpareWriter();
  try {
    writer.raw(front);
    for (const part of parts) writer.raw(part);
    return hash(writer.view());
  } finally {
    giveBackWriter(writer);
  }
}

/** hashTagged over what `write` writes of a value: for values that are not at hand as bytes. */
export function hashWritten<T>(crypto: Pick<Crypto, 'hash'>, domain: Domain, write: (writer: Writer, value: T) => void, value: T): Digest {
  const writer = takeSpareWriter();
  try {
    write(writer.raw(domainTag(domain)), value);
    return crypto.hash(writer.view());
  } finally {
    giveBackWriter(writer);
  }
}
