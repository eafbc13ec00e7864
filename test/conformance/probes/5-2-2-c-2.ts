/** Every changing operation answers POST; GET on it yields 405, unless a query has the same address; PUT and DELETE are needed nowhere. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { registry } from '../registry.ts';
import { production, trySubmit } from '../records.ts';
import { operations } from '../routes.ts';

export const probe: Probe = {
  id: '5.2.2.c-2',
  async prove(context) {
    assert.equal((await trySubmit(context, production(context))).status, 200, 'POST submits');
    const all = await operations(context);
    const queried = new Set(all.filter(({ row }) => row.method === 'GET').map(({ row }) => row.url));
    const changing = all.filter(({ row }) => row.method === 'POST');
    assert.ok(changing.length > 12, `${changing.length} changing operations`);
    for (const { row, path } of changing) {
      const posted = await context.call(context.actor.node, 'POST', path, { body: '{' });
      assert.equal([404, 405].includes(posted.status) || posted.status >= 500, false, `POST ${path} answered ${posted.status}`);
      if (queried.has(row.url)) continue;
      const got = await context.call(context.actor.node, 'GET', path);
      assert.deepEqual([got.status, got.json.code], [405, 'METHOD_NOT_ALLOWED'], `GET ${path}`);
      assert.match(String(got.headers.allow), /POST/, `GET ${path} names the method to use`);
    }
    for (const path of new Set(all.map((operation) => operation.path))) {
      for (const method of ['PUT', 'DELETE', 'PATCH']) {
        const answer = await context.call(context.actor.node, method, path, { body: '{}' });
        assert.deepEqual([answer.status, answer.json.code], [405, 'METHOD_NOT_ALLOWED'], `${method} ${path}`);
      }
    }
  },
  async twin(context) {
    const methods = new Set((await registry(context)).map(({ method }) => method));
    assert.deepEqual([...methods].sort(), ['GET', 'POST'], 'no operation needs another method');
    const validate = await context.post(0, 'records/validate', production(context));
    assert.notEqual(validate.status, 405, 'what answers 405 to GET does answer POST');
    const nowhere = await context.call(0, 'POST', context.random('nowhere'), { body: '{}' });
    assert.equal(nowhere.status, 404, 'an address that does not exist is told apart');
  },
};
