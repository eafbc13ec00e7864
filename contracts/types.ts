/**
 * What every contract is, built-in or deployed, and what it may touch. `contracts/` knows calls and state, never blocks or peers.
 * Everything here is deterministic: the block's height and time are inputs, and no method is asynchronous.
 */
import type { ErrorCode } from '../node/errors/index.ts';
import type { ByteText, Call, ChainParameters, Digest, EmittedEvent, Json, RecordState } from '../node/format/index.ts';
import type { RecordFacts } from './classes/index.ts';

/** Reads the state as of the start of the transaction, with the writes of this transaction on top. */
export interface StateView {
  /** `key` includes the contract's prefix: see stateKey. */
  get(key: ByteText): Uint8Array | undefined;
}

/** Where a call stands in the chain. */
export interface CallPosition {
  readonly height: number;
  /** Of the transaction in its block. */
  readonly index: number;
  readonly call: number;
}

/**
 * The chain as execution reads it: the state, and the transactions of the blocks it came from, those before this one in its own block
 * included.
 */
export interface ChainView extends StateView {
  /** Bytes of a transaction. Fails as a damaged store does when they are not at hand: a chain keeps what its state points to. */
  transaction(height: number, index: number): Uint8Array;
}

/** undefined as value deletes. */
export type StateWrites = ReadonlyMap<ByteText, Uint8Array | undefined>;

export interface BlockContext {
  readonly chainId: Digest;
  readonly height: number;
  readonly timestampMs: number;
  readonly era: number;
  readonly parameters: ChainParameters;
}

/** The transaction that is executed: facts of it that the shell has checked (key registered, valid, signature good). */
export interface TransactionContext {
  readonly transactionId: Digest;
  /** Position in the block, from 0. */
  readonly index: number;
  readonly sender: string;
  readonly keyId: string;
  readonly keyKind: 'own' | 'custodial';
  readonly gasLimit: number;
  readonly calls: readonly Call[];
}

/**
 * The narrow door between one running contract and the chain. Every call through it costs gas; running out throws ContractFailure
 * GAS_EXHAUSTED.
 */
export interface Host {
  readonly block: BlockContext;
  readonly transaction: Pick<TransactionContext, 'transactionId' | 'index' | 'sender' | 'keyId' | 'keyKind'>;
  /** This contract's own name or address. */
  readonly self: string;
  /** Who called this contract: the sender, or the address of another contract. */
  readonly caller: string;
  /** Call's position in the transaction. */
  readonly callIndex: number;
  hash(data: Uint8Array): Digest;
  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** Key within this contract's own space. */
  get(key: ByteText): Uint8Array | undefined;
  put(key: ByteText, value: Uint8Array): void;
  delete(key: ByteText): void;
  /** Reads another contract's space. */
  read(contract: string, key: ByteText): Uint8Array | undefined;
  /**
   * What `find` returns, or what it returned before in this block, at the same price.
   * @param question names all that the answer depends on beside registry, access and the block
   */
  cached<T>(question: string, find: () => T): T;
  /**
   * A call of this transaction or an earlier one, as the state names it: the content of a record stands in the arguments of its call alone.
   */
  callAt(position: CallPosition): Call;
  /** `data` is canonical JSON. `records` emits nothing: its results tell its events. */
  emit(name: string, data: Uint8Array): void;
  /** Reports the version of a record that was just written, for the query index: no part of state or receipt, and free of gas. */
  tell(written: WrittenVersion): void;
  /** Calls another contract inside the same transaction; a failure of the callee fails the caller unless it catches ContractFailure. */
  call(contract: string, method: string, args: Uint8Array): Uint8Array;
  useGas(units: number): void;
  /** Gas that is left of the transaction's. */
  readonly gasLeft: number;
}

/** A version of a record that was written, and what it says: no content. */
export interface WrittenVersion {
  readonly id: Digest;
  readonly version: number;
  /** Height of the version before; undefined of the first. */
  readonly heightBefore: number | undefined;
  readonly class: string;
  readonly org: string;
  /** Account that wrote this version. */
  readonly actor: string;
  readonly state: RecordState;
  /** Undefined of a version without content: it keeps what the one before says. */
  readonly named: NamedFacts | undefined;
}

