/**
 * What a call of the contract `records` did, as its receipt keeps it: per record identity, digest and status bits. Events and the JSON of
 * an answer are derived from it and never stored. Frozen with the first release. Integers are big-endian, lists and texts stand behind a
 * u32 count:
 *
 *   u8   0x01: JSON never begins so, which is how results of other contracts are told apart
 *   list of class names, in order of first use, every one used
 *   list of records, at least one, at most RECORDS_PER_CALL_MAX, in order of the call; of each
 *        u8   bits 0 and 1: 0 stored, 1 repeated, 2 amended, 3 withdrawn; bit 2, of a repeated one alone: where its first version stands is told; others 0
 *        u16  its class among the classes; only where there is more than one
 *        32   record id
 *        32   recordDigest of the version that the status is about; of a repeated one that is not told, of the content sent
 *        repeated:            u32 current version; where it is told, u64 height and 32 bytes of transaction id of the first version
 *        amended, withdrawn:  u32 version, from 2; 32 recordDigest of the version before. Alone in its call
 *
 * A stored record is version 1, and what is stored, amended or withdrawn stands where the receipt stands.
 */
import { toHex } from './bytes.ts';
import { DecodeError, decodeAll, encodeBrief, type Reader, type Writer } from './codec.ts';
import { DIGEST_BYTES, type Digest } from './crypto.ts';
import { encodeJson, type JsonObject } from './json.ts';
import { DIGEST_ALGORITHM, RECORDS_PER_CALL_MAX } from './record.ts';
import { NAME_BYTES_MAX } from './transaction.ts';

const FORM = 1;
const STATUSES = ['stored', 'repeated', 'amended', 'withdrawn'] as const;
const STATUS_BITS = 0b11;
const TOLD_BIT = 0b100;

interface ResultBase {
  readonly class: string;
  readonly id: Digest;
  readonly recordDigest: Digest;
}

export type RecordResult = ResultBase &
  (
    | { readonly status: 'stored' }
    | {
        readonly status: 'repeated';
        readonly currentVersion: number;
        /** Where the first version stands; undefined for a sender who may not read it. */
        readonly first: ReceiptPlace | undefined;
      }
    | { readonly status: 'amended' | 'withdrawn'; readonly version: number; readonly digestBefore: Digest }
  );

/** A final transaction. */
export interface ReceiptPlace {
  readonly height: number;
  readonly transactionId: Digest;
}

/** An event of `records`, as the call that made it tells it. */
export interface RecordEvent {
  readonly name: 'RecordSubmitted' | 'RecordAmended' | 'RecordWithdrawn';
  readonly class: string;
  readonly id: Digest;
  readonly version: number;
  readonly recordDigest: Digest;
}

/** @throws RangeError for what no call does: nothing, too much, a change that is not alone. */
export function encodeRecordResults(results: readonly RecordResult[]): Uint8Array {
  const fault = faultOf(results);
  if (fault !== undefined) throw new RangeError(`Cannot encode results of records: ${fault}`);
  return encodeBrief(writeResults, results);
}

function writeResults(writer: Writer, results: readonly RecordResult[]): void {
  const first = results[0]!.class;
  const isOneClass = results.every((result) => result.class === first);
  const classes = isOneClass ? [first] : [...new Set(results.map((result) => result.class))];
  writer.u8(FORM).list(classes, writeName).u32(results.length);
  for (const result of results) writeResult(writer, result, classes);
}

function writeName(writer: Writer, name: string): void {
  writer.text(name);
}

function readName(reader: Reader): string {
  return reader.text(NAME_BYTES_MAX);
}

function writeResult(writer: Writer, result: RecordResult, classes: readonly string[]): void {
  const told = result.status === 'repeated' && result.first !== undefined;
  writer.u8(STATUSES.indexOf(result.status) | (told ? TOLD_BIT : 0));
  if (classes.length > 1) writer.u16(classes.indexOf(result.class));
  writer.fixed(result.id, DIGEST_BYTES).fixed(result.recordDigest, DIGEST_BYTES);
  switch (result.status) {
    case 'stored':
      return;
    case 'repeated':
      writer.u32(result.currentVersion);
      if (result.first) writer.u64(result.first.height).fixed(result.first.transactionId, DIGEST_BYTES);
      return;
    default:
      writer.u32(result.version).fixed(result.digestBefore, DIGEST_BYTES);
  }
}

/** Whether a call's result is one of `records`. */
export function isRecordResults(result: Uint8Array): boolean {
  return result[0] === FORM;
}

