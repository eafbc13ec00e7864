/** In-memory stand-ins of the interfaces next door (NodeService, RecordService, Store, World), and a server on top of them. Tests only. */
import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
  webcrypto,
} from 'node:crypto';
import { decodeSealedBlock } from '../../../node/ledger/validation.ts';
import * as x509 from '@peculiar/x509';
import { type ApiDeps, type ApiServer, createServer, type Dialect, dialects, type TlsOptions } from '../../../api/index.ts';
import type { RecordBody, RecordService, SubmitOutcome } from '../../../node/records/types.ts';
import { encodeToken, type TokenClaims } from '../../../api/auth/token.ts';
import {
  type AccountData,
  accessKey,
  CONTRACT,
  genesisRoles,
  governanceKey,
  registryKey,
  type RegistryKind,
  stateKey,
} from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { openExchangeLog } from '../../../node/feeds/exchange-log.ts';
import {
  type Block,
  type ByteText,
  decodeJson,
  defaultParameters,
  encodeHeader,
  encodeJson,
  encodeTransaction,
  type Header,
  headerHash,
  type Json,
  merkleRoot,
  openTransaction,
  type Receipt,
  toHex,
  transactionHashOf,
  utf8,
} from '../../../node/format/index.ts';
import type { Alarm, NodeService, OutboxEvent, StoredBlock, TransactionStatus } from '../../../node/service.ts';
import type { Headroom } from '../../../node/pace/headroom.ts';
import type { Log, Store, World } from '../../../node/world.ts';
import { realTimers } from '../../../node/real/world.ts';

export const GENESIS_HASH = createHash('sha256').update('genesis').digest();
export const CHAIN_ID = new Uint8Array(createHash('sha256').update('chain').digest());
export const START_MS = 1_760_000_000_000;

// --- world --------------------------------------------------------------------------------------------------------------------------

export interface TestWorld extends World {
  advance(ms: number): void;
  readonly logged: string[];
}

/** Real timers, a clock that tests move, and what was logged as text. */
export function createTestWorld(): TestWorld {
  let shiftMs = 0;
  const logged: string[] = [];
  const started = performance.now();
  const say = (level: string) => (fields: Readonly<Record<string, unknown>>, event: string) =>
    void logged.push(`${level} ${event} ${JSON.stringify(fields)}`);
  const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), child: () => log };
  return {
    advance: (ms) => {
      shiftMs += ms;
    },
    logged,
    clock: {
      now: () => START_MS + Math.floor(performance.now() - started) + shiftMs,
      monotonic: () => performance.now() - started + shiftMs,
    },
    timers: {
      after: realTimers.after,
      every(ms, run) {
        const timer = setInterval(run, ms);
        timer.unref();
        return () => clearInterval(timer);
      },
    },
    random: { bytes: (count) => new Uint8Array(randomBytes(count)) },
    log,
    crypto: {
      hash: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
      verify: (_suite, publicKey, message, signature) => {
        try {
          const key = createPublicKey({
            key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
            format: 'jwk',
          });
          return verify(null, message, key, signature);
        } catch {
          return false;
        }
      },
    },
    verifier: { verify: async () => false, stop: async () => {} },
  };
}

export interface TestStore extends Store {
  readonly rows: Map<ByteText, Uint8Array>;
  /** When set, every batch fails with it. */
  failure: Error | undefined;
  batches: number;
}

