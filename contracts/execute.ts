/**
 * Runs transactions: all calls or none. Nothing a contract does makes this throw; it ends as an outcome that goes into the receipt.
 * What does throw, ExecutionFault, is a fault of this program, on which the node halts: no verdict may hang on it.
 */
import {
  type ByteText,
  type Call,
  DecodeError,
  decodeTransaction,
  type Digest,
  type EmittedEvent,
  encodeJson,
  EVENTS_PER_TRANSACTION_MAX,
  fromUtf8,
  type Json,
  NAME_BYTES_MAX,
  RECEIPT_DETAIL_BYTES_MAX,
  toHex,
  wellFormed,
} from '../node/format/index.ts';
import type { Answers } from './answers.ts';
import { CONTRACT, type DeployedEntry, deployedKey, GAS_PER_ENTRY_JSON_BYTE, may, type Right } from './builtin/index.ts';
import { ExecutionFault, isHostFault } from './fault.ts';
import { bodyGas, CALL_DEPTH_MAX, GAS, Tank } from './gas.ts';
import { Overlay } from './overlay.ts';
import {
  type BlockContext,
  type BuiltinContract,
  type CallPosition,
  type ChainView,
  ContractFailure,
  type ContractMachine,
  type Execution,
  type Host,
  type LoadedContract,
  stateKey,
  type StateWrites,
  type TransactionContext,
  type WrittenVersion,
} from './types.ts';

export interface ExecutionDeps {
  /** The cache of the block that is executed, shared by its transactions. */
  readonly answers?: Answers;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
  hash(data: Uint8Array): Digest;
  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

const NO_BYTES = new Uint8Array(0);
const NO_WRITES: StateWrites = new Map();
const ADDRESS = /^0x[0-9a-f]{40}$/;
const RIGHT_TO_CALL: Right = 'contract:call';
const DETAIL_TEXT_UNITS_MAX = 200; // of one text in the detail of a failure that is too long
const DETAIL_LIST_COUNT_MAX = 8;

/** @throws ExecutionFault */
export function executeTransaction(tx: TransactionContext, block: BlockContext, state: ChainView, deps: ExecutionDeps): Execution {
  deps.answers?.begin();
  const run = new Run(tx, tx.calls, block, state, deps, tx.gasLimit, false);
  const results: Uint8Array[] = [];
  let at = 0;
  try {
    run.tank.use(GAS.transaction);
    for (; at < tx.calls.length; at++) {
      const call = tx.calls[at]!;
      run.callIndex = at;
      if (ADDRESS.test(call.contract)) run.requireRightToCall(tx.sender);
      results.push(run.call(call.contract, call.method, call.args, tx.sender, false));
    }
  } catch (error) {
    const failure = failureOf(error);
    return {
      status: 'failed',
      code: failure.code,
      detail: detailOf(failure),
      failedCall: at,
      gasUsed: run.tank.used,
      results: [],
      events: [],
      written: [],
      writes: NO_WRITES,
    };
  }
  return {
    status: 'ok',
    code: 'OK',
    detail: NO_BYTES,
    failedCall: 0,
    gasUsed: run.tank.used,
    results,
    events: run.events,
    written: run.written,
    writes: run.overlay.writes(),
  };
}

export interface ContractQuery {
  readonly caller: string;
  readonly contract: string;
  readonly method: string;
  readonly args: Uint8Array;
  readonly gasLimit: number;
}

export interface QueryOutcome {
  readonly status: 'ok' | 'failed';
  readonly code: string;
  /** Facts of a failure as canonical JSON; empty when ok. */
  readonly detail: Uint8Array;
  /** Empty when failed. */
  readonly result: Uint8Array;
  readonly gasUsed: number;
}

const NO_TRANSACTION: Digest = new Uint8Array(32);

/** A read-only call against one state; writes and events are refused with CONTRACT_READ_ONLY. @throws ExecutionFault */
export function queryContract(query: ContractQuery, block: BlockContext, state: ChainView, deps: ExecutionDeps): QueryOutcome {
  const context = { transactionId: NO_TRANSACTION, index: 0, sender: query.caller, keyId: '', keyKind: 'own' } as const;
  const run = new Run(context, undefined, block, state, deps, query.gasLimit, true);
  try {
    const result = run.call(query.contract, query.method, query.args, query.caller, true);
    return { status: 'ok', code: 'OK', detail: NO_BYTES, result, gasUsed: run.tank.used + run.gasBeside };
  } catch (error) {
    const failure = failureOf(error);
    return { status: 'failed', code: failure.code, detail: detailOf(failure), result: NO_BYTES, gasUsed: run.tank.used + run.gasBeside };
  }
}

/** What all calls of one transaction, or of one query, share. */
class Run {
  readonly transaction: Host['transaction'];
  /** Of the transaction; undefined in a query. */
  readonly #calls: readonly Call[] | undefined;
  readonly #chain: ChainView;
  readonly block: BlockContext;
  readonly deps: ExecutionDeps;
  readonly overlay: Overlay;
  readonly tank: Tank;
  readonly events: EmittedEvent[] = [];
  readonly written: WrittenVersion[] = [];
  readonly #isQuery: boolean;
  callIndex = 0;
  gasBeside = 0;
  #depth = 0;

