/** What may be left out acts as its documented default. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { registered, registry } from '../registry.ts';
import { find, production, submit } from '../records.ts';

export const probe: Probe = {
  id: '5.2.1.1.a-3',
  async prove(context) {
    for (const row of await registry(context))
      for (const parameter of row.parameters)
        if (!parameter.required) assert.equal('default' in parameter, true, `${row.operationId} ${parameter.name}`);
    const record = production(context);
    const batch = context.random('PB');
    let height = 0;
    for (let i = 0; i < 3; i++) {
      const next = { ...record, product_uid: context.random('SN'), ext: { device_id: context.actor.device, production_batch: batch } };
      height = (await submit(context, next)).height;
    }
    const { parameters } = await registered(context, 'findRecords');
    const defaults = Object.fromEntries(
      parameters
        .filter(({ in: place, required, default: value }) => place === 'query' && !required && value !== null)
        .map(({ name, default: value }) => [name, value as string | number]),
    );
    assert.equal('limit' in defaults && 'order' in defaults, true);
    const short = await find(context, { productionBatch: batch }, height);
    const { atLeastHeight: _height, waitMs: _wait, ...stated } = defaults;
    assert.equal(short.length, 3);
    assert.deepEqual(await find(context, { ...stated, productionBatch: batch }, height), short, 'said or left out, the answer is one');
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
  },
};
