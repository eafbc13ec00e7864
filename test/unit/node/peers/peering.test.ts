/** Fetching transactions from peers of which one keeps silent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { fromUtf8, openGenesis, SUITE, transactionHashOf, utf8 } from '../../../../node/format/index.ts';
import type { BlockStore } from '../../../../node/ledger/block-store.ts';
import { GATHER_MS } from '../../../../node/chain/chain.ts';
import type { Mempool, Waiting } from '../../../../node/chain/mempool/mempool.ts';
import { createSpreading, Requests, SPREAD_AFTER_BLOCK_MS, SPREAD_GATHER_MS, SPREAD_SEVERAL } from '../../../../node/peers/index.ts';
import { createPeering, PEERING_LIMITS } from '../../../../node/peers/peering.ts';
import { decodeBulkMessage } from '../../../../node/peers/messages.ts';
import type { Channel, Network } from '../../../../node/world.ts';
import { genesisFixture } from '../format/genesis-fixture.ts';
import { SimKeys } from '../../../simulation/crypto.ts';
import { Fabric } from '../../../simulation/network.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { Scheduler } from '../../../simulation/scheduler.ts';
import { SimMachine } from '../../../simulation/world.ts';

const random = new SeededRandom(1);
const keys = new SimKeys(random.fork(), SUITE.simulated);
const TRANSACTION = utf8('a transaction');
const HASH = transactionHashOf(keys, TRANSACTION);

interface Spread {
  readonly atMs: number;
  readonly count: number;
}

type More = Partial<Pick<Parameters<typeof createPeering>[0], 'mempool' | 'limits'>>;

/** Peers a, b and c; `holders` serve the transaction, `silent` hear nothing. `spreads` of a. */
async function peers(
  holders: readonly string[],
  silent: readonly string[],
  transaction = TRANSACTION,
  more: (node: string) => More = () => ({}),
) {
  const scheduler = new Scheduler();
  const fabric = new Fabric(scheduler, random.fork());
  const opened = new Map<string, ReturnType<typeof createPeering> & ReturnType<typeof createSpreading>>();
  const spreads: Spread[] = [];
  const reports: string[] = [];
  fabric.onReport = (by, node, code) => void reports.push(`${by} ${node} ${code}`);
  for (const node of ['a', 'b', 'c']) {
    const { world, network } = new SimMachine({
      node,
      scheduler,
      fabric,
      crypto: keys,
      random: random.fork(),
      say: () => {},
      skewMaxMs: 0,
    }).boot();
    if (!silent.includes(node)) {
      const { configuration } = openGenesis(keys, JSON.stringify(genesisFixture()));
      const watched = Object.assign(Object.create(network) as Network, {
        broadcast(channel: Channel, frame: Uint8Array) {
          const message = decodeBulkMessage(frame);
          if (node === 'a' && message.kind === 'transactions') spreads.push({ atMs: scheduler.nowMs, count: message.transactions.length });
          network.broadcast(channel, frame);
        },
      });
      const given = {
        world,
        network: watched,
        requests: new Requests({ network: watched, world }),
        mempool: { byHash: () => undefined, addAll: async () => [] } as unknown as Mempool,
        ...more(node),
      };
      const spreading = createSpreading({ ...given, parameters: () => configuration.parameters });
      const peering = createPeering({
        ...given,
        spreading,
        blocks: {} as BlockStore,
        chainId: HASH,
        tip: () => ({ height: 0, hash: HASH, configuration }),
        onStanding: () => {},
        wasExpelled: false,
        heldTransaction: () => (holders.includes(node) ? transaction : undefined),
        applyBlock: async () => {},
        sharedRow: async () => undefined,
        onAdmitted: () => {},
      });
      opened.set(node, { ...spreading, ...peering });
    }
    await network.start();
  }
  const fetch = async (timeoutMs: number) => {
    const startedMs = scheduler.nowMs;
    let result: { readonly found: readonly Uint8Array[]; readonly tookMs: number } | undefined;
    void opened
      .get('a')!
      .fetchTransactions('b', [HASH], timeoutMs)
      .then((found) => {
        result = { found, tookMs: scheduler.nowMs - startedMs };
      });
    await scheduler.run(startedMs + 60_000, () => result !== undefined);
    return result ?? assert.fail('never answered');
  };
  return { fetch, scheduler, spreads, reports, a: opened.get('a')!, opened };
}

test('a proposer that keeps silent does not keep its transactions from being fetched elsewhere', async () => {
  const { fetch } = await peers(['c'], ['b']);
  const { found, tookMs } = await fetch(3_000);
  assert.deepEqual(found, [TRANSACTION]);
  assert.ok(tookMs < 1_000, `${tookMs} ms`);
});