  constructor(
    tx: Host['transaction'],
    calls: readonly Call[] | undefined,
    block: BlockContext,
    chain: ChainView,
    deps: ExecutionDeps,
    gasLimit: number,
    isQuery: boolean,
  ) {
    this.transaction = tx;
    this.#calls = calls;
    this.#chain = chain;
    this.block = block;
    this.deps = deps;
    this.overlay = new Overlay(chain);
    this.tank = new Tank(gasLimit);
    this.#isQuery = isQuery;
  }

  /**
   * Built-in contracts ask for the rights they need; deployed ones know of none, so it is asked where a transaction enters one. Judged
   * again at each call, since the one before may have taken the right away. @throws ContractFailure
   */
  requireRightToCall(account: string): void {
    const read = (contract: string, key: ByteText): Uint8Array | undefined => {
      this.tank.use(GAS.read);
      const bytes = this.overlay.get(stateKey(contract, key));
      if (bytes !== undefined) this.tank.use(bytes.length * (GAS.perByteRead + GAS_PER_ENTRY_JSON_BYTE));
      return bytes;
    };
    if (!may(read, account, RIGHT_TO_CALL, undefined, this.block.timestampMs))
      throw new ContractFailure('CONTRACT_RIGHT_MISSING', { right: RIGHT_TO_CALL, account });
  }

  /** The first body that a query reads is paid for beside its gas limit, which leaves no room for it, and counts as gas it used. */
  #payForBody(): void {
    const gas = bodyGas(this.block.parameters);
    if (this.#isQuery && this.gasBeside === 0) this.gasBeside = gas;
    else this.tank.use(gas);
  }

  /** @throws ExecutionFault when the chain holds no such call: the state said there was one. */
  callAt({ height, index, call }: CallPosition): Call {
    const isHere = this.#calls !== undefined && height === this.block.height; // a query stands on a block that is stored
    const isOwn = isHere && index === this.transaction.index;
    if (!isHere) this.#payForBody();
    const bytes = isOwn ? undefined : this.#chain.transaction(height, index);
    if (bytes) this.tank.use(bytes.length * GAS.perBodyByte);
    const found = (bytes ? decodeTransaction(bytes).calls : this.#calls!)[call];
    if (!found) throw new ExecutionFault(`Transaction ${index} of height ${height} has no call ${call}`);
    return found;
  }

  /** @throws ContractFailure, with everything the call did undone when it was nested. */
  call(contract: string, method: string, args: Uint8Array, caller: string, readOnly: boolean): Uint8Array {
    this.tank.use(GAS.call + args.length * GAS.perArgumentByte);
    if (this.#depth === 0) return this.#enter(contract, method, args, caller, readOnly);
    const checkpoint = this.overlay.begin();
    const eventCount = this.events.length;
    const writtenCount = this.written.length;
    try {
      const result = this.#enter(contract, method, args, caller, readOnly);
      this.overlay.keep();
      return result;
    } catch (error) {
      this.overlay.revert(checkpoint);
      this.events.length = eventCount;
      this.written.length = writtenCount;
      if (error instanceof ContractFailure) this.tank.use(GAS.failure); // a fault stays one, though no gas is left
      throw error;
    }
  }

  #enter(contract: string, method: string, args: Uint8Array, caller: string, readOnly: boolean): Uint8Array {
    if (this.#depth >= CALL_DEPTH_MAX) throw new ContractFailure('CONTRACT_DEPTH_EXCEEDED', { callDepthMax: CALL_DEPTH_MAX });
    this.#depth++;
    try {
      const builtin = this.deps.builtins.get(contract);
      if (builtin !== undefined) return this.#callBuiltin(builtin, method, args, caller, readOnly);
      if (ADDRESS.test(contract)) return this.#callDeployed(contract, method, args, caller, readOnly);
      throw new ContractFailure('CONTRACT_UNKNOWN', { contract: contract.slice(0, NAME_BYTES_MAX) });
    } finally {
      this.#depth--;
    }
  }

  #callBuiltin(builtin: BuiltinContract, method: string, args: Uint8Array, caller: string, readOnly: boolean): Uint8Array {
    if (!readOnly && Object.hasOwn(builtin.methods, method))
      return builtin.methods[method]!(new Frame(this, builtin.name, caller, false), args);
    if (Object.hasOwn(builtin.queries, method)) return builtin.queries[method]!(new Frame(this, builtin.name, caller, true), args);
    throw methodUnknown(builtin.name, method);
  }

  #callDeployed(address: string, method: string, args: Uint8Array, caller: string, readOnly: boolean): Uint8Array {
    const row = this.#deployedRow(address);
    if (row.state === 'terminated') throw new ContractFailure('CONTRACT_TERMINATED', { contract: address });
    if (row.state === 'paused' && !this.#isQuery) throw new ContractFailure('CONTRACT_PAUSED', { contract: address });
    const code = this.#checkedCode(row);
    const { methods, queries } = this.#checkedImage(row, code);
    const isQuery = queries.includes(method);
    if (!isQuery && (readOnly || !methods.includes(method))) throw methodUnknown(address, method);
    const frame = new Frame(this, address, caller, isQuery);
    const result = this.deps.machine.run(code, method, args, frame, this.tank, isQuery, row.codeDigest);
    this.tank.use(result.length * GAS.perResultByte);
    return result;
  }

  #deployedRow(address: string): DeployedEntry {
    const bytes = this.overlay.get(stateKey(CONTRACT.deployed, deployedKey.entry(address)));
    this.tank.use(GAS.read + (bytes?.length ?? 0) * GAS.perByteRead);
    if (bytes === undefined) throw new ContractFailure('CONTRACT_UNKNOWN', { contract: address });
    return JSON.parse(fromUtf8(bytes)) as DeployedEntry;
  }

