/**
 * Merkle trees over lists, RFC 6962 §2.1: leaves H(0x00 || leaf), nodes H(0x01 || left || right), split at the largest power of two
 * below the count; the root of no leaves is H(). Used for transactions and receipts of a block.
 */
import { concat, equalBytes } from './bytes.ts';
import type { Digest } from './crypto.ts';

type Hash = (data: Uint8Array) => Digest;
const LEAF = new Uint8Array([0]);
export const NODE_PREFIX = new Uint8Array([1]);

export function leafHash(hash: Hash, leaf: Uint8Array): Digest {
  return hash(concat(LEAF, leaf));
}

function nodeHash(hash: Hash, left: Digest, right: Digest): Digest {
  return hash(concat(NODE_PREFIX, left, right));
}

/** Root of the tree over `leaves`, given as raw leaf bytes. */
export function merkleRoot(hash: Hash, leaves: readonly Uint8Array[]): Digest {
  if (leaves.length === 0) return hash(new Uint8Array(0));
  let level = leaves.map((leaf) => leafHash(hash, leaf));
  while (level.length > 1) {
    const above: Digest[] = [];
    // Pairing neighbours and carrying an odd last one up yields the same tree as the recursive split of the RFC.
    for (let i = 0; i < level.length; i += 2) above.push(i + 1 < level.length ? nodeHash(hash, level[i]!, level[i + 1]!) : level[i]!);
    level = above;
  }
  return level[0]!;
}

/** Audit path of leaf `index`, nearest sibling first (RFC 6962 §2.1.1). @throws RangeError when there is no such leaf. */
export function merklePath(hash: Hash, leaves: readonly Uint8Array[], index: number): Digest[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`Cannot prove leaf ${index} of ${leaves.length}`);
  let level = leaves.map((leaf) => leafHash(hash, leaf));
  let at = index;
  const path: Digest[] = [];
  while (level.length > 1) {
    const sibling = at ^ 1;
    if (sibling < level.length) path.push(level[sibling]!);
    const above: Digest[] = [];
    for (let i = 0; i < level.length; i += 2) above.push(i + 1 < level.length ? nodeHash(hash, level[i]!, level[i + 1]!) : level[i]!);
    level = above;
    at >>= 1;
  }
  return path;
}

/** True when `leaf` is number `index` of the `count` leaves under `root` (RFC 9162 §2.1.3.2). */
export function verifyMerklePath(
  hash: Hash,
  root: Digest,
  leaf: Uint8Array,
  index: number,
  count: number,
  path: readonly Digest[],
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(count) || index < 0 || index >= count) return false;
  let node = index;
  let last = count - 1;
  let digest = leafHash(hash, leaf);
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      digest = nodeHash(hash, sibling, digest);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      digest = nodeHash(hash, digest, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equalBytes(digest, root);
}
