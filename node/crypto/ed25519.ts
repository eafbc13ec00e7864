/**
 * Ed25519 at native speed (adapter): byte checks of node/format/ed25519.ts first, then one library. sodium-native is 1.7 times node:crypto
 * and 30 times noble here; where its binary does not load, node:crypto gives the same verdict (compared on hostile vectors by a test).
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { createRequire } from 'node:module';
import { BoundedMap } from '../pace/bounded-map.ts';
import { isAcceptablePublicKey, isEd25519Plausible, toByteText, verifyEd25519Reference } from '../format/index.ts';

export { isAcceptablePublicKey, verifyEd25519Reference };

/** KeyObjects kept by node:crypto's path; importing one costs 90 to 120 us. */
export const KEY_OBJECTS_MAX = 10_000;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex'); // RFC 8410 §7: PrivateKeyInfo of a seed
const PUBLIC_KEY_BYTES = 32;
const SECRET_KEY_BYTES = 64; // of libsodium: the seed, then the public key
const SIGNATURE_BYTES = 64;

export type Ed25519Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean | undefined;
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
}

function loadSodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined; // no prebuilt binary for this platform
  }
}
const sodium = loadSodium();

const keyObjects = new BoundedMap<string, KeyObject>(KEY_OBJECTS_MAX);

function keyObjectOf(publicKey: Uint8Array): KeyObject {
  const name = toByteText(publicKey);
  const known = keyObjects.get(name);
  if (known !== undefined) return known;
  const made = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  keyObjects.set(name, made);
  return made;
}

export const verifyEd25519Node: Ed25519Verify = (publicKey, message, signature) => {
  if (!isEd25519Plausible(publicKey, signature)) return false;
  try {
    return nodeVerify(null, message, keyObjectOf(publicKey), signature);
  } catch {
    return false; // a key that is not on the curve
  }
};

/** undefined where libsodium does not load. */
export const verifyEd25519Sodium: Ed25519Verify | undefined =
  sodium &&
  ((publicKey, message, signature) =>
    isEd25519Plausible(publicKey, signature) &&
    sodium.crypto_sign_verify_detached(unshared(signature), unshared(message), unshared(publicKey)) === true);

/** sodium-native answers nothing for a view on a SharedArrayBuffer: copy it out. */
function unshared(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? Uint8Array.from(bytes) : bytes;
}

/** The one verdict of this node. Never throws. */
export const verifyEd25519: Ed25519Verify = verifyEd25519Sodium ?? verifyEd25519Node;

export interface Ed25519Signer {
  /** The signature of RFC 8032, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** For a key that is destroyed: nothing of it stays here, and no signature that verifies is made any more. */
  forget(): void;
}
/** Whoever signs more than once keeps what this returns: reading a seed costs more than a signature. */
export type Ed25519SignerOf = (seed: Uint8Array) => Ed25519Signer;

/** For node:crypto. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

export const ed25519SignerNode: Ed25519SignerOf = (seed) => {
  let key: KeyObject | undefined = privateKeyOf(seed);
  return {
    sign(message) {
      if (key === undefined) throw new Error('Cannot sign with a key that is destroyed');
      return new Uint8Array(nodeSign(null, message, key));
    },
    forget() {
      key = undefined; // OpenSSL clears it when it is collected
    },
  };
};

/** Half the time of node:crypto; undefined where libsodium does not load. */
export const ed25519SignerSodium: Ed25519SignerOf | undefined =
  sodium &&
  ((seed) => {
    const secretKey = new Uint8Array(SECRET_KEY_BYTES);
    sodium.crypto_sign_seed_keypair(new Uint8Array(PUBLIC_KEY_BYTES), secretKey, seed);
    return {
      sign(message) {
        const signature = new Uint8Array(SIGNATURE_BYTES);
        sodium.crypto_sign_detached(signature, unshared(message), secretKey);
        return signature;
      },
      forget: () => void secretKey.fill(0),
    };
  });

export const ed25519SignerOf: Ed25519SignerOf = ed25519SignerSodium ?? ed25519SignerNode;
