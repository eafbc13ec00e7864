/**
 * Whether a transaction may stand in the block of a height: the same verdict on every replica, from chain state alone
 * (design: chain, "Transaction"; DB53/T 1407-2025 6.3.3.b). The signature is checked elsewhere, once per node, against the public key
 * this returns.
 */
import { type AccountKey, entryOf, isWithin } from '../../contracts/index.ts';
import {
  type ByteText,
  type ChainParameters,
  type Digest,
  equalBytes,
  fromHex,
  type SignedTransaction,
  TRANSACTION_BYTES_MAX,
} from '../format/index.ts';

export interface AdmissionContext {
  readonly chainId: Digest;
  /** Height of the block that would include it. */
  readonly height: number;
  /** Block time by which keys are valid or expired: that of the parent block. */
  readonly timestampMs: number;
  readonly parameters: ChainParameters;
  readonly account: (id: string) => AccountView | undefined;
  /** Whether a block before this one holds it; one that expires at this height is asked for. */
  readonly spent: (transactionId: Digest, expiryHeight: number) => boolean;
}

/** An active account with its keys parsed once. Validity is asked per block, never cached with the rest: replicas must agree on it. */
export interface AccountView {
  readonly id: string;
  readonly organisation: string;
  readonly validFrom: number | null;
  readonly validTo: number | null;
  readonly roles: readonly string[];
  readonly keys: ReadonlyMap<string, AccountKeyView>;
}

export interface AccountKeyView {
  readonly key: AccountKey;
  readonly publicKey: Uint8Array;
}

export type Admission =
  | { readonly code: 'OK'; readonly account: AccountView; readonly key: AccountKeyView }
  | { readonly code: AdmissionCode; readonly facts: Record<string, unknown> };

export type AdmissionCode =
  | 'TRANSACTION_CHAIN_FOREIGN'
  | 'TRANSACTION_TOO_LARGE'
  | 'TRANSACTION_EMPTY'
  | 'TRANSACTION_GAS_LIMIT'
  | 'TRANSACTION_EXPIRED'
  | 'TRANSACTION_EXPIRY_TOO_FAR'
  | 'TRANSACTION_REPEATED'
  | 'TRANSACTION_SENDER_UNKNOWN'
  | 'TRANSACTION_KEY_UNKNOWN';

export function admit(bytes: Uint8Array, id: Digest, transaction: SignedTransaction, context: AdmissionContext): Admission {
  const { parameters, height } = context;
  if (bytes.length > TRANSACTION_BYTES_MAX)
    return { code: 'TRANSACTION_TOO_LARGE', facts: { bytes: bytes.length, bytesMax: TRANSACTION_BYTES_MAX } };
  if (!equalBytes(transaction.chainId, context.chainId)) return { code: 'TRANSACTION_CHAIN_FOREIGN', facts: {} };
  if (transaction.calls.length === 0) return { code: 'TRANSACTION_EMPTY', facts: {} };
  if (transaction.gasLimit < 1 || transaction.gasLimit > parameters.transactionGasMax) {
    return { code: 'TRANSACTION_GAS_LIMIT', facts: { gasLimit: transaction.gasLimit, transactionGasMax: parameters.transactionGasMax } };
  }
  if (transaction.expiryHeight < height) return { code: 'TRANSACTION_EXPIRED', facts: { expiryHeight: transaction.expiryHeight, height } };
  if (transaction.expiryHeight > height + parameters.txLifetimeBlocksMax) {
    return {
      code: 'TRANSACTION_EXPIRY_TOO_FAR',
      facts: { expiryHeight: transaction.expiryHeight, height, txLifetimeBlocksMax: parameters.txLifetimeBlocksMax },
    };
  }
  if (context.spent(id, transaction.expiryHeight)) return { code: 'TRANSACTION_REPEATED', facts: {} };
  const account = context.account(transaction.sender);
  if (!account || !isWithin(account, context.timestampMs))
    return { code: 'TRANSACTION_SENDER_UNKNOWN', facts: { sender: transaction.sender } };
  const held = account.keys.get(transaction.keyId);
  if (!held || !isKeyUsable(held.key, transaction, context.timestampMs)) {
    return { code: 'TRANSACTION_KEY_UNKNOWN', facts: { sender: transaction.sender, keyId: transaction.keyId } };
  }
  return { code: 'OK', account, key: held };
}

function isKeyUsable(key: AccountKey, transaction: SignedTransaction, timestampMs: number): boolean {
  if (key.revoked || key.suite !== transaction.suite) return false;
  if (!isWithin({ validFrom: null, validTo: key.validTo }, timestampMs)) return false;
  return key.scope.includes('*') || transaction.calls.every((call) => key.scope.includes(call.contract));
}

/** Reads an account from registry state; undefined when it is absent or not active. */
export function readAccount(read: (contract: string, key: ByteText) => Uint8Array | undefined, id: string): AccountView | undefined {
  const entry = entryOf(read, 'account', id);
  if (entry?.state !== 'active') return undefined;
  const { data } = entry;
  return {
    id,
    organisation: entry.owner,
    validFrom: entry.validFrom,
    validTo: entry.validTo,
    roles: data.roles,
    keys: new Map(data.keys.map((key) => [key.keyId, { key, publicKey: fromHex(key.publicKey) }])),
  };
}
