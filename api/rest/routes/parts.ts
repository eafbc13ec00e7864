/** Parameters, schemas and presentations that several routes share. */
import { type TSchema, Type } from '@sinclair/typebox';
import {
  type Block,
  decodeRecordResults,
  decodeTransaction,
  fromUtf8,
  type Header,
  headerHash,
  encodeHeader,
  isRecordResults,
  type Json,
  presentRecordResult,
  type Receipt,
  receiptEvents,
  type RecordResult,
  toHex,
} from '../../../node/format/index.ts';
import { type EngineStatus, openFinality } from '../../../consensus/index.ts';
import { contractsErrors, formatsErrors, keysErrors, ledgerErrors, recordsErrors } from '../../../node/errors/index.ts';
import type { OutboxEvent } from '../../../node/service.ts';
import type { World } from '../../../node/world.ts';
import { eachInSteps, jsonBytesSteps, type Steps, UNBOUNDED } from '../../../node/pace/index.ts';
import { choiceOf, inQuery, type ValuesOf } from '../schema.ts';

export const READ_TIMEOUT_MS = 15_000;
/** Above SYNC_WAIT_MAX_MS: a sync wait that runs out answers 202, never CALL_TIMEOUT. */
export const SUBMIT_TIMEOUT_MS = 60_000;
export const SYNC_WAIT_MAX_MS = 50_000;
const SYNC_WAIT_DEFAULT_MS = 15_000;
export const READ_RATE = { count: 2_000, perMs: 1_000 } as const;
export const SUBMIT_RATE = { count: 5_000, perMs: 1_000 } as const;

/** What may become of a transaction that was signed here or elsewhere. */
const transactionCodes = Object.keys(ledgerErrors).filter(
  (code) => (code.startsWith('TRANSACTION_') || code.startsWith('MEMPOOL_')) && code !== 'TRANSACTION_NOT_FOUND',
);
/** What a call of a contract may end with, in a transaction or not. */
export const queryCodes = Object.keys(contractsErrors);
const custodialKeyCodes = Object.keys(keysErrors).filter((code) => code.startsWith('KEY_'));
export const contractCodes = [...queryCodes, ...custodialKeyCodes, ...transactionCodes, 'TRANSACTION_FAILED', 'STORE_FULL'];
/** What a reading of records may answer beside NOT_FOUND; the rest of the records' codes are of submissions. */
export const recordReadCodes = ['RECORD_NOT_FOUND', 'RECORD_QUERY_INVALID', 'RECORD_CURSOR_INVALID'];
const indexCodes: ReadonlySet<string> = new Set([...recordReadCodes, 'RECORD_INDEX_ORDER']);
export const recordCodes = [
  ...Object.keys({ ...formatsErrors, ...recordsErrors }).filter((code) => !indexCodes.has(code)),
  ...contractCodes,
];

// --- parameters -----------------------------------------------------------------------------------------------------------------------

export const hexDigest = Type.String({ minLength: 64, maxLength: 64, pattern: '^[0-9a-f]{64}$' });
export const name128 = Type.String({ minLength: 1, maxLength: 128 });
export const heightRange = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const versionParameter = inQuery(
  Type.Integer({ minimum: 0, maximum: 4_294_967_295 }),
  { default: 0, example: 1 },
  { en: 'Version asked; 0: the current one', zh: '查询的版本；0 表示当前版本' },
);

const limit = inQuery(
  Type.Integer({ minimum: 1, maximum: 1_000 }),
  { default: 100, example: 100 },
  {
    en: 'Items of one page; a page of large items may end before, with `complete: false`',
    zh: '每页条数；内容较大时可能提前结束，此时 complete 为 false',
  },
);
const after = inQuery(
  Type.String({ minLength: 1, maxLength: 1_024 }),
  { default: null, example: 'WyJhYmMiLDEyLDM0XQ' },
  { en: 'Cursor: `next` of the page before; default: the first page', zh: '游标：上一页返回的 next；缺省为首页' },
);
export const pageParameters = { limit, after };
export type PageParameters = ValuesOf<typeof pageParameters>;
export const waitParameters = {
  wait: inQuery(
    choiceOf('sync', 'async'),
    { default: 'sync', example: 'sync' },
    {
      en: 'sync: answer when final, or 202 when timeoutMs has passed; async: answer 202 as soon as the transaction is admitted',
      zh: 'sync：最终确认后应答，超过 timeoutMs 则返回 202；async：交易被接收后立即返回 202',
    },
  ),
  timeoutMs: inQuery(
    Type.Integer({ minimum: 0, maximum: SYNC_WAIT_MAX_MS }),
    { default: SYNC_WAIT_DEFAULT_MS, example: 5_000 },
    { en: 'Longest wait of wait=sync, ms', zh: 'wait=sync 的最长等待时间（毫秒）' },
  ),
};
export type WaitParameters = ValuesOf<typeof waitParameters>;

// --- schemas of answers ---------------------------------------------------------------------------------------------------------------

export const Row = Type.Record(Type.String(), Type.Unknown());
export function listOf(item: TSchema): TSchema {
  return Type.Object({
    items: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()]),
    height: Type.Integer(),
    complete: Type.Boolean(),
    resumeAt: Type.Optional(Type.String({ description: 'Where `complete` is false: `after` of the call that goes on' })),
    withheld: Type.Integer(),
    count: Type.Union([Type.Integer(), Type.Null()]),
  });
}

