/**
 * One run of transactions on a block: admission, room, execution, receipts. What a proposer selects by and what a backup refuses by is the same
 * code. Changes nothing: writes stay in the result.
 */
import {
  Answers,
  type BlockContext,
  type BuiltinContract,
  type ChainView,
  type ContractMachine,
  executeTransaction,
  type Execution,
  type ExecutionDeps,
  type WrittenVersion,
} from '../../contracts/index.ts';
import {
  type ByteText,
  type ConsensusConfiguration,
  type Crypto,
  compareBytes,
  type DecodedTransaction,
  decodeTransaction,
  type Digest,
  encodeReceipt,
  type Header,
  openTransaction,
  type Receipt,
  RECEIPT_DETAIL_BYTES_MAX,
  toByteText,
  utf8,
} from '../format/index.ts';
import type { Clock } from '../world.ts';
import { type AccountView, type AdmissionContext, admit } from './admission.ts';

/** A transaction whose signature the shell has verified under `publicKey`. */
export interface VerifiedTransaction {
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
  /** What this process made of these very bytes when it admitted them; made here where they are absent. */
  readonly id?: Digest;
  readonly hash?: Digest;
}

export function openVerified(crypto: Pick<Crypto, 'hash'>, { bytes, id, hash }: VerifiedTransaction): DecodedTransaction {
  return id && hash ? { bytes, id, hash, transaction: decodeTransaction(bytes) } : openTransaction(crypto, bytes);
}

export interface RunDependencies {
  readonly crypto: Crypto;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
}

/** The block that is built on, and its state. */
export interface RunParent {
  readonly header: Header;
  readonly configuration: ConsensusConfiguration;
  read(key: ByteText): Uint8Array | undefined;
  /** Bytes of a transaction of this block or one before. @throws ChainError STORE_DAMAGED when they are not at hand */
  transaction(height: number, index: number): Uint8Array;
  account(id: string): AccountView | undefined;
  isSpent(id: Digest): boolean;
}

export interface RunOptions {
  /** Select: leave out what may not stand or does not fit, and begin none after this time, monotonic ms, but one at least. */
  readonly untilMs?: number;
  /** The transactions, opened already. */
  readonly opened?: readonly DecodedTransaction[];
}

export interface RunRequest extends RunOptions {
  readonly height: number;
  readonly timestampMs: number;
  readonly transactions: readonly VerifiedTransaction[];
}

export interface BlockRun {
  readonly writes: ReadonlyMap<ByteText, Uint8Array | undefined>;
  /** Values read from the state of the parent. */
  readonly before: ReadonlyMap<ByteText, Uint8Array | undefined>;
  /** Positions in the request of the transactions that went in. */
  readonly included: readonly number[];
  readonly refused: readonly { readonly index: number; readonly code: string }[];
  readonly bodies: readonly Uint8Array[];
  readonly ids: readonly Digest[];
  readonly hashes: readonly Digest[];
  readonly receipts: readonly Uint8Array[];
  /** Versions of records that were written. */
  readonly written: readonly WrittenVersion[];
}

/**
 * Executes transactions in order on the parent. Selecting, those that may not stand or do not fit are left out, and the rest when `untilMs` is over;
 * without `untilMs`, one such transaction makes the whole list refused.
 */
