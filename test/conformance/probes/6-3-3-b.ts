/** Bad signature, replay and unknown sender are each refused with their own code. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { decodeTransaction, encodeTransaction, type SignedTransaction } from '../../../node/format/index.ts';
import type { Probe } from '../clause.ts';
import type { ProbeContext } from '../context.ts';
import { fullBlock } from '../blocks.ts';
import { production, submit } from '../records.ts';

async function confirmed(context: ProbeContext): Promise<Uint8Array> {
  const { height } = await submit(context, production(context));
  await context.allAt(height, [0]);
  return (await fullBlock(context, height)).transactions[0]!;
}

async function codeOf(context: ProbeContext, bytes: Uint8Array): Promise<string> {
  const answer = await context.call(0, 'POST', 'transactions', { body: bytes, type: 'application/octet-stream' });
  assert.equal(answer.status >= 400, true, answer.text.slice(0, 200));
  return answer.json.code;
}

export const probe: Probe = {
  id: '6.3.3.b',
  async prove(context) {
    const bytes = await confirmed(context);
    const change = (changes: Partial<SignedTransaction>) => encodeTransaction({ ...decodeTransaction(bytes), ...changes });
    const salt = new Uint8Array(randomBytes(16));
    assert.equal(await codeOf(context, bytes), 'TRANSACTION_REPEATED');
    assert.equal(await codeOf(context, change({ salt })), 'TRANSACTION_SIGNATURE_INVALID', 'the signature covers the salt');
    assert.equal(await codeOf(context, change({ salt, sender: `${context.random('ghost')}@nowhere` })), 'TRANSACTION_SENDER_UNKNOWN');
    assert.equal(await codeOf(context, change({ salt, keyId: context.random('key') })), 'TRANSACTION_KEY_UNKNOWN');
    assert.equal(await codeOf(context, change({ salt, chainId: new Uint8Array(32) })), 'TRANSACTION_CHAIN_FOREIGN');
    assert.equal(await codeOf(context, change({ salt, expiryHeight: 1 })), 'TRANSACTION_EXPIRED');
  },
  async twin(context) {
    const { transactionId } = await submit(context, production(context));
    const status = await context.get(context.actor.node, `transactions/${transactionId}`);
    assert.equal(status.state, 'confirmed', 'a good transaction of the same account passes');
  },
};
