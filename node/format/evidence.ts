/**
 * evidence/v1: one file that proves a stored value to someone who has only the genesis file (design: chain, "Proofs"). It is canonical JSON
 * (RFC 8785) with bytes in base64url, and holds the input of every hash it relies on: value and map proof up to `stateRoot`, the header,
 * its certificate, the configuration that judges it, and every header that changed the configuration since genesis, each certified by the
 * one before. The value of a record's version names content and source by digest: they stand beside it as JSON, and hash in RFC 8785 form
 * to what it names. A bundle with the transaction of its record is bound to it by what the version names: id and position of the
 * transaction, height of the block. Schema: evidence.schema.json. What a bundle proves: evidence-verdict.ts; the same without our code:
 * node/verify/verify-evidence.mjs.
 */
import { type ByteText, fromBase64Url, fromByteText, toBase64Url, toHex } from './bytes.ts';
import { decodeHeader } from './block.ts';
import { DecodeError } from './codec.ts';
import type { TextStruct } from './content.ts';
import type { Crypto, Digest } from './crypto.ts';
import { decodeJson, type Json } from './json.ts';

export const EVIDENCE_FORMAT = 'tracemill/evidence/v1';
export const EVIDENCE_DIGEST_ALG = 'sha-256';
export const EVIDENCE_BYTES_MAX = 16 * 1024 * 1024; // a bundle whose record has the largest body and its transaction with it
export const EVIDENCE_BARRIERS_MAX = 10_000;

/** All bytes as base64url without padding, digests as hex. */
export interface EvidenceHeader {
  readonly header: string;
  readonly certificate: string;
  /** Encoded configuration that judges this header; its hash is the header's consensusHash and what the barrier before announced. */
  readonly configuration: string;
}

export interface EvidenceInclusion {
  readonly header: string;
  readonly certificate: string;
  readonly transaction: string;
  /** Siblings from the leaf up, `L` or `R` for the side they stand on, then the digest in hex. */
  readonly transactionPath: readonly string[];
  readonly receipt: string;
  readonly receiptPath: readonly string[];
}

export interface Evidence {
  readonly format: typeof EVIDENCE_FORMAT;
  readonly digestAlg: typeof EVIDENCE_DIGEST_ALG;
  readonly chainId: string;
  readonly genesisHash: string;
  readonly era: number;
  /** Full state key, with the space of its contract. */
  readonly key: string;
  readonly value: string;
  /** Content of the version under the key; absent for a tombstone and for any other key. */
  readonly record?: TextStruct;
  /** What its sender said of its source; absent where nothing was said. */
  readonly source?: TextStruct;
  readonly proof: string;
  readonly state: EvidenceHeader;
  readonly barriers: readonly EvidenceHeader[];
  readonly inclusion?: EvidenceInclusion;
}

/** The same in bytes, as a node has it. */
export interface EvidenceParts {
  readonly chainId: Digest;
  readonly genesisHash: Digest;
  readonly key: ByteText;
  readonly value: Uint8Array;
  readonly record?: TextStruct;
  readonly source?: TextStruct;
  readonly proof: Uint8Array;
  readonly state: EvidenceHeaderParts;
  readonly barriers: readonly EvidenceHeaderParts[];
  readonly inclusion?: EvidenceInclusionParts;
}

export interface EvidenceHeaderParts {
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
  readonly configuration: Uint8Array;
}

export interface EvidenceInclusionParts {
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
  readonly transaction: Uint8Array;
  readonly receipt: Uint8Array;
  /** Position in the block and number of its transactions. */
  readonly index: number;
  readonly count: number;
  /** As merklePathIn gives them. */
  readonly transactionPath: readonly Digest[];
  readonly receiptPath: readonly Digest[];
}

/** What a map entry holds for a stored value: its plain SHA-256. */
export function stateValueHash(crypto: Pick<Crypto, 'hash'>, value: Uint8Array): Digest {
  return crypto.hash(value);
}

/**
 * What the file says, in steps: value, proof and transaction may be megabytes. Names stand in canonical order: to write the members as they
 * come is to write the file.
 * @throws RangeError when the header does not decode or the path does not fit index and count
 */
export function* evidenceSteps(parts: EvidenceParts): Generator<void, Evidence, void> {
  function* header(part: EvidenceHeaderParts): Generator<void, EvidenceHeader, void> {
    return {
      certificate: yield* base64UrlSteps(part.certificate),
      configuration: yield* base64UrlSteps(part.configuration),
      header: toBase64Url(part.header),
    };
  }
  const { inclusion } = parts;
  const barriers: EvidenceHeader[] = [];
  for (const barrier of parts.barriers) barriers.push(yield* header(barrier));
  return {
    barriers,
    chainId: toHex(parts.chainId),
    digestAlg: EVIDENCE_DIGEST_ALG,
    era: decodeHeader(parts.state.header).era,
    format: EVIDENCE_FORMAT,
    genesisHash: toHex(parts.genesisHash),
    ...(inclusion && {
      inclusion: {
        certificate: yield* base64UrlSteps(inclusion.certificate),
        header: toBase64Url(inclusion.header),
        receipt: yield* base64UrlSteps(inclusion.receipt),
        receiptPath: sidedPath(inclusion.index, inclusion.count, inclusion.receiptPath),
        transaction: yield* base64UrlSteps(inclusion.transaction),
        transactionPath: sidedPath(inclusion.index, inclusion.count, inclusion.transactionPath),
      },
    }),
    key: toBase64Url(fromByteText(parts.key)),
    proof: yield* base64UrlSteps(parts.proof),
    ...(parts.record && { record: parts.record }),
    ...(parts.source && { source: parts.source }),
    state: yield* header(parts.state),
    value: yield* base64UrlSteps(parts.value),
  };
}

