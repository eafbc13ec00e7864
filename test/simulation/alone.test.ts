/** A backup that was cut off alone for longer than a view lasts must vote again soon after, by itself, through a restart as well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from '../../consensus/index.ts';
import { Cluster } from './cluster.ts';

const PARAMETERS = { viewTimeoutMs: 400, viewTimeoutMaxMs: 3_200, idleBlockIntervalMs: 200, checkpointIntervalBlocks: 4 };
const CUT_OFF_MS = 3_000;
/** Two time-outs, a round, and the sync before; with room. */
const BACK_WITHIN_MS = 4_000;

/** Runs until `node` sends a commit vote. */
async function votes(cluster: Cluster, node: string): Promise<boolean> {
  let voted = false;
  const before = cluster.fabric.onSent;
  cluster.fabric.onSent = (from, to, channel, frame) => {
    before(from, to, channel, frame);
    voted ||= from === node && channel === 'votes' && inspect('pbft', frame)?.place.kind === 'commit';
  };
  const reached = await cluster.run(BACK_WITHIN_MS, () => voted);
  cluster.fabric.onSent = before;
  return reached;
}

for (const restarts of [false, true])
  test(`a backup cut off alone votes again within ${BACK_WITHIN_MS} ms${restarts ? ', restarted in between' : ''}`, async () => {
    for (const seed of [1, 2, 3])
      for (const cut of [1, 2, 3]) {
        const cluster = new Cluster({ seed, nodes: 4, validators: 4, parameters: PARAMETERS });
        cluster.bootAll();
        assert.ok(await cluster.run(3_000, () => cluster.heights().min >= 3));
        cluster.fabric.groups.set(`n${cut}`, 1);
        await cluster.run(CUT_OFF_MS);
        if (restarts) {
          cluster.crash(cut);
          cluster.boot(cut);
        }
        cluster.fabric.groups.clear();
        assert.ok(await votes(cluster, `n${cut}`), `seed ${seed}, n${cut}: ${cluster.node(cut)?.describe()}`);
        assert.ok(await votes(cluster, `n${cut}`), 'and goes on voting');
        cluster.checkAcknowledged();
      }
  });
