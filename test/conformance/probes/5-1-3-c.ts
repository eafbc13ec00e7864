/** A transaction goes from pending to confirmed; a bad one is rejected; a query shows each. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { PATIENCE_MS, type ProbeContext } from '../context.ts';
import { production, trySubmit } from '../records.ts';

/** Two records under one key, sent at once: both pass the door, the first in order is stored, and a query shows that the other was rejected and why. */
async function rejected(context: ProbeContext): Promise<void> {
  const record = production(context);
  const answers = await Promise.all(
    ['one', 'two'].map((place) => trySubmit(context, { ...record, production_location: place }, { query: { wait: 'async' } })),
  );
  if (answers.some(({ status }) => status !== 202)) return rejected(context); // the first was final before the second came to the door
  const receipts = await Promise.all(
    answers.map(({ json }) =>
      context.until('the end of a transaction', PATIENCE_MS, async () => {
        const told = await context.get(context.actor.node, `transactions/${json.data.transactionId}`);
        return told.state === 'confirmed' && told.receipt;
      }),
    ),
  );
  assert.deepEqual(receipts.map(({ status }) => status).sort(), ['failed', 'ok']);
  assert.equal(receipts.find(({ status }) => status === 'failed')!.code, 'RECORD_KEY_CONFLICT');
}

export const probe: Probe = {
  id: '5.1.3.c',
  async prove(context) {
    const { node } = context.actor;
    const answer = await trySubmit(context, production(context), { query: { wait: 'async' } });
    assert.deepEqual([answer.status, answer.json.data.status], [202, 'pending']);
    const path = `transactions/${answer.json.data.transactionId}`;
    const seen = new Set<string>();
    const final = await context.until('the transaction to be confirmed', PATIENCE_MS, async () => {
      const status = await context.get(node, path);
      seen.add(status.state);
      return status.state === 'confirmed' && status;
    });
    for (const state of seen) assert.equal(['pending', 'confirmed'].includes(state), true, state);
    assert.equal(final.receipt.status, 'ok');
    const block = await context.get(node, `blocks/${final.height}`);
    assert.equal(block.hash, final.blockHash);
    const validators = context.genesis.nodes.filter(({ role }) => role === 'validator').length;
    assert.ok(
      block.certificate.votes.length >= Math.ceil((validators + Math.floor((validators - 1) / 3) + 1) / 2),
      'a quorum confirmed its block',
    );
    for (const other of context.net.nodes.keys()) {
      await context.allAt(final.height, [other]);
      assert.equal((await context.get(other, path)).state, 'confirmed', `node ${other} verified and stored it`);
    }
    await rejected(context);
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
