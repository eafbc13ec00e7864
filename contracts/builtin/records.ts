/**
 * The built-in contract `records`: puts production, device and quality records on the chain, amends and withdraws them, never overwrites
 * (design: record; DB53/T 1407-2025 6.1.1, 6.1.3). Content arrives in sealed canonical form; a transaction with one bad record writes
 * nothing.
 *
 * `submit` takes encodeSubmissions, `amend` and `withdraw` take encodeAmendment; results are encodeRecordResults,
 * which its events are derived from. Deterministic: see design/execution.
 */
import {
  type Amendment,
  compareDecimal,
  decodeAmendment,
  decodeContent,
  decodeJson,
  decodeSubmissions,
  type Digest,
  DIGEST_ALGORITHM,
  encodeJson,
  encodeRecordResults,
  encodeRecordVersion,
  equalBytes,
  fromHex,
  indexDigest,
  isInteger,
  type Json,
  parseTime,
  recordDigest,
  recordIdOfKeyText,
  type RecordOrigin,
  type RecordResult,
  RECORDS_PER_CALL_MAX,
  type RecordText,
  recordTextsOf,
  type RecordVersion,
  sourceDigest,
  type Submission,
  toByteText,
  toHex,
} from '../../node/format/index.ts';
import { isObject } from './arguments.ts';
import { type BuiltinContract, ContractFailure, type Host } from '../types.ts';
import { type Read, readableWith } from './access.ts';
import { type ClassDefinition, isBlank, judgeContent, type JudgedContent, keyOf, type RecordFacts, timePath } from '../classes/index.ts';
import { CONTRACT, recordKey } from './layout.ts';
import { GAS_PER_ARGUMENT_JSON_BYTE } from './pricing.ts';
import {
  Asked,
  classAt,
  failure,
  keyConflict,
  loadClass,
  mappingFaults,
  ownershipFaults,
  seesRecord,
  senderOrganisation,
} from './records-checks.ts';
import { OpenTerms } from './records-terms.ts';
import { currentVersion, readVersion, VERSIONS_MAX } from './records-versions.ts';

// Measured by test/bench/gas-calibrate.ts; host calls are priced by the host.
export const GAS_PER_RECORD = 1_000_000; // identity, checks of class and ownership, three digests
const GAS_PER_RECORD_BYTE = 1_500; // one pass, canonical form and digest; text full of escapes takes longest
const GAS_PER_RECORD_MARK = 14_000; // a member or an item of what is read as a tree: its name is looked up, its value is checked
const GAS_PER_RECORD_FRAME = 8_000; // finding one record of a call among the others
const COLON = 0x3a;
const COMMA = 0x2c;

/** Gas of one pass over a record's content, known before it is looked at. */
export function recordGas(content: Uint8Array): number {
  return GAS_PER_RECORD + GAS_PER_RECORD_BYTE * content.length;
}

/**
 * Gas of reading content as a tree: where the pass refuses it, a path in it leads through a list, or it is read back. Members and items are
 * counted by the marks between them, those inside texts as well.
 */
export function treeGas(content: Uint8Array): number {
  let marks = 0;
  for (const byte of content) if (byte === COLON || byte === COMMA) marks++;
  return GAS_PER_RECORD_BYTE * content.length + GAS_PER_RECORD_MARK * marks;
}

const US_PER_MS = 1_000n;

function submit(host: Host, args: Uint8Array): Uint8Array {
  const submissions = decodeArgs(args, decodeSubmissions);
  if (submissions.length === 0) throw new ContractFailure('RECORD_NONE');
  for (const submission of submissions) host.useGas(recordGas(submission.content));
  const org = senderOrganisation(host, 'record:submit');
  const known = new Known();
  const results: RecordResult[] = [];
  for (const submission of submissions) results.push(submitOne(host, org, submission, results.length, known));
  known.terms.save(host);
  saveSources(host, submissions);
  return encodeRecordResults(results);
}

