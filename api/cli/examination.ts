/** The examinations behind `doctor`. Each is a function of one node's files; a thrown error is a finding like any other. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { NodeConfig } from '../../node/config/index.ts';
import { ChainError, errorRow, isErrorCode } from '../../node/errors/index.ts';
import { type Anchors, type Examination, examineExchanges, EXCHANGE_FAULTS_MAX, openAlarms } from '../../node/feeds/index.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import { type Digest, openGenesis, prefixEnd } from '../../node/format/index.ts';
import {
  BLOCK_FILES_DIRECTORY,
  type BlockStore,
  createBlockReads,
  createBlockStore,
  createStateRows,
  ledgerKey,
} from '../../node/ledger/index.ts';
import { anchoredHead, auditKey, CONTRACT, stateKey } from '../../contracts/index.ts';
import type { Genesis } from '../../contracts/index.ts';
import { certificateFacts } from '../../node/keystore/certificates.ts';
import { listKeystore, NODE_KEY, openKeystore, sealingKeyIds } from '../../node/keystore/index.ts';
import { ASIDE, examineVoteLog, keyspace, type LevelStore, openDirectory, openLevelStore, VOTE_LOG_FILE } from '../../node/store/index.ts';
import type { Alarm, HealthCheck } from '../../node/service.ts';
import type { Log } from '../../node/world.ts';
import type { Cli } from './cli.ts';
import { NODE_FILE } from './file-names.ts';
import { genesisHashOf, readNodeConfig } from './node-files.ts';
import { readPassphrase } from './passphrase.ts';
import { genesisOutgrown, parseGenesis } from '../../node/config/index.ts';

export interface Finding {
  readonly state: 'ok' | 'problem';
  readonly subject: string;
  readonly what: string;
  readonly remedy?: string;
  /** Undefined for what concerns the whole machine. */
  readonly node?: string;
}

const NODE_MAJOR_MIN = 20;
const DISK_FREE_BYTES_MIN = 1_073_741_824;
const CERTIFICATE_LEFT_MS_MIN = 14 * 86_400_000;
const STORE_ROWS_STEP = 1_000;
/** Blocks whose damaged bodies are named one by one. */
const BODIES_NAMED_MAX = 20;
const READY_TIMEOUT_MS = 5_000;

type Say = (what: string, problem?: string) => void;
type About = (subject: string, node?: string) => Say;

export async function examine(
  cli: Cli,
  options: { readonly config?: string; readonly passphraseFile?: string },
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const about: About = (subject, node) => (what, remedy) => {
    const of = node === undefined ? {} : { node };
    findings.push(remedy === undefined ? { state: 'ok', subject, what, ...of } : { state: 'problem', subject, what, remedy, ...of });
  };
  const { nodeVersion } = cli.terminal;
  const major = Number(nodeVersion.split('.')[0]);
  about('runtime')(`Node ${nodeVersion}`, major < NODE_MAJOR_MIN ? `install Node ${NODE_MAJOR_MIN} or later` : undefined);
  const files = nodeFilesToExamine(cli, options.config);
  if (files.length === 0) about('files')(`no ${NODE_FILE} here and no devnet`, 'give --config FILE, or run tracemill init');
  for (const file of files) await examineNode(cli, file, about, options.passphraseFile);
  return findings;
}

function nodeFilesToExamine(cli: Cli, given: string | undefined): readonly string[] {
  if (given !== undefined) return [given];
  if (existsSync(cli.path(NODE_FILE))) return [NODE_FILE];
  return cli.profile()?.profile.nodes.map((node) => node.config) ?? [];
}

