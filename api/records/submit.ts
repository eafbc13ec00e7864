/**
 * From parsed records to a receipt: class checks on every row, sealing, the questions the contract will ask (so that every bad row is named at once),
 * one transaction signed with the node's custodial key, and the wait (DB53/T 1407-2025 6.1.1.a to d).
 */
import {
  builtinClass,
  type ClassDefinition,
  CONTRACT,
  ContractFailure,
  currentVersion,
  factsOf,
  foldSingles,
  GAS,
  GAS_PER_CLASS_BYTE,
  keyConflict,
  loadClass,
  ownershipFaults,
  type Reading,
  readVersion,
  recordGas,
  registryKey,
  sameContent,
  seesRecord,
  stateKey,
  storedSpelling,
  timePath,
  twinConflict,
} from '../../contracts/index.ts';
import { ChainError, isErrorCode } from '../../node/errors/index.ts';
import {
  type ByteText,
  contentDigest,
  type Crypto,
  decodeContent,
  decodeJson,
  type Digest,
  encodeContent,
  encodeSubmissions,
  isSealed,
  type Json,
  openTransaction,
  type Receipt,
  recordDigest,
  type RecordOrigin,
  SEALED_NAME,
  type StoredRecord,
  takeSource,
  type TextStruct,
  type TextTree,
  toByteText,
  toHex,
  TRANSACTION_BYTES_MAX,
} from '../../node/format/index.ts';
import type { Inclusions } from '../../node/inclusion.ts';
import { callsOf, prepareRecord, type PreparedRecord, type SealedStore } from '../../node/records/index.ts';
import type { NodeService, TransactionStatus } from '../../node/service.ts';
import { BODY_FAULTS_MAX, type BodyFault, type ParsedRecord } from '../formats/index.ts';
import type { Caller, RecordOutcome, RecordSubmitOptions, SubmitOutcome } from '../rest/deps.ts';
import { type RowFault, refuseRows } from './refusal.ts';
import type { Sent, UnderWay } from './under-way.ts';

/** Key bytes of a record's rows; a digest stands for what is longer. */
const KEY_BYTES = 128;
const GAS_PER_WRITE = GAS.write + KEY_BYTES * GAS.perKeyByteWritten;
/** Room for one record's fixed costs: about ten reads, five writes and ten digests, doubled. */
const GAS_PER_RECORD_LIMIT = 2 * (10 * GAS.read + 5 * GAS_PER_WRITE + 10 * GAS.hash + GAS.event);
/** Content bytes are read, hashed and written; the stored form adds its frame. Doubled as well. */
const GAS_PER_BYTE_LIMIT = 2 * (GAS.perArgumentByte + GAS.perByteWritten + GAS.perByteHashed);
/** A record with many materials writes one key for each. */
const GAS_PER_MATERIAL_LIMIT = 2 * (GAS_PER_WRITE + GAS.hash + GAS.read);
const FRAME_BYTES = 4_096; // signature, calls and frames of a transaction around its contents

export interface SubmitDependencies {
  readonly node: NodeService;
  readonly crypto: Crypto;
  readonly sealed: SealedStore;
  /** The organisation's sealing keys that this node holds, oldest first, 32 bytes each; the last one seals. */
  readonly sealingKeys: () => readonly Uint8Array[];
  readonly inclusions: Inclusions;
  readonly underWay: UnderWay;
}

/** A row that passed every check, and what stands under its key already. */
export interface CheckedRow {
  readonly prepared: PreparedRecord;
  readonly materials: number;
  readonly first: StoredRecord | undefined;
  readonly currentVersion: number;
  readonly definition: ClassDefinition;
}

