/**
 * From parsed records to a receipt: class checks on every row, sealing, the questions the contract will ask (so that every bad row is named at once),
 * one transaction signed with the node's custodial key, and the wait (DB53/T 1407-2025 6.1.1.a to d).
 */
import {
  builtinClass,
  type ClassDefinition,
  CONTRACT,
  currentVersion,
  foldSingles,
  GAS,
  GAS_PER_CLASS_BYTE,
  recordGas,
  registryKey,
  seesRecord,
  stateKey,
} from '../../contracts/index.ts';
import { ChainError, isErrorCode } from '../errors/index.ts';
import {
  type ByteText,
  contentDigest,
  type Crypto,
  decodeJson,
  encodeSubmissions,
  type Json,
  openTransaction,
  type Receipt,
  type RecordVersion,
  takeSource,
  toByteText,
  toHex,
  TRANSACTION_BYTES_MAX,
} from '../format/index.ts';
import type { Inclusions } from './inclusion.ts';
import { callsOf, type PreparedRecord, type SealedStore } from './index.ts';
import type { NodeService, TransactionStatus } from '../service.ts';
import type { ParsedRecord } from './formats/index.ts';
import type { Caller, RecordOutcome, RecordSubmitOptions, SubmitOutcome } from './types.ts';
import type { Bodies } from './bodies.ts';
import { sameAsStoredSteps } from './same-content.ts';
import type { RecordSource } from './source.ts';
import { type StandingRecord, standingRecord } from './standing.ts';
import { readingOf, resealRow, sealsAlone } from './check-rows.ts';
import type { Guesses } from './guesses.ts';
import { refuseRows } from './refusal.ts';
import type { Sent, UnderWay } from './under-way.ts';

/** Key bytes of a record's rows; a digest stands for what is longer. */
const KEY_BYTES = 128;
const GAS_PER_WRITE = GAS.write + KEY_BYTES * GAS.perKeyByteWritten;
/** Room for one record's fixed costs: about ten reads, five writes and ten digests, doubled. */
const GAS_PER_RECORD_LIMIT = 2 * (10 * GAS.read + 5 * GAS_PER_WRITE + 10 * GAS.hash + GAS.event);
/** Content bytes are read, hashed and written; the stored form adds its frame. Doubled as well. */
const GAS_PER_BYTE_LIMIT = 2 * (GAS.perArgumentByte + GAS.perByteWritten + GAS.perByteHashed);
/** A record with many materials or provable fields writes a key for each; some fill a chunk. */
const GAS_PER_TERM_LIMIT = 2 * (GAS_PER_WRITE + GAS.hash + GAS.read);
const FRAME_BYTES = 4_096; // signature, calls and frames of a transaction around its contents

export interface SubmitDependencies {
  readonly node: NodeService;
  readonly crypto: Crypto;
  readonly sealed: SealedStore;
  /** The organisation's sealing keys that this node holds, oldest first, 32 bytes each; the last one seals. */
  readonly sealingKeys: () => readonly Uint8Array[];
  readonly source: RecordSource;
  readonly inclusions: Inclusions;
  readonly bodies: Pick<Bodies, 'inSlices'>;
  readonly underWay: UnderWay;
  readonly guesses: Guesses;
}

/** A row that passed every check, and what stands under its key already. */
export interface CheckedRow {
  readonly prepared: PreparedRecord;
  readonly materials: number;
  readonly first: StandingRecord | undefined;
  readonly currentVersion: number;
  readonly definition: ClassDefinition;
  readonly locate: ParsedRecord['locate'];
}

/** The row of a record, by its number: able to say where a field of it stands. */
type Located = Pick<ParsedRecord, 'locate'>;

