/**
 * The form of the authenticated state and the verifier of its proofs (design: write-path, "Form"; the map itself: node/state/).
 *
 * A radix-16 tree over the nibbles of its keys, high half first. A subtree of up to 16 entries is a bucket; a larger one is a branch at the
 * longest path that all its keys begin with, with a child for each nibble that follows and an end for the key that is the path. The slot of
 * a subtree is the path of its parent and its nibble; the root has the empty slot. Shape and root follow from the set of entries alone.
 * Hashes, all SHA-256 behind a domain tag, `ref` = u32 count of entries below || hash:
 *   bucket  H(map-bucket, u8 count || for each entry in key order: u16 length || key from the byte in which the slot ends || valueHash)
 *   quad    H(map-branch, 1 || ref of each child)               two to four children whose nibbles share their upper two bits
 *   branch  H(map-branch, 2 || u16 depth || path || u8 end || u16 mask || [valueHash of the end] || ref of each quad)
 *   empty   H(map-branch, 0)
 * A quad of one child is that child. `mask` has bit n set when there is a child n; an odd last nibble of `path` stands in the high half of its byte.
 * A bucket does not repeat its slot: the branch above covers it. Every hash covers the counts below it and shows what is not there.
 *
 * A proof is the tree from the root with all that is not asked for closed into refs. One form serves presence, absence, ranges and counts.
 * Item: 0 closed (ref) · 1 bucket (as hashed) · 2 branch (u16 depth, path from the byte in which the slot ends, end, mask, [valueHash],
 * quads); a quad of several children is behind a flag: 0 closed (ref), 1 open (items). 3 alone: the empty map. The root is never closed.
 */
import { type ByteText, equalBytes, fromByteText, toByteText } from './bytes.ts';
import { DecodeError, decodeAll, type Reader } from './codec.ts';
import { type Crypto, DIGEST_BYTES, type Digest, tagged } from './crypto.ts';
import { childPath, inRange, type KeyRange, relate } from './map-path.ts';

export const MAP_KEY_BYTES_MAX = 512;
/** Entries of a bucket at most. */
export const BUCKET_ENTRIES_MAX = 16;
export const STATE_PROOF_BYTES_MAX = 16 * 1024 * 1024; // the most a verifier looks at

export const STATE_ITEM = { closed: 0, bucket: 1, branch: 2, empty: 3 } as const;
export const STATE_HASH = { empty: 0, quad: 1, branch: 2 } as const;

export interface StateEntry {
  readonly key: ByteText;
  readonly valueHash: Digest;
}

export type StateClaim = { readonly present: true; readonly valueHash: Digest } | { readonly present: false };

export interface StateRangeClaim {
  /** Entries of the range in key order without a gap, from its start; all of them when `complete`. */
  readonly entries: readonly StateEntry[];
  readonly complete: boolean;
  /** Exact number of entries in the range, listed or not. */
  readonly count: number;
  /** Entries in the whole state. */
  readonly total: number;
}

export type StateProofReason = 'MALFORMED' | 'ROOT_DIFFERS' | 'NOT_COVERED';

/** The one error of this verifier: the proof is no proof, one of another root, or one about other keys. */
export class StateProofFault extends Error {
  readonly reason: StateProofReason;
  constructor(reason: StateProofReason, message: string) {
    super(message);
    this.name = 'StateProofFault';
    this.reason = reason;
  }
}

type Hash = Pick<Crypto, 'hash'>;

/** What the state under `root` says about `key`. @throws StateProofFault */
export function verifyStateProof(crypto: Hash, root: Digest, proof: Uint8Array, key: ByteText): StateClaim {
  const { entries } = verifyStateRange(crypto, root, proof, { from: key, to: `${key}\0` });
  const entry = entries[0]; // nothing closed lies inside the range of one key: what is covered is listed
  return entry ? { present: true, valueHash: entry.valueHash } : { present: false };
}

/** What the state under `root` holds in the range. @throws StateProofFault, also when the count in the range stays open. */
export function verifyStateRange(crypto: Hash, root: Digest, proof: Uint8Array, range: KeyRange): StateRangeClaim {
  if (proof.length > STATE_PROOF_BYTES_MAX)
    throw new StateProofFault('MALFORMED', `State proof is longer than ${STATE_PROOF_BYTES_MAX} bytes`);
  const walk = new Walk(crypto, range);
  const top = readTop(walk, proof);
  if (!equalBytes(top.hash, root)) throw new StateProofFault('ROOT_DIFFERS', 'The state proof leads to another root');
  if (!walk.covered) throw notCovered();
  return { entries: walk.entries, complete: walk.complete, count: walk.count, total: top.count };
}

export function emptyStateRoot(crypto: Hash): Digest {
  return crypto.hash(tagged('map-branch', Uint8Array.of(STATE_HASH.empty)));
}

function notCovered(): StateProofFault {
  return new StateProofFault('NOT_COVERED', 'The state proof leaves open what was asked');
}

function readTop(walk: Walk, proof: Uint8Array): Ref {
  try {
    return decodeAll(proof, (reader) => walk.top(reader));
  } catch (error) {
    if (error instanceof DecodeError) throw new StateProofFault('MALFORMED', `State proof: ${error.reason}`);
    throw error;
  }
}

