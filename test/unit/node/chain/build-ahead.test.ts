/** A chain, mempool and executor as they are in a node, whose proposer builds a block while the one below is voted on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import { encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { CONTRACT, type Genesis } from '../../../../contracts/index.ts';
import { ROUND_PART_MAX, WORK_PART_START } from '../../../../node/chain/block-budget.ts';
import { createChain } from '../../../../node/chain/chain.ts';
import { createMempool, type FinalBlock, type Mempool } from '../../../../node/chain/mempool/mempool.ts';
import { openPendingBodies } from '../../../../node/chain/pending-bodies.ts';
import { createTip } from '../../../../node/chain/tip.ts';
import {
  type Call,
  decodeProposal,
  defaultParameters,
  type Digest,
  encodeJson,
  encodeSubmissions,
  openGenesis,
  parameterTable,
  signTransaction,
  toHex,
  utf8,
} from '../../../../node/format/index.ts';
import { createBlockStore } from '../../../../node/ledger/block-store.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { createExecutor } from '../../../../node/ledger/executor.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { SpentIds } from '../../../../node/ledger/spent-ids.ts';
import { createStateRows } from '../../../../node/ledger/state-rows.ts';
import { realTimers } from '../../../../node/real/world.ts';
import { createFinalState } from '../../../../node/ledger/final-state.ts';
import type { Log, World } from '../../../../node/world.ts';
import { inlineExecutor } from '../../../tools/inline-executor.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto, genesisFixture, hex, testKey } from '../format/genesis-fixture.ts';
import { certify, submissionsOf } from '../ledger/small-chain.ts';

const SELF = 'north-1';
const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const contracts = await createContracts(crypto, 1);
const fixture = genesisFixture();
const [mes] = fixture.accounts as [Genesis['accounts'][number]];
/** A second account, which administers. */
const erp = {
  ...mes,
  id: 'erp@north',
  roles: ['operator', 'admin'],
  keys: mes.keys.map((key) => ({ ...key, publicKey: hex(testKey('erp').publicKey) })),
};
const TRANSACTIONS_MAX = 3;
const BLOCK_BYTES_MAX = parameterTable.blockBytesMax.min;
const genesis: Genesis = {
  ...fixture,
  parameters: { blockTransactionsMax: TRANSACTIONS_MAX, blockBytesMax: BLOCK_BYTES_MAX },
  accounts: [mes, erp],
};
const genesisText = JSON.stringify(genesis);
const { chainId } = openGenesis(crypto, genesisText);

const nameOf = new Map<string, string>();
function transaction(name: string, sender: 'mes' | 'erp', call: Call, gasLimit = 100_000_000): Uint8Array {
  const { bytes, hash } = signTransaction(
    crypto,
    {
      chainId,
      sender: `${sender}@north`,
      keyId: 'k1',
      salt: crypto.hash(utf8(name)).subarray(0, 16),
      expiryHeight: 100,
      calls: [call],
      gasLimit,
      suite: 1,
    },
    (message) => testKey(sender).sign(message),
  );
  nameOf.set(toHex(hash), name);
  return bytes;
}
const records = submissionsOf(1, 6).map((record) => ({ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions([record]) }));
const ofMes = records.slice(0, 4).map((call, i) => transaction(`m${i + 1}`, 'mes', call));
const ofErp = transaction('e1', 'erp', records[4]!);
const revoke = transaction('revoke', 'erp', {
  contract: CONTRACT.registry,
  method: 'revokeKey',
  args: encodeJson({ id: 'mes@north', keyId: 'k1' }),
});

