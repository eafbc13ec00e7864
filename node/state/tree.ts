/** The tree of all versions in memory: what a subtree is made of, and walks that change nothing. */
import { ChainError } from '../errors/index.ts';
import { type ByteText, DIGEST_BYTES, type Digest, packPath, toByteText } from '../format/index.ts';
import { BranchSlab } from './branch-slab.ts';
import { BucketLog, bodyBytesAt, LOCATION_BYTES, RECORD_HEADER_BYTES, skipAt } from './bucket-log.ts';
import { readLocation } from './location.ts';
import { type MapHash, NodeHash } from './node-hash.ts';
import { type PageFile, PagesDamaged } from './segments.ts';

/** A subtree: a branch when positive, a bucket when negative, nothing when 0. */
export type Node = number;

/** How much memory the map may take, and where the rest of its buckets goes. */
export interface MapRoom {
  /** Branches and tables are always in memory, and some buckets, however little this is. */
  readonly mapMemoryBytesMax: number;
  readonly pages: PageFile;
  /** The page file took no more: what is over stays in memory until it does. */
  readonly onFault: (fault: ChainError) => void;
  /** The page file took all that was over. */
  readonly onWritten?: () => void;
}

/** One version of the map. */
export interface Version {
  readonly root: Digest;
  readonly count: number;
  readonly top: Node;
}

export interface Found {
  readonly valueHash: Digest;
  readonly location: number;
}

export interface HeldEntry extends Found {
  readonly key: ByteText;
}

export class Tree {
  readonly branches = new BranchSlab();
  readonly log: BucketLog;
  readonly hasher: NodeHash;
  readonly #bytesMax: number;
  readonly #onFault: (fault: ChainError) => void;
  readonly #onWritten: () => void;

  constructor(hash: MapHash, room: MapRoom | undefined) {
    this.hasher = new NodeHash(hash);
    this.log = new BucketLog(room?.pages);
    this.#bytesMax = room?.mapMemoryBytesMax ?? 0;
    this.#onFault = room?.onFault ?? (() => undefined);
    this.#onWritten = room?.onWritten ?? (() => undefined);
  }

  /** Gives back the memory of what was freed. Buckets move. @throws PagesDamaged */
  collect(): void {
    try {
      const moved = this.log.collect(this.#bytesMax - this.branches.bytes);
      if (moved > 0) this.#onWritten();
    } catch (error) {
      if (!(error instanceof ChainError) || error instanceof PagesDamaged) throw error;
      this.#onFault(error);
    }
  }

  free(node: Node): void {
    if (node > 0) this.branches.free(node);
    else this.log.free(-node);
  }

  /**
   * Any bucket below `node`, found by the child with the fewest entries, which is half of them at most: no chain of branches makes this
   * long.
   */
  sample(node: Node): number {
    let at = node;
    while (at > 0) {
      const end = this.branches.end(at);
      if (end !== 0) return end;
      let least = -1;
      for (let nibble = 0; nibble < 16; nibble++) {
        const count = this.branches.countOf(at, nibble);
        if (count > 0 && (least < 0 || count < this.branches.countOf(at, least))) least = nibble;
      }
      at = this.branches.child(at, least);
    }
    return -at;
  }

  /** The first `depth` nibbles of every key below a branch, packed. */
  path(branch: number): ByteText {
    const bucket = this.sample(branch);
    const bytes = this.log.segment(bucket);
    const start = this.log.start(bucket);
    const head = start + RECORD_HEADER_BYTES;
    const skip = skipAt(bytes, start);
    const tail = head + skip + 3; // behind the count and the first length
    const tailBytes = (bytes[tail - 2]! << 8) | bytes[tail - 1]!;
    const key = toByteText(bytes.subarray(head, head + skip)) + toByteText(bytes.subarray(tail, tail + tailBytes));
    return packPath(key, this.branches.depth(branch));
  }

  find(top: Node, key: ByteText): Found | undefined {
    let node = top;
    while (node > 0) {
      const depth = this.branches.depth(node);
      if (key.length * 2 < depth) return undefined;
      if (key.length * 2 === depth) node = -this.branches.end(node);
      else {
        const unit = key.charCodeAt(depth >> 1);
        node = this.branches.child(node, (depth & 1) === 0 ? (unit >> 4) & 15 : unit & 15);
      }
    }
    return node === 0 ? undefined : this.#findIn(-node, key);
  }

  #findIn(bucket: number, key: ByteText): Found | undefined {
    const bytes = this.log.segment(bucket);
    const start = this.log.start(bucket);
    const head = start + RECORD_HEADER_BYTES;
    const skip = skipAt(bytes, start);
    if (key.length < skip) return undefined;
    for (let i = 0; i < skip; i++) if (key.charCodeAt(i) !== bytes[head + i]!) return undefined;
    const body = head + skip;
    let at = body + 1;
    for (let entry = 0; entry < bytes[body]!; entry++) {
      const tailBytes = (bytes[at]! << 8) | bytes[at + 1]!;
      at += 2;
      const most = Math.min(tailBytes, key.length - skip);
      let i = 0;
      while (i < most && key.charCodeAt(skip + i) === bytes[at + i]!) i++;
      if (i < most) {
        if (key.charCodeAt(skip + i) < bytes[at + i]!) return undefined; // entries stand in key order
      } else if (skip + tailBytes === key.length) {
        const location = readLocation(bytes, body + bodyBytesAt(bytes, start) + LOCATION_BYTES * entry);
        return { valueHash: bytes.slice(at + tailBytes, at + tailBytes + DIGEST_BYTES), location };
      }
      at += tailBytes + DIGEST_BYTES;
    }
    return undefined;
  }

  /** Buckets below `node` in key order. Nothing may be freed until the last is taken. */
  *buckets(node: Node): Generator<number, void> {
    if (node < 0) yield -node;
    if (node <= 0) return;
    const end = this.branches.end(node);
    if (end !== 0) yield end;
    for (let nibble = 0; nibble < 16; nibble++) {
      const child = this.branches.child(node, nibble);
      if (child < 0) yield -child;
      else if (child > 0) yield* this.buckets(child);
    }
  }

  /** Entries of a bucket in key order. */
  bucketEntries(bucket: number): HeldEntry[] {
    const bytes = this.log.segment(bucket);
    const start = this.log.start(bucket);
    const head = start + RECORD_HEADER_BYTES;
    const skip = skipAt(bytes, start);
    const body = head + skip;
    const locations = body + bodyBytesAt(bytes, start);
    const before = toByteText(bytes.subarray(head, body));
    const entries: HeldEntry[] = [];
    let at = body + 1;
    for (let i = 0; i < bytes[body]!; i++) {
      const tail = at + 2;
      const valueHash = tail + ((bytes[at]! << 8) | bytes[at + 1]!);
      at = valueHash + DIGEST_BYTES;
      entries.push({
        key: before + toByteText(bytes.subarray(tail, valueHash)),
        valueHash: bytes.slice(valueHash, at),
        location: readLocation(bytes, locations + LOCATION_BYTES * i),
      });
    }
    return entries;
  }
}
