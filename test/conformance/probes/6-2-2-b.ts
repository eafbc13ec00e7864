/** Two methods of one contract by name give their two results; an unknown name is an error. By HTTPS and by the command line. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { callMethod, codeWith, deploy } from '../contracts.ts';

export const probe: Probe = {
  id: '6.2.2.b',
  async prove(context) {
    const secret = context.integer(2, 9_999);
    const address = await deploy(context, codeWith(secret));
    const [lot, kilograms] = [context.random('lot'), context.integer(1, 999)];
    assert.deepEqual((await callMethod(context, address, 'weigh', [lot, kilograms])).json.data.result, {
      sum: kilograms,
      check: kilograms * secret,
    });
    assert.equal((await callMethod(context, address, 'forget', [lot])).json.data.result, `${lot} forgotten`);
    const called = await context.cli(context.actor.node, ['contract', 'call', address, 'weigh', JSON.stringify([lot, 5])]);
    assert.equal(called.exitCode, 0, called.stderr);
    assert.deepEqual(JSON.parse(called.stdout).result, { sum: 5, check: 5 * secret }, 'the method that forgets did');
  },
  async twin(context) {
    const address = await deploy(context, codeWith(2));
    const name = `m${context.integer(1, 99_999)}`;
    const unknown = await callMethod(context, address, name, []);
    assert.equal(unknown.status >= 400, true, unknown.text.slice(0, 200));
    assert.notEqual(unknown.json.code, 'OK');
    assert.equal((await callMethod(context, address, 'constructor', [])).status >= 400, true, 'what every object has is no method');
    const missed = await context.cli(context.actor.node, ['contract', 'call', address, name, '[]']);
    assert.notEqual(missed.exitCode, 0);
  },
};
