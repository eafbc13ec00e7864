/** The root is recomputed from the served transactions; one changed transaction fails, whichever it is. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { assertCheck, fullBlock, judge, rawBlock } from '../blocks.ts';
import { readRawBlock, transactionHash, treeRoot } from '../independent.ts';
import { production, submit } from '../records.ts';
import type { Answer, ProbeContext } from '../context.ts';

const ROOT_CHECK = /transaction.*root|tx.?root/i;
const TOGETHER = 6; // bodies sent at once, so that their block holds a tree
const ROUNDS_MAX = 5; // until a block holds several: when one is cut is the primary's affair

/** Bodies of two records each: single records of one account that come together go in one transaction. */
async function busyBlock(context: ProbeContext): Promise<Buffer> {
  const { node, token } = context.actor;
  const send = (): Promise<Answer> => {
    const body = JSON.stringify([production(context), production(context)]);
    return context.call(node, 'POST', 'records', { token, body, type: 'application/json' });
  };
  for (let round = 1; ; round++) {
    const answers = await Promise.all(Array.from({ length: TOGETHER }, send));
    const heights = new Set(answers.map((answer) => answer.json.data.height as number));
    for (const height of heights) {
      const raw = await rawBlock(context, height, node);
      if (readRawBlock(raw).transactions.length > 1) return raw;
    }
    assert.ok(round < ROUNDS_MAX, 'a block holds more than one transaction');
  }
}

export const probe: Probe = {
  id: '6.3.2.d',
  async prove(context) {
    const raw = await busyBlock(context);
    const { header, transactions } = readRawBlock(raw);
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
