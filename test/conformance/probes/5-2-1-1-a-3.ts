/** What may be left out of any query acts as its documented default. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves } from '../answers.ts';
import { registry } from '../registry.ts';
import { find, production, submit } from '../records.ts';
import { asAble, operations } from '../routes.ts';

const TRIES = 5; // an answer that changes by itself is asked for again

export const probe: Probe = {
  id: '5.2.1.1.a-3',
  async prove(context) {
    for (const row of await registry(context))
      for (const parameter of row.parameters)
        if (!parameter.required) assert.equal('default' in parameter, true, `${row.operationId} ${parameter.name}`);
    let compared = 0;
    for (const operation of await operations(context)) {
      if (operation.row.method !== 'GET') continue;
      const stated = Object.fromEntries(
        operation.row.parameters
          .filter(({ in: place, required, default: value }) => place === 'query' && !required && value !== null)
          .map(({ name, default: value }) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
      );
      const { args: _given, ...defaults } = stated; // the contract asked takes its own
      if (Object.keys(defaults).length === 0) continue;
      for (let tried = 1; tried <= TRIES; tried++) {
        const before = await asAble(context, operation);
        const said = await asAble(context, operation, { query: defaults });
        const after = await asAble(context, operation);
        assert.equal(said.status, 200, `${operation.path} ${JSON.stringify(defaults)}: ${said.text.slice(0, 200)}`);
        const [first, middle, last] = [before, said, after].map(({ json }) => leaves(json.data));
        if (JSON.stringify(first) !== JSON.stringify(last)) continue;
        assert.deepEqual(middle, first, `${operation.path}: said or left out, the answer is one`);
        compared++;
        break;
      }
    }
    assert.ok(compared > 10, `${compared} operations were asked both ways`);
  },
  async twin(context) {
    const batch = context.random('PB');
    let height = 0;
    for (let i = 0; i < 2; i++) {
      const next = { ...production(context), ext: { device_id: context.actor.device, production_batch: batch } };
      height = (await submit(context, next)).height;
    }
    const one = await find(context, { productionBatch: batch, limit: 1 }, height);
    assert.equal(one.length, 1, 'another value than the default does differ');
    const [oldest] = await find(context, { productionBatch: batch, order: 'time', limit: 1 }, height);
    assert.deepEqual(one[0], oldest, 'and the default stated is the one that acts');
  },
};
