/** GET serves queries and changes nothing. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { production, submit } from '../records.ts';
import { rawBlock, openBlock } from '../blocks.ts';

export const probe: Probe = {
  id: '5.2.2.c-1',
  async prove(context) {
    const record = production(context);
    const receipt = await submit(context, record);
    const id = receipt.records[0].id;
    const before = await context.get(context.actor.node, `records/${id}`);
    const from = await context.height(context.actor.node);
    const paths = [
      'records',
      `records/${id}`,
      `records/${id}/history`,
      `records/${id}/proof`,
      `trace/${record.product_uid}`,
      'contracts',
      'nodes',
      'peers',
      'consensus',
      'alarms',
      'interfaces',
      'governance/proposals',
      'governance/parameters',
      'blocks/latest',
      `transactions/${receipt.transactionId}`,
    ];
    for (const path of paths) {
      const answer = await context.call(context.actor.node, 'GET', path);
      assert.equal([200, 403].includes(answer.status), true, `GET ${path} answered ${answer.status}: ${answer.text.slice(0, 200)}`);
    }
    assert.deepEqual(await context.get(context.actor.node, `records/${id}`), before);
    await context.allAt(from + 1, [context.actor.node]);
    for (let height = from + 1; height <= (await context.height(context.actor.node)); height++)
      assert.equal((await transactionsOf(height)) === 0, true, `block ${height} holds a transaction though nothing was submitted`);

    async function transactionsOf(height: number): Promise<number> {
      return openBlock(await rawBlock(context, height, context.actor.node)).transactions.length;
    }
  },
  async twin(context) {
    const receipt = await submit(context, production(context));
    assert.equal(openBlock(await rawBlock(context, receipt.height)).transactions.length > 0, true, 'a submission does show in a block');
  },
};