/** contentDigest of each record that passed its checks before. */
export function* contentDigestsOf(
  crypto: Pick<Crypto, 'hash'>,
  records: readonly ParsedRecord[],
  definition: ClassDefinition,
): Generator<void, string[], void> {
  const digests: string[] = [];
  for (const { tree } of records) {
    digests.push(toHex(contentDigest(crypto, foldSingles(definition, takeSource(tree).content))));
    yield;
  }
  return digests;
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
  records: readonly Located[],
  rows: readonly CheckedRow[],
  caller: Caller,
  options: RecordSubmitOptions,
): Promise<SubmitOutcome> {
  const { node } = deps;
  const stored = await storedRows(deps, rows);
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
        records: await deps.bodies.inSlices(outcomesOf(rows, (row) => outcomeOf(deps, caller.account, row, 'stored'))),
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
  const { calls, recordsGas } = await deps.bodies.inSlices(encodeCalls(prepared));
  const terms = rows.reduce((sum, row) => sum + row.materials + (row.definition.provable?.length ?? 0), 0);
  const gas =
    2 * GAS.transaction +
    GAS_PER_RECORD_LIMIT * rows.length +
    2 * recordsGas +
    GAS_PER_BYTE_LIMIT * (contentBytes + 1_024 * rows.length) +
    GAS_PER_TERM_LIMIT * terms +
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

/** Calls that submit all records, and what the records cost in them. A step at most one call of a thousand records. */
function* encodeCalls(prepared: readonly PreparedRecord[]) {
  const calls: { readonly contract: string; readonly method: string; readonly args: Uint8Array }[] = [];
  let recordsGas = 0;
  for (const batch of callsOf(prepared, TRANSACTION_BYTES_MAX)) {
    for (const { submission } of batch) {
      recordsGas += recordGas(submission.content);
      yield;
    }
    calls.push({ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions(batch.map(({ submission }) => submission)) });
    yield;
  }
  return { calls, recordsGas };
}

/** One step a row at least. */
export function* outcomesOf<Row>(
  rows: readonly Row[],
  outcome: (row: Row, i: number) => RecordOutcome,
): Generator<void, RecordOutcome[], void> {
  const outcomes: RecordOutcome[] = [];
  for (const [i, row] of rows.entries()) {
    outcomes.push(outcome(row, i));
    yield;
  }
  return outcomes;
}

async function confirmedOutcome(
  deps: SubmitDependencies,
  records: readonly Located[],
  rows: readonly CheckedRow[],
  caller: Caller,
  { receipt, blockHash }: Extract<TransactionStatus, { readonly state: 'confirmed' }>,
): Promise<SubmitOutcome> {
  if (receipt.status === 'failed') throw await failedReceipt(deps, records, rows, caller, receipt);
  const results = receipt.results.flatMap((result) => decodeJson(result) as { status: string; currentVersion: number }[]);
  // Another transaction was faster with all of them, by another account or node: its receipt is the one of these records.
  const stored = results.every(({ status }) => status === 'repeated') ? await storedRows(deps, rows) : undefined;
  if (stored) return repeatedOutcome(deps, stored, caller.account);
  const met = new Map<CheckedRow, StandingRecord | undefined>();
  for (const [i, row] of rows.entries()) if (results[i]?.status === 'repeated') met.set(row, await firstOf(deps, row));
  return {
    transactionId: toHex(receipt.transactionId),
    status: 'confirmed',
    height: receipt.height,
    blockHash: toHex(blockHash),
    records: await deps.bodies.inSlices(
      outcomesOf(rows, (row, i) => {
        if (results[i]?.status !== 'repeated') return outcomeOf(deps, caller.account, row, 'stored', results[i]?.currentVersion);
        return outcomeOf(deps, caller.account, { ...row, first: met.get(row) }, 'repeated', results[i]?.currentVersion);
      }),
    ),
    ...(await inclusionOf(deps, receipt.height, receipt.index)),
  };
}

/** The chain moved between the checks here and execution there: the contract's refusal, at its place in the body. */
async function failedReceipt(
  deps: SubmitDependencies,
  records: readonly Located[],
  rows: readonly CheckedRow[],
  caller: Caller,
  receipt: Receipt,
): Promise<ChainError> {
  const detail = receipt.detail.length === 0 ? {} : (decodeJson(receipt.detail) as { readonly [name: string]: Json });
  const { record: recordOfCall, path, ...facts } = detail;
  if (typeof recordOfCall === 'number') {
    const before = recordsBefore(rows, receipt.failedCall);
    const record = before + recordOfCall;
    const data = typeof facts.sameKeyAs === 'number' ? { ...facts, sameKeyAs: before + facts.sameKeyAs } : facts;
    const row = receipt.code === 'RECORD_KEY_CONFLICT' ? rows[record] : undefined;
    const first = row && (await firstOf(deps, row));
    if (row && first && seesRecord(readingOf(deps.node).read, caller.account, first)) {
      const resealed = await deps.bodies.inSlices(resealRow(deps, row.prepared, first));
      if (await deps.bodies.inSlices(sealsAlone(deps, row.definition, resealed, first)))
        return refuseRows(records, [{ code: 'SEALED_KEYS_DIFFER', record, path: [], data: {} }]);
    }
    return refuseRows(records, [{ code: receipt.code, record, path: Array.isArray(path) ? (path as string[]) : [], data }]);
  }
  return new ChainError(isErrorCode(receipt.code) ? receipt.code : 'INTERNAL', detail);
}

/** Rows in the calls before one: a contract counts the records of its call. */
function recordsBefore(rows: readonly CheckedRow[], call: number): number {
  const calls = callsOf(
    rows.map(({ prepared }) => prepared),
    TRANSACTION_BYTES_MAX,
  );
  return calls.slice(0, call).reduce((count, { length }) => count + length, 0);
}

/**
 * Every row is on the chain already: the receipt of the transaction that stored it, of several the last one that the account may know of. Who may see none
 * of the records hears that they are stored, and no more.
 */
async function repeatedOutcome(deps: SubmitDependencies, rows: readonly StoredRow[], account: string): Promise<SubmitOutcome> {
  const latest = await deps.bodies.inSlices(latestSeen(deps, rows, account));
  const records = await deps.bodies.inSlices(outcomesOf(rows, (row) => outcomeOf(deps, account, row, 'repeated')));
  if (latest === undefined) return { transactionId: null, status: 'confirmed', height: null, blockHash: null, records };
  const position = deps.inclusions.position(latest.transactionId);
  return {
    transactionId: toHex(latest.transactionId),
    status: 'confirmed',
    height: latest.height,
    blockHash: position ? toHex(position.blockHash) : null,
    records,
    ...(position ? await inclusionOf(deps, latest.height, position.index) : {}),
  };
}

/** The last of the stored records that an account may see, the first of several of one height. */
function* latestSeen(
  { node }: SubmitDependencies,
  rows: readonly StoredRow[],
  account: string,
): Generator<void, RecordVersion | undefined, void> {
  const { read } = readingOf(node);
  let latest: RecordVersion | undefined;
  for (const { first } of rows) {
    yield;
    if ((latest === undefined || first.height > latest.height) && seesRecord(read, account, first)) latest = first;
  }
  return latest;
}

type StoredRow = CheckedRow & { readonly first: StandingRecord };

/** The rows as they stand on the chain now, which may have moved since they were checked; undefined unless it holds all of them alike. */
async function storedRows(deps: SubmitDependencies, rows: readonly CheckedRow[]): Promise<readonly StoredRow[] | undefined> {
  const { node, crypto, bodies } = deps;
  const out: StoredRow[] = [];
  for (const row of rows) {
    const first = row.first ?? (await firstOf(deps, row));
    if (!first) return undefined;
    if (row.first) {
      out.push({ ...row, first });
      continue;
    }
    if (!(await bodies.inSlices(sameAsStoredSteps(crypto, row.definition, row.prepared.submission.content, first)))) return undefined;
    out.push({ ...row, first, currentVersion: versionOf(node, row) });
  }
  return out;
}

function rowOf({ state }: NodeService) {
  return (key: ByteText) => state.get(stateKey(CONTRACT.records, key));
}

function firstOf({ source, bodies: { inSlices } }: SubmitDependencies, row: CheckedRow): Promise<StandingRecord | undefined> {
  return standingRecord({ source, inSlices }, row.definition, row.prepared);
}

function versionOf(node: NodeService, { prepared }: CheckedRow): number {
  return currentVersion(rowOf(node), toByteText(prepared.recordId));
}

/**
 * `contentDigest` is over what the caller sent; a repeated row has the digest of what is stored, the transaction that stored it, and `storedAs` where
 * that spells the key otherwise, unless the account may not see that record.
 */
export function outcomeOf(
  { node }: Pick<SubmitDependencies, 'node'>,
  account: string,
  row: CheckedRow,
  status: RecordOutcome['status'],
  currentVersion = Math.max(1, row.currentVersion),
): RecordOutcome {
  const { prepared, first } = row;
  const stored = status === 'repeated' && first && seesRecord(readingOf(node).read, account, first) ? first : undefined;
  return {
    id: toHex(prepared.recordId),
    version: 1,
    contentDigest: toHex(prepared.contentDigest),
    recordDigest: toHex((stored ?? prepared).recordDigest),
    digestAlg: 'SHA-256',
    status,
    currentVersion,
    ...(stored ? { transactionId: toHex(stored.transactionId) } : {}),
    ...(stored && Object.keys(stored.storedAs).length > 0 ? { storedAs: stored.storedAs } : {}),
  };
}

async function inclusionOf(deps: SubmitDependencies, height: number, index: number): Promise<{ readonly inclusionProof?: Json }> {
  const inclusion = await deps.inclusions.receipt(height, index);
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
