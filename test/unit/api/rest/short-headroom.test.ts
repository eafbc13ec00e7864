/** What a large body costs where the voting thread comes late: it is taken and read with rests, and no longer than somebody waits for the answer. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BODY_PIECE_BYTES } from '../../../../api/rest/exchange.ts';
import { realTimers } from '../../../../node/real/world.ts';
import { ManualHeadroom } from '../../node/memory-world.ts';
import { createRig, type Rig, testTls } from '../stand-ins.ts';
import { type RawCall, rawCall } from './raw-call.ts';

const PART = 1 / 64;
const PIECE_REST_MS = 126; // 2 ms of work at that part
const SLICE_REST_MS_MIN = 190; // of 3 ms and more
/** Turns of the event loop, timers with them, in which work that goes on would have come to its next rest. */
const TURNS = 50;
const LARGE = Buffer.from(`[${'{"a":"1"},'.repeat(300_000)}{}]`);
const PATIENCE = { timeout: 60_000 };

let rig: Rig;
let port: number;
let ca: string;
let pieceRests = 0;
/** Rests of long work, which go on when the test says so. */
const rests: (() => void)[] = [];
before(async () => {
  rig = await createRig({}, undefined, undefined, new ManualHeadroom(PART));
  // Each look at the clock moves it on by a millisecond: a slice is some looks long, however fast the machine is and whatever else it does.
  let nowMs = 0;
  (rig.world.clock as { monotonic: () => number }).monotonic = () => ++nowMs;
  const timers = rig.world.timers as { after: typeof rig.world.timers.after };
  const { after: really } = timers;
  timers.after = (ms, run) => {
    if (ms === PIECE_REST_MS) pieceRests++;
    else if (ms >= SLICE_REST_MS_MIN && ms < 5_000) {
      rests.push(() => {
        nowMs += ms;
        run();
      });
      return () => undefined;
    }
    return really(ms === PIECE_REST_MS ? 0 : ms, run);
  };
  port = await rig.server.listen({ host: '127.0.0.1', port: 0 });
  ({ ca } = await testTls());
});
after(() => rig.close());

function post(headers: Readonly<Record<string, string | number>>, path = '/api/v1/transactions'): RawCall {
  const authorization = `Bearer ${rig.token('ada@acme')}`;
  return rawCall({ port, ca, method: 'POST', path, headers: { authorization, ...headers } });
}

/** Lets long work go on after each of its rests until the call is answered. */
async function resting(status: RawCall['status']): Promise<{ readonly answered: number; readonly slices: number }> {
  let answered: number | undefined;
  void status.then((code) => {
    answered = code;
  });
  let slices = 0;
  while (answered === undefined) {
    await sleep(2);
    for (; rests.length > 0; slices++) rests.shift()!();
  }
  return { answered, slices };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => void realTimers.after(1, resolve));
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await sleep(2);
}

test('a large body is taken in pieces with a rest after each, then read in slices with a rest after each long one', PATIENCE, async () => {
  const { sent, status } = post({ 'content-type': 'application/json', 'content-length': LARGE.length });
  sent.end(LARGE);
  const { answered, slices } = await resting(status);
  assert.equal(answered, 400);
  assert.ok(pieceRests >= Math.floor(LARGE.length / (BODY_PIECE_BYTES + 64 * 1024)), `${pieceRests} rests while it came`);
  assert.ok(slices >= 3, `${slices} rests while it was read`);
});

test('a body of several chunks is put together in slices, and as it comes where its length is stated', PATIENCE, async () => {
  const many = Buffer.alloc(4 * LARGE.length, LARGE);
  const slicesOf = async (headers: Readonly<Record<string, string | number>>): Promise<number> => {
    const { sent, status } = post({ 'content-type': 'text/csv', ...headers }, '/api/v1/records');
    sent.end(many);
    const { answered, slices } = await resting(status);
    assert.equal(answered, 200);
    return slices;
  };
  assert.equal(await slicesOf({ 'content-length': many.length }), 0);
  assert.ok((await slicesOf({ 'transfer-encoding': 'chunked' })) > 0);
});

test('a body whose sender has gone is read no further', PATIENCE, async () => {
  const { sent } = post({ 'content-type': 'application/json', 'content-length': LARGE.length });
  sent.end(LARGE);
  await until(() => rests.length === 1);
  sent.destroy();
  await turns(); // both ends are in this process: the node has seen that it is gone
  rests.shift()!();
  await turns();
  assert.equal(rests.length, 0, 'work went on for nobody');
});

test('a body of a type that the route does not read is refused before it comes', PATIENCE, async (t) => {
  const { sent, status } = post({ 'content-type': 'text/html', 'content-length': LARGE.length });
  t.after(() => sent.destroy());
  sent.flushHeaders();
  assert.equal(await status, 415);
});
