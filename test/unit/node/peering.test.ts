/** Fetching transactions from peers of which one keeps silent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGenesis, SUITE, transactionHashOf, utf8 } from '../../../node/format/index.ts';
import type { BlockStore } from '../../../node/ledger/block-store.ts';
import type { Mempool } from '../../../node/mempool/mempool.ts';
import { createPeering } from '../../../node/peering.ts';
import { genesisFixture } from './format/genesis-fixture.ts';
import { SimKeys } from '../../simulation/crypto.ts';
import { Fabric } from '../../simulation/network.ts';
import { SeededRandom } from '../../simulation/random.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import { SimMachine } from '../../simulation/world.ts';

const random = new SeededRandom(1);
const keys = new SimKeys(random.fork(), SUITE.simulated);
const TRANSACTION = utf8('a transaction');
const HASH = transactionHashOf(keys, TRANSACTION);

/** Peers a, b and c; `holders` serve the transaction, `silent` hear nothing. */
async function peers(holders: readonly string[], silent: readonly string[]) {
  const scheduler = new Scheduler();
  const fabric = new Fabric(scheduler, random.fork());
  const opened = new Map<string, ReturnType<typeof createPeering>>();
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
    if (!silent.includes(node))
      opened.set(
        node,
        createPeering({
          world,
          network,
          mempool: { byHash: () => undefined } as unknown as Mempool,
          blocks: {} as BlockStore,
          self: node,
          chainId: HASH,
          tip: () => ({ height: 0, hash: HASH, configuration: openGenesis(keys, JSON.stringify(genesisFixture())).configuration }),
          onStanding: () => {},
          wasExpelled: false,
          heldTransaction: () => (holders.includes(node) ? TRANSACTION : undefined),
          applyBlock: async () => {},
          sharedRow: async () => undefined,
          onAdmitted: () => {},
        }),
      );
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
  return { fetch };
}

test('a proposer that keeps silent does not keep its transactions from being fetched elsewhere', async () => {
  const { fetch } = await peers(['c'], ['b']);
  const { found, tookMs } = await fetch(3_000);
  assert.deepEqual(found, [TRANSACTION]);
  assert.ok(tookMs < 1_000, `${tookMs} ms`);
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
