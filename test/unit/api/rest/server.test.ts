import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { securityHeaders } from '../../../../api/rest/security-headers.ts';
import { currentOtp } from '../one-time-code.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import { createRig, type Rig } from '../stand-ins.ts';
import { json, type Sent, senderTo, testDeclaredCodes } from './calls.ts';

let rig: Rig;
before(async () => {
  rig = await createRig();
});
after(() => rig.close());

const send = senderTo(() => rig);

test('every answer has the one envelope, success and failure alike (DB53 5.2.1.2.b, 5.2.2.d-2)', async () => {
  for (const answer of [
    await send('GET', '/api/v1/consensus'),
    await send('GET', '/api/v1/consensus', { account: null }),
    await send('GET', '/api/v1/nothing'),
    await send('DELETE', '/api/v1/records'),
    await send('GET', '/api/v1/blocks/%ZZ'),
  ]) {
    assert.deepEqual(Object.keys(answer.json), ['code', 'message', 'data', 'details', 'requestId']);
    assert.match(answer.json.requestId, /^[0-9a-f]{24}$/);
    assert.equal(answer.headers['x-request-id'], answer.json.requestId);
    assert.equal(answer.json.code === 'OK', answer.status === 200);
  }
});

test('Accept gives the same content as JSON or XML, and messages follow Accept-Language', async () => {
  const xml = await send('GET', '/api/v1/consensus', { headers: { accept: 'application/xml' } });
  assert.match(String(xml.headers['content-type']), /^application\/xml/);
  assert.match(xml.text, /^<\?xml[^>]*\?>\n<response><code>OK<\/code>.*<engine>pbft<\/engine>/s);
  const refused = await send('GET', '/api/v1/consensus', { account: null, headers: { accept: 'text/xml', 'accept-language': 'zh-CN' } });
  assert.equal(refused.status, 401);
  assert.match(refused.text, /<code>TOKEN_MISSING<\/code><message>缺少访问令牌/);
  assert.equal((await send('GET', '/api/v1/consensus', { headers: { accept: 'image/png' } })).json.code, 'NOT_ACCEPTABLE');
});

test('GET reads, POST submits, everything else is 405 with Allow (DB53 5.2.2.c)', async () => {
  for (const declared of allRoutes()) {
    const url = declared.url.replace(/:\w+/g, 'x');
    const sharesUrl = (method: string) => allRoutes().some((other) => other.url === declared.url && other.method === method);
    for (const method of [
      'PUT',
      'DELETE',
      'PATCH',
      'HEAD',
      'OPTIONS',
      ...(sharesUrl('GET') ? [] : ['GET']),
      ...(sharesUrl('POST') ? [] : ['POST']),
    ]) {
      const answer = await send(method, url, { account: null });
      assert.equal(answer.status, 405, `${method} ${url}`);
      assert.ok(String(answer.headers.allow).includes(declared.method));
      if (method !== 'HEAD') assert.equal(answer.json.code, 'METHOD_NOT_ALLOWED');
    }
  }
});

test('an unknown error is INTERNAL, leaks nothing, and is in the log with its requestId', async () => {
  const { block } = rig.node;
  rig.node.block = async () => {
    throw new Error('secret path /etc/keys');
  };
  const answer = await send('GET', '/api/v1/blocks/1');
  rig.node.block = block;
  assert.deepEqual([answer.status, answer.json.code, answer.json.data, answer.json.details], [500, 'INTERNAL', null, []]);
  assert.ok(!answer.text.includes('secret'));
  assert.ok(rig.world.logged.some((line) => line.includes('secret path') && line.includes(answer.json.requestId)));
});

test('a call that runs over its declared time ends with CALL_TIMEOUT and its signal aborts', async () => {
  const { alarms } = rig.node;
  rig.node.alarms = () => new Promise(() => {});
  const after = rig.world.timers.after;
  (rig.world.timers as { after: typeof after }).after = (_ms, run) => after(5, run);
  const answer = await send('GET', '/api/v1/alarms');
  (rig.world.timers as { after: typeof after }).after = after;
  rig.node.alarms = alarms;
  assert.deepEqual([answer.status, answer.json.code, answer.json.data], [504, 'CALL_TIMEOUT', { timeoutMs: 15_000 }]);
});

