/** Many views that fail at one height must not be able to stop the chain: when the trouble is over, it goes on by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from './cluster.ts';

const PARAMETERS = { viewTimeoutMs: 100, viewTimeoutMaxMs: 400, idleBlockIntervalMs: 200, checkpointIntervalBlocks: 4 };
const FAILED_VIEWS = 40;
/** First bytes of frames: a prepare, a pre-prepare. */
const PREPARE = 1;
const PRE_PREPARE = 4;

const viewOf = (cluster: Cluster): number => Number(/view (\d+)/.exec(cluster.node(0)!.describe())![1]);

for (const [lost, kind] of [
  ['prepares', PREPARE],
  ['proposals', PRE_PREPARE],
] as const) {
  test(`after ${FAILED_VIEWS} views at one height that failed for lost ${lost}, the chain goes on`, async () => {
    const cluster = new Cluster({ seed: 1, nodes: 4, validators: 4, parameters: PARAMETERS });
    cluster.bootAll();
    assert.ok(await cluster.run(5_000, () => cluster.heights().min >= 3));
    cluster.fabric.loses = (_from, _to, channel, frame) => channel === 'votes' && frame[0] === kind;
    for (let id = 1; id < 4; id++) for (let i = 0; i < 4; i++) cluster.submit(i, id);
    await cluster.run(1_000); // what was under way arrives
    const { max } = cluster.heights();
    const begun = viewOf(cluster);
    assert.ok(await cluster.run(120_000, () => viewOf(cluster) >= begun + FAILED_VIEWS));
    assert.equal(cluster.heights().max, max);
    cluster.fabric.loses = () => false;
    assert.ok(await cluster.run(10_000, () => cluster.heights().min >= max + 3), cluster.transcript.slice(-20).join('\n'));
    cluster.checkAcknowledged();
  });
}
