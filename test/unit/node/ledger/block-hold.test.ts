/**
 * How long one block as large as blocks may be holds the thread that votes, wherever the block comes from and through all that follows from it: the
 * longest time between two turns of the event loop.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import { type Chain, createChain } from '../../../../node/chain/chain.ts';
import { type ChainTip, createTip } from '../../../../node/chain/tip.ts';
import { createEd25519Signer } from '../../../tools/ed25519-signer.ts';
import { voteSigningBytes, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  BLOCK_TRANSACTIONS_LIMIT,
  consensusHashOf,
  type Digest,
  encodeBlock,
  encodeConfiguration,
  encodeContent,
  encodeHeader,
  encodeProposal,
  encodeReceipt,
  encodeRecordResults,
  type RecordResult,
  type Header,
  HEADER_VERSION,
  headerHash,
  merkleRoot,
  openGenesis,
  openTransaction,
  sealSigningBytes,
  signTransaction,
  SUITE,
  transactionHashOf,
  Writer,
} from '../../../../node/format/index.ts';
import type { AccountView } from '../../../../node/ledger/admission.ts';
import { openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { createBlockStore, encodeLocation } from '../../../../node/ledger/block-store.ts';
import type { ExecutorPort } from '../../../../node/ledger/executor-port.ts';
import { startExecutorThread } from '../../../../node/ledger/executor-thread.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createMempool, type Mempool } from '../../../../node/chain/mempool/mempool.ts';
import { createPause } from '../../../../node/pace/slices.ts';
import { openPendingBodies } from '../../../../node/chain/pending-bodies.ts';
import { createIndexFeeder } from '../../../../node/records/feeder.ts';
import { createRecordIndex } from '../../../../node/records/query-index.ts';
import { createSyncMarks, type LevelStore, openDirectory, openLevelStore } from '../../../../node/store/index.ts';
import { createRealWorld } from '../../../../node/real/world.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { genesisText } from './small-chain.ts';
import type { Store } from '../../../../node/world.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryLog } from '../memory-world.ts';
import { annexRecord } from '../records/sample.ts';
import { Shelf } from '../records/shelf.ts';

const HELD_MS_MAX = 20;
const TRIES = 24;
/** With it a block of as many transactions as there may be has nearly as many bytes as it may have. */
const ARGS_BYTES = 2_900;
const NOTHING = new Uint8Array(32);
const world = createRealWorld({
  log: new MemoryLog(),
  crypto,
  verifier: { verify: async () => true, verifyAll: async (checks) => checks.map(() => true), stop: async () => undefined },
});
const signer = createEd25519Signer(new Uint8Array(32).fill(7));
const { chainId, configuration: first } = openGenesis(crypto, genesisText);
const validators = ['a', 'b', 'c', 'd'].map((node) => ({ node, publicKey: signer.publicKey, suite: SUITE.ed25519, weight: 1 }));
const parameters = { ...first.parameters, blockTransactionsMax: BLOCK_TRANSACTIONS_LIMIT, blockBytesMax: 31 * 1_048_576 };
const configuration = { ...first, parameters, validators };
const consensusHash = consensusHashOf(crypto, configuration);
const genesis: Header = {
  ...{ version: HEADER_VERSION, chainId, era: 0, height: 0, parentHash: NOTHING, timestampMs: world.clock.now() - 1_000, proposer: 'a' },
  ...{ engine: 'pbft', engineData: new Uint8Array(8), txRoot: NOTHING, receiptsRoot: NOTHING, stateRoot: NOTHING },
  ...{ consensusHash, nextConsensusHash: consensusHash },
};

async function level(t: TestContext, name: string): Promise<{ readonly path: string; readonly store: LevelStore }> {
  const path = await mkdtemp(join(tmpdir(), `block-hold-${name}-`));
  const store = await openLevelStore({ path, multithreading: true });
  t.after(async () => {
    await store.close();
    await rm(path, { recursive: true, force: true });
  });
  return { path, store };
}

/** @param prepare run before each try; what it answers is measured. */
async function holdsBriefly(t: TestContext, what: string, prepare: () => Promise<() => Promise<unknown>>): Promise<void> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && leastMs > HELD_MS_MAX; i++) {
    const work = await prepare();
    const hold = await leastHold(async () => void (await work()), { boundMs: HELD_MS_MAX, triesMax: 1 });
    leastMs = Math.min(leastMs, hold.longestMs);
  }
  t.diagnostic(`${what}: ${leastMs.toFixed(1)} ms`);
  assert.ok(leastMs <= HELD_MS_MAX, `${what}: ${leastMs} ms`);
}

let salts = 0;
function transaction(argsBytes: number): Uint8Array {
  const salt = new Uint8Array(16);
  new DataView(salt.buffer).setUint32(0, ++salts);
  const call = { contract: 'c', method: 'm', args: new Uint8Array(argsBytes) };
  const body = { chainId, sender: `s${salts % 50}`, keyId: 'k', salt, expiryHeight: 50, calls: [call], gasLimit: 5, suite: SUITE.ed25519 };
  return signTransaction(crypto, body, () => new Uint8Array(64)).bytes;
}

