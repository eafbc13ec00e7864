/** Whole nodes from a seed: every commit, pending body and vote may be the last thing a process does, and clients are never told what is not so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson } from '../../node/format/index.ts';
import { BLOCK_FILES_DIRECTORY } from '../../node/ledger/block-files.ts';
import { inlineRow } from '../../node/ledger/state-rows.ts';
import { SENDER_GAS_FORGOTTEN_MS } from '../../node/chain/mempool/gas-shares.ts';
import { decodeBulkMessage } from '../../node/peers/messages.ts';
import { keyspace } from '../../node/store/keyspace.ts';
import { byzantine, wholeBlockTwin } from './byzantine.ts';
import { CheckFailed, type Cluster } from './cluster.ts';
import { Council, type Motion } from './council.ts';
import type { SimFiles } from './files.ts';
import { fullCluster, type FullClusterOptions } from './full-cluster.ts';
import { runFullSeed } from './full-scenario.ts';
import { CLIENT } from './full-setup.ts';
import { SeededRandom } from './random.ts';

const PARAMETERS = { viewTimeoutMs: 400, viewTimeoutMaxMs: 3_200, idleBlockIntervalMs: 200, checkpointIntervalBlocks: 4 };
const ALL = [0, 1, 2, 3];
/** A backup hands it to the primary; what a peer gave is spread again after eight seconds besides. */
const HANDED_ON_WITHIN_MS = 10_000;

interface Cast extends FullClusterOptions {
  readonly parameters?: typeof PARAMETERS;
}

const four = (seed: number, { parameters = PARAMETERS, ...options }: Cast = {}) => fullCluster(seed, parameters, options);

const reach = (cluster: Cluster, height: number, ms: number, nodes: readonly number[] = ALL) =>
  cluster.run(ms, () => nodes.every((i) => (cluster.node(i)?.height() ?? 0) >= height));

const phaseOf = (cluster: Cluster, i: number) => / view \d+ (\w+) /.exec(cluster.node(i)?.describe() ?? '')?.[1] ?? 'starting';
const isMute = (cluster: Cluster, i: number) => / mute |starting/.test(cluster.node(i)?.describe() ?? 'starting');

test('a primary that knows of nothing is handed what one backup alone holds before its view ends', async () => {
  const parameters = { ...PARAMETERS, idleBlockIntervalMs: 1_000 };
  for (let seed = 71; seed <= 73; seed++) {
    const { cluster, nodes } = await four(seed, { parameters });
    cluster.bootAll();
    assert.ok(await reach(cluster, 3, 10_000));
    cluster.fabric.loses = (from, _to, channel, frame) =>
      from === 'n3' && channel === 'bulk' && decodeBulkMessage(frame).kind === 'transactions';
    cluster.submit(3, 1);
    await cluster.run(100);
    cluster.fabric.loses = () => false;
    assert.ok(await cluster.run(parameters.viewTimeoutMs, () => cluster.acknowledged.has(1)), `seed ${seed}`);
    assert.match(cluster.node(3)!.describe(), / view 0 (?!viewChange)/);
    await nodes.check();
  }
});

test('backups of a new network wait for the first block until its primary sees them all', async () => {
  const { cluster, nodes } = await four(91, { parameters: { ...PARAMETERS, idleBlockIntervalMs: 10_000 } });
  cluster.fabric.keepApart('n0', 'n2');
  cluster.bootAll();
  await cluster.run(5 * PARAMETERS.viewTimeoutMs); // n1 and n3 have seen all others since the beginning
  assert.equal(cluster.heights().max, 0);
  cluster.fabric.bringTogether();
  assert.ok(await reach(cluster, 1, PARAMETERS.viewTimeoutMs));
  for (const i of ALL) assert.match(cluster.node(i)!.describe(), / view 0 (?!viewChange)/);
  await nodes.check();
});

