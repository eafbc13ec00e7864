/**
 * The record: what is stored for a submission, its identity, its canonical text, its digests, and sealed fields
 * (design: record). None of this may change once a chain holds records. Pure; runs in a browser too.
 *
 * - Content is one struct of the class's fields, with `ext` beside them, in the shape the caller submitted; every leaf is text.
 * - Its bytes are RFC 8785 JSON. `recordDigest` is the plain SHA-256 over them, so `jq -cjS` and `sha256sum` repeat it from any answer.
 * - A sealed leaf stands in the content as `{"sealed": C}`.
 * - Content and source stand once, in the call that wrote them; the state holds a RecordVersion, which binds them by digest and says where they are.
 */
import { toHex, utf8 } from './bytes.ts';
import { DecodeError, decodeAll, encodeBrief, type Reader, Writer } from './codec.ts';
import { type Crypto, DIGEST_BYTES, type Digest, hashTagged, hashWritten } from './crypto.ts';
import { encodeContent, type TextStruct, type TextTree } from './content.ts';
import { canonicalJson, encodeJson } from './json.ts';
import { type Call, NAME_BYTES_MAX, TRANSACTION_BYTES_MAX } from './transaction.ts';

export const RECORD_BYTES_MAX = 3_932_160; // bytes of one record's canonical text; leaves room in a transaction of 4 MiB
export const RECORDS_PER_CALL_MAX = 1_000; // records in one call of `records.submit`
export const REASON_BYTES_MAX = 1_024; // bytes of the reason of an amendment or withdrawal
export const SOURCE_TEXT_BYTES_MAX = 256; // bytes of one member of `source`
export const DIGEST_ALGORITHM = 'SHA-256';
/** MTConnect's word for "not measured". */
export const UNAVAILABLE = 'UNAVAILABLE';

const RECORD_STATES = ['current', 'archived', 'deleted'] as const;
export type RecordState = (typeof RECORD_STATES)[number];

export const sourceNames = ['system', 'id', 'time', 'seq', 'interfaceId', 'mapping'] as const;
/** A submitted tree as content and what its sender says of its source, which is stored beside the content and in none of its digests. */
export function takeSource({ source, ...content }: TextStruct): { readonly content: TextStruct; readonly source: TextTree | undefined } {
  return { content, source };
}

/** Where a record came from; no part of its content or digest. */
export type RecordOrigin = { readonly [name in (typeof sourceNames)[number]]?: string };

/** Where a version stands in the chain: its block, the transaction in it, the call, and the record among those of the call. */
export interface RecordPosition {
  readonly height: number;
  readonly index: number;
  readonly call: number;
  readonly item: number;
  readonly transactionId: Digest;
}

/** One version of a record as the state holds it: it vouches for content and source by their digests and says where they stand. */
export interface RecordVersion extends RecordPosition {
  /** From 1; part of the key, not of the value. */
  readonly version: number;
  readonly recordDigest: Digest;
  /** Of the content with its key fields in normal spelling, where that is another; so a repeat is known however it spells its key. */
  readonly normalDigest: Digest | undefined;
  readonly class: string;
  readonly classVersion: number;
  readonly org: string;
  /** Account that signed. */
  readonly actor: string;
  readonly state: RecordState;
  /** Undefined when nothing is said of a source. */
  readonly sourceDigest: Digest | undefined;
  /** Why this version replaced the one before, and that one's recordDigest; undefined for version 1. */
  readonly change: { readonly reason: string; readonly digestBefore: Digest } | undefined;
}

/** What a call says of one record, as it stands in the body of a block. */
export interface RecordText {
  /** Canonical text of the sealed content: `body` and `ext` in one struct. Empty for a tombstone. */
  readonly content: Uint8Array;
  readonly source: RecordOrigin;
}

/** A version with what is read of its block. */
export interface StoredRecord extends RecordVersion, RecordText {
  /** Content that the key is read from: its own, or for a tombstone that of the version withdrawn. */
  readonly keyContent: Uint8Array;
  /** Block time, milliseconds since 1970. */
  readonly committedAtMs: number;
}

