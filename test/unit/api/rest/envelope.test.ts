import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SaxesParser } from 'saxes';
import fc from 'fast-check';
import { localDetails, messageOf } from '../../../../api/dialects/native/envelope.ts';
import { answerFormat, answerLanguage } from '../../../../api/dialects/native/negotiation.ts';
import { HOLD_MS_MAX, HOLD_MS_MIN, refusalOf } from '../../../../api/rest/refusal.ts';
import { textSteps } from '../../../../api/rest/text-steps.ts';
import { xmlForm } from '../../../../api/dialects/native/xml.ts';
import { refuseBody } from '../../../../node/records/refusal.ts';
import { ChainError, errorRow } from '../../../../node/errors/index.ts';
import { ended } from '../../../tools/steps.ts';

const toXml = (value: unknown): string => ended(textSteps(value, xmlForm)).join('');

test('XML has root response, items as item, and entries for unspeakable names', () => {
  assert.equal(
    toXml({ code: 'OK', data: { list: ['a', 2, null], 'a b': true, entry: 'x', empty: {} } }),
    '<?xml version="1.0" encoding="UTF-8"?>\n<response><code>OK</code><data><list type="list"><item>a</item><item type="number">2</item><item type="null"/></list>' +
      '<entry name="a b" type="boolean">true</entry><entry name="entry">x</entry><empty type="object"/></data></response>',
  );
});

/** Reads our XML back into the value it was made of. */
function fromXml(text: string): unknown {
  interface Element {
    name: string;
    attributes: Record<string, string>;
    text: string;
    children: Element[];
  }
  const root: Element = { name: '', attributes: {}, text: '', children: [] };
  const stack = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const element: Element = { name: tag.name, attributes: tag.attributes as Record<string, string>, text: '', children: [] };
    stack[stack.length - 1]!.children.push(element);
    stack.push(element);
  });
  parser.on('text', (piece) => {
    stack[stack.length - 1]!.text += piece;
  });
  parser.on('closetag', () => void stack.pop());
  parser.write(text).close();
  const value = (element: Element): unknown => {
    switch (element.attributes.type) {
      case 'null':
        return null;
      case 'number':
        return Number(element.text);
      case 'boolean':
        return element.text === 'true';
      case 'list':
        return element.children.map(value);
      default: {
        if (element.attributes.type !== 'object' && element.children.length === 0)
          return element.attributes.encoding === 'base64' ? Buffer.from(element.text, 'base64').toString('utf8') : element.text;
        return Object.fromEntries(
          element.children.map((child) => {
            const name = child.attributes.name;
            if (name === undefined) return [child.name, value(child)];
            return [name.startsWith('base64:') ? Buffer.from(name.slice(7), 'base64').toString('utf8') : name, value(child)];
          }),
        );
      }
    }
  };
  return value(root.children[0]!);
}

test('any JSON value comes back from XML as it was: the two formats say the same (DB53 5.2.2.d-1)', () => {
  const key = fc.string({ unit: 'binary', maxLength: 8 }).filter((name) => name !== '__proto__' && !name.startsWith('base64:'));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, tie('leaf'), fc.array(tie('tree'), { maxLength: 4 }), fc.dictionary(key, tie('tree'), { maxKeys: 4 })),
    leaf: fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null)),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, tree, { minKeys: 1, maxKeys: 4 }), (value) => {
      assert.deepEqual(JSON.parse(JSON.stringify(fromXml(toXml(value)))), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 300 },
  );
});

test('Accept chooses the format; a header nobody can serve is refused and an odd one harmless', () => {
  assert.equal(answerFormat(undefined), 'json');
  assert.equal(answerFormat('application/xml'), 'xml');
  assert.equal(answerFormat('application/json;q=0.1, text/xml'), 'xml');
  assert.equal(answerFormat('application/json;q=0, */*'), 'xml');
  assert.equal(answerFormat('text/html, */*;q=0.1'), 'json');
  assert.equal(answerFormat('image/png'), undefined);
  fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (header) => void [answerFormat(header), answerLanguage(header)]));
});