interface Ref {
  readonly count: number;
  readonly hash: Digest;
}

/**
 * Depth-first through a proof in key order. A proof whose hash is the root holds the bytes its maker hashed, so only what no hash
 * covers is checked here. Recursion is bounded: every branch lies deeper than the one above.
 */
class Walk {
  readonly #crypto: Hash;
  readonly #range: KeyRange;
  readonly entries: StateEntry[] = [];
  complete = true;
  covered = true;
  count = 0;

  constructor(crypto: Hash, range: KeyRange) {
    this.#crypto = crypto;
    this.#range = range;
  }

  top(reader: Reader): Ref {
    const kind = reader.u8();
    if (kind === STATE_ITEM.empty) return { count: 0, hash: emptyStateRoot(this.#crypto) };
    if (kind === STATE_ITEM.closed) throw new DecodeError('the root is closed'); // nothing would cover its count
    return this.#item(reader, kind, '', 0);
  }

  #item(reader: Reader, kind: number, slot: ByteText, depth: number): Ref {
    switch (kind) {
      case STATE_ITEM.closed: {
        const ref = readRef(reader);
        this.#closed(ref.count, relate(slot, depth, this.#range));
        return ref;
      }
      case STATE_ITEM.bucket:
        return this.#bucket(reader, slot.slice(0, depth >> 1));
      case STATE_ITEM.branch:
        return this.#branch(reader, slot, depth);
      default:
        throw new DecodeError(`item is ${kind}`);
    }
  }

  #bucket(reader: Reader, head: ByteText): Ref {
    const count = reader.u8();
    const parts: Uint8Array[] = [Uint8Array.of(count)];
    for (let i = 0; i < count; i++) {
      const length = reader.u16();
      const tail = reader.fixed(length);
      const valueHash = reader.fixed(DIGEST_BYTES);
      parts.push(Uint8Array.of(length >> 8, length), tail, valueHash);
      this.#entry(head + toByteText(tail), valueHash);
    }
    return { count, hash: this.#crypto.hash(tagged('map-bucket', ...parts)) };
  }

  #branch(reader: Reader, slot: ByteText, slotDepth: number): Ref {
    const depth = reader.u16();
    if (depth < slotDepth || depth > 2 * MAP_KEY_BYTES_MAX) throw new DecodeError(`branch lies ${depth} deep under ${slotDepth}`);
    const path = slot.slice(0, slotDepth >> 1) + toByteText(reader.fixed(((depth + 1) >> 1) - (slotDepth >> 1)));
    const hasEnd = reader.bool();
    const mask = reader.u16();
    const hashed = [
      Uint8Array.of(STATE_HASH.branch, depth >> 8, depth),
      fromByteText(path),
      Uint8Array.of(hasEnd ? 1 : 0, mask >> 8, mask),
    ];
    let count = 0;
    if (hasEnd) {
      const valueHash = reader.fixed(DIGEST_BYTES);
      hashed.push(valueHash);
      this.#entry(path, valueHash);
      count = 1;
    }
    for (let quad = 0; quad < 4; quad++) {
      const slots: ByteText[] = [];
      for (let nibble = 4 * quad; nibble < 4 * quad + 4; nibble++) if ((mask >> nibble) & 1) slots.push(childPath(path, depth, nibble));
      if (slots.length === 0) continue;
      const ref = this.#quad(reader, slots, depth + 1);
      count += ref.count;
      hashed.push(refBytes(ref));
    }
    return { count, hash: this.#crypto.hash(tagged('map-branch', ...hashed)) };
  }

  #quad(reader: Reader, slots: readonly ByteText[], depth: number): Ref {
    if (slots.length === 1) return this.#item(reader, reader.u8(), slots[0]!, depth);
    if (!reader.bool()) {
      const ref = readRef(reader);
      const relations = new Set(slots.map((slot) => relate(slot, depth, this.#range)));
      this.#closed(ref.count, relations.size === 1 ? [...relations][0]! : 'across');
      return ref;
    }
    const refs = slots.map((slot) => this.#item(reader, reader.u8(), slot, depth));
    const hash = this.#crypto.hash(tagged('map-branch', Uint8Array.of(STATE_HASH.quad), ...refs.map(refBytes)));
    return { count: refs.reduce((sum, ref) => sum + ref.count, 0), hash };
  }

  #entry(key: ByteText, valueHash: Digest): void {
    if (!inRange(key, this.#range)) return;
    this.count++;
    if (this.complete) this.entries.push({ key, valueHash }); // past a gap an entry is counted, not listed
  }

  #closed(count: number, relation: 'inside' | 'outside' | 'across'): void {
    if (relation === 'outside') return;
    this.complete = false;
    if (relation === 'across') this.covered = false;
    else this.count += count;
  }
}

function readRef(reader: Reader): Ref {
  return { count: reader.u32(), hash: reader.fixed(DIGEST_BYTES) };
}

function refBytes(ref: Ref): Uint8Array {
  const out = new Uint8Array(4 + DIGEST_BYTES);
  new DataView(out.buffer).setUint32(0, ref.count);
  out.set(ref.hash, 4);
  return out;
}
