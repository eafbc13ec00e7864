import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BODIES_WAITING_BYTES_MAX, BODY_COUNTED_BYTES_MIN, createBodyQueue } from '../../../../node/records/body-queue.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { ManualHeadroom, ManualTime } from '../memory-world.ts';

/** A queue whose jobs end one by one, as the test says. */
function rig() {
  const time = new ManualTime();
  const headroom = new ManualHeadroom(1);
  const queue = createBodyQueue({ clock: time, timers: time }, headroom);
  const done: string[] = [];
  const refused: string[] = [];
  const ends: (() => void)[] = [];
  const send = (caller: string, bytes = 1, signal?: AbortSignal): void => {
    queue
      .run(
        caller,
        bytes,
        async () => {
          done.push(caller);
          await new Promise<void>((resolve) => void ends.push(resolve));
        },
        signal,
      )
      .catch((error) => refused.push(`${caller} ${error instanceof ChainError ? error.code : error}`));
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const drain = async (): Promise<void> => {
    for (await settled(); ends.length > 0; await settled()) ends.shift()!();
  };
  return { time, headroom, queue, done, refused, send, settled, drain };
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

test('what nobody waits for any more is left out, and its room is free at once', async () => {
  const { queue, done, refused, send, settled, drain } = rig();
  const gone = new AbortController();
  send('one');
  await settled();
  send('gone', BODIES_WAITING_BYTES_MAX - BODY_COUNTED_BYTES_MIN, gone.signal);
  send('two');
  assert.equal(queue.waiting, 2);
  gone.abort();
  await settled();
  assert.deepEqual([queue.waiting, refused], [1, ['gone SERVER_BUSY']]);
  send('gone', BODIES_WAITING_BYTES_MAX - BODY_COUNTED_BYTES_MIN);
  send('late', 1, gone.signal);
  await drain();
  assert.deepEqual([done, refused, queue.waiting], [['one', 'two', 'gone'], ['gone SERVER_BUSY', 'late SERVER_BUSY'], 0]);
});

test('a call that ends while it is at work, or after the queue stopped, counts no second time', async () => {
  const { queue, done, refused, send, settled, drain } = rig();
  const [working, stopped] = [new AbortController(), new AbortController()];
  send('working', 1, working.signal);
  send('stopped', 1, stopped.signal);
  await settled();
  working.abort();
  queue.stop();
  stopped.abort();
  await drain();
  assert.deepEqual([done, refused, queue.waiting], [['working'], ['stopped SERVER_BUSY'], 0]);
});

test('while the voting thread is late the thread rests after each body', async () => {
  const { time, headroom, done, send, drain, settled } = rig();
  headroom.part = 1 / 2;
  send('a');
  send('b');
  time.advance(50);
  await drain();
  assert.deepEqual(done, ['a']);
  time.advance(49);
  await settled();
  assert.deepEqual(done, ['a']);
  time.advance(1);
  await drain();
  assert.deepEqual(done, ['a', 'b']);
});