/** Bytes between two pauses; a multiple of three, so that no group of letters is cut. */
const STEP_BYTES = 98_304;

function* base64UrlSteps(bytes: Uint8Array): Generator<void, string, void> {
  let out = '';
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    out += toBase64Url(bytes.subarray(at, at + STEP_BYTES));
    yield;
  }
  return out;
}

/** Sides make a path checkable without the count of leaves, which no root covers (RFC 6962). */
function sidedPath(index: number, count: number, path: readonly Digest[]): string[] {
  const out: string[] = [];
  let node = index;
  let last = count - 1;
  for (let step = 0; last > 0; node = Math.floor(node / 2), last = Math.floor(last / 2)) {
    if (node % 2 === 0 && node === last) continue; // an odd last one is carried up alone
    const sibling = path[step++];
    if (!sibling) throw new RangeError('Cannot write a path shorter than its tree');
    out.push((node % 2 === 1 ? 'L' : 'R') + toHex(sibling));
  }
  if (out.length !== path.length) throw new RangeError('Cannot write a path longer than its tree');
  return out;
}

/** @throws DecodeError for anything that evidenceSteps would not make. */
export function decodeEvidence(text: string): Evidence {
  if (text.length > EVIDENCE_BYTES_MAX) throw new DecodeError(`evidence is longer than ${EVIDENCE_BYTES_MAX} characters`);
  let value: Json;
  try {
    value = decodeJson(new TextEncoder().encode(text));
  } catch (error) {
    throw error instanceof DecodeError ? error : new DecodeError('not JSON');
  }
  const names = ['barriers', 'chainId', 'digestAlg', 'era', 'format', 'genesisHash', 'key', 'proof', 'state', 'value'];
  const top = object(value, '', names, ['inclusion', 'record', 'source']);
  if (top.format !== EVIDENCE_FORMAT) throw new DecodeError('/format is unknown');
  if (top.digestAlg !== EVIDENCE_DIGEST_ALG) throw new DecodeError('/digestAlg is unknown');
  for (const name of ['chainId', 'genesisHash']) if (!isDigestHex(top[name])) throw new DecodeError(`/${name} is no digest`);
  if (typeof top.era !== 'number' || top.era < 0) throw new DecodeError('/era is no count');
  for (const name of ['key', 'value', 'proof']) bytesOf(top[name], `/${name}`);
  headerShape(top.state, '/state');
  for (const name of ['record', 'source']) if (top[name] !== undefined) textsShape(top[name], `/${name}`);
  const { barriers, inclusion } = top;
  if (!Array.isArray(barriers) || barriers.length > EVIDENCE_BARRIERS_MAX) throw new DecodeError('/barriers is no list');
  barriers.forEach((barrier: Json, i: number) => {
    headerShape(barrier, `/barriers/${i}`);
  });
  if (inclusion !== undefined) {
    const bytes = ['certificate', 'header', 'receipt', 'transaction'];
    const part = object(inclusion, '/inclusion', [...bytes, 'receiptPath', 'transactionPath']);
    for (const name of bytes) bytesOf(part[name], `/inclusion/${name}`);
    for (const name of ['receiptPath', 'transactionPath']) pathShape(part[name], `/inclusion/${name}`);
  }
  return value as unknown as Evidence;
}

function object(value: Json | undefined, at: string, names: readonly string[], optional: readonly string[] = []): { [name: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DecodeError(`${at || '/'} is no object`);
  const fields = value as { [name: string]: Json };
  for (const name of names) if (!Object.hasOwn(fields, name)) throw new DecodeError(`${at}/${name} is missing`);
  for (const name of Object.keys(fields))
    if (!names.includes(name) && !optional.includes(name)) throw new DecodeError(`${at}/${name} is unknown`);
  return fields;
}

function textsShape(value: Json | undefined, at: string): void {
  const isText = (item: Json): boolean =>
    typeof item === 'string' || (typeof item === 'object' && item !== null && Object.values(item).every(isText));
  if (typeof value === 'string' || Array.isArray(value) || !isText(value ?? null)) throw new DecodeError(`${at} is no struct of texts`);
}

function headerShape(value: Json | undefined, at: string): void {
  const part = object(value, at, ['certificate', 'configuration', 'header']);
  for (const name of Object.keys(part)) bytesOf(part[name], `${at}/${name}`);
}

function pathShape(value: Json | undefined, at: string): void {
  if (!Array.isArray(value) || value.length > 64) throw new DecodeError(`${at} is no path`);
  for (const step of value as readonly Json[])
    if (typeof step !== 'string' || !/^[LR][0-9a-f]{64}$/.test(step)) throw new DecodeError(`${at} holds no step of a path`);
}

function isDigestHex(value: Json | undefined): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function bytesOf(value: Json | undefined, at: string): Uint8Array {
  if (typeof value !== 'string') throw new DecodeError(`${at} is no base64url`);
  return fromBase64Url(value);
}