export function createTestStore(): TestStore {
  const rows = new Map<ByteText, Uint8Array>();
  const store: TestStore = {
    rows,
    failure: undefined,
    batches: 0,
    get: (key) => rows.get(key),
    async batch(operations) {
      await Promise.resolve();
      if (store.failure !== undefined) throw store.failure;
      store.batches++;
      for (const { key, value } of operations) {
        if (value === undefined) rows.delete(key);
        else rows.set(key, value);
      }
    },
    async range({ from, to, reverse, limit }) {
      const keys = [...rows.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort();
      if (reverse) keys.reverse();
      return keys.slice(0, limit).map((key) => ({ key, value: rows.get(key)! }));
    },
    async close() {},
  };
  return store;
}

// --- chain state --------------------------------------------------------------------------------------------------------------------

export interface TestState {
  readonly rows: Map<ByteText, Uint8Array>;
  put(
    kind: RegistryKind,
    id: string,
    owner: string,
    data: Json,
    more?: { readonly state?: string; readonly validTo?: number | null },
  ): void;
}

export function createTestState(): TestState {
  const rows = new Map<ByteText, Uint8Array>();
  return {
    rows,
    put(kind, id, owner, data, more = {}) {
      const entry = {
        kind,
        id,
        owner,
        version: 1,
        state: more.state ?? 'active',
        validFrom: null,
        validTo: more.validTo ?? null,
        documentDigest: null,
        data,
      };
      rows.set(stateKey(CONTRACT.registry, registryKey.entry(kind, id)), encodeJson(entry));
    },
  };
}

/** Registers accounts by name with their roles, their organisations, and the roles of the chain. */
export function putAccounts(state: TestState, roles: Readonly<Record<string, readonly string[]>>): void {
  for (const [id, held] of Object.entries(roles)) {
    const organisation = id.split('@')[1]!;
    state.put('organisation', organisation, organisation, { name: organisation });
    state.put('account', id, organisation, {
      type: held.includes('device') ? 'device' : 'person',
      roles: [...held],
      keys: [],
      sessionEpoch: 1,
    });
  }
  for (const [role, names] of Object.entries(genesisRoles))
    state.rows.set(stateKey(CONTRACT.access, accessKey.role(role)), encodeJson([...names]));
}

export interface NodeKeys {
  readonly privateKey: KeyObject;
  readonly publicHex: string;
}

export function createNodeKeys(): NodeKeys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicHex: Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('hex') };
}

/** The rights of roles, as the `access` contract decides them, without grants. */
export const mayByRole: ApiDeps['may'] = (read, account, right) => {
  const bytes = read(CONTRACT.registry, registryKey.entry('account', account));
  if (bytes === undefined) return false;
  const { roles } = (decodeJson(bytes) as unknown as { data: AccountData }).data;
  return roles.some((role) => {
    const held = read(CONTRACT.access, accessKey.role(role));
    const names = held === undefined ? [] : (decodeJson(held) as readonly string[]);
    return names.includes('*') || names.includes(right);
  });
};

// --- node ---------------------------------------------------------------------------------------------------------------------------

export interface TestNode extends NodeService {
  readonly events_: OutboxEvent[];
  readonly submitted: Uint8Array[];
  readonly signed: { readonly account: string; readonly contract: string; readonly method: string; readonly args: Json }[];
  readonly alarms_: Alarm[];
  statuses: (id: string) => TransactionStatus;
  /** Transaction id in hex -> account. */
  readonly senders: Map<string, string>;
  height: number;
  emit(): void;
}

const hash = (data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest());
/** The transactions of every block. */
const TRANSACTIONS = [1, 2, 3].map((number) =>
  encodeTransaction({
    ...{
      chainId: CHAIN_ID,
      sender: 'mes@acme',
      keyId: 'k',
      salt: new Uint8Array(16).fill(number),
      expiryHeight: 20,
      gasLimit: 1,
      suite: 1,
    },
    calls: [{ contract: CONTRACT.audit, method: 'anchor', args: encodeJson({}) }],
    signature: new Uint8Array(64),
  }),
);

function headerAt(height: number): Header {
  const digest = (text: string) => new Uint8Array(createHash('sha256').update(text).digest());
  return {
    version: 1,
    chainId: CHAIN_ID,
    era: 0,
    height,
    parentHash: digest(`parent ${height}`),
    timestampMs: START_MS + height * 1_000,
    proposer: 'node-a',
    engine: 'pbft',
    engineData: new Uint8Array(8),
    txRoot: merkleRoot(
      hash,
      TRANSACTIONS.map((bytes) => transactionHashOf({ hash }, bytes)),
    ),
    receiptsRoot: digest('receiptsRoot'),
    stateRoot: digest('stateRoot'),
    consensusHash: digest('consensus'),
    nextConsensusHash: digest('consensus'),
  };
}

export function confirmed(id: Uint8Array, more: Partial<Receipt> = {}): TransactionStatus {
  const receipt: Receipt = {
    transactionId: id,
    height: 7,
    index: 0,
    status: 'ok',
    code: 'OK',
    detail: new Uint8Array(0),
    failedCall: 0,
    gasUsed: 100,
    keyKind: 'custodial',
    results: [encodeJson({ total: '3' })],
    events: [],
    ...more,
  };
  return { state: 'confirmed', receipt, blockHash: new Uint8Array(32).fill(7), timestampMs: START_MS };
}

