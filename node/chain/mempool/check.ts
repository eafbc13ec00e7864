/** What a transaction is judged by before it may wait: its form, what the chain says of it, and last its signature, which other threads look at. */
import { ChainError } from '../../errors/index.ts';
import {
  type Crypto,
  DecodeError,
  type DecodedTransaction,
  type Digest,
  openTransaction,
  toByteText,
  TRANSACTION_BYTES_MAX,
} from '../../format/index.ts';
import { type AdmissionContext, admit } from '../../ledger/index.ts';
import type { SignatureCheck } from '../../world.ts';
import type { Waiting } from './mempool.ts';

/** Found good but for its signature, whose check is under way. */
export interface InCheck extends SignatureCheck {
  readonly entry: Waiting;
  readonly keyId: string;
  /** A block that became final meanwhile holds it. */
  isFinal: boolean;
  /** Who else waits for the outcome. */
  readonly others: ((outcome: Waiting | Error) => void)[];
}

/** @throws ChainError */
export function open(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): DecodedTransaction {
  if (bytes.length > TRANSACTION_BYTES_MAX)
    throw new ChainError('TRANSACTION_TOO_LARGE', { bytes: bytes.length, bytesMax: TRANSACTION_BYTES_MAX });
  try {
    return openTransaction(crypto, bytes);
  } catch (error) {
    if (error instanceof DecodeError) throw new ChainError('TRANSACTION_MALFORMED', { reason: error.reason });
    throw error;
  }
}

/** @param as copied: its bytes are part of a frame, which must not live as long as it waits. @throws ChainError for all but its signature */
export function judge(
  { bytes, id, hash, transaction }: DecodedTransaction,
  context: AdmissionContext,
  signingBytes: (id: Digest) => Uint8Array,
  as: Pick<Waiting, 'idKey' | 'addedMs' | 'origin'> & { readonly copied: boolean },
): InCheck {
  const { suite, signature, keyId, gasLimit, expiryHeight } = transaction;
  const admission = admit(bytes, id, transaction, context);
  if (admission.code !== 'OK') throw new ChainError(admission.code, admission.facts);
  const { publicKey } = admission.key;
  const sender = admission.account.id; // one text for all that he sends: what is looked up by it has its hash
  const entry: Waiting = {
    bytes: as.copied ? new Uint8Array(bytes) : bytes,
    id,
    hash,
    idKey: as.idKey,
    hashKey: toByteText(hash),
    publicKey,
    sender,
    gasLimit,
    expiryHeight,
    addedMs: as.addedMs,
    origin: as.origin,
  };
  return { suite, publicKey, message: signingBytes(id), signature, entry, keyId, isFinal: false, others: [] };
}

/** @param verdict the one on its signature, or why there is none */
export function outcomeOf({ entry, keyId, isFinal }: InCheck, verdict: boolean | Error): Waiting | Error {
  if (verdict instanceof Error) return verdict;
  if (!verdict) return new ChainError('TRANSACTION_SIGNATURE_INVALID', { sender: entry.sender, keyId });
  return isFinal ? new ChainError('TRANSACTION_REPEATED', {}) : entry; // or it would wait here for ever
}

export function orThrow(outcome: Waiting | Error): Waiting {
  if (outcome instanceof Error) throw outcome;
  return outcome;
}
