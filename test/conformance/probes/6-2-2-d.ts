/** A contract call answers with its result, or at once with an id whose later query gives the same. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { PATIENCE_MS } from '../context.ts';
import { codeWith, deploy } from '../contracts.ts';

export const probe: Probe = {
  id: '6.2.2.d',
  async prove(context) {
    const { node } = context.actor;
    const secret = context.integer(2, 9_999);
    const address = await deploy(context, codeWith(secret));
    const [one, two] = [context.random('lot'), context.random('lot')];
    const waited = await context.post(node, `contracts/${address}/call`, { method: 'weigh', args: [one, 3] }, { query: { wait: 'sync' } });
    assert.deepEqual([waited.status, waited.json.data.result], [200, { sum: 3, check: 3 * secret }]);
    const sent = await context.post(node, `contracts/${address}/call`, { method: 'weigh', args: [two, 3] }, { query: { wait: 'async' } });
    assert.deepEqual([sent.status, sent.json.data.status], [202, 'pending']);
    const later = await context.until('the call to be confirmed', PATIENCE_MS, async () => {
      const status = await context.get(node, `transactions/${sent.json.data.transactionId}`);
      return status.state === 'confirmed' && status;
    });
    assert.deepEqual(later.receipt.results[0], waited.json.data.result, 'both ways tell the same result');
  },
  async twin(context) {
    const { node } = context.actor;
    const address = await deploy(context, codeWith(2));
    const sent = await context.post(
      node,
      `contracts/${address}/call`,
      { method: context.random('m'), args: [] },
      { query: { wait: 'async' } },
    );
    if (sent.status !== 202) return assert.equal(sent.status >= 400, true);
    const later = await context.until('the bad call to be final', PATIENCE_MS, async () => {
      const status = await context.get(node, `transactions/${sent.json.data.transactionId}`);
      return status.state === 'confirmed' && status;
    });
    assert.equal(later.receipt.status, 'failed', 'what fails later says so');
  },
};
