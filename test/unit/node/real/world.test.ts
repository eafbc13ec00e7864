import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { createLog } from '../../../../node/real/log.ts';
import { createRealWorld } from '../../../../node/real/world.ts';

const crypto = createCrypto();
const world = createRealWorld({
  log: createLog({ level: 'silent' }),
  crypto,
  verifier: { verify: async () => true, verifyAll: async (checks) => checks.map(() => true), stop: async () => undefined },
});

test('the real clock is that of the machine, and its monotonic side never goes back', () => {
  assert.ok(Math.abs(world.clock.now() - Date.now()) < 1000);
  let last = world.clock.monotonic();
  for (let n = 0; n < 1000; n++) {
    const next = world.clock.monotonic();
    assert.ok(next >= last);
    last = next;
  }
});

test('what has one period runs together, and each of it can be cancelled alone', async () => {
  const ran: string[] = [];
  const run = (): void => void ran.push('twice');
  const stops = [world.timers.every(5, run), world.timers.every(5, run), world.timers.every(5, () => ran.push('other'))];
  while (ran.length < 3) await new Promise<void>((resolve) => world.timers.after(1, resolve));
  assert.deepEqual(ran.slice(0, 3), ['twice', 'twice', 'other']);
  stops[0]!();
  ran.length = 0;
  while (ran.length < 2) await new Promise<void>((resolve) => world.timers.after(1, resolve));
  assert.deepEqual(ran.slice(0, 2), ['twice', 'other']);
  for (const stop of stops) stop();
  ran.length = 0;
  await new Promise<void>((resolve) => world.timers.after(20, resolve));
  assert.deepEqual(ran, []);
});

test('timers run, repeat and can be cancelled', async () => {
  const ran: string[] = [];
  const cancelled = world.timers.after(1, () => ran.push('cancelled'));
  cancelled();
  await new Promise<void>((resolve) => {
    const stop = world.timers.every(2, () => {
      if (ran.push('every') < 3) return;
      stop();
      resolve();
    });
  });
  const count = ran.length;
  assert.deepEqual(ran, ['every', 'every', 'every']);
  await new Promise<void>((resolve) => world.timers.after(10, resolve));
  assert.equal(ran.length, count);
});

test('random bytes have the length asked for and differ', () => {
  assert.equal(world.random.bytes(0).length, 0);
  assert.notDeepEqual(world.random.bytes(16), world.random.bytes(16));
});

test('a timer of 0 ms waits until the event loop has been round, however many of them follow one another', async () => {
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  const chain = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) {
      for (const end = performance.now() + 2; performance.now() < end; );
      const before = turns;
      await new Promise<void>((resolve) => void world.timers.after(0, resolve));
      assert.ok(turns > before, 'the loop went on to the same work without going round');
    }
  };
  try {
    await Promise.all([chain(), chain(), chain()]);
  } finally {
    running = false;
  }
  const cancel = world.timers.after(0, () => assert.fail('it was cancelled'));
  cancel();
  await new Promise<void>((resolve) => void world.timers.after(1, resolve));
});

test('random bytes of any length are as many as asked, and none is given out twice', () => {
  const seen = new Set<string>();
  for (let n = 0; n < 2_000; n++) {
    const bytes = world.random.bytes(12);
    assert.equal(bytes.length, 12);
    assert.equal(bytes.buffer.byteLength, 12, 'its buffer holds nothing of others');
    seen.add(Buffer.from(bytes).toString('hex'));
  }
  assert.equal(seen.size, 2_000);
  for (const count of [0, 1, 63, 64, 65, 5_000]) assert.equal(world.random.bytes(count).length, count);
});

test('what begins anew within its own period comes once a period, and not for ever in one', async () => {
  let runs = 0;
  const cancelOther = world.timers.every(7, () => undefined); // of the same period, so that one timer serves both
  let cancel = (): void => undefined;
  const begin = (): void => {
    cancel();
    cancel = world.timers.every(7, () => {
      if (++runs > 100) cancel();
      else begin();
    });
  };
  begin();
  await new Promise<void>((resolve) => void world.timers.after(50, resolve));
  cancel();
  cancelOther();
  assert.ok(runs > 0 && runs < 100, `${runs} times in 50 ms`);
});