async function open(waiting: readonly Uint8Array[]) {
  const store = new MemoryStore();
  const clock = { nowMs: 0, stepMs: 0 };
  const files = memoryBlockFiles(openGenesis(crypto, genesisText).chainId);
  const executor = createExecutor({
    store,
    files,
    crypto,
    clock: { monotonic: () => (clock.nowMs += clock.stepMs) },
    genesisText,
    ...contracts,
  });
  const world = {
    clock: { now: () => genesis.timestampMs + 1_000 + clock.nowMs, monotonic: () => clock.nowMs },
    timers: realTimers,
    crypto,
    log: silent,
  } as unknown as World;
  const inline = inlineExecutor(executor, '');
  const workMs: number[] = [];
  /** Taken before the answer to the next build. */
  const steps: (() => Promise<unknown>)[] = [];
  const port: typeof inline = {
    ...inline,
    async build(request) {
      workMs.push(request.workMsMax);
      const built = await inline.build(request);
      await steps.shift()?.();
      return built;
    },
  };
  const state = createFinalState(createStateRows(store));
  const spent = new SpentIds(0, (id) => store.get(ledgerKey.position(id)) !== undefined);
  const tip = createTip(await port.open(), { account: state.account, spent });
  const pool = createMempool({
    crypto,
    verifier: { verify: async () => true } as unknown as World['verifier'],
    clock: world.clock,
    limits: { countMax: 100, bytesMax: 8 * BLOCK_BYTES_MAX },
    context: () => tip.admission(),
  });
  const settled: FinalBlock[] = [];
  const mempool: Mempool = {
    ...pool,
    settle(block, pause) {
      settled.push(block);
      return pool.settle(block, pause);
    },
  };
  const pending = await openPendingBodies(files, createBlockStore(store, files), crypto);
  const chain = createChain({
    world,
    self: SELF,
    executor: port,
    tip,
    mempool,
    pending,
    store,
    seal: (message) => testKey(`${SELF} validator`).sign(message),
    spreading: { flush: () => undefined, fetchTransactions: async () => [] },
  });
  chain.on('committed', ({ registryChanged }) => registryChanged && state.changed());
  for (const bytes of waiting) await pool.add(bytes, 'client');
  return {
    pool,
    clock,
    steps,
    settled,
    /** Ms that each build was given. */
    workMs,
    tip,
    /** Builds on a block, or on the last final one; cut after two transactions when `cut`. */
    async build(parent: Digest | undefined, height: number, cut: boolean, view = 1) {
      clock.stepMs = cut ? 100 : 0; // asked once for each transaction after the first
      const request = { height, engineData: encodeEngineData(view), parent: parent ?? tip.hash, emptyAllowed: false };
      const built = await chain.build(request).catch(({ code }: { readonly code: string }) => ({ code }));
      clock.stepMs = 0;
      if (!('digest' in built)) return { said: built.code, digest: new Uint8Array(32) };
      const { transactionHashes } = decodeProposal(built.proposal);
      const said = [...transactionHashes.map((hash) => nameOf.get(toHex(hash))!), ...(built.more ? ['and more'] : [])].join(', ');
      return { said, digest: built.digest };
    },
    commit: (digest: Digest, height: number) => chain.commit({ height, digest, finality: encodeCertificate(certify(height, digest)) }),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

test('a block on a proposal of ours holds what that one left, and becomes final after it', async () => {
  const { build, commit, pool } = await open(ofMes);
  const a = await build(undefined, 1, true);
  assert.equal(a.said, 'm1, m2, and more');
  const b = await build(a.digest, 2, false);
  assert.equal(b.said, 'm3, m4');
  assert.equal((await build(b.digest, 3, false)).said, 'NOTHING_TO_INCLUDE', 'nor what any block below it holds');
  assert.equal((await commit(a.digest, 1)).height, 1);
  assert.equal(pool.size().count, 2);
  assert.equal((await commit(b.digest, 2)).height, 2);
  assert.equal(pool.size().count, 0);
});

test('a block that holds as many as may stand in one leaves more, one that took all there is does not', async () => {
  assert.equal((await (await open(ofMes)).build(undefined, 1, false)).said, 'm1, m2, m3, and more');
  assert.equal((await (await open(ofMes.slice(0, 2))).build(undefined, 1, false)).said, 'm1, m2');
});

test('a block with no room in bytes for one that waits leaves more, one with room for all does not', async () => {
  const long = ['long1', 'long2'].map((name) =>
    transaction(name, 'mes', { contract: CONTRACT.records, method: 'submit', args: new Uint8Array(0.6 * BLOCK_BYTES_MAX) }, 5_000_000_000),
  );
  const { build } = await open(long);
  const a = await build(undefined, 1, false);
  assert.equal(a.said, 'long1, and more');
  assert.equal((await build(a.digest, 2, false)).said, 'long2');
  assert.equal((await (await open([long[0]!, ofErp])).build(undefined, 1, false)).said.includes('and more'), false);
});

test('a transaction that may not stand above a proposal is refused when that is final, and not when another block is', async () => {
  for (const final of ['its parent', 'its parent while it is built on', 'another block'] as const) {
    const { build, commit, pool, steps } = await open([]);
    const empty = await build(undefined, 1, false, 5);
    await pool.add(revoke, 'client');
    const a = await build(undefined, 1, false);
    assert.equal(a.said, 'revoke');
    const { id } = await pool.add(ofMes[0]!, 'client');
    await pool.add(ofErp, 'client');
    if (final === 'its parent while it is built on') steps.push(() => commit(a.digest, 1));
    const b = await build(a.digest, 2, false);
    assert.equal(b.said, 'e1');
    if (final !== 'its parent while it is built on')
      assert.deepEqual([pool.rejection(id), pool.byId(id) === undefined], [undefined, false], 'nothing is decided yet');
    if (final !== 'another block') {
      await commit(a.digest, 1); // once more changes nothing
      assert.deepEqual(pool.rejection(id)?.code, 'TRANSACTION_KEY_UNKNOWN');
      assert.equal((await commit(b.digest, 2)).height, 2);
    } else {
      await commit(empty.digest, 1);
      assert.deepEqual([pool.rejection(id), pool.size().count], [undefined, 3]);
      await assert.rejects(commit(b.digest, 2), { code: 'BLOCK_NOT_FOUND' });
      assert.equal((await build(a.digest, 2, false)).said, 'BLOCK_NOT_FOUND');
    }
  }
});

test('a block built ahead is charged with the time since the one below was stored', async () => {
  const { build, commit, clock, settled } = await open(ofMes);
  const a = await build(undefined, 1, true);
  clock.nowMs += 100;
  const b = await build(a.digest, 2, false);
  clock.nowMs += 50;
  await commit(a.digest, 1);
  clock.nowMs += 30;
  await commit(b.digest, 2);
  const tookMs = settled.map((block) => block.tookMs);
  assert.deepEqual(tookMs, [450, 30]);
});

test('a block that took all of its time tells by its round how long the next may take; one that did not tells nothing', async () => {
  const { viewTimeoutMs } = defaultParameters();
  const [startMs, limitMs] = [viewTimeoutMs * WORK_PART_START, viewTimeoutMs * ROUND_PART_MAX];
  const cases: Readonly<Record<string, readonly [changed: number, run: (opened: Opened) => Promise<unknown>]>> = {
    'a short round': [5 / 4, (opened) => round(opened, true, 1)],
    'a long round': [1 / 2, (opened) => round(opened, true, 2 * limitMs)],
    'a long round of a block that time did not cut': [1, (opened) => round(opened, false, 2 * limitMs)],
    'two long rounds, of which the second block was built in the first': [
      1 / 2,
      async ({ build, commit, clock }) => {
        const a = await build(undefined, 1, true);
        const b = await build(a.digest, 2, true);
        clock.nowMs += 2 * limitMs;
        await commit(a.digest, 1);
        clock.nowMs += limitMs;
        await commit(b.digest, 2);
      },
    ],
    'another block took its place': [
      1 / 2,
      async ({ build, commit }) => {
        await build(undefined, 1, true);
        await commit((await build(undefined, 1, false, 5)).digest, 1);
      },
    ],
  };
  for (const [what, [changed, run]] of Object.entries(cases)) {
    const opened = await open([...ofMes, ofErp]);
    await run(opened);
    await opened.build(undefined, opened.tip.height + 1, false);
    assert.equal(opened.workMs.at(-1), Math.ceil(startMs * changed), what);
  }
});

/** A block that becomes final so long after it was built. */
async function round({ build, commit, clock }: Opened, cut: boolean, ms: number): Promise<void> {
  const { digest } = await build(undefined, 1, cut);
  clock.nowMs += ms;
  await commit(digest, 1);
}
