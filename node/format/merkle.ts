/**
 * Merkle trees over lists, RFC 6962 §2.1: leaves H(0x00 || leaf), nodes H(0x01 || left || right), split at the largest power of two
 * below the count; the root of no leaves is H(). Used for transactions and receipts of a block.
 */
import { giveBackWriter, takeSpareWriter } from './codec.ts';
import { type Crypto, type Digest, hashParts } from './crypto.ts';

type Hash = Crypto['hash'];
const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);
const STEP_HASHES = 64; // hashes between two pauses

export function leafHash(hash: Hash, leaf: Uint8Array): Digest {
  return hashParts(hash, LEAF, [leaf]);
}

function nodeHash(hash: Hash, left: Digest, right: Digest): Digest {
  const writer = takeSpareWriter();
  try {
    return hash(writer.raw(NODE).raw(left).raw(right).view());
  } finally {
    giveBackWriter(writer);
  }
}

/** Every level of the tree over `leaves` (raw bytes): leaf hashes first, the root alone last. Of no leaves: the root only. */
export function merkleLevels(hash: Hash, leaves: readonly Uint8Array[]): readonly (readonly Digest[])[] {
  const steps = merkleLevelsSteps(hash, leaves);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of some hashes, for threads that have more to do. */
export function* merkleLevelsSteps(hash: Hash, leaves: readonly Uint8Array[]): Generator<void, readonly (readonly Digest[])[], void> {
  if (leaves.length === 0) return [[hash(new Uint8Array(0))]];
  let below: Digest[] = [];
  for (const leaf of leaves) {
    below.push(leafHash(hash, leaf));
    if (below.length % STEP_HASHES === 0) yield;
  }
  const levels: Digest[][] = [below];
  while (below.length > 1) {
    const above: Digest[] = [];
    for (let i = 0; i < below.length; i += 2) {
      above.push(parentAt(hash, below, i));
      if (above.length % STEP_HASHES === 0) yield;
    }
    levels.push(above);
    below = above;
  }
  return levels;
}

/** Root of the tree over `leaves`, given as raw leaf bytes. */
export function merkleRoot(hash: Hash, leaves: readonly Uint8Array[]): Digest {
  if (leaves.length === 0) return hash(new Uint8Array(0));
  const level: Digest[] = [];
  for (const leaf of leaves) level.push(leafHash(hash, leaf));
  while (level.length > 1) {
    let count = 0;
    for (let i = 0; i < level.length; i += 2) level[count++] = parentAt(hash, level, i);
    level.length = count;
  }
  return level[0]!;
}

/** Pairing neighbours and carrying an odd last one up yields the same tree as the recursive split of the RFC. @param i even */
function parentAt(hash: Hash, below: readonly Digest[], i: number): Digest {
  return i + 1 < below.length ? nodeHash(hash, below[i]!, below[i + 1]!) : below[i]!;
}

/** Siblings of leaf `index` in levels of merkleLevels, nearest first (RFC 6962 §2.1.1). */
export function merklePathIn(levels: readonly (readonly Digest[])[], index: number): Digest[] {
  const path: Digest[] = [];
  let at = index;
  for (const level of levels.slice(0, -1)) {
    const sibling = level[at ^ 1];
    if (sibling) path.push(sibling);
    at >>= 1;
  }
  return path;
}