async function examineNode(cli: Cli, file: string, about: About, passphraseFile: string | undefined): Promise<void> {
  let config: NodeConfig;
  try {
    config = readNodeConfig(cli, file);
  } catch (error) {
    return sayError(about(file), error);
  }
  const name = config.node;
  const step = async (subject: string, run: (say: Say) => void | Promise<void>): Promise<void> => {
    const say = about(`${name} ${subject}`, name);
    try {
      await run(say);
    } catch (error) {
      sayError(say, error);
    }
  };
  about(`${name} settings`, name)(file);
  let genesis: Genesis | undefined;
  await step('genesis', (say) => {
    const text = cli.readText(config.genesis);
    genesis = parseGenesis(text);
    say(`hash ${genesisHashOf(text)}`);
    const outgrown = genesisOutgrown(genesis);
    const change = `tracemill governance propose '${outgrown?.change}'`;
    if (outgrown)
      say(outgrown.fault, `unless governance has changed it since, run: ${change} (before the chain's first block: make another genesis)`);
  });
  await step('keystore', async (say) => {
    const registered = genesis?.nodes.find((node) => node.id === config.node);
    const keys = listKeystore(config.keystore);
    const mode = statSync(config.keystore).mode & 0o777;
    if ((mode & 0o077) !== 0) say(`file mode ${mode.toString(8)}: others may read it`, `run: chmod 600 ${config.keystore}`);
    for (const [kind, id] of Object.entries(NODE_KEY)) {
      const held = keys.find((key) => key.id === id);
      if (held === undefined) say(`no key ${id}`, `run: tracemill keys create ${id} ${config.keystore} --kind ${kind}`);
      const named = registered?.[`${kind}Key` as keyof typeof registered]; // undefined for keys that no one outside the node knows
      if (held !== undefined && named !== undefined && named !== held.publicKey) {
        say(`key ${id} is not the one genesis names`, 'put back the keystore of this node, unless governance has changed the key since');
      }
    }
    if (registered === undefined && genesis !== undefined) say('genesis does not name this node: it must be registered by governance');
    const passphrase = passphraseFile ?? devnetPassphrase(config.keystore);
    if (passphrase === undefined && cli.terminal.env.TRACEMILL_PASSPHRASE === undefined)
      return say(`${keys.length} keys; the passphrase was not tried`);
    const opened = await openKeystore(config.keystore, await readPassphrase(cli, passphrase));
    if (sealingKeyIds(opened).length === 0) say('no sealing key', `run: tracemill keys rotate ${config.keystore}`);
    say(`${keys.length} keys; the passphrase opens it`);
  });
  await step('certificate', (say) => {
    const pem = cli.readText(config.https.cert);
    const facts = certificateFacts(pem);
    const leftMs = facts.notAfterMs - cli.terminal.now();
    const until = new Date(facts.notAfterMs).toISOString();
    if (!new X509Certificate(pem).checkPrivateKey(createPrivateKey(cli.readText(config.https.key)))) {
      say('the private key is not that of the certificate', `make ${config.https.cert} and ${config.https.key} belong together`);
    }
    if (cli.terminal.now() < facts.notBeforeMs) say('not valid yet', 'set the clock of this machine, or wait');
    else if (leftMs < CERTIFICATE_LEFT_MS_MIN) say(`ends ${until}`, 'take a new certificate and start the node again');
    else say(`good until ${until} for ${facts.names.join(', ')}`);
  });
  await step('data directory', (say) => {
    const there = existsSync(config.dataDir) ? config.dataDir : dirname(config.dataDir);
    accessSync(there, constants.W_OK);
    const { bavail, bsize } = statfsSync(there);
    const free = bavail * bsize;
    say(`${Math.floor(free / 1_048_576)} MiB free`, free < DISK_FREE_BYTES_MIN ? 'free space: a full disk stops the node' : undefined);
  });
  for (const path of storesBelow(config.dataDir)) {
    await step(`store ${path.slice(config.dataDir.length + 1) || '.'}`, async (say) => {
      const rows = await checkedRows(path);
      say(rows === undefined ? 'in use by the running node, which checks every value it reads' : `${rows} values, every checksum right`);
    });
  }
  await step('block files', async (say) => {
    if (genesis === undefined)
      return say('not examined: genesis, which names the chain, cannot be read', 'put genesis right and run doctor again');
    const found = await examineBodies(config, openGenesis(createCrypto(), cli.readText(config.genesis)).chainId);
    if (found === undefined) return say('in use by the running node, which checks every body it reads');
    const { remedy } = errorRow('STORE_DAMAGED');
    for (const height of found.damaged.slice(0, BODIES_NAMED_MAX)) say(`STORE_DAMAGED the body of block ${height}`, remedy.en);
    if (found.damaged.length > BODIES_NAMED_MAX) say(`STORE_DAMAGED the bodies of ${found.damaged.length} blocks in all`, remedy.en);
    if (found.damaged.length === 0) say(`${found.count} bodies, every checksum right`);
  });
  await step('vote log', async (say) => {
    const path = join(config.dataDir, VOTE_LOG_FILE);
    const log = await examineVoteLog(path);
    if (log === undefined) {
      const lost = existsSync(join(config.dataDir, 'chain'));
      if (!lost) return say('none yet: the node has never run');
      return say(
        `VOTE_LOG_LOST there is a chain and no ${path}`,
        'start the node: it votes again only above every height it may have signed',
      );
    }
    const kept = log.setAside.length === 0 ? '' : `; set aside by earlier starts: ${log.setAside.join(', ')}`;
    say(`${log.records} records${log.replacesLost ? ', in place of a log that was lost' : ''}${kept}`);
  });
  await step('exchange log', async (say) => {
    const found = await examineExchangeLog(config);
    if (found === undefined) return say('held by the running node, which examines it again and again and raises an alarm');
    const { entries, anchors, faults } = found;
    const remedy = errorRow('EXCHANGE_LOG_REWRITTEN').remedy.en;
    for (const { sequence, reason } of faults) say(`EXCHANGE_LOG_REWRITTEN entry ${sequence}: ${reason}`, remedy);
    if (faults.length === EXCHANGE_FAULTS_MAX) say(`EXCHANGE_LOG_REWRITTEN only the first ${EXCHANGE_FAULTS_MAX} are named`, remedy);
    if (faults.length === 0) say(`${entries} entries, every link right, ${anchors} as anchored on chain`);
  });
  await step('standing', async (say) => {
    const standing = await standingAlarms(join(config.dataDir, 'local'), cli);
    if (standing === undefined) return await examineRunning(config, cli.readText(config.https.cert), say);
    for (const { kind, detail } of standing) say(`${kind} ${JSON.stringify(detail)}`, remedyOf(kind));
    if (standing.length === 0) say('no critical alarm stood when the node stopped');
  });
  for (const [what, { host, port }] of [
    ['https', config.https],
    ['p2p', config.p2p],
  ] as const) {
    await step(`port ${what}`, async (say) =>
      say(`${host}:${port} ${(await portIsFree(host, port)) ? 'is free' : 'is in use (by the running node, or by another program)'}`),
    );
  }
}

