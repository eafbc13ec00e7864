/**
 * The files of a devnet: keys, authority, certificates, genesis, settings, credentials and the profile that commands read. Made once; a
 * later start finds them and changes nothing but ports that are busy now. Passwords and passphrases lie here in clear, mode 0600: a devnet
 * only.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { hash as argon2Hash } from '@node-rs/argon2';
import { Secret } from 'otpauth';
import { encodeToken } from '../api/auth/index.ts';
import { type Profile, PROFILE_FILE, type ProfileAccount } from '../api/cli/index.ts';
import { parseGenesis } from '../node/config/index.ts';
import { type ChainParameters, ENGINE_DEFAULT, fromHex, openGenesis, toHex } from '../node/format/index.ts';
import type { Genesis } from '../contracts/index.ts';
import { createAuthority, issueServerCertificate, type PemPair } from '../node/keystore/certificates.ts';
import {
  createKeystore,
  createNodeKeys,
  type Keystore,
  NODE_KEY,
  openKeystore,
  sealingKeyIds,
  writeFileAtomic,
} from '../node/keystore/index.ts';
import { AI4I_MAPPING, AI4I_MAPPING_FILE } from './ai4i.ts';
import { freePort, LOOPBACK } from './ports.ts';
import { DEFAULT_ACCOUNT, planTopology } from './topology.ts';

export interface ProvisionOptions {
  /** Absolute. */
  readonly directory: string;
  readonly nodes: number;
  /** Chain parameters that differ from their defaults. */
  readonly parameters?: Partial<ChainParameters>;
  /** Settings of node.json besides those that provisioning decides. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Wanted ports count up from these; for 0 free ones are drawn. */
  readonly p2pPort: number;
  readonly httpsPort: number;
  readonly nowMs: number;
  readonly say: (line: string) => void;
}

export interface ProvisionedNode {
  readonly id: string;
  readonly organisation: string;
  readonly directory: string;
  readonly configPath: string;
  readonly passphrasePath: string;
  readonly httpsPort: number;
  readonly p2pPort: number;
  readonly url: string;
}

export interface Provisioned {
  readonly directory: string;
  /** False when the files were there already. */
  readonly fresh: boolean;
  readonly genesisText: string;
  readonly genesisHash: string;
  readonly caPath: string;
  readonly ca: string;
  readonly nodes: readonly ProvisionedNode[];
  readonly accounts: readonly ProfileAccount[];
}

/** What a node imports at start: the same for all nodes of one organisation. */
export interface CredentialsFile {
  readonly version: 1;
  readonly credentials: readonly { readonly account: string; readonly passwordHash: string; readonly totpSecret: string }[];
}

/** How far the loading of the data set has come. */
export const LOAD_FILE = 'load.json';
const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const EXECUTION_VERSION = 1;
const PASSPHRASE_BYTES = 24;
const PASSWORD_BYTES = 12;
const TOTP_SECRET_BYTES = 20; // RFC 4226 §4 recommends 160 bits
const TOKEN_ID_BYTES = 16;
const TOKEN_LIFETIME_MS = 30 * 86_400_000; // printed tokens outlive a working session; renewed at every start
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const; // OWASP password storage
/** The cost of scrypt guards a stolen file; here the passphrase lies beside it, and four nodes start on one machine. */
const KEYSTORE_COST = { n: 4_096, r: 8, p: 1 } as const;

export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const fresh = !existsSync(join(directory, PROFILE_FILE));
  if (fresh) await makeFiles(options);
  return await openFiles(options, fresh);
}

/** Removes everything a devnet made in its directory, and nothing else. */
export async function resetFiles(directory: string): Promise<void> {
  const path = join(directory, PROFILE_FILE);
  if (!existsSync(path)) return;
  const profile = JSON.parse(readFileSync(path, 'utf8')) as Profile;
  for (const node of profile.nodes) await rm(join(directory, node.node), { recursive: true, force: true });
  for (const name of ['genesis.json', 'ca.pem', 'ca-key.pem', 'tokens.json', LOAD_FILE, PROFILE_FILE])
    await rm(join(directory, name), { force: true });
}

