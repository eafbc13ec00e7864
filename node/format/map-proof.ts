/**
 * Proofs from the authenticated state map and their verification (design: chain, "Authenticated state").
 *
 * The map is a radix-16 tree over the nibbles of its keys with runs of single children left out, so its shape and its root follow from
 * the set of entries alone. Hashes, all SHA-256 behind a domain tag, `ref` = u32 count of entries below || hash:
 *   entry  H(map-entry, key || valueHash)
 *   quad   H(map-node, 1 || ref of each child)                two to four children whose nibbles share their upper two bits
 *   node   H(map-node, 2 || u16 depth || path || u8 end || u16 mask || [hash of the entry whose key is the path] || ref of each quad)
 *   empty  H(map-node, 0)
 * A quad of one child is that child. `mask` has bit n set when nibble n has entries below; `path` is full, from the root. So a node shows
 * what is not below it, and every hash covers its counts.
 *
 * A proof is the tree from the root with everything that is not asked for closed into refs. One form serves presence, absence and ranges.
 * Item: 0 stub (ref) · 1 entry (key, valueHash) · 2 node (depth, path from the byte the parent's slot ends in, end, mask, quads); a quad of
 * several children is behind a flag: 0 closed (ref), 1 open (items). End: 0 none, 1 closed (entry hash), 2 open (valueHash). 3 alone: empty map.
 */
import { type ByteText, equalBytes, fromByteText, toByteText } from './bytes.ts';
import { DecodeError, decodeAll, type Reader } from './codec.ts';
import { type Crypto, DIGEST_BYTES, type Digest, tagged } from './crypto.ts';
import { childPath, inRange, isUnder, type KeyRange, relate } from './map-path.ts';

/** Also bounds how deep a map can nest, two nodes a byte: what walks it may recurse. */
export const MAP_KEY_BYTES_MAX = 512;
export const MAP_COUNT_MAX = 0xffff_ffff; // entries; counts are 32 bits wide
export const MAP_PROOF_BYTES_MAX = 16 * 1024 * 1024; // the most a verifier looks at

export const ITEM = { stub: 0, entry: 1, node: 2, empty: 3 } as const;
export const END = { none: 0, closed: 1, open: 2 } as const;
const HASH_KIND = { empty: 0, quad: 1, node: 2 } as const;

export interface MapEntry {
  readonly key: ByteText;
  readonly valueHash: Digest;
}

export type MapClaim = { readonly present: true; readonly valueHash: Digest } | { readonly present: false };

export interface RangeClaim {
  /** Entries of the range in key order without a gap, from its start; all of them when `complete`. */
  readonly entries: readonly MapEntry[];
  readonly complete: boolean;
  /** Exact number of entries in the range, listed or not. */
  readonly count: number;
}

/** A proof in good form that proves something else, or not enough. */
export class MapProofFault extends Error {
  readonly reason: 'ROOT_DIFFERS' | 'NOT_COVERED';
  constructor(reason: 'ROOT_DIFFERS' | 'NOT_COVERED') {
    super(reason === 'ROOT_DIFFERS' ? 'The map proof leads to another root' : 'The map proof leaves open what was asked');
    this.name = 'MapProofFault';
    this.reason = reason;
  }
}

type Hash = Pick<Crypto, 'hash'>;

/**
 * What the map under `root` says about `key`.
 * @throws DecodeError for bytes that are no proof; MapProofFault for a proof of another root or about other keys.
 */
export function verifyMapProof(crypto: Hash, root: Digest, proof: Uint8Array, key: ByteText): MapClaim {
  const { entries, complete } = verifyRangeProof(crypto, root, proof, key, `${key}\0`);
  if (!complete) throw new MapProofFault('NOT_COVERED');
  const entry = entries[0];
  return entry ? { present: true, valueHash: entry.valueHash } : { present: false };
}

/**
 * What the map under `root` holds with from <= key < to (`to` undefined: to the end).
 * @throws DecodeError for bytes that are no proof; MapProofFault for a proof of another root, or when the count in the range stays open.
 */
export function verifyRangeProof(crypto: Hash, root: Digest, proof: Uint8Array, from: ByteText, to: ByteText | undefined): RangeClaim {
  const opened = openMapProof(crypto, proof, { from, to });
  if (!equalBytes(opened.root, root)) throw new MapProofFault('ROOT_DIFFERS');
  if (!opened.covered) throw new MapProofFault('NOT_COVERED');
  return { entries: opened.entries, complete: opened.complete, count: opened.count };
}

export interface OpenedMapProof extends RangeClaim {
  /** Root the proof leads to; worth nothing until compared with a trusted one. */
  readonly root: Digest;
  /** Entries in the whole map. */
  readonly total: number;
  /** False when something closed may lie half inside the range. */
  readonly covered: boolean;
}

/** Reads a proof and computes its root. @throws DecodeError */
export function openMapProof(crypto: Hash, proof: Uint8Array, range: KeyRange): OpenedMapProof {
  if (proof.length > MAP_PROOF_BYTES_MAX) throw new DecodeError(`map proof is longer than ${MAP_PROOF_BYTES_MAX} bytes`);
  const walk = new Walk(crypto, range);
  const ref = decodeAll(proof, (reader) => walk.top(reader));
  return { root: ref.hash, total: ref.count, entries: walk.entries, complete: walk.complete, count: walk.count, covered: walk.covered };
}

export function emptyMapRoot(crypto: Hash): Digest {
  return crypto.hash(tagged('map-node', Uint8Array.of(HASH_KIND.empty)));
}

export function mapEntryHash(crypto: Hash, key: ByteText, valueHash: Digest): Digest {
  return crypto.hash(tagged('map-entry', fromByteText(key), valueHash));
}

