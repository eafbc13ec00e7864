/**
 * The ledger's executor: builds, checks and executes blocks on the last final one or on any executed above it (versions.ts), and stores those that are
 * final. Synchronous but for writing; one instance owns the authenticated map, which is in memory. `commit` writes a block in one batch: place of its body, proof
 * of finality, receipts, state, undo, change set of the map, id -> position (design: chain, "Storage"). Runs in a worker thread in a node and inline in the
 * simulator.
 */
import { type BuiltinContract, type ContractMachine, CONTRACT, configurationOf, stateKey } from '../../contracts/index.ts';
import {
  type ByteText,
  type Crypto,
  compareBytes,
  consensusHashOf,
  type DecodedTransaction,
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
  toHex,
  Writer,
} from '../format/index.ts';
import { type ChangeSet, createStateMap, type MapHash, type MapRoom, type MapWrite, PagesDamaged } from '../state/index.ts';
import { createFinalState, isKept } from './final-state.ts';
import { ChainError } from '../errors/index.ts';
import { damagedKey, type Location } from '../store/index.ts';
import type { BlockCheck } from '../service.ts';
import type { Clock, Store, StoreOperation } from '../world.ts';
import { type BlockRun, openVerified, runTransactions, type StateEntry, type VerifiedTransaction } from './block-run.ts';
import type { BlockReads } from './block-files.ts';
import { createBlockStore, decodeForm, encodeHead, encodeLocation, encodePosition, encodeReceipts } from './block-store.ts';
import { check, checkHeader, failed } from './checks.ts';
import { genesisBlock } from './genesis-block.ts';
import { createLedgerImages } from './contract-images.ts';
import { LEDGER_FORM, ledgerKey } from './keys.ts';
import { createLedgerRepair, type LedgerRepair } from './repair.ts';
import { createMapRows } from './map-rows.ts';
import { blockFactsOf } from './record-facts.ts';
import { createStateRows, heightApart, pathOf, stateOperations } from './state-rows.ts';
import { openSpentIds, type SpentIds } from './spent-ids.ts';
import { encodeUndo } from './undo.ts';
import { createVersions, type FinalReads, type Outcome, parentFactsOf, type Version, type Versions } from './versions.ts';

const OPEN_REPAIRS_MAX = 64; // damaged rows put right by one start
const GOVERNANCE_SPACE = stateKey(CONTRACT.governance, '');
/** Nearly all that is written. */
const RECORDS_SPACE = stateKey(CONTRACT.records, '');

export interface BuildRequest {
  readonly height: number;
  readonly parent: Digest;
  readonly timestampMs: number;
  readonly proposer: string;
  readonly engineData: Uint8Array;
  readonly transactions: readonly VerifiedTransaction[];
  /** After so many ms no further transaction is begun, but one at least (node/chain/block-budget.ts). */
  readonly workMsMax: number;
}

export interface Built {
  readonly hash: Digest;
  readonly headerBytes: Uint8Array;
  /** Positions in the request of the transactions that went in. */
  readonly included: readonly number[];
  /** Transactions that may not stand in this block, with the reason; those merely left out for room are in neither list. */
  readonly refused: readonly { readonly index: number; readonly code: string }[];
  /** Transactions were left because the time for it was over. */
  readonly timeUp: boolean;
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
  /** What the records of the block say (record-facts.ts); undefined of a block told long ago. */
  readonly recordFacts: Uint8Array | undefined;
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
  /** Bounds what a proposer puts into a block and how long a stop takes; no verdict depends on it. */
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
  readonly genesisText: string;
  /** Hears of the row of a body that cannot be read. */
  readonly onDamaged?: (key: ByteText) => void;
  /** VERSIONS_MAX unless given. */
  readonly versionsMax?: number;
  /** Without it the whole state map stays in memory. */
  readonly mapRoom?: MapRoom;
  /** The map was loaded anew, since its page file gave back other bytes. */
  readonly onMapLoaded?: (fault: PagesDamaged) => void;
}

