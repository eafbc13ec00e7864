/**
 * Terms: all versions of records that name one value (a product, a batch, a field its class declares provable), in the order they were
 * committed, as an accumulator in the state. Whoever is given a list of them folds it and compares: nothing is missing, added or moved. A
 * term that no record names has no key, whose absence the map proves. Entries are grouped in chunks, each folded from the beginning: a full
 * one keeps its head under a key of its own, so that a long term is proved in parts. A range of time inside a term is filtered by the
 * reader, who holds all of it.
 */
import { decodeAll, encodeShort, type Reader, type Writer } from './codec.ts';
import { equalBytes } from './bytes.ts';
import { type Crypto, DIGEST_BYTES, type Digest, hashWritten } from './crypto.ts';

export const TERM_CHUNK_ENTRIES = 1_024; // entries of a full chunk

export type TermKind = 'product' | 'production_batch' | 'material_batch' | 'field';

export interface TermEntry {
  readonly id: Digest;
  readonly version: number;
}

/** What the state holds of a term. */
export interface Term {
  /** Entries of all chunks. */
  readonly count: number;
  /** Over the entries behind the last full chunk. */
  readonly head: Digest;
}

/** Head of a chunk without entries. */
export const TERM_START: Digest = new Uint8Array(DIGEST_BYTES);

/** Where a term stands: values are hashed, so that a proof discloses no neighbour's serial numbers. */
export function termDigest(crypto: Pick<Crypto, 'hash'>, kind: TermKind, ...values: readonly string[]): Digest {
  return hashWritten(crypto, 'term', writeName, { kind, values });
}

function writeName(writer: Writer, { kind, values }: { readonly kind: TermKind; readonly values: readonly string[] }): void {
  writer.u32(1 + values.length).text(kind);
  for (const value of values) writer.text(value);
}

/** The term with one entry more, and the head of the chunk that it filled. */
export function appendToTerm(
  crypto: Pick<Crypto, 'hash'>,
  { count, head }: Term,
  entry: TermEntry,
): { readonly term: Term; readonly full: { readonly chunk: number; readonly head: Digest } | undefined } {
  const next = headAfter(crypto, head, entry);
  const grown = count + 1;
  if (grown % TERM_CHUNK_ENTRIES > 0) return { term: { count: grown, head: next }, full: undefined };
  return { term: { count: grown, head: TERM_START }, full: { chunk: grown / TERM_CHUNK_ENTRIES - 1, head: next } };
}

function headAfter(crypto: Pick<Crypto, 'hash'>, head: Digest, { id, version }: TermEntry): Digest {
  return hashWritten(crypto, 'term-head', writeEntry, { head, id, version });
}

function writeEntry(writer: Writer, { head, id, version }: TermEntry & Pick<Term, 'head'>): void {
  writer.fixed(head, DIGEST_BYTES).fixed(id, DIGEST_BYTES).u32(version);
}

/** Whether these entries, in this order, are all of one chunk whose head is proved; of the open one as well. */
export function isTermChunk(crypto: Pick<Crypto, 'hash'>, head: Digest, entries: readonly TermEntry[]): boolean {
  return equalBytes(
    entries.reduce((folded, entry) => headAfter(crypto, folded, entry), TERM_START),
    head,
  );
}

/**
 * Why a list is not the whole term, in the order of commits; undefined when it is.
 * @param term as the state holds it; undefined when it is proved to hold none
 * @param fullHeads heads of the full chunks, as the state holds them
 */
export function termFault(
  crypto: Pick<Crypto, 'hash'>,
  term: Term | undefined,
  fullHeads: readonly Digest[],
  entries: readonly TermEntry[],
): string | undefined {
  const { count, head } = term ?? { count: 0, head: TERM_START };
  if (entries.length !== count) return `${entries.length} entries where the term has ${count}`;
  const chunks = Math.floor(count / TERM_CHUNK_ENTRIES);
  if (fullHeads.length !== chunks) return `${fullHeads.length} heads where ${chunks} chunks are full`;
  for (const [chunk, each] of [...fullHeads, head].entries()) {
    const from = chunk * TERM_CHUNK_ENTRIES;
    if (!isTermChunk(crypto, each, entries.slice(from, from + TERM_CHUNK_ENTRIES))) return `chunk ${chunk} has other entries`;
  }
  return undefined;
}

export function encodeTerm(term: Term): Uint8Array {
  return encodeShort(writeTerm, term);
}

function writeTerm(writer: Writer, { count, head }: Term): void {
  writer.u64(count).fixed(head, DIGEST_BYTES);
}

/** @throws DecodeError */
export function decodeTerm(bytes: Uint8Array): Term {
  return decodeAll(bytes, readTerm);
}

function readTerm(reader: Reader): Term {
  return { count: reader.u64(), head: reader.fixed(DIGEST_BYTES) };
}
