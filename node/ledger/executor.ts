/**
 * The ledger's executor: builds, checks, executes and stores blocks on the last final state. Synchronous but for writing; one instance owns the
 * authenticated map. A candidate is an overlay until `commit` writes it in one batch: block, certificate, receipts, state, undo, map,
 * id -> position (design: chain, "Storage"). Runs in a worker thread in a node and inline in the simulator.
 */
import {
  type BlockContext,
  ContractFailure,
  type BuiltinContract,
  type ContractMachine,
  CONTRACT,
  configurationOf,
  executeTransaction,
  type Execution,
  genesisWrites,
  queryContract,
  stateKey,
} from '../../contracts/index.ts';
import {
  type ByteText,
  type Certificate,
  type ConsensusConfiguration,
  type Crypto,
  compareBytes,
  consensusHashOf,
  type DecodedTransaction,
  type Digest,
  decodeHeader,
  decodeJson,
  encodeBlock,
  encodeCertificate,
  encodeConfiguration,
  encodeHeader,
  encodeReceipt,
  HEADER_VERSION,
  type Header,
  headerHash,
  merkleRoot,
  openGenesis,
  openTransaction,
  type Receipt,
  RECEIPT_DETAIL_BYTES_MAX,
  toByteText,
  toHex,
  utf8,
  Writer,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import type { BlockCheck } from '../service.ts';
import type { Clock, Store, StoreOperation } from '../world.ts';
import { type AccountView, type AdmissionContext, admit, readAccount } from './admission.ts';
import { createBlockStore, encodeHead, encodePosition } from './block-store.ts';
import { check, checkHeader, failed, type ParentFacts } from './checks.ts';
import { ledgerKey } from './keys.ts';
import { createStateMap, type MapWrite, type StagedMap } from './state-map.ts';
import { encodeUndo } from './undo.ts';

export const CANDIDATES_MAX = 8; // overlays held at once; the oldest is dropped (it can be executed again)
export const QUERY_GAS_MAX = 500_000_000; // gas of one read-only call
const STATE_CACHE_ENTRIES_MAX = 20_000; // hot rows of registry, access and governance kept in memory

/** A transaction whose signature the shell has verified under `publicKey`. */
export interface VerifiedTransaction {
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface BuildRequest {
  readonly height: number;
  readonly parent: Digest;
  readonly timestampMs: number;
  readonly proposer: string;
  readonly engineData: Uint8Array;
  readonly transactions: readonly VerifiedTransaction[];
  /** After so many ms no further transaction is begun, but one at least: what takes the proposer long takes every backup as long. */
  readonly workMsMax: number;
}

export interface Built {
  readonly hash: Digest;
  readonly headerBytes: Uint8Array;
  /** Positions in the request of the transactions that went in. */
  readonly included: readonly number[];
  /** Transactions that may not stand in this block, with the reason; those merely left out for room are in neither list. */
  readonly refused: readonly { readonly index: number; readonly code: string }[];
}

export interface ExecuteRequest {
  readonly headerBytes: Uint8Array;
  readonly transactions: readonly VerifiedTransaction[];
}

export interface Executed {
  readonly hash: Digest;
  readonly parent: Digest;
  /** Empty when this replica's own execution agrees with the header. */
  readonly failed: readonly BlockCheck[];
}

export interface CommitRequest {
  readonly hash: Digest;
  readonly seal: Uint8Array;
  readonly certificate: Certificate | undefined;
}

export interface Committed {
  readonly height: number;
  readonly hash: Digest;
  readonly headerBytes: Uint8Array;
  readonly transactionIds: readonly Digest[];
  readonly receipts: readonly Uint8Array[];
  /** Configuration of the next height, encoded; judged by header.nextConsensusHash. */
  readonly configuration: Uint8Array;
  /** True when the block is a barrier: the configuration differs from the one it was judged by. */
  readonly barrier: boolean;
  /** True when registry, access or governance state changed: cached accounts and admitted nodes must be read again. */
  readonly registryChanged: boolean;
}

export interface ExecutorDependencies {
  readonly store: Store;
  readonly crypto: Crypto;
  /** Bounds what a proposer puts into a block; no verdict depends on it. */
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
  readonly genesisText: string;
  /** Signature suite of the validators; Ed25519 when absent. Only a simulator hands in another. */
  readonly suite?: number;
}

export interface Executor {
  /** Opens the stored chain, or writes the genesis block. */
  open(): Promise<Committed>;
  build(request: BuildRequest): Built;
  execute(request: ExecuteRequest): Executed;
  /** @throws ChainError BLOCK_NOT_FOUND when the block was not executed here, or so long ago that it was let go. */
  commit(request: CommitRequest): Promise<Committed>;
  query(caller: string, contract: string, method: string, args: Uint8Array): { result: Uint8Array; gasUsed: number; height: number };
  prove(contract: string, key: ByteText): { height: number; proof: Uint8Array };
}

interface Candidate {
  readonly hash: Digest;
  readonly headerBytes: Uint8Array;
  readonly header: Header;
  readonly outcome: Outcome;
}

interface Outcome {
  readonly transactions: readonly Uint8Array[];
  readonly transactionIds: readonly Digest[];
  readonly receipts: readonly Uint8Array[];
  readonly writes: ReadonlyMap<ByteText, Uint8Array | undefined>;
  readonly before: ReadonlyMap<ByteText, Uint8Array | undefined>;
  readonly staged: StagedMap;
  readonly configuration: ConsensusConfiguration;
  readonly registryChanged: boolean;
}

/** What the last final block fixed. */
interface Tip {
  height: number;
  hash: Digest;
  header: Header;
  headerBytes: Uint8Array;
  configuration: ConsensusConfiguration;
}

const CACHED_SPACES = [CONTRACT.registry, CONTRACT.access, CONTRACT.governance].map((contract) => stateKey(contract, ''));

export function createExecutor(deps: ExecutorDependencies): Executor {
  const { store, crypto } = deps;
  const blocks = createBlockStore(store);
  const genesis = openGenesis(crypto, deps.genesisText, deps.suite);
  const map = createStateMap({ get: (key) => store.get(key) }, crypto, ledgerKey.mapPrefix);
  const candidates = new Map<string, Candidate>();
  const hot = new Map<ByteText, Uint8Array | undefined>();
  const accounts = new Map<string, AccountView | undefined>();
  let tip: Tip;

  function readFinal(key: ByteText): Uint8Array | undefined {
    if (!CACHED_SPACES.some((space) => key.startsWith(space))) return store.get(ledgerKey.state(key));
    if (hot.has(key)) return hot.get(key);
    const value = store.get(ledgerKey.state(key));
    if (hot.size >= STATE_CACHE_ENTRIES_MAX) hot.clear();
    hot.set(key, value);
    return value;
  }

  function readContract(contract: string, key: ByteText): Uint8Array | undefined {
    return readFinal(stateKey(contract, key));
  }

  function account(id: string): AccountView | undefined {
    if (accounts.has(id)) return accounts.get(id);
    const view = readAccount(readContract, id);
    if (accounts.size >= STATE_CACHE_ENTRIES_MAX) accounts.clear();
    accounts.set(id, view);
    return view;
  }

  function parentFacts(): ParentFacts {
    const { header } = tip;
    return {
      hash: tip.hash,
      height: tip.height,
      timestampMs: header.timestampMs,
      era: header.era,
      chainId: header.chainId,
      configuration: tip.configuration,
    };
  }

  /**
   * Executes transactions in order on the tip. Selecting, those that may not stand or do not fit are left out, and the rest when `untilMs` is over;
   * without `untilMs`, one such transaction makes the whole list refused.
   */
  function run(
    height: number,
    timestampMs: number,
    transactions: readonly VerifiedTransaction[],
    untilMs: number | undefined,
    decoded?: readonly DecodedTransaction[],
  ) {
    const selecting = untilMs !== undefined;
    const { parameters } = tip.configuration;
    const writes = new Map<ByteText, Uint8Array | undefined>();
    const before = new Map<ByteText, Uint8Array | undefined>();
    const reads = guardedReads((key) => {
      const value = readFinal(key);
      before.set(key, value);
      return value;
    });
    const read = (key: ByteText): Uint8Array | undefined => {
      if (writes.has(key)) return writes.get(key);
      if (before.has(key)) return before.get(key);
      return reads.get(key);
    };
    const block: BlockContext = { chainId: tip.header.chainId, height, timestampMs, era: tip.header.era, parameters };
    const spentHere = new Set<string>();
    const admission: AdmissionContext = {
      chainId: tip.header.chainId,
      height,
      timestampMs: tip.header.timestampMs,
      parameters,
      account,
      spent: (id) => spentHere.has(toByteText(id)) || store.get(ledgerKey.position(id)) !== undefined,
    };
    const included: number[] = [];
    const refused: { index: number; code: string }[] = [];
    const bodies: Uint8Array[] = [];
    const ids: Digest[] = [];
    const hashes: Digest[] = [];
    const receipts: Uint8Array[] = [];
    let bytes = 0;
    let gas = 0;

    for (const [index, verified] of transactions.entries()) {
      if (selecting && bodies.length > 0 && deps.clock.monotonic() >= untilMs) break;
      const opened = decoded?.[index] ?? openTransaction(crypto, verified.bytes);
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
      const execution = reads.during(() =>
        executeTransaction(
          {
            transactionId: opened.id,
            sender: transaction.sender,
            keyId: transaction.keyId,
            keyKind: verdict.key.key.kind,
            gasLimit: transaction.gasLimit,
            calls: transaction.calls,
          },
          block,
          { get: read },
          { builtins: deps.builtins, machine: deps.machine, hash: crypto.hash, verify: crypto.verify },
        ),
      );
      for (const [key, value] of execution.writes) writes.set(key, value);
      spentHere.add(toByteText(opened.id));
      receipts.push(encodeReceipt(receiptOf(execution, opened.id, height, bodies.length, verdict.key.key.kind)));
      included.push(index);
      ids.push(opened.id);
      hashes.push(opened.hash);
      bodies.push(verified.bytes);
      bytes += verified.bytes.length;
      gas += execution.gasUsed;
    }
    return { writes, before, included, refused, bodies, ids, hashes, receipts, bytes };
  }

  function settle(result: ReturnType<typeof run>): Outcome {
    const keys = [...result.writes.keys()].sort();
    const before = new Map<ByteText, Uint8Array | undefined>();
    const mapWrites: MapWrite[] = [];
    let registryChanged = false;
    let governanceChanged = false;
    for (const key of keys) {
      const value = result.writes.get(key);
      mapWrites.push({ key, valueHash: value && crypto.hash(value) });
      if (CACHED_SPACES.some((space) => key.startsWith(space))) registryChanged = true;
      if (key.startsWith(CACHED_SPACES[2]!)) governanceChanged = true;
    }
    const staged = map.stage(mapWrites);
    // The map has just looked every key up: what it did not hold needs no reading.
    for (const key of keys)
      before.set(key, result.before.has(key) ? result.before.get(key) : staged.replaced.has(key) ? readFinal(key) : undefined);
    const configuration = governanceChanged
      ? configurationOf((contract, key) => {
          const full = stateKey(contract, key);
          return result.writes.has(full) ? result.writes.get(full) : readFinal(full);
        })
      : tip.configuration;
    return {
      transactions: result.bodies,
      transactionIds: result.ids,
      receipts: result.receipts,
      writes: result.writes,
      before,
      staged,
      configuration,
      registryChanged,
    };
  }

  function remember(candidate: Candidate): void {
    const name = toHex(candidate.hash);
    candidates.delete(name);
    candidates.set(name, candidate);
    for (const oldest of candidates.keys()) {
      if (candidates.size <= CANDIDATES_MAX) break;
      candidates.delete(oldest);
    }
  }

  function build(request: BuildRequest): Built {
    if (request.height !== tip.height + 1 || compareBytes(request.parent, tip.hash) !== 0)
      throw new Error(`Cannot build ${request.height} on a tip of ${tip.height}`);
    const timestampMs = Math.max(request.timestampMs, tip.header.timestampMs);
    const result = run(request.height, timestampMs, request.transactions, deps.clock.monotonic() + request.workMsMax);
    const outcome = settle(result);
    const header: Header = {
      version: HEADER_VERSION,
      chainId: tip.header.chainId,
      era: tip.header.era,
      height: request.height,
      parentHash: tip.hash,
      timestampMs,
      proposer: request.proposer,
      engine: tip.configuration.engine,
      engineData: request.engineData,
      txRoot: merkleRoot(crypto.hash, result.hashes),
      receiptsRoot: merkleRoot(crypto.hash, outcome.receipts),
      stateRoot: outcome.staged.root,
      consensusHash: consensusHashOf(crypto, tip.configuration),
      nextConsensusHash: consensusHashOf(crypto, outcome.configuration),
    };
    const headerBytes = encodeHeader(header);
    const hash = headerHash(crypto, headerBytes);
    remember({ hash, headerBytes, header, outcome });
    return { hash, headerBytes, included: result.included, refused: result.refused };
  }

  function execute(request: ExecuteRequest): Executed {
    const header = decodeHeader(request.headerBytes);
    const hash = headerHash(crypto, request.headerBytes);
    if (candidates.has(toHex(hash))) return { hash, parent: header.parentHash, failed: [] };
    // The list's own root ties transactions to the header, so a candidate found by hash above stands for the same list.
    const opened = request.transactions.map((transaction) => openTransaction(crypto, transaction.bytes));
    const bytesTotal = request.transactions.reduce((sum, transaction) => sum + transaction.bytes.length, 0);
    const faults = failed(
      checkHeader(
        crypto,
        header,
        hash,
        undefined,
        opened.map((transaction) => transaction.hash),
        bytesTotal,
        parentFacts(),
      ),
    );
    if (header.version !== HEADER_VERSION) faults.push(check('chain', `version ${HEADER_VERSION}`, `version ${header.version}`));
    if (faults.length > 0) return { hash, parent: header.parentHash, failed: faults };

    const result = run(header.height, header.timestampMs, request.transactions, undefined, opened);
    const refusal = result.refused[0];
    if (refusal) {
      const stated = `transaction ${refusal.index} admissible`;
      return {
        hash,
        parent: header.parentHash,
        failed: [check('transactionSignatures', `transaction ${refusal.index}: ${refusal.code}`, stated)],
      };
    }
    const outcome = settle(result);
    const mismatches = failed([
      check('receiptsRoot', toHex(merkleRoot(crypto.hash, outcome.receipts)), toHex(header.receiptsRoot)),
      check('stateRoot', toHex(outcome.staged.root), toHex(header.stateRoot)),
      check('consensusHash', toHex(consensusHashOf(crypto, outcome.configuration)), toHex(header.nextConsensusHash)),
    ]);
    if (mismatches.length === 0) remember({ hash, headerBytes: request.headerBytes, header, outcome });
    return { hash, parent: header.parentHash, failed: mismatches };
  }

  async function commit(request: CommitRequest): Promise<Committed> {
    const candidate = candidates.get(toHex(request.hash));
    if (!candidate) throw new ChainError('BLOCK_NOT_FOUND', { hash: toHex(request.hash) });
    const { header, headerBytes, hash, outcome } = candidate;
    if (header.height !== tip.height + 1) throw new Error(`Cannot commit height ${header.height} on a tip of ${tip.height}`);
    const { height } = header;
    const barrier = compareBytes(header.consensusHash, header.nextConsensusHash) !== 0;
    const operations: StoreOperation[] = [
      { key: ledgerKey.header(height), value: headerBytes },
      { key: ledgerKey.body(height), value: encodeBlock({ header, seal: request.seal, transactions: outcome.transactions }) },
      { key: ledgerKey.receipts(height), value: new Writer(4096).list(outcome.receipts, (w, receipt) => w.bytes(receipt)).finish() },
      { key: ledgerKey.heightOfHash(hash), value: new Writer(8).u64(height).finish() },
      { key: ledgerKey.undo(height), value: encodeUndo([...outcome.before].map(([key, value]) => ({ key, before: value }))) },
      { key: ledgerKey.head, value: encodeHead({ height, hash, stateRoot: header.stateRoot }) },
    ];
    if (request.certificate) operations.push({ key: ledgerKey.certificate(height), value: encodeCertificate(request.certificate) });
    if (barrier) operations.push({ key: ledgerKey.configuration(height + 1), value: encodeConfiguration(outcome.configuration) });
    const undoDropped = height - outcome.configuration.parameters.rollbackDepthMax;
    if (undoDropped > 0) operations.push({ key: ledgerKey.undo(undoDropped), value: undefined });
    for (const [index, id] of outcome.transactionIds.entries())
      operations.push({ key: ledgerKey.position(id), value: encodePosition({ height, index }) });
    for (const [key, value] of outcome.writes) operations.push({ key: ledgerKey.state(key), value });
    for (const operation of outcome.staged.operations) operations.push(operation);
    await store.batch(operations, { sync: true });

    map.commit(outcome.staged);
    if (outcome.registryChanged) {
      hot.clear();
      accounts.clear();
    }
    candidates.clear();
    tip = { height, hash, header, headerBytes, configuration: outcome.configuration };
    return {
      height,
      hash,
      headerBytes,
      transactionIds: outcome.transactionIds,
      receipts: outcome.receipts,
      configuration: encodeConfiguration(outcome.configuration),
      barrier,
      registryChanged: outcome.registryChanged,
    };
  }

  async function open(): Promise<Committed> {
    const head = blocks.head();
    if (head) return openStored(head.height);
    const writes = genesisWrites(genesis.genesis);
    const keys = [...writes.keys()].sort();
    const staged = map.stage(keys.map((key) => ({ key, valueHash: crypto.hash(writes.get(key)!) })));
    const consensusHash = consensusHashOf(crypto, genesis.configuration);
    const header: Header = {
      version: HEADER_VERSION,
      chainId: genesis.chainId,
      era: 0,
      height: 0,
      parentHash: new Uint8Array(32),
      timestampMs: genesis.genesis.timestampMs,
      proposer: '',
      engine: genesis.configuration.engine,
      engineData: new Uint8Array(0),
      txRoot: merkleRoot(crypto.hash, []),
      receiptsRoot: merkleRoot(crypto.hash, []),
      stateRoot: staged.root,
      consensusHash,
      nextConsensusHash: consensusHash,
    };
    const headerBytes = encodeHeader(header);
    const hash = headerHash(crypto, headerBytes);
    const operations: StoreOperation[] = [
      { key: ledgerKey.genesis, value: utf8(deps.genesisText) },
      { key: ledgerKey.header(0), value: headerBytes },
      { key: ledgerKey.body(0), value: encodeBlock({ header, seal: new Uint8Array(0), transactions: [] }) },
      { key: ledgerKey.receipts(0), value: new Writer(4).list([], () => undefined).finish() },
      { key: ledgerKey.heightOfHash(hash), value: new Writer(8).u64(0).finish() },
      { key: ledgerKey.configuration(0), value: encodeConfiguration(genesis.configuration) },
      { key: ledgerKey.head, value: encodeHead({ height: 0, hash, stateRoot: staged.root }) },
      ...keys.map((key) => ({ key: ledgerKey.state(key), value: writes.get(key) })),
      ...staged.operations,
    ];
    await store.batch(operations, { sync: true });
    map.commit(staged);
    return openStored(0);
  }

  async function openStored(height: number): Promise<Committed> {
    const headerBytes = blocks.headerBytes(height);
    const receipts = blocks.receiptBytes(height);
    const block = blocks.block(height);
    if (!headerBytes || !receipts || !block) throw new Error(`The stored head ${height} is incomplete`);
    const header = decodeHeader(headerBytes);
    if (compareBytes(header.chainId, genesis.chainId) !== 0)
      throw new Error('The data directory belongs to another chain than the genesis file');
    if (compareBytes(map.root(), header.stateRoot) !== 0) throw new Error('The stored map does not match the state root of the head');
    const configuration = await blocks.configuration(height + 1);
    tip = { height, hash: headerHash(crypto, headerBytes), header, headerBytes, configuration };
    return {
      height,
      hash: tip.hash,
      headerBytes,
      transactionIds: block.transactions.map((bytes) => openTransaction(crypto, bytes).id),
      receipts,
      configuration: encodeConfiguration(configuration),
      barrier: compareBytes(header.consensusHash, header.nextConsensusHash) !== 0,
      registryChanged: true,
    };
  }

  return {
    open,
    build,
    execute,
    commit,
    query(caller, contract, method, args) {
      const { header } = tip;
      const block = {
        chainId: header.chainId,
        height: header.height,
        timestampMs: header.timestampMs,
        era: header.era,
        parameters: tip.configuration.parameters,
      };
      const reads = guardedReads(readFinal);
      const answer = reads.during(() =>
        queryContract(
          { contract, method, args, caller, gasLimit: QUERY_GAS_MAX },
          block,
          { get: reads.get },
          { builtins: deps.builtins, machine: deps.machine, hash: crypto.hash, verify: crypto.verify },
        ),
      );
      if (answer.status === 'failed') throw new ContractFailure(answer.code, decodeJson(answer.detail) as Record<string, unknown>);
      return { result: answer.result, gasUsed: answer.gasUsed, height: header.height };
    },
    prove(contract, key) {
      return { height: tip.height, proof: map.prove(stateKey(contract, key)) };
    },
  };
}

/**
 * Reads whose failure (a damaged entry, a store that is being opened anew) reaches the caller as it was: a contract, or the machine it runs in, must
 * not turn it into a receipt, which other replicas would not write.
 */
function guardedReads(readStore: (key: ByteText) => Uint8Array | undefined) {
  let failure: { readonly error: unknown } | undefined;
  return {
    get(key: ByteText): Uint8Array | undefined {
      try {
        return readStore(key);
      } catch (error) {
        failure = { error };
        throw error;
      }
    },
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