function submitOne(host: Host, org: string, submission: Submission, at: number, known: Known): RecordResult {
  const opened = openContent(host, org, submission.class, submission.classVersion, submission.content, at, known);
  const { definition, digest } = opened;
  const { facts, keyText, hasKey } = opened.content;
  if (!hasKey) throw failure('RECORD_KEY_EMPTY', at, []);
  const recordId = recordIdOfKeyText(host, definition.name, org, keyText);
  const id = toByteText(recordId);
  const normalDigest = opened.content.normalDigest(host);
  const first = readVersion(host, id, 1);
  if (first) return repeated(host, first, digest, normalDigest ?? digest, recordId, at);
  const record: RecordVersion = {
    recordDigest: digest,
    normalDigest,
    class: definition.name,
    classVersion: definition.version,
    org,
    actor: host.transaction.sender,
    version: 1,
    state: 'current',
    sourceDigest: sourceDigest(host, submission.source),
    change: undefined,
    height: host.block.height,
    index: host.transaction.index,
    call: host.callIndex,
    item: at,
    transactionId: host.transaction.transactionId,
  };
  host.put(recordKey.version(id, 1), encodeRecordVersion(record));
  known.terms.join(host, recordId, 1, definition, facts);
  tell(host, recordId, record, undefined, facts);
  return { status: 'stored', class: definition.name, id: recordId, recordDigest: digest };
}

/**
 * A retry: the same content, however it spells its key, is answered with the first version and its receipt; an account that may not read
 * that one learns only that it is stored. Other content conflicts with the stored one.
 */
function repeated(host: Host, first: RecordVersion, digest: Digest, normalDigest: Digest, id: Digest, at: number): RecordResult {
  const current = currentVersion(host, toByteText(id));
  if (equalBytes(normalDigest, first.normalDigest ?? first.recordDigest)) {
    const same = { status: 'repeated', class: first.class, id, currentVersion: current } as const;
    return sees(host, first) ? { ...same, recordDigest: first.recordDigest, first } : { ...same, recordDigest: digest, first: undefined };
  }
  const latest = readVersion(host, toByteText(id), current)!;
  throw failure('RECORD_KEY_CONFLICT', at, [], { ...keyConflict(id, { first, latest, current }, sees(host, first)) });
}

function amend(host: Host, args: Uint8Array): Uint8Array {
  const { recordId, expectedVersion, reason, content, source } = decodeArgs(args, decodeAmendment);
  if (content === undefined) throw new ContractFailure('RECORD_CONTENT_MISSING');
  host.useGas(recordGas(content));
  const { org, before } = openCurrent(host, recordId, expectedVersion, reason);
  const opened = openContent(host, org, before.class, undefined, content, 0, new Known());
  const { definition, digest } = opened;
  if (!equalBytes(recordIdOfKeyText(host, definition.name, org, opened.content.keyText), recordId))
    throw failure('RECORD_KEY_CHANGED', 0, []);
  if (equalBytes(digest, before.recordDigest)) throw failure('RECORD_UNCHANGED', 0, []);
  const normalDigest = opened.content.normalDigest(host);
  const next = { recordDigest: digest, normalDigest, classVersion: definition.version, state: 'current' } as const;
  return putNext(host, recordId, before, next, { reason, source }, opened);
}

function withdraw(host: Host, args: Uint8Array): Uint8Array {
  const { recordId, expectedVersion, reason, content, source } = decodeArgs(args, decodeAmendment);
  if (content !== undefined) throw new ContractFailure('RECORD_CONTENT_UNEXPECTED');
  host.useGas(GAS_PER_RECORD);
  const { before } = openCurrent(host, recordId, expectedVersion, reason);
  const { classVersion } = before;
  const tombstone = {
    recordDigest: recordDigest(host, new Uint8Array(0)),
    normalDigest: undefined,
    classVersion,
    state: 'deleted',
  } as const;
  return putNext(host, recordId, before, tombstone, { reason, source }, undefined);
}

function putNext(
  host: Host,
  recordId: Uint8Array,
  before: RecordVersion,
  next: Pick<RecordVersion, 'recordDigest' | 'normalDigest' | 'classVersion' | 'state'>,
  { reason, source }: Pick<Amendment, 'reason' | 'source'>,
  opened: Opened | undefined,
): Uint8Array {
  const version = before.version + 1;
  if (version > VERSIONS_MAX) throw new ContractFailure('RECORD_VERSIONS_EXHAUSTED', { versionsMax: `${VERSIONS_MAX}` });
  const record: RecordVersion = {
    ...before,
    ...next,
    actor: host.transaction.sender,
    version,
    sourceDigest: sourceDigest(host, source),
    change: { reason, digestBefore: before.recordDigest },
    height: host.block.height,
    index: host.transaction.index,
    call: host.callIndex,
    item: 0,
    transactionId: host.transaction.transactionId,
  };
  const id = toByteText(recordId);
  host.put(recordKey.version(id, version), encodeRecordVersion(record));
  if (opened) {
    const terms = new OpenTerms();
    terms.join(host, recordId, version, opened.definition, opened.content.facts);
    terms.save(host);
  }
  tell(host, recordId, record, before.height, opened?.content.facts);
  const status = record.state === 'deleted' ? 'withdrawn' : 'amended';
  const { class: recordClass, recordDigest: digest } = record;
  return encodeRecordResults([
    { status, class: recordClass, id: recordId, recordDigest: digest, version, digestBefore: before.recordDigest },
  ]);
}