test('Accept-Language chooses the message', () => {
  assert.equal(answerLanguage('zh-CN,zh;q=0.9,en;q=0.8'), 'zh');
  assert.equal(answerLanguage('fr, en'), 'en');
  assert.equal(answerLanguage('en;q=0.1, zh'), 'zh');
  assert.match(messageOf('TOKEN_EXPIRED', 'zh'), /令牌已过期/);
  assert.match(messageOf('TOKEN_EXPIRED', 'en'), /Log in again/);
});

test('an unknown error becomes INTERNAL and says nothing of itself', () => {
  const refusal = refusalOf(new Error('password of db is hunter2'));
  assert.deepEqual([refusal.status, refusal.code, refusal.data, refusal.details], [500, 'INTERNAL', null, []]);
  assert.ok(refusal.fault instanceof Error);
});

test('a ChainError becomes its row, its facts and its details; only what may be tried again has Retry-After', () => {
  const busy = refusalOf(new ChainError('RATE_LIMITED', { retryAfterMs: 1_500, count: 3 }));
  assert.deepEqual([busy.status, busy.data, busy.retryAfterS, busy.holdMs], [429, { count: 3 }, 1, 1_500]);
  assert.equal(refusalOf(new ChainError('RATE_LIMITED', { retryAfterMs: 10 })).holdMs, HOLD_MS_MIN);
  const longer = refusalOf(new ChainError('LOGIN_LOCKED', { retryAfterMs: HOLD_MS_MAX + 3_500 }));
  assert.deepEqual([longer.status, longer.retryAfterS, longer.holdMs], [429, 4, HOLD_MS_MAX], 'what is waited here is not asked for again');
  const line = refusalOf(new ChainError('SERVER_BUSY', { retryAfterMs: HOLD_MS_MAX + 3_500 }));
  assert.deepEqual(
    [line.status, line.retryAfterS, line.holdMs],
    [503, 4, HOLD_MS_MAX],
    'who comes again at once would cost more than who waits',
  );
  assert.equal(refusalOf(new ChainError('SERVER_BUSY')).holdMs, 0, 'no wait is told');
  const bad = refusalOf(new ChainError('REQUEST_INVALID', { details: [{ code: 'X', message: 'y' }] }));
  assert.deepEqual([bad.status, bad.data, bad.details.length, bad.retryAfterS], [400, null, 1, undefined]);
});

test('messages of details follow Accept-Language where they are those of the error table (design: api)', () => {
  const { details } = refusalOf(
    refuseBody([
      { code: 'RECORD_FIELD_MISSING', place: { pointer: '/product_uid' }, data: { name: 'product_uid' } },
      { code: 'RECORD_FIELD_EMPTY', place: { row: 2, column: 'ext.device_id' }, data: {} },
    ]),
  );
  assert.deepEqual(
    localDetails(details, 'zh').map(({ message }) => message),
    ['RECORD_FIELD_MISSING', 'RECORD_FIELD_EMPTY'].map((code) => errorRow(code).text.zh),
  );
  assert.deepEqual(localDetails(details, 'en'), details);
  const own = [{ code: 'RECORD_FIELD_EMPTY', message: 'said by a contract' }];
  assert.deepEqual(localDetails(own, 'zh'), own);
});

test('a refused body tells the facts of its first fault in data, where the remedy of the code points', () => {
  const refusal = refusalOf(
    refuseBody([
      { code: 'RECORD_FIELD_MISSING', place: { pointer: '/a' }, data: { name: 'a' } },
      { code: 'RECORD_FIELD_EMPTY', place: { pointer: '/b' }, data: {} },
    ]),
  );
  assert.deepEqual([refusal.code, refusal.data], ['RECORD_FIELD_MISSING', { name: 'a', pointer: '/a' }]);
  assert.equal(refusal.details.length, 2);
});
