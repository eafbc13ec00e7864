/** POST serves submissions; GET on them, and PUT or DELETE anywhere, yield 405. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { production, trySubmit } from '../records.ts';

export const probe: Probe = {
  id: '5.2.2.c-2',
  async prove(context) {
    assert.equal((await trySubmit(context, production(context))).status, 200, 'POST submits');
    const address = `0x${'00'.repeat(20)}`;
    for (const path of ['records/validate', `contracts/${address}/call`, 'blocks/validation', 'auth/login']) {
      const answer = await context.call(0, 'GET', path);
      assert.deepEqual([answer.status, answer.json.code], [405, 'METHOD_NOT_ALLOWED'], `GET ${path}`);
      assert.match(String(answer.headers.allow), /POST/, `GET ${path} names the method to use`);
    }
  },
  async twin(context) {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const answer = await context.call(0, method, 'records', { body: '{}' });
      assert.equal(answer.status, 405, method);
    }
    const validate = await context.post(0, 'records/validate', production(context));
    assert.notEqual(validate.status, 405, 'the same path does answer POST');
  },
};
