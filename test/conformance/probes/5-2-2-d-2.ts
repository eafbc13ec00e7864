/** Status code, message and data are present in every answer, errors included. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { Answer, CallOptions } from '../context.ts';

const NAMES = ['code', 'data', 'details', 'message', 'requestId'];

function checkEnvelope(answer: Answer, what: string): void {
  assert.deepEqual(Object.keys(answer.json).sort(), NAMES, what);
  assert.match(answer.json.code, /^[A-Z][A-Z0-9_]*$/, what);
  assert.equal(answer.json.message.length > 0, true, what);
  assert.equal(answer.json.code === 'OK', answer.status < 300, `${what}: ${answer.status} ${answer.json.code}`);
}

export const probe: Probe = {
  id: '5.2.2.d-2',
  async prove(context) {
    const calls: readonly [string, string, CallOptions][] = [
      ['GET', 'records', {}],
      ['GET', 'nodes', {}],
      ['GET', 'consensus', {}],
      ['GET', 'blocks/latest', {}],
      ['GET', context.random('nothing'), {}],
      ['GET', 'records', { token: 'wrong' }],
      ['GET', 'records', { query: { limit: 0 } }],
      ['POST', 'records', { body: '{"a":', type: 'application/json' }],
      ['POST', 'records', { body: '<a', type: 'application/xml' }],
      ['PUT', 'records', { body: '{}' }],
    ];
    for (const [method, path, options] of calls) checkEnvelope(await context.call(0, method, path, options), `${method} ${path}`);
  },
  async twin(context) {
    const english = await context.call(0, 'GET', 'records', { token: null, headers: { 'accept-language': 'en' } });
    const chinese = await context.call(0, 'GET', 'records', { token: null, headers: { 'accept-language': 'zh-CN' } });
    assert.equal(english.json.code, chinese.json.code, 'the code is the same in every language');
    assert.match(chinese.json.message, /[\u4e00-\u9fff]/);
    assert.doesNotMatch(english.json.message, /[\u4e00-\u9fff]/);
    assert.notEqual(english.json.requestId, chinese.json.requestId, 'each answer has an id of its own');
  },
};
