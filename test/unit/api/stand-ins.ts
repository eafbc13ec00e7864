/** The real server of the interface on stand-ins of what lies next door (NodeService, RecordService, Store, World). Tests only. */
import 'reflect-metadata';
import { sign } from 'node:crypto';
import type { ApiDeps } from '../../../api/rest/index.ts';
import { type ApiServer, createServer } from '../../../api/rest/server.ts';
import { type Dialect, dialects } from '../../../api/dialects/index.ts';
import type { RecordService } from '../../../node/records/index.ts';
import { encodeToken, type TokenClaims } from '../../../api/auth/index.ts';
import { CONTRACT, governanceKey, stateKey } from '../../../contracts/index.ts';
import { openExchangeLog } from '../../../node/feeds/index.ts';
import { encodeJson } from '../../../node/format/index.ts';
import type { Headroom } from '../../../node/pace/index.ts';
import type { Store } from '../../../node/world.ts';
import { CHAIN_ID, type TestWorld, createTestWorld, type TestStore, createTestStore } from './stand-in-world.ts';
import { type TestState, createTestState, putAccounts, type NodeKeys, createNodeKeys, mayByRole } from './stand-in-state.ts';
import { type TestNode, createTestNode } from './stand-in-node.ts';
import { type TestRecords, createTestRecords } from './stand-in-records.ts';
import { testTls } from '../../tools/test-tls.ts';

export { testTls };

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
