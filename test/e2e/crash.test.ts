/**
 * All four nodes killed at once with SIGKILL under load, again and again, one of them once more while it starts: afterwards all come back to one
 * final block and go on, and nothing that was acknowledged is lost. TRACEMILL_CRASH_ROUNDS makes it longer.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { env } from 'node:process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS } from '../conformance/context.ts';
import { production, trySubmit } from '../conformance/records.ts';
import { oneHead, operators, startTestNet } from './net.ts';

const ROUNDS = Number(env.TRACEMILL_CRASH_ROUNDS ?? 3);
const LOAD_MIN_MS = 600;
const LOAD_MAX_MS = 3_000;
const START_MAX_MS = 1_200;
const CLIENTS_PER_NODE = 2;

interface Acknowledged {
  readonly id: string;
  readonly digest: string;
  readonly height: number;
  readonly blockHash: string;
}

test('all nodes killed at once under load come back to one final block with all that was acknowledged', async () => {
  const { net, context, stop } = await startTestNet('crash');
  const acknowledged: Acknowledged[] = [];
  try {
    const actors = operators(context);
    assert.equal(actors.length, 4);
    for (let round = 1; round <= ROUNDS; round++) {
      let loading = true;
      const clients = actors.flatMap((actor) =>
        Array.from({ length: CLIENTS_PER_NODE }, async () => {
          while (loading) {
            try {
              const answer = await trySubmit(context, production(context, actor), { actor, query: { timeoutMs: 10_000 } });
              const data = answer.json.data;
              if (answer.status === 200 && data.status === 'confirmed')
                acknowledged.push({
                  id: data.records[0].id,
                  digest: data.records[0].recordDigest,
                  height: data.height,
                  blockHash: data.blockHash,
                });
            } catch {
              await sleep(50); // the node is down: nothing was acknowledged
            }
          }
        }),
      );
      const before = acknowledged.length;
      await context.until('the first acknowledgement of the round', PATIENCE_MS, async () => acknowledged.length > before);
      await sleep(randomInt(LOAD_MIN_MS, LOAD_MAX_MS));
      loading = false;
      await Promise.all(net.nodes.map((node) => node.kill('SIGKILL')));
      await Promise.all(clients);
      const again = net.nodes[randomInt(net.nodes.length)]!;
      const killed = again.restart().catch(() => 'killed while it started');
      await sleep(randomInt(START_MAX_MS));
      await again.kill('SIGKILL');
      await killed;
      await Promise.all(net.nodes.map((node) => node.restart()));
      const highest = Math.max(...acknowledged.map((receipt) => receipt.height));
      await oneHead(net, context, highest);
    }

    const highest = Math.max(...acknowledged.map((receipt) => receipt.height));
    for (const actor of actors) {
      await context.until(`a record through ${actor.account}`, PATIENCE_MS, async () => {
        const answer = await trySubmit(context, production(context, actor), { actor });
        return answer.status === 200 && answer.json.data.height > highest;
      });
    }
    await oneHead(net, context, highest + 1);
    const bodies = new Map<number, string>();
    for (const receipt of acknowledged) bodies.set(receipt.height, receipt.blockHash);
    for (const node of net.nodes.keys()) {
      for (const [height, hash] of bodies)
        assert.equal((await context.get(node, `blocks/${height}`)).hash, hash, `block ${height} on node ${node}`);
      for (const { id, digest } of acknowledged) {
        const answer = await context.call(node, 'GET', `records/${id}`);
        assert.equal(answer.status, 200, `acknowledged record ${id} on node ${node}: ${answer.text.slice(0, 200)}`);
        assert.equal(answer.json.data.recordDigest, digest);
      }
      const alarms = await context.get(node, 'alarms');
      const critical = alarms.items.filter((alarm: { severity: string }) => alarm.severity === 'critical');
      assert.deepEqual(critical, [], `node ${node} saw no fault in the others or in its stores`);
    }
  } finally {
    await stop();
  }
});
