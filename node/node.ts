/**
 * A node: mempool, chain, consensus driver, peering, outbox and alarms around one ledger, behind the NodeService door. Everything it
 * touches of the machine comes in through World, Network, Store and the executor; whoever creates it chooses the adapters.
 */
import { raiseChainAlarms, raiseVoteLogLost } from './chain-alarms.ts';
import { createChainReads } from './chain-reads.ts';
import { createAlarmRaiser, createHealth, createOutbox, openAlarms } from './feeds/index.ts';
import {
  createChain,
  createConsensusDriver,
  createLeftOut,
  createMempool,
  createReceipts,
  createTip,
  createWorkNotice,
  openPendingBodies,
  type Waiting,
} from './chain/index.ts';
import { PRODUCER_CHANGED } from '../consensus/index.ts';
import { type ByteText, type Json, openGenesis } from './format/index.ts';
import {
  type BlockStore,
  boundedProofs,
  type Committed,
  createBlockStore,
  createFinalState,
  createStateRows,
  createSweep,
  examineBlocks,
  openSpentIds,
  readReceipts,
  repairWith,
  sharedRow,
  validateSealedBlock,
} from './ledger/index.ts';
import { createMembership, createPeering, createRepairer, createSpreading, Requests, type Standing, watchPeers } from './peers/index.ts';
import { createPause } from './pace/index.ts';
import { Parts } from './parts.ts';
import type { Alarm, Head, NodeService } from './service.ts';
import { damagedKey, keyspace } from './store/index.ts';
import { createCustody } from './custody.ts';
import { DAMAGE, damageOf, LOST, reportingDamage } from './damage.ts';
import { lastSigned } from './last-signed.ts';
import type { NodeOptions } from './options.ts';
import { createSubmit } from './submit.ts';

export const NODE_VERSION = '0.1.0';

export interface Node extends NodeService {
  /** A row of the ledger's store was found damaged: raises the alarm and repairs it. */
  damaged(key: ByteText): void;
  /** Questions to and from peers. */
  readonly requests: Requests;
  /**
   * Looks for rows of final blocks that are missing or damaged, and has them repaired. `rest` is awaited now and then; its rejection ends
   * it.
   */
  examineBlocks(rest: () => Promise<void>): Promise<void>;
  /** Says on a standing alarm that what it is about has been put right. What a full disk does not take is written when there is room. */
  resolveAlarm(kind: string, detail: Json, resolution: Json): Promise<void>;
  /** Called for each alarm that is new or has changed. Returns a function that ends it. */
  onAlarm(listener: (alarm: Alarm) => void): () => void;
  /** The same for every alarm of the kind that stands and whose detail `about` accepts; does not wait for the disk. */
  resolveAlarms(kind: string, about: (detail: Json) => boolean, resolution: Json): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly blocks: BlockStore;
  /** Receipts of a final block; those of the latest are not read from disk. */
  readonly receiptBytes: BlockStore['receiptBytes'];
  /** Called with every final block, in order, after it is stored. */
  onCommitted(listener: (committed: Committed) => void): () => void;
}

/**
 * Opens the stored chain (or writes genesis) and puts the parts together; nothing runs before `start`. What is handed in stays the caller's
 * to stop, after the node; the network alone is started and stopped here.
 */
