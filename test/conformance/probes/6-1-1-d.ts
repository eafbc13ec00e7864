/** In wait mode the answer holds the result; otherwise it holds an id whose later query gives the same result. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { PATIENCE_MS } from '../context.ts';
import { production, submit, trySubmit } from '../records.ts';

export const probe: Probe = {
  id: '6.1.1.d',
  async prove(context) {
    const waited = await submit(context, production(context), { query: { wait: 'sync' } });
    assert.equal(typeof waited.height, 'number');
    const answer = await trySubmit(context, production(context), { query: { wait: 'async' } });
    assert.deepEqual([answer.status, answer.json.data.status], [202, 'pending']);
    const { transactionId, records } = answer.json.data;
    const later = await context.until('the asynchronous submission to be confirmed', PATIENCE_MS, async () => {
      const status = await context.get(context.actor.node, `transactions/${transactionId}`);
      return status.state === 'confirmed' && status;
    });
    const row = await context.until('the record to be served', PATIENCE_MS, () =>
      context.get(context.actor.node, `records/${records[0].id}`),
    );
    assert.equal(row.block.transactionId, transactionId);
    const height = later.receipt?.height ?? later.height;
    assert.equal(row.block.height, height);
    assert.equal(row.recordDigest, records[0].recordDigest, 'the digest told at once is the one on chain');
    const sync = await context.get(context.actor.node, `transactions/${waited.transactionId}`);
    assert.deepEqual([sync.state, sync.receipt?.height ?? sync.height], ['confirmed', waited.height], 'both ways tell the same result');
  },
  async twin(context) {
    const unknown = await context.call(context.actor.node, 'GET', `transactions/${'00'.repeat(32)}`);
    assert.equal(unknown.status === 404 || unknown.json.data.state === 'unknown', true, unknown.text.slice(0, 200));
    const short = await trySubmit(context, production(context), { query: { wait: 'sync', timeoutMs: 0 } });
    assert.deepEqual([short.status, short.json.data.status], [202, 'pending'], 'a wait that runs out is no error');
  },
};
