/**
 * Ed25519, the other half of the one rule, by the point arithmetic of noble: slow (a few hundred a second), pure, the same in a browser.
 * It is the reference that native verifiers are compared with, and the screen for keys at registration. noble's own `verify` is not used:
 * it multiplies by the cofactor and so accepts R + T8 where OpenSSL and libsodium refuse.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, equalBytes, fromHex } from './bytes.ts';
import { SUITE } from './crypto.ts';
import { ED25519_KEY_BYTES, isCanonicalPoint, isEd25519Plausible, isSmallOrderPoint } from './ed25519.ts';

const { Point } = ed25519;

/** The verdict of design/chain.md, cofactorless: `encode([S]B - [k]A)` equals the bytes of R. Never throws. */
export function verifyEd25519Reference(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isEd25519Plausible(publicKey, signature)) return false;
  const a = decodePoint(publicKey);
  if (a === undefined) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const k = Point.Fn.create(littleEndian(sha512(concat(r, publicKey, message))));
  return equalBytes(Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k)).toBytes(), r);
}

/**
 * Whether a key may be registered: canonical, on the curve, and in the prime-order group (no torsion). A key with torsion would make its
 * owner able to sign messages on which batch and single verifiers differ. A few ms: at registration only.
 */
export function isAcceptablePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== ED25519_KEY_BYTES || !isCanonicalPoint(publicKey) || isSmallOrderPoint(publicKey)) return false;
  return decodePoint(publicKey)?.isTorsionFree() ?? false;
}

/** The screen for a key of a suite, as hex, that a genesis, a proposal or an administrator wants to register. */
export function isAcceptableKey(suite: number, publicKey: string): boolean {
  return suite === SUITE.ed25519 && isAcceptablePublicKey(fromHex(publicKey));
}

function decodePoint(bytes: Uint8Array) {
  try {
    return Point.fromBytes(Uint8Array.from(bytes), false);
  } catch {
    return undefined; // not on the curve
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
