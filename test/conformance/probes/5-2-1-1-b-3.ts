/** Each error of the registry has a meaning and a remedy in both languages; every code that calls of any operation meet is listed for it. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { Answer } from '../context.ts';
import { registered, registry } from '../registry.ts';
import { production, trySubmit } from '../records.ts';
import { operations } from '../routes.ts';

export const probe: Probe = {
  id: '5.2.1.1.b-3',
  async prove(context) {
    for (const row of await registry(context)) {
      assert.equal(row.errors.length > 0, true, row.operationId);
      for (const { code, text, remedy } of row.errors)
        for (const said of [text.en, text.zh, remedy.en, remedy.zh]) assert.equal(said.length > 1, true, `${row.operationId} ${code}`);
    }
    const { node } = context.actor;
    for (const { row, path, query } of await operations(context)) {
      const listed = new Map(row.errors.map(({ code, httpStatus }) => [code, httpStatus]));
      const body = row.method === 'POST' ? { body: '{' } : {};
      const met: readonly Answer[] = [
        await context.call(node, row.method, path, { ...body, query, token: null }),
        await context.call(node, row.method, path, { ...body, query, token: context.random('token') }),
        await context.call(node, row.method, path, { ...body, query: { ...query, [context.random('x')]: '1' } }),
        await context.call(node, row.method, path, { ...body, query, accept: 'image/png' }),
        ...(row.method === 'POST' ? [await context.call(node, 'POST', path, { body: 'x', type: 'text/x-unknown' })] : []),
        ...(row.method === 'POST' ? [await context.call(node, 'POST', path, { body: '{', query })] : []),
      ];
      for (const answer of met) {
        if (answer.status < 400) continue; // what is public asks for no token
        assert.equal(
          listed.get(answer.json.code),
          answer.status,
          `${answer.json.code} of ${row.method} ${path} is listed with the status it has`,
        );
        for (const detail of answer.json.details) assert.ok(detail.message.length > 1, `${answer.json.code} of ${path}`);
      }
    }
    const listed = new Map((await registered(context, 'submitRecords')).errors.map((row) => [row.code, row.httpStatus]));
    const record = production(context);
    const met = [
      await trySubmit(context, { ...record, pro_factory_uid: context.random('F') }),
      await trySubmit(context, { ...record, [context.random('field')]: 'x' }),
      await trySubmit(context, record, { query: { digest: '00'.repeat(32) } }),
      await context.call(node, 'POST', 'records', { body: `{${context.random('')}`, type: 'application/json' }),
      await context.call(node, 'POST', 'records', { body: 'x', type: 'text/plain' }),
      await context.call(node, 'POST', 'records', { body: '{}', token: null }),
    ];
    for (const answer of met) assert.equal(listed.get(answer.json.code), answer.status, `${answer.json.code} is listed with its status`);
    assert.equal(new Set(met.map((answer) => answer.json.code)).size, met.length, 'each fault has its own');
  },
  async twin(context) {
    const { errors } = await registered(context, 'submitRecords');
    const made = context.random('CODE');
    assert.equal(
      errors.some(({ code }) => code === made),
      false,
    );
    const good = await trySubmit(context, production(context));
    assert.equal(good.json.code, 'OK', 'what is right meets none of them');
  },
};
