/**
 * A transaction: calls, all or none, under one signature (design: chain, "Transaction").
 *
 * Signed bytes are a body (all fields of Transaction in their order) and the signature behind its length, u32:
 *   transactionId   = H('transaction', body): what may be spent once. The signature is over it, behind the tag `transaction-signature`.
 *   transactionHash = H('transaction-full', transactionId, signature): what blocks list and proposals name. The id fixes the body, so the hash fixes all
 *                     bytes, and whoever has the id never reads them again for it.
 */
import { concat } from './bytes.ts';
import { DecodeError, decodeAll, type Reader, Writer } from './codec.ts';
import { type Crypto, DIGEST_BYTES, type Digest, domainTag, hashTagged, tagged } from './crypto.ts';

export const TRANSACTION_BYTES_MAX = 4 * 1024 * 1024; // bytes of one signed transaction, signature included
export const TRANSACTION_CALLS_MAX = 1_000; // calls in one transaction
export const SALT_BYTES = 16;
export const SIGNATURE_BYTES_MAX = 128;
export const NAME_BYTES_MAX = 128; // account ids, key ids, contract and method names

export interface Call {
  /** Name of a built-in contract, or the address of a deployed one: `0x` and 40 hex digits. */
  readonly contract: string;
  readonly method: string;
  /** What the contract's method declares; canonical JSON for all but `records.submit`. */
  readonly args: Uint8Array;
}

export interface Transaction {
  readonly chainId: Digest;
  /** Account id, `name@organisation`. */
  readonly sender: string;
  readonly keyId: string;
  readonly salt: Uint8Array;
  /** Last height at which the transaction may be included. */
  readonly expiryHeight: number;
  readonly calls: readonly Call[];
  readonly gasLimit: number;
  readonly suite: number;
}

export interface SignedTransaction extends Transaction {
  readonly signature: Uint8Array;
}

function writeBody(writer: Writer, transaction: Transaction): Writer {
  return writer
    .fixed(transaction.chainId, DIGEST_BYTES)
    .text(transaction.sender)
    .text(transaction.keyId)
    .fixed(transaction.salt, SALT_BYTES)
    .u64(transaction.expiryHeight)
    .list(transaction.calls, writeCall)
    .u64(transaction.gasLimit)
    .u8(transaction.suite);
}

function writeCall(writer: Writer, { contract, method, args }: Call): void {
  writer.text(contract).text(method).bytes(args);
}

function readCall(reader: Reader): Call {
  return { contract: reader.text(NAME_BYTES_MAX), method: reader.text(NAME_BYTES_MAX), args: reader.bytes(TRANSACTION_BYTES_MAX) };
}

function readTransaction(reader: Reader): SignedTransaction {
  return {
    chainId: reader.fixed(DIGEST_BYTES),
    sender: reader.text(NAME_BYTES_MAX),
    keyId: reader.text(NAME_BYTES_MAX),
    salt: reader.fixed(SALT_BYTES),
    expiryHeight: reader.u64(),
    calls: reader.list(readCall, TRANSACTION_CALLS_MAX),
    gasLimit: reader.u64(),
    suite: reader.u8(),
    signature: reader.bytes(SIGNATURE_BYTES_MAX),
  };
}

/** Room for a transaction around its calls, and for a call around its arguments: a writer that has to grow copies megabytes. */
const FRAME_BYTES = 1_024;
const FRAME_BYTES_CALL = 2 * NAME_BYTES_MAX + 12;

function writerFor({ calls }: Transaction): Writer {
  return new Writer(FRAME_BYTES + calls.reduce((bytes, { args }) => bytes + args.length + FRAME_BYTES_CALL, 0));
}

export function encodeTransactionBody(transaction: Transaction): Uint8Array {
  return writeBody(writerFor(transaction), transaction).finish();
}

export function encodeTransaction(transaction: SignedTransaction): Uint8Array {
  return writeBody(writerFor(transaction), transaction).bytes(transaction.signature).finish();
}

/** @throws DecodeError for bytes that encodeTransaction would not have produced. */
export function decodeTransaction(bytes: Uint8Array): SignedTransaction {
  return decodeAll(bytes, readTransaction);
}

