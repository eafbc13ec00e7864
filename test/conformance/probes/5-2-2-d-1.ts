/** Answers are JSON or XML with the same content. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { leaves, xmlLeaves } from '../answers.ts';
import { production, submit } from '../records.ts';

export const probe: Probe = {
  id: '5.2.2.d-1',
  async prove(context) {
    const receipt = await submit(context, production(context));
    for (const path of [`records/${receipt.records[0].id}`, `transactions/${receipt.transactionId}`, `blocks/${receipt.height}`, 'nodes']) {
      const json = await context.call(context.actor.node, 'GET', path);
      const xml = await context.call(context.actor.node, 'GET', path, { accept: 'application/xml' });
      assert.match(String(json.headers['content-type']), /^application\/json/);
      assert.match(String(xml.headers['content-type']), /^application\/xml/);
      if (path === 'nodes') continue; // shows how long ago a peer was heard: two calls differ
      assert.deepEqual(xmlLeaves(xml.text, 'data'), leaves(json.json.data), path);
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