export function createTestNode(state: TestState, world: World): TestNode {
  const listeners = new Set<(height: number) => void>();
  const crypto = world.crypto;
  const stored = (height: number): StoredBlock => {
    const block: Block = { header: headerAt(height), seal: new Uint8Array(64), transactions: TRANSACTIONS };
    const headerBytes = encodeHeader(block.header);
    const transactionIds = TRANSACTIONS.map((bytes) => openTransaction(crypto, bytes).id);
    return { block, hash: headerHash(crypto, headerBytes), headerBytes, finality: undefined, receipts: [], transactionIds };
  };
  const node: TestNode = {
    events_: [],
    submitted: [],
    signed: [],
    alarms_: [],
    statuses: (id) => confirmed(Buffer.from(id, 'hex')),
    senders: new Map(),
    height: 12,
    emit: () => {
      for (const listener of listeners) listener(node.height);
    },
    info: {
      node: 'node-a',
      organisation: 'acme',
      chainId: CHAIN_ID,
      genesisHash: new Uint8Array(GENESIS_HASH),
      genesisText: '{}',
      version: '0.1.0',
      executionVersion: 1,
      bundleDigest: 'b'.repeat(64),
    },
    head: () => ({ height: node.height, hash: stored(node.height).hash, timestampMs: START_MS, stateRoot: new Uint8Array(32), era: 0 }),
    parameters: defaultParameters,
    state: { get: (key) => state.rows.get(key) },
    consensus: () => ({
      engine: 'pbft',
      height: node.height,
      phase: 'idle',
      producer: 'node-a',
      details: { view: 0, proposals: 3, verifications: 3, votes: { prepare: 9, commit: 9, viewChange: 0 }, stableCheckpoint: 10 },
    }),
    peers: () =>
      ['node-b', 'node-c', 'node-d'].map((peer) => ({ node: peer, connected: peer !== 'node-d', lastSeenMs: 5, address: undefined })),
    mempool: () => ({ count: 1, bytes: 200, heldBack: 0 }),
    checkBacklog: () => undefined,
    inbox: () => ({ dropped: 7 }),
    async submit(bytes) {
      node.submitted.push(bytes);
      return crypto.hash(bytes);
    },
    health: () => ({ checks: [], dueForMs: 0, stalled: undefined }),
    leftOut: () => 0,
    transaction: async (id) => node.statuses(toHex(id)),
    senderOf: async (id) => node.senders.get(toHex(id)),
    awaitTransaction: async (id) => node.statuses(toHex(id)),
    transactionBytes: async () => undefined,
    async block(ref) {
      if (ref === 'latest') return stored(node.height);
      if (typeof ref === 'number') return ref <= node.height ? stored(ref) : undefined;
      for (let height = 0; height <= node.height; height++) if (toHex(stored(height).hash) === toHex(ref)) return stored(height);
      return undefined;
    },
    headers: async (from, limit) =>
      Array.from({ length: Math.max(0, Math.min(limit, node.height - from + 1)) }, (_, i) => headerAt(from + i)),
    async validateBlock(bytes) {
      try {
        decodeSealedBlock(bytes);
      } catch {
        throw new ChainError('BLOCK_MALFORMED');
      }
      return [
        { check: 'headerHash', passed: true, computed: '00', stated: '00' },
        { check: 'stateRoot', passed: false, computed: '01', stated: '02' },
      ];
    },
    async stateRange(contract, from, to, limit) {
      const prefix = stateKey(contract, '');
      return [...state.rows]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => ({ key: key.slice(prefix.length), value }))
        .filter(({ key }) => key >= from && (to === undefined || key < to))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .slice(0, limit);
    },
    prove: async () => {
      throw new Error('not used');
    },
    query: async (_caller, _contract, method, args) => ({
      result: encodeJson({ method, args: decodeJson(args) }),
      gasUsed: 9,
      height: node.height,
    }),
    events: async (after, limit) =>
      node.events_
        .filter((event) => event.height > after.height || (event.height === after.height && event.position > after.position))
        .slice(0, limit),
    onEvents(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onBlock: () => () => {},
    alarms: async () => node.alarms_,
    raiseAlarm: async () => {},
    async acknowledgeAlarm(id, account) {
      const index = node.alarms_.findIndex((alarm) => alarm.id === id);
      if (index < 0) throw new ChainError('NOT_FOUND', { alarm: id });
      node.alarms_[index] = { ...node.alarms_[index]!, acknowledgedBy: account, acknowledgedAtMs: START_MS };
      return node.alarms_[index];
    },
    signsFor: () => true,
    judge: () => Promise.resolve(undefined),
    async signFor(account, calls) {
      for (const call of calls) node.signed.push({ account, contract: call.contract, method: call.method, args: decodeJson(call.args) });
      return utf8(JSON.stringify({ account, calls: calls.length, salt: toHex(world.random.bytes(16)) }));
    },
  };
  return node;
}