test('a transaction that no question named costs whoever gives it, and one that another peer gave first does not', async () => {
  const { fetch, reports } = await peers(['b', 'c'], [], utf8('another transaction'));
  assert.deepEqual((await fetch(3_000)).found, []);
  assert.deepEqual(reports, ['a b PEER_ANSWER_UNASKED', 'a c PEER_ANSWER_UNASKED']);
  const honest = await peers(['b', 'c'], []);
  assert.deepEqual((await honest.fetch(3_000)).found, [TRANSACTION]);
  assert.deepEqual(honest.reports, []);
});

test('when nobody answers, a fetch ends at its time and not at that of each question', async () => {
  const { fetch } = await peers([], ['b', 'c']);
  const { found, tookMs } = await fetch(3_000);
  assert.deepEqual(found, []);
  assert.ok(tookMs >= 3_000 && tookMs < 3_100, `${tookMs} ms`);
});

test('when all say that they have nothing, a fetch ends at once', async () => {
  const { fetch } = await peers([], []);
  assert.ok((await fetch(3_000)).tookMs < 200);
});

test('a transaction leaves at once after a pause, those that follow soon in one frame, and before a proposal all that is gathered', async () => {
  const { scheduler, spreads, a } = await peers([], []);
  const admit = (): void => a.spread([{ bytes: TRANSACTION } as Waiting]);
  const pass = async (ms: number): Promise<void> => void (await scheduler.run(scheduler.nowMs + ms, () => false));
  await pass(1_000);
  const startMs = scheduler.nowMs;
  for (let i = 0; i < 3; i++) admit(); // checked in one batch, and heard of in one turn
  await pass(10);
  assert.deepEqual(
    spreads.map(({ count }) => count),
    [3],
  );
  assert.equal(spreads[0]!.atMs, startMs, 'with the next turn');
  for (let i = 0; i < 5; i++) {
    admit();
    await pass(10);
  }
  assert.equal(spreads.length, 1, 'still gathering');
  await pass(SPREAD_GATHER_MS);
  assert.deepEqual(
    spreads.map(({ count }) => count),
    [3, 5],
  );
  admit();
  a.flush();
  assert.deepEqual(
    spreads.map(({ count }) => count),
    [3, 5, 1],
  );
  a.flush();
  await pass(1_000);
  assert.equal(spreads.length, 3, 'nothing twice, and no empty frame');
  a.stop();
});

test('one caller after another waits for no gathering, and several callers of one block cost one frame', async () => {
  const { scheduler, spreads, a } = await peers([], []);
  const admit = (): void => a.spread([{ bytes: TRANSACTION } as Waiting]);
  const pass = async (ms: number): Promise<void> => void (await scheduler.run(scheduler.nowMs + ms, () => false));
  await pass(1_000);
  for (let round = 1; round <= 5; round++) {
    admit();
    await pass(1);
    assert.equal(spreads.length, round, 'with the next turn: nothing is under way');
    await pass(9);
    a.onBlock(1); // its answer, on which the next one follows
  }
  admit();
  await pass(1);
  admit(); // while the one before is under way
  await pass(9);
  assert.equal(spreads.length, 6);
  a.onBlock(1);
  await pass(1);
  assert.equal(spreads.length, 7, 'the producer looks at what there is');

  assert.ok(SPREAD_AFTER_BLOCK_MS < GATHER_MS, 'what leaves after a block reaches a producer that waits for it');
  const CALLERS = 32;
  for (let block = 1; block <= 3; block++) {
    a.onBlock(SPREAD_SEVERAL);
    for (let i = 0; i < CALLERS; i++) {
      admit();
      await pass(SPREAD_AFTER_BLOCK_MS / (2 * CALLERS));
    }
    await pass(SPREAD_AFTER_BLOCK_MS);
    assert.equal(spreads.length, 7 + block);
    assert.equal(spreads.at(-1)!.count, CALLERS);
  }
  admit();
  await pass(SPREAD_GATHER_MS / 2);
  assert.equal(spreads.length, 10, 'too late for this block');
  await pass(SPREAD_GATHER_MS);
  assert.equal(spreads.length, 11, 'the block may be long in coming');
  a.stop();
});

test('blocks that follow one another fast put off nothing that waits', async () => {
  const { scheduler, spreads, a } = await peers([], []);
  const pass = async (ms: number): Promise<void> => void (await scheduler.run(scheduler.nowMs + ms, () => false));
  await pass(1_000);
  a.onBlock(SPREAD_SEVERAL);
  a.spread([{ bytes: TRANSACTION } as Waiting]);
  const startMs = scheduler.nowMs;
  while (spreads.length === 0 && scheduler.nowMs < startMs + 10 * SPREAD_AFTER_BLOCK_MS) {
    await pass(SPREAD_AFTER_BLOCK_MS / 2);
    a.onBlock(SPREAD_SEVERAL);
  }
  assert.equal(spreads[0]?.atMs, startMs + SPREAD_AFTER_BLOCK_MS);
  a.stop();
});

