/** Each error of the registry has a meaning and a remedy in both languages; codes that calls meet are listed for them. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { registered, registry } from '../registry.ts';
import { production, trySubmit } from '../records.ts';

export const probe: Probe = {
  id: '5.2.1.1.b-3',
  async prove(context) {
    for (const row of await registry(context)) {
      assert.equal(row.errors.length > 0, true, row.operationId);
      for (const { code, text, remedy } of row.errors)
        for (const said of [text.en, text.zh, remedy.en, remedy.zh]) assert.equal(said.length > 1, true, `${row.operationId} ${code}`);
    }
    const listed = new Map((await registered(context, 'submitRecords')).errors.map((row) => [row.code, row.httpStatus]));
    const record = production(context);
    const met = [
      await trySubmit(context, { ...record, pro_factory_uid: context.random('F') }),
      await trySubmit(context, { ...record, [context.random('field')]: 'x' }),
      await trySubmit(context, record, { query: { digest: '00'.repeat(32) } }),
      await context.call(context.actor.node, 'POST', 'records', { body: `{${context.random('')}`, type: 'application/json' }),
      await context.call(context.actor.node, 'POST', 'records', { body: 'x', type: 'text/plain' }),
      await context.call(context.actor.node, 'POST', 'records', { body: '{}', token: null }),
    ];
    for (const answer of met) {
      assert.equal(answer.status >= 400, true);
      assert.equal(listed.get(answer.json.code), answer.status, `${answer.json.code} is listed with the status it has`);
    }
    assert.equal(new Set(met.map((answer) => answer.json.code)).size, met.length, 'each fault has its own');
  },
  async twin(context) {
    const { errors } = await registered(context, 'submitRecords');
    assert.equal(
      errors.some(({ code }) => code === context.random('CODE')),
      false,
    );
    const good = await trySubmit(context, production(context));
    assert.equal(good.json.code, 'OK', 'what is right meets none of them');
  },
};
