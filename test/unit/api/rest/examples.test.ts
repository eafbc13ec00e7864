/** What the interface shows as an example is accepted by its own route; the example of a contract is deployed, called and asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, deployedKey, stateKey } from '../../../../contracts/index.ts';
import { encodeJson, type Json } from '../../../../node/format/index.ts';
import { annexExample } from '../../../../api/rest/annex-a.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import type { Route } from '../../../../api/rest/route.ts';
import { DEFAULT_ACCOUNT, worksOf } from '../../../../devnet/topology.ts';
import { currentOtp } from '../one-time-code.ts';
import { Chain, json, newMachine } from '../../contracts/workbench.ts';
import { createRig } from '../stand-ins.ts';

/** The request itself is at fault: an example may meet a chain that lacks what it names, never one of these. */
const REQUEST_FAULTS = new Set(['REQUEST_INVALID', 'REQUEST_MALFORMED', 'BODY_MALFORMED', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED']);
const address = `0x${'1'.repeat(40)}`;

/** One request with the required parameters, and one more for each of the others: not all of them go together. */
function urlsOf(route: Route): string[] {
  const { parameters } = route;
  const path = parameters
    .filter((parameter) => parameter.in === 'path')
    .reduce((url, { name, example }) => url.replace(`:${name}`, encodeURIComponent(String(example))), route.url);
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const urlWith = (more?: (typeof inQuery)[number]) => {
    const query = new URLSearchParams();
    for (const { name, example } of inQuery.filter(({ required }) => required)) query.set(name, String(example));
    if (more) query.set(more.name, String(more.example));
    return query.size === 0 ? path : `${path}?${query}`;
  };
  return [urlWith(), ...inQuery.filter(({ required }) => !required).map(urlWith)];
}

/** The members of every answer, success or failure (DB53 5.2.1.2.b). */
const ENVELOPE = ['code', 'data', 'details', 'message', 'requestId'];
/** Operations whose example names what the stand-in of a chain does not hold. */
const UNANSWERED = ['acknowledgeAlarm', 'getEntry', 'getEntryHistory', 'login', 'validateBlock'];

test('every example of a route is a request its route takes, and every answer has the one envelope', async () => {
  const rig = await createRig({ rateLimitFactor: 0 });
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  await rig.server.context.credentials.setPassword('ada@acme', 'correct horse');
  const { secret } = await rig.server.context.credentials.setOtp('ada@acme');
  const faults: string[] = [];
  const answered = new Set<string>();
  let sent = 0;
  for (const route of allRoutes()) {
    if (route.response.outside?.includes('text/event-stream')) continue; // does not end
    const { body } = route;
    for (const url of urlsOf(route)) {
      rig.world.advance(60_000); // a one-time code counts once
      const answer = await rig.server.app.inject({
        method: route.method,
        url,
        headers: {
          authorization: `Bearer ${rig.token('ada@acme')}`,
          otp: currentOtp(secret, rig.world.clock.now()),
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        ...(body ? { payload: body.example } : {}),
      });
      sent++;
      const enveloped = String(answer.headers['content-type']).includes('json') && route.operationId !== 'openApi';
      if (!enveloped) assert.ok(route.response.outside, `${route.operationId} answers outside the envelope`);
      const given = (enveloped ? JSON.parse(answer.body) : {}) as { code?: string; details?: { code: string }[] };
      if (enveloped) assert.deepEqual(Object.keys(given).sort(), ENVELOPE, `${route.operationId}: ${answer.body.slice(0, 200)}`);
      if (answer.statusCode === 200) answered.add(route.operationId);
      const { code, details = [] } = given;
      if (details.length > 0 && details.every((detail) => detail.code === 'PARAMETER_COMBINATION')) continue; // goes with another one
      if (code !== undefined && REQUEST_FAULTS.has(code)) faults.push(`${route.method} ${url}: ${answer.body.slice(0, 400)}`);
    }
  }
  const silent = allRoutes().filter(
    ({ operationId, response }) => !answered.has(operationId) && !response.outside?.includes('text/event-stream'),
  );
  assert.deepEqual(silent.map(({ operationId }) => operationId).sort(), UNANSWERED);
  assert.deepEqual(faults, []);
  assert.ok(sent > 150, `${sent} requests`);
  await rig.close();
});

test('the record of the example names the factory of the account that a devnet uses by itself: it is taken there as printed', () => {
  const { pro_factory_uid } = JSON.parse(annexExample) as { readonly pro_factory_uid: string };
  assert.equal(pro_factory_uid, worksOf(DEFAULT_ACCOUNT.slice(DEFAULT_ACCOUNT.indexOf('@') + 1)).factory);
});

test('eight requests at once under one Idempotency-Key make one transaction, on every route that changes the chain', async () => {
  const rig = await createRig({ rateLimitFactor: 0 });
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  const { submit } = rig.node;
  rig.node.submit = async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, 20)); // the others come meanwhile
    return submit(bytes);
  };
  const changing = allRoutes().filter(({ resume }) => resume !== undefined);
  assert.ok(changing.length >= 8, `${changing.length} routes`);
  for (const route of changing) {
    const before = rig.node.submitted.length;
    const authorization = `Bearer ${rig.token('ada@acme', { steppedUpAt: rig.world.clock.now() })}`;
    const headers = { authorization, 'content-type': 'application/json', 'idempotency-key': route.operationId };
    const [url] = urlsOf(route);
    const send = () => rig.server.app.inject({ method: 'POST', url: url!, headers, payload: route.body!.example });
    const answers = await Promise.all(Array.from({ length: 8 }, send));
    assert.deepEqual([...new Set(answers.map(({ statusCode }) => statusCode))], [200], `${route.operationId}: ${answers[0]!.body}`);
    assert.equal(new Set(answers.map(({ body }) => JSON.stringify(JSON.parse(body).data))).size, 1, route.operationId);
    assert.equal(rig.node.submitted.length - before, 1, route.operationId);
  }
  await rig.close();
});