test('what no block can hold since its sender was suspended leaves every node and ends no view', async () => {
  const parameters = { ...PARAMETERS, idleBlockIntervalMs: 1_000 };
  const suspend = { contract: 'registry', method: 'suspend', args: encodeJson({ kind: 'account', id: CLIENT }) };
  const { cluster, nodes } = await four(81, { parameters, adminCalls: new Map([[2, suspend]]) });
  cluster.bootAll();
  assert.ok(await reach(cluster, 3, 10_000));
  cluster.fabric.loses = (_from, to, channel, frame) =>
    to === 'n0' && channel === 'bulk' && decodeBulkMessage(frame).kind === 'transactions';
  cluster.submit(1, 1);
  await cluster.run(20);
  cluster.submit(0, 2); // the primary alone does not know of the other
  const other = () => [1, 2, 3].every((i) => / waiting 1$/.test(cluster.node(i)!.describe()));
  assert.ok(await cluster.run(150, () => cluster.acknowledged.has(2) && other()));
  cluster.fabric.loses = () => false;
  await cluster.run(3_000);
  for (const i of ALL) assert.match(cluster.node(i)!.describe(), / view 0 .* waiting 0$/);
  assert.equal(cluster.acknowledged.has(1), false);
  await nodes.check();
});

test('what one backup alone still holds, since the node that gave it lost it, is handed on in the end', async () => {
  for (let seed = 51; seed <= 54; seed++) {
    const { cluster, nodes } = await four(seed);
    cluster.bootAll();
    assert.ok(await reach(cluster, 3, 10_000));
    const isSpread = (frame: Uint8Array) => decodeBulkMessage(frame).kind === 'transactions';
    cluster.fabric.loses = (from, to, channel, frame) => from === 'n3' && to !== 'n2' && channel === 'bulk' && isSpread(frame);
    cluster.submit(3, 1);
    assert.ok(await cluster.run(1_000, () => /waiting 1/.test(cluster.node(2)!.describe())));
    cluster.crash(3);
    cluster.fabric.loses = () => false;
    cluster.boot(3);
    assert.ok(await cluster.run(HANDED_ON_WITHIN_MS, () => cluster.acknowledged.has(1)), `seed ${seed}: ${cluster.node(2)!.describe()}`);
    const { max } = cluster.heights();
    assert.ok(await cluster.run(4_000, () => cluster.silentAbove(max).length === 0), `seed ${seed}: ${cluster.silentAbove(max)}`);
    await nodes.check();
  }
});

test('a primary that leaves out what every other node holds is named by an alarm, which is over once it is final', async () => {
  const { cluster, nodes } = await four(61);
  cluster.bootAll();
  assert.ok(await reach(cluster, 3, 10_000));
  await cluster.run(SENDER_GAS_FORGOTTEN_MS); // before that a node does not know who owes gas
  const isSpread = (frame: Uint8Array) => decodeBulkMessage(frame).kind === 'transactions';
  cluster.fabric.loses = (_from, to, channel, frame) => to === 'n0' && channel === 'bulk' && isSpread(frame);
  cluster.submit(1, 1);
  const named = async (i: number) => (await nodes.standingAlarmsAt(i)).includes('TRANSACTION_LEFT_OUT {"proposer":"n0"}');
  await cluster.run(9_000);
  assert.equal(await named(1), false);
  await cluster.run(6_000);
  for (const i of [1, 2, 3]) assert.equal(await named(i), true, `n${i}`);
  assert.equal(await named(0), false);
  cluster.fabric.loses = () => false;
  assert.ok(await cluster.run(20_000, () => cluster.acknowledged.has(1)));
  await cluster.run(1_000);
  for (const i of ALL) assert.equal(await named(i), false, `n${i}`);
  await nodes.check();
});

test('a node that four organisations admit decides with them from the barrier on, and one they suspend no longer does', async () => {
  const motions: Motion[] = [
    { kind: 'addNode', node: 4 },
    { kind: 'suspendNode', node: 0 },
  ];
  for (let seed = 21; seed <= 24; seed++) {
    const { cluster, nodes } = await four(seed, { nodeCount: 5, motions });
    const council = new Council(cluster, motions, new SeededRandom(seed));
    cluster.bootAll();
    council.start(300);
    assert.ok(await cluster.run(20_000, () => council.done));
    assert.deepEqual([...cluster.absent.keys()], [0]);
    assert.ok(await cluster.run(5_000, () => phaseOf(cluster, 0) === 'observing'), `seed ${seed}: n0 has not noticed`);
    cluster.crash(1); // of n1 to n4, three decide: the vote of n4 is needed
    assert.ok(await reach(cluster, cluster.heights().max + 3, 20_000, [2, 3, 4]));
    await nodes.check();
  }
});

