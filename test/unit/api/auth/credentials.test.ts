import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash } from '@node-rs/argon2';
import { type Credentials, createCredentials, OTP_PERIOD_S } from '../../../../api/auth/credentials.ts';
import { FAILURES_FREE } from '../../../../api/auth/throttle.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { currentOtp } from '../one-time-code.ts';
import { createTestStore, createTestWorld } from '../stand-in-world.ts';

const ADA = 'ada@acme';
const PASSWORD = 'correct horse battery';
const OTHER = 'another horse battery';
const HOME = '192.0.2.1';
/** Of PASSWORD, and judged in no time: a hash brings its own cost with it. */
const CHEAP_HASH = await hash(PASSWORD, { memoryCost: 8, timeCost: 1, parallelism: 1 });
const STEP_MS = OTP_PERIOD_S * 1_000;

/** Credentials of a node whose clock the test moves; `restart` opens them again on the same store. */
function setUp() {
  const world = createTestWorld();
  world.hold();
  const store = createTestStore();
  const restart = (): Credentials => createCredentials({ store, world, key: new Uint8Array(32).fill(3), issuer: 'Tracemill' });
  const code = (secret: string, steps = 0): string => currentOtp(secret, world.clock.now() + steps * STEP_MS);
  return { world, store, credentials: restart(), restart, code };
}

/** `OK`, or why it was refused; anything but a ChainError fails the test. */
async function outcome(done: Promise<unknown>): Promise<string> {
  try {
    await done;
    return 'OK';
  } catch (error) {
    if (error instanceof ChainError) return error.code;
    throw error;
  }
}

test('a code of the step before or after is taken, one further off is not, and none again or after a later one', async () => {
  const { world, credentials, code } = setUp();
  const { secret } = await credentials.setOtp(ADA);
  const use = (otp: string): Promise<string> => outcome(credentials.useOtp(ADA, otp));
  for (const [steps, expected] of [
    [-2, 'OTP_INVALID'],
    [2, 'OTP_INVALID'],
    [-1, 'OK'],
    [0, 'OK'],
    [-1, 'OTP_REUSED'],
    [0, 'OTP_REUSED'],
    [1, 'OK'],
    [0, 'OTP_REUSED'],
  ] as const)
    assert.equal(await use(code(secret, steps)), expected, `${steps} steps away`);
  world.advance(2 * STEP_MS);
  for (const odd of ['', code(secret).slice(1), `${code(secret)}0`, '٣٣٣٣٣٣']) assert.equal(await use(odd), 'OTP_INVALID', odd);
  assert.equal(await use(code(secret)), 'OK');
});

test('a code that is spent is on disk before it is told to be right', async () => {
  const { store, restart, code } = setUp();
  const { batch } = store;
  const syncs: unknown[] = [];
  store.batch = (operations, options) => {
    syncs.push(options?.sync);
    return batch(operations, options);
  };
  const credentials = restart();
  const { secret } = await credentials.setOtp(ADA);
  await credentials.useOtp(ADA, code(secret));
  assert.deepEqual(syncs, [true, true]);
});

test('a second factor is asked for once it is set, a new one makes the old worthless, and a new password leaves it', async () => {
  const { world, credentials, restart, code } = setUp();
  await credentials.adopt(ADA, CHEAP_HASH, '');
  const login = (password: string, otp?: string): Promise<string> => outcome(credentials.login(ADA, password, otp, HOME));
  assert.equal(credentials.hasOtp(ADA), false);
  assert.deepEqual(await credentials.login(ADA, PASSWORD, undefined, HOME), { steppedUp: false });
  const old = (await credentials.setOtp(ADA)).secret;
  const { secret } = await credentials.setOtp(ADA);
  assert.ok(credentials.hasOtp(ADA));
  assert.equal(await login(PASSWORD), 'OTP_REQUIRED');
  assert.equal(await login(PASSWORD, code(old)), 'OTP_INVALID');
  assert.deepEqual(await credentials.login(ADA, PASSWORD, code(secret), HOME), { steppedUp: true });
  await credentials.setPassword(ADA, OTHER);
  assert.equal(await login(PASSWORD, code(secret, 1)), 'LOGIN_REFUSED');
  assert.equal(await login(OTHER), 'OTP_REQUIRED');
  assert.equal(await login(OTHER, code(secret)), 'OTP_REUSED');
  assert.equal(await outcome(restart().login(ADA, OTHER, code(secret), HOME)), 'OTP_REUSED');
  world.advance(STEP_MS);
  assert.equal(await login(OTHER, code(secret)), 'OK');
});