interface StoredNode {
  readonly node: string;
  readonly organisation: string;
  readonly p2p: { readonly host: string; readonly port: number };
  readonly https: { readonly host: string; readonly port: number };
  readonly [name: string]: unknown;
}

async function makeFiles(options: ProvisionOptions): Promise<void> {
  const { directory, nowMs } = options;
  const plan = planTopology(options.nodes);
  const authority = await createAuthority(`Tracemill devnet ${toHex(randomBytes(4))}`, nowMs);
  await writeFileAtomic(join(directory, 'ca.pem'), authority.certificate, PUBLIC_MODE);
  await writeFileAtomic(join(directory, 'ca-key.pem'), authority.privateKey, SECRET_MODE);

  const taken = new Set<number>();
  const nodes: Genesis['nodes'][number][] = [];
  const sealing = new Map<string, Uint8Array>(); // one for each organisation
  for (const [i, { id, organisation }] of plan.nodes.entries()) {
    const home = join(directory, id);
    await rm(home, { recursive: true, force: true }); // left by a run that was cut off before the profile
    await mkdir(home, { recursive: true, mode: 0o700 });
    const passphrase = randomBytes(PASSPHRASE_BYTES).toString('base64url');
    const keystore = await createKeystore(join(home, 'keystore.json'), passphrase, KEYSTORE_COST);
    const keys = await createNodeKeys(keystore, sealing.get(organisation));
    sealing.set(organisation, keystore.secret(sealingKeyIds(keystore)[0]!));
    await writeFileAtomic(join(home, 'passphrase'), `${passphrase}\n`, SECRET_MODE);
    await writeTls(home, authority, id, nowMs);
    const p2p = await portFor(options, 'p2p', id, options.p2pPort, i, taken);
    const https = await portFor(options, 'https', id, options.httpsPort, i, taken);
    nodes.push({ id, organisation, ...keys, addresses: [`/ip4/${LOOPBACK}/tcp/${p2p}`], role: 'validator', weight: 1 });
    const config: StoredNode = {
      ...options.settings,
      version: 1,
      node: id,
      organisation,
      genesis: '../genesis.json',
      p2p: { host: LOOPBACK, port: p2p },
      https: { host: LOOPBACK, port: https },
    };
    await writeConfig(join(home, 'node.json'), config);
  }

  const genesis: Genesis = {
    version: 1,
    name: 'tracemill devnet',
    timestampMs: nowMs,
    engine: ENGINE_DEFAULT,
    executionVersion: EXECUTION_VERSION,
    parameters: options.parameters ?? {},
    organisations: plan.organisations,
    nodes,
    accounts: [...plan.accounts, ...plan.services].map((account) => ({
      ...account,
      keys: nodes
        .filter((node) => node.organisation === account.organisation)
        .map((node) => ({
          keyId: node.id,
          publicKey: node.custodialKey,
          suite: 1,
          kind: 'custodial' as const,
          node: node.id,
          scope: ['*'],
          validTo: null,
          revoked: false,
        })),
    })),
    factories: plan.factories,
    devices: plan.devices,
    mappings: [ai4iMapping(plan.organisations[0]!.id)],
  };
  const genesisText = `${JSON.stringify(genesis, undefined, 2)}\n`;
  parseGenesis(genesisText, { isNew: true });
  await writeFileAtomic(join(directory, 'genesis.json'), genesisText, PUBLIC_MODE);

  const accounts: ProfileAccount[] = plan.accounts.map((account) => ({
    account: account.id,
    node: nodes.find((node) => node.organisation === account.organisation)!.id,
    roles: account.roles,
    password: randomBytes(PASSWORD_BYTES).toString('base64url'),
    totpSecret: new Secret({ buffer: Uint8Array.from(randomBytes(TOTP_SECRET_BYTES)).buffer }).base32,
  }));
  for (const organisation of plan.organisations) {
    const own = accounts.filter((account) => account.account.endsWith(`@${organisation.id}`));
    const file: CredentialsFile = {
      version: 1,
      credentials: await Promise.all(
        own.map(async ({ account, password, totpSecret }) => ({ account, passwordHash: await argon2Hash(password, ARGON2), totpSecret })),
      ),
    };
    for (const node of nodes.filter((candidate) => candidate.organisation === organisation.id)) {
      await writeFileAtomic(join(directory, node.id, 'credentials.json'), `${JSON.stringify(file, undefined, 2)}\n`, SECRET_MODE);
    }
  }
  // Last: a profile says that all files are there.
  await writeProfile(directory, {
    genesisHash: hashOf(genesisText),
    accounts,
    nodes: plan.nodes.map((node) => ({ ...node, httpsPort: 0 })),
  });
}

