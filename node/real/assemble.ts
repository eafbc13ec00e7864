/**
 * Adapter: a node on real parts. Opens the stores, the vote log, the executor's thread, the verify pool and libp2p under one data
 * directory, and hands them to createNode. Layout: `chain/` ledger, `blocks/` bodies of its blocks, `local/` alarms, exchanges,
 * credentials, `index/` query indexes (may be deleted), `sealed/` sealed values, `votes.log`; `state-map.pages` while it runs.
 */
import { join } from 'node:path';
import { entryOf, stateKey } from '../../contracts/index.ts';
import { createCrypto, createVerifyPool } from '../crypto/index.ts';
import {
  BLOCK_FILES_DIRECTORY,
  type BlockFiles,
  createStateRows,
  ledgerKey,
  openBlockFiles,
  startExecutorThread,
  startReaderThread,
} from '../ledger/index.ts';
import { createLibp2pNetwork } from '../network/index.ts';
import { type Headroom, watchHeadroom } from '../pace/index.ts';
import { collectLessOften, optimiseLaterWhileNew } from './heap.ts';
import { createLoopMeter } from './loop-delay.ts';
import { createNode, type Node } from '../node.ts';
import { Parts } from '../parts.ts';
import type { Alarm } from '../service.ts';
import { type ByteText, type Json, openGenesis, toHex } from '../format/index.ts';
import type { ChainError } from '../errors/index.ts';
import {
  CHAIN_WRITE_BUFFER_BYTES,
  createSyncMarks,
  type DamagedFile,
  damagedKey,
  dropDamagedLocal,
  droppedFor,
  type LevelStore,
  type LevelStoreOptions,
  openDerivedStore,
  openDirectory,
  openLevelStore,
  openVoteLog,
  type SegmentDamage,
  VOTE_LOG_FILE,
} from '../store/index.ts';
import { createRealWorld, realTimers } from './world.ts';
import type { Clock, Log, Network, Store, World } from '../world.ts';
import type { NodeConfig } from '../config/index.ts';
import { type Keystore, NODE_KEY, validatorKeyId } from '../keystore/index.ts';

export interface RealNode {
  readonly node: Node;
  readonly world: World;
  readonly network: Network;
  /** What the threads may take whose work can wait. */
  readonly headroom: Headroom;
  /** Alarms, exchange log, credentials, idempotency. */
  readonly local: Store;
  readonly index: Store;
  readonly sealed: Store;
  /** Sets what restores a damaged value of a store whose meaning is known elsewhere. */
  onDamaged(store: 'index' | 'sealed', mend: Mender): void;
  /** First multiaddr listened on, once started. */
  p2pAddress(): string;
  /** Stops the node and closes every store. */
  stop(): Promise<void>;
}

/** Resolves with what restored the value of this key; undefined when nothing did. */
export type Mender = (key: ByteText) => Promise<string | undefined>;

export interface AssembleOptions {
  /** Paths resolved. */
  readonly config: NodeConfig;
  readonly genesisText: string;
  readonly keystore: Keystore;
  readonly log: Log;
  /** A part that the node cannot go on without has died; the caller ends the process. */
  readonly onFatal: (error: Error) => void;
}

const ALARMING: ReadonlySet<string> = new Set(['STORE_DAMAGED', 'STORE_FULL', 'STORE_IO']);
/** Rest of the thread after each table file of a scrub, ms: reading one takes about as much of it as a few hundred votes. */
const SCRUB_PAUSE_MS = 50;
/** Scratch file of the state map. */
const PAGES_FILE = 'state-map.pages';
/** A store without a failure for this long counts as well again, ms. */
export const STORE_IO_CALM_MS = 60_000;
/** Faults met while the node opens, reported once it is there. */
const FAULTS_KEPT_MAX = 1_000;
/** Damaged stretches of the block files that one line of the log names. */
const DAMAGE_KEPT_MAX = 100;

