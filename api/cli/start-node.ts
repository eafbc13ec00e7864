/** Puts a node on this machine together: its parts, the services above them, and the server. */
import { CONTRACT, type Genesis, may } from '../../contracts/index.ts';
import type { NodeConfig } from '../../node/config/index.ts';
import { encodeJson, hashTagged, toHex, utf8 } from '../../node/format/index.ts';
import { type Keystore, NODE_KEY, sealingKeyIds } from '../../node/keystore/index.ts';
import { Parts } from '../../node/parts.ts';
import { assembleNode, createLog, createLoopMeter, LOOP_HELD_MS_MAX, LOOP_WINDOW_MS, watchLoop } from '../../node/real/index.ts';
import { aesGcm, createBodies } from '../../node/records/index.ts';
import { createServices } from '../../node/services.ts';
import { createCredentials, importCredentials } from '../auth/index.ts';
import { createServer } from '../rest/server.ts';
import { dialects } from '../dialects/index.ts';
import type { Terminal } from './terminal.ts';

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

export async function startNode(start: StartParts): Promise<RunningNode> {
  const { config, keystore, genesisText, terminal } = start;
  const log = createLog({ level: config.logLevel, destination: { write: (line) => terminal.err(line) } }).child({ node: config.node });
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const real = await assembleNode({ config, genesisText, keystore, log, onFatal: fail });
  const parts = new Parts();
  parts.add({ name: 'node', start: () => real.node.start(), stop: () => real.stop() });
  try {
    const { node, world, network, headroom } = real;
    const loop = watchLoop({
      meter: createLoopMeter(),
      timers: world.timers,
      onHeld: (heldMs) => void node.raiseAlarm('EVENT_LOOP_HELD', 'warning', { heldMs, boundMs: LOOP_HELD_MS_MAX }),
      onCalm: () => node.resolveAlarms('EVENT_LOOP_HELD', () => true, { calmForMs: LOOP_WINDOW_MS }),
    });
    const bodies = createBodies({ world, headroom });
    parts.add({ name: 'loop watch', stop: loop.stop }, { name: 'bodies', stop: bodies.stop });
    const storageKey = (label: string) => hashTagged(world.crypto, 'sealed-field', utf8(`${label}\n`), keystore.secret(NODE_KEY.storage));
    const {
      records,
      exchanges,
      parts: services,
      menders,
    } = await createServices({
      world,
      network,
      node,
      stores: real,
      aead: aesGcm,
      sealedStoreKey: storageKey('sealed store'),
      sealingKeys: () => sealingKeyIds(keystore).map((id) => ({ id, secret: keystore.secret(id) })),
      bodies,
      headroom,
    });
    parts.add(...services);
    real.onDamaged('index', menders.index);
    real.onDamaged('sealed', menders.sealed);
    const credentialsKey = storageKey('credentials');
    if (start.credentialsText !== undefined) {
      await importCredentials(
        createCredentials({ store: real.local, world, key: credentialsKey, issuer: start.genesis.name }),
        start.credentialsText,
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
        headroom,
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
      start.tls,
      dialects,
    );
    let port = 0;
    parts.add({
      name: 'server',
      async start() {
        port = await server.listen({ host: config.https.host, port: config.https.port });
      },
      stop: () => server.stop(),
    });
    await parts.start();
    log.info({ height: node.head().height, https: port }, 'node started');
    return {
      url: `https://${config.https.host}:${port}`,
      p2pAddress: real.p2pAddress(),
      failed,
      async stop() {
        await parts.stop();
        log.info({}, 'node stopped');
      },
    };
  } catch (error) {
    await parts.stop();
    throw error;
  }
}
