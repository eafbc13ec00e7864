/** Record services on whole nodes: what a client was told stored stands once, is found, and its sealed values can be read, whatever the processes went through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangePrefix } from '../../node/feeds/exchange-chain.ts';
import { sealedKeyspace } from '../../node/records/index.ts';
import { indexKeyspace } from '../../node/records/query/keys.ts';
import type { ServicesLimits } from '../../node/services.ts';
import { CheckFailed, type Cluster } from './cluster.ts';
import { fullCluster } from './full-cluster.ts';
import { runFullSeed } from './full-scenario.ts';
import { SeededRandom } from './random.ts';
import { RecordClients } from './record-clients.ts';
import { ServicesCheck } from './services-check.ts';

const PARAMETERS = { viewTimeoutMs: 400, viewTimeoutMaxMs: 3_200, idleBlockIntervalMs: 1_000, checkpointIntervalBlocks: 4 };
const ALL = [0, 1, 2, 3];
const SEEDS = [6, 9, 3_680_016];

async function four(seed: number, services: ServicesLimits = { anchorEntries: 2, anchorMs: 500 }) {
  const { cluster, setup, nodes } = await fullCluster(seed, PARAMETERS, { services });
  const clients = new RecordClients(cluster, setup, nodes, new SeededRandom(seed));
  cluster.bootAll();
  assert.ok(await cluster.run(10_000, () => cluster.heights().min >= 1));
  return { cluster, clients, nodes, check: new ServicesCheck(cluster, setup, nodes, clients) };
}

const fails = (check: ServicesCheck, expected: RegExp) =>
  assert.rejects(check.check(), (error) => error instanceof CheckFailed && expected.test(error.message));

test('seeds with record services keep what clients were told, and every exchange log its chain', async () => {
  for (const seed of SEEDS) {
    const { failure, story, transcript } = await runFullSeed(seed, undefined, true);
    assert.equal(failure, undefined, `seed ${seed}: ${story}\n${transcript.slice(-40).join('\n')}`);
  }
});

test('a node killed at its persist points, those of its services among them, loses nothing that a client was told, and no exchange on disk', async () => {
  let kills = 0;
  for (const [n, stage] of (['before', 'during', 'after'] as const).entries()) {
    for (let at = 3 + 3 * n; at <= 24; at += 9) {
      const { cluster, clients, nodes, check } = await four(at);
      const victim = cluster.machines[at % 4]!;
      const from = victim.disk.persistCount;
      let killed = false;
      victim.disk.onPersist = (point) => {
        if (killed || point.count - from !== at || point.stage !== stage) return false;
        killed = true;
        kills++;
        return true;
      };
      victim.onKilled = () => cluster.scheduler.after(600, () => cluster.boot(at % 4));
      for (let number = 1; number <= 8; number++) {
        clients.handIn(number);
        await cluster.run(60);
      }
      const { told, anchors } = await check.check();
      assert.ok(told >= 8 && anchors > 0, `${stage} ${at}: ${told} told, ${anchors} anchors`);
      await nodes.check();
    }
  }
  assert.equal(kills, 8);
});

async function stopped(cluster: Cluster, i: number): Promise<void> {
  let down = false;
  void cluster.stop(i).then(() => {
    down = true;
  });
  assert.ok(await cluster.run(10_000, () => down), `n${i} does not stop`);
}

test('nodes stopped and started again in turn lose nothing, and anchor what they logged', async () => {
  const { cluster, clients, nodes, check } = await four(3, { anchorEntries: 1_000, anchorMs: 60_000 });
  for (const i of ALL) {
    for (let number = 10 * i + 1; number <= 10 * i + 4; number++) clients.handIn(number);
    await cluster.run(700);
    await stopped(cluster, i);
    cluster.boot(i);
    await cluster.run(300);
  }
  const { anchors } = await check.check();
  assert.ok(anchors > 0);
  await nodes.check();
});

test('the checks see what they are there to see: rows of a service that are gone from its disk, or others than blocks make', async () => {
  type Rows = Map<string, Uint8Array>;
  const without =
    (prefix: string) =>
    (rows: Rows): void => {
      for (const key of [...rows.keys()]) if (key.startsWith(prefix)) rows.delete(key);
    };
  /** Products are known by other names; an index that has lost blocks or segments is made anew by itself. Blocks are there once a node was stopped. */
  const renamed = (rows: Rows): void => {
    for (const [key, value] of rows)
      if (key.startsWith(indexKeyspace.kept.prefix))
        rows.set(key, Buffer.from(Buffer.from(value).toString('latin1').replaceAll('JN-', 'XX-'), 'latin1'));
  };
  const spoilt: readonly (readonly [store: string, spoil: (rows: Rows) => void, expected: RegExp])[] = [
    ['index', renamed, /finds record/],
    ['index', (rows) => void rows.set(indexKeyspace.posting.prefix, new Uint8Array(2)), /is not what blocks make/],
    ['sealed', without(sealedKeyspace.values.prefix), /sealed values cannot be read/],
    ['local', without(exchangePrefix), /exchange log|EXCHANGE_LOG_REWRITTEN/],
  ];
  for (const [store, spoil, expected] of spoilt) {
    const { cluster, clients, check } = await four(4);
    for (let number = 1; number <= 4; number++) clients.handIn(number);
    assert.ok(await cluster.run(10_000, () => clients.waiting().length === 0));
    await cluster.run(2_000);
    if (spoil === renamed) await stopped(cluster, 1);
    else cluster.crash(1);
    const rows = cluster.machines[1]!.disk.stores.get(store)!;
    spoil(rows);
    cluster.boot(1);
    await cluster.run(1_000);
    await fails(check, expected);
  }
});

test('a node whose stop outlasts the trouble is down, and up again, before anything is judged', async () => {
  const { failure } = await runFullSeed(8_100_588);
  assert.equal(failure, undefined);
});
