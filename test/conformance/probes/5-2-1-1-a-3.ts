/** What may be left out of any query, of a submission or of a call of a contract acts as its documented default. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves } from '../answers.ts';
import type { ProbeContext } from '../context.ts';
import { deploy } from '../contracts.ts';
import { registered, registry } from '../registry.ts';
import { find, production, submit } from '../records.ts';
import { asAble, operations } from '../routes.ts';

const TRIES = 20; // an answer that changes by itself is asked for again
const GROWS = 'listExchanges'; // by each call, so that no two answers are alike

/** A submission and a call of a contract with every default stated, and with none: one answer. */
async function submissions(context: ProbeContext): Promise<void> {
  const { node } = context.actor;
  const record = production(context);
  const statedOf = async (operationId: string, place: string) =>
    Object.fromEntries(
      (await registered(context, operationId)).parameters
        .filter((parameter) => parameter.in === place && !parameter.required && parameter.default !== null)
        .map(({ name, default: value }) => [name, value as string]),
    );
  const first = await submit(context, record);
  for (const [operationId, path] of [
    ['submitRecords', 'records'],
    ['validateRecords', 'records/validate'],
  ] as const) {
    const stated = await statedOf(operationId, 'query');
    assert.ok(Object.keys(stated).length > 1, operationId);
    const answers = await Promise.all([{}, stated].map((query) => context.post(node, path, record, { query })));
    for (const { status, text } of answers) assert.equal(status, 200, text.slice(0, 300));
    assert.deepEqual(answers[1]!.json.data, answers[0]!.json.data, `${path} with ${JSON.stringify(stated)}`);
    if (path === 'records') assert.equal(answers[0]!.json.data.transactionId, first.transactionId);
  }
  const address = await deploy(context, "contract({ methods: { given(ctx, ...args) { return ['given', args.length]; } } });");
  const body = await statedOf('callContract', 'body');
  assert.deepEqual(body.args, []);
  for (const [more, query] of [
    [{}, {}],
    [body, await statedOf('callContract', 'query')],
  ] as const) {
    const answer = await context.post(node, `contracts/${address}/call`, { ...more, method: 'given' }, { query });
    assert.deepEqual([answer.status, answer.json.data?.result], [200, ['given', 0]], answer.text.slice(0, 300));
  }
}

export const probe: Probe = {
  id: '5.2.1.1.a-3',
  async prove(context) {
    for (const row of await registry(context))
      for (const parameter of row.parameters)
        if (!parameter.required) assert.equal('default' in parameter, true, `${row.operationId} ${parameter.name}`);
    const moving: string[] = [];
    for (const operation of await operations(context)) {
      if (operation.row.method !== 'GET') continue;
      const defaults = Object.fromEntries(
        operation.row.parameters
          .filter(({ in: place, required, default: value }) => place === 'query' && !required && value !== null)
          .map(({ name, default: value }) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
      );
      if (Object.keys(defaults).length === 0) continue;
      let compared = false;
      for (let tried = 1; tried <= TRIES && !compared; tried++) {
        const before = await asAble(context, operation);
        const said = await asAble(context, operation, { query: defaults });
        const after = await asAble(context, operation);
        assert.equal(said.status, 200, `${operation.path} ${JSON.stringify(defaults)}: ${said.text.slice(0, 200)}`);
        const [first, middle, last] = [before, said, after].map(({ json }) => leaves(json.data));
        if (JSON.stringify(first) !== JSON.stringify(last)) continue;
        assert.deepEqual(middle, first, `${operation.path}: said or left out, the answer is one`);
        compared = true;
      }
      if (!compared && operation.row.operationId !== GROWS) moving.push(operation.row.operationId);
    }
    assert.deepEqual(moving, [], `asked both ways are all operations but ${moving}`);
    await submissions(context);
  },
  async twin(context) {
    const batch = context.random('PB');
    let height = 0;
    for (let i = 0; i < 2; i++) {
      const next = { ...production(context), ext: { device_id: context.actor.device, production_batch: batch } };
      height = (await submit(context, next)).height;
    }
    const one = await find(context, { productionBatch: batch, limit: 1 }, height);
    assert.equal(one.length, 1, 'another value than the default does differ');
    const [oldest] = await find(context, { productionBatch: batch, order: 'time', limit: 1 }, height);
    assert.deepEqual(one[0], oldest, 'and the default stated is the one that acts');
  },
};