/** What the records of the data set name as the source of their invented values. */
function ai4iMapping(organisation: string): NonNullable<Genesis['mappings']>[number] {
  const document = readFileSync(fileURLToPath(new URL(`../../${AI4I_MAPPING_FILE}`, import.meta.url)));
  const documentDigest = createHash('sha256').update(document).digest('hex');
  return { id: AI4I_MAPPING, organisation, name: 'AI4I 2020 on annex A', class: 'production', format: 'text/csv', documentDigest };
}

/** Reads what is there, moves nodes off busy ports, renews tokens. */
async function openFiles(options: ProvisionOptions, fresh: boolean): Promise<Provisioned> {
  const { directory } = options;
  const profile = JSON.parse(readFileSync(join(directory, PROFILE_FILE), 'utf8')) as Profile;
  const genesisText = readFileSync(join(directory, 'genesis.json'), 'utf8');
  const genesis = parseGenesis(genesisText);
  const configs = genesis.nodes.map((node) => JSON.parse(readFileSync(join(directory, node.id, 'node.json'), 'utf8')) as StoredNode);
  const taken = new Set<number>();
  const nodes: ProvisionedNode[] = [];
  for (const config of configs) {
    const p2p = await portFor(options, 'p2p', config.node, config.p2p.port, 0, taken);
    const https = await portFor(options, 'https', config.node, config.https.port, 0, taken);
    const home = join(directory, config.node);
    nodes.push({
      id: config.node,
      organisation: config.organisation,
      directory: home,
      configPath: join(home, 'node.json'),
      passphrasePath: join(home, 'passphrase'),
      httpsPort: https,
      p2pPort: p2p,
      url: `https://${LOOPBACK}:${https}`,
    });
  }
  for (const [i, config] of configs.entries()) {
    const node = nodes[i]!;
    // Genesis names the ports of the first start; a node that moved since is found by these.
    const bootstrap = genesis.nodes
      .filter((other) => other.id !== node.id)
      .map((other) => bootstrapAddress(other.transportKey, nodes.find(({ id }) => id === other.id)!.p2pPort));
    await writeConfig(node.configPath, {
      ...config,
      bootstrap,
      p2p: { ...config.p2p, port: node.p2pPort },
      https: { ...config.https, port: node.httpsPort },
    });
  }
  const accounts = await renewTokens(options, genesisText, nodes, profile.accounts);
  await writeProfile(directory, { genesisHash: hashOf(genesisText), accounts, nodes });
  const caPath = join(directory, 'ca.pem');
  return { directory, fresh, genesisText, genesisHash: hashOf(genesisText), caPath, ca: readFileSync(caPath, 'utf8'), nodes, accounts };
}

