/** A NodeService of a few made-up blocks, which keeps what it was asked to sign and submit. */
import { createHash } from 'node:crypto';
import { decodeSealedBlock } from '../../../node/ledger/validation.ts';
import { CONTRACT, stateKey } from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import {
  type Block,
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
import type { World } from '../../../node/world.ts';
import { GENESIS_HASH, CHAIN_ID, START_MS } from './stand-in-world.ts';
import type { TestState } from './stand-in-state.ts';

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
    swept: () => ({ segments: 2, bytes: 70_000_000 }),
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