export function runTransactions(deps: RunDependencies, parent: RunParent, request: RunRequest): BlockRun {
  const { crypto } = deps;
  const { height, timestampMs, untilMs } = request;
  const selecting = untilMs !== undefined;
  const { parameters } = parent.configuration;
  const writes = new Map<ByteText, Uint8Array | undefined>();
  const before = new Map<ByteText, Uint8Array | undefined>();
  const bodies: Uint8Array[] = [];
  const reads = guardedReads({
    get(key) {
      const value = parent.read(key);
      before.set(key, value);
      return value;
    },
    transaction: (at, index) => (at === height ? bodies[index]! : parent.transaction(at, index)),
  });
  const read = (key: ByteText): Uint8Array | undefined => {
    if (writes.has(key)) return writes.get(key);
    if (before.has(key)) return before.get(key);
    return reads.get(key);
  };
  const block: BlockContext = { chainId: parent.header.chainId, height, timestampMs, era: parent.header.era, parameters };
  const spentHere = new Set<string>();
  const admission: AdmissionContext = {
    chainId: parent.header.chainId,
    height,
    timestampMs: parent.header.timestampMs,
    parameters,
    account: (id) => parent.account(id),
    spent: (id) => spentHere.has(toByteText(id)) || parent.isSpent(id),
  };
  const execution: ExecutionDeps = {
    answers: new Answers(),
    builtins: deps.builtins,
    machine: deps.machine,
    hash: crypto.hash,
    verify: crypto.verify,
  };
  const included: number[] = [];
  const refused: { index: number; code: string }[] = [];
  const ids: Digest[] = [];
  const hashes: Digest[] = [];
  const receipts: Uint8Array[] = [];
  const written: WrittenVersion[] = [];
  let bytes = 0;
  let gas = 0;

  for (const [index, verified] of request.transactions.entries()) {
    if (selecting && bodies.length > 0 && deps.clock.monotonic() >= untilMs) break;
    const opened = request.opened?.[index] ?? openVerified(crypto, verified);
    const verdict = admit(verified.bytes, opened.id, opened.transaction, admission);
    if (verdict.code !== 'OK') {
      refused.push({ index, code: verdict.code });
      if (!selecting) break;
      continue;
    }
    if (compareBytes(verdict.key.publicKey, verified.publicKey) !== 0) {
      refused.push({ index, code: 'TRANSACTION_KEY_UNKNOWN' }); // the key changed since the signature was checked
      if (!selecting) break;
      continue;
    }
    const { transaction } = opened;
    const fits =
      bodies.length < parameters.blockTransactionsMax &&
      bytes + verified.bytes.length <= parameters.blockBytesMax &&
      // A limit, not the use: what a proposer admits must never depend on what execution happens to cost.
      (gas === 0 || gas + Math.min(transaction.gasLimit, parameters.transactionGasMax) <= parameters.blockGasMax);
    if (!fits) {
      if (!selecting) refused.push({ index, code: 'BLOCK_LIMITS' });
      if (!selecting || bodies.length >= parameters.blockTransactionsMax) break;
      continue;
    }
    const outcome = reads.during(() =>
      executeTransaction(
        {
          transactionId: opened.id,
          index: bodies.length,
          sender: transaction.sender,
          keyId: transaction.keyId,
          keyKind: verdict.key.key.kind,
          gasLimit: transaction.gasLimit,
          calls: transaction.calls,
        },
        block,
        { get: read, transaction: reads.transaction },
        execution,
      ),
    );
    for (const [key, value] of outcome.writes) writes.set(key, value);
    spentHere.add(toByteText(opened.id));
    for (const version of outcome.written) written.push(version);
    receipts.push(encodeReceipt(receiptOf(outcome, opened.id, height, bodies.length, verdict.key.key.kind)));
    included.push(index);
    ids.push(opened.id);
    hashes.push(opened.hash);
    bodies.push(verified.bytes);
    bytes += verified.bytes.length;
    gas += outcome.gasUsed;
  }
  return { writes, before, included, refused, bodies, ids, hashes, receipts, written };
}

/**
 * Reads whose failure (a damaged entry, a store that is being opened anew) reaches the caller as it was: a contract, or the machine it runs in, must
 * not turn it into a receipt, which other replicas would not write.
 */
export function guardedReads(chain: ChainView) {
  let failure: { readonly error: unknown } | undefined;
  function guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  return {
    get: (key: ByteText): Uint8Array | undefined => guarded(() => chain.get(key)),
    transaction: (height: number, index: number): Uint8Array => guarded(() => chain.transaction(height, index)),
    during<T>(execute: () => T): T {
      let result: T;
      try {
        result = execute();
      } catch (error) {
        throw failure ? failure.error : error;
      }
      if (failure) throw failure.error;
      return result;
    },
  };
}

function receiptOf(execution: Execution, transactionId: Digest, height: number, index: number, keyKind: 'own' | 'custodial'): Receipt {
  const detail = execution.detail.length <= RECEIPT_DETAIL_BYTES_MAX ? execution.detail : utf8('{"truncated":true}');
  return {
    transactionId,
    height,
    index,
    status: execution.status,
    code: execution.code,
    detail,
    failedCall: execution.failedCall,
    gasUsed: execution.gasUsed,
    keyKind,
    results: execution.results,
    events: execution.events,
  };
}
