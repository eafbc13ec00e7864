// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { currentOtp } from '../one-time-code.ts';
import { HOLD_MS_MAX, HOLD_MS_MIN } from '../../../../api/rest/refusal.ts';
import { START_MS } from '../stand-in-world.ts';
import { testDeclaredCodes } from '../rest/calls.ts';
import { createRig, type Rig } from '../stand-ins.ts';

let rig: Rig;
before(async () => {
  rig = await createRig();
});
after(() => rig.close());

async function codeOf(token: string, on: Rig = rig): Promise<string> {
  const answer = await on.server.app.inject({ method: 'GET', url: '/api/v1/consensus', headers: { authorization: `Bearer ${token}` } });
  return (JSON.parse(answer.body) as { code: string }).code;
}

test('a token is judged by chain state: issuer, organisation, account, session epoch, time', async () => {
  assert.equal(await codeOf(rig.token('ada@acme')), 'OK');
  assert.equal(
    await codeOf(rig.token('bob@bolt', { node: 'node-b' }, rig.keys['node-b'])),
    'OK',
    'a token of another registered node is good here',
  );
  assert.equal(await codeOf(rig.token('ada@acme', { expires: START_MS - 1, issuedAt: START_MS - 1_000 })), 'TOKEN_EXPIRED');
  assert.equal(await codeOf(rig.token('ada@acme', { sessionEpoch: 0 })), 'TOKEN_REVOKED');
  assert.equal(await codeOf(rig.token('ada@acme', { node: 'node-x' })), 'TOKEN_FOREIGN');
  assert.equal(
    await codeOf(rig.token('ada@acme', { node: 'node-b' }, rig.keys['node-b'])),
    'TOKEN_FOREIGN',
    'no node may speak for another organisation',
  );
  assert.equal(await codeOf(rig.token('ada@acme', { node: 'node-b', org: 'bolt' }, rig.keys['node-b'])), 'TOKEN_FOREIGN');
  assert.equal(await codeOf(rig.token('ada@acme', {}, rig.keys['node-b'])), 'TOKEN_INVALID');
  assert.equal(await codeOf(rig.token('nobody@acme')), 'ACCOUNT_INACTIVE');
  assert.equal(
    await codeOf(rig.token('ada@acme', { expires: START_MS + 86_400_000 })),
    'TOKEN_INVALID',
    'a session of a day is no session',
  );
});

test('suspending an account, its organisation or the issuing node, and raising the epoch, end its tokens at once', async () => {
  const own = await createRig();
  const token = own.token('olga@acme');
  const account = { type: 'person', roles: ['operator'], keys: [], sessionEpoch: 1 };
  assert.equal(await codeOf(token, own), 'OK');
  own.state.put('account', 'olga@acme', 'acme', account, { state: 'suspended' });
  assert.equal(await codeOf(token, own), 'ACCOUNT_INACTIVE');
  own.state.put('account', 'olga@acme', 'acme', account, { validTo: START_MS - 1 });
  assert.equal(await codeOf(token, own), 'ACCOUNT_INACTIVE');
  own.state.put('account', 'olga@acme', 'acme', { ...account, sessionEpoch: 2 });
  assert.equal(await codeOf(token, own), 'TOKEN_REVOKED');
  own.state.put('account', 'olga@acme', 'acme', account);
  own.state.put('organisation', 'acme', 'acme', {}, { state: 'suspended' });
  assert.equal(await codeOf(token, own), 'ACCOUNT_INACTIVE');
  own.state.put('organisation', 'acme', 'acme', {});
  assert.equal(await codeOf(token, own), 'OK');
  own.state.put('node', 'node-a', 'acme', { tokenKey: own.keys['node-b']!.publicHex });
  assert.equal(await codeOf(token, own), 'TOKEN_INVALID', 'its signature held under the key that the node had before');
  await own.close();
});

test('a token with any character changed, cut or added is refused and nothing breaks', async () => {
  const own = await createRig({ rateLimitFactor: 0 });
  const token = own.token('ada@acme');
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom('A', 'z', '.', '_', '=', '~'), async (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1);
      if (changed !== token) assert.match(await codeOf(changed, own), /^TOKEN_(INVALID|FOREIGN)$/); // foreign: the issuer's name was hit
    }),
    { numRuns: 100 },
  );
  for (const odd of [`${token}.x`, token.slice(0, -1), `${token}=`, 'tm1..', 'x'.repeat(5_000), 'tm1.bnVsbA.AA', 'tm1.e30.AA'])
    assert.equal(await codeOf(odd, own), 'TOKEN_INVALID', odd.slice(0, 20));
  await own.close();
});

