/** Whole nodes while view after view fails: what the proposals leave on disk is given back, and every final block can still be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK_FILES_DIRECTORY } from '../../node/ledger/block-files.ts';
import { frameBytes, segmentNumber } from '../../node/store/segments/form.ts';
import { SWEPT_BYTES } from '../../node/store/segments/swept.ts';
import type { Cluster } from './cluster.ts';
import { fullCluster } from './full-cluster.ts';
import type { FullNodes } from './full-node.ts';

const PARAMETERS = { viewTimeoutMs: 200, viewTimeoutMaxMs: 1_600, idleBlockIntervalMs: 100, checkpointIntervalBlocks: 4 };
const SEGMENT_BYTES = 30_000;
const ROUNDS = 4;
const FAILED_VIEWS = 8;
/** First byte of a frame: a prepare. */
const PREPARE = 1;
const ALL = [0, 1, 2, 3];

async function four(seed: number) {
  const { cluster, nodes } = await fullCluster(seed, PARAMETERS, { limits: { segmentBytes: SEGMENT_BYTES } });
  cluster.bootAll();
  assert.ok(await cluster.run(10_000, () => cluster.heights().min >= 1));
  return { cluster, nodes };
}

const viewOf = (cluster: Cluster, i: number): number => Number(/view (\d+)/.exec(cluster.node(i)?.describe() ?? '')?.[1] ?? 0);

/** What the disk of a node holds of bodies, what was ever written there, and what final blocks need. */
async function room(cluster: Cluster, nodes: FullNodes, i: number) {
  const { files, calls } = cluster.machines[i]!.disk.directories.get(BLOCK_FILES_DIRECTORY)!;
  const { node } = nodes.running(i) ?? assert.fail(`${i} does not run`);
  const sizes = [...files].filter(([name]) => segmentNumber(name) !== undefined).map(([, { seen }]) => seen.size);
  let live = 0;
  const { height } = node.head();
  for (let at = 1; at <= height; at++) {
    const body = await node.blocks.blockBytes(at);
    live += frameBytes(body?.length ?? assert.fail(`${i} has lost block ${at}`));
  }
  return {
    held: sizes.reduce((sum, size) => sum + size, 0),
    swept: sizes.filter((size) => size === SWEPT_BYTES).length,
    written: calls.reduce((sum, call) => sum + (call.kind === 'write' ? call.bytes.length : 0), 0),
    live,
  };
}

/** Half of what stands may be unwanted, and what was written last is not looked at yet. */
const bound = ({ live, swept }: { live: number; swept: number }): number => 2 * live + 4 * SEGMENT_BYTES + swept * SWEPT_BYTES;

test('views that fail for long leave bounded files of bodies, on nodes that crash meanwhile too', async () => {
  const { cluster, nodes } = await four(1);
  let id = 1;
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < 24; i++) cluster.submit(i % 4, id++);
    cluster.fabric.loses = (_from, _to, channel, frame) => channel === 'votes' && frame[0] === PREPARE;
    const begun = viewOf(cluster, 1);
    assert.ok(await cluster.run(30_000, () => viewOf(cluster, 1) >= begun + FAILED_VIEWS));
    cluster.fabric.loses = () => false;
    const { max } = cluster.heights();
    assert.ok(await cluster.run(20_000, () => cluster.heights().min >= max + 3), cluster.transcript.slice(-20).join('\n'));
    if (round % 3 === 1) {
      cluster.crash(2);
      cluster.boot(2);
    }
    await cluster.run(2_000);
  }
  await cluster.run(3_000);
  for (const i of ALL) {
    const found = await room(cluster, nodes, i);
    assert.ok(found.held < bound(found), `${i}: ${JSON.stringify(found)}`);
    assert.ok(found.written > bound(found), `without a sweep it would not hold: ${i}: ${JSON.stringify(found)}`);
  }
  for (const i of ALL)
    assert.deepEqual(
      (await nodes.alarmsAt(i)).filter((kind) => kind.startsWith('STORE')),
      [],
      `${i}`,
    );
  await nodes.check();
});
