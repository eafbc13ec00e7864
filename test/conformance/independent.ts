/**
 * Blocks and proofs recomputed with node:crypto alone, from the layouts that the documents state: integers big-endian, byte strings and lists behind a
 * u32 count, every hash SHA-256 behind `tracemill/<kind>/v1` and a line feed, trees as in RFC 6962. Imports nothing of the program under test.
 */
import { createHash } from 'node:crypto';

function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function tagged(kind: string, ...parts: readonly Uint8Array[]): Buffer {
  return sha256(`tracemill/${kind}/v1\n`, ...parts);
}

/** Where the fields of fixed size stand in a header's bytes, and what they hold. */
export interface HeaderBytes {
  readonly bytes: Buffer;
  readonly hash: string;
  readonly height: number;
  readonly fields: Readonly<Record<string, { readonly at: number; readonly bytes: Buffer }>>;
}

export interface BlockBytes {
  readonly header: HeaderBytes;
  /** Header, seal and transactions, without the certificate: what is the same on every node. */
  readonly block: Buffer;
  /** Offset of the header's first byte in the raw form. */
  readonly headerAt: number;
  readonly transactions: readonly { readonly bytes: Buffer; readonly at: number }[];
}

class Cursor {
  readonly data: Buffer;
  at: number;
  constructor(data: Buffer, at = 0) {
    this.data = data;
    this.at = at;
  }
  take(count: number): Buffer {
    const part = this.data.subarray(this.at, this.at + count);
    if (part.length < count) throw new Error('The bytes end early');
    this.at += count;
    return part;
  }
  u32(): number {
    return this.take(4).readUInt32BE();
  }
  blob(): Buffer {
    return this.take(this.u32());
  }
}

export function readHeader(bytes: Buffer): HeaderBytes {
  const cursor = new Cursor(bytes);
  const fields: Record<string, { at: number; bytes: Buffer }> = {};
  const layout: readonly (readonly [string, number | 'blob'])[] = [
    ...([
      ['version', 4],
      ['chainId', 32],
      ['era', 8],
      ['height', 8],
      ['parentHash', 32],
      ['timestampMs', 8],
    ] as const),
    ...([
      ['proposer', 'blob'],
      ['engine', 'blob'],
      ['engineData', 'blob'],
    ] as const),
    ...([
      ['txRoot', 32],
      ['receiptsRoot', 32],
      ['stateRoot', 32],
      ['consensusHash', 32],
      ['nextConsensusHash', 32],
    ] as const),
  ];
  for (const [name, size] of layout) {
    const length = size === 'blob' ? cursor.u32() : size;
    fields[name] = { at: cursor.at, bytes: cursor.take(length) };
  }
  if (cursor.at !== bytes.length) throw new Error('Bytes are left over behind the header');
  return { bytes, hash: tagged('header', bytes).toString('hex'), height: Number(fields.height!.bytes.readBigUInt64BE()), fields };
}

/** Reads the raw form of `GET blocks/:ref?form=raw`. */
export function readRawBlock(raw: Buffer): BlockBytes {
  const outer = new Cursor(raw);
  const blockLength = outer.u32();
  const start = outer.at;
  const block = outer.take(blockLength);
  const cursor = new Cursor(block);
  const header = cursor.blob();
  const headerAt = start + 4;
  cursor.blob(); // seal
  const transactions = Array.from({ length: cursor.u32() }, () => {
    const bytes = cursor.blob();
    return { bytes, at: start + cursor.at - bytes.length };
  });
  if (cursor.at !== block.length) throw new Error('Bytes are left over behind the block');
  return { header: readHeader(header), block, headerAt, transactions };
}

/** RFC 6962 §2.1. */
export function treeRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256('');
  if (leaves.length === 1) return sha256('\0', leaves[0]!);
  const left = 2 ** Math.ceil(Math.log2(leaves.length) - 1);
  return sha256('\x01', treeRoot(leaves.slice(0, left)), treeRoot(leaves.slice(left)));
}

/** RFC 6962 §2.1.1: the root a path of siblings, nearest first, leads to. @throws when it is longer or shorter than the tree. */
export function rootOfPath(leaf: Uint8Array, index: number, count: number, path: readonly Uint8Array[]): Buffer {
  const siblings = [...path];
  const climb = (at: number, size: number): Buffer => {
    if (size === 1) return sha256('\0', leaf);
    const left = 2 ** Math.ceil(Math.log2(size) - 1);
    const own = at < left ? climb(at, left) : climb(at - left, size - left);
    const sibling = siblings.shift();
    if (!sibling) throw new Error('The path is shorter than its tree');
    return at < left ? sha256('\x01', own, sibling) : sha256('\x01', sibling, own);
  };
  const root = climb(index, count);
  if (siblings.length > 0) throw new Error('The path is longer than its tree');
  return root;
}

const SIGNATURE_BYTES = 64; // of Ed25519; its length stands before it in four bytes

/** Covers the id and the signature. */
export function transactionHash(bytes: Uint8Array): Buffer {
  return tagged('transaction-full', idOf(bytes), bytes.subarray(-SIGNATURE_BYTES));
}

export function transactionId(bytes: Uint8Array): string {
  return idOf(bytes).toString('hex');
}

/** Covers all but the signature and its length. */
function idOf(bytes: Uint8Array): Buffer {
  return tagged('transaction', bytes.subarray(0, -SIGNATURE_BYTES - 4));
}
