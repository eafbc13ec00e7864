/** Success and failure of any operation have one structure: code, text, data, details, id of the request. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { Answer } from '../context.ts';
import { registry } from '../registry.ts';
import { production, trySubmit } from '../records.ts';

const MEMBERS = ['code', 'data', 'details', 'message', 'requestId'];

function holds(answer: Answer): boolean {
  const body = answer.json as unknown as Record<string, unknown>;
  return (
    JSON.stringify(Object.keys(body).sort()) === JSON.stringify(MEMBERS) &&
    /^[A-Z][A-Z0-9_]*$/.test(String(body.code)) &&
    String(body.message).length > 0 &&
    Array.isArray(body.details) &&
    answer.status < 400 === (body.code === 'OK')
  );
}

export const probe: Probe = {
  id: '5.2.1.2.b',
  async prove(context) {
    const { node } = context.actor;
    for (const { operationId, method, url } of await registry(context)) {
      if (/stream|metrics|healthz|openapi|^\/$|console/i.test(`${url} ${operationId}`)) continue; // stated to stand outside
      const path = url.replace(/:[A-Za-z_]+/g, () => context.random('x'));
      const nobody = await context.call(node, method, path, {
        token: context.random('token'),
        ...(method === 'POST' ? { body: '{' } : {}),
      });
      assert.equal(nobody.status >= 400 || method === 'GET', true, operationId);
      if (String(nobody.headers['content-type']).includes('json'))
        assert.equal(holds(nobody), true, `${operationId}: ${nobody.text.slice(0, 200)}`);
    }
    for (const answer of [
      await trySubmit(context, production(context)),
      await trySubmit(context, { [context.random('name')]: 'x' }),
      await context.call(node, 'GET', 'consensus'),
      await context.call(node, 'GET', context.random('nowhere')),
      await context.call(node, 'DELETE', 'records'),
    ])
      assert.equal(holds(answer), true, answer.text.slice(0, 200));
  },
  async twin(context) {
    const answer = await context.call(context.actor.node, 'GET', 'consensus');
    const without = { ...answer, status: answer.status, json: { ...answer.json, extra: 1 } as never };
    assert.equal(holds(without), false, 'the check knows another structure');
    assert.equal(holds({ ...answer, status: 500, json: answer.json }), false, 'and a failure that says OK');
  },
};
