/** A confirmed transaction is found in exactly one block on every node: all blocks are looked at, from the first to the head. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { ProbeContext } from '../context.ts';
import { rawBlock } from '../blocks.ts';
import { readRawBlock, transactionId } from '../independent.ts';
import { production, submit } from '../records.ts';

/** `height/place` of every occurrence up to `last`. */
async function placesOf(context: ProbeContext, node: number, id: string, last: number): Promise<readonly string[]> {
  const out: string[] = [];
  for (let height = 1; height <= last; height++) {
    const { transactions } = readRawBlock(await rawBlock(context, height, node));
    for (const [place, { bytes }] of transactions.entries()) if (transactionId(bytes) === id) out.push(`${height}/${place}`);
  }
  return out;
}

export const probe: Probe = {
  id: '6.3.3.c',
  async prove(context) {
    const { transactionId: id, height, inclusionProof } = await submit(context, production(context));
    const { height: last } = await submit(context, production(context));
    await context.allAt(last);
    for (const node of context.net.nodes.keys()) {
      assert.deepEqual(await placesOf(context, node, id, last), [`${height}/${inclusionProof.index}`], `node ${node}`);
      const told = await context.get(node, `transactions/${id}`);
      assert.deepEqual([told.state, told.height], ['confirmed', height], `node ${node}`);
    }
  },
  async twin(context) {
    const { transactionId: id } = await submit(context, production(context));
    const stored = await context.get(context.actor.node, `transactions/${id}`);
    const again = await context.call(context.actor.node, 'POST', 'transactions', {
      body: Buffer.from(stored.transaction.bytes, 'base64'),
      type: 'application/octet-stream',
    });
    assert.ok(again.status >= 400 || again.json.data.height === stored.height, `sent again: ${again.text.slice(0, 200)}`);
    const { height: last } = await submit(context, production(context));
    await context.allAt(last);
    for (const node of context.net.nodes.keys()) {
      assert.equal((await placesOf(context, node, id, last)).length, 1, 'the same bytes sent again are in no second block');
      assert.deepEqual(await placesOf(context, node, '00'.repeat(32), last), [], 'what was never submitted is in no block');
    }
  },
};