test('a suspended validator that is resumed comes back, learns what it missed and makes up a quorum', async () => {
  const motions: Motion[] = [
    { kind: 'addNode', node: 4 },
    { kind: 'suspendNode', node: 0 },
    { kind: 'setParameter', name: 'idleBlockIntervalMs', value: 300 },
    { kind: 'resumeNode', node: 0 },
  ];
  for (let seed = 41; seed <= 44; seed++) {
    const { cluster, nodes } = await four(seed, { nodeCount: 5, motions });
    const council = new Council(cluster, motions, new SeededRandom(seed));
    cluster.bootAll();
    council.start(300);
    if (seed % 2 === 0) {
      assert.ok(await cluster.run(30_000, () => cluster.absent.has(0)));
      cluster.crash(0); // it sleeps through its suspension, or through the barrier that ends it
      await cluster.run(seed === 42 ? 10 : 6_000);
      cluster.boot(0);
    }
    assert.ok(await cluster.run(30_000, () => council.done));
    assert.ok(await cluster.run(20_000, () => !/observing|starting/.test(phaseOf(cluster, 0))), `seed ${seed}`);
    cluster.crash(1); // four of five decide: the vote of n0 is needed
    assert.ok(await reach(cluster, cluster.heights().max + 3, 30_000, [0, 2, 3, 4]), `seed ${seed}`);
    await nodes.check();
  }
});

test('the checks see what they are there to see: a motion that is not in force', async () => {
  const { cluster, nodes } = await four(22, { motions: [{ kind: 'setParameter', name: 'idleBlockIntervalMs', value: 777 }] });
  cluster.bootAll();
  assert.ok(await reach(cluster, 2, 10_000));
  await assert.rejects(nodes.check(), (error) => error instanceof CheckFailed && /idleBlockIntervalMs is not 777/.test(error.message));
});

