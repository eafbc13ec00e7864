/** Ed25519 signing from a 32-byte seed (RFC 8032 §5.1.5), for tests: a node signs in its keystore. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { SUITE } from '../../node/format/index.ts';

const ED25519_SEED_BYTES = 32;
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX_BYTES = 12;

export interface Signer {
  readonly suite: number;
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** @throws RangeError when `seed` is not 32 bytes. */
export function createEd25519Signer(seed: Uint8Array): Signer {
  if (seed.length !== ED25519_SEED_BYTES) throw new RangeError(`Cannot make a key of ${seed.length} bytes: expected ${ED25519_SEED_BYTES}`);
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX_BYTES);
  return {
    suite: SUITE.ed25519,
    publicKey: new Uint8Array(publicKey),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}
