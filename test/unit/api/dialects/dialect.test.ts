/** A second dialect, spoken by this test alone: what native REST does through the envelope, it does through the same operations without one. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Dialect } from '../../../../api/dialects/dialect.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import type { Route } from '../../../../api/rest/route.ts';
import { bytesSteps, jsonForm, textSteps } from '../../../../api/rest/text-steps.ts';
import { fromUtf8, utf8 } from '../../../../node/format/index.ts';
import { createRig } from '../stand-ins.ts';

/** Operations by name, parameters after a semicolon each, the token in a header of its own, a body of `name=value` lines; "0 DATA" or "CODE". */
const plain: Dialect = {
  prefix: '/plain',
  entries: (operations) =>
    operations
      .filter(({ response }) => response.outside === undefined)
      .map((operation) => ({
        method: operation.method,
        url: `/plain/${operation.operationId}/:given`,
        operation,
        formats: ['text/plain'],
      })),
  language: () => 'zh',
  admit: ({ headers }) => headers['x-key'] as string | undefined,
  *readCall({ path }, { parameters }, body) {
    const given = new Map(path.given!.split(';').map((pair) => pair.split('=') as [string, string]));
    const placed = (place: string) =>
      Object.fromEntries(parameters.flatMap(({ name, in: at }) => (at === place && given.has(name) ? [[name, given.get(name)!]] : [])));
    const fields = Object.fromEntries(
      fromUtf8(body ?? new Uint8Array(0))
        .split('\n')
        .map((line) => line.split('=')),
    );
    yield;
    return {
      path: placed('path'),
      query: new URLSearchParams(placed('query')),
      unreadable: [],
      headers: { ...placed('header'), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body && utf8(JSON.stringify(fields)),
    };
  },
  *writeAnswer(outcome) {
    const headers = { 'content-type': 'text/plain' };
    if (outcome.kind === 'refusal') return { status: 200, headers, body: outcome.code };
    const json = yield* textSteps(outcome.reply.data, jsonForm);
    return { status: 200, headers, body: yield* bytesSteps(['0 ', ...json]) };
  },
};

const rig = await createRig({ rateLimitFactor: 0 }, undefined, undefined, undefined, [plain]);
after(() => rig.close());
const key = rig.token('ada@acme');

async function say(method: 'GET' | 'POST', url: string, body?: string, token: string | null = key) {
  const answer = await rig.server.app.inject({
    method,
    url: `/plain/${url}`,
    headers: { ...(token === null ? {} : { 'x-key': token }), ...(body === undefined ? {} : { 'content-type': 'text/plain' }) },
    ...(body === undefined ? {} : { payload: body }),
  });
  assert.equal(answer.headers['content-type'], 'text/plain', url);
  return answer.body;
}

/** A request of native REST with its required parameters, and the same in the other dialect. */
function both({ url, operationId, parameters }: Route): readonly [string, string] {
  const needed = parameters
    .filter(({ required }) => required)
    .map(({ name, in: place, example }) => ({ name, place, value: String(example) }));
  const path = needed.reduce((text, { name, value }) => text.replace(`:${name}`, encodeURIComponent(value)), url);
  const query = new URLSearchParams(
    needed.filter(({ place }) => place === 'query').map(({ name, value }): [string, string] => [name, value]),
  );
  return [
    `${path}?${query}`,
    `${operationId}/${encodeURIComponent(needed.map(({ name, value }) => `${name}=${value}`).join(';') || 'none')}`,
  ];
}

test('every reading answers the same value through a second dialect, or is refused with the same code', async () => {
  let answered = 0;
  let refused = 0;
  for (const route of allRoutes()) {
    if (route.method !== 'GET' || route.response.outside !== undefined) continue;
    if (route.operationId === 'listExchanges' || route.operationId === 'readyz') continue; // they tell of the calls before them
    const [url, other] = both(route);
    const native = await rig.server.app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${key}` } });
    const { code, data } = JSON.parse(native.body) as { code: string; data: unknown };
    const text = await say('GET', other);
    if (code === 'OK') {
      assert.match(text, /^0 /, route.operationId);
      assert.deepEqual(JSON.parse(text.slice(2)), data, route.operationId);
      answered++;
    } else {
      assert.equal(text, code, route.operationId);
      refused++;
    }
  }
  assert.ok(answered > 15 && refused > 0, `${answered} answered, ${refused} refused`);
});

test('an operation that writes takes its body from a second dialect, and its answer knows no envelope', async () => {
  const before = rig.deployed.length;
  const text = await say('POST', 'deployContract/wait=async', 'name=weights\nlanguage=javascript\ncode=contract({})');
  assert.deepEqual(rig.deployed.slice(before), [{ name: 'weights', language: 'javascript', code: 'contract({})', gasLimit: 0 }]);
  assert.match(text, /^0 \{"transactionId":"[0-9a-f]{64}","status":"confirmed",/);
  assert.equal(await say('POST', 'deployContract/wait=sometimes', 'name=weights'), 'REQUEST_INVALID');
});

test('what no dialect may leave out holds in a second one: rights, checks, unknown paths in its own words, one entry in the exchange log', async () => {
  assert.match(await say('GET', 'listNodes/none'), /^0 /);
  assert.equal(await say('GET', 'listNodes/none', undefined, null), 'TOKEN_MISSING');
  assert.equal(await say('GET', 'listNodes/none', undefined, 'tm1.x.y'), 'TOKEN_INVALID');
  assert.equal(await say('GET', 'listExchanges/none', undefined, rig.token('olga@acme')), 'RIGHT_MISSING');
  assert.equal(await say('GET', 'nothing'), 'NOT_FOUND');
  for (const [url, type] of [
    ['/plain', 'text/plain'],
    ['/plain?x=1', 'text/plain'],
    ['/plainly', 'application/json; charset=utf-8'],
  ] as const)
    assert.equal((await rig.server.app.inject({ method: 'GET', url })).headers['content-type'], type, url);
  assert.equal(await say('POST', 'listNodes/none', ''), 'METHOD_NOT_ALLOWED');
  assert.equal(await say('GET', 'listNodes/limit=0'), 'REQUEST_INVALID');
  const { items } = JSON.parse((await say('GET', 'listExchanges/interfaceId=listNodes;limit=4;order=descending')).slice(2)) as {
    readonly items: readonly { readonly caller: string; readonly code: string }[];
  };
  assert.deepEqual(
    items.map(({ caller, code }) => `${caller} ${code}`),
    ['ada@acme REQUEST_INVALID', ' TOKEN_INVALID', ' TOKEN_MISSING', 'ada@acme OK'],
  );
});

test('a dialect that cannot write its refusal of an unreadable path costs that connection and nothing else', async () => {
  const broken: Dialect = {
    ...plain,
    prefix: '/broken',
    writeAnswer() {
      throw new Error('no words for it');
    },
  };
  const own = await createRig({}, undefined, undefined, undefined, [broken]);
  await assert.rejects(own.server.app.inject({ method: 'GET', url: '/broken/%ff' }), /destroyed/);
  assert.equal((await own.server.app.inject({ method: 'GET', url: '/healthz' })).statusCode, 200);
  await own.close();
});
