/** Puts the parts of a node together: the one place where adapters are chosen. */
import { anchoredHead, auditKey, entryOf, may, registryKey, CONTRACT, type StateView, stateKey } from '../../contracts/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { assembleNode } from '../../node/real/assemble.ts';
import type { NodeConfig } from '../../node/config/index.ts';
import { type Anchors, createExchangeWatch, type ExchangeFault } from '../../node/feeds/exchange-audit.ts';
import { openExchangeLog } from '../../node/feeds/exchange-log.ts';
import { type ByteText, encodeJson, hashTagged, prefixEnd, toHex, utf8 } from '../../node/format/index.ts';
import type { Genesis } from '../../contracts/index.ts';
import { createInclusions } from '../../node/records/inclusion.ts';
import { type Keystore, NODE_KEY, sealingKeyIds } from '../../node/keystore/index.ts';
import { createLog } from '../../node/real/log.ts';
import { createLoopMeter, LOOP_HELD_MS_MAX, LOOP_WINDOW_MS, watchLoop } from '../../node/real/loop-delay.ts';
import { recordEvidence } from '../../node/records/evidence.ts';
import { createPause, createSlices } from '../../node/pace/slices.ts';
import {
  aesGcm,
  createClassLookup,
  createIndexFeeder,
  createSealedSettlement,
  createSealedReplication,
  createSealedStore,
  openRecordIndex,
} from '../../node/records/index.ts';
import { createCredentials, createServer } from '../index.ts';
import { importCredentials } from '../auth/import.ts';
import { createBodies } from '../../node/records/bodies.ts';
import { createRecordService } from '../../node/records/service.ts';
import type { Terminal } from './terminal.ts';

/** Gas of the transaction that anchors the exchange log. */
const ANCHOR_GAS = 50_000_000;

export interface StartParts {
  /** Paths are absolute. */
  readonly config: NodeConfig;
  readonly genesisText: string;
  readonly genesis: Genesis;
  readonly keystore: Keystore;
  readonly tls: { readonly cert: string; readonly key: string };
  /** `{version: 1, credentials: [{account, passwordHash, totpSecret}]}` to import; undefined when there is no such file. */
  readonly credentialsText: string | undefined;
  readonly terminal: Terminal;
}