/** Checks every row as the contract will, a row a step. `unreadable` are faults of the body, told with the others. @throws ChainError with all faults of all rows. */
export function* checkRows(
  deps: SubmitDependencies,
  records: readonly ParsedRecord[],
  caller: Caller,
  recordClass: string,
  statedDigest: string | undefined,
  unreadable: readonly BodyFault[] = [],
  source: RecordOrigin = {},
): Generator<void, CheckedRow[], void> {
  const { node } = deps;
  if (!node.signsFor(caller.account)) throw new ChainError('KEY_NOT_HELD', { account: caller.account }); // its seals would not be those of the chain
  const head = node.head();
  const reading = readingOf(node);
  const { read } = reading;
  if (records.length === 0) throw new ChainError('RECORD_NONE');
  if (statedDigest !== undefined && records.length > 1) throw new ChainError('RECORD_DIGEST_SINGLE', { records: records.length });
  const definition = classOf(reading, recordClass);
  const faults: RowFault[] = [];
  const rows: CheckedRow[] = [];
  const known = new Map<string, string | undefined>();
  const keys = new Map<string, number>();
  let checked = 0;
  const get = (key: ByteText) => read(CONTRACT.records, key);
  const [sealingKey, ...earlierKeys] = deps.sealingKeys().toReversed();
  if (!sealingKey) throw new ChainError('KEY_UNKNOWN', { kind: 'sealing' });
  const standing = (id: Digest): TextStruct | undefined => {
    const version = readVersion(get, toByteText(id), 1);
    return version && decodeContent(version.content);
  };
  for (const [record, { tree }] of records.entries()) {
    if (faults.length + unreadable.length >= BODY_FAULTS_MAX) break; // the answer tells no more
    if (checked++ > 0) yield;
    const preparation = prepareRecord(
      { crypto: deps.crypto, org: caller.organisation, sealingKey, earlierKeys, held: (id) => deps.sealed.get(id), standing },
      definition,
      tree,
      { source, ...(statedDigest === undefined ? {} : { statedDigest }) },
    );
    if (!preparation.ok) {
      faults.push(...preparation.faults.map((fault) => ({ ...fault, record })));
      continue;
    }
    const { prepared } = preparation;
    const facts = factsOf(definition, decodeContent(prepared.submission.content));
    if (facts.timeUs !== undefined && facts.timeUs > BigInt(head.timestampMs + node.parameters().recordTimeAheadMaxMs) * 1_000n)
      faults.push({
        code: 'RECORD_TIME_AHEAD',
        record,
        path: timePath(definition),
        data: { aheadMaxMs: `${node.parameters().recordTimeAheadMaxMs}` },
      });
    for (const foreign of ownershipFaults(reading, caller.organisation, definition, facts, record, known))
      faults.push(contractFault(foreign, record));
    const id = toByteText(prepared.recordId);
    const first = readVersion(get, id, 1);
    const current = first ? currentVersion(get, id) : 0;
    if (first && !sameContent(definition, prepared.submission.content, first.content)) {
      const visible = seesRecord(read, caller.account, first);
      if (visible && !deps.sealed.isErased(prepared.recordId) && sealsAlone(definition, prepared, first))
        faults.push({ code: 'SEALED_KEYS_DIFFER', record, path: [], data: {} });
      else {
        const held = { first, latest: readVersion(get, id, current)!, current };
        const data = { ...keyConflict(deps.crypto, prepared.recordId, held, visible) };
        faults.push({ code: 'RECORD_KEY_CONFLICT', record, path: [], data });
      }
    }
    const twin = keys.get(id);
    if (twin !== undefined && !sameContent(definition, prepared.submission.content, rows[twin]!.prepared.submission.content)) {
      faults.push({ code: 'RECORD_KEY_CONFLICT', record, path: [], data: { ...twinConflict(prepared.recordId, twin) } });
    }
    keys.set(id, rows.length);
    rows.push({ prepared, materials: facts.materials.length, first, currentVersion: current, definition });
  }
  if (faults.length + unreadable.length > 0) throw refuseRows(records, faults, unreadable, records.length - checked);
  return rows;
}

/** Whether nothing but seals that this node cannot open tells the record from the stored one: the same values under a key not held here, or others. */
function sealsAlone(definition: ClassDefinition, { submission, unopened }: PreparedRecord, first: StoredRecord): boolean {
  if (unopened.size === 0) return false;
  const content = withSeals(decodeContent(submission.content), unopened) as TextStruct;
  return sameContent(definition, encodeContent(content), first.content);
}