/** The current version of a record of the sender's organisation, still in use and as the sender saw it. */
function openCurrent(host: Host, recordId: Uint8Array, expectedVersion: number, reason: string): { org: string; before: RecordVersion } {
  if (isBlank(reason)) throw new ContractFailure('RECORD_REASON_MISSING');
  const org = senderOrganisation(host, 'record:submit');
  const id = toByteText(recordId);
  const first = readVersion(host, id, 1);
  if (!first || !sees(host, first)) throw new ContractFailure('RECORD_NOT_FOUND', { id: toHex(recordId) });
  const version = currentVersion(host, id);
  const before = readVersion(host, id, version)!;
  if (before.org !== org) throw new ContractFailure('RECORD_FOREIGN', { id: toHex(recordId), org: before.org });
  if (version !== expectedVersion)
    throw new ContractFailure('RECORD_VERSION_MOVED', {
      id: toHex(recordId),
      expectedVersion: `${expectedVersion}`,
      currentVersion: `${version}`,
    });
  if (before.state === 'deleted') throw new ContractFailure('RECORD_DELETED', { id: toHex(recordId), currentVersion: `${version}` });
  return { org, before };
}

function sees(host: Host, first: RecordVersion): boolean {
  return seesRecord((contract, key) => host.read(contract, key), host.transaction.sender, first, host.block.timestampMs);
}

interface Opened {
  readonly content: JudgedContent;
  readonly definition: ClassDefinition;
  readonly digest: Uint8Array;
}

/** What one call has learned: a class is paid for once, not for every record of it. */
class Known {
  readonly asked = new Asked();
  /** As they will be when the call ends. */
  readonly terms = new OpenTerms();
  readonly #classes: { readonly name: string; readonly version: number | undefined; readonly definition: ClassDefinition }[] = [];
  #latestUs: bigint | undefined;

  /** No record claims a later time. */
  latestUs({ block }: Host): bigint {
    this.#latestUs ??= BigInt(block.timestampMs + block.parameters.recordTimeAheadMaxMs) * US_PER_MS;
    return this.#latestUs;
  }

