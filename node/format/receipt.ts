/**
 * Receipts: what a transaction did, hashed under `receiptsRoot`. Identical on every replica, so nothing local may enter
 * (no durations, no node names). A failed transaction has a receipt too: it used its id and its gas and wrote nothing.
 *
 * Frozen with the first release. Integers are big-endian, byte strings, texts and lists stand behind a u32 count:
 *
 *   32   transaction id
 *   u64  height
 *   u32  index
 *   u64  gas used
 *   u8   bit 0: ok; bit 1: signed with a key of its own; others 0
 *   ok:      list of results, one byte string a call: of `records` as record-results.ts tells, of other contracts canonical JSON
 *            list of events that were emitted; of each u32 call, never less than that of the one before, then contract, name, data
 *   failed:  code, detail, u32 failed call
 *
 * `records` emits nothing: its events are derived from its results, and stand where its calls do (receiptEvents).
 */
import { DecodeError, decodeAll, encodeBrief, readBytes, Reader, writeBytes, type Writer } from './codec.ts';
import { DIGEST_BYTES, type Digest } from './crypto.ts';
import { decodeRecordResults, isRecordResults, recordEventData, recordEventsOf, type RecordResult } from './record-results.ts';
import { NAME_BYTES_MAX, TRANSACTION_CALLS_MAX } from './transaction.ts';

export const RECEIPT_DETAIL_BYTES_MAX = 2_048; // bytes of the failure text kept
export const EVENTS_PER_TRANSACTION_MAX = 2_000; // emitted ones
/** The contract whose results have a form of their own. */
const RECORDS = 'records';

export interface ContractEvent {
  readonly contract: string;
  readonly name: string;
  /** Canonical JSON. */
  readonly data: Uint8Array;
}

/** As a receipt keeps it. */
export interface EmittedEvent extends ContractEvent {
  /** Number of the call of the transaction in which it was emitted, from 0. */
  readonly call: number;
}

export interface Receipt {
  readonly transactionId: Digest;
  readonly height: number;
  /** Position in the block, from 0. */
  readonly index: number;
  readonly status: 'ok' | 'failed';
  /** `OK`, or the code of the error table that says why. */
  readonly code: string;
  /** Facts of the failure as canonical JSON; empty when ok. */
  readonly detail: Uint8Array;
  /** Number of the call that failed, from 0; 0 when ok. */
  readonly failedCall: number;
  readonly gasUsed: number;
  /** How the transaction was signed, so that a reader sees whose key stood behind it. */
  readonly keyKind: 'own' | 'custodial';
  /** One per call; none when failed. */
  readonly results: readonly Uint8Array[];
  /** Emitted ones alone: receiptEvents has all. */
  readonly events: readonly EmittedEvent[];
}

const OK_BIT = 1;
const OWN_KEY_BIT = 2;
const GAS_OFFSET = DIGEST_BYTES + 8 + 4;