function withSeals(value: TextTree, seals: ReadonlyMap<string, string>): TextTree {
  if (typeof value === 'string') return value;
  if (isSealed(value)) return { [SEALED_NAME]: seals.get(value.sealed) ?? value.sealed };
  if (Array.isArray(value)) return value.map((item: TextTree) => withSeals(item, seals));
  return Object.fromEntries(Object.entries(value as TextStruct).map(([name, member]) => [name, withSeals(member, seals)]));
}

/** Chain state as the next block will find it. */
function readingOf(node: NodeService): Reading {
  const head = node.head();
  return {
    read: (contract, key) => node.state.get(stateKey(contract, key)),
    block: {
      chainId: node.info.chainId,
      height: head.height + 1,
      timestampMs: head.timestampMs,
      era: head.era,
      parameters: node.parameters(),
    },
  };
}

/** contentDigest of each record that passed its checks before. */
export function contentDigestsOf(deps: SubmitDependencies, records: readonly ParsedRecord[], recordClass: string): string[] {
  const definition = classOf(readingOf(deps.node), recordClass);
  return records.map(({ tree }) => toHex(contentDigest(deps.crypto, foldSingles(definition, takeSource(tree).content))));
}

function classOf(reading: Reading, name: string): ClassDefinition {
  const builtin = builtinClass(name);
  if (builtin) return builtin;
  for (let version = 1; ; ) {
    try {
      return loadClass(reading, name, version, 0);
    } catch (error) {
      const current = error instanceof ContractFailure && error.code === 'RECORD_CLASS_VERSION' ? Number(error.detail.current) : Number.NaN;
      if (!Number.isSafeInteger(current) || current === version) throw new ChainError('RECORD_CLASS_UNKNOWN', { class: name });
      version = current;
    }
  }
}

function contractFault(failure: ContractFailure, record: number): RowFault {
  const { path, record: _record, ...data } = failure.detail;
  return { code: failure.code, record, path: Array.isArray(path) ? (path as string[]) : [], data };
}

/** What opening a registered class costs each call. */
function classGas(node: NodeService, name: string): number {
  if (builtinClass(name)) return 0;
  const bytes = node.state.get(stateKey(CONTRACT.registry, registryKey.entry('class', name)))?.length ?? 0;
  return GAS.read + bytes * (GAS.perByteRead + GAS_PER_CLASS_BYTE);
}

export async function submitRows(
  deps: SubmitDependencies,
  recordClass: string,
  records: readonly ParsedRecord[],
  rows: readonly CheckedRow[],
  caller: Caller,
  options: RecordSubmitOptions,
): Promise<SubmitOutcome> {
  const { node } = deps;
  const stored = storedRows(deps, rows);
  if (stored) return repeatedOutcome(deps, stored, caller.account);
  const contentBytes = rows.reduce((sum, row) => sum + row.prepared.submission.content.length, 0);
  if (contentBytes + FRAME_BYTES > TRANSACTION_BYTES_MAX) {
    throw new ChainError('TRANSACTION_TOO_LARGE', { bytes: contentBytes, bytesMax: TRANSACTION_BYTES_MAX, records: rows.length });
  }
  const prepared = rows.map((row) => row.prepared);
  const { id, settle } = await deps.underWay.join(caller.account, prepared, () => send(deps, recordClass, rows, contentBytes, caller));
  const status: TransactionStatus =
    options.wait === 'sync' ? await node.awaitTransaction(id, options.timeoutMs) : { state: 'pending', sinceMs: 0 };
  switch (status.state) {
    case 'confirmed':
      await settle(status.receipt);
      return confirmedOutcome(deps, records, rows, caller, status);
    case 'rejected':
      throw new ChainError(isErrorCode(status.code) ? status.code : 'INTERNAL', status.data);
    case 'expired':
      throw new ChainError('TRANSACTION_EXPIRED', { expiryHeight: status.expiryHeight });
    default:
      return {
        transactionId: toHex(id),
        status: 'pending',
        height: null,
        blockHash: null,
        records: rows.map((row) => outcomeOf(deps, row, 'stored')),
      };
  }
}

