/** Success and failure of any operation have one structure: code, text, data, details, id of the request. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { Answer } from '../context.ts';
import { production, trySubmit } from '../records.ts';
import { asAble, operations } from '../routes.ts';

const MEMBERS = ['code', 'data', 'details', 'message', 'requestId'];

function holds(answer: Answer): boolean {
  const body = answer.json as unknown as Record<string, unknown>;
  const { code, message, details, requestId } = answer.json;
  return (
    String(answer.headers['content-type']).startsWith('application/json') &&
    JSON.stringify(Object.keys(body).sort()) === JSON.stringify(MEMBERS) &&
    /^[A-Z][A-Z0-9_]*$/.test(code) &&
    message.length > 0 &&
    requestId.length > 0 &&
    Array.isArray(details) &&
    details.every((detail) => /^[A-Z][A-Z0-9_]*$/.test(detail.code) && String(detail.message ?? '').length > 0) &&
    answer.status < 400 === (code === 'OK')
  );
}

export const probe: Probe = {
  id: '5.2.1.2.b',
  async prove(context) {
    const { node } = context.actor;
    const all = await operations(context);
    const told = (answer: Answer, what: string): void => assert.equal(holds(answer), true, `${what}: ${answer.text.slice(0, 300)}`);
    for (const operation of all) {
      const { row, path, query } = operation;
      const body = row.method === 'POST' ? { body: '{' } : {};
      if (row.method === 'GET') {
        const good = await asAble(context, operation);
        assert.equal(good.status, 200, path);
        told(good, `success of ${path}`);
      }
      const failures = [
        await context.call(node, row.method, path, { ...body, query: { ...query, [context.random('x')]: '1' } }),
        await context.call(node, row.method === 'GET' ? 'PUT' : 'PATCH', path, { body: '{}' }),
        ...(row.method === 'POST' ? [await context.call(node, 'POST', path, { body: 'x', type: 'text/x-unknown' })] : []),
        ...(row.operationId === 'listInterfaces'
          ? []
          : [await context.call(node, row.method, path, { ...body, query, token: context.random('token') })]),
      ];
      for (const failure of failures) {
        assert.ok(failure.status >= 400 && failure.status < 500, `${row.method} ${path} answered ${failure.status}`);
        told(failure, `failure of ${row.method} ${path}`);
      }
    }
    told(await trySubmit(context, production(context)), 'success of a submission');
    told(await trySubmit(context, production(context), { query: { wait: 'async' } }), 'an answer before the end');
    told(await context.post(node, 'records/validate', production(context)), 'success of a check');
    told(await context.call(node, 'GET', context.random('nowhere')), 'an address that does not exist');
  },
  async twin(context) {
    const answer = await context.call(context.actor.node, 'GET', 'consensus');
    const with_ = (json: object, status = answer.status): Answer => ({ ...answer, status, json: { ...answer.json, ...json } as never });
    assert.equal(holds(with_({})), true);
    assert.equal(holds(with_({ extra: 1 })), false, 'the check knows another structure');
    assert.equal(holds(with_({ message: '' })), false, 'an answer without text');
    assert.equal(holds(with_({ details: [{ code: 'X' }] })), false, 'a detail without text');
    assert.equal(holds(with_({}, 500)), false, 'and a failure that says OK');
  },
};