/** The facts of a content by which records are searched. */
export type NamedFacts = Pick<
  RecordFacts,
  'product' | 'productionBatch' | 'factory' | 'report' | 'verdict' | 'devices' | 'materials' | 'links' | 'timeUs'
>;

/** A refusal by a contract: becomes a failed receipt with this code. `detail` holds facts as JSON values. */
export class ContractFailure extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>>;
  constructor(code: ErrorCode, detail: Readonly<Record<string, unknown>> = {}) {
    super(code);
    this.name = 'ContractFailure';
    this.code = code;
    this.detail = detail;
  }
}

/** A built-in contract. `args` and the result are bytes, canonical JSON unless the method says otherwise. */
export interface BuiltinContract {
  readonly name: string;
  readonly methods: Readonly<Record<string, (host: Host, args: Uint8Array) => Uint8Array>>;
  /** Methods a read-only query may call. */
  readonly queries: Readonly<Record<string, (host: Host, args: Uint8Array) => Uint8Array>>;
}

/** What loading a contract's code tells about it. */
export interface LoadedContract {
  readonly imageDigest: string;
  /** Memory the image takes. */
  readonly imageBytes: number;
  readonly methods: readonly string[];
  readonly queries: readonly string[];
  /** Declared events: name -> what the contract says about the data. */
  readonly events: { readonly [name: string]: Json };
  /** A property of the code: the same on every load. */
  readonly gasUsed: number;
}

/** Images a node keeps at hand and on disk; see contracts/quickjs/decisions/0003. */
export interface ContractImages {
  /** The image of loaded code, as `adopt` takes it. Undefined when it is not at hand. */
  imageOf(codeDigest: string): Uint8Array | undefined;
  /** Takes an image that was stored. False, and nothing is taken, unless it is the one whose digest `facts` states. */
  adopt(codeDigest: string, facts: LoadedContract, image: Uint8Array): boolean;
  /** Holds an image at hand until it is released. @throws RangeError when it is not at hand */
  keep(codeDigest: string): void;
  release(codeDigest: string): void;
}

/** Runs code of deployed contracts; one per executor. Implemented by contracts/quickjs. */
export interface ContractMachine extends ContractImages {
  /** executionVersion's bundle digest, printed at start and part of the deploy receipt. */
  readonly bundleDigest: string;
  /**
   * Loads code once and returns the digest of its heap image (deploy). What loading uses is charged to `gas`, the same whether the image
   * is at hand or not; without `gas` nobody pays (a node that starts).
   * @throws ContractFailure CONTRACT_CODE_INVALID with the engine's message when the code does not load, GAS_EXHAUSTED.
   */
  load(code: Uint8Array, codeDigest?: string, gas?: GasTank): LoadedContract;
  /**
   * Runs one method against a restored image. Returns the result as canonical JSON; gas is charged through `gas`. `codeDigest` (hex) spares
   * hashing the code a second time where the caller has just done so.
   * @throws ContractFailure when the contract throws, traps, runs out of gas or depth.
   */
  run(code: Uint8Array, method: string, args: Uint8Array, host: Host, gas: GasTank, readOnly: boolean, codeDigest?: string): Uint8Array;
}

export interface GasTank {
  readonly left: number;
  /** @throws ContractFailure GAS_EXHAUSTED */
  use(units: number): void;
}

export interface Execution {
  readonly status: 'ok' | 'failed';
  readonly code: string;
  readonly detail: Uint8Array;
  readonly failedCall: number;
  readonly gasUsed: number;
  readonly results: readonly Uint8Array[];
  readonly events: readonly EmittedEvent[];
  /** Versions of records that were written, in the order of their events. */
  readonly written: readonly WrittenVersion[];
  readonly writes: StateWrites;
}

/**
 * The state key of `key` in the space of `contract`: one byte of name length, the name, the key. Spaces are contiguous ranges of the map.
 */
export function stateKey(contract: string, key: ByteText): ByteText {
  return String.fromCharCode(contract.length) + contract + key;
}
