/**
 * What a node offers above its chain: the record service with query index and sealed store, and the exchange log. Made from a node and
 * stores alone, so that whoever has these (a real machine, a simulated one) has the services too.
 */
import { anchoredHead, auditKey, CONTRACT, entryOf, registryKey, type StateView, stateKey } from '../contracts/index.ts';
import { ChainError } from './errors/index.ts';
import { type Anchors, createExchangeWatch, type ExchangeFault, type ExchangeLog, openExchangeLog } from './feeds/index.ts';
import { type ByteText, encodeJson, prefixEnd } from './format/index.ts';
import type { Node } from './node.ts';
import { createPause, createSlices, type Headroom } from './pace/index.ts';
import type { Part } from './parts.ts';
import {
  type Aead,
  type Bodies,
  createClassLookup,
  createInclusions,
  createIndexFeeder,
  createMissingRows,
  createRecordService,
  createSealedReplication,
  createSealedSettlement,
  createSealedStore,
  openRecordIndex,
  recordEvidence,
  type RecordService,
} from './records/index.ts';
import type { Network, Store, World } from './world.ts';

/** Gas of the transaction that anchors the exchange log. */
const ANCHOR_GAS = 50_000_000;

export interface ServicesOptions {
  readonly world: World;
  readonly network: Network;
  readonly node: Node;
  /** The exchange log is written to `local`; `index` may be deleted, it is made anew from blocks. */
  readonly stores: { readonly local: Store; readonly index: Store; readonly sealed: Store };
  readonly aead: Aead;
  /** Encrypts sealed values at rest, 32 bytes. */
  readonly sealedStoreKey: Uint8Array;
  /** Keys that salts of sealed fields derive from, the newest first. */
  readonly sealingKeys: () => readonly { readonly id: string; readonly secret: Uint8Array }[];
  readonly bodies: Bodies;
  readonly headroom?: Headroom;
  readonly limits?: ServicesLimits;
}

/** A node's own affair; each has its default. */
export interface ServicesLimits {
  /** New entries of the exchange log after which its head is anchored on chain. */
  readonly anchorEntries?: number;
  /** After this time at the latest, ms. */
  readonly anchorMs?: number;
}

export interface Services {
  readonly records: RecordService;
  readonly exchanges: ExchangeLog;
  /** In the order they stand on one another. Each is to be started after the node. */
  readonly parts: readonly Part[];
  /** Make good for a damaged value of the store; resolve with what did, undefined when nothing does. */
  readonly menders: {
    readonly index: (key: ByteText) => Promise<string | undefined>;
    readonly sealed: (key: ByteText) => Promise<string | undefined>;
  };
}

export async function createServices(options: ServicesOptions): Promise<Services> {
  const { world, network, node, stores, aead, bodies, headroom, sealingKeys } = options;
  const { node: self, organisation } = node.info;
  const missing = createMissingRows(node, world.log);
  const index = await openRecordIndex(stores.index, world.crypto, createClassLookup(node.state), missing.onMissing);
  const sealed = createSealedStore(stores.sealed, aead, world.random, options.sealedStoreKey, createPause(world));
  const replication = createSealedReplication({
    world,
    network,
    requests: node.requests,
    sealed,
    store: stores.sealed,
    aead,
    sealingKeys,
    isOwn: (peer) => isActiveNodeOf(node.state, peer, organisation),
    isForeign: (peer) => ownerOf(node.state, peer) !== organisation,
    onKeysDiffer: (peer, keyId) => void node.raiseAlarm('SEALED_KEYS_DIFFER', 'warning', { node: peer, keyId }),
    onKeysFit: (fits) =>
      node.resolveAlarms('SEALED_KEYS_DIFFER', (detail) => fits((detail as { node: string }).node), { by: 'the keys held' }),
  });
  const feeder = createIndexFeeder({
    index,
    blocks: node.blocks,
    state: node.state,
    height: () => node.head().height,
    timers: world.timers,
    clock: world.clock,
    log: world.log,
  });
  missing.mendBy(() => feeder.rebuild());
  const settlement = createSealedSettlement({
    sealed,
    async outcome(id) {
      const status = await node.transaction(id);
      return status.state === 'confirmed' ? status.receipt.status : undefined;
    },
    height: () => node.head().height,
    log: world.log,
    pause: createPause(world),
  });
  const records = createRecordService({
    ...(headroom ? { headroom } : {}),
    bodies,
    node,
    crypto: world.crypto,
    index,
    sealed,
    sealingKeys: () => sealingKeys().map(({ secret }) => secret),
    inclusions: createInclusions({ ...node.blocks, receiptBytes: node.receiptBytes }, world.crypto, createSlices(world)),
    blocks: node.blocks,
    timers: world.timers,
    clock: world.clock,
    evidence: (recordId, version, withTransaction) => recordEvidence(node, world.crypto, recordId, version, withTransaction),
  });

  const anchorAccount = `${self}@${organisation}`;
  const anchors: Anchors = async (count, limit) => {
    const [from, end] = [auditKey.anchor(self, count), prefixEnd(auditKey.anchorsOf(self))];
    return (await node.stateRange(CONTRACT.audit, from, end, limit)).map(({ value }) => anchoredHead(value));
  };
  const onFault = (fault: ExchangeFault): void => void node.raiseAlarm('EXCHANGE_LOG_REWRITTEN', 'critical', { ...fault });
  const exchanges = await openExchangeLog({
    ...options.limits,
    store: stores.local,
    world,
    anchors,
    lastAnchor() {
      const last = node.state.get(stateKey(CONTRACT.audit, auditKey.last(self)));
      return last && anchoredHead(last);
    },
    onCut: onFault,
    anchor: async ({ sequence, link }) => {
      if (!node.state.get(stateKey(CONTRACT.registry, registryKey.entry('account', anchorAccount))))
        throw new ChainError('KEY_NOT_HELD', { account: anchorAccount, node: self });
      const args = encodeJson({ node: self, head: link, count: sequence });
      await node.submit(await node.signFor(anchorAccount, [{ contract: CONTRACT.audit, method: 'anchor', args }], ANCHOR_GAS));
    },
  });
  const exchangeWatch = createExchangeWatch({ store: stores.local, world, anchors, onFault });

  node.onCommitted((committed) => {
    feeder.onBlock(committed);
    settlement.onBlock();
  });
  return {
    records,
    exchanges,
    parts: [
      { name: 'sealed replication', start: () => replication.start(), stop: () => replication.stop() },
      { name: 'sealed settlement', stop: () => settlement.idle() },
      { name: 'query index', start: () => feeder.start(), stop: () => feeder.stop() },
      { name: 'exchange log', stop: () => exchanges.stop() },
      { name: 'exchange watch', start: () => exchangeWatch.start(), stop: () => exchangeWatch.stop() },
    ],
    menders: {
      async index() {
        await feeder.rebuild();
        return 'blocks';
      },
      sealed: async (key) => ((await replication.mend(key)) ? 'a node of the organisation' : undefined),
    },
  };
}

/** Organisation of a registered node, in whatever state it is. */
function ownerOf(state: StateView, node: string): string | undefined {
  return entryOf((contract, key) => state.get(stateKey(contract, key)), 'node', node)?.owner;
}

/** Whether the chain registers the node, active, to the active organisation. */
function isActiveNodeOf(state: StateView, node: string, organisation: string): boolean {
  const read = (contract: string, key: ByteText) => state.get(stateKey(contract, key));
  const entry = entryOf(read, 'node', node);
  return entry?.state === 'active' && entry.owner === organisation && entryOf(read, 'organisation', organisation)?.state === 'active';
}