export async function createNode(options: NodeOptions): Promise<Node> {
  const { world, network, store } = options;
  const { crypto } = world;
  const { executor, reader } = reportingDamage(options, (key) => damaged(key));
  const genesis = openGenesis(crypto, options.genesisText);
  const opened = await executor.open();
  const blocks = createBlockStore(store, options.files, (key) => damaged(key));
  const rows = createStateRows(store);
  const state = createFinalState(rows);
  const alarms = await openAlarms({ store: options.local, prefix: keyspace.alarm, clock: world.clock, log: world.log });
  const { raise, resolve, resolveAll, stop: stopAlarms } = createAlarmRaiser(alarms, world.timers);
  const pending = await openPendingBodies(options.files, blocks, crypto);
  const tip = createTip(opened, { account: state.account, spent: await openSpentIds(blocks, opened.height) });
  const mempool = createMempool({
    crypto,
    verifier: world.verifier,
    clock: world.clock,
    limits: options.mempool,
    context: tip.admission,
  });
  const receipts = createReceipts({ crypto, blocks, mempool, clock: world.clock, timers: world.timers });
  mempool.onRejected(receipts.onRejected);
  const requests = new Requests({ network, world });
  const peeringLimits = options.limits?.peering;
  const spreading = createSpreading({
    world,
    network,
    requests,
    mempool,
    parameters: () => tip.configuration.parameters,
    ...(peeringLimits ? { fetchHashesMax: peeringLimits.fetchHashesMax } : {}),
  });
  const chain = createChain({
    world,
    self: options.node,
    executor,
    tip,
    mempool,
    pending,
    store,
    seal: options.signWithValidatorKey,
    spreading,
  });
  const outbox = createOutbox({
    source: {
      height: () => tip.height,
      receipts: async (height, pause) => (await readReceipts({ receiptBytes: receipts.bytesOf }, height, pause)) ?? [],
    },
    store: options.local,
    prefix: keyspace.outboxCursor,
    timers: world.timers,
    pause: () => createPause(world),
    log: world.log,
  });
  let stopping = false;

  /** A backup may owe nothing after it: what waited cannot stand in a block any more. */
  async function handOver(primary: string): Promise<void> {
    try {
      if ((await spreading.handOver(primary)) > 0) work.tell();
    } catch (error) {
      world.log.error({ primary, error: String(error) }, 'what waits could not be handed over');
    }
  }

  function onAdmitted(entries: readonly Waiting[]): void {
    for (const entry of entries) {
      leftOut.onAdmitted(entry);
      work.tell(entry);
    }
  }

  /** A row of the ledger does not match its checksum or its hash: it is said, and repaired from what is sound here and at peers. */
  function damaged(key: ByteText): void {
    if (stopping) return;
    raise(DAMAGE, 'critical', damageOf(key));
    repairer.damaged(key);
  }

  const repairer = createRepairer({
    world,
    network,
    repair: repairWith(options.executor, options.files),
    getRow: (peer, key, height) => requests.getRow(peer, key, height),
    onRepaired: (key, by) => {
      state.changed();
      for (const kind of [DAMAGE, LOST]) void resolve(kind, damageOf(key), { ...by });
    },
    onLost: (key) => raise(LOST, 'critical', damageOf(key)),
  });
  const sweep = createSweep({ files: options.files, blocks, ledger: options.executor, world });
  const peerWatch = watchPeers({ network, timers: world.timers, raise, resolve: resolveAll });
  const { height, hash, configuration } = tip.now();
  let deciding = configuration.validators.some((validator) => validator.node === options.node);
  const driver = createConsensusDriver({
    engine: configuration.engine,
    start: {
      chainId: genesis.chainId,
      self: options.node,
      validators: configuration.validators,
      height,
      digest: hash,
      finality: soundOrUndefined(finalityAt(height)),
      signedHeight: lastSigned(finalityAt, configuration.engine, options.node, height),
      parameters: configuration.parameters,
      ...(options.limits?.engine ? { limits: options.limits.engine } : {}),
    },
    crypto: { hash: crypto.hash, verify: crypto.verify, sign: options.signWithValidatorKey },
    world,
    network,
    voteLog: options.voteLog,
    chain,
    ...(options.limits?.inbox ? { inbox: options.limits.inbox } : {}),
    faultsSaid: alarms.list().flatMap(({ kind, resolvedAtMs }) => (resolvedAtMs === undefined ? [kind] : [])),
    ...(options.createEngine ? { create: options.createEngine } : {}),
  });
  const work = createWorkNotice({
    clock: world.clock,
    timers: world.timers,
    dueInMs: (entry) => mempool.dueInMs(driver.status().producer === options.node ? 'self' : 'other', entry),
    workWaiting: (waiting) => driver.workWaiting(waiting),
  });
  const leftOut = createLeftOut({
    self: options.node,
    nowMs: () => world.clock.monotonic(),
    mempool,
    raise,
    resolve: resolveAll,
  });
  const peering = createPeering({
    world,
    network,
    requests,
    spreading,
    mempool,
    blocks,
    chainId: genesis.chainId,
    tip: tip.now,
    onStanding,
    wasExpelled: alarms.list().some(({ kind, resolvedAtMs }) => kind === EXPELLED && resolvedAtMs === undefined),
    heldTransaction: chain.heldTransaction,
    applyBlock: async (bytes, finality) => driver.delivered(await chain.applyBlock(bytes, finality)),
    sharedRow: (key, height) => sharedRow(store, blocks, key, height, createPause(world)),
    onAdmitted,
    ...(peeringLimits ? { limits: peeringLimits } : {}),
  });
  const membership = createMembership({
    world,
    network,
    rows,
    state,
    self: options.node,
    onSelf: (active) => peering.standing.namedByChain(active),
    onExpelled: () => peering.announce(),
    damaged,
  });

  chain.on('committed', onCommitted);
  chain.on('wanted', ({ height, from }) => peering.sync(height, from));
  chain.on('idle', ({ primary }) => void handOver(primary));
  chain.on('note', ({ event }) => {
    if (event === PRODUCER_CHANGED) work.tell(); // what a new producer proposes is not what another expected
  });
  raiseChainAlarms({ chain, log: world.log, raise, resolveAll });
  raiseVoteLogLost(options.voteLog.lost, raise);
  let expelled = false;
  const health = createHealth({
    world,
    node: options.node,
    alarms: () => alarms.list(),
    raise,
    resolve: resolveAll,
    height: () => tip.height,
    parameters: () => tip.configuration.parameters,
    status: () => driver.status(),
    fault: () => driver.fault(),
    behind: () => driver.behind(),
    working: () => mempool.size().count > 0,
    expelled: () => expelled,
  });

  function onStanding(standing: Standing): void {
    expelled = standing.state === 'expelled';
    const fields = { by: standing.by, peers: standing.peers, height: tip.height, seenHeight: standing.seen?.height };
    if (expelled) {
      world.log.warn({ code: EXPELLED, ...fields }, 'this node is expelled and stays quiet');
      raise(EXPELLED, 'critical', { node: options.node });
    } else {
      world.log.info(fields, 'this node is let in again');
      void resolve(EXPELLED, { node: options.node }, { by: 'peers' });
    }
  }

  /** 'damaged' when it is there and cannot be read: a start must not hang on it. */
  function finalityAt(at: number): Uint8Array | 'damaged' | undefined {
    try {
      return blocks.finality(at);
    } catch (error) {
      const key = damagedKey(error);
      if (key === undefined) throw error;
      damaged(key);
      return 'damaged';
    }
  }

  function onCommitted(committed: Committed): void {
    if (committed.registryChanged) {
      state.changed();
      membership.changed();
    }
    if (committed.barrier) noticeBarrier(committed.height);
    spreading.onBlock(committed.transactionIds.length);
    receipts.onCommitted(committed);
    work.tell();
    sweep.onBlock();
    const { height, header } = tip.now();
    health.onBlock({ height, proposer: header.proposer, timestampMs: header.timestampMs });
    leftOut.onBlock({ height, proposer: header.proposer, transactionIds: committed.transactionIds });
    world.timers.after(0, outbox.onBlock); // callers who wait for this block are answered before its events are read
  }

  /** The engine follows the validators of each height by itself; this is for who reads the log. */
  function noticeBarrier(height: number): void {
    const decides = tip.configuration.validators.some((validator) => validator.node === options.node);
    if (decides !== deciding)
      world.log.warn({ height, decides }, decides ? 'this node is a validator from now on' : 'this node is no validator any longer');
    deciding = decides;
  }

  function head(): Head {
    const { height, hash, header } = tip.now();
    return { height, hash, timestampMs: header.timestampMs, stateRoot: header.stateRoot, era: header.era };
  }

  const submit = createSubmit({
    self: options.node,
    network,
    tip,
    mempool,
    health,
    spreading,
    refusal: () => (stopping ? 'NODE_STOPPING' : expelled ? EXPELLED : undefined),
    onAdmitted,
  });

  // A new network makes its first block as soon as its primary sees the other validators; without one of them, when the idle interval is
  // over. A backup owes none meanwhile: it may see all of them long before the primary does, and would leave its view alone.
  const others = configuration.validators.filter((validator) => validator.node !== options.node).map((validator) => validator.node);
  network.onPeer(() => {
    if (tip.height > 0 || driver.status().producer !== options.node) return;
    const connected = new Set(network.peers().flatMap((peer) => (peer.connected ? [peer.node] : [])));
    if (others.every((node) => connected.has(node))) driver.workWaiting(true);
  });

  const parts = new Parts();
  parts.add(
    { name: 'membership', start: () => membership.start(), stop: () => membership.stop() },
    { name: 'network', start: () => network.start(), stop: () => network.stop() },
    { name: 'chain', stop: () => chain.idle() },
    { name: 'outbox', stop: () => outbox.stop() },
    { name: 'repair', stop: () => repairer.stop() },
    { name: 'peering', start: () => peering.start(), stop: () => peering.stop() },
    { name: 'consensus', start: () => driver.start(), stop: () => driver.stop() },
    { name: 'work notice', stop: () => work.stop() },
    { name: 'alarms', stop: stopAlarms },
    { name: 'peer watch', stop: () => peerWatch.stop() },
    { name: 'health', start: () => health.start(), stop: () => health.stop() },
    { name: 'sweep', start: () => sweep.start(), stop: () => sweep.stop() },
  );

  return {
    info: {
      node: options.node,
      organisation: options.organisation,
      chainId: genesis.chainId,
      genesisHash: genesis.genesisHash,
      genesisText: options.genesisText,
      version: NODE_VERSION,
      executionVersion: genesis.configuration.executionVersion,
      bundleDigest: executor.bundleDigest,
    },
    blocks,
    receiptBytes: receipts.bytesOf,
    requests,
    damaged,
    examineBlocks: (rest) => examineBlocks(store, blocks, crypto, tip.height, damaged, createPause(world), rest),
    head,
    parameters: () => tip.configuration.parameters,
    state,
    consensus: () => driver.status(),
    health: () => ({ checks: health.checks(), dueForMs: health.dueForMs(), stalled: health.stalled() }),
    leftOut: () => leftOut.count(),
    peers: () => network.peers(),
    standing: () => peering.standing.standing(),
    inbox: () => ({ dropped: driver.framesDropped }),
    swept: () => sweep.swept(),
    mempool: () => ({ ...mempool.size(), heldBack: mempool.heldBack() }),
    submit,
    checkBacklog: (account) => mempool.checkBacklog(account),
    transaction: receipts.status,
    awaitTransaction: (id, timeoutMs) => receipts.wait(id, timeoutMs),
    validateBlock: (bytes) =>
      validateSealedBlock(
        {
          crypto,
          verifier: world.verifier,
          blocks,
          executor,
          tip: tip.parentFacts,
          account: state.account,
          nowMs: () => world.clock.now(),
          pause: createPause(world),
        },
        bytes,
      ),
    query: (caller, contract, method, args) => reader.query(caller, contract, method, args),
    events: (after, limit) => outbox.events(after, limit),
    onEvents: (listener) => chain.on('committed', ({ height }) => listener(height)),
    onBlock: (listener) => chain.on('committed', () => listener(head())),
    onCommitted: (listener) => chain.on('committed', listener),
    alarms: async () => alarms.list(),
    raiseAlarm: async (kind, severity, detail) => raise(kind, severity, detail),
    onAlarm: alarms.onChange,
    resolveAlarms: resolveAll,
    resolveAlarm: resolve,
    acknowledgeAlarm: (id, by) => alarms.acknowledge(id, by),
    ...createChainReads({ world, store, blocks, rows, tip, mempool, prove: boundedProofs(executor) }),
    ...createCustody({
      world,
      self: options.node,
      chainId: genesis.chainId,
      state,
      tip,
      reader,
      sign: options.signWithCustodialKey,
    }),
    start: () => parts.start(),
    async stop() {
      stopping = true;
      await parts.stop();
    },
  };
}

const soundOrUndefined = (finality: Uint8Array | 'damaged' | undefined) => (finality === 'damaged' ? undefined : finality);

const EXPELLED = 'NODE_EXPELLED';
