/** A transaction given to node A by a client is confirmed in a block proposed by node B. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { PATIENCE_MS, type ProbeContext } from '../context.ts';
import { fullBlock } from '../blocks.ts';
import { device, submit } from '../records.ts';

/** Submits once through the node of each operator; the ids of node asked and proposer. */
async function journeys(context: ProbeContext): Promise<readonly { asked: string; proposer: string }[]> {
  const out: { asked: string; proposer: string }[] = [];
  const first = context.actor;
  for (const actor of [first, context.actorWith('operator', first.organisation)]) {
    const { height } = await submit(context, device(context, actor), { actor, class: 'device' });
    await context.allAt(height, [0]);
    const block = await fullBlock(context, height);
    out.push({ asked: context.genesis.nodes[actor.node]!.id, proposer: block.header.proposer });
  }
  return out;
}

export const probe: Probe = {
  id: '6.3.3.a',
  async prove(context) {
    const found = await context.until('a transaction confirmed in a block of another node', PATIENCE_MS, async () => {
      const trips = await journeys(context);
      return trips.find(({ asked, proposer }) => asked !== proposer);
    });
    assert.notEqual(found.asked, found.proposer);
  },
  async twin(context) {
    const bytes = Buffer.from(context.random('no transaction'));
    for (const node of context.net.nodes.keys()) {
      const answer = await context.call(node, 'POST', 'transactions', { body: bytes, type: 'application/octet-stream' });
      assert.deepEqual([answer.status, answer.json.code], [400, 'TRANSACTION_MALFORMED'], 'what is no transaction goes no further');
    }
  },
};