  /** Deployed code cannot be changed unlawfully: it runs only while it is what the row says (6.2.4.c). */
  #checkedCode(row: DeployedEntry): Uint8Array {
    this.tank.use(GAS.read + row.codeBytes * GAS.perCodeByte);
    const code = this.overlay.get(stateKey(CONTRACT.deployed, deployedKey.code(row.codeDigest)));
    if (code === undefined || code.length !== row.codeBytes || toHex(this.deps.hash(code)) !== row.codeDigest)
      throw new ContractFailure('CONTRACT_CODE_DAMAGED', { contract: row.address, codeDigest: row.codeDigest });
    return code;
  }

  /** An image that differs from the one in the deploy receipt means that this node does not run the bundle the chain agreed on. */
  #checkedImage(row: DeployedEntry, code: Uint8Array): LoadedContract {
    let loaded: LoadedContract;
    try {
      loaded = this.deps.machine.load(code, row.codeDigest);
    } catch (error) {
      throw new ExecutionFault(`Code ${row.codeDigest} was deployed and no longer loads`, error);
    }
    if (loaded.imageDigest !== row.imageDigest)
      throw new ExecutionFault(`Image of ${row.address} is ${loaded.imageDigest}, its deploy receipt says ${row.imageDigest}`);
    return loaded;
  }
}

/** The host one running contract sees. */
class Frame implements Host {
  readonly self: string;
  readonly caller: string;
  readonly #run: Run;
  readonly #prefix: ByteText;
  readonly #readOnly: boolean;

  constructor(run: Run, self: string, caller: string, readOnly: boolean) {
    this.self = self;
    this.caller = caller;
    this.#run = run;
    this.#prefix = stateKey(self, '');
    this.#readOnly = readOnly;
  }

  get block(): BlockContext {
    return this.#run.block;
  }

  get transaction(): Host['transaction'] {
    return this.#run.transaction;
  }

  get callIndex(): number {
    return this.#run.callIndex;
  }