test('rights come from chain state, never from the token', async () => {
  const deploy = (account: string) =>
    rig.server.app.inject({
      method: 'POST',
      url: '/api/v1/contracts',
      headers: { authorization: `Bearer ${rig.token(account)}`, 'content-type': 'application/json' },
      payload: '{"name":"w","code":"1"}',
    });
  assert.equal((await deploy('press-7@acme')).statusCode, 403);
  assert.deepEqual(JSON.parse((await deploy('press-7@acme')).body).data, { right: 'contract:deploy' });
  assert.equal((await deploy('olga@acme')).statusCode, 200);
});

// --- login --------------------------------------------------------------------------------------------------------------------------

const PASSWORD = 'correct horse battery';

/** A refusal that is held takes its time by the rig's clock, and none of the test's. Returns how long each was held, ms. */
function passHolds({ world }: Rig): readonly number[] {
  const held: number[] = [];
  const timers = world.timers as { after: typeof world.timers.after };
  const { after: really } = timers;
  timers.after = (ms, run) => {
    if (ms < HOLD_MS_MIN || ms > HOLD_MS_MAX) return really(ms, run);
    held.push(ms);
    return really(0, () => {
      world.advance(ms);
      run();
    });
  };
  return held;
}

async function login(
  own: Rig,
  body: object,
  remoteAddress = '127.0.0.1',
): Promise<{ status: number; code: string; data: any; retryAfter: unknown }> {
  const answer = await own.server.app.inject({
    method: 'POST',
    url: '/api/v1/auth/login',
    remoteAddress,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(body),
  });
  const { code, data } = JSON.parse(answer.body) as { code: string; data: any };
  return { status: answer.statusCode, code, data, retryAfter: answer.headers['retry-after'] };
}

test('DB53 5.1.1.d: a right login yields a token that works, a wrong one a 401 and no token', async () => {
  const own = await createRig();
  await own.server.context.credentials.setPassword('ada@acme', PASSWORD);
  const right = await login(own, { account: 'ada@acme', password: PASSWORD });
  assert.deepEqual([right.status, right.data.tokenType, right.data.steppedUp], [200, 'Bearer', false]);
  assert.equal(await codeOf(right.data.token, own), 'OK');
  for (const body of [
    { account: 'ada@acme', password: 'wrong' },
    { account: 'nobody@acme', password: PASSWORD },
    { account: 'olga@acme', password: PASSWORD },
  ]) {
    const wrong = await login(own, body);
    assert.deepEqual([wrong.status, wrong.code, wrong.data], [401, 'LOGIN_REFUSED', null]);
  }
  await own.close();
});

test('with a second factor the code is needed, spent once, and written before the token is out', async () => {
  const own = await createRig({ rateLimitFactor: 0 });
  own.world.hold();
  const { credentials } = own.server.context;
  await credentials.setPassword('ada@acme', PASSWORD);
  const { secret, uri } = await credentials.setOtp('ada@acme');
  assert.match(uri, /^otpauth:\/\/totp\/Tracemill/);
  const otp = currentOtp(secret, own.world.clock.now());
  const account = 'ada@acme';
  assert.equal((await login(own, { account, password: PASSWORD })).code, 'OTP_REQUIRED');
  const both = await Promise.all([login(own, { account, password: PASSWORD, otp }), login(own, { account, password: PASSWORD, otp })]);
  assert.deepEqual(both.map((answer) => answer.code).sort(), ['OK', 'OTP_REUSED']);
  own.store.failure = new Error('disk');
  own.world.advance(30_000);
  const unsaved = await login(own, { account, password: PASSWORD, otp: currentOtp(secret, own.world.clock.now()) });
  assert.deepEqual([unsaved.status, unsaved.data], [500, null]);
  const rows = [...own.store.rows.values()].map((value) => Buffer.from(value).toString('latin1')).join();
  assert.ok(!rows.includes(secret) && !rows.includes(PASSWORD), 'neither secret nor password lies in the store in clear');
  own.store.failure = undefined;
  await own.close();
});

