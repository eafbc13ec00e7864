/** No parameter in the registry or in the OpenAPI document lacks name, whether required, type, range or example, and the range stated is the range taken. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { lacking, registered, registry } from '../registry.ts';
import { asAble, operations } from '../routes.ts';

interface Documented {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly schema: { readonly type?: string };
    readonly example: unknown;
  }[];
}

const WAITS = /^(?:waitMs|timeoutMs|atLeastHeight)$/; // their upper end would be waited for

export const probe: Probe = {
  id: '5.2.1.1.a-1',
  async prove(context) {
    let count = 0;
    const rows = await registry(context);
    for (const row of rows) {
      for (const parameter of row.parameters) {
        assert.deepEqual(lacking(parameter), [], `${row.operationId} ${parameter.name}`);
        count++;
      }
    }
    assert.equal(count > 150, true, `${count} parameters`);
    const document = (await context.call(context.actor.node, 'GET', 'openapi.json')).json as unknown as {
      readonly paths: Readonly<Record<string, Readonly<Record<string, Documented>>>>;
    };
    const documented = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    assert.deepEqual(documented.map(({ operationId }) => operationId).sort(), rows.map(({ operationId }) => operationId).sort());
    for (const { operationId, parameters = [] } of documented) {
      const outside = rows.find((row) => row.operationId === operationId)!.parameters.filter((parameter) => parameter.in !== 'body');
      assert.deepEqual(parameters.map(({ name }) => name).sort(), outside.map(({ name }) => name).sort(), operationId);
      for (const { name, required, schema, example } of parameters)
        assert.ok(typeof required === 'boolean' && schema.type !== undefined && example !== undefined, `${operationId} ${name}`);
    }
    let ranges = 0;
    for (const operation of await operations(context)) {
      for (const { name, in: place, range } of operation.row.parameters) {
        const [, low, high] = /^integer (\d+)\.\.(\d+)$/.exec(range) ?? [];
        if (operation.row.method !== 'GET' || place !== 'query' || low === undefined || high === undefined) continue;
        const asked = async (value: number) => (await asAble(context, operation, { query: { [name]: value } })).status;
        const what = `${operation.row.operationId} ${name} ${range}`;
        if (!WAITS.test(name))
          for (const value of [Number(low), Number(high)]) assert.notEqual(await asked(value), 400, `${what}: ${value}`);
        assert.equal(await asked(Number(low) - 1), 400, what);
        assert.equal(await asked(Number(high) + 1), 400, what);
        ranges++;
      }
    }
    assert.ok(ranges > 10, `${ranges} ranges were tried at both ends`);
  },
  async twin(context) {
    const [parameter] = (await registered(context, 'findRecords')).parameters;
    for (const part of ['name', 'required', 'type', 'range', 'example'] as const) {
      const { [part]: _taken, ...rest } = parameter!;
      assert.deepEqual(lacking(rest), [part], 'the check sees what is taken away');
    }
  },
};