/** Signs and sends one transaction of all rows, whose clear values wait in the sealed store for its receipt. */
async function send(
  deps: SubmitDependencies,
  recordClass: string,
  rows: readonly CheckedRow[],
  contentBytes: number,
  caller: Caller,
): Promise<Sent> {
  const { node, sealed } = deps;
  const prepared = rows.map((row) => row.prepared);
  const calls = callsOf(prepared, TRANSACTION_BYTES_MAX).map((batch) => ({
    contract: CONTRACT.records,
    method: 'submit',
    args: encodeSubmissions(batch.map(({ submission }) => submission)),
  }));
  const materials = rows.reduce((sum, row) => sum + row.materials, 0);
  const gas =
    2 * GAS.transaction +
    GAS_PER_RECORD_LIMIT * rows.length +
    2 * rows.reduce((sum, row) => sum + recordGas(row.prepared.submission.content), 0) +
    GAS_PER_BYTE_LIMIT * (contentBytes + 1_024 * rows.length) +
    GAS_PER_MATERIAL_LIMIT * materials +
    2 * calls.length * classGas(node, recordClass);
  const bytes = await node.signFor(caller.account, calls, Math.min(gas, node.parameters().transactionGasMax));
  const { id, transaction } = openTransaction(deps.crypto, bytes);
  // Clear values are on disk before the commitment goes out: a commitment on chain whose value nobody has could never be opened.
  const secret = prepared.filter((record) => record.sealed.length > 0);
  const holds = secret.length > 0;
  if (holds) await sealed.hold(id, transaction.expiryHeight, secret);
  try {
    await node.submit(bytes);
  } catch (error) {
    if (holds) await sealed.drop(id); // admission comes first: nobody else has the transaction
    throw error;
  }
  let settled: Promise<void> | undefined;
  return {
    id,
    // What nobody waits for is settled by the block that ends it, or that comes after its last one (sealed-settlement.ts).
    async settle({ status }) {
      if (holds) settled ??= status === 'ok' ? sealed.keep(id) : sealed.drop(id);
      await settled;
    },
  };
}

function confirmedOutcome(
  deps: SubmitDependencies,
  records: readonly ParsedRecord[],
  rows: readonly CheckedRow[],
  caller: Caller,
  { receipt, blockHash }: Extract<TransactionStatus, { readonly state: 'confirmed' }>,
): SubmitOutcome {
  if (receipt.status === 'failed') throw failedReceipt(deps, records, rows, caller, receipt);
  const results = receipt.results.flatMap((result) => decodeJson(result) as { status: string; currentVersion: number }[]);
  // Another transaction was faster with all of them, by another account or node: its receipt is the one of these records.
  const stored = results.every(({ status }) => status === 'repeated') ? storedRows(deps, rows) : undefined;
  if (stored) return repeatedOutcome(deps, stored, caller.account);
  return {
    transactionId: toHex(receipt.transactionId),
    status: 'confirmed',
    height: receipt.height,
    blockHash: toHex(blockHash),
    records: rows.map((row, i) => {
      if (results[i]?.status !== 'repeated') return outcomeOf(deps, row, 'stored', results[i]?.currentVersion);
      return outcomeOf(deps, { ...row, first: firstOf(deps.node, row) }, 'repeated', results[i]?.currentVersion);
    }),
    ...inclusionOf(deps, receipt.height, receipt.index),
  };
}

/** The chain moved between the checks here and execution there: the contract's refusal, at its place in the body. */
function failedReceipt(
  deps: SubmitDependencies,
  records: readonly ParsedRecord[],
  rows: readonly CheckedRow[],
  caller: Caller,
  receipt: Receipt,
): ChainError {
  const detail = receipt.detail.length === 0 ? {} : (decodeJson(receipt.detail) as { readonly [name: string]: Json });
  const { record, path, ...data } = detail;
  if (typeof record === 'number') {
    if (receipt.code === 'RECORD_KEY_CONFLICT' && records[record] && rows[record]) {
      const own = refusalOf(() => [...checkRows(deps, [records[record]!], caller, rows[record]!.definition.name, undefined)]);
      if (own?.code === 'SEALED_KEYS_DIFFER') return refuseRows(records, [{ code: own.code, record, path: [], data: {} }]);
    }
    return refuseRows(records, [{ code: receipt.code, record, path: Array.isArray(path) ? (path as string[]) : [], data }]);
  }
  return new ChainError(isErrorCode(receipt.code) ? receipt.code : 'INTERNAL', detail);
}