export interface RunningNode {
  /** `https://host:port` with the port really bound. */
  readonly url: string;
  /** Multiaddr listened on. */
  readonly p2pAddress: string;
  /** Resolves with an Error when the node cannot go on by itself; pending while all is well. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

export async function startNode(parts: StartParts): Promise<RunningNode> {
  const { config, keystore, genesisText, terminal } = parts;
  const log = createLog({ level: config.logLevel, destination: { write: (line) => terminal.err(line) } }).child({ node: config.node });
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const real = await assembleNode({ config, genesisText, keystore, log, onFatal: fail });
  let stopLoop = (): void => undefined;
  let stopBodies = (): Promise<void> => Promise.resolve();
  try {
    const { node, world } = real;
    const storageKey = (label: string) => hashTagged(world.crypto, 'sealed-field', utf8(`${label}\n`), keystore.secret(NODE_KEY.storage));
    const index = await openRecordIndex(real.index, world.crypto, createClassLookup(node.state));
    const sealed = createSealedStore(real.sealed, aesGcm, world.random, storageKey('sealed store'), createPause(world));
    const sealingKeys = () => sealingKeyIds(keystore).map((id) => ({ id, secret: keystore.secret(id) }));
    const replication = createSealedReplication({
      world,
      network: real.network,
      requests: node.requests,
      sealed,
      store: real.sealed,
      aead: aesGcm,
      sealingKeys,
      isOwn: (peer) => isActiveNodeOf(node.state, peer, config.organisation),
      onKeysDiffer: (peer, keyId) => void node.raiseAlarm('SEALED_KEYS_DIFFER', 'warning', { node: peer, keyId }),
      onKeysFit: (fits) =>
        node.resolveAlarms('SEALED_KEYS_DIFFER', (detail) => fits((detail as { node: string }).node), { by: 'the keys held' }),
    });
    const inclusions = createInclusions(node.blocks, world.crypto, createSlices(world));
    const feeder = createIndexFeeder({
      index,
      blocks: node.blocks,
      state: node.state,
      height: () => node.head().height,
      timers: world.timers,
      clock: world.clock,
      log,
    });
    const anchorAccount = `${config.node}@${config.organisation}`;
    const loop = watchLoop({
      meter: createLoopMeter(),
      timers: world.timers,
      onHeld: (heldMs) => void node.raiseAlarm('EVENT_LOOP_HELD', 'warning', { heldMs, boundMs: LOOP_HELD_MS_MAX }),
      onCalm: () => node.resolveAlarms('EVENT_LOOP_HELD', () => true, { calmForMs: LOOP_WINDOW_MS }),
    });
    stopLoop = loop.stop;
    const anchors: Anchors = async (count, limit) => {
      const [from, end] = [auditKey.anchor(config.node, count), prefixEnd(auditKey.anchorsOf(config.node))];
      return (await node.stateRange(CONTRACT.audit, from, end, limit)).map(({ value }) => anchoredHead(value));
    };
    const onFault = (fault: ExchangeFault): void => void node.raiseAlarm('EXCHANGE_LOG_REWRITTEN', 'critical', { ...fault });
    const exchanges = await openExchangeLog({
      store: real.local,
      world,
      anchors,
      lastAnchor() {
        const last = node.state.get(stateKey(CONTRACT.audit, auditKey.last(config.node)));
        return last && anchoredHead(last);
      },
      onCut: onFault,
      anchor: async ({ sequence, link }) => {
        if (!node.state.get(stateKey(CONTRACT.registry, registryKey.entry('account', anchorAccount)))) {
          throw new ChainError('KEY_NOT_HELD', { account: anchorAccount, node: config.node });
        }
        const args = encodeJson({ node: config.node, head: link, count: sequence });
        await node.submit(await node.signFor(anchorAccount, [{ contract: CONTRACT.audit, method: 'anchor', args }], ANCHOR_GAS));
      },
    });
    const exchangeWatch = createExchangeWatch({
      store: real.local,
      world,
      anchors,
      onFault,
    });
    const bodies = createBodies({ world, headroom: real.headroom });
    stopBodies = bodies.stop;
    const records = createRecordService({
      headroom: real.headroom,
      bodies,
      node,
      crypto: world.crypto,
      index,
      sealed,
      sealingKeys: () => sealingKeys().map(({ secret }) => secret),
      inclusions,
      headerBytes: (height) => node.blocks.headerBytes(height),
      timers: world.timers,
      clock: world.clock,
      evidence: (recordId, version, withTransaction) => recordEvidence(node, world.crypto, recordId, version, withTransaction),
    });
    const credentialsKey = storageKey('credentials');
    if (parts.credentialsText !== undefined) {
      await importCredentials(
        createCredentials({ store: real.local, world, key: credentialsKey, issuer: parts.genesis.name }),
        parts.credentialsText,
      );
    }
    const server = createServer(
      {
        node,
        records,
        world,
        store: real.local,
        may,
        deploy: async ({ name, language, code }) => ({
          contract: CONTRACT.deployed,
          method: 'deploy',
          args: encodeJson({ name, language, code, sourceDigest: toHex(world.crypto.hash(utf8(code))) }),
        }),
        tokenSigner: { sign: (message) => keystore.sign(NODE_KEY.token, message) },
        credentialsKey,
        exchanges,
        loopDelay: loop.read,
        headroom: real.headroom,
        bodies: bodies.stats,
        settings: {
          sessionMs: config.sessionMs,
          idempotencyKeepMs: config.idempotencyKeepMs,
          connectionsMax: config.connectionsMax,
          headersTimeoutMs: config.headersTimeoutMs,
          bodiesBytesMax: config.bodiesBytesMax,
          streamsMax: config.streamsMax,
          streamsPerAccountMax: config.streamsPerAccountMax,
          rateLimitFactor: config.rateLimitFactor,
        },
      },
      parts.tls,
    );
    real.onDamaged('index', async () => {
      await feeder.rebuild();
      return 'blocks';
    });
    real.onDamaged('sealed', async (key) => ((await replication.mend(key)) ? 'a node of the organisation' : undefined));
    const settlement = createSealedSettlement({
      sealed,
      async outcome(id) {
        const status = await node.transaction(id);
        return status.state === 'confirmed' ? status.receipt.status : undefined;
      },
      height: () => node.head().height,
      log,
      pause: createPause(world),
    });
    node.onCommitted(() => {
      feeder.onBlock();
      settlement.onBlock();
    });
    await node.start();
    replication.start();
    exchangeWatch.start();
    feeder.onBlock();
    const port = await server.listen({ host: config.https.host, port: config.https.port });
    log.info({ height: node.head().height, https: port }, 'node started');
    return {
      url: `https://${config.https.host}:${port}`,
      p2pAddress: real.p2pAddress(),
      failed,
      async stop() {
        stopLoop();
        await server.stop();
        await bodies.stop();
        await exchangeWatch.stop();
        await exchanges.stop();
        await feeder.stop();
        await settlement.idle();
        await replication.stop();
        await real.stop();
        log.info({}, 'node stopped');
      },
    };
  } catch (error) {
    stopLoop();
    await stopBodies();
    await real.stop();
    throw error;
  }
}

/** Whether the chain registers the node, active, to the active organisation. */
function isActiveNodeOf(state: StateView, node: string, organisation: string): boolean {
  const read = (contract: string, key: ByteText) => state.get(stateKey(contract, key));
  const entry = entryOf(read, 'node', node);
  return entry?.state === 'active' && entry.owner === organisation && entryOf(read, 'organisation', organisation)?.state === 'active';
}