test('repeated failures lock the account for ever longer times, and the lock ends by itself', async () => {
  const own = await createRig({ rateLimitFactor: 0 });
  own.world.hold();
  const held = passHolds(own);
  await own.server.context.credentials.setPassword('ada@acme', PASSWORD);
  const wrong = () => login(own, { account: 'ada@acme', password: 'wrong' });
  for (let i = 0; i < 5; i++) assert.equal((await wrong()).code, 'LOGIN_REFUSED');
  const locked = await login(own, { account: 'ada@acme', password: PASSWORD });
  assert.deepEqual([locked.status, locked.code, locked.retryAfter], [429, 'LOGIN_LOCKED', '1']);
  assert.deepEqual(held, [HOLD_MS_MIN]);
  own.world.advance(1_001);
  assert.equal((await wrong()).code, 'LOGIN_REFUSED');
  own.world.advance(1_001);
  assert.equal((await login(own, { account: 'ada@acme', password: PASSWORD })).code, 'LOGIN_LOCKED', 'the second lock is longer');
  own.world.advance(1_001);
  assert.equal((await login(own, { account: 'ada@acme', password: PASSWORD })).code, 'OK');
  assert.equal(held.length, 2, 'each refusal that tells to wait was held');
  await own.close();
});

test('wrong passwords of a stranger shut out neither a login from elsewhere nor the step-up of a session', async () => {
  const own = await createRig({ rateLimitFactor: 0 });
  own.world.hold();
  passHolds(own);
  const { credentials } = own.server.context;
  const account = 'ada@acme';
  await credentials.setPassword(account, PASSWORD);
  const { secret } = await credentials.setOtp(account);
  const code = () => currentOtp(secret, own.world.clock.now());
  const stepUp = async (otp: string) => {
    const answer = await own.server.app.inject({
      method: 'POST',
      url: '/api/v1/auth/step-up',
      headers: { authorization: `Bearer ${own.token(account)}`, 'content-type': 'application/json', otp },
      payload: '{}',
    });
    return (JSON.parse(answer.body) as { code: string }).code;
  };
  const wrong = (address: string) => login(own, { account, password: 'wrong' }, address);
  for (let i = 0; i < 5; i++) await wrong('192.0.2.1');
  assert.equal((await login(own, { account, password: PASSWORD, otp: code() }, '192.0.2.1')).code, 'LOGIN_LOCKED');
  assert.equal(await stepUp(code()), 'OK');
  own.world.advance(30_000);
  assert.equal((await login(own, { account, password: PASSWORD, otp: code() }, '192.0.2.2')).code, 'OK');
  for (let i = 0; i < 80; i++) await wrong(`198.51.100.${i}`);
  const stranger = await wrong('198.51.100.200');
  assert.equal(stranger.code, 'LOGIN_LOCKED', 'many addresses together are slowed down too');
  assert.ok(Number(stranger.retryAfter) <= 30, 'by no more than half a minute');
  own.world.advance(30_000);
  for (let i = 0; i < 10; i++) await wrong(`198.51.100.${i + 100}`);
  assert.equal(await stepUp(code()), 'OK', 'while strangers must wait');
  own.world.advance(30_000);
  for (let i = 0; i < 10; i++) await wrong(`198.51.100.${i + 120}`);
  assert.equal((await login(own, { account, password: PASSWORD, otp: code() }, '192.0.2.2')).code, 'OK', 'from an address it knows');
  own.world.advance(30_000);
  assert.equal(await stepUp(code()), 'OK');
  await own.close();
});

test('wrong codes are counted for whom they come from: of a login they do not lock the step-up, of a step-up they lock it', async () => {
  const own = await createRig();
  own.world.hold();
  const { credentials } = own.server.context;
  const account = 'ada@acme';
  await credentials.setPassword(account, PASSWORD);
  const { secret } = await credentials.setOtp(account);
  const code = () => currentOtp(secret, own.world.clock.now());
  const odd = () => String((Number(code()) + 500_000) % 1_000_000).padStart(6, '0');
  const codeOfError = (error: unknown) => (error as { code: string }).code;
  const attempt = (address: string) => credentials.login(account, PASSWORD, odd(), address).catch(codeOfError);
  for (let i = 0; i < 5; i++) assert.equal(await attempt(`192.0.2.${i}`), 'OTP_INVALID');
  assert.equal(await attempt('192.0.2.77'), 'LOGIN_LOCKED', 'whoever knows the password guesses no codes from many addresses');
  await credentials.useOtp(account, code());
  for (let i = 0; i < 5; i++) assert.equal(await credentials.useOtp(account, odd()).catch(codeOfError), 'OTP_INVALID');
  assert.equal(await credentials.useOtp(account, code()).catch(codeOfError), 'LOGIN_LOCKED');
  own.world.advance(31_000);
  await credentials.useOtp(account, code());
  await own.close();
});