export interface Executor extends LedgerRepair {
  /** Opens the stored chain, or writes the genesis block. */
  open(): Promise<Committed>;
  /** @throws ChainError BLOCK_NOT_FOUND when the parent is not the last final block and not held as executed on it */
  build(request: BuildRequest): Promise<Built>;
  execute(request: ExecuteRequest): Promise<Executed>;
  /**
   * Writes the block; its sync comes before the next one is written, and before a vote rests on it.
   * @throws ChainError BLOCK_NOT_FOUND when the block was not executed here, or so long ago that it was let go.
   */
  commit(request: CommitRequest): Promise<Committed>;
  /** Proof of a key of the state (see stateKey), for the header of `height`, the last final one. */
  prove(key: ByteText): Promise<{ readonly height: number; readonly proof: Uint8Array }>;
  /** Resolves when nothing is being written to the store, and what the next start needs is; nothing more is written of itself. */
  stop(): Promise<void>;
}

export function createExecutor(deps: ExecutorDependencies): Executor {
  const { store, crypto } = deps;
  const blocks = createBlockStore(store, deps.files, deps.onDamaged);
  const state = createStateRows(store);
  const genesis = openGenesis(crypto, deps.genesisText);
  const mapRows = createMapRows({ store, hash: crypto, state, clock: deps.clock, room: deps.mapRoom });
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
  const finalState = createFinalState({ get: readRow });
  const finalReads: FinalReads = {
    read: finalState.get,
    account: finalState.account,
    transaction: blocks.transactionNow,
    isSpent: (id, expiryHeight) => spentIds.has(id, expiryHeight),
  };
  let versions: Versions;
  let spentIds: SpentIds;
  /** An opening that failed may have left a map and no versions on it. */
  let stop = (): Promise<void> => mapRows.stop();

  /** @throws ChainError STORE_DAMAGED when the map holds the key and no row does */
  function readRow(row: ByteText): Uint8Array | undefined {
    if (map.has(pathOf(row)) === undefined) return undefined; // in memory: most keys of new records are new
    const value = state.get(row);
    if (value === undefined) throw new ChainError('STORE_DAMAGED', { table: 'state', key: toHex(fromByteText(row)) });
    return value;
  }

  /** Runs `work`, and once more when the page file gave back other bytes: all that the map is made of lies in the store, so nothing is lost. */
  async function onMap<T>(work: () => T): Promise<T> {
    try {
      const lost = mapRows.lost();
      if (lost) throw lost;
      return work();
    } catch (error) {
      if (!(error instanceof PagesDamaged)) throw error;
      await loadMap(versions.final, error);
      return work();
    }
  }

  /** Candidates stood on the map from before: they are executed again when they are asked for. */
  async function loadMap({ hash, header, headerBytes, configuration }: Version, fault: PagesDamaged): Promise<void> {
    map = await mapRows.open(header.height, header.stateRoot);
    versions = createVersions(map, finalReads, { hash, header, headerBytes, configuration }, deps.versionsMax);
    deps.onMapLoaded?.(fault);
  }

  function settle(parent: Version, result: BlockRun): Outcome {
    const { entries } = result;
    const writes = result.writes.sort(byKey);
    let registryChanged = false;
    let governanceChanged = false;
    for (const entry of writes) {
      const { key, value } = entry;
      entry.valueHash = value && crypto.hash(value);
      if (key.startsWith(RECORDS_SPACE)) continue;
      if (isKept(key)) registryChanged = true;
      if (key.startsWith(GOVERNANCE_SPACE)) governanceChanged = true;
    }
    const staged = map.stage(writes, parent.staged);
    // The map has just looked every key up: what it did not hold needs no reading.
    const unread = writes.filter(isUnread);
    const replaced = unread.length === 0 ? undefined : staged.replaced;
    for (const entry of unread) if (replaced!.has(entry.key)) entry.before = parent.read(entry.key);
    const configuration = governanceChanged
      ? configurationOf((contract, key) => {
          const full = stateKey(contract, key);
          const entry = entries.get(full);
          return entry === undefined ? parent.read(full) : entry.value;
        })
      : parent.configuration;
    return {
      transactions: result.bodies,
      transactionIds: result.ids,
      receipts: result.receipts,
      written: result.written,
      entries,
      writes,
      staged,
      configuration,
      registryChanged,
    };
  }

  function build(request: BuildRequest): Built {
    const parent = versions.find(request.parent);
    if (!parent) throw new ChainError('BLOCK_NOT_FOUND', { hash: toHex(request.parent) });
    const { configuration } = parent;
    if (request.height !== parent.height + 1) throw new Error(`Cannot build ${request.height} on ${parent.height}`);
    const timestampMs = Math.max(request.timestampMs, parent.header.timestampMs);
    const result = runTransactions(deps, parent, {
      height: request.height,
      timestampMs,
      transactions: request.transactions,
      untilMs: deps.clock.monotonic() + request.workMsMax,
    });
    const outcome = settle(parent, result);
    const header: Header = {
      version: HEADER_VERSION,
      chainId: parent.header.chainId,
      era: parent.header.era,
      height: request.height,
      parentHash: parent.hash,
      timestampMs,
      proposer: request.proposer,
      engine: configuration.engine,
      engineData: request.engineData,
      txRoot: merkleRoot(crypto.hash, result.hashes),
      receiptsRoot: merkleRoot(crypto.hash, outcome.receipts),
      stateRoot: outcome.staged.root,
      consensusHash: consensusHashOf(crypto, configuration),
      nextConsensusHash: consensusHashOf(crypto, outcome.configuration),
    };
    const headerBytes = encodeHeader(header);
    const hash = headerHash(crypto, headerBytes);
    versions.add(parent, { hash, headerBytes, header }, outcome);
    return { hash, headerBytes, included: result.included, refused: result.refused, timeUp: result.timeUp };
  }

  function execute(request: ExecuteRequest): Executed {
    const header = decodeHeader(request.headerBytes);
    const hash = headerHash(crypto, request.headerBytes);
    if (versions.candidate(hash)) return { hash, parent: header.parentHash, failed: [] };
    // The list's own root ties transactions to the header, so a candidate found by hash above stands for the same list.
    const parent = versions.find(header.parentHash) ?? versions.final; // of one on no block that is held the parent link fails
    const opened: DecodedTransaction[] = [];
    const hashes: Digest[] = [];
    let bytesTotal = 0;
    for (const transaction of request.transactions) {
      const one = openVerified(crypto, transaction);
      opened.push(one);
      hashes.push(one.hash);
      bytesTotal += transaction.bytes.length;
    }
    const faults = failed(checkHeader(crypto, header, hash, undefined, hashes, bytesTotal, parentFactsOf(parent)));
    if (header.version !== HEADER_VERSION) faults.push(check('chain', `version ${HEADER_VERSION}`, `version ${header.version}`));
    if (faults.length > 0) return { hash, parent: header.parentHash, failed: faults };

    const { height, timestampMs } = header;
    const result = runTransactions(deps, parent, { height, timestampMs, transactions: request.transactions, opened });
    const refusal = result.refused[0];
    if (refusal) {
      const stated = `transaction ${refusal.index} admissible`;
      return {
        hash,
        parent: header.parentHash,
        failed: [check('transactionSignatures', `transaction ${refusal.index}: ${refusal.code}`, stated)],
      };
    }
    const outcome = settle(parent, result);
    const mismatches = failed([
      check('receiptsRoot', toHex(merkleRoot(crypto.hash, outcome.receipts)), toHex(header.receiptsRoot)),
      check('stateRoot', toHex(outcome.staged.root), toHex(header.stateRoot)),
      check('consensusHash', toHex(consensusHashOf(crypto, outcome.configuration)), toHex(header.nextConsensusHash)),
    ]);
    if (mismatches.length === 0) versions.add(parent, { hash, headerBytes: request.headerBytes, header }, outcome);
    else map.drop(outcome.staged);
    return { hash, parent: header.parentHash, failed: mismatches };
  }

  async function commit(request: CommitRequest): Promise<Committed> {
    const candidate = versions.candidate(request.hash);
    if (!candidate) throw new ChainError('BLOCK_NOT_FOUND', { hash: toHex(request.hash) });
    if (candidate.parent !== versions.final) throw new Error(`Cannot commit height ${candidate.height} on ${versions.final.height}`);
    const { header, headerBytes, hash, outcome } = candidate;
    const { height } = header;
    const barrier = compareBytes(header.consensusHash, header.nextConsensusHash) !== 0;
    const operations: StoreOperation[] = [
      { key: ledgerKey.header(height), value: headerBytes },
      { key: ledgerKey.body(height), value: encodeLocation(request.body) },
      { key: ledgerKey.receipts(height), value: encodeReceipts(outcome.receipts) },
      { key: ledgerKey.heightOfHash(hash), value: new Writer(8).u64(height).finish() },
      { key: ledgerKey.undo(height), value: encodeUndo(outcome.writes) },
      { key: ledgerKey.head, value: encodeHead({ height, hash, stateRoot: header.stateRoot }) },
    ];
    if (request.finality) operations.push({ key: ledgerKey.certificate(height), value: request.finality });
    if (barrier) operations.push({ key: ledgerKey.configuration(height + 1), value: encodeConfiguration(outcome.configuration) });
    const undoDropped = height - outcome.configuration.parameters.rollbackDepthMax;
    if (undoDropped > 0) operations.push({ key: ledgerKey.undo(undoDropped), value: undefined });
    for (const [index, id] of outcome.transactionIds.entries())
      operations.push({ key: ledgerKey.position(id), value: encodePosition({ height, index }) });
    for (const { key, value, before } of outcome.writes)
      operations.push(...stateOperations(height, key, value, heightApart(store, key, before)));
    const changes: ChangeSet = { height, before: map.root(), after: outcome.staged.root, writes: outcome.writes };
    operations.push(mapRows.changes(changes));
    operations.push(...images.follow(outcome.writes, (key) => candidate.read(key)));
    await store.batch(operations, { sync: false });
    spentIds.add(outcome.transactionIds, height + candidate.parent.configuration.parameters.txLifetimeBlocksMax);

    try {
      versions.advance(candidate);
    } catch (error) {
      if (!(error instanceof PagesDamaged)) throw error;
      await loadMap(candidate, error); // the block is stored
    }
    mapRows.committed(map, changes);
    if (outcome.registryChanged) finalState.changed();
    return {
      height,
      hash,
      headerBytes,
      transactionIds: outcome.transactionIds,
      receipts: outcome.receipts,
      recordFacts: blockFactsOf({ timestampMs: header.timestampMs, versions: outcome.written }),
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
    if (head) judgeForm(store.get(ledgerKey.form));
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

  /** @throws ChainError STORE_FORM */
  function judgeForm(row: Uint8Array | undefined): void {
    const form = row && decodeForm(row);
    if (form !== LEDGER_FORM) throw new ChainError('STORE_FORM', { form: form ?? null, formRead: LEDGER_FORM });
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
    const hash = headerHash(crypto, headerBytes);
    finalState.changed();
    spentIds = await openSpentIds(blocks, height);
    versions = createVersions(map, finalReads, { hash, header, headerBytes, configuration }, deps.versionsMax);
    stop = () => mapRows.finish(map, versions.final.height);
    return {
      height,
      hash,
      headerBytes,
      transactionIds: [], // of a block told long ago; whoever asks reads the block
      receipts: [],
      recordFacts: undefined,
      configuration: encodeConfiguration(configuration),
      barrier: compareBytes(header.consensusHash, header.nextConsensusHash) !== 0,
      registryChanged: true,
    };
  }

  return {
    repair,
    open,
    build: (request) => onMap(() => build(request)),
    execute: (request) => onMap(() => execute(request)),
    commit,
    prove: (key) => onMap(() => ({ height: versions.final.height, proof: map.prove(key) })),
    stop: () => stop(),
  };
}

function isUnread({ isRead }: StateEntry): boolean {
  return !isRead;
}

/** Code unit order is byte order for ByteText. */
function byKey(a: StateEntry, b: StateEntry): number {
  return a.key < b.key ? -1 : 1;
}
