import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BODIES_WAITING_BYTES_MAX, BODY_COUNTED_BYTES_MIN, createBodyQueue } from '../../../../api/records/body-queue.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import type { World } from '../../../../node/world.ts';

const world: Pick<World, 'clock' | 'timers'> = {
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  timers: {
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    every: () => () => undefined,
  },
};

/** A queue whose jobs end one by one, as the test says. */
function rig() {
  const queue = createBodyQueue(world);
  const done: string[] = [];
  const refused: string[] = [];
  const ends: (() => void)[] = [];
  const send = (caller: string, bytes = 1): void => {
    queue
      .run(caller, bytes, async () => {
        done.push(caller);
        await new Promise<void>((resolve) => void ends.push(resolve));
      })
      .catch((error) => refused.push(`${caller} ${error instanceof ChainError ? error.code : error}`));
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const drain = async (): Promise<void> => {
    for (await settled(); ends.length > 0; await settled()) ends.shift()!();
  };
  return { queue, done, refused, send, settled, drain };
}

test('callers take turns: one body of another waits for one body, not for all that came before', async () => {
  const { done, send, drain } = rig();
  for (let i = 0; i < 5; i++) send('many');
  send('one');
  send('two');
  await drain();
  assert.deepEqual(done, ['many', 'many', 'one', 'two', 'many', 'many', 'many']);
});

test('what waits is bounded: who has most of it gives way to another, and hears SERVER_BUSY when he comes himself', async () => {
  const { queue, done, refused, send, settled, drain } = rig();
  const places = BODIES_WAITING_BYTES_MAX / BODY_COUNTED_BYTES_MIN;
  for (let i = 0; i <= places; i++) send('many'); // the first is at work
  await settled();
  assert.deepEqual([queue.waiting, refused], [places, []]);
  send('many');
  await settled();
  assert.deepEqual(refused, ['many SERVER_BUSY']);
  send('one', 16 * BODY_COUNTED_BYTES_MIN);
  await settled();
  assert.equal(refused.length, 17);
  assert.ok(refused.every((text) => text === 'many SERVER_BUSY'));
  assert.equal(queue.waiting, places - 15);
  await drain();
  assert.equal(done.indexOf('one'), 2);
  assert.equal(queue.waiting, 0);
});