/** @throws DecodeError for bytes that encodeRecordResults would not have produced. */
export function decodeRecordResults(bytes: Uint8Array): RecordResult[] {
  return decodeAll(bytes, readResults);
}

function readResults(reader: Reader): RecordResult[] {
  if (reader.u8() !== FORM) throw new DecodeError('no results of records');
  const classes = reader.list(readName, RECORDS_PER_CALL_MAX);
  let used = 0; // classes, from the first
  const count = reader.u32();
  if (count > RECORDS_PER_CALL_MAX) throw new DecodeError(`${count} items where at most ${RECORDS_PER_CALL_MAX} are allowed`);
  const results: RecordResult[] = [];
  while (results.length < count) {
    const bits = reader.u8();
    const at = classes.length > 1 ? reader.u16() : 0;
    if (at > used || at >= classes.length) throw new DecodeError('classes are not in order of first use');
    if (at === used) used++;
    results.push(readResult(reader, bits, classes[at]!));
  }
  if (used < classes.length) throw new DecodeError('a class is not used');
  if (new Set(classes).size < classes.length) throw new DecodeError('a class stands twice');
  const fault = faultOf(results);
  if (fault !== undefined) throw new DecodeError(fault);
  return results;
}

function readResult(reader: Reader, bits: number, recordClass: string): RecordResult {
  const status = STATUSES[bits & STATUS_BITS]!;
  const told = (bits & TOLD_BIT) !== 0;
  if (bits > (STATUS_BITS | TOLD_BIT) || (told && status !== 'repeated')) throw new DecodeError(`status bits are ${bits}`);
  const base = { class: recordClass, id: reader.fixed(DIGEST_BYTES), recordDigest: reader.fixed(DIGEST_BYTES) };
  if (status === 'stored') return { ...base, status };
  const version = reader.u32();
  if (status !== 'repeated') return { ...base, status, version, digestBefore: reader.fixed(DIGEST_BYTES) };
  const first = told ? { height: reader.u64(), transactionId: reader.fixed(DIGEST_BYTES) } : undefined;
  return { ...base, status, currentVersion: version, first };
}

function faultOf(results: readonly RecordResult[]): string | undefined {
  if (results.length === 0 || results.length > RECORDS_PER_CALL_MAX) return `${results.length} records`;
  for (const result of results) {
    if (result.status === 'stored') continue;
    if (result.status === 'repeated') {
      if (result.currentVersion < 1) return 'a repeated record without a version';
    } else if (results.length > 1) return 'a change is not alone in its call';
    else if (result.version < 2) return 'a change of nothing';
  }
  return undefined;
}

/** What happened to each record that a call changed, in its order; a repeat changes nothing. */
export function* recordEventsOf(results: readonly RecordResult[]): Generator<RecordEvent, void> {
  for (const result of results) {
    const { class: recordClass, id, recordDigest, status } = result;
    if (status === 'repeated') continue;
    const version = status === 'stored' ? 1 : result.version;
    yield { name: EVENT_NAMES[status], class: recordClass, id, version, recordDigest };
  }
}

const EVENT_NAMES = { stored: 'RecordSubmitted', amended: 'RecordAmended', withdrawn: 'RecordWithdrawn' } as const;

/** The event's data as other contracts' events have it: canonical JSON. */
export function recordEventData({ class: recordClass, id, recordDigest, version }: RecordEvent): Uint8Array {
  return encodeJson({ class: recordClass, id: toHex(id), recordDigest: toHex(recordDigest), version });
}

export function currentVersionOf(result: RecordResult): number {
  return result.status === 'repeated' ? result.currentVersion : result.status === 'stored' ? 1 : result.version;
}

/** A result as answers tell it. @param here where the receipt stands */
export function presentRecordResult(result: RecordResult, here: ReceiptPlace): JsonObject {
  const { status } = result;
  const isChange = status === 'amended' || status === 'withdrawn';
  const version = isChange ? result.version : 1;
  const place = status === 'repeated' ? result.first : here;
  return {
    id: toHex(result.id),
    version,
    status,
    recordDigest: toHex(result.recordDigest),
    digestAlg: DIGEST_ALGORITHM,
    currentVersion: currentVersionOf(result),
    height: place?.height ?? null,
    transactionId: place ? toHex(place.transactionId) : null,
    ...(isChange && { digestBefore: toHex(result.digestBefore) }),
  };
}