/** What the checks say now that the chain has moved. */
function refusalOf(check: () => unknown): ChainError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof ChainError) return error;
    throw error;
  }
}

/** Every row is on the chain already: the receipt of the transaction that stored it, of several the last one. */
function repeatedOutcome(deps: SubmitDependencies, rows: readonly StoredRow[], account: string): SubmitOutcome {
  const latest = rows.reduce((a, b) => (b.first.height > a.first.height ? b : a)).first;
  const position = deps.inclusions.position(latest.transactionId);
  const visible = seesRecord(readingOf(deps.node).read, account, latest); // a receipt names every record of its transaction
  return {
    transactionId: toHex(latest.transactionId),
    status: 'confirmed',
    height: latest.height,
    blockHash: position ? toHex(position.blockHash) : null,
    records: rows.map((row) => outcomeOf(deps, row, 'repeated')),
    ...(position && visible ? inclusionOf(deps, latest.height, position.index) : {}),
  };
}

type StoredRow = CheckedRow & { readonly first: StoredRecord };

/** The rows as they stand on the chain now, which may have moved since they were checked; undefined unless it holds all of them alike. */
function storedRows({ node }: SubmitDependencies, rows: readonly CheckedRow[]): readonly StoredRow[] | undefined {
  const out: StoredRow[] = [];
  for (const row of rows) {
    const first = row.first ?? firstOf(node, row);
    if (!first) return undefined;
    if (row.first) {
      out.push({ ...row, first });
      continue;
    }
    if (!sameContent(row.definition, row.prepared.submission.content, first.content)) return undefined;
    out.push({ ...row, first, currentVersion: versionOf(node, row) });
  }
  return out;
}

function rowOf({ state }: NodeService) {
  return (key: ByteText) => state.get(stateKey(CONTRACT.records, key));
}

function firstOf(node: NodeService, { prepared }: CheckedRow): StoredRecord | undefined {
  return readVersion(rowOf(node), toByteText(prepared.recordId), 1);
}

function versionOf(node: NodeService, { prepared }: CheckedRow): number {
  return currentVersion(rowOf(node), toByteText(prepared.recordId));
}

/**
 * `contentDigest` is over what the caller sent; a repeated row has the digest of what is stored, the transaction that stored it, and `storedAs` where
 * that spells the key otherwise.
 */
export function outcomeOf(
  { crypto }: Pick<SubmitDependencies, 'crypto'>,
  row: CheckedRow,
  status: RecordOutcome['status'],
  currentVersion = Math.max(1, row.currentVersion),
): RecordOutcome {
  const { prepared, first, definition } = row;
  const stored = status === 'repeated' ? first : undefined;
  const storedAs = stored && storedSpelling(definition, decodeContent(prepared.submission.content), decodeContent(stored.content));
  return {
    id: toHex(prepared.recordId),
    version: 1,
    contentDigest: toHex(prepared.contentDigest),
    recordDigest: toHex(stored ? recordDigest(crypto, stored.content) : prepared.recordDigest),
    digestAlg: 'SHA-256',
    status,
    currentVersion,
    ...(stored ? { transactionId: toHex(stored.transactionId) } : {}),
    ...(storedAs && Object.keys(storedAs).length > 0 ? { storedAs } : {}),
  };
}

function inclusionOf(deps: SubmitDependencies, height: number, index: number): { readonly inclusionProof?: Json } {
  const inclusion = deps.inclusions.receipt(height, index);
  if (!inclusion) return {};
  return {
    inclusionProof: {
      receipt: toHex(inclusion.receipt),
      index: inclusion.index,
      count: inclusion.count,
      path: inclusion.path.map(toHex),
      header: toHex(inclusion.headerBytes),
    },
  };
}