/** @throws ChainError of whatever cannot be opened; nothing stays open then. */
export async function assembleNode(options: AssembleOptions): Promise<RealNode> {
  collectLessOften();
  const { config, keystore, log, genesisText } = options;
  const parts = new Parts();
  try {
    parts.add({ name: 'optimised later', stop: optimiseLaterWhileNew(realTimers) });
    const crypto = createCrypto();
    const verifier = createVerifyPool({ crypto, log, workers: config.verifyWorkers });
    parts.add({ name: 'signature checks', stop: () => verifier.stop() });
    const world = createRealWorld({ log, crypto, verifier });
    const headroom = watchHeadroom(createLoopMeter(), world);
    parts.add({ name: 'headroom', stop: headroom.stop });
    const early: { readonly name: string; readonly fault: ChainError }[] = [];
    let alarmed = (name: string, fault: ChainError, _mendedBy?: string): void => {
      log.error({ store: name, code: fault.code }, 'store fault');
      if (early.length < FAULTS_KEPT_MAX) early.push({ name, fault });
    };
    let failed = (_name: string): void => undefined;
    let written = (_name: string): void => undefined;
    let answered = (_name: string): void => undefined;
    const stores: { readonly name: string; readonly store: LevelStore }[] = [];
    const optionsOf = (name: string): LevelStoreOptions => ({
      path: join(config.dataDir, name),
      onFault: (fault) => alarmed(name, fault),
      onWritten: () => written(name),
    });
    const opened = (name: string, store: LevelStore): LevelStore => {
      stores.push({ name, store });
      parts.add({ name: `store ${name}`, stop: () => store.close() });
      return store;
    };
    const open = async (name: string, more: Partial<LevelStoreOptions> = {}) =>
      opened(name, await openLevelStore({ ...optionsOf(name), ...more }));
    const syncMarks = createSyncMarks();
    const store = await open('chain', { multithreading: true, syncMarks, writeBufferBytes: CHAIN_WRITE_BUFFER_BYTES });
    const local = await open('local');
    await dropDamagedLocal(local);
    const openedIndex = await openDerivedStore(optionsOf('index'), toHex(world.random.bytes(4)));
    const index = opened('index', openedIndex.store);
    const sealed = await open('sealed');
    // After the stores, whose locks keep a second process away from the log; genesis is written after it, so a chain with rows has had one.
    const voteLog = await openVoteLog(join(config.dataDir, VOTE_LOG_FILE), { expected: await holdsRows(store) });
    parts.add({ name: 'vote log', stop: () => voteLog.close() });
    if (voteLog.tornBytes > 0) log.warn({ tornBytes: voteLog.tornBytes }, 'torn end of the vote log dropped');
    const genesis = openGenesis(crypto, genesisText);
    const blocksPath = join(config.dataDir, BLOCK_FILES_DIRECTORY);
    const files = await openBlockFiles({
      directory: await openDirectory(blocksPath),
      chainId: genesis.chainId,
      world,
      onFault: (fault) => alarmed('blocks', fault),
      onWritten: () => written('blocks'),
      onRead: () => answered('blocks'),
    });
    parts.add({ name: 'block files', stop: () => files.close() });
    if (files.tornBytes > 0) log.warn({ tornBytes: files.tornBytes }, 'torn end of the block files dropped');
    const ledger = { storePath: join(config.dataDir, 'chain'), blocksPath, genesisText };
    const reader = startReaderThread(ledger, { ...world, headroom }, (name, fault) => alarmed(name, fault));
    parts.add({ name: 'reader', stop: () => reader.stop() });
    const readers = {
      async release() {
        const letReaderGo = await reader.release();
        const reopen = await store.release();
        return () => reopen().finally(letReaderGo);
      },
    };
    const map = { mapMemoryBytesMax: config.mapMemoryBytesMax, pagesPath: join(config.dataDir, PAGES_FILE) };
    const executor = await startExecutorThread({ ...ledger, ...map, syncMarks }, world, readers, options.onFatal, {
      onFault: (name, fault, mendedBy) => alarmed(name, fault, mendedBy),
      onWritten: (name) => written(name),
    });
    parts.add({ name: 'executor', stop: () => executor.stop() }); // before the stores: a database closes when all threads have let go
    let head = (): number => 0;
    const network = await createLibp2pNetwork({
      world,
      self: config.node,
      chainId: genesis.chainId,
      genesisHash: genesis.genesisHash,
      transportSeed: keystore.secret(NODE_KEY.transport),
      listen: [`/ip4/${config.p2p.host}/tcp/${config.p2p.port}`],
      bootstrap: config.bootstrap,
      height: () => head(),
    });
    const rows = createStateRows(store);
    // The engine tries its key while the node is made.
    let stateOf = (key: ByteText): Uint8Array | undefined => rows.get(ledgerKey.state(key));
    const registeredKey = (): string | undefined =>
      entryOf((contract, key) => stateOf(stateKey(contract, key)), 'node', config.node)?.data.validatorKey;
    const node = await createNode({
      world,
      network,
      store,
      files,
      local,
      voteLog,
      executor,
      reader,
      genesisText,
      node: config.node,
      organisation: config.organisation,
      signWithValidatorKey: (message) => keystore.sign(validatorKeyId(keystore, registeredKey()), message),
      signWithCustodialKey: (message) => keystore.sign(NODE_KEY.custodial, message),
      mempool: { countMax: config.mempoolCountMax, bytesMax: config.mempoolBytesMax },
    });
    parts.add({ name: 'node', stop: () => node.stop() });
    await reader.ready; // it came up beside the executor, which has loaded the state map
    stateOf = (key) => node.state.get(key); // its rows are kept in memory
    head = () => node.head().height; // from memory: a greeting must not hang on the disk
    const menders = new Map<string, Mender>();
    const unmended: { readonly name: string; readonly fault: ChainError }[] = [];
    /** Resolves with what restored the value; undefined when nothing does. */
    const mend = async (name: string, key: ByteText): Promise<string | undefined> => {
      const mender = menders.get(name);
      if (mender) return mender(key);
      const reason = name === 'local' ? droppedFor(key) : undefined;
      if (reason !== undefined) await local.batch([{ key, value: undefined }], { sync: true });
      return reason;
    };
    alarmed = (name, fault, mendedBy) => {
      if (!ALARMING.has(fault.code)) return;
      const key = damagedKey(fault);
      if (name === 'chain' && key !== undefined) return node.damaged(key);
      if (fault.code === 'STORE_IO') failed(name);
      const detail = { store: name, ...keyOf(fault) };
      const raised = node.raiseAlarm(fault.code, 'critical', detail);
      if (mendedBy !== undefined) void raised.then(() => node.resolveAlarm(fault.code, detail, { by: mendedBy }));
      if (key === undefined) return;
      if (name !== 'local' && !menders.has(name) && unmended.length < FAULTS_KEPT_MAX) unmended.push({ name, fault });
      mend(name, key).then(
        (by) => (by === undefined ? undefined : node.resolveAlarm(fault.code, detail, { by })),
        (error: unknown) => log.error({ ...detail, error: String(error) }, 'damaged value not made good'),
      );
    };
    for (const { name, fault } of early) alarmed(name, fault);
    if (openedIndex.setAside !== undefined) {
      const detail = { store: 'index', setAside: openedIndex.setAside };
      await node.raiseAlarm('STORE_DAMAGED', 'critical', detail);
      await node.resolveAlarm('STORE_DAMAGED', detail, { by: 'blocks' });
    }
    const storeWatch = createStoreWatch(node, world.clock, await node.alarms());
    failed = storeWatch.failed;
    written = storeWatch.written;
    answered = storeWatch.answered;
    node.onCommitted(() => written('chain')); // the executor's thread writes that one
    const scrubbing = new AbortController();
    const scrubbed = scrubStores({ stores, files }, scrubbing.signal, world, {
      async tables(name, damaged, pause) {
        node.resolveAlarms('STORE_DAMAGED', soundNow(name, damaged), { by: 'reading all files again' });
        for (const each of damaged) {
          await node.raiseAlarm('STORE_DAMAGED', 'critical', { store: name, ...each });
          if (name === 'chain') await node.examineBlocks(pause);
        }
      },
      // Which blocks a stretch belongs to is said by their rows. That of a proposal that came to nothing belongs to none; one still to be
      // decided is had from the other voters.
      async blocks(damaged, pause) {
        log.error({ damaged }, 'stretches of the block files are damaged');
        await node.examineBlocks(pause);
      },
    });
    parts.add({
      name: 'scrub',
      stop() {
        scrubbing.abort();
        return scrubbed;
      },
    });
    return {
      node,
      world,
      network,
      headroom,
      local,
      index,
      sealed,
      onDamaged(name, mender) {
        menders.set(name, mender);
        for (const met of unmended.splice(0)) alarmed(met.name, met.fault);
      },
      p2pAddress: () => network.addresses[0] ?? '',
      stop: () => parts.stop(),
    };
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

/**
 * Takes back the alarms STORE_FULL and STORE_IO of a store: the first once something was written to it, the other by the first write, or
 * read that is told of, after it has failed nobody for STORE_IO_CALM_MS, since it may come of a read that fails now and then.
 */
export function createStoreWatch(
  node: Pick<Node, 'resolveAlarms' | 'onAlarm'>,
  clock: Pick<Clock, 'monotonic'>,
  standing: readonly Alarm[],
): Readonly<Record<'failed' | 'written' | 'answered', (name: string) => void>> {
  const full = new Set<unknown>();
  /** Store -> monotonic ms of its last STORE_IO. */
  const failedMs = new Map<unknown, number>();
  const failed = (name: unknown): void => void failedMs.set(name, clock.monotonic());
  const note = ({ kind, detail, resolvedAtMs }: Alarm): void => {
    const { store } = detail as { readonly store?: unknown };
    if (kind === 'STORE_FULL' && resolvedAtMs === undefined) full.add(store);
    if (kind === 'STORE_IO' && resolvedAtMs === undefined) failed(store);
  };
  for (const alarm of standing) note(alarm);
  node.onAlarm(note);
  const about =
    (name: string) =>
    (detail: Json): boolean =>
      (detail as { readonly store?: unknown }).store === name;
  const calm = (name: string, by: string): void => {
    const lastMs = failedMs.get(name);
    if (lastMs === undefined || clock.monotonic() - lastMs < STORE_IO_CALM_MS) return;
    failedMs.delete(name);
    node.resolveAlarms('STORE_IO', about(name), { by, calmForMs: STORE_IO_CALM_MS });
  };
  return {
    failed,
    written(name) {
      if (full.delete(name)) node.resolveAlarms('STORE_FULL', about(name), { by: 'a write' });
      calm(name, 'a write');
    },
    answered: (name) => calm(name, 'a read'),
  };
}

/**
 * Accepts what STORE_DAMAGED says of a file of the store that is gone or whole now: the store has written it anew since, or its disk was
 * mended.
 */
export function soundNow(name: string, damaged: readonly DamagedFile[]): (detail: Json) => boolean {
  const files = new Set<unknown>(damaged.map(({ file }) => file));
  return (detail) => {
    const { store, file } = detail as { readonly store?: unknown; readonly file?: unknown };
    return store === name && file !== undefined && !files.has(file);
  };
}

async function holdsRows(store: Store): Promise<boolean> {
  try {
    return (await store.range({ from: '', to: undefined, limit: 1 })).length > 0;
  } catch (error) {
    if (damagedKey(error) === undefined) throw error;
    return true;
  }
}

/** The damaged key names the entry; of a full disk the numbers change all the time and would make each an alarm of its own. */
function keyOf({ code, data }: ChainError): { readonly key?: string } {
  return code === 'STORE_DAMAGED' && typeof data.key === 'string' ? { key: data.key } : {};
}

/**
 * Reads every table file and the block files once, slowly, beside the running node: damage that no read meets would else be found when it
 * is needed.
 */
async function scrubStores(
  { stores, files }: { readonly stores: readonly { readonly name: string; readonly store: LevelStore }[]; readonly files: BlockFiles },
  signal: AbortSignal,
  world: World,
  report: {
    tables(name: string, damaged: readonly DamagedFile[], pause: () => Promise<void>): Promise<void>;
    blocks(damaged: readonly SegmentDamage[], pause: () => Promise<void>): Promise<void>;
  },
): Promise<void> {
  const pause = async (): Promise<void> => {
    await new Promise<void>((resolve) => void world.timers.after(SCRUB_PAUSE_MS, resolve));
    signal.throwIfAborted();
  };
  try {
    for (const { name, store } of stores) await report.tables(name, await store.scrub(pause), pause);
    const damaged: SegmentDamage[] = [];
    for await (const found of files.examine(pause)) if (damaged.length < DAMAGE_KEPT_MAX) damaged.push(found);
    if (damaged.length > 0) await report.blocks(damaged, pause);
  } catch (error) {
    if (!signal.aborted) world.log.error({ error: String(error) }, 'stores could not be read through');
  }
}