test('going over the rate limit is 429 with the wait, per account (DB53 5.2.1.1.b-2)', async () => {
  const own = await createRig();
  let last: Sent | undefined;
  for (let i = 0; i < 200 && last?.status !== 429; i++)
    last = await send('GET', '/metrics', { on: own, headers: { accept: 'application/json' } });
  assert.equal(last!.json.code, 'RATE_LIMITED');
  assert.ok(Number(last!.headers['retry-after']) >= 1);
  assert.equal((await send('GET', '/metrics', { on: own, account: 'audrey@acme' })).status, 200);
  await own.close();
});

test('bad tokens from one address are slowed down; good ones still pass', async () => {
  const own = await createRig();
  const bad = () => send('GET', '/api/v1/consensus', { on: own, account: null, headers: { authorization: 'Bearer tm1.x.y' } });
  own.world.hold(); // one call a second would be granted again
  let sent = 1;
  while ((await bad()).json.code !== 'RATE_LIMITED' && sent < 100) sent++;
  assert.equal(sent, 61);
  assert.equal((await send('GET', '/api/v1/consensus', { on: own })).status, 200);
  await own.close();
});

test('another chain is not served; its own id is', async () => {
  assert.equal((await send('GET', '/api/v1/consensus?chain=other')).json.code, 'CHAIN_UNKNOWN');
  const { chainId } = (await send('GET', '/api/v1/consensus')).json.data;
  assert.equal((await send('GET', `/api/v1/consensus?chain=${chainId}`)).status, 200);
});

test('a step-up route asks for a code, takes it once, and a fresh token needs none', async () => {
  const own = await createRig();
  const { secret } = await own.server.context.credentials.setOtp('ada@acme');
  const otp = () => currentOtp(secret, own.world.clock.now());
  const propose = (headers: Record<string, string>) =>
    send('POST', '/api/v1/governance/proposals', {
      on: own,
      headers: { ...json, ...headers },
      body: '{"kind":"setParameter","name":"viewTimeoutMs","value":3000}',
    });
  assert.equal((await propose({})).json.code, 'STEP_UP_REQUIRED');
  assert.equal((await propose({ otp: otp() === '000000' ? '000001' : '000000' })).json.code, 'OTP_INVALID');
  assert.equal((await propose({ otp: 'abc' })).json.code, 'REQUEST_INVALID');
  assert.equal((await propose({ otp: otp() })).status, 200);
  assert.deepEqual(own.node.signed.at(-1), {
    account: 'ada@acme',
    contract: 'governance',
    method: 'propose',
    args: { kind: 'setParameter', name: 'viewTimeoutMs', value: 3_000 },
  });
  assert.equal((await propose({ otp: otp() })).json.code, 'OTP_REUSED');

  own.world.advance(30_000);
  const stepped = await send('POST', '/api/v1/auth/step-up', { on: own, headers: { ...json, otp: otp() } });
  assert.equal(stepped.json.data.steppedUp, true);
  const fresh = { authorization: `Bearer ${stepped.json.data.token}` };
  assert.equal((await propose(fresh)).status, 200);
  own.world.advance(301_000);
  assert.equal((await propose(fresh)).json.code, 'STEP_UP_REQUIRED');
  assert.equal(
    (await send('POST', '/api/v1/governance/proposals', { on: own, account: 'olga@acme', headers: json, body: '{"kind":"x"}' })).json.code,
    'RIGHT_MISSING',
  );
  await own.close();
});

test('a stopped server does not listen again', async () => {
  const own = await createRig();
  await own.close();
  await assert.rejects(own.server.listen({ host: '127.0.0.1', port: 0 }), { code: 'NODE_STOPPING' });
});

testDeclaredCodes(() => rig);

test('every answer carries the security headers: of success, raw, refused and of what nobody serves', async () => {
  const authorization = `Bearer ${rig.token('ada@acme')}`;
  for (const [method, url, status] of [
    ['GET', '/api/v1/consensus', 200],
    ['GET', '/metrics', 200],
    ['GET', '/api/v1/records?limit=0', 400],
    ['GET', '/api/v1/nothing', 404],
    ['PUT', '/api/v1/consensus', 405],
  ] as const) {
    const { statusCode, headers } = await rig.server.app.inject({ method, url, headers: { authorization } });
    assert.equal(statusCode, status, url);
    for (const [name, value] of Object.entries(securityHeaders)) assert.equal(headers[name], value, `${url} ${name}`);
    assert.match(String(headers['x-request-id']), /^[0-9a-f]{24}$/, url);
  }
});
