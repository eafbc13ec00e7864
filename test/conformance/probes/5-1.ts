/** The registry lists operations under exactly four layers, none of them empty, and what it lists is there. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { registry } from '../registry.ts';

const LAYERS = ['application', 'consensus', 'contract', 'network'];

export const probe: Probe = {
  id: '5.1',
  async prove(context) {
    const rows = await registry(context);
    assert.deepEqual([...new Set(rows.map((row) => row.layer))].sort(), LAYERS);
    for (const layer of LAYERS) {
      const own = await context.get(context.actor.node, 'interfaces', { layer });
      assert.deepEqual(
        own.items.map((row: { operationId: string }) => row.operationId),
        rows.filter((row) => row.layer === layer).map((row) => row.operationId),
      );
      const reads = rows.filter((row) => row.layer === layer && row.method === 'GET' && !/[:*]|stream/.test(row.url));
      const row = reads[context.integer(0, reads.length - 1)]!;
      const answer = await context.call(context.actor.node, 'GET', row.url);
      assert.notEqual(answer.status, 404, `${row.operationId} is listed and not there`);
    }
  },
  async twin(context) {
    const unknown = await context.call(context.actor.node, 'GET', 'interfaces', { query: { layer: context.random('layer') } });
    assert.equal(unknown.status, 400, 'there is no fifth layer');
    const missing = await context.call(context.actor.node, 'GET', context.random('no-interface'));
    assert.equal(missing.status, 404, 'what is not listed is not there');
  },
};