export function testEvent(height: number, position: number, name = 'stored', contract = 'records'): OutboxEvent {
  return {
    height,
    index: 0,
    position,
    transactionId: new Uint8Array(32).fill(height),
    event: { contract, name, data: encodeJson({ n: position }) },
  };
}

// --- records ------------------------------------------------------------------------------------------------------------------------

/** A body as the stand-in reads it: anything but `broken`, with `token=...` anywhere. */
function readText({ bytes }: RecordBody): { readonly text: string; readonly token: string | undefined } {
  const text = Buffer.from(bytes).toString('utf8');
  if (text.includes('broken')) {
    throw new ChainError('REQUEST_INVALID', {
      details: [
        { code: 'FIELD_MISSING', pointer: '/product_uid', message: 'is required' },
        { code: 'FIELD_RANGE', row: 2, column: 'propara', message: 'is empty' },
      ],
    });
  }
  const token = /token=(\S+)/.exec(text)?.[1];
  return { token, text: token === undefined ? text : text.replace(`token=${token}`, '') };
}

export interface TestRecords extends RecordService {
  readonly submissions: {
    readonly text: string;
    readonly mediaType: string;
    readonly account: string;
    readonly statedDigest: string | undefined;
    readonly source: Parameters<RecordService['submit']>[2]['source'];
  }[];
  readonly searches: Parameters<RecordService['search']>[0][];
  pending: boolean;
  delayMs: number;
}

export function createTestRecords(): TestRecords {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const outcome = (text: string): SubmitOutcome['records'][number] => {
    const digest = sha256(`sealed ${text}`);
    return { id: digest, version: 1, contentDigest: sha256(text), recordDigest: digest, digestAlg: 'SHA-256', status: 'stored' };
  };
  const row = (id: string) => ({ id, version: 1, recordDigest: 'd'.repeat(64), class: 'production' });
  const service: TestRecords = {
    submissions: [],
    searches: [],
    pending: false,
    delayMs: 0,
    underWay: () => 0,
    gathered: () => 0,
    async submit(body, bearer, options) {
      const { token, text } = readText(body);
      const caller = bearer.identify(token);
      if (service.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, service.delayMs));
      service.submissions.push({
        text,
        mediaType: body.mediaType,
        account: caller.account,
        statedDigest: options.statedDigest,
        source: options.source,
      });
      const pending = service.pending || options.wait === 'async';
      return {
        transactionId: 'e'.repeat(64),
        status: pending ? 'pending' : 'confirmed',
        height: pending ? null : 8,
        blockHash: pending ? null : 'f'.repeat(64),
        records: [outcome(text)],
      };
    },
    contentDigests: async (body) => [sha256(readText(body).text)],
    async validate(body, bearer) {
      const { token, text } = readText(body);
      bearer.identify(token);
      return { records: [outcome(text)] };
    },
    async search(search) {
      service.searches.push(search);
      return { items: [row('a'.repeat(64))], next: null, height: 12, complete: true, withheld: 0, count: null };
    },
    async get(id) {
      if (id === '0'.repeat(64)) throw new ChainError('NOT_FOUND', { id });
      return row(id);
    },
    history: async (id) => ({ items: [row(id)], next: null, height: 12, complete: true, withheld: 0, count: null }),
    proof: async (id, _version, transaction) => ({ evidence: 'v1', id, transaction }),
    trace: async (product) => ({ product, nodes: [], edges: [], height: 12, complete: true }),
  };
  return service;
}

// --- everything together --------------------------------------------------------------------------------------------------------------