function sayError(say: Say, error: unknown): void {
  if (!(error instanceof ChainError)) {
    say((error as Error).message, 'see the message; nothing else of this subject was examined');
    return;
  }
  const faults = (error.data.faults as { pointer: string; message: string }[] | undefined) ?? [];
  const facts = faults.length > 0 ? faults.map((fault) => `${fault.pointer} ${fault.message}`).join('; ') : JSON.stringify(error.data);
  say(`${error.code} ${facts}`, errorRow(error.code).remedy.en);
}

/** A devnet keeps the passphrase beside the keystore. */
function devnetPassphrase(keystore: string): string | undefined {
  const path = join(dirname(keystore), 'passphrase');
  return existsSync(path) ? path : undefined;
}

/** Directories of LevelDB have a file CURRENT. */
function storesBelow(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.includes(ASIDE));
  const found = existsSync(join(directory, 'CURRENT')) ? [directory] : [];
  return [...found, ...below.flatMap((entry) => storesBelow(join(directory, entry.name)))];
}

/** Reads the body of every block up to the head; undefined when a running node holds the store. */
async function examineBodies(
  { dataDir }: NodeConfig,
  chainId: Digest,
): Promise<{ readonly count: number; readonly damaged: readonly number[] } | undefined> {
  const chain = join(dataDir, 'chain');
  if (!existsSync(chain)) return { count: 0, damaged: [] };
  return await withStore(chain, async (store) => {
    const reads = createBlockReads(await openDirectory(join(dataDir, BLOCK_FILES_DIRECTORY)), chainId);
    try {
      const blocks = createBlockStore(store, reads);
      const count = blocks.head()?.height ?? 0;
      const damaged: number[] = [];
      for (let height = 1; height <= count; height++) if (!(await isHeld(blocks, height))) damaged.push(height);
      return { count, damaged };
    } finally {
      reads.close();
    }
  });
}

/** False for a damaged row of the store as well, so that the bodies behind it are examined. */
async function isHeld(blocks: BlockStore, height: number): Promise<boolean> {
  try {
    return (await blocks.blockBytes(height)) !== undefined;
  } catch (error) {
    if (error instanceof ChainError && error.code === 'STORE_DAMAGED') return false;
    throw error;
  }
}

/** Undefined when a running node holds the stores. */
async function examineExchangeLog({ dataDir, node }: NodeConfig): Promise<Examination | undefined> {
  const [local, chain] = [join(dataDir, 'local'), join(dataDir, 'chain')];
  const crypto = createCrypto();
  if (!existsSync(local)) return { entries: 0, anchors: 0, faults: [] };
  return await withStore(local, async (store) => {
    if (!existsSync(chain)) return await examineExchanges({ store, crypto });
    return await withStore(chain, async (ledger) => {
      const key = (path: string): string => ledgerKey.state(stateKey(CONTRACT.audit, path));
      const rows = createStateRows(ledger);
      const to = prefixEnd(key(auditKey.anchorsOf(node)));
      const anchors: Anchors = async (count, limit) =>
        (await rows.range({ from: key(auditKey.anchor(node, count)), to, limit })).map(({ value }) => anchoredHead(value));
      return await examineExchanges({ store, crypto, anchors });
    });
  });
}