test('a peer whose transactions are all in check holds out no other peer, and the rest of a frame waits for room', async () => {
  const [INTAKE_MAX, COUNT] = [20, 100];
  const inCheck: { readonly text: string; readonly judged: () => void }[] = [];
  const judged: string[] = [];
  const addAll = (transactions: readonly Uint8Array[]): Promise<readonly Waiting[]> =>
    new Promise((resolve) => {
      for (const bytes of transactions) inCheck.push({ text: fromUtf8(bytes), judged: () => resolve([]) });
    });
  const others = async () => [];
  const { opened, scheduler } = await peers([], [], TRANSACTION, (node) => ({
    mempool: { byHash: () => undefined, addAll: node === 'a' ? addAll : others, overdue: () => [] } as unknown as Mempool,
    limits: { ...PEERING_LIMITS, intakeMax: INTAKE_MAX },
  }));
  const inCheckOf = (from: string): number => inCheck.filter(({ text }) => text.startsWith(from)).length;
  const give = async (from: string): Promise<number> => {
    opened.get(from)!.spread(Array.from({ length: COUNT }, (_, i) => ({ bytes: utf8(`${from} ${i}`) }) as Waiting));
    opened.get(from)!.flush();
    await scheduler.run(scheduler.nowMs + 1_000, () => false);
    return inCheckOf(from);
  };
  const judge = async (): Promise<void> => {
    for (const entry of inCheck.splice(0)) {
      judged.push(entry.text);
      entry.judged();
    }
    await scheduler.run(scheduler.nowMs + 1_000, () => false);
  };
  const alone = await give('b');
  assert.equal(alone, INTAKE_MAX / 2);
  assert.equal(await give('c'), INTAKE_MAX / 4);
  while (inCheck.length > 0) {
    assert.ok(inCheck.length <= INTAKE_MAX, `${inCheck.length} in check`);
    await judge();
  }
  const given = (from: string): string[] => Array.from({ length: COUNT }, (_, i) => `${from} ${i}`);
  for (const from of ['b', 'c'])
    assert.deepEqual(
      judged.filter((text) => text.startsWith(from)),
      given(from),
    );
  assert.equal(await give('b'), alone, 'it has its share back');
});

test('what follows a false transaction in a frame of a peer is not opened, and the peer is told of once', async () => {
  const [FALSE_AT, COUNT] = [40, 500];
  const opened: string[] = [];
  const peering = await peers([], [], TRANSACTION, (node) => ({
    mempool: {
      byHash: () => undefined,
      overdue: () => [],
      async addAll(transactions: readonly Uint8Array[], onRefused: (error: ChainError) => boolean) {
        for (const bytes of transactions) {
          const text = `${node} ${fromUtf8(bytes)}`;
          opened.push(text);
          if (text === `a ${FALSE_AT}` && !onRefused(new ChainError('TRANSACTION_MALFORMED', { reason: 'test' }))) break;
        }
        return [];
      },
    } as unknown as Mempool,
  }));
  peering.opened.get('b')!.spread(Array.from({ length: COUNT }, (_, i) => ({ bytes: utf8(String(i)) }) as Waiting));
  peering.opened.get('b')!.flush();
  await peering.scheduler.run(peering.scheduler.nowMs + 1_000, () => false);
  const at = (node: string): number => opened.filter((text) => text.startsWith(node)).length;
  assert.deepEqual([at('a'), at('c')], [FALSE_AT + 1, COUNT]);
  assert.deepEqual(peering.reports, ['a b TRANSACTION_MALFORMED']);
});

test('a primary alone is given what a block can hold of what waits: the first of it, one transaction at least', async () => {
  const taken: string[] = [];
  let waiting: Waiting[] = [];
  const { a, scheduler } = await peers([], [], TRANSACTION, (node) => ({
    mempool: {
      byHash: () => undefined,
      addAll: async (transactions: readonly Uint8Array[]) => {
        for (const { length } of transactions) taken.push(`${node} ${length}`);
        return [];
      },
      select: () => waiting,
      byId: () => waiting[0],
      recheck: (entry: Waiting) => entry.sender !== 'gone',
      overdue: () => [],
    } as unknown as Mempool,
  }));
  const handOver = async (...lengths: number[]): Promise<string[]> => {
    waiting = lengths.map((length) => ({ bytes: new Uint8Array(length) }) as Waiting);
    assert.equal(await a.handOver('b'), 0);
    await scheduler.run(scheduler.nowMs + 1_000, () => false);
    return taken.splice(0);
  };
  assert.deepEqual(await handOver(), []);
  assert.deepEqual(await handOver(100, 200), ['b 100', 'b 200']);
  assert.deepEqual(await handOver(200_000, 62_144, 1), ['b 200000', 'b 62144']);
  assert.deepEqual(await handOver(300_000, 1), ['b 300000']);
  waiting = ['gone', 'here', 'gone'].map((sender, i) => ({ bytes: new Uint8Array(100 + i), sender }) as Waiting);
  assert.equal(await a.handOver('b'), 2);
  await scheduler.run(scheduler.nowMs + 1_000, () => false);
  assert.deepEqual(taken, ['b 101']);
});
