/** Who calls too often waits for the refusal itself (DB53 5.2.1.1.b-2). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HOLD_MS_MAX } from '../../../../api/rest/refusal.ts';
import { UNREAD_HOLD_MS } from '../../../../api/rest/exchange.ts';
import { createRig, type Rig, testTls } from '../stand-ins.ts';
import { type RawCall, rawCall } from './raw-call.ts';

const CALLS_MAX = 100;
const HELD_MS_MIN = 200; // one refused token a second; the shorter timers are of other things

let rig: Rig;
let port: number;
let ca: string;
/** Timers that hold an answer; they end when the test says so. */
const held: { readonly ms: number; readonly run: () => void; cancelled: boolean }[] = [];
before(async () => {
  rig = await createRig();
  const timers = rig.world.timers as { after: typeof rig.world.timers.after };
  const { after: really } = timers;
  timers.after = (ms, run) => {
    if (ms < HELD_MS_MIN || ms > HOLD_MS_MAX) return really(ms, run);
    const timer = { ms, run, cancelled: false };
    held.push(timer);
    return () => {
      timer.cancelled = true;
    };
  };
  port = await rig.server.listen({ host: '127.0.0.1', port: 0 });
  ({ ca } = await testTls());
});
after(() => rig.close());

function ask(token: string): RawCall {
  const call = rawCall({ port, ca, path: '/api/v1/consensus', headers: { authorization: `Bearer ${token}` } });
  call.sent.end();
  return call;
}

/** Until `done` holds; the test's own time-out ends it. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Calls with a bad token until one is held. */
async function overdone(): Promise<RawCall> {
  const before = held.length;
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    const asked = ask('tm1.x.y');
    let status: number | undefined;
    void asked.status.then((code) => {
      status = code;
    });
    await until(() => status !== undefined || held.length > before);
    if (held.length > before) return asked;
  }
  throw new Error('No call was held');
}

test('the answer that tells a caller to wait comes after a part of the wait, and others are answered meanwhile', {
  timeout: 60_000,
}, async () => {
  const { status } = await overdone();
  assert.equal(await ask(rig.token('ada@acme')).status, 200);
  held[0]!.run();
  assert.equal(await status, 429);
});

test('who sends a large body without a token waits for the refusal', { timeout: 60_000 }, async () => {
  const before = held.length;
  const hold = () => held.slice(before).find(({ ms }) => ms === UNREAD_HOLD_MS);
  const headers = { 'content-type': 'application/json', 'content-length': 4_000_000 };
  const { sent, status } = rawCall({ port, ca, method: 'POST', path: '/api/v1/transactions', headers });
  sent.flushHeaders();
  await until(() => hold() !== undefined);
  hold()!.run();
  assert.equal(await status, 401);
  sent.destroy();
});

test('nothing is held for a caller who has gone', { timeout: 60_000 }, async () => {
  const { sent } = await overdone();
  sent.destroy();
  await until(() => held.at(-1)!.cancelled);
});