export interface Rig {
  readonly server: ApiServer;
  readonly node: TestNode;
  readonly records: TestRecords;
  readonly state: TestState;
  readonly store: TestStore;
  readonly exchangeStore: TestStore;
  readonly world: TestWorld;
  readonly keys: Readonly<Record<string, NodeKeys>>;
  readonly deployed: Parameters<ApiDeps['deploy']>[0][];
  /** A valid session token of an account, or one that differs from it as told. */
  token(account: string, more?: Partial<TokenClaims>, signer?: NodeKeys): string;
  close(): Promise<void>;
}

let tls: Promise<TlsOptions & { readonly ca: string }> | undefined;

export function testTls(): Promise<TlsOptions & { readonly ca: string }> {
  tls ??= (async () => {
    x509.cryptoProvider.set(webcrypto as never);
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=tracemill test',
      notBefore: new Date('2020-01-01'),
      notAfter: new Date('2099-01-01'),
      keys: keys as never,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: '127.0.0.1' },
        ]),
      ],
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }) as string;
    const cert = certificate.toString('pem');
    return { key, cert, ca: cert };
  })();
  return tls;
}

/** @param recordsOn makes the record modules on the rig's node; a stand-in when absent. */
export async function createRig(
  settings: ApiDeps['settings'] = {},
  recordsOn?: (node: TestNode, world: TestWorld) => RecordService,
  logStore?: Store,
  headroom?: Headroom,
  moreDialects: readonly Dialect[] = [],
): Promise<Rig> {
  const world = createTestWorld();
  const state = createTestState();
  const store = createTestStore();
  const exchangeStore = createTestStore();
  const keys = { 'node-a': createNodeKeys(), 'node-b': createNodeKeys() };
  for (const [id, organisation] of [
    ['node-a', 'acme'],
    ['node-b', 'bolt'],
  ] as const) {
    state.put('organisation', organisation, organisation, { name: organisation });
    const tokenKey = keys[id].publicHex;
    state.put('node', id, organisation, {
      transportKey: tokenKey,
      validatorKey: tokenKey,
      tokenKey,
      custodialKey: tokenKey,
      addresses: [],
      role: 'validator',
      weight: 1,
    });
  }
  putAccounts(state, {
    'ada@acme': ['admin'],
    'olga@acme': ['operator'],
    'press-7@acme': ['device'],
    'audrey@acme': ['auditor'],
    'bob@bolt': ['admin'],
  });
  const validators = ['node-a', 'node-b', 'node-c', 'node-d'].map((node) => ({ node, publicKey: '00', suite: 1, weight: 1 }));
  state.rows.set(stateKey(CONTRACT.governance, governanceKey.validators), encodeJson(validators));

  const node = createTestNode(state, world);
  const records = createTestRecords();
  const deployed: Parameters<ApiDeps['deploy']>[0][] = [];
  const exchanges = await openExchangeLog({ store: logStore ?? exchangeStore, world });
  const deps: ApiDeps = {
    node,
    records: recordsOn?.(node, world) ?? records,
    deploy: async (request) => {
      deployed.push(request);
      return { contract: CONTRACT.deployed, method: 'deploy', args: encodeJson({ name: request.name }) };
    },
    world,
    store,
    may: mayByRole,
    tokenSigner: { sign: (message) => new Uint8Array(sign(null, message, keys['node-a'].privateKey)) },
    credentialsKey: new Uint8Array(32).fill(3),
    exchanges,
    settings,
    ...(headroom ? { headroom } : {}),
  };
  const server = createServer(deps, await testTls(), [...dialects, ...moreDialects]);
  return {
    server,
    node,
    records,
    state,
    store,
    exchangeStore,
    world,
    keys,
    deployed,
    token(accountId, more = {}, signer = keys['node-a']) {
      const nowMs = world.clock.now();
      const claims: TokenClaims = {
        account: accountId,
        org: accountId.split('@')[1]!,
        kind: 'session',
        id: '00',
        node: 'node-a',
        sessionEpoch: 1,
        issuedAt: nowMs,
        expires: nowMs + 600_000,
        steppedUpAt: 0,
        ...more,
      };
      return encodeToken(CHAIN_ID, claims, (message) => new Uint8Array(sign(null, message, signer.privateKey)));
    },
    async close() {
      await server.stop();
      await exchanges.stop();
    },
  };
}
