/**
 * The ledger's executor: builds, checks, executes and stores blocks on the last final state. Synchronous but for writing; one instance owns the
 * authenticated map, which is in memory. A candidate is an overlay until `commit` writes it in one batch: header, place of the body, proof of finality, receipts, state, undo, change set of the map,
 * id -> position (design: chain, "Storage"). Runs in a worker thread in a node and inline in the simulator.
 */
import { type BuiltinContract, type ContractMachine, CONTRACT, configurationOf, stateKey } from '../../contracts/index.ts';
import {
  type ByteText,
  type ConsensusConfiguration,
  type Crypto,
  compareBytes,
  consensusHashOf,
  type Digest,
  decodeHeader,
  encodeConfiguration,
  encodeHeader,
  fromByteText,
  HEADER_VERSION,
  type Header,
  headerHash,
  merkleRoot,
  openGenesis,
  openTransaction,
  toHex,
  Writer,
} from '../format/index.ts';
import { type ChangeSet, createStateMap, type MapHash, type MapWrite, type StagedMap } from '../state/index.ts';
import { ChainError } from '../errors/index.ts';
import { damagedKey } from '../store/mend.ts';
import type { BlockCheck } from '../service.ts';
import type { Clock, Store, StoreOperation } from '../world.ts';
import { type AccountView, readAccount } from './admission.ts';
import { type BlockRun, type RunOptions, runTransactions, type VerifiedTransaction } from './block-run.ts';
import type { Location } from '../store/index.ts';
import type { BlockReads } from './block-files.ts';
import { createBlockStore, encodeHead, encodeLocation, encodePosition } from './block-store.ts';
import { check, checkHeader, failed, type ParentFacts } from './checks.ts';
import { genesisBlock } from './genesis-block.ts';
import { createLedgerImages } from './contract-images.ts';
import { ledgerKey } from './keys.ts';
import { createLedgerRepair, type LedgerRepair } from './repair.ts';
import { createMapRows } from './map-rows.ts';
import { createStateRows, heightApart, stateOperations } from './state-rows.ts';
import { encodeUndo } from './undo.ts';

export const CANDIDATES_MAX = 8;
const OPEN_REPAIRS_MAX = 64; // damaged rows put right by one start
const STATE_CACHE_ENTRIES_MAX = 20_000; // hot rows of registry, access and governance kept in memory

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
  readonly finality: Uint8Array | undefined;
  /** Where the body stands in the block files. */
  readonly body: Location;
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
  /** Bodies of final blocks. */
  readonly files: BlockReads;
  readonly crypto: Crypto & MapHash;
  /** Bounds what a proposer puts into a block; no verdict depends on it. */
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
  readonly genesisText: string;
  /** Signature suite of the validators; Ed25519 when absent. Only a simulator hands in another. */
  readonly suite?: number;
  /** Hears of the row of a body that cannot be read. */
  readonly onDamaged?: (key: ByteText) => void;
  /** Overlays held at once; the oldest is dropped (it can be executed again). */
  readonly candidatesMax?: number;
}

export interface Executor extends LedgerRepair {
  /** Opens the stored chain, or writes the genesis block. */
  open(): Promise<Committed>;
  build(request: BuildRequest): Built;
  execute(request: ExecuteRequest): Executed;
  /** @throws ChainError BLOCK_NOT_FOUND when the block was not executed here, or so long ago that it was let go. */
  commit(request: CommitRequest): Promise<Committed>;
  /** Proof of a key of the state (see stateKey), for the header of `height`, the last final one. */
  prove(key: ByteText): { readonly height: number; readonly proof: Uint8Array };
  /** Resolves when nothing is being written to the store; nothing more is written of itself. */
  stop(): Promise<void>;
}

interface Candidate {
  readonly hash: Digest;
  readonly headerBytes: Uint8Array;
  readonly header: Header;
  readonly outcome: Outcome;
}

interface Outcome {
  readonly transactionIds: readonly Digest[];
  readonly receipts: readonly Uint8Array[];
  readonly writes: ReadonlyMap<ByteText, Uint8Array | undefined>;
  readonly before: ReadonlyMap<ByteText, Uint8Array | undefined>;
  readonly staged: StagedMap;
  readonly mapWrites: readonly MapWrite[];
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
  const blocks = createBlockStore(store, deps.files, deps.onDamaged);
  const state = createStateRows(store);
  const genesis = openGenesis(crypto, deps.genesisText, deps.suite);
  const mapRows = createMapRows({ store, hash: crypto, state });
  let map = createStateMap(crypto);
  let opened = false; // the map is the state's
  const { repair } = createLedgerRepair({
    store,
    crypto,
    genesis,
    genesisText: deps.genesisText,
    blocks,
    map: () => (opened ? map : undefined),
    mapRows,
  });
  const images = createLedgerImages({ store, state, machine: deps.machine });
  const candidates = new Map<string, Candidate>();
  const candidatesMax = deps.candidatesMax ?? CANDIDATES_MAX;
  const hot = new Map<ByteText, Uint8Array | undefined>();
  const accounts = new Map<string, AccountView | undefined>();
  let tip: Tip;

  function readFinal(key: ByteText): Uint8Array | undefined {
    if (!CACHED_SPACES.some((space) => key.startsWith(space))) return state.get(ledgerKey.state(key));
    if (hot.has(key)) return hot.get(key);
    const value = state.get(ledgerKey.state(key));
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

  function run(height: number, timestampMs: number, transactions: readonly VerifiedTransaction[], more: RunOptions): BlockRun {
    const isSpent = (id: Digest): boolean => store.get(ledgerKey.position(id)) !== undefined;
    return runTransactions(
      deps,
      { ...tip, read: readFinal, transaction: blocks.transactionNow, account, isSpent },
      { height, timestampMs, transactions, ...more },
    );
  }

  function settle(result: BlockRun): Outcome {
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
      transactionIds: result.ids,
      receipts: result.receipts,
      writes: result.writes,
      before,
      staged,
      mapWrites,
      configuration,
      registryChanged,
    };
  }

