import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readParameters } from '../../../../api/rest/parameters.ts';
import { parseQuery } from '../../../../api/rest/percent.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import { isInside } from '../../../../api/rest/schema.ts';
import { createRig, type Rig } from '../stand-ins.ts';
import { senderTo, testDeclaredCodes } from './calls.ts';

let rig: Rig;
before(async () => {
  rig = await createRig();
});
after(() => rig.close());

const send = senderTo(() => rig);

test('all bad parameters are named at once, with a guess for a wrong name', async () => {
  const answer = await send('GET', '/api/v1/records?limit=0&order=size&prodct=7&from=&count=exact&count=none');
  assert.equal(answer.status, 400);
  assert.deepEqual(
    answer.json.details.map(({ code, parameter }) => [code, parameter]),
    [
      ['PARAMETER_UNKNOWN', 'prodct'],
      ['PARAMETER_INVALID', 'from'],
      ['PARAMETER_INVALID', 'order'],
      ['PARAMETER_INVALID', 'limit'],
      ['PARAMETER_REPEATED', 'count'],
    ],
  );
  assert.match(answer.json.details[0]!.message, /did you mean product\?/);
});

test('a query that was read before is read anew where a header or another operation comes with it', () => {
  const routeOf = (name: string) => allRoutes().find(({ operationId }) => operationId === name)!;
  const read = (name: string, query: string, headers: Record<string, string> = {}) =>
    readParameters(routeOf(name), { path: {}, ...parseQuery(`/x?${query}`), headers }, 'en');
  const first = read('submitRecords', 'wait=async');
  assert.equal(read('submitRecords', 'wait=async'), first);
  assert.deepEqual([first.values.class, first.values.wait, first.logged], ['production', 'async', '{"wait":"async"}']);
  const keyed = read('submitRecords', 'wait=async', { 'idempotency-key': 'k1', 'digest-sha256': 'no digest' });
  assert.deepEqual([keyed.values['idempotency-key'], keyed.details.map(({ parameter }) => parameter)], ['k1', ['digest-sha256']]);
  assert.equal(keyed.logged, first.logged);
  assert.equal(read('submitTransaction', 'wait=async').values.class, undefined);
  assert.equal(read('submitRecords', 'wait=async').values.class, 'production');
  for (const _ of [1, 2]) assert.equal(read('submitRecords', 'wait=never').details.length, 1);
  assert.equal(read('submitRecords', `digest=${'a'.repeat(64)}`).logged, '{}');
});

test('a percent-encoding that is broken or not UTF-8 is refused wherever it stands, never searched for', async () => {
  const before = rig.records.searches.length;
  const product = '%C0%A5%C3%F7'; // Kunming in GB18030
  for (const bad of [product, '%E4%BD', '%ED%A0%80', '%C0%80', '%zz', '100%']) {
    for (const [url, places] of [
      [`/api/v1/records?product=${bad}&batch=x`, ['product']],
      [`/api/v1/records?order=time&${bad}=1&device=${bad}`, [bad, 'device']],
      [`/api/v1/records/source?interfaceId=${bad}`, ['interfaceId']],
      [`/api/v1/records?after=${bad}`, ['after']],
      [`/api/v1/trace/${bad}`, [`path segment 4 (${bad})`]],
      [`/api/v1/nowhere/${bad}/at/all?x=1`, [`path segment 4 (${bad})`]],
    ] as const) {
      const { status, headers, json } = await send('GET', url);
      assert.deepEqual([status, json.code], [400, 'REQUEST_INVALID'], url);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/, url);
      assert.match(String(headers['strict-transport-security']), /max-age=31536000/, url);
      assert.deepEqual(
        json.details.map(({ code, parameter }) => [code, parameter]),
        places.map((place) => ['PARAMETER_ENCODING', place]),
        url,
      );
    }
  }
  const zero = await send('GET', '/api/v1/records?product=A%00B');
  assert.deepEqual([zero.json.code, zero.json.details[0]?.parameter], ['REQUEST_INVALID', 'product']);
  assert.equal(rig.records.searches.length, before);
  const good = await send('GET', '/api/v1/records?product=%E6%98%86+%E6%98%8E&');
  assert.equal(good.status, 200);
});

test('a header parameter takes ASCII alone', () => {
  for (const { operationId, parameters } of rig.server.context.routes)
    for (const { name, schema } of parameters.filter((parameter) => parameter.in === 'header'))
      for (const text of ['\xc0\xa5', 'a\xe6', '\xe9'.repeat(64)]) assert.equal(isInside(schema, text), false, `${operationId}: ${name}`);
});

test('a broken combination names all its parameters (DB53 5.2.1.1.a-2)', async () => {
  const answer = await send('GET', '/api/v1/records?batch=1&productionBatch=2');
  assert.deepEqual([answer.json.details[0]!.code, answer.json.details[0]!.parameter], ['PARAMETER_COMBINATION', 'batch, productionBatch']);
});

test('leaving a parameter out acts as its declared default (DB53 5.2.1.1.a-3)', async () => {
  await send('GET', '/api/v1/records?product=M1');
  await send('GET', '/api/v1/records?product=M1&limit=100&order=time&count=none&include=current&chain=default&atLeastHeight=0&waitMs=5000');
  const [given, spelled] = rig.records.searches.slice(-2);
  assert.deepEqual(given, spelled);
  assert.deepEqual(given?.filter, { product: 'M1' });
});

testDeclaredCodes(() => rig);
