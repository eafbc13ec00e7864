/** Whole nodes while a dear transaction waits that its sender's own gas does not pay for: none leaves a view for a block that its primary does not owe. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BULK_GAS_MAX, SENDER_GAS_SAVED } from '../../node/chain/mempool/gas-shares.ts';
import { decodeMessage } from '../../consensus/pbft/messages.ts';
import type { Cluster } from './cluster.ts';
import { fullCluster } from './full-cluster.ts';
import type { FullNodes } from './full-node.ts';

const PARAMETERS = { viewTimeoutMs: 1_000, viewTimeoutMaxMs: 8_000, idleBlockIntervalMs: 60_000, checkpointIntervalBlocks: 4 };
const GAS_MAX = 10_000_000_000;
/** No sender's own pays for it. What it uses has the slowest primary let another wait for more than three seconds and less than eight. */
const DEAR = { records: 370, gasLimit: Math.max(BULK_GAS_MAX, SENDER_GAS_SAVED) + 1 };
const FIRST_DEAR = 1_000;
const SECOND_DEAR = 1_001;
const ALL = [0, 1, 2, 3];
/** So many that the mean of their time is theirs alone. */
const BLOCKS = 16;
/** Links that have become slow. */
const SLOW = { delayMinMs: 60, delayMaxMs: 65 };
/** Far above a view's time-out, far below that wait. */
const WAITS_MS = 3_000;

async function four(seed: number): Promise<{ readonly cluster: Cluster; readonly nodes: FullNodes }> {
  const parameters = { ...PARAMETERS, blockGasMax: GAS_MAX, transactionGasMax: GAS_MAX };
  const bulks = new Map([FIRST_DEAR, SECOND_DEAR].map((id) => [id, DEAR]));
  const { cluster, nodes } = await fullCluster(seed, parameters, { bulks });
  cluster.bootAll();
  assert.ok(await cluster.run(5_000, () => cluster.heights().min >= 1));
  return { cluster, nodes };
}

/** Until every node that runs has the block that holds it. */
async function final(cluster: Cluster, id: number, ms: number): Promise<boolean> {
  return cluster.run(ms, () => cluster.heights().min >= (cluster.acknowledged.get(id) ?? Number.POSITIVE_INFINITY));
}

/** The administrator, who keeps within his own, has one small transaction after another in a block. */
function administrator(cluster: Cluster): (count: number) => Promise<void> {
  let id = 5;
  return async (count) => {
    for (const last = id + 6 * count; id < last; id += 6) {
      cluster.submit(1, id);
      assert.ok(await final(cluster, id, 5_000), `${id}: ${cluster.transcript.slice(-20).join('\n')}`);
    }
  };
}

const views = (cluster: Cluster): string[] => ALL.map((i) => / view (\d+ \w+) /.exec(cluster.node(i)!.describe())?.[1] ?? 'starting');
const are = (cluster: Cluster, view: number): boolean =>
  views(cluster).every((text) => text.startsWith(`${view} `) && !text.endsWith('viewChange'));

test('backups that know no faster blocks wait for a dear call as long as a primary does that finds the chain slow', async () => {
  const { cluster, nodes } = await four(1);
  const administers = administrator(cluster);
  await administers(BLOCKS);
  Object.assign(cluster.fabric.faults, SLOW);
  for (const i of [2, 3]) {
    cluster.crash(i);
    cluster.boot(i);
    await cluster.run(1_000);
  }
  await administers(BLOCKS);
  cluster.submit(1, FIRST_DEAR);
  assert.ok(await final(cluster, FIRST_DEAR, 5_000), cluster.transcript.slice(-20).join('\n'));
  await administers(1);
  assert.ok(are(cluster, 0), `${views(cluster)}`);
  cluster.submit(1, SECOND_DEAR);
  await cluster.run(WAITS_MS);
  assert.equal(cluster.acknowledged.has(SECOND_DEAR), false, 'the primary lets it wait');
  assert.ok(are(cluster, 0), `${views(cluster)}`);
  assert.ok(await final(cluster, SECOND_DEAR, 5_000), `${views(cluster)}`);
  assert.ok(are(cluster, 0), `${views(cluster)}`);
  await nodes.check();
});

test('a new primary proposes at once what it expected of another later, and the one before it owes no block any more', async () => {
  const { cluster, nodes } = await four(2);
  const administers = administrator(cluster);
  await administers(1);
  cluster.submit(1, FIRST_DEAR);
  assert.ok(await final(cluster, FIRST_DEAR, 5_000), cluster.transcript.slice(-20).join('\n'));
  await administers(1);
  assert.ok(are(cluster, 0), `${views(cluster)}`);
  cluster.fabric.loses = (_from, _to, channel, frame) => channel === 'votes' && decodeMessage(frame).kind === 'prepare';
  cluster.submit(1, SECOND_DEAR);
  assert.ok(await cluster.run(5_000, () => are(cluster, 1)), `${views(cluster)}`);
  cluster.fabric.loses = () => false;
  assert.ok(await final(cluster, SECOND_DEAR, PARAMETERS.viewTimeoutMs), `${views(cluster)}`);
  assert.ok(are(cluster, 1), `${views(cluster)}`);
  await nodes.check();
});
