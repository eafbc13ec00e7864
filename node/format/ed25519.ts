/**
 * Ed25519, the half of the one rule that bytes alone decide (design: chain, "Ed25519, one verdict everywhere"; RFC 8032 §5.1).
 * Verifiers disagree on odd signatures, so every replica, the browser and the offline verifier refuse these bytes before any library
 * is asked; what is left is one equation, `encode([S]B - [k]A) = R`, on which all of them agree.
 */
import { fromHex } from './bytes.ts';

export const ED25519_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;

/** L, the order of the base point, little-endian: 2^252 + 27742317777372353535851937790883648493. */
const GROUP_ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');

/** The eight points of small order in canonical form (RFC 8032 §5.1.2): orders 1, 2, 4, 4, 8, 8, 8, 8. */
export const SMALL_ORDER_POINTS: readonly Uint8Array[] = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
].map(fromHex);

/**
 * Whether the 32 bytes at `at` are the only spelling of their point: y < p = 2^255 - 19, and no sign on x = 0.
 * Says nothing about lying on the curve: the library that decompresses it does.
 */
export function isCanonicalPoint(bytes: Uint8Array, at = 0): boolean {
  const top = bytes[at + 31]! & 0x7f;
  let middle = 0xff;
  for (let i = 1; i < 31; i++) middle &= bytes[at + i]!;
  if (top === 0x7f && middle === 0xff && bytes[at]! >= 0xed) return false; // y >= p
  return bytes[at + 31]! < 0x80 || !isPlusOrMinusOne(bytes, at); // x = 0 exactly when y = 1 or y = -1
}

function isPlusOrMinusOne(bytes: Uint8Array, at: number): boolean {
  const fill = bytes[at] === 0x01 ? 0x00 : bytes[at] === 0xec ? 0xff : -1;
  if (fill === -1 || (bytes[at + 31]! & 0x7f) !== (fill & 0x7f)) return false;
  for (let i = 1; i < 31; i++) if (bytes[at + i] !== fill) return false;
  return true;
}

export function isSmallOrderPoint(bytes: Uint8Array, at = 0): boolean {
  for (const point of SMALL_ORDER_POINTS) if (point[0] === bytes[at] && standsAt(point, bytes, at)) return true; // hardly ever is the first byte one of theirs
  return false;
}

function standsAt(part: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < part.length; i++) if (part[i] !== bytes[at + i]) return false;
  return true;
}

/** S < L, as 32 little-endian bytes at `at`. */
export function isCanonicalScalar(bytes: Uint8Array, at = 0): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = bytes[at + i]! - GROUP_ORDER[i]!;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/**
 * Every check that needs no curve arithmetic: lengths, A and R canonical and not of small order, S < L.
 * A false here is final; a true leaves the equation to a library.
 */
export function isEd25519Plausible(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === ED25519_KEY_BYTES &&
    signature.length === ED25519_SIGNATURE_BYTES &&
    isCanonicalScalar(signature, 32) &&
    isCanonicalPoint(signature, 0) &&
    isCanonicalPoint(publicKey) &&
    !isSmallOrderPoint(signature, 0) &&
    !isSmallOrderPoint(publicKey)
  );
}