function receiptOf(id: Digest, stored: readonly RecordResult[]): Uint8Array {
  const fixed = { height: 1, index: 0, status: 'ok', code: 'OK', failedCall: 0, gasUsed: 5, keyKind: 'own' } as const;
  const results = stored.length === 0 ? [] : [encodeRecordResults(stored)];
  return encodeReceipt({ ...fixed, transactionId: id, detail: new Uint8Array(0), results, events: [] });
}

/** Knows every sender by one key. */
const account = (id: string): AccountView => {
  const key = { keyId: 'k', publicKey: '', suite: SUITE.ed25519, kind: 'own', node: null, scope: ['*'], validTo: null, revoked: false };
  const keys = new Map([['k', { key, publicKey: signer.publicKey }]]);
  return { id, organisation: 'w', validFrom: null, validTo: null, roles: [], keys } as unknown as AccountView;
};

function mempoolOf(tip: Pick<ChainTip, 'admission'>): Mempool {
  return createMempool({
    crypto,
    verifier: world.verifier,
    clock: world.clock,
    limits: { countMax: 50_000, bytesMax: 268_435_456 },
    context: tip.admission,
  });
}

test(`a block of ${BLOCK_TRANSACTIONS_LIMIT} transactions that fill it holds the thread less than ${HELD_MS_MAX} ms at a time, on every way`, async (t) => {
  const { path, store } = await level(t, 'chain');
  const blocksPath = join(path, 'blocks');
  const files = await openBlockFiles({ directory: await openDirectory(blocksPath), chainId, world });
  t.after(() => files.close());
  const thread = await startExecutorThread(
    { storePath: path, syncMarks: createSyncMarks(), blocksPath, genesisText, mapMemoryBytesMax: 16_777_216, pagesPath: `${path}.pages` },
    world,
    store,
    (error) => assert.fail(error),
  );
  t.after(() => thread.stop());
  await thread.open();
  const bodies = Array.from({ length: BLOCK_TRANSACTIONS_LIMIT }, () => transaction(ARGS_BYTES));
  const hashes = bodies.map((bytes) => transactionHashOf(crypto, bytes));
  const ids = bodies.map((bytes) => openTransaction(crypto, bytes).id);
  const receipts = ids.map((id) => receiptOf(id, []));
  const txRoot = merkleRoot(crypto.hash, hashes);
  const committed = (headerBytes: Uint8Array, height: number) => ({
    ...{ height, hash: headerHash(crypto, headerBytes), headerBytes, configuration: encodeConfiguration(configuration) },
    ...{
      barrier: false,
      registryChanged: false,
      recordFacts: undefined,
      transactionIds: height === 0 ? [] : ids,
      receipts: height === 0 ? [] : receipts,
    },
  });
  const opened = committed(encodeHeader(genesis), 0);
  const proposed = (proposer: string) => {
    const header = { ...genesis, height: 1, parentHash: opened.hash, timestampMs: world.clock.now(), proposer, txRoot };
    const headerBytes = encodeHeader(header);
    const digest = headerHash(crypto, headerBytes);
    const seal = signer.sign(sealSigningBytes(digest));
    return { header, headerBytes, digest, seal, proposal: encodeProposal({ header: headerBytes, seal, transactionHashes: hashes }) };
  };
  /** The real thread is handed every block and refuses it, since its chain is another one; what it would have said then comes from here. */
  let last = opened;
  const executor: ExecutorPort = {
    ...thread,
    async build(request) {
      await thread.build(request).catch(() => undefined);
      const { digest: hash, headerBytes } = proposed('a');
      return { hash, headerBytes, included: request.transactions.map((_, i) => i), refused: [], timeUp: false };
    },
    async execute(request) {
      await thread.execute(request);
      last = committed(request.headerBytes, 1);
      return { hash: last.hash, parent: opened.hash, failed: [] };
    },
    commit: async () => last,
  };
  const pending = await openPendingBodies(files, createBlockStore(store, files), crypto);
  const fresh = async (): Promise<{ readonly chain: Chain; readonly mempool: Mempool }> => {
    pending.drop(1);
    const tip = createTip(opened, { account, spent: { has: () => false, add: () => undefined } });
    const mempool = mempoolOf(tip);
    const spreading = { flush: () => undefined, fetchTransactions: async () => bodies };
    const chain = createChain({ world, self: 'a', executor, tip, mempool, pending, store, seal: signer.sign, spreading });
    return { chain, mempool };
  };
  const full = async () => {
    const made = await fresh();
    for (const bytes of bodies) await made.mempool.add(bytes, 'peer');
    return made;
  };
  const execute = async (chain: Chain, proposer: string, code: string): Promise<Digest> => {
    const { digest, proposal } = proposed(proposer);
    assert.equal(
      (await chain.execute({ height: 1, engineData: encodeEngineData(0), digest, proposal, from: 'b', fresh: true })).code,
      code,
    );
    return digest;
  };
  const finality = (digest: Digest) => {
    const signature = signer.sign(voteSigningBytes(chainId, 'commit', { view: 0, height: 1, digest }));
    return encodeCertificate({ view: 0, height: 1, digest, votes: ['a', 'b', 'c'].map((node) => ({ node, signature })) });
  };

  await holdsBriefly(t, 'proposed by no validator', async () => {
    const { chain } = await fresh();
    return () => execute(chain, 'nobody', 'BLOCK_REFUSED');
  });
  await holdsBriefly(t, 'proposed, its transactions fetched', async () => {
    const { chain } = await fresh();
    return () => execute(chain, 'a', 'OK');
  });
  await holdsBriefly(t, 'proposed again, its transactions held', async () => {
    const { chain } = await fresh();
    await execute(chain, 'a', 'OK');
    return () => execute(chain, 'a', 'OK');
  });
  await holdsBriefly(t, 'proposed, its transactions waiting', async () => {
    const { chain } = await full();
    return () => execute(chain, 'a', 'OK');
  });
  await holdsBriefly(t, 'built', async () => {
    const { chain } = await full();
    return async () =>
      assert.ok('digest' in (await chain.build({ height: 1, engineData: encodeEngineData(0), parent: opened.hash, emptyAllowed: true })));
  });
  await holdsBriefly(t, 'committed', async () => {
    const { chain, mempool } = await full();
    const digest = await execute(chain, 'a', 'OK');
    return async () => {
      assert.equal((await chain.commit({ height: 1, digest, finality: finality(digest) })).height, 1);
      assert.equal(mempool.size().count, 0);
    };
  });
  await holdsBriefly(t, 'synced', async () => {
    const { chain } = await fresh();
    const { header, seal, digest } = proposed('a');
    const bytes = encodeBlock({ header, seal, transactions: bodies });
    return async () => assert.equal((await chain.applyBlock(bytes, finality(digest))).height, 1);
  });
});

