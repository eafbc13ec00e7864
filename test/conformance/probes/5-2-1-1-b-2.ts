/** Every operation states its rate, or that it has none; going over one gives 429 and how long to wait. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { PATIENCE_MS } from '../context.ts';
import { registered, registry } from '../registry.ts';

const ROUNDS_MAX = 5; // on a slow machine a burst may spread over more than the window

export const probe: Probe = {
  id: '5.2.1.1.b-2',
  async prove(context) {
    for (const { operationId, rateLimit } of await registry(context))
      assert.equal(rateLimit === 'none' || (rateLimit.count > 0 && rateLimit.perMs > 0), true, operationId);
    const { rateLimit } = await registered(context, 'validateBlock');
    assert.notEqual(rateLimit, 'none');
    const { count } = rateLimit as { count: number };
    const body = context.random('no block');
    const send = () => context.call(context.actor.node, 'POST', 'blocks/validation', { body, type: 'application/octet-stream' });
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const answers = await Promise.all(Array.from({ length: count * 5 }, send));
      const over = answers.filter((answer) => answer.status === 429);
      for (const answer of over) {
        assert.equal(answer.json.code, 'RATE_LIMITED');
        assert.equal(Number(answer.headers['retry-after']) >= 1, true, 'with the wait');
      }
      if (over.length > 0) return;
    }
    assert.fail('no call was told to wait');
  },
  async twin(context) {
    await context.until('the window to pass', PATIENCE_MS, async () => {
      const answer = await context.call(context.actor.node, 'POST', 'blocks/validation', { body: 'x', type: 'application/octet-stream' });
      return answer.status !== 429;
    });
    const other = context.actorWith('auditor');
    const answer = await context.call(context.actor.node, 'GET', 'consensus', { token: other.token });
    assert.equal(answer.status, 200, 'within the rate nobody waits');
  },
};