test('no login without a password: an account that has a second factor alone is refused like one that does not exist', async () => {
  const { credentials, code } = setUp();
  const { secret } = await credentials.setOtp(ADA);
  for (const account of [ADA, 'nobody@acme'])
    for (const password of ['', PASSWORD, 'decoy'])
      assert.equal(await outcome(credentials.login(account, password, code(secret), `${account}${password}`)), 'LOGIN_REFUSED');
  assert.equal(await outcome(credentials.useOtp('nobody@acme', code(secret))), 'OTP_NOT_SET');
  await credentials.adopt('bob@acme', CHEAP_HASH, '');
  assert.equal(await outcome(credentials.useOtp('bob@acme', code(secret))), 'OTP_NOT_SET');
});

test('a password has a least and a most length', async () => {
  const { credentials } = setUp();
  for (const [length, expected] of [
    [11, 'REQUEST_INVALID'],
    [12, 'OK'],
    [256, 'OK'],
    [257, 'REQUEST_INVALID'],
  ] as const)
    assert.equal(await outcome(credentials.setPassword(ADA, 'p'.repeat(length))), expected, `${length} characters`);
});

test('a login that began under a password that has been replaced meanwhile is refused', async () => {
  const { credentials } = setUp();
  await credentials.setPassword(ADA, PASSWORD);
  const changes = [credentials.setPassword(ADA, OTHER), credentials.setPassword(ADA, OTHER)]; // both places for hashing: the login waits for one
  assert.equal(await outcome(credentials.login(ADA, PASSWORD, undefined, HOME)), 'LOGIN_REFUSED');
  await Promise.all(changes);
  assert.equal(await outcome(credentials.login(ADA, OTHER, undefined, HOME)), 'OK');
});

test('what is prepared elsewhere is taken over once, and undoes nothing that has changed since', async () => {
  const { credentials, code, world } = setUp();
  const { secret } = await setUp().credentials.setOtp(ADA);
  await credentials.adopt(ADA, CHEAP_HASH, secret);
  await credentials.adopt('bob@acme', CHEAP_HASH, '');
  assert.deepEqual(await credentials.login('bob@acme', PASSWORD, undefined, HOME), { steppedUp: false });
  assert.equal(await outcome(credentials.login(ADA, PASSWORD, undefined, HOME)), 'OTP_REQUIRED');
  assert.equal(await outcome(credentials.login(ADA, PASSWORD, code(secret), HOME)), 'OK');
  await credentials.adopt(ADA, CHEAP_HASH, secret);
  assert.equal(await outcome(credentials.login(ADA, PASSWORD, code(secret), HOME)), 'OTP_REUSED');
  world.advance(STEP_MS);
  await credentials.setPassword(ADA, OTHER);
  await credentials.adopt(ADA, CHEAP_HASH, '');
  assert.equal(await outcome(credentials.login(ADA, PASSWORD, code(secret), HOME)), 'LOGIN_REFUSED');
});

