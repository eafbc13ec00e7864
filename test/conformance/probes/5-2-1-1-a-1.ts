/** No parameter in the registry lacks name, whether required, type, range or example. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { lacking, registered, registry } from '../registry.ts';

export const probe: Probe = {
  id: '5.2.1.1.a-1',
  async prove(context) {
    let count = 0;
    for (const row of await registry(context)) {
      for (const parameter of row.parameters) {
        assert.deepEqual(lacking(parameter), [], `${row.operationId} ${parameter.name}`);
        count++;
      }
    }
    assert.equal(count > 50, true);
    const limit = (await registered(context, 'findRecords')).parameters.find(({ name }) => name === 'limit')!;
    const [low, high] = limit.range.match(/\d+/g)!.map(Number);
    const asked = async (value: number) => (await context.call(context.actor.node, 'GET', 'records', { query: { limit: value } })).status;
    assert.deepEqual([await asked(low!), await asked(high!)], [200, 200], 'the range stated is the range taken');
    assert.deepEqual([await asked(low! - 1), await asked(high! + context.integer(1, 1_000))], [400, 400]);
  },
  async twin(context) {
    const [parameter] = (await registered(context, 'findRecords')).parameters;
    for (const part of ['name', 'required', 'type', 'range', 'example'] as const) {
      const { [part]: _taken, ...rest } = parameter!;
      assert.deepEqual(lacking(rest), [part], 'the check sees what is taken away');
    }
  },
};
