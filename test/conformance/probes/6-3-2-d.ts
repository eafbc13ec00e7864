/** The root is recomputed from the served transactions; one changed transaction fails, whichever it is. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { assertCheck, fullBlock, judge, rawBlock } from '../blocks.ts';
import { readRawBlock, transactionHash, treeRoot } from '../independent.ts';
import { production, submit, trySubmit } from '../records.ts';
import type { ProbeContext } from '../context.ts';

const ROOT_CHECK = /transaction.*root|tx.?root/i;
const TOGETHER = 6; // records sent at once, so that their block holds a tree

async function busyBlock(context: ProbeContext): Promise<Buffer> {
  const answers = await Promise.all(Array.from({ length: TOGETHER }, () => trySubmit(context, production(context))));
  const heights = answers.map((answer) => answer.json.data.height as number);
  const raws = await Promise.all([...new Set(heights)].map((height) => rawBlock(context, height, context.actor.node)));
  return raws.reduce((a, b) => (readRawBlock(b).transactions.length > readRawBlock(a).transactions.length ? b : a));
}

export const probe: Probe = {
  id: '6.3.2.d',
  async prove(context) {
    const raw = await busyBlock(context);
    const { header, transactions } = readRawBlock(raw);
    assert.ok(transactions.length > 1, 'the block holds more than one transaction');
    await context.allAt(header.height, [0]);
    const root = treeRoot(transactions.map(({ bytes }) => transactionHash(bytes))).toString('hex');
    assert.equal(root, header.fields.txRoot!.bytes.toString('hex'));
    for (const { bytes, at } of transactions) {
      const altered = Buffer.from(raw);
      altered[at + bytes.length - 1]! ^= 1; // the last byte of its signature
      const own = treeRoot(readRawBlock(altered).transactions.map((transaction) => transactionHash(transaction.bytes))).toString('hex');
      const check = assertCheck(await judge(context, altered), ROOT_CHECK, false);
      assert.deepEqual([check.computed, check.stated], [own, root], 'the node computes what the reviewer does');
    }
    const block = await fullBlock(context, header.height);
    assertCheck(await judge(context, { ...block, transactions: block.transactions.slice(1) }), ROOT_CHECK, false);
    assertCheck(await judge(context, { ...block, transactions: [...block.transactions].reverse() }), ROOT_CHECK, false);
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    const raw = await rawBlock(context, height, context.actor.node);
    await context.allAt(height, [0]);
    const check = assertCheck(await judge(context, raw), ROOT_CHECK, true);
    assert.equal(check.computed, treeRoot(readRawBlock(raw).transactions.map(({ bytes }) => transactionHash(bytes))).toString('hex'));
  },
};