  classOf(host: Host, name: string, version: number | undefined, at: number): ClassDefinition {
    for (const held of this.#classes) if (held.name === name && held.version === version) return held.definition;
    const definition = loadClass(host, name, version, at);
    this.#classes.push({ name, version, definition });
    return definition;
  }
}

function openContent(
  host: Host,
  org: string,
  recordClass: string,
  classVersion: number | undefined,
  bytes: Uint8Array,
  at: number,
  known: Known,
): Opened {
  const definition = known.classOf(host, recordClass, classVersion, at);
  const judged = judgeContent(definition, bytes, () => host.useGas(treeGas(bytes)));
  if (!judged.ok) throw failure(judged.fault.code, at, judged.fault.path, judged.fault.data);
  const { content } = judged;
  const { facts } = content;
  if (facts.timeUs !== undefined && facts.timeUs > known.latestUs(host)) {
    const { recordTimeAheadMaxMs } = host.block.parameters;
    throw failure('RECORD_TIME_AHEAD', at, timePath(definition), { aheadMaxMs: `${recordTimeAheadMaxMs}` });
  }
  ownershipFaults(host, org, definition, facts, at, known.asked, refuse);
  mappingFaults(host, definition, facts, at, known.asked, refuse);
  return { content, definition, digest: recordDigest(host, bytes) };
}

function refuse(fault: ContractFailure): never {
  throw fault;
}

type SourcePosition = Pick<RecordOrigin, 'time' | 'seq'>;

/** Keeps how far `time` and `seq` have come per (account, interface), so that an incremental upload knows where to go on. */
function saveSources(host: Host, submissions: readonly Submission[]): void {
  const named = new Map<string, SourcePosition[]>();
  for (const { source } of submissions) {
    if (source.interfaceId === undefined) continue;
    const positions = named.get(source.interfaceId) ?? [];
    named.set(source.interfaceId, positions);
    positions.push({
      ...(source.time === undefined ? {} : { time: source.time }),
      ...(source.seq === undefined ? {} : { seq: source.seq }),
    });
  }
  for (const [interfaceId, positions] of named) {
    const key = recordKey.source(toByteText(indexDigest(host, host.transaction.sender, interfaceId)));
    const before = host.get(key);
    const reached = positions.reduce(furtherPosition, before ? (decodeJson(before) as SourcePosition) : {});
    const value = encodeJson({ ...reached });
    if (!before || !equalBytes(before, value)) host.put(key, value);
  }
}

/**
 * The further of two positions: by `seq` as a number when both have one, else by `time`, else the one sent later. A position that comes
 * late takes nothing back: it only fills in what was not known.
 */
function furtherPosition(held: SourcePosition, next: SourcePosition): SourcePosition {
  const bySeq = held.seq !== undefined && next.seq !== undefined ? compareSeq(held.seq, next.seq) : 0;
  const order = bySeq !== 0 ? bySeq : compareTime(held.time, next.time);
  return order > 0 ? { ...next, ...held } : { ...held, ...next };
}

/** Negative when `a` comes first; 0 when one is no number, which the API refuses. */
function compareSeq(a: string, b: string): number {
  return isInteger(a) && isInteger(b) ? compareDecimal(a, b) : 0;
}

function compareTime(a: string | undefined, b: string | undefined): number {
  const [left, right] = [a, b].map((text) => (text === undefined ? undefined : parseTime(text)));
  if (!left?.ok || !right?.ok || left.us === right.us) return 0;
  return left.us < right.us ? -1 : 1;
}

function tell(host: Host, id: Digest, record: RecordVersion, heightBefore: number | undefined, named: RecordFacts | undefined): void {
  const { class: recordClass, version, org, actor, state } = record;
  host.tell({ id, version, heightBefore, class: recordClass, org, actor, state, named });
}

/** Content and source of a version, from the body of its block. */
function textOf(host: Host, record: RecordVersion): RecordText {
  const call = host.callAt(record);
  host.useGas(GAS_PER_RECORD_FRAME * RECORDS_PER_CALL_MAX);
  const text = recordTextsOf(call)[record.item]!;
  host.useGas(GAS_PER_RECORD + treeGas(text.content));
  return text;
}

function decodeArgs<T>(args: Uint8Array, decode: (bytes: Uint8Array) => T): T {
  try {
    return decode(args);
  } catch (error) {
    throw new ContractFailure('RECORD_ARGS_MALFORMED', { reason: error instanceof Error ? error.message : '' });
  }
}

/** Query `get`: args `{id, version?}`; the stored version as JSON, content included. */
function getRecord(host: Host, args: Uint8Array): Uint8Array {
  host.useGas(GAS_PER_ARGUMENT_JSON_BYTE * args.length);
  const { id, version } = decodeArgs(args, readGetArgs);
  const text = toByteText(id);
  const current = currentVersion(host, text);
  const record = readVersion(host, text, version ?? current);
  if (!record) throw new ContractFailure('RECORD_NOT_FOUND', { id: toHex(id) });
  const content = record.state === 'deleted' ? undefined : decodeContent(textOf(host, record).content);
  // A tombstone has the key of the version that it withdrew.
  const keyed = content ?? decodeContent(textOf(host, readVersion(host, text, record.version - 1)!).content);
  const read: Read = (contract, key) => host.read(contract, key);
  const definition = classAt(read, record.class, record.classVersion, (units) => host.useGas(units))!;
  return encodeJson({
    id: toHex(id),
    version: record.version,
    status: record.state,
    recordDigest: toHex(record.recordDigest),
    digestAlg: DIGEST_ALGORITHM,
    currentVersion: current,
    height: record.height,
    transactionId: toHex(record.transactionId),
    class: record.class,
    org: record.org,
    actor: record.actor,
    key: keyOf(definition, keyed),
    record: (content as Json | undefined) ?? null,
  });
}

function readGetArgs(bytes: Uint8Array): { readonly id: Uint8Array; readonly version: number | undefined } {
  const args = decodeJson(bytes);
  if (!isObject(args)) throw new RangeError('arguments are no object'); // our own words: those of the engine differ by its version
  const { id, version } = args;
  if (typeof id !== 'string' || !/^[0-9a-f]{64}$/.test(id)) throw new RangeError('id is not 64 hex digits');
  if (version !== undefined && (typeof version !== 'number' || version < 1 || version > VERSIONS_MAX))
    throw new RangeError('version is not a version');
  return { id: fromHex(id), version };
}

export const records: BuiltinContract = {
  name: CONTRACT.records,
  methods: { submit, amend, withdraw },
  queries: readableWith('record:read', { get: getRecord }),
};
