/** Whole nodes from a seed: every commit, pending body and vote may be the last thing a process does, and clients are never told what is not so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyspace } from '../../node/storage/keyspace.ts';
import { CheckFailed, Cluster } from './cluster.ts';
import { FullNodes, fullSetup, loadMachine } from './full-node.ts';
import { runFullSeed } from './full-scenario.ts';

const PARAMETERS = { viewTimeoutMs: 400, viewTimeoutMaxMs: 3_200, idleBlockIntervalMs: 200, checkpointIntervalBlocks: 4 };
/** Seeds that found a bug once; see the commits that name them. */
const SEEDS_KEPT = [12, 27, 28, 30, 39];
const SEEDS_FROM = 96; // seed 99 signs with real Ed25519
const SEEDS_COUNT = 8;
const ALL = [0, 1, 2, 3];

async function four(seed: number) {
  const machine = await loadMachine();
  let nodes: FullNodes | undefined;
  const cluster = new Cluster({
    seed,
    nodes: 4,
    validators: 4,
    parameters: PARAMETERS,
    factory: (create, cluster) => {
      nodes ??= new FullNodes(cluster, fullSetup(cluster, machine, 4, PARAMETERS));
      return nodes.factory(create);
    },
  });
  return { cluster, nodes: nodes ?? assert.fail('no factory was asked for') };
}

const reach = (cluster: Cluster, height: number, ms: number, nodes: readonly number[] = ALL) =>
  cluster.run(ms, () => nodes.every((i) => (cluster.node(i)?.height() ?? 0) >= height));

async function holds(seed: number): Promise<void> {
  const { failure, story, transcript } = await runFullSeed(seed);
  assert.equal(failure, undefined, `seed ${seed}: ${story}\n${transcript.slice(-40).join('\n')}`);
}

test('seeds that once found a bug in whole nodes hold', async () => {
  for (const seed of SEEDS_KEPT) await holds(seed);
});

test('whole nodes from seeds keep every receipt they gave and make progress after trouble', async () => {
  for (let seed = SEEDS_FROM; seed < SEEDS_FROM + SEEDS_COUNT; seed++) await holds(seed);
});

test('one seed of whole nodes is one run: the transcript repeats to the letter', async () => {
  const [first, second] = [await runFullSeed(2), await runFullSeed(2)];
  assert.ok(first.transcript.length > 20);
  assert.deepEqual(first, second);
});

test('records handed in at one node are confirmed at all, each in one block', async () => {
  const { cluster, nodes } = await four(1);
  cluster.bootAll();
  await cluster.run(50);
  for (let id = 1; id <= 30; id++) cluster.submit(id % 4, id);
  assert.ok(await cluster.run(5_000, () => nodes.told >= 30));
  assert.ok(await reach(cluster, cluster.heights().max, 5_000));
  await nodes.check();
});

test('a validator killed at each of its persist points, votes, bodies and commits, loses no receipt', async () => {
  let kills = 0;
  for (const [i, stage] of (['before', 'during', 'after'] as const).entries()) {
    for (let at = 2 + i; at <= 23; at += 3) {
      const { cluster, nodes } = await four(at);
      const victim = cluster.machines[at % 2]!; // the first primary, and a backup
      victim.disk.onPersist = (point) => point.count === at && point.stage === stage && kills++ >= 0;
      victim.onKilled = () => cluster.scheduler.after(600, () => cluster.boot(at % 2));
      cluster.bootAll();
      for (let id = 1; id <= 12; id++) {
        cluster.submit(id % 4, id);
        await cluster.run(40);
      }
      assert.ok(await reach(cluster, cluster.heights().max + 3, 30_000), `${stage} ${at}`);
      cluster.checkAcknowledged();
      await nodes.check();
    }
  }
  assert.equal(kills, 22);
});

test('all four killed at once while blocks are under way come back to one chain', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const { cluster, nodes } = await four(seed);
    cluster.bootAll();
    for (let id = 1; id <= 20; id++) {
      cluster.submit(id % 4, id);
      await cluster.run(3 + 2 * seed);
    }
    for (const i of ALL) cluster.crash(i);
    cluster.bootAll();
    const { max } = cluster.heights();
    assert.ok(await reach(cluster, max + 3, 30_000), `seed ${seed}`);
    cluster.checkAcknowledged();
    await nodes.check();
  }
});

test('a validator given back an old copy of its vote log keeps silent until it cannot contradict itself', async () => {
  const { cluster, nodes } = await four(5);
  cluster.bootAll();
  assert.ok(await reach(cluster, 2, 10_000));
  const old = [...cluster.machines[2]!.disk.logs.get('votes')!];
  assert.ok(await reach(cluster, 9, 20_000));
  cluster.crash(2);
  cluster.machines[2]!.disk.logs.set('votes', old);
  cluster.boot(2);
  await cluster.run(20);
  assert.match(cluster.node(2)!.describe(), / mute /);
  assert.ok(await cluster.run(20_000, () => !/ mute |starting/.test(cluster.node(2)?.describe() ?? 'starting')));
  cluster.crash(3); // now its vote is needed
  assert.ok(await reach(cluster, cluster.heights().max + 3, 20_000, [0, 1, 2]));
  await nodes.check();
});

test('the checks see what they are there to see: a row of state that its root does not cover', async () => {
  const { cluster, nodes } = await four(6);
  cluster.bootAll();
  assert.ok(await reach(cluster, 2, 10_000));
  cluster.crash(1);
  const rows = cluster.machines[1]!.disk.stores.get('chain')!;
  const key = [...rows.keys()].find((name) => name.startsWith(`${keyspace.state}records`) || name.startsWith(keyspace.state))!;
  rows.set(key, new Uint8Array([1]));
  cluster.boot(1);
  await cluster.run(1_000);
  await assert.rejects(nodes.check(), (error) => error instanceof CheckFailed && /another root than its header/.test(error.message));
});

test('the checks see what they are there to see: a confirmed transaction that is gone from a node', async () => {
  const { cluster, nodes } = await four(7);
  cluster.bootAll();
  await cluster.run(50);
  cluster.submit(0, 1);
  assert.ok(await cluster.run(5_000, () => nodes.told === 1));
  await cluster.run(500);
  const rows = cluster.machines[2]!.disk.stores.get('chain')!;
  cluster.crash(2);
  for (const name of [...rows.keys()]) if (name.startsWith(keyspace.positionById)) rows.delete(name);
  cluster.boot(2);
  await cluster.run(500);
  await assert.rejects(nodes.check(), /was confirmed in block/);
});