interface Ref {
  readonly count: number;
  readonly hash: Digest;
}

/** Depth-first through a proof in key order; recursion is bounded by the nibbles of the longest key, since every step down takes one. */
class Walk {
  readonly #crypto: Hash;
  readonly #range: KeyRange;
  readonly entries: MapEntry[] = [];
  complete = true;
  covered = true;
  count = 0;

  constructor(crypto: Hash, range: KeyRange) {
    this.#crypto = crypto;
    this.#range = range;
  }

  top(reader: Reader): Ref {
    const kind = reader.u8();
    if (kind === ITEM.empty) return { count: 0, hash: emptyMapRoot(this.#crypto) };
    return this.#item(reader, kind, '', 0);
  }

  #item(reader: Reader, kind: number, slot: ByteText, depth: number): Ref {
    switch (kind) {
      case ITEM.stub: {
        const ref = readRef(reader, 1);
        this.#hidden(ref.count, relate(slot, depth, this.#range));
        return ref;
      }
      case ITEM.entry: {
        const key = toByteText(reader.bytes(MAP_KEY_BYTES_MAX));
        if (key.length === 0 || !isUnder(key, slot, depth)) throw new DecodeError('map entry stands in the wrong place');
        return { count: 1, hash: this.#entry(key, reader.fixed(DIGEST_BYTES)) };
      }
      case ITEM.node:
        return this.#node(reader, slot, depth);
      default:
        throw new DecodeError(`map proof item is ${kind}`);
    }
  }

  #node(reader: Reader, slot: ByteText, slotDepth: number): Ref {
    const depth = reader.u16();
    if (depth < slotDepth || depth > 2 * MAP_KEY_BYTES_MAX) throw new DecodeError(`map node lies ${depth} deep under ${slotDepth}`);
    const path = slot.slice(0, slotDepth >> 1) + toByteText(reader.fixed(((depth + 1) >> 1) - (slotDepth >> 1)));
    if (!isUnder(path, slot, slotDepth)) throw new DecodeError('map node stands in the wrong place');
    if (depth % 2 === 1 && (path.charCodeAt(path.length - 1) & 15) !== 0) throw new DecodeError('map path is not packed with zero');
    const end = reader.u8();
    if (end > END.open || (end !== END.none && (depth % 2 === 1 || depth === 0))) throw new DecodeError(`map node end is ${end}`);
    const mask = reader.u16();
    if (countBits(mask) + (end === END.none ? 0 : 1) < 2) throw new DecodeError('map node has fewer than two members');
    const header = [Uint8Array.of(HASH_KIND.node, depth >> 8, depth & 255), fromByteText(path)];
    header.push(Uint8Array.of(end === END.none ? 0 : 1, mask >> 8, mask & 255));
    let count = 0;
    if (end !== END.none) {
      header.push(this.#end(reader, end, path));
      count = 1;
    }
    for (let quad = 0; quad < 4; quad++) {
      const nibbles = [0, 1, 2, 3].map((i) => 4 * quad + i).filter((nibble) => (mask >> nibble) & 1);
      if (nibbles.length === 0) continue;
      const ref = this.#quad(
        reader,
        nibbles.map((nibble) => childPath(path, depth, nibble)),
        depth + 1,
      );
      count += ref.count;
      header.push(refBytes(ref));
    }
    if (count > MAP_COUNT_MAX) throw new DecodeError('map counts overflow');
    return { count, hash: this.#crypto.hash(tagged('map-node', ...header)) };
  }

  #end(reader: Reader, end: number, key: ByteText): Digest {
    const digest = reader.fixed(DIGEST_BYTES);
    if (end === END.open) return this.#entry(key, digest);
    this.#hidden(1, inRange(key, this.#range) ? 'inside' : 'outside');
    return digest;
  }

  #quad(reader: Reader, slots: readonly ByteText[], depth: number): Ref {
    if (slots.length === 1) return this.#item(reader, reader.u8(), slots[0]!, depth);
    if (!reader.bool()) {
      const ref = readRef(reader, slots.length);
      const relations = new Set(slots.map((slot) => relate(slot, depth, this.#range)));
      this.#hidden(ref.count, relations.size === 1 ? [...relations][0]! : 'across');
      return ref;
    }
    const refs: Ref[] = [];
    let count = 0;
    for (const slot of slots) {
      const ref = this.#item(reader, reader.u8(), slot, depth);
      count += ref.count;
      refs.push(ref);
    }
    if (count > MAP_COUNT_MAX) throw new DecodeError('map counts overflow');
    return { count, hash: this.#crypto.hash(tagged('map-node', Uint8Array.of(HASH_KIND.quad), ...refs.map(refBytes))) };
  }

  #entry(key: ByteText, valueHash: Digest): Digest {
    if (inRange(key, this.#range)) {
      this.count++;
      if (this.complete) this.entries.push({ key, valueHash }); // past a gap an entry is counted, not listed
    }
    return mapEntryHash(this.#crypto, key, valueHash);
  }

  #hidden(count: number, relation: 'inside' | 'outside' | 'across'): void {
    if (relation === 'outside') return;
    this.complete = false;
    if (relation === 'across') this.covered = false;
    else this.count += count;
  }
}

function readRef(reader: Reader, countMin: number): Ref {
  const count = reader.u32();
  if (count < countMin) throw new DecodeError(`map count is ${count} where at least ${countMin} entries are`);
  return { count, hash: reader.fixed(DIGEST_BYTES) };
}

function refBytes(ref: Ref): Uint8Array {
  const out = new Uint8Array(4 + DIGEST_BYTES);
  new DataView(out.buffer).setUint32(0, ref.count);
  out.set(ref.hash, 4);
  return out;
}

function countBits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
