/** The same query in JSON and in XML holds the same values. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves, xmlLeaves } from '../answers.ts';
import type { ProbeContext } from '../context.ts';
import { find, production, submit } from '../records.ts';

async function both(context: ProbeContext, product: string, other = product): Promise<readonly [readonly string[], readonly string[]]> {
  const json = await context.call(context.actor.node, 'GET', 'records', { query: { product } });
  const xml = await context.call(context.actor.node, 'GET', 'records', { query: { product: other }, accept: 'application/xml' });
  return [leaves(json.json.data.items), xmlLeaves(xml.text, 'data', 'items')];
}

export const probe: Probe = {
  id: '6.1.2.d',
  async prove(context) {
    const record = production(context);
    const { height } = await submit(context, record);
    assert.equal((await find(context, { product: String(record.product_uid) }, height)).length, 1);
    const [json, xml] = await both(context, String(record.product_uid));
    assert.equal(json.length > 10, true, 'the answer holds the record');
    assert.deepEqual(xml, json);
  },
  async twin(context) {
    const [first, second] = [production(context), production(context)];
    await submit(context, first);
    const { height } = await submit(context, second);
    await find(context, { product: String(second.product_uid) }, height);
    const [json, xml] = await both(context, String(first.product_uid), String(second.product_uid));
    assert.notDeepEqual(xml, json, 'another query holds other values');
  },
};