/** One record as `records.submit` takes it. */
export interface Submission {
  readonly class: string;
  readonly classVersion: number;
  readonly content: Uint8Array;
  readonly source: RecordOrigin;
}

export interface Amendment {
  readonly recordId: Digest;
  /** The version the change was made against; another current version refuses it. */
  readonly expectedVersion: number;
  readonly reason: string;
  /** undefined withdraws the record. */
  readonly content: Uint8Array | undefined;
  readonly source: RecordOrigin;
}

// --- canonical text and digests ---------------------------------------------------------------------------------------------------

/** SHA-256 over the sealed canonical text; what the chain vouches for. */
export function recordDigest(crypto: Pick<Crypto, 'hash'>, content: Uint8Array): Digest {
  return crypto.hash(content);
}

/** Plain SHA-256 over the RFC 8785 text of a source; undefined for one that says nothing. */
export function sourceDigest(crypto: Pick<Crypto, 'hash'>, source: RecordOrigin): Digest | undefined {
  return Object.keys(source).length === 0 ? undefined : crypto.hash(encodeJson({ ...source }));
}

/** SHA-256 over the canonical text in clear, without `token`; told to the submitter, never stored. */
export function contentDigest(crypto: Pick<Crypto, 'hash'>, clear: TextStruct): Digest {
  const { token: _token, ...rest } = clear;
  return crypto.hash(encodeContent(rest));
}

/** Identity of a record: class, organisation and key, whatever its content. */
export function recordIdOf(
  crypto: Pick<Crypto, 'hash'>,
  recordClass: string,
  org: string,
  key: { readonly [name: string]: string },
): Digest {
  return recordIdOfKeyText(crypto, recordClass, org, utf8(canonicalJson(key)));
}

/** recordIdOf for a key that is at hand as RFC 8785 text. */
export function recordIdOfKeyText(crypto: Pick<Crypto, 'hash'>, recordClass: string, org: string, key: Uint8Array): Digest {
  return hashWritten(crypto, 'record-id', writeIdentity, { recordClass, org, key });
}

interface Identity {
  readonly recordClass: string;
  readonly org: string;
  readonly key: Uint8Array;
}

function writeIdentity(writer: Writer, { recordClass, org, key }: Identity): void {
  writer.text(recordClass).text(org).bytes(key);
}

/** Digest in an authenticated index key: identities are hashed, so that a proof discloses no neighbour's serial numbers. */
export function indexDigest(crypto: Pick<Crypto, 'hash'>, ...values: readonly string[]): Digest {
  return hashWritten(crypto, 'index', writeTexts, values);
}

function writeTexts(writer: Writer, texts: readonly string[]): void {
  writer.list(texts, writeText);
}

function writeText(writer: Writer, text: string): void {
  writer.text(text);
}

// --- sealed fields ----------------------------------------------------------------------------------------------------------------

export const SEALED_NAME = 'sealed';

/**
 * The commitment that stands for a sealed value: SHA-256 over four lines, `tracemill/sealed-field/v1`, salt in hex, path, value. The value
 * comes last and unterminated, so line ends inside it are harmless. `path` is dotted, items counted from 1, as CSV columns are named.
 */
export function sealedCommitment(crypto: Pick<Crypto, 'hash'>, salt: Uint8Array, path: string, value: string): string {
  return sealedBytesCommitment(crypto, salt, path, utf8(value));
}

/** The same of a value as UTF-8. */
export function sealedBytesCommitment(crypto: Pick<Crypto, 'hash'>, salt: Uint8Array, path: string, value: Uint8Array): string {
  return toHex(hashTagged(crypto, 'sealed-field', utf8(`${toHex(salt)}\n${path}\n`), value));
}

/**
 * Salt of one field: HMAC of the organisation's sealing key over record id and path, so a retry commits alike and nobody else can guess it.
 */
export function sealingSalt(crypto: Pick<Crypto, 'hash'>, sealingKey: Uint8Array, recordId: Digest, path: string): Uint8Array {
  return hmacSha256(crypto, sealingKey, new Writer(128).fixed(recordId, DIGEST_BYTES).text(path).finish());
}

