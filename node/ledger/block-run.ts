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
  type TransactionContext,
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
  isSpent(id: Digest, expiryHeight: number): boolean;
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

/** What a block makes of one key of the state: a write of the map once its valueHash is there. */
export class StateEntry {
  readonly key: ByteText;
  /** In the state of the parent; undefined as well while it was not read there. */
  before: Uint8Array | undefined;
  isRead: boolean;
  isWritten = false;
  /** As the transactions so far leave it; undefined where there is none. */
  value: Uint8Array | undefined;
  valueHash: Digest | undefined = undefined;

  constructor(key: ByteText, before: Uint8Array | undefined, isRead: boolean) {
    this.key = key;
    this.before = before;
    this.isRead = isRead;
    this.value = before;
  }
}

export interface BlockRun {
  /** Every key that was written. */
  readonly entries: ReadonlyMap<ByteText, StateEntry>;
  /** The same, in no order. */
  readonly writes: StateEntry[];
  /** Positions in the request of the transactions that went in. */
  readonly included: readonly number[];
  readonly refused: readonly { readonly index: number; readonly code: string }[];
  readonly bodies: readonly Uint8Array[];
  readonly ids: readonly Digest[];
  readonly hashes: readonly Digest[];
  readonly receipts: readonly Uint8Array[];
  /** Versions of records that were written. */
  readonly written: readonly WrittenVersion[];
  /** Transactions were left because `untilMs` was over. */
  readonly timeUp: boolean;
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
  const bodies: Uint8Array[] = [];
  const reads = new GuardedReads(new ParentState(parent, height, bodies));
  const state = new BlockState(reads);
  const block: BlockContext = { chainId: parent.header.chainId, height, timestampMs, era: parent.header.era, parameters };
  const admission = new BlockAdmission(parent, height);
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
  let timeUp = false;

  for (const [index, verified] of request.transactions.entries()) {
    if (selecting && bodies.length > 0 && deps.clock.monotonic() >= untilMs) {
      timeUp = true;
      break;
    }
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
    const context: TransactionContext = {
      transactionId: opened.id,
      index: bodies.length,
      sender: transaction.sender,
      keyId: transaction.keyId,
      keyKind: verdict.key.key.kind,
      gasLimit: transaction.gasLimit,
      calls: transaction.calls,
    };
    const outcome = reads.during(executeTransaction, context, block, state, execution);
    for (const [key, value] of outcome.writes) state.write(key, value);
    admission.spend(opened.id);
    for (const version of outcome.written) written.push(version);
    receipts.push(encodeReceipt(receiptOf(outcome, opened.id, height, bodies.length, verdict.key.key.kind)));
    included.push(index);
    ids.push(opened.id);
    hashes.push(opened.hash);
    bodies.push(verified.bytes);
    bytes += verified.bytes.length;
    gas += outcome.gasUsed;
  }
  state.forgetReads();
  const { entries, writes } = state;
  return { entries, writes, included, refused, bodies, ids, hashes, receipts, written, timeUp };
}

/** What a block stands on: the state of its parent, and bytes of transactions up to its own. */
class ParentState implements ChainView {
  readonly #parent: RunParent;
  readonly #height: number;
  readonly #bodies: readonly Uint8Array[];

  /** @param bodies of the block of `height`, as they go in */
  constructor(parent: RunParent, height: number, bodies: readonly Uint8Array[]) {
    this.#parent = parent;
    this.#height = height;
    this.#bodies = bodies;
  }

  get(key: ByteText): Uint8Array | undefined {
    return this.#parent.read(key);
  }

  transaction(height: number, index: number): Uint8Array {
    return height === this.#height ? this.#bodies[index]! : this.#parent.transaction(height, index);
  }
}

/** Admission to a block, after the transactions that went in before. */
class BlockAdmission implements AdmissionContext {
  readonly chainId: Digest;
  readonly height: number;
  readonly timestampMs: number;
  readonly parameters: AdmissionContext['parameters'];
  readonly #parent: RunParent;
  readonly #spentHere = new Set<ByteText>();

  constructor(parent: RunParent, height: number) {
    this.chainId = parent.header.chainId;
    this.height = height;
    this.timestampMs = parent.header.timestampMs;
    this.parameters = parent.configuration.parameters;
    this.#parent = parent;
  }

  account(id: string): AccountView | undefined {
    return this.#parent.account(id);
  }

  spent(id: Digest, expiryHeight: number): boolean {
    return this.#spentHere.has(toByteText(id)) || this.#parent.isSpent(id, expiryHeight);
  }

  spend(id: Digest): void {
    this.#spentHere.add(toByteText(id));
  }
}

/** The state of the parent under the writes of the transactions before. */
class BlockState implements ChainView {
  readonly entries = new Map<ByteText, StateEntry>();
  readonly writes: StateEntry[] = [];
  readonly #parent: ChainView;

  constructor(parent: ChainView) {
    this.#parent = parent;
  }

  get(key: ByteText): Uint8Array | undefined {
    const known = this.entries.get(key);
    if (known !== undefined) return known.value;
    const value = this.#parent.get(key);
    this.entries.set(key, new StateEntry(key, value, true));
    return value;
  }

  /** undefined deletes. */
  write(key: ByteText, value: Uint8Array | undefined): void {
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = new StateEntry(key, undefined, false);
      this.entries.set(key, entry);
    }
    if (!entry.isWritten) this.writes.push(entry);
    entry.isWritten = true;
    entry.value = value;
  }

  /** What was read alone may be megabytes, which a block must not keep until it is final. */
  forgetReads(): void {
    for (const [key, { isWritten }] of this.entries) if (!isWritten) this.entries.delete(key);
  }

  transaction(height: number, index: number): Uint8Array {
    return this.#parent.transaction(height, index);
  }
}

/**
 * Reads whose failure (a damaged entry, a store that is being opened anew) reaches the caller as it was: a contract, or the machine it runs in, must
 * not turn it into a receipt, which other replicas would not write.
 */
export class GuardedReads implements ChainView {
  readonly #chain: ChainView;
  #failure: { readonly error: unknown } | undefined;

  constructor(chain: ChainView) {
    this.#chain = chain;
  }

  get(key: ByteText): Uint8Array | undefined {
    try {
      return this.#chain.get(key);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  transaction(height: number, index: number): Uint8Array {
    try {
      return this.#chain.transaction(height, index);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** @throws what a read threw, whatever `execute` made of it */
  during<A extends readonly unknown[], T>(execute: (...given: A) => T, ...given: A): T {
    let result: T;
    try {
      result = execute(...given);
    } catch (error) {
      throw this.#failure ? this.#failure.error : error;
    }
    if (this.#failure) throw this.#failure.error;
    return result;
  }

  #failed(error: unknown): unknown {
    this.#failure = { error };
    return error;
  }
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
