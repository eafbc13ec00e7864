/** The Crypto of a real node (adapter): SHA-256 of node:crypto, Ed25519 by the one rule. */
import * as nodeCrypto from 'node:crypto';
import { type ByteText, DIGEST_BYTES, type Digest, type Hasher, type SteppedCrypto, SUITE } from '../format/index.ts';
import { verifyEd25519 } from './ed25519.ts';

/** `hashText` is the same hash as ByteText where the platform gives it for nothing: the state map keeps digests in that form. */
export function createCrypto(): SteppedCrypto & { readonly hashText?: (data: Uint8Array) => ByteText } {
  return {
    hash: sha256,
    hasher,
    ...(oneShot === undefined ? {} : { hashText: (data: Uint8Array): ByteText => oneShot('sha256', data, 'binary') }),
    verify: (suite, publicKey, message, signature) => suite === SUITE.ed25519 && verifyEd25519(publicKey, message, signature),
  };
}

function hasher(): Hasher {
  const hash = nodeCrypto.createHash('sha256');
  return { update: (data) => void hash.update(data), digest: () => new Uint8Array(hash.digest()) };
}

const oneShot = (nodeCrypto as Partial<typeof nodeCrypto>).hash;

/** One-shot hashing to a string skips two allocations of the stream form: several times its speed on short input (Node 20.12 and later). */
const sha256: (data: Uint8Array) => Digest =
  oneShot === undefined
    ? (data) => new Uint8Array(nodeCrypto.createHash('sha256').update(data).digest())
    : (data) => {
        const text = oneShot('sha256', data, 'binary');
        const digest = new Uint8Array(DIGEST_BYTES);
        for (let i = 0; i < DIGEST_BYTES; i++) digest[i] = text.charCodeAt(i);
        return digest;
      };