const HMAC_BLOCK_BYTES = 64;

/** RFC 2104 over the hash handed in, which is SHA-256. */
export function hmacSha256(crypto: Pick<Crypto, 'hash'>, key: Uint8Array, message: Uint8Array): Digest {
  const block = new Uint8Array(HMAC_BLOCK_BYTES);
  block.set(key.length > HMAC_BLOCK_BYTES ? crypto.hash(key) : key);
  const inner = new Uint8Array(HMAC_BLOCK_BYTES + message.length);
  const outer = new Uint8Array(HMAC_BLOCK_BYTES + DIGEST_BYTES);
  for (let i = 0; i < HMAC_BLOCK_BYTES; i++) {
    inner[i] = block[i]! ^ 0x36;
    outer[i] = block[i]! ^ 0x5c;
  }
  inner.set(message, HMAC_BLOCK_BYTES);
  outer.set(crypto.hash(inner), HMAC_BLOCK_BYTES);
  return crypto.hash(outer);
}

/** True for `{"sealed": C}`. */
export function isSealed(value: TextTree | undefined): value is { readonly sealed: string } {
  if (typeof value !== 'object' || Array.isArray(value)) return false;
  const struct = value as TextStruct;
  const names = Object.keys(struct);
  return names.length === 1 && typeof struct[SEALED_NAME] === 'string' && /^[0-9a-f]{64}$/.test(struct[SEALED_NAME]);
}

// --- paths ------------------------------------------------------------------------------------------------------------------------

/** Names and 0-based indices from the top of the content to a value. */
export type RecordPath = readonly (string | number)[];

/** Dotted, items counted from 1: `pro_raw_material.2.pro_supplier`. */
export function dottedPath(path: RecordPath): string {
  return path.map((part) => (typeof part === 'number' ? `${part + 1}` : part)).join('.');
}

/** The value at a dotted path, or undefined; a list of one stands as its item, so `.1` names the item itself there. */
export function valueAt(content: TextTree, path: string): TextTree | undefined {
  let value: TextTree | undefined = content;
  for (const part of path.split('.')) {
    if (typeof value !== 'object') return undefined;
    if (Array.isArray(value)) {
      value = /^[1-9][0-9]{0,4}$/.test(part) ? value[Number.parseInt(part, 10) - 1] : undefined;
    } else if (Object.hasOwn(value as TextStruct, part)) {
      value = (value as TextStruct)[part];
    } else if (part !== '1') {
      return undefined;
    }
  }
  return value;
}

/** A value that may stand once or several times, as a list. */
export function several(value: TextTree | undefined): readonly TextTree[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as TextTree];
}

/** The text at a dotted path; undefined when it is absent or no text. */
export function textAt(content: TextTree, path: string): string | undefined {
  const value = valueAt(content, path);
  return typeof value === 'string' ? value : undefined;
}

// --- codec ------------------------------------------------------------------------------------------------------------------------

export function writeSource(writer: Writer, source: RecordOrigin): void {
  for (const name of sourceNames) writer.optional(source[name], writeText);
}

export function readSource(reader: Reader): RecordOrigin {
  const source: { -readonly [name in keyof RecordOrigin]: string } = {};
  for (const name of sourceNames) {
    const text = reader.optional(readSourceText);
    if (text !== undefined) source[name] = text;
  }
  return source;
}

function readSourceText(reader: Reader): string {
  return reader.text(SOURCE_TEXT_BYTES_MAX);
}

export function encodeRecordVersion(record: Omit<RecordVersion, 'version'>): Uint8Array {
  return encodeBrief(writeRecordVersion, record);
}

function writeRecordVersion(writer: Writer, record: Omit<RecordVersion, 'version'>): void {
  writer
    .fixed(record.recordDigest, DIGEST_BYTES)
    .optional(record.normalDigest, writeDigest)
    .text(record.class)
    .u32(record.classVersion)
    .text(record.org)
    .text(record.actor)
    .u8(RECORD_STATES.indexOf(record.state))
    .optional(record.sourceDigest, writeDigest)
    .optional(record.change, writeChange)
    .u64(record.height)
    .u32(record.index)
    .u16(record.call)
    .u16(record.item)
    .fixed(record.transactionId, DIGEST_BYTES);
}