/** Critical alarms that nothing has resolved and nobody has acknowledged; undefined when a running node holds them, none when it has never run. */
async function standingAlarms(path: string, cli: Cli): Promise<readonly Alarm[] | undefined> {
  if (!existsSync(path)) return [];
  return await withStore(path, async (store) => {
    const clock = { now: () => cli.terminal.now(), monotonic: () => cli.terminal.now() };
    const alarms = await openAlarms({ store, prefix: keyspace.alarm, clock, log: silentLog });
    const stands = (alarm: Alarm): boolean => alarm.resolvedAtMs === undefined && (!alarm.acknowledgedBy || alarm.kind === 'NODE_EXPELLED');
    return alarms.list().filter((alarm) => alarm.severity === 'critical' && stands(alarm));
  });
}

function remedyOf(kind: string): string {
  return isErrorCode(kind)
    ? errorRow(kind).remedy.en
    : 'start the node: it goes on by itself where it can, and GET /readyz says what it lacks';
}

/** What the running node says of itself by `/readyz`; it is known by its certificate. */
async function examineRunning(config: NodeConfig, certificate: string, say: Say): Promise<void> {
  let answer: { readonly data?: { readonly checks?: readonly HealthCheck[] } | null };
  try {
    answer = await readinessOf(config, certificate);
  } catch (error) {
    return say(
      `the node holds its data and does not answer: ${(error as Error).message}`,
      'look at its log, and start it again if it hangs',
    );
  }
  const failed = (answer.data?.checks ?? []).filter((check) => !check.passed);
  for (const { check, detail } of failed) {
    const code = detail.slice(0, Math.max(0, detail.indexOf(':')));
    say(`${check}: ${detail}`, isErrorCode(code) ? errorRow(code).remedy.en : 'GET /api/v1/alarms of the node says since when');
  }
  if (failed.length === 0) say('the node runs and is ready');
}

async function readinessOf(
  { https }: NodeConfig,
  certificate: string,
): Promise<{ readonly data?: { readonly checks?: readonly HealthCheck[] } | null }> {
  const host = https.host === '0.0.0.0' || https.host === '::' ? 'localhost' : https.host;
  const expected = new X509Certificate(certificate).fingerprint256;
  return await new Promise((resolve, reject) => {
    const options = { host, port: https.port, path: '/readyz', rejectUnauthorized: false, timeout: READY_TIMEOUT_MS };
    const asked = get(options, (incoming) => {
      if ((incoming.socket as TLSSocket).getPeerCertificate().fingerprint256 !== expected)
        return void asked.destroy(new Error('another program answers on the port'));
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => void parts.push(part));
      incoming.on('error', reject);
      incoming.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(parts).toString('utf8')));
        } catch (error) {
          reject(error);
        }
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${READY_TIMEOUT_MS} ms`)));
    asked.on('error', reject);
  });
}

/** Undefined when a running node holds the store. */
async function withStore<T>(path: string, look: (store: LevelStore) => Promise<T>): Promise<T | undefined> {
  let store: LevelStore;
  try {
    store = await openLevelStore({ path });
  } catch (error) {
    if (error instanceof ChainError && error.code === 'STORE_LOCKED') return undefined;
    throw error;
  }
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

const nothing = (): void => undefined;
const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silentLog };

/** Reads every value, which checks its checksum; undefined when a running node holds the store. @throws ChainError STORE_DAMAGED */
async function checkedRows(path: string): Promise<number | undefined> {
  return await withStore(path, async (store) => {
    let count = 0;
    for (let from = ''; ; ) {
      const rows = await store.range({ from, to: undefined, limit: STORE_ROWS_STEP });
      count += rows.length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < STORE_ROWS_STEP) break;
      from = `${last.key}\0`;
    }
    // Keys and filters have checksums of LevelDB's own: damage there would make a value look absent.
    const damaged = await store.scrub();
    if (damaged.length > 0) throw new ChainError('STORE_DAMAGED', damaged.length === 1 ? { ...damaged[0] } : { files: damaged });
    return count;
  });
}

async function portIsFree(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