test('what the chain would refuse now is refused before anything is signed, on every route that signs for its caller', async () => {
  const rig = await createRig({ rateLimitFactor: 0 });
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  const detail = encodeJson({ count: 1, faults: [{ path: '/data/name', problem: 'must be a text' }] });
  rig.node.judge = async () => ({ code: 'BUILTIN_ARGUMENTS_INVALID', detail, gasUsed: 9, height: 41 });
  const signing = allRoutes().filter(({ resume, operationId }) => resume !== undefined && operationId !== 'submitTransaction');
  assert.ok(signing.length >= 7, `${signing.length} routes`);
  for (const route of signing) {
    const authorization = `Bearer ${rig.token('ada@acme', { steppedUpAt: rig.world.clock.now() })}`;
    const headers = { authorization, 'content-type': route.body!.formats[0]! };
    const [url] = urlsOf(route);
    const answer = await rig.server.app.inject({ method: 'POST', url: url!, headers, payload: route.body!.example });
    const { code, data, details } = JSON.parse(answer.body) as { code: string; data: { height: number }; details: { pointer: string }[] };
    assert.deepEqual([code, data.height, details[0]?.pointer], ['BUILTIN_ARGUMENTS_INVALID', 41, '/data/name'], route.operationId);
  }
  assert.deepEqual([rig.node.signed.length, rig.node.submitted.length], [0, 0]);
  await rig.close();
});

test('the example contract loads, and the examples of call and query are of its methods', async () => {
  const byId = new Map(allRoutes().map((route) => [route.operationId, route]));
  const exampleOf = (id: string) => JSON.parse(byId.get(id)!.body!.example as string) as { code: string; method: string; args: Json[] };
  const chain = new Chain({ machine: await newMachine() });
  const contract = chain.deploy(exampleOf('deployContract').code);
  const { method, args } = exampleOf('callContract');
  const call = (given: readonly Json[]) => chain.execute([{ contract, method, args: encodeJson(given) }]);
  assert.deepEqual(call(args).results.map(json), [12]);
  assert.deepEqual(call(args).results.map(json), [24]);
  assert.equal(call([]).code, 'CONTRACT_REFUSED');
  const parameter = (name: string) =>
    byId.get('queryContract')!.parameters!.find((candidate) => candidate.name === name)!.example as string;
  const asked = chain.query(contract, parameter('method'), ...(JSON.parse(parameter('args')) as Json[]));
  assert.equal(json(asked.result), 24);
});
