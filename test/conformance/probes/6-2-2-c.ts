/** Integers (also the largest that JavaScript holds exactly), texts and arrays arrive in the contract unchanged. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { callMethod, deploy, query } from '../contracts.ts';

const CODE = `contract({
  methods: {
    keep(ctx, name, value) { ctx.put(name, value); return [typeof value, Array.isArray(value), value]; },
    add(ctx, a, b) { return a + b; },
  },
  queries: { kept(ctx, name) { return ctx.get(name); }, same(ctx, value) { return [typeof value, Array.isArray(value), value]; } },
});`;

/** Beyond what JavaScript's numbers hold exactly. */
const LARGE = ['9007199254740993', '18446744073709551615', `1${'0'.repeat(60)}7`] as const;

export const probe: Probe = {
  id: '6.2.2.c',
  async prove(context) {
    const address = await deploy(context, CODE);
    const text = `${context.random('齿轮')} "quoted" \\ é`;
    const integers = [0, -context.integer(1, 1_000_000_000), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    const arrays = [[], [context.integer(1, 99), text, [true, null, [context.random('deep')]]]];
    for (const value of [...integers, text, '', ...arrays]) {
      const name = context.random('n');
      const answer = await callMethod(context, address, 'keep', [name, value]);
      assert.deepEqual(answer.json.data.result, [typeof value, Array.isArray(value), value]);
      assert.deepEqual((await query(context, address, 'kept', [name])).json.data.result, value);
      const asked = await query(context, address, 'same', [value]);
      assert.deepEqual(asked.json.data.result, [typeof value, Array.isArray(value), value], 'a query takes them as well');
    }
    for (const digits of [...LARGE, `-${LARGE[0]}`]) {
      const name = context.random('n');
      const answer = await context.call(context.actor.node, 'POST', `contracts/${address}/call`, {
        body: `{"method":"keep","args":["${name}",{"$int":"${digits}"}]}`,
      });
      assert.equal(answer.status, 200, answer.text.slice(0, 300));
      assert.deepEqual(answer.json.data.result, ['bigint', false, { $int: digits }], 'digit for digit in the contract and out of it');
      assert.deepEqual((await query(context, address, 'kept', [name])).json.data.result, { $int: digits });
      const asked = await query(context, address, 'same', [{ $int: digits }]);
      assert.deepEqual(asked.json.data.result, ['bigint', false, { $int: digits }]);
    }
    assert.equal((await callMethod(context, address, 'add', [Number.MAX_SAFE_INTEGER - 7, 7])).json.data.result, Number.MAX_SAFE_INTEGER);
  },
  async twin(context) {
    const address = await deploy(context, CODE);
    const unlike = await callMethod(context, address, 'keep', ['n', `${context.integer(1, 99)}`]);
    assert.equal(unlike.json.data.result[0], 'string', 'digits in quotes are a text and stay one');
    for (const unsafe of ['1.5', '1e400', '-0.1', 'NaN']) {
      const refused = await context.call(context.actor.node, 'POST', `contracts/${address}/call`, {
        body: `{"method":"keep","args":["n",${unsafe}]}`,
      });
      assert.ok(
        refused.status >= 400 && refused.status < 500,
        `${unsafe} is refused, never changed in silence: ${refused.text.slice(0, 200)}`,
      );
    }
  },
};
