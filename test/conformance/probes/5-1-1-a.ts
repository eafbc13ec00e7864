/** One submission of each of the three kinds gives a transaction id, and stands in the block it names. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { fullBlock } from '../blocks.ts';
import { device, find, production, quality, submit, trySubmit } from '../records.ts';

export const probe: Probe = {
  id: '5.1.1.a',
  async prove(context) {
    for (const [name, record] of [
      ['production', production(context)],
      ['device', device(context)],
      ['quality', quality(context)],
    ] as const) {
      const receipt = await submit(context, record, { class: name });
      assert.match(receipt.transactionId, /^[0-9a-f]{64}$/);
      const block = await fullBlock(context, receipt.height);
      const answer = await context.get(0, `blocks/${receipt.height}`);
      assert.equal(answer.hash, receipt.blockHash);
      assert.equal(JSON.stringify(answer.transactions).includes(receipt.transactionId), true, `${name}: in the block it names`);
      assert.equal(block.header.height, receipt.height);
    }
  },
  async twin(context) {
    const { pro_factory_uid: _factory, ...rest } = production(context);
    const refused = await trySubmit(context, rest);
    assert.deepEqual([refused.status, refused.json.data?.transactionId], [422, undefined], 'what is no record gets no transaction');
    const { height } = await submit(context, production(context));
    assert.deepEqual(await find(context, { product: String(rest.product_uid) }, height), [], 'and stands in no block');
  },
};
