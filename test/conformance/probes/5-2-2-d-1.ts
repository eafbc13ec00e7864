/** Answers are JSON or XML with the same content, of every operation that is queried, of submissions, and of failures of every operation. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves, xmlLeaves } from '../answers.ts';
import { production, submit } from '../records.ts';
import { asAble, operations } from '../routes.ts';

const TRIES = 20; // an answer that changes by itself is asked for again
const GROWS = 'listExchanges'; // by each call, so that no two answers are alike

export const probe: Probe = {
  id: '5.2.2.d-1',
  async prove(context) {
    const queries = (await operations(context)).filter(({ row }) => row.method === 'GET');
    const moving: string[] = [];
    for (const operation of queries) {
      let compared = false;
      for (let tried = 1; tried <= TRIES; tried++) {
        const before = await asAble(context, operation);
        const xml = await asAble(context, operation, { accept: 'application/xml' });
        const after = await asAble(context, operation);
        assert.match(String(before.headers['content-type']), /^application\/json/, operation.path);
        assert.match(String(xml.headers['content-type']), /^application\/xml/, operation.path);
        assert.deepEqual([before.status, xml.status], [200, 200], operation.path);
        const [first, last, other] = [leaves(before.json.data), leaves(after.json.data), xmlLeaves(xml.text, 'data')];
        if (JSON.stringify(first) === JSON.stringify(last)) {
          assert.deepEqual(other, first, operation.path);
          compared = true;
          break;
        }
        // Clocks and counters move between two calls: what stood still is in both formats.
        const still = first.filter((leaf) => last.includes(leaf));
        assert.deepEqual(
          still.filter((leaf) => !other.includes(leaf)),
          [],
          operation.path,
        );
      }
      if (!compared && operation.row.operationId !== GROWS) moving.push(operation.row.operationId);
    }
    assert.deepEqual(moving, [], `${queries.length} operations are compared leaf by leaf, but for ${moving}`);
    for (const operation of await operations(context)) {
      const { row, path } = operation;
      const options = { query: { [context.random('x')]: '1' }, ...(row.method === 'POST' ? { body: '{' } : {}) };
      const json = await asAble(context, operation, options);
      const xml = await asAble(context, operation, { ...options, accept: 'application/xml' });
      assert.ok(json.status >= 400 && json.status === xml.status, `${row.method} ${path}: ${json.status}, ${xml.status}`);
      assert.deepEqual(xmlLeaves(xml.text, 'code'), [json.json.code], `a failure of ${row.method} ${path} in XML`);
      assert.deepEqual(xmlLeaves(xml.text, 'message'), [json.json.message]);
      assert.deepEqual(xmlLeaves(xml.text, 'details'), leaves(json.json.details));
    }
    const record = production(context);
    for (const path of ['records/validate', 'records']) {
      const sent = () => context.post(context.actor.node, path, record);
      if (path === 'records') assert.equal((await sent()).status, 200); // a record that is stored has one answer from then on
      const json = await sent();
      const xml = await context.post(context.actor.node, path, record, { accept: 'application/xml' });
      assert.deepEqual([json.status, xml.status], [200, 200], path);
      assert.deepEqual(xmlLeaves(xml.text, 'data'), leaves(json.json.data), `an answer to a submission in XML: ${path}`);
    }
  },
  async twin(context) {
    const [first, second] = [await submit(context, production(context)), await submit(context, production(context))];
    const json = await context.get(context.actor.node, `records/${first.records[0].id}`);
    const xml = await context.call(context.actor.node, 'GET', `records/${second.records[0].id}`, { accept: 'application/xml' });
    assert.notDeepEqual(xmlLeaves(xml.text, 'data'), leaves(json), 'the comparison tells two records apart');
    assert.equal((await context.call(0, 'GET', 'nodes', { accept: 'text/html' })).status, 406, 'no third format is made up');
  },
};
