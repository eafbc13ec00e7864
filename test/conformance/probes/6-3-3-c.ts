/** A confirmed transaction is found in exactly one block on every node. */
import assert from 'node:assert/strict';
import { openTransaction } from '../../../node/format/index.ts';
import type { Probe } from '../clause.ts';
import type { ProbeContext } from '../context.ts';
import { hash, rawBlock, openBlock } from '../blocks.ts';
import { production, submit } from '../records.ts';

/** Blocks looked at on each side of the one named. */
const SPAN = 20;

async function heightsOf(context: ProbeContext, node: number, id: string, around: number): Promise<readonly number[]> {
  const out: number[] = [];
  const last = Math.min(await context.height(node), around + SPAN);
  for (let height = Math.max(1, around - SPAN); height <= last; height++) {
    const { transactions } = openBlock(await rawBlock(context, height, node));
    for (const bytes of transactions) if (Buffer.from(openTransaction(hash, bytes).id).toString('hex') === id) out.push(height);
  }
  return out;
}

export const probe: Probe = {
  id: '6.3.3.c',
  async prove(context) {
    const { transactionId, height } = await submit(context, production(context));
    await submit(context, production(context));
    await context.allAt(height + 1);
    for (const node of context.net.nodes.keys())
      assert.deepEqual(await heightsOf(context, node, transactionId, height), [height], `node ${node}`);
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    await context.allAt(height);
    for (const node of context.net.nodes.keys())
      assert.deepEqual(await heightsOf(context, node, '00'.repeat(32), height), [], 'what was never submitted is in no block');
  },
};