/** Long-lived tokens as an operator of all nodes may issue them; each node signs for the accounts of its own organisation. */
async function renewTokens(
  options: ProvisionOptions,
  genesisText: string,
  nodes: readonly ProvisionedNode[],
  accounts: readonly ProfileAccount[],
): Promise<ProfileAccount[]> {
  const { chainId } = openGenesis({ hash: sha256 }, genesisText);
  const keystores = new Map<string, Keystore>();
  const out: ProfileAccount[] = [];
  for (const account of accounts) {
    const node = nodes.find((candidate) => candidate.id === account.node)!;
    let keystore = keystores.get(node.id);
    if (keystore === undefined) {
      keystore = await openKeystore(join(node.directory, 'keystore.json'), readFileSync(node.passphrasePath, 'utf8').trimEnd());
      keystores.set(node.id, keystore);
    }
    const signing = keystore;
    const expires = options.nowMs + TOKEN_LIFETIME_MS;
    const claims = {
      account: account.account,
      org: node.organisation,
      kind: 'api' as const,
      id: toHex(randomBytes(TOKEN_ID_BYTES)),
      node: node.id,
      sessionEpoch: GENESIS_SESSION_EPOCH,
      issuedAt: options.nowMs,
      expires,
      steppedUpAt: 0,
    };
    const token = encodeToken(chainId, claims, (message) => signing.sign(NODE_KEY.token, message));
    out.push({ ...account, token, tokenExpiresAtMs: expires });
  }
  return out;
}

const GENESIS_SESSION_EPOCH = 1; // contracts/builtin/genesis.ts gives every account this

async function portFor(
  options: ProvisionOptions,
  what: string,
  node: string,
  from: number,
  step: number,
  taken: Set<number>,
): Promise<number> {
  const wanted = from === 0 ? 0 : from + step;
  const port = await freePort(wanted, taken);
  if (wanted !== 0 && port !== wanted) options.say(`port ${wanted} is busy: ${node} takes ${port} for ${what}`);
  taken.add(port);
  return port;
}

function bootstrapAddress(transportKey: string, port: number): string {
  const peer = peerIdFromPublicKey(publicKeyFromRaw(fromHex(transportKey)));
  return `/ip4/${LOOPBACK}/tcp/${port}/p2p/${peer.toString()}`;
}

async function writeTls(home: string, authority: PemPair, commonName: string, nowMs: number): Promise<void> {
  const pair = await issueServerCertificate(authority, commonName, nowMs);
  await writeFile(join(home, 'tls-cert.pem'), pair.certificate, { mode: PUBLIC_MODE });
  await writeFile(join(home, 'tls-key.pem'), pair.privateKey, { mode: SECRET_MODE });
}

async function writeConfig(path: string, config: StoredNode): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(config, undefined, 2)}\n`, PUBLIC_MODE);
}

interface ProfileFacts {
  readonly genesisHash: string;
  readonly accounts: readonly ProfileAccount[];
  readonly nodes: readonly { readonly id: string; readonly organisation: string; readonly httpsPort: number }[];
}

async function writeProfile(directory: string, facts: ProfileFacts): Promise<void> {
  const profile: Profile = {
    version: 1,
    name: 'tracemill devnet',
    genesis: join(directory, 'genesis.json'),
    genesisHash: facts.genesisHash,
    ca: join(directory, 'ca.pem'),
    nodes: facts.nodes.map((node) => ({
      node: node.id,
      organisation: node.organisation,
      url: `https://${LOOPBACK}:${node.httpsPort}`,
      config: join(directory, node.id, 'node.json'),
    })),
    accounts: facts.accounts,
    account: DEFAULT_ACCOUNT,
  };
  await writeFileAtomic(join(directory, PROFILE_FILE), `${JSON.stringify(profile, undefined, 2)}\n`, SECRET_MODE);
}

function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(data).digest());
}

function hashOf(genesisText: string): string {
  return toHex(openGenesis({ hash: sha256 }, genesisText).genesisHash);
}