/** @throws RangeError for a receipt that no transaction gets: one that failed and did something, or the other way round. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const { results, events, code, detail, failedCall } = receipt;
  const isOk = receipt.status === 'ok';
  const isWhole = isOk ? code === 'OK' && detail.length === 0 && failedCall === 0 : code !== 'OK' && results.length + events.length === 0;
  const fault = isWhole ? faultOf(receipt) : 'its parts contradict its status';
  if (fault !== undefined) throw new RangeError(`Cannot encode a receipt: ${fault}`);
  return encodeBrief(writeReceipt, receipt);
}

function writeReceipt(writer: Writer, receipt: Receipt): void {
  const isOk = receipt.status === 'ok';
  writer
    .fixed(receipt.transactionId, DIGEST_BYTES)
    .u64(receipt.height)
    .u32(receipt.index)
    .u64(receipt.gasUsed)
    .u8((isOk ? OK_BIT : 0) | (receipt.keyKind === 'own' ? OWN_KEY_BIT : 0));
  if (isOk) writer.list(receipt.results, writeBytes).list(receipt.events, writeEvent);
  else writer.text(receipt.code).bytes(receipt.detail).u32(receipt.failedCall);
}

function writeEvent(writer: Writer, event: EmittedEvent): void {
  writer.u32(event.call).text(event.contract).text(event.name).bytes(event.data);
}

function readReceipt(reader: Reader): Receipt {
  const transactionId = reader.fixed(DIGEST_BYTES);
  const [height, index, gasUsed] = [reader.u64(), reader.u32(), reader.u64()];
  const bits = reader.u8();
  if (bits > (OK_BIT | OWN_KEY_BIT)) throw new DecodeError(`bits of a receipt are ${bits}`);
  const keyKind = (bits & OWN_KEY_BIT) !== 0 ? 'own' : 'custodial';
  const isOk = (bits & OK_BIT) !== 0;
  const { code, detail, failedCall } = isOk ? NO_FAILURE : readFailure(reader);
  // Written out: objects spread into one another cost several times the reading.
  const receipt: Receipt = {
    transactionId,
    height,
    index,
    gasUsed,
    keyKind,
    status: isOk ? 'ok' : 'failed',
    code,
    detail,
    failedCall,
    results: isOk ? reader.list(readBytes, TRANSACTION_CALLS_MAX) : [],
    events: isOk ? reader.list(readEvent, EVENTS_PER_TRANSACTION_MAX) : [],
  };
  const fault = faultOf(receipt);
  if (fault !== undefined) throw new DecodeError(fault);
  return receipt;
}

const NO_FAILURE: Pick<Receipt, 'code' | 'detail' | 'failedCall'> = { code: 'OK', detail: new Uint8Array(0), failedCall: 0 };

function readEvent(reader: Reader): EmittedEvent {
  return { call: reader.u32(), contract: reader.text(NAME_BYTES_MAX), name: reader.text(NAME_BYTES_MAX), data: reader.bytes() };
}

function readFailure(reader: Reader): Pick<Receipt, 'code' | 'detail' | 'failedCall'> {
  const failure = { code: reader.text(NAME_BYTES_MAX), detail: reader.bytes(RECEIPT_DETAIL_BYTES_MAX), failedCall: reader.u32() };
  if (failure.code === 'OK') throw new DecodeError('a failed receipt says OK');
  return failure;
}

function faultOf({ results, events }: Pick<Receipt, 'results' | 'events'>): string | undefined {
  let call = 0;
  for (const event of events) {
    if (event.call < call || event.call >= results.length) return 'events are not in order of the calls';
    call = event.call;
  }
  return undefined;
}

/** Gas used, without reading the rest. @throws DecodeError */
export function gasUsedOf(receipt: Uint8Array): number {
  const reader = new Reader(receipt);
  reader.fixed(GAS_OFFSET);
  return reader.u64();
}

/** @throws DecodeError */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  return decodeAll(bytes, readReceipt);
}

/**
 * All events of a transaction, in order of its calls: those that contracts emitted, and those that results of `records` stand for. Events
 * before `from` are counted, not encoded.
 * @param from number of the first that is asked for
 * @param recordsOf results of `records` of a call
 * @returns how many there are
 * @throws DecodeError
 */
export function* receiptEvents(
  { results, events }: Pick<Receipt, 'results' | 'events'>,
  from = 0,
  recordsOf: (result: Uint8Array) => readonly RecordResult[] = decodeRecordResults,
): Generator<ContractEvent, number> {
  let at = 0;
  let emitted = 0;
  for (const [call, result] of results.entries()) {
    if (isRecordResults(result))
      for (const event of recordEventsOf(recordsOf(result)))
        if (at++ >= from) yield { contract: RECORDS, name: event.name, data: recordEventData(event) };
    for (; events[emitted]?.call === call; emitted++) {
      const { contract, name, data } = events[emitted]!;
      if (at++ >= from) yield { contract, name, data };
    }
  }
  return at;
}
