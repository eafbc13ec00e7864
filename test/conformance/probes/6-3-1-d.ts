/** Status that is polled follows height, round and leader within a stated delay. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { production, submit } from '../records.ts';

/** A node answers from memory: what it has decided it shows at once. The rest is the way of the block to the other nodes. */
const DELAY_MAX_MS = 10_000;

export const probe: Probe = {
  id: '6.3.1.d',
  async prove(context) {
    for (let i = 0; i < 3; i++) {
      const { height, blockHash } = await submit(context, production(context));
      const here = await context.get(context.actor.node, 'consensus');
      assert.equal(here.head.height >= height, true, 'the node that answered shows it at once');
      assert.equal(here.round.height >= here.head.height, true, 'the round is that of the next height or has just begun');
      for (const node of context.net.nodes.keys()) {
        const status = await context.until(`node ${node} to show height ${height}`, DELAY_MAX_MS, async () => {
          const now = await context.get(node, 'consensus');
          return now.head.height >= height && now;
        });
        if (status.head.height === height) assert.equal(status.head.hash, blockHash);
        assert.equal(
          context.genesis.nodes.some(({ id }) => id === status.round.primary),
          true,
          'and who leads',
        );
        assert.equal(Number.isSafeInteger(status.round.view), true);
      }
    }
  },
  async twin(context) {
    const before = await context.get(context.actor.node, 'consensus');
    const refused = await context.call(context.actor.node, 'POST', 'records', { body: `{"${context.random('x')}":1}` });
    assert.equal(refused.status >= 400, true);
    const after = await context.get(context.actor.node, 'consensus');
    assert.equal(after.head.height - before.head.height <= 1, true, 'nothing decided, nothing shown as decided');
  },
};
