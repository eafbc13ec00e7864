/** REST: resources have URLs, requests are stateless, status codes mean what they say. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { production, submit } from '../records.ts';

export const probe: Probe = {
  id: '5.2.2.a',
  async prove(context) {
    const receipt = await submit(context, production(context));
    const path = `records/${receipt.records[0].id}`;
    await context.allAt(receipt.height);
    for (const node of context.net.nodes.keys()) {
      const answer = await context.call(node, 'GET', path);
      assert.equal(answer.status, 200, 'every node serves the resource under the same path, without a session');
      assert.equal(answer.json.data.recordDigest, receipt.records[0].recordDigest);
      assert.equal(answer.headers['set-cookie'], undefined, 'no state is kept with the caller');
    }
  },
  async twin(context) {
    const node = context.actor.node;
    const table: readonly [string, string, object, number][] = [
      ['GET', `records/${context.random('x')}`, {}, 400],
      ['GET', `records/${'00'.repeat(32)}`, {}, 404],
      ['GET', context.random('nothing'), {}, 404],
      ['GET', 'records', { token: null }, 401],
      ['POST', 'records', { body: '{', type: 'application/json' }, 400],
      ['POST', 'records', { body: 'x', type: 'application/pdf' }, 415],
      ['GET', 'records', { accept: 'image/png' }, 406],
    ];
    for (const [method, path, options, status] of table) {
      const answer = await context.call(node, method, path, options);
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text.slice(0, 200)}`);
    }
  },
};
