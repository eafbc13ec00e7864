/**
 * X25519 of the Noise handshake (adapter on node:crypto). Reading a private key takes OpenSSL 0.4 ms, because it computes the public key of
 * it, and the library does it for each of the three agreements of a handshake, before the peer is known: here once for the static key and
 * once for the ephemeral one. A key object is let go with the bytes it was read from.
 */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';

const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export function createHandshakeCrypto(): ICryptoInterface {
  const objects = new WeakMap<object, KeyObject>();
  const objectOf = (secret: Parameters<ICryptoInterface['generateX25519SharedKey']>[0]): KeyObject => {
    const held = objects.get(secret);
    if (held) return held;
    const der = Buffer.concat([PKCS8_PREFIX, secret.subarray()]);
    const made = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    der.fill(0);
    objects.set(secret, made);
    return made;
  };
  return {
    ...defaultCrypto,
    generateX25519SharedKey: (secret, publicKey) =>
      diffieHellman({
        privateKey: objectOf(secret),
        publicKey: createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey.subarray()]), format: 'der', type: 'spki' }),
      }),
  };
}