test('guesses of others do not keep the holder waiting', async () => {
  const own = await createRig();
  const { credentials } = own.server.context;
  const account = 'ada@acme';
  await credentials.setPassword(account, PASSWORD);
  const { secret } = await credentials.setOtp(account);
  let guessed = 0;
  const guesses = Array.from({ length: 20 }, (_, i) =>
    credentials.login(account, 'wrong', undefined, `192.0.2.${i}`).catch(() => void guessed++),
  );
  await credentials.useOtp(account, currentOtp(secret, own.world.clock.now()));
  assert.ok(guessed < 20, `the step-up came after ${guessed} of 20 guesses`);
  await Promise.all(guesses);
  await own.close();
});

test('an administrator issues tokens for his own organisation, with step-up, and devices can use them for long', async () => {
  const own = await createRig({ rateLimitFactor: 0 });
  const { secret } = await own.server.context.credentials.setOtp('ada@acme');
  const issue = async (body: object, from = 'ada@acme') => {
    own.world.advance(30_000);
    const answer = await own.server.app.inject({
      method: 'POST',
      url: '/api/v1/auth/tokens',
      headers: {
        authorization: `Bearer ${own.token(from)}`,
        'content-type': 'application/json',
        otp: currentOtp(secret, own.world.clock.now()),
      },
      payload: JSON.stringify(body),
    });
    return JSON.parse(answer.body) as { code: string; data: any };
  };
  const issued = await issue({ account: 'press-7@acme', lifeMs: 86_400_000 });
  assert.equal(await codeOf(issued.data.token, own), 'OK');
  own.world.advance(80_000_000);
  assert.equal(await codeOf(issued.data.token, own), 'OK');
  own.world.advance(10_000_000);
  assert.equal(await codeOf(issued.data.token, own), 'TOKEN_EXPIRED');
  assert.equal((await issue({ account: 'bob@bolt' })).code, 'ACCOUNT_FOREIGN');
  assert.equal((await issue({ account: 'ghost@acme' })).code, 'ACCOUNT_INACTIVE');
  assert.equal((await issue({ account: 'press-7@acme' }, 'olga@acme')).code, 'RIGHT_MISSING');
  await own.close();
});

test('a token in the body serves like a header; two that differ are refused', async () => {
  const submit = async (body: string, headers: Record<string, string> = {}) => {
    const answer = await rig.server.app.inject({
      method: 'POST',
      url: '/api/v1/records',
      headers: { 'content-type': 'application/json', ...headers },
      payload: body,
    });
    return JSON.parse(answer.body) as { code: string; details: { parameter?: string }[] };
  };
  const token = rig.token('press-7@acme');
  assert.equal((await submit(`r1 token=${token}`)).code, 'OK');
  assert.equal(rig.records.submissions.at(-1)?.account, 'press-7@acme');
  assert.equal((await submit('r1')).code, 'TOKEN_MISSING');
  assert.equal((await submit(`r1 token=${token}x`)).code, 'TOKEN_INVALID');
  assert.equal((await submit(`r1 token=${token}`, { authorization: `Bearer ${token}` })).code, 'OK');
  assert.equal((await submit(`r1 token=${token}`, { authorization: `Bearer ${rig.token('ada@acme')}` })).code, 'TOKEN_CONFLICT');
  assert.equal((await submit(`r1 token=${rig.token('audrey@acme')}`)).code, 'RIGHT_MISSING');
  const keyed = await submit(`r1 token=${token}`, { 'idempotency-key': 'k' });
  assert.deepEqual([keyed.code, keyed.details[0]?.parameter], ['REQUEST_INVALID', 'idempotency-key, authorization']);
});

testDeclaredCodes(() => rig);