function writeDigest(writer: Writer, digest: Digest): void {
  writer.fixed(digest, DIGEST_BYTES);
}

function writeChange(writer: Writer, { reason, digestBefore }: NonNullable<RecordVersion['change']>): void {
  writer.text(reason).fixed(digestBefore, DIGEST_BYTES);
}

function readDigest(reader: Reader): Digest {
  return reader.fixed(DIGEST_BYTES);
}

/** @param version of the key. @throws DecodeError */
export function decodeRecordVersion(bytes: Uint8Array, version: number): RecordVersion {
  const record = decodeAll(bytes, readRecordVersion);
  return { version, ...record };
}

function readRecordVersion(reader: Reader): Omit<RecordVersion, 'version'> {
  return {
    recordDigest: readDigest(reader),
    normalDigest: reader.optional(readDigest),
    class: reader.text(NAME_BYTES_MAX),
    classVersion: reader.u32(),
    org: reader.text(NAME_BYTES_MAX),
    actor: reader.text(NAME_BYTES_MAX),
    state: readState(reader),
    sourceDigest: reader.optional(readDigest),
    change: reader.optional(readChange),
    height: reader.u64(),
    index: reader.u32(),
    call: reader.u16(),
    item: reader.u16(),
    transactionId: readDigest(reader),
  };
}

function readChange(reader: Reader): NonNullable<RecordVersion['change']> {
  return { reason: reader.text(REASON_BYTES_MAX), digestBefore: readDigest(reader) };
}

/** What a call of `records` says of each of its records. @throws DecodeError */
export function recordTextsOf({ method, args }: Pick<Call, 'method' | 'args'>): readonly RecordText[] {
  if (method === 'submit') return decodeSubmissions(args);
  const { content, source } = decodeAmendment(args);
  return [{ content: content ?? NO_BYTES, source }];
}

const NO_BYTES = new Uint8Array(0);

function readState(reader: Reader): RecordState {
  const state = RECORD_STATES[reader.u8()];
  if (!state) throw new DecodeError('unknown record state');
  return state;
}

export function encodeSubmissions(submissions: readonly Submission[]): Uint8Array {
  let bytes = 64;
  for (const submission of submissions) bytes += submission.content.length + 128;
  return new Writer(bytes).list(submissions, writeSubmission).finish();
}

function writeSubmission(writer: Writer, submission: Submission): void {
  writer.text(submission.class).u32(submission.classVersion).bytes(submission.content);
  writeSource(writer, submission.source);
}

/** @throws DecodeError */
export function decodeSubmissions(bytes: Uint8Array): Submission[] {
  return decodeAll(bytes, readSubmissions);
}

function readSubmissions(reader: Reader): Submission[] {
  return reader.list(readSubmission, RECORDS_PER_CALL_MAX);
}

function readSubmission(reader: Reader): Submission {
  return {
    class: reader.text(NAME_BYTES_MAX),
    classVersion: reader.u32(),
    content: reader.bytes(RECORD_BYTES_MAX),
    source: readSource(reader),
  };
}

export function encodeAmendment(amendment: Amendment): Uint8Array {
  const writer = new Writer(256)
    .fixed(amendment.recordId, DIGEST_BYTES)
    .u32(amendment.expectedVersion)
    .text(amendment.reason)
    .optional(amendment.content, (w, content) => w.bytes(content));
  writeSource(writer, amendment.source);
  return writer.finish();
}

/** @throws DecodeError */
export function decodeAmendment(bytes: Uint8Array): Amendment {
  if (bytes.length > TRANSACTION_BYTES_MAX) throw new DecodeError('amendment is too long');
  return decodeAll(bytes, (reader) => ({
    recordId: reader.fixed(DIGEST_BYTES),
    expectedVersion: reader.u32(),
    reason: reader.text(REASON_BYTES_MAX),
    content: reader.optional((r) => r.bytes(RECORD_BYTES_MAX)),
    source: readSource(reader),
  }));
}
