/**
 * From checked records to an answer: what is stored already, one transaction (record-transaction.ts, coalescing.ts), the wait, and each
 * record's own part of the receipt (DB53/T 1407-2025 6.1.1.a to d).
 */
import { type ClassDefinition, CONTRACT, currentVersion, foldSingles, seesRecord, stateKey } from '../../contracts/index.ts';
import { ChainError, isErrorCode } from '../errors/index.ts';
import {
  type ByteText,
  contentDigest,
  type Crypto,
  currentVersionOf,
  decodeJson,
  decodeRecordResults,
  type Json,
  type Receipt,
  type RecordResult,
  type RecordVersion,
  takeSource,
  toByteText,
  toHex,
  TRANSACTION_BYTES_MAX,
} from '../format/index.ts';
import type { Inclusions } from './inclusion.ts';
import { callsOf, type PreparedRecord } from './prepare.ts';
import type { SealedStore } from './sealed-store.ts';
import type { NodeService, TransactionStatus } from '../service.ts';
import type { Clock } from '../world.ts';
import type { ParsedRecord } from './formats/index.ts';
import type { Caller, InclusionProof, RecordOutcome, RecordSubmitOptions, SubmitOutcome } from './types.ts';
import type { Bodies } from './bodies.ts';
import type { Coalescing, Sent } from './coalescing.ts';
import { sameAsStoredSteps } from './same-content.ts';
import type { RecordSource } from './source.ts';
import { type StandingRecord, standingRecord } from './standing.ts';
import { readingOf, resealRow, sealsAlone } from './check-rows.ts';
import type { Guesses } from './guesses.ts';
import { refuseRows } from './refusal.ts';
import { checkFits } from './record-transaction.ts';
import type { UnderWay } from './under-way.ts';

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
  readonly coalescing: Coalescing;
  readonly clock: Pick<Clock, 'monotonic'>;
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

export async function submitRows(
  deps: SubmitDependencies,
  records: readonly Located[],
  rows: readonly CheckedRow[],
  caller: Caller,
  options: RecordSubmitOptions,
): Promise<SubmitOutcome> {
  const stored = await storedRows(deps, rows, false);
  if (stored) {
    await keepSealed(deps, rows);
    return repeatedOutcome(deps, stored, caller.account);
  }
  checkFits(rows);
  const prepared = rows.map((row) => row.prepared);
  // A caller who does not wait is told one transaction and hears of no other: these records go alone.
  const alone = options.wait === 'async';
  const sent = await deps.underWay.join(caller.account, prepared, () => deps.coalescing.send(caller.account, rows, alone));
  const status = alone ? ({ state: 'pending', sinceMs: 0 } as const) : await ended(deps, sent, options.timeoutMs);
  switch (status.state) {
    case 'confirmed':
      return confirmedOutcome(deps, records, rows, caller, status, sent.place);
    case 'rejected':
      throw new ChainError(isErrorCode(status.code) ? status.code : 'INTERNAL', status.data);
    case 'expired':
      throw new ChainError('TRANSACTION_EXPIRED', { expiryHeight: status.expiryHeight });
    default:
      return {
        transactionId: toHex(sent.id),
        status: 'pending',
        height: null,
        blockHash: null,
        records: await outcomes(deps, rows, (row) => outcomeOf(deps, caller.account, row, 'stored')),
      };
  }
}

/** What became of a submission within a time, by the last transaction it stood in. */
async function ended({ node, clock }: SubmitDependencies, sent: Sent, timeoutMs: number): Promise<TransactionStatus> {
  const startedMs = clock.monotonic();
  for (let leftMs = timeoutMs; ; leftMs = Math.max(0, timeoutMs - (clock.monotonic() - startedMs))) {
    const { id } = sent;
    const status = await node.awaitTransaction(id, leftMs);
    if (status.state !== 'confirmed' || !(await sent.settle(id, status.receipt))) return status;
  }
}

/** Owed: the rows were sent, or stand on the chain. */
function outcomes<Row>(
  { bodies }: Pick<SubmitDependencies, 'bodies'>,
  rows: readonly Row[],
  outcome: (row: Row, i: number) => RecordOutcome,
): RecordOutcome[] | Promise<RecordOutcome[]> {
  return rows.length === 1 ? [outcome(rows[0]!, 0)] : bodies.inSlices(outcomesOf(rows, outcome), true);
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
  place: number,
): Promise<SubmitOutcome> {
  if (receipt.status === 'failed') throw await failedReceipt(deps, records, rows, caller, receipt, place);
  const results = resultsOf(receipt).slice(place, place + rows.length);
  // Another transaction was faster with all of them, by another account or node: its receipt is the one of these records.
  const stored = results.every(({ status }) => status === 'repeated') ? await storedRows(deps, rows, true) : undefined;
  if (stored) return repeatedOutcome(deps, stored, caller.account);
  const met = new Map<CheckedRow, StandingRecord | undefined>();
  for (let i = 0; i < rows.length; i++) if (results[i]?.status === 'repeated') met.set(rows[i]!, await firstOf(deps, rows[i]!, true));
  return {
    transactionId: toHex(receipt.transactionId),
    status: 'confirmed',
    height: receipt.height,
    blockHash: toHex(blockHash),
    records: await outcomes(deps, rows, (row, i) => {
      const result = results[i];
      const current = result && currentVersionOf(result);
      if (result?.status !== 'repeated') return outcomeOf(deps, caller.account, row, 'stored', current);
      return outcomeOf(deps, caller.account, { ...row, first: met.get(row) }, 'repeated', current);
    }),
    ...(await inclusionOfReceipt(deps, receipt)),
  };
}