  /** Past the bound the one is let go that was executed longest ago. */
  function hold(candidate: Candidate): void {
    for (const [key, { outcome }] of candidates) {
      if (candidates.size < candidatesMax) break;
      candidates.delete(key);
      map.drop(outcome.staged);
    }
    candidates.set(toHex(candidate.hash), candidate);
  }

  function build(request: BuildRequest): Built {
    if (request.height !== tip.height + 1 || compareBytes(request.parent, tip.hash) !== 0)
      throw new Error(`Cannot build ${request.height} on a tip of ${tip.height}`);
    const timestampMs = Math.max(request.timestampMs, tip.header.timestampMs);
    const result = run(request.height, timestampMs, request.transactions, { untilMs: deps.clock.monotonic() + request.workMsMax });
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
    hold({ hash, headerBytes, header, outcome });
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

    const result = run(header.height, header.timestampMs, request.transactions, { opened });
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
    if (mismatches.length === 0) hold({ hash, headerBytes: request.headerBytes, header, outcome });
    else map.drop(outcome.staged);
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
      { key: ledgerKey.body(height), value: encodeLocation(request.body) },
      { key: ledgerKey.receipts(height), value: new Writer(4096).list(outcome.receipts, (w, receipt) => w.bytes(receipt)).finish() },
      { key: ledgerKey.heightOfHash(hash), value: new Writer(8).u64(height).finish() },
      { key: ledgerKey.undo(height), value: encodeUndo([...outcome.before].map(([key, value]) => ({ key, before: value }))) },
      { key: ledgerKey.head, value: encodeHead({ height, hash, stateRoot: header.stateRoot }) },
    ];
    if (request.finality) operations.push({ key: ledgerKey.certificate(height), value: request.finality });
    if (barrier) operations.push({ key: ledgerKey.configuration(height + 1), value: encodeConfiguration(outcome.configuration) });
    const undoDropped = height - outcome.configuration.parameters.rollbackDepthMax;
    if (undoDropped > 0) operations.push({ key: ledgerKey.undo(undoDropped), value: undefined });
    for (const [index, id] of outcome.transactionIds.entries())
      operations.push({ key: ledgerKey.position(id), value: encodePosition({ height, index }) });
    for (const [key, value] of outcome.writes)
      operations.push(...stateOperations(height, key, value, heightApart(store, key, outcome.before.get(key))));
    const changes: ChangeSet = { height, before: map.root(), after: outcome.staged.root, writes: outcome.mapWrites };
    operations.push(mapRows.changes(changes));
    const readNew = (key: ByteText): Uint8Array | undefined => (outcome.writes.has(key) ? outcome.writes.get(key) : readFinal(key));
    operations.push(...images.follow(outcome.writes, readNew));
    await store.batch(operations, { sync: true });

    map.commit(outcome.staged);
    mapRows.committed(map, changes);
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

  /** Rows that a start cannot do without are repaired from the others; what needs peers is left until they can be asked. */
  async function open(): Promise<Committed> {
    for (let repaired = 0; ; repaired++) {
      try {
        return await openOnce();
      } catch (error) {
        const key = damagedKey(error);
        if (key === undefined || repaired === OPEN_REPAIRS_MAX || !(await repairOwn(key))) throw error;
      }
    }
  }

  /** The row, or one that stands in its way. */
  async function repairOwn(key: ByteText): Promise<boolean> {
    const answer = await repair(key);
    if (answer.outcome !== 'wanted' || answer.key === key) return answer.outcome === 'repaired';
    return (await repair(answer.key)).outcome === 'repaired';
  }

  async function openOnce(): Promise<Committed> {
    const head = blocks.head();
    if (head) return openStored(head.height);
    if (blocks.headerBytes(0)) throw new ChainError('STORE_DAMAGED', { key: toHex(fromByteText(ledgerKey.head)) }); // genesis must not be written over a chain
    let changes: ChangeSet | undefined;
    const rootOf = (writes: readonly MapWrite[]): Digest => {
      const before = map.root();
      const staged = map.stage(writes);
      changes = { height: 0, before, after: staged.root, writes };
      map.drop(staged);
      return staged.root;
    };
    const operations = genesisBlock(crypto, genesis, deps.genesisText, rootOf);
    await store.batch([...operations, mapRows.changes(changes!)], { sync: true });
    return openStored(0);
  }

  async function openStored(height: number): Promise<Committed> {
    const headerBytes = blocks.headerBytes(height);
    if (!headerBytes) throw new Error(`The stored head ${height} is incomplete`);
    const header = decodeHeader(headerBytes);
    if (compareBytes(header.chainId, genesis.chainId) !== 0)
      throw new Error('The data directory belongs to another chain than the genesis file');
    map = await mapRows.open(height, header.stateRoot);
    opened = true;
    const configuration = await blocks.configuration(height + 1);
    await images.open();
    tip = { height, hash: headerHash(crypto, headerBytes), header, headerBytes, configuration };
    return {
      height,
      hash: tip.hash,
      headerBytes,
      transactionIds: [], // of a block told long ago; whoever asks reads the block
      receipts: [],
      configuration: encodeConfiguration(configuration),
      barrier: compareBytes(header.consensusHash, header.nextConsensusHash) !== 0,
      registryChanged: true,
    };
  }

  return {
    repair,
    open,
    build,
    execute,
    commit,
    prove: (key) => ({ height: tip.height, proof: map.prove(key) }),
    stop: () => mapRows.stop(),
  };
}
