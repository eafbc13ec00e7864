/**
 * Receipts: what a transaction did, hashed under `receiptsRoot`. Identical on every replica, so nothing local may enter
 * (no durations, no node names). A failed transaction has a receipt too: it used its id and its gas and wrote nothing.
 */
import { decodeAll, Reader, Writer } from './codec.ts';
import { DIGEST_BYTES, type Digest } from './crypto.ts';
import { NAME_BYTES_MAX } from './transaction.ts';

export const RECEIPT_DETAIL_BYTES_MAX = 2_048; // bytes of the failure text kept
export const EVENTS_PER_TRANSACTION_MAX = 2_000;

export interface ContractEvent {
  readonly contract: string;
  readonly name: string;
  /** Canonical JSON. */
  readonly data: Uint8Array;
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
  /** One canonical JSON value per call; empty when failed. */
  readonly results: readonly Uint8Array[];
  readonly events: readonly ContractEvent[];
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  return new Writer(512)
    .fixed(receipt.transactionId, DIGEST_BYTES)
    .u64(receipt.height)
    .u32(receipt.index)
    .bool(receipt.status === 'ok')
    .text(receipt.code)
    .bytes(receipt.detail)
    .u32(receipt.failedCall)
    .u64(receipt.gasUsed)
    .bool(receipt.keyKind === 'own')
    .list(receipt.results, (w, result) => w.bytes(result))
    .list(receipt.events, (w, event) => w.text(event.contract).text(event.name).bytes(event.data))
    .finish();
}

function readReceipt(reader: Reader): Receipt {
  return {
    transactionId: reader.fixed(DIGEST_BYTES),
    height: reader.u64(),
    index: reader.u32(),
    status: reader.bool() ? 'ok' : 'failed',
    code: reader.text(NAME_BYTES_MAX),
    detail: reader.bytes(RECEIPT_DETAIL_BYTES_MAX),
    failedCall: reader.u32(),
    gasUsed: reader.u64(),
    keyKind: reader.bool() ? 'own' : 'custodial',
    results: reader.list((r) => r.bytes()),
    events: reader.list(
      (r) => ({ contract: r.text(NAME_BYTES_MAX), name: r.text(NAME_BYTES_MAX), data: r.bytes() }),
      EVENTS_PER_TRANSACTION_MAX,
    ),
  };
}

/** Gas used, without reading the rest. @throws DecodeError */
export function gasUsedOf(receipt: Uint8Array): number {
  const reader = new Reader(receipt);
  reader.fixed(DIGEST_BYTES);
  reader.u64();
  reader.u32();
  reader.bool();
  reader.text(NAME_BYTES_MAX);
  reader.bytes(RECEIPT_DETAIL_BYTES_MAX);
  reader.u32();
  return reader.u64();
}

/** @throws DecodeError */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  return decodeAll(bytes, readReceipt);
}
