/** A call with arguments returns the value that the contract's code computes. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { callMethod, codeWith, deploy, query } from '../contracts.ts';

export const probe: Probe = {
  id: '5.1.2.b',
  async prove(context) {
    const secret = context.integer(2, 9_999);
    const address = await deploy(context, codeWith(secret));
    const [lot, first, second] = [context.random('lot'), context.integer(1, 999), context.integer(1, 999)];
    assert.deepEqual((await callMethod(context, address, 'weigh', [lot, first])).json.data.result, { sum: first, check: first * secret });
    const answer = await callMethod(context, address, 'weigh', [lot, second]);
    assert.deepEqual(answer.json.data.result, { sum: first + second, check: (first + second) * secret });
    const total = await query(context, address, 'total', [lot]);
    assert.equal(total.json.data.result, first + second, 'a read-only call sees what the calls left');
  },
  async twin(context) {
    const secret = context.integer(2, 9_999);
    const address = await deploy(context, codeWith(secret));
    const lot = context.random('lot');
    await callMethod(context, address, 'weigh', [lot, 1]);
    const other = await deploy(context, codeWith(secret + 1));
    const answer = await callMethod(context, other, 'weigh', [lot, 1]);
    assert.deepEqual(
      answer.json.data.result,
      { sum: 1, check: secret + 1 },
      'another contract computes by its own code and holds its own state',
    );
    const refused = await callMethod(context, `0x${'00'.repeat(20)}`, 'weigh', [lot, 1]);
    assert.notEqual(refused.json.code, 'OK', 'an address without a contract computes nothing');
  },
};
