/** Audit paths of single leaves, and the check of RFC 9162 of one, as who took it home does it. */
import { concat, type Digest, equalBytes, leafHash, merkleLevels, merklePathIn } from '../../../../node/format/index.ts';

type Hash = (data: Uint8Array) => Digest;

function nodeHash(hash: Hash, left: Digest, right: Digest): Digest {
  return hash(concat(Uint8Array.of(1), left, right));
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

/** Audit path of leaf `index`, nearest sibling first. */
export function merklePath(hash: Hash, leaves: readonly Uint8Array[], index: number): Digest[] {
  return merklePathIn(merkleLevels(hash, leaves), index);
}