export function listAnswer<T>(items: readonly T[], height: number, next: string | null = null, more: object = {}) {
  return { items, next, height, complete: true, withheld: 0, count: null, ...more };
}

// --- presentations --------------------------------------------------------------------------------------------------------------------

export function presentHeader(crypto: World['crypto'], header: Header) {
  return {
    hash: toHex(headerHash(crypto, encodeHeader(header))),
    version: header.version,
    chainId: toHex(header.chainId),
    era: header.era,
    height: header.height,
    parentHash: toHex(header.parentHash),
    timestampMs: header.timestampMs,
    proposer: header.proposer,
    engine: header.engine,
    engineData: toHex(header.engineData),
    txRoot: toHex(header.txRoot),
    receiptsRoot: toHex(header.receiptsRoot),
    stateRoot: toHex(header.stateRoot),
    consensusHash: toHex(header.consensusHash),
    nextConsensusHash: toHex(header.nextConsensusHash),
  };
}

export function presentCertificate(engine: string, finality: Uint8Array | undefined) {
  if (finality === undefined) return null;
  const { height, digest, votes, details } = openFinality(engine, finality);
  const shown = votes.map((vote) => ({ node: vote.node, signature: toHex(vote.signature) }));
  return { ...details, height, digest: toHex(digest), votes: shown };
}

/** What an engine alone has stands beside what all have. */
export function presentRound({ engine, height, phase, producer, details: { view, ...others } }: EngineStatus) {
  return { engine, height, ...(view === undefined ? {} : { view }), primary: producer, phase, ...others };
}

/** A receipt may hold results and events of megabytes. */
export function* receiptSteps(receipt: Receipt) {
  const records = new Map<Uint8Array, readonly RecordResult[]>(); // by the call's result; decoding takes longest, and both lists below need it
  for (const result of receipt.results) {
    if (isRecordResults(result)) records.set(result, decodeRecordResults(result));
    yield;
  }
  return {
    transactionId: toHex(receipt.transactionId),
    height: receipt.height,
    index: receipt.index,
    status: receipt.status,
    code: receipt.code,
    detail: jsonOrNull(receipt.detail),
    failedCall: receipt.failedCall,
    gasUsed: receipt.gasUsed,
    keyKind: receipt.keyKind,
    results: yield* eachInSteps(receipt.results, (result) => resultSteps(result, records.get(result), receipt)),
    events: yield* allEventsSteps(receipt, records),
  };
}

/** Of one call: results of records are told as a contract that speaks JSON would, one object for a change and a list for what was submitted. */
function* resultSteps(result: Uint8Array, records: readonly RecordResult[] | undefined, receipt: Receipt): Steps<unknown> {
  if (records === undefined) return yield* valueSteps(result);
  const told = yield* eachInSteps(records, (each) => presentRecordResult(each, receipt));
  return told.length === 1 && 'digestBefore' in told[0]! ? told[0] : told;
}

function* allEventsSteps(receipt: Receipt, records: ReadonlyMap<Uint8Array, readonly RecordResult[]>): Steps<unknown[]> {
  const told: unknown[] = [];
  for (const { contract, name, data } of receiptEvents(receipt, 0, (result) => records.get(result)!)) {
    told.push({ contract, name, data: yield* valueSteps(data) });
    yield;
  }
  return told;
}

export function transactionsSteps(block: Block, ids: readonly Uint8Array[]) {
  return eachInSteps(block.transactions, (bytes, index) => {
    const transaction = decodeTransaction(bytes);
    return {
      transactionId: toHex(ids[index]!),
      index,
      bytes: bytes.length,
      ...presentTransaction(transaction),
    };
  });
}

export function presentTransaction(transaction: ReturnType<typeof decodeTransaction>) {
  return {
    sender: transaction.sender,
    keyId: transaction.keyId,
    expiryHeight: transaction.expiryHeight,
    gasLimit: transaction.gasLimit,
    suite: transaction.suite,
    calls: transaction.calls.map((call) => ({ contract: call.contract, method: call.method, argsBytes: call.args.length })),
  };
}

export function* eventSteps(event: OutboxEvent) {
  return { ...eventPlace(event), data: yield* valueSteps(event.event.data) };
}

function eventPlace(event: OutboxEvent) {
  return {
    id: `${event.height}-${event.position}`,
    height: event.height,
    position: event.position,
    transactionIndex: event.index,
    transactionId: toHex(event.transactionId),
    contract: event.event.contract,
    name: event.event.name,
  };
}

function jsonOrNull(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? null : jsonOrBytes(bytes);
}

/** JSON as a value; other bytes (a built-in's own codec) as `{hex}`. For what is short: see valueSteps. */
export function jsonOrBytes(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(fromUtf8(bytes)) as Json;
  } catch {
    return { hex: toHex(bytes) };
  }
}

/** The same in steps. */
export function* valueSteps(bytes: Uint8Array): Steps<unknown> {
  if (bytes.length === 0) return null;
  try {
    return yield* jsonBytesSteps(bytes, UNBOUNDED);
  } catch {
    return { hex: toHex(bytes) };
  }
}
