/** A chain over a real executor, with a stand-in for its mempool: four nodes of one genesis, each opened by itself. */
import assert from 'node:assert/strict';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import { type ContractMachine, createBuiltins, type Genesis } from '../../../../contracts/index.ts';
import { type Chain, type ChainDependencies, createChain } from '../../../../node/chain/chain.ts';
import { type ChainTip, createTip } from '../../../../node/chain/tip.ts';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  type Digest,
  openGenesis,
  openTransaction,
  signTransaction,
  SUITE,
  toByteText,
  toHex,
  utf8,
} from '../../../../node/format/index.ts';
import { type Committed, createExecutor } from '../../../../node/ledger/executor.ts';
import { inlineExecutor } from '../../../tools/inline-executor.ts';
import type { FinalBlock, Mempool } from '../../../../node/chain/mempool/mempool.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { realTimers } from '../../../../node/real/world.ts';
import type { Log, World } from '../../../../node/world.ts';
import { SimKeys } from '../../../simulation/crypto.ts';
import { SeededRandom } from '../../../simulation/random.ts';

export const keys = new SimKeys(new SeededRandom(3), SUITE.simulated);
export const NODES = ['a', 'b', 'c', 'd'] as const;
export const signers = new Map(NODES.map((node) => [node as string, keys.generate()]));
const client = keys.generate();
export const START_MS = 1_767_225_600_000;
const other = () => toHex(keys.generate().publicKey);
export const GENESIS: Genesis = {
  version: 1,
  name: 'chain',
  timestampMs: START_MS,
  engine: 'pbft',
  executionVersion: 1,
  parameters: {},
  organisations: [{ id: 'works', name: 'Works' }],
  nodes: NODES.map((id) => ({
    id,
    organisation: 'works',
    transportKey: other(),
    validatorKey: toHex(signers.get(id)!.publicKey),
    tokenKey: other(),
    custodialKey: other(),
    addresses: ['/ip4/127.0.0.1/tcp/1'],
    role: 'validator',
    weight: 1,
    suite: SUITE.simulated,
  })),
  accounts: [
    {
      id: 'mes@works',
      organisation: 'works',
      type: 'service',
      roles: ['operator'],
      keys: [
        {
          keyId: 'k',
          publicKey: toHex(client.publicKey),
          suite: SUITE.simulated,
          kind: 'own',
          node: null,
          scope: ['*'],
          validTo: null,
          revoked: false,
        },
      ],
    },
  ],
  factories: [],
  devices: [],
};
/** As the mempool hands out a transaction of the client. */
export const entryOf = (bytes: Uint8Array) => {
  const { id, hash, transaction } = openTransaction(keys, bytes);
  const keyed = { id, hash, idKey: toByteText(id), hashKey: toByteText(hash) };
  return { bytes, ...keyed, publicKey: client.publicKey, sender: transaction.sender, gasLimit: transaction.gasLimit };
};
export const callOf = (salt: number, gasLimit = 1_000_000): Uint8Array =>
  signTransaction(
    keys,
    {
      chainId: openGenesis(keys, JSON.stringify(GENESIS)).chainId,
      sender: 'mes@works',
      keyId: 'k',
      salt: new Uint8Array(16).fill(salt),
      expiryHeight: 9,
      calls: [{ contract: 'registry', method: 'nothing', args: utf8('{}') }],
      gasLimit,
      suite: SUITE.simulated,
    },
    client.sign,
  ).bytes;
export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface Opened {
  readonly chain: Chain;
  readonly tip: ChainTip;
  readonly told: Committed[];
  readonly refused: number[];
  readonly stale: string[];
  readonly clock: { nowMs: number };
  /** What the mempool was told of final blocks. */
  readonly settled: FinalBlock[];
}

export async function open(
  self: string,
  changes: Partial<ChainDependencies> = {},
  waiting: readonly Uint8Array[] = [],
  onStore: () => void = () => {},
): Promise<Opened> {
  const store = new MemoryStore();
  const builtins = createBuiltins({ acceptKey: () => true });
  const genesisText = JSON.stringify(GENESIS);
  const executor = createExecutor({
    store,
    files: memoryBlockFiles(new Uint8Array(32)),
    crypto: keys,
    clock: { monotonic: () => 0 },
    builtins,
    machine: { bundleDigest: '' } as ContractMachine,
    genesisText,
  });
  const clock = { nowMs: START_MS + 1_000 };
  const world = {
    clock: { now: () => clock.nowMs, monotonic: () => clock.nowMs },
    timers: realTimers,
    crypto: keys,
    log: silent,
  } as unknown as World;
  const told: Committed[] = [];
  const refused: number[] = [];
  const stale: string[] = [];
  const settled: FinalBlock[] = [];
  const mempool = {
    select: () => waiting.map(entryOf),
    byHash: () => undefined,
    size: () => ({ count: 0, bytes: 0 }),
    settle: async (block: FinalBlock) => void settled.push(block),
    verify: async (bytes: Uint8Array) => entryOf(bytes),
  };
  const port = inlineExecutor(
    {
      ...executor,
      commit: (request) => {
        onStore();
        return executor.commit(request);
      },
    },
    '',
  );
  const tip = createTip(await port.open(), { account: () => undefined, spent: { has: () => false, add: () => undefined } });
  const chain = createChain({
    world,
    self,
    executor: port,
    tip,
    mempool: mempool as unknown as Mempool,
    pending: { save: async () => 0, transaction: () => undefined, drop: () => {} },
    store,
    seal: (message) => signers.get(self)!.sign(message),
    spreading: { flush: () => undefined, fetchTransactions: async () => [] },
    ...changes,
  });
  chain.on('committed', (committed) => told.push(committed));
  chain.on('stale', ({ proposer }) => stale.push(proposer));
  chain.on('refused', ({ height }) => refused.push(height));
  return { chain, tip, told, refused, stale, clock, settled };
}

export const giving = (found: Uint8Array[]): ChainDependencies['spreading'] => ({
  flush: () => undefined,
  fetchTransactions: async () => found,
});

export async function build({ chain, tip }: Opened, view = 0) {
  const { height, hash } = tip.now();
  const built = await chain.build({ height: height + 1, engineData: encodeEngineData(view), parent: hash, emptyAllowed: true });
  return 'digest' in built ? built : assert.fail(built.code);
}

export const finalityOf = (digest: Digest): Uint8Array => encodeCertificate({ height: 1, view: 0, digest, votes: [] });
export const finish = ({ chain }: Opened, digest: Digest) => chain.commit({ height: 1, digest, finality: finalityOf(digest) });