  hash(data: Uint8Array): Digest {
    this.#run.tank.use(GAS.hash + data.length * GAS.perByteHashed);
    return this.#run.deps.hash(data);
  }

  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    this.#run.tank.use(GAS.verify + message.length * GAS.perByteVerified);
    return this.#run.deps.verify(suite, publicKey, message, signature);
  }

  get(key: ByteText): Uint8Array | undefined {
    return this.#read(this.#prefix + key);
  }

  read(contract: string, key: ByteText): Uint8Array | undefined {
    return this.#read(stateKey(contract, key));
  }

  #read(fullKey: ByteText): Uint8Array | undefined {
    this.#run.tank.use(GAS.read);
    const value = this.#run.overlay.get(fullKey);
    if (value !== undefined) this.#run.tank.use(value.length * GAS.perByteRead);
    return value;
  }

  put(key: ByteText, value: Uint8Array): void {
    this.#refuseReadOnly('put');
    this.#run.tank.use(GAS.write + key.length * GAS.perKeyByteWritten + value.length * GAS.perByteWritten);
    this.#run.deps.answers?.wrote(this.self);
    this.#run.overlay.set(this.#prefix + key, value);
  }

  delete(key: ByteText): void {
    this.#refuseReadOnly('delete');
    this.#run.tank.use(GAS.write + key.length * GAS.perKeyByteWritten);
    this.#run.deps.answers?.wrote(this.self);
    this.#run.overlay.set(this.#prefix + key, undefined);
  }

  cached<T>(question: string, find: () => T): T {
    const { deps, tank } = this.#run;
    return deps.answers ? deps.answers.cached(question, tank, find) : find();
  }

  callAt(position: CallPosition): Call {
    return this.#run.callAt(position);
  }

  emit(name: string, data: Uint8Array): void {
    this.#refuseReadOnly('emit');
    const run = this.#run;
    run.tank.use(GAS.event + data.length * GAS.perByteEmitted);
    if (run.events.length >= EVENTS_PER_TRANSACTION_MAX)
      throw new ContractFailure('CONTRACT_EVENTS_TOO_MANY', { eventsMax: EVENTS_PER_TRANSACTION_MAX });
    run.events.push({ call: run.callIndex, contract: this.self, name, data });
  }

  tell(written: WrittenVersion): void {
    this.#refuseReadOnly('tell');
    this.#run.written.push(written);
  }

  call(contract: string, method: string, args: Uint8Array): Uint8Array {
    return this.#run.call(contract, method, args, this.self, this.#readOnly);
  }

  useGas(units: number): void {
    this.#run.tank.use(units);
  }

  get gasLeft(): number {
    return this.#run.tank.left;
  }

  #refuseReadOnly(what: string): void {
    if (this.#readOnly) throw new ContractFailure('CONTRACT_READ_ONLY', { contract: this.self, what });
  }
}

function methodUnknown(contract: string, method: string): ContractFailure {
  return new ContractFailure('CONTRACT_METHOD_UNKNOWN', { contract, method: method.slice(0, NAME_BYTES_MAX) });
}

/**
 * A contract's failure as it is. What the format layer refused while a built-in read its arguments (its own exceptions, worded by us, the
 * same everywhere) is bad arguments. Anything else is a fault.
 */
function failureOf(error: unknown): ContractFailure {
  if (error instanceof ContractFailure) return error;
  if (error instanceof DecodeError) return new ContractFailure('CONTRACT_ARGS_INVALID', { reason: error.reason });
  if (error instanceof RangeError && !isHostFault(error)) return new ContractFailure('CONTRACT_ARGS_INVALID', { reason: error.message });
  if (error instanceof ExecutionFault) throw error;
  throw new ExecutionFault(isHostFault(error) ? 'The host ran out of stack or memory' : 'A built-in contract broke a rule', error);
}

/** The facts of a failure, cut so that they fit a receipt; cutting depends on nothing but the facts. */
function detailOf(failure: ContractFailure): Uint8Array {
  const detail = failure.detail as { readonly [name: string]: Json };
  try {
    const whole = encodeJson(withWellFormedTexts(detail));
    if (whole.length <= RECEIPT_DETAIL_BYTES_MAX) return whole;
    const cut = encodeJson({ ...(shorten(withWellFormedTexts(detail)) as { readonly [name: string]: Json }), cut: true });
    return cut.length <= RECEIPT_DETAIL_BYTES_MAX ? cut : encodeJson({ cut: true });
  } catch (error) {
    throw new ExecutionFault(`The detail of ${failure.code} is no JSON`, error);
  }
}

/** A text cut in the middle of a character, or made so by a contract, must not stop a node. */
function withWellFormedTexts(value: Json): Json {
  if (typeof value === 'string') return wellFormed(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withWellFormedTexts);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [wellFormed(name), withWellFormedTexts(item as Json)]));
}

function shorten(value: Json): Json {
  if (typeof value === 'string') return [...value].slice(0, DETAIL_TEXT_UNITS_MAX).join('');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, DETAIL_LIST_COUNT_MAX).map(shorten);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shorten(item as Json)]));
}