test('a validator that proposes twice and votes twice is found out, and the chain goes on without two final blocks', async () => {
  const accused = new Set<string>();
  for (let seed = 31; seed <= 34; seed++) {
    const faulty = new Map([[seed % 4, (random: SeededRandom) => byzantine('equivocate', random, wholeBlockTwin)]]);
    const { cluster, nodes } = await four(seed, { faulty });
    cluster.bootAll();
    for (let id = 1; id <= 12; id++) {
      cluster.submit(id % 4, id);
      await cluster.run(150);
    }
    const honest = cluster.honest();
    assert.ok(await reach(cluster, cluster.heights().max + 3, 30_000, honest), `seed ${seed}`);
    cluster.checkAcknowledged();
    await nodes.check();
    for (const i of honest) for (const kind of await nodes.alarmsAt(i)) accused.add(kind);
  }
  assert.ok(accused.has('EQUIVOCATION'), [...accused].join(' '));
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
  assert.ok(await cluster.run(20_000, () => !isMute(cluster, 2)));
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
  rows.set(key, inlineRow(new Uint8Array([1])));
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

test('bodies that the disk of a validator lost are had again from its peers, and it goes on voting', async () => {
  const losses: readonly ((files: SimFiles) => void)[] = [
    (files) => files.files.clear(),
    (files) => void files.files.delete([...files.files.keys()].at(-1)!),
    (files) => {
      for (const name of files.files.keys()) for (let at = 9_000; at < files.bytesOf(name).length; at += 5_000) files.flip(name, at);
    },
  ];
  for (const [i, lose] of losses.entries()) {
    const { cluster, nodes } = await four(21 + i);
    cluster.bootAll();
    await cluster.run(50);
    for (let id = 1; id <= 8; id++) {
      cluster.submit(id % 4, id);
      await cluster.run(200);
    }
    assert.ok(await cluster.run(10_000, () => nodes.told >= 8));
    cluster.crash(2);
    lose(cluster.machines[2]!.disk.directories.get(BLOCK_FILES_DIRECTORY)!);
    cluster.boot(2);
    assert.ok(await cluster.run(5_000, () => nodes.running(2) !== undefined), `loss ${i}: it comes up`);
    assert.ok(await reach(cluster, cluster.heights().max, 5_000));
    const { node } = nodes.running(2)!;
    let examined = false;
    void node
      .examineBlocks(async () => undefined)
      .then(() => {
        examined = true;
      });
    const damage = () =>
      cluster.run(1_000).then(async () => (await nodes.standingAlarmsAt(2)).some((alarm) => alarm.startsWith('STORE_DAMAGED')));
    assert.ok(await cluster.run(10_000, () => examined));
    for (let tries = 0; (await damage()) && tries < 30; tries++);
    assert.equal(await damage(), false, `loss ${i}`);
    assert.ok((await nodes.alarmsAt(2)).includes('STORE_DAMAGED'), `loss ${i} was told`);
    const whole = nodes.running(0)!.node;
    for (let height = 1; height <= Math.min(node.head().height, whole.head().height); height++)
      assert.deepEqual(await node.blocks.block(height), await whole.blocks.block(height), `loss ${i}, block ${height}`);
    cluster.crash(3); // now its vote is needed
    cluster.submit(0, 9);
    assert.ok(await cluster.run(20_000, () => nodes.told >= 9), `loss ${i}: it votes`);
    await nodes.check();
  }
});

test('a validator whose disk failed a sync votes no more, says so, and comes back when it is started again', async () => {
  for (let seed = 21; seed <= 24; seed++) {
    const { cluster, nodes } = await four(seed);
    cluster.bootAll();
    assert.ok(await reach(cluster, 3, 10_000, [3])); // that block is on its way to its disk
    const { disk } = cluster.machines[3]!;
    disk.syncFails = true;
    for (let id = 1; id <= 4; id++) {
      cluster.submit(id % 3, id);
      await cluster.run(200);
    }
    disk.syncFails = false;
    const { max } = cluster.heights();
    const stuck = cluster.node(3)!.height();
    assert.ok(await reach(cluster, max + 8, 20_000, [0, 1, 2]), `seed ${seed}: the others go on`);
    assert.equal(cluster.node(3)!.height(), stuck, `seed ${seed}: it writes no block`);
    assert.ok(cluster.silentAbove(max).includes('n3'), `seed ${seed}: it votes`);
    const { health } = nodes.running(3)!.node;
    const storing = health().checks.find(({ check }) => check === 'storing');
    assert.deepEqual([storing?.passed, storing?.detail], [false, storing?.detail]);
    assert.ok(
      (await nodes.standingAlarmsAt(3)).some((alarm) => alarm.startsWith(storing!.detail)),
      `seed ${seed}: it says ${storing!.detail}`,
    );
    cluster.crash(3);
    cluster.boot(3);
    assert.ok(await reach(cluster, cluster.heights().max, 10_000), `seed ${seed}: it comes back`);
    const above = cluster.heights().max;
    assert.ok(await cluster.run(20_000, () => !cluster.silentAbove(above).includes('n3')), `seed ${seed}: it votes again`);
    assert.ok(!(await nodes.standingAlarmsAt(3)).some((alarm) => alarm.startsWith(storing!.detail)), `seed ${seed}: the alarm is over`);
    await nodes.check();
  }
});

test('a validator whose data is emptied comes back to the same chain, may be killed again, and then makes up a quorum', async () => {
  for (let seed = 11; seed <= 14; seed++) {
    const { cluster, nodes } = await four(seed);
    cluster.bootAll();
    await cluster.run(50);
    for (let id = 1; id <= 8; id++) {
      cluster.submit(id % 4, id);
      await cluster.run(100);
    }
    cluster.crash(3);
    cluster.machines[3]!.disk.stores.clear();
    cluster.machines[3]!.disk.logs.clear();
    cluster.machines[3]!.disk.directories.clear();
    cluster.submit(0, 9);
    assert.ok(await cluster.run(10_000, () => nodes.told >= 9));
    cluster.boot(3);
    assert.ok(await reach(cluster, cluster.heights().max, 5_000), `seed ${seed}: emptied`);
    assert.ok(isMute(cluster, 3), `seed ${seed}: it would vote without knowing what it has signed`);
    cluster.crash(3);
    cluster.submit(0, 10);
    assert.ok(await cluster.run(10_000, () => nodes.told >= 10));
    cluster.boot(3);
    assert.ok(await reach(cluster, cluster.heights().max, 5_000), `seed ${seed}: killed again`);
    assert.ok(await cluster.run(20_000, () => !isMute(cluster, 3)), `seed ${seed}: mute for good`); // its old votes stand in certificates
    cluster.crash(0);
    assert.ok(await reach(cluster, cluster.heights().max + 3, 20_000, [1, 2, 3]), `seed ${seed}: its vote is needed`);
    await nodes.check();
  }
});
