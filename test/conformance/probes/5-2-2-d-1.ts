/** Answers are JSON or XML with the same content, of every operation that is queried, and of failures. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves, xmlLeaves } from '../answers.ts';
import { production, submit } from '../records.ts';
import { asAble, operations } from '../routes.ts';

const TRIES = 5; // an answer that changes by itself is asked for again

export const probe: Probe = {
  id: '5.2.2.d-1',
  async prove(context) {
    const queries = (await operations(context)).filter(({ row }) => row.method === 'GET');
    let alike = 0;
    for (const operation of queries) {
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
          alike++;
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
    }
    assert.ok(alike > 15, `${alike} of ${queries.length} operations stood still and were compared leaf by leaf`);
    for (const operation of queries) {
      const query = { [context.random('x')]: '1' };
      const json = await asAble(context, operation, { query });
      const xml = await asAble(context, operation, { query, accept: 'application/xml' });
      assert.deepEqual([json.status, xml.status], [400, 400], operation.path);
      assert.match(xml.text, new RegExp(`<code>${json.json.code}</code>`), `a failure of ${operation.path} in XML`);
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