test(`transactions that expire all at once hold the thread less than ${HELD_MS_MAX} ms at a time`, async (t) => {
  const bodies = Array.from({ length: 30_000 }, () => transaction(50));
  await holdsBriefly(t, 'expired', async () => {
    const parts = { chainId, height: 1, timestampMs: 1_000, parameters, spent: () => false, account };
    const mempool = mempoolOf({ admission: () => parts });
    for (const bytes of bodies) await mempool.add(bytes, 'peer');
    return async () => {
      await mempool.settle({ included: [], height: 50, tookMs: 0 }, createPause(world));
      assert.equal(mempool.size().count, 0);
    };
  });
});

test(`the index of records takes a block of a thousand records in pieces of less than ${HELD_MS_MAX} ms`, async (t) => {
  const { store } = await level(t, 'index');
  const shelf = new Shelf();
  const { rows } = shelf;
  const stored = Array.from({ length: 1_000 }, (_, i) => {
    const tree = annexRecord({ product_uid: `SN-${i}` });
    const recordId = crypto.hash(new Writer(8).u64(i).finish());
    shelf.put(recordId, { class: 'production', org: 'works', actor: 'mes@works', content: encodeContent(tree), height: 1 });
    return { status: 'stored', class: 'production', id: recordId, recordDigest: NOTHING } as const;
  });
  const receipts = [
    ...Array.from({ length: BLOCK_TRANSACTIONS_LIMIT - 10 }, () => receiptOf(NOTHING, [])),
    ...Array.from({ length: 10 }, (_, i) => receiptOf(NOTHING, stored.slice(100 * i, 100 * (i + 1)))),
  ];
  const bytes = new Writer(4_096).list(receipts, (w, receipt) => w.bytes(receipt)).finish();
  const files = memoryBlockFiles(chainId);
  const body = encodeBlock({ header: { ...genesis, height: 1 }, seal: new Uint8Array(64), transactions: shelf.transactionsOf(1) });
  const ledger = new Map([
    [ledgerKey.header(0), encodeHeader(genesis)],
    [ledgerKey.receipts(0), new Writer(4).list([], () => undefined).finish()],
    [ledgerKey.header(1), encodeHeader({ ...genesis, height: 1 })],
    [ledgerKey.receipts(1), bytes],
    [ledgerKey.body(1), encodeLocation(await files.append(1, body))],
  ]);
  const rowsOf: Pick<Store, 'get' | 'range'> = {
    get: (key) => ledger.get(key),
    range: async ({ from }) => (ledger.has(from) ? [{ key: from, value: ledger.get(from)! }] : []),
  };
  const blocks = createBlockStore(rowsOf, files);
  const state = { get: (key: string) => rows.get(key) };
  await holdsBriefly(t, 'indexed', async () => {
    const index = createRecordIndex(store, crypto);
    await index.refeed();
    const feeder = createIndexFeeder({ index, blocks, state, height: () => 1, timers: world.timers, clock: world.clock, log: world.log });
    return async () => {
      await feeder.rebuild();
      assert.equal((await index.count({})).count, stored.length);
      await feeder.stop();
    };
  });
});
