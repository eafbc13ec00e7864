/** A transaction goes from pending to confirmed; a bad one is rejected; a query shows each. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { production, trySubmit } from '../records.ts';

export const probe: Probe = {
  id: '5.1.3.c',
  async prove(context) {
    const { node } = context.actor;
    const answer = await trySubmit(context, production(context), { query: { wait: 'async' } });
    assert.deepEqual([answer.status, answer.json.data.status], [202, 'pending']);
    const path = `transactions/${answer.json.data.transactionId}`;
    const seen = new Set<string>();
    const final = await context.until('the transaction to be confirmed', 60_000, async () => {
      const status = await context.get(node, path);
      seen.add(status.state);
      return status.state === 'confirmed' && status;
    });
    for (const state of seen) assert.equal(['pending', 'confirmed'].includes(state), true, state);
    const block = await context.get(node, `blocks/${final.height}`);
    assert.equal(block.hash, final.blockHash);
    assert.equal(block.certificate.votes?.length >= 3 || JSON.stringify(block.certificate).length > 100, true, 'a quorum signed its block');
  },
  async twin(context) {
    const { node } = context.actor;
    const good = await trySubmit(context, production(context));
    const bytes = Buffer.from((await context.get(node, `transactions/${good.json.data.transactionId}`)).transaction.bytes, 'base64');
    bytes[bytes.length - context.integer(1, 64)]! ^= 1;
    const bad = await context.call(node, 'POST', 'transactions', { body: bytes, type: 'application/octet-stream' });
    assert.equal(bad.status >= 400 && bad.status < 500, true, bad.text.slice(0, 200));
    assert.match(bad.json.code, /^TRANSACTION_/, 'a changed signature, or a spent transaction, is rejected by name');
    const unknown = await context.call(node, 'GET', `transactions/${'ab'.repeat(32)}`);
    assert.equal(unknown.status, 404);
  },
};