test('a secret lies in the store under the key of the node and the name of its account', async () => {
  const { credentials, store, world, code } = setUp();
  const { secret } = await credentials.setOtp(ADA);
  await credentials.setOtp('bob@acme');
  const [ada, bob] = [...store.rows.keys()];
  store.rows.set(bob!, store.rows.get(ada!)!);
  await assert.rejects(credentials.useOtp('bob@acme', code(secret)), (error) => !(error instanceof ChainError));
  const opened = (fill: number, length = 32) =>
    createCredentials({ store, world, key: new Uint8Array(length).fill(fill), issuer: 'Tracemill' });
  await assert.rejects(opened(4).useOtp(ADA, code(secret)), (error) => !(error instanceof ChainError));
  assert.equal(await outcome(opened(3).useOtp(ADA, code(secret))), 'OK');
  assert.throws(() => opened(3, 31), RangeError);
});

test('failures outlive a restart, and a success begins their count anew', async () => {
  const { world, credentials, restart, code } = setUp();
  await credentials.adopt(ADA, CHEAP_HASH, '');
  for (let i = 0; i < 50; i++) assert.equal(await outcome(credentials.login(ADA, 'wrong', undefined, `198.51.100.${i}`)), 'LOGIN_REFUSED');
  const login = (at: Credentials, otp?: string) => outcome(at.login(ADA, PASSWORD, otp, HOME));
  assert.equal(await login(restart()), 'LOGIN_LOCKED');
  world.advance(1_000);
  assert.equal(await login(restart()), 'OK');
  assert.equal(await outcome(restart().login(ADA, 'wrong', undefined, '198.51.100.99')), 'LOGIN_REFUSED');
  assert.equal(await login(restart()), 'OK', 'one failure since');

  for (let i = 0; i < 50; i++) await outcome(credentials.login(ADA, 'wrong', undefined, `198.51.100.${100 + i}`));
  const { secret } = await credentials.setOtp(ADA);
  await credentials.useOtp(ADA, code(secret, -1));
  assert.equal(await login(restart(), code(secret)), 'LOGIN_LOCKED', 'a step-up says nothing about passwords');
  world.advance(1_000);
  assert.equal(await login(restart(), code(secret)), 'OK');
  assert.equal(await outcome(restart().login(ADA, 'wrong', undefined, '198.51.100.99')), 'LOGIN_REFUSED');
  world.advance(STEP_MS);
  const wrong = code(secret, 5);
  for (const attempt of [(otp: string) => outcome(restart().useOtp(ADA, otp)), (otp: string) => login(restart(), otp)]) {
    for (let i = 0; i < FAILURES_FREE; i++) assert.equal(await attempt(wrong), 'OTP_INVALID');
    assert.equal(await attempt(code(secret)), 'LOGIN_LOCKED');
    world.advance(999);
    assert.equal(await attempt(code(secret)), 'LOGIN_LOCKED');
    world.advance(1);
    assert.equal(await attempt(code(secret)), 'OK');
    world.advance(STEP_MS);
    for (let i = 1; i < FAILURES_FREE; i++) assert.equal(await attempt(wrong), 'OTP_INVALID');
    assert.equal(await attempt(code(secret)), 'OK');
    world.advance(STEP_MS);
  }
});

test('so many passwords are judged or wait at once, of names that exist or not, and one that fails frees its place', async () => {
  const { credentials } = setUp();
  await credentials.adopt(ADA, 'no hash', '');
  await credentials.adopt('bob@acme', CHEAP_HASH, '');
  const judge = (account: string, i: number) => credentials.login(account, PASSWORD, undefined, `192.0.2.${i}`);
  assert.equal(await outcome(judge('nobody@acme', 0)), 'LOGIN_REFUSED');
  const failing = Array.from({ length: 34 }, (_, i) => judge(ADA, i));
  const late = [judge('nobody@acme', 1), judge('bob@acme', 1)].map(outcome);
  for (const { reason } of (await Promise.allSettled(failing)) as PromiseRejectedResult[]) assert.ok(!(reason instanceof ChainError));
  assert.deepEqual(await Promise.all(late), ['SERVER_BUSY', 'SERVER_BUSY']);
  assert.equal(await outcome(judge('bob@acme', 2)), 'OK');
});