/** Id from the full bytes: the signature and its length prefix are cut off the end. */
export function transactionIdOf(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array, transaction: SignedTransaction): Digest {
  return idOfBody(crypto, bytes, transaction.signature);
}

function idOfBody(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array, signature: Uint8Array): Digest {
  return hashTagged(crypto, 'transaction', bytes.subarray(0, bytes.length - 4 - signature.length));
}

function hashOfSigned(crypto: Pick<Crypto, 'hash'>, id: Digest, signature: Uint8Array): Digest {
  return hashTagged(crypto, 'transaction-full', id, signature);
}

/**
 * Hash of full bytes that nobody has opened: the lengths in them lead to the signature. Bytes in which they do not lead there are no
 * transaction and get a digest that no transaction has: they come from peers and damaged disks, and then nothing names them.
 */
export function transactionHashOf(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): Digest {
  const signature = signatureIn(bytes);
  return signature
    ? hashOfSigned(crypto, idOfBody(crypto, bytes, signature), signature)
    : hashTagged(crypto, 'transaction-malformed', bytes);
}

/** Steps over the fields as readTransaction reads them; undefined unless the signature ends the bytes. */
function signatureIn(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return decodeAll(bytes, (reader) => {
      reader.fixed(DIGEST_BYTES);
      reader.bytes(NAME_BYTES_MAX);
      reader.bytes(NAME_BYTES_MAX);
      reader.fixed(SALT_BYTES + 8);
      reader.list((r) => {
        r.bytes(NAME_BYTES_MAX);
        r.bytes(NAME_BYTES_MAX);
        r.bytes(TRANSACTION_BYTES_MAX);
      }, TRANSACTION_CALLS_MAX);
      reader.fixed(8 + 1);
      return reader.bytes(SIGNATURE_BYTES_MAX);
    });
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The bytes a client signs. */
export function transactionSigningBytes(transactionId: Digest): Uint8Array {
  return tagged('transaction-signature', transactionId);
}

/** Of so many transactions the signed bytes stand in one piece of memory. */
const SIGNING_BYTES_TOGETHER = 64;

/** transactionSigningBytes for one after the other, in memory that is taken for many: too long for the heap, each alone would cost an allocation outside of it. */
export function createSigningBytes(): (transactionId: Digest) => Uint8Array {
  const tag = domainTag('transaction-signature');
  const length = tag.length + DIGEST_BYTES;
  let room = new Uint8Array(0);
  let at = 0;
  return (transactionId) => {
    if (at === room.length) {
      room = new Uint8Array(SIGNING_BYTES_TOGETHER * length);
      at = 0;
    }
    const bytes = room.subarray(at, at + length);
    at += length;
    bytes.set(tag);
    bytes.set(transactionId, tag.length);
    return bytes;
  };
}

/** A transaction with everything derived from its bytes, once. */
export interface DecodedTransaction {
  readonly bytes: Uint8Array;
  readonly id: Digest;
  readonly hash: Digest;
  readonly transaction: SignedTransaction;
}

/** @throws DecodeError */
export function openTransaction(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): DecodedTransaction {
  const transaction = decodeTransaction(bytes);
  const id = transactionIdOf(crypto, bytes, transaction);
  return { bytes, transaction, id, hash: hashOfSigned(crypto, id, transaction.signature) };
}

/** Signs and encodes; `sign` receives the bytes of transactionSigningBytes. Each byte is written and hashed once. */
export function signTransaction(
  crypto: Pick<Crypto, 'hash'>,
  transaction: Transaction,
  sign: (message: Uint8Array) => Uint8Array,
): DecodedTransaction {
  const body = encodeTransactionBody(transaction);
  const id = hashTagged(crypto, 'transaction', body);
  const signature = sign(transactionSigningBytes(id));
  const bytes = concat(body, new Writer(SIGNATURE_BYTES_MAX + 4).bytes(signature).finish());
  return { bytes, transaction: decodeTransaction(bytes), id, hash: hashOfSigned(crypto, id, signature) };
}
