/** The same query in JSON and in XML holds the same values: by every filter, with history and genealogy, and with texts that XML must escape. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves, xmlLeaves } from '../answers.ts';
import type { ProbeContext } from '../context.ts';
import { type Fields, find, production, submit } from '../records.ts';

type Query = Readonly<Record<string, string>>;

async function both(
  context: ProbeContext,
  path: string,
  query: Query,
  other = query,
): Promise<readonly [readonly string[], readonly string[]]> {
  const json = await context.call(context.actor.node, 'GET', path, { query });
  const xml = await context.call(context.actor.node, 'GET', path, { query: other, accept: 'application/xml' });
  assert.deepEqual([json.status, xml.status], [200, 200], `${path} ${JSON.stringify(query)}`);
  return [leaves(json.json.data), xmlLeaves(xml.text, 'data')];
}

export const probe: Probe = {
  id: '6.1.2.d',
  async prove(context) {
    const made = production(context);
    const awkward = `<${context.random('齿轮')}> & "x" 'y' ]]> é`;
    const record: Fields = { ...made, production_location: awkward };
    const { height, records } = await submit(context, record);
    const product = String(record.product_uid);
    assert.equal((await find(context, { product }, height)).length, 1);
    const { pro_supplier: supplier, pro_batch_number: materialBatch } = record.pro_raw_material as Query;
    const { production_batch: batch } = record.ext as Query;
    const time = String(record.production_time);
    const queries: readonly (readonly [string, Query])[] = [
      ['records', { product }],
      ['records', { productionBatch: batch! }],
      ['records', { batch: batch! }],
      ['records', { materialBatch: materialBatch!, supplier: supplier! }],
      ['records', { product, from: time, to: time, device: context.actor.device, factory: context.actor.factory, class: 'production' }],
      ['records', { product, order: 'commit', count: 'exact' }],
      [`records/${records[0].id}`, {}],
      [`records/${records[0].id}/history`, {}],
      [`trace/${product}`, {}],
    ];
    for (const [path, query] of queries) {
      const [json, xml] = await both(context, path, query);
      assert.equal(json.length > 10, true, `${path} ${JSON.stringify(query)} holds the record`);
      assert.deepEqual(xml, json, `${path} ${JSON.stringify(query)}`);
      if (!path.startsWith('trace')) assert.ok(xml.includes(awkward), 'the text stands in the answer as it was sent');
    }
  },
  async twin(context) {
    const [first, second] = [production(context), production(context)];
    await submit(context, first);
    const { height } = await submit(context, second);
    await find(context, { product: String(second.product_uid) }, height);
    const [json, xml] = await both(context, 'records', { product: String(first.product_uid) }, { product: String(second.product_uid) });
    assert.notDeepEqual(xml, json, 'another query holds other values');
  },
};