/** By receipt: those whose records one transaction carries are told one, and each decoding is of all of them. */
const decoded = new WeakMap<Receipt, readonly RecordResult[]>();

function resultsOf(receipt: Receipt): readonly RecordResult[] {
  const known = decoded.get(receipt);
  if (known) return known;
  const results = receipt.results.flatMap(decodeRecordResults);
  decoded.set(receipt, results);
  return results;
}

/**
 * The chain moved between the checks here and execution there: the contract's refusal, at its place in the body. @param place of the body
 * in the transaction
 */
async function failedReceipt(
  deps: SubmitDependencies,
  records: readonly Located[],
  rows: readonly CheckedRow[],
  caller: Caller,
  receipt: Receipt,
  place: number,
): Promise<ChainError> {
  const detail = receipt.detail.length === 0 ? {} : (decodeJson(receipt.detail) as { readonly [name: string]: Json });
  const { record: recordOfCall, path, ...facts } = detail;
  if (typeof recordOfCall === 'number') {
    const before = recordsBefore(rows, receipt.failedCall) - place;
    const record = before + recordOfCall;
    const data = typeof facts.sameKeyAs === 'number' ? { ...facts, sameKeyAs: before + facts.sameKeyAs } : facts;
    const row = receipt.code === 'RECORD_KEY_CONFLICT' ? rows[record] : undefined;
    const first = row && (await firstOf(deps, row, true));
    if (row && first && seesRecord(readingOf(deps.node).read, caller.account, first)) {
      const resealed = await deps.bodies.inSlices(resealRow(deps, row.prepared, first), true);
      if (await deps.bodies.inSlices(sealsAlone(deps, row.definition, resealed, first), true))
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
 * Values of records that another node of the organisation sent, which this one may not have: whoever says that a record is stored holds them, should
 * that node be gone. They are those that the chain commits to, or the rows were no repeats.
 */
async function keepSealed({ sealed }: SubmitDependencies, rows: readonly CheckedRow[]): Promise<void> {
  for (const { prepared } of rows) {
    if (prepared.sealed.length === 0) continue;
    try {
      await sealed.put([prepared]); // writes nothing of what is held or erased
    } catch (error) {
      if (!(error instanceof ChainError && error.code === 'RECORD_TOO_LARGE')) throw error; // the record stands, whatever fits here beside its later versions
    }
  }
}

/**
 * Every row is on the chain already: the receipt of the transaction that stored it, of several the last one that the account may know of.
 * Who may see none of the records hears that they are stored, and no more.
 */
async function repeatedOutcome(deps: SubmitDependencies, rows: readonly StoredRow[], account: string): Promise<SubmitOutcome> {
  const latest = await deps.bodies.inSlices(latestSeen(deps, rows, account), true);
  const records = await outcomes(deps, rows, (row) => outcomeOf(deps, account, row, 'repeated'));
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

/**
 * The rows as they stand on the chain now, which may have moved since they were checked; undefined unless it holds all of them alike.
 * @param owed the answer, because they were sent
 */
async function storedRows(deps: SubmitDependencies, rows: readonly CheckedRow[], owed: boolean): Promise<readonly StoredRow[] | undefined> {
  const { node, crypto, bodies } = deps;
  const out: StoredRow[] = [];
  for (const row of rows) {
    if (!row.first && !deps.source.version(row.prepared.recordId, 1)) return undefined; // of most records nothing stands
    const first = row.first ?? (await firstOf(deps, row, owed));
    if (!first) return undefined;
    if (row.first) {
      out.push({ ...row, first });
      continue;
    }
    const alike = await bodies.inSlices(sameAsStoredSteps(crypto, row.definition, row.prepared.submission.content, first), owed);
    if (!alike) return undefined;
    out.push({ ...row, first, currentVersion: versionOf(node, row) });
  }
  return out;
}

function recordRows({ state }: NodeService) {
  return { get: (key: ByteText) => state.get(stateKey(CONTRACT.records, key)) };
}

function firstOf({ source, bodies }: SubmitDependencies, row: CheckedRow, owed: boolean): Promise<StandingRecord | undefined> {
  return standingRecord({ source, inSlices: (steps) => bodies.inSlices(steps, owed) }, row.definition, row.prepared);
}

function versionOf(node: NodeService, { prepared }: CheckedRow): number {
  return currentVersion(recordRows(node), toByteText(prepared.recordId));
}

/**
 * `contentDigest` is over what the caller sent; a repeated row has the digest of what is stored, the transaction that stored it, and
 * `storedAs` where that spells the key otherwise, unless the account may not see that record.
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

/** By receipt, as the results above: its callers ask in one turn. */
const included = new WeakMap<Receipt, Promise<Included>>();

interface Included {
  readonly inclusionProof?: InclusionProof;
}

function inclusionOfReceipt(deps: SubmitDependencies, receipt: Receipt): Promise<Included> {
  const known = included.get(receipt);
  if (known) return known;
  const asked = inclusionOf(deps, receipt.height, receipt.index);
  included.set(receipt, asked);
  const forget = (): void => void included.delete(receipt); // who asks later may have it
  asked.then(({ inclusionProof }) => inclusionProof ?? forget(), forget);
  return asked;
}

async function inclusionOf(deps: SubmitDependencies, height: number, index: number): Promise<Included> {
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
