import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8 } from '../../../../node/format/index.ts';
import { FRAME_HEADER_BYTES, FrameQueue, FrameReader, frameHeader } from '../../../../node/network/frames.ts';

const frame = fc.uint8Array({ minLength: 1, maxLength: 300 });

test('frames written in chunks of any size and read in chunks of any size are the same frames', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 20 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 400 }),
      (frames, writeBytes, readBytes) => {
        const queue = new FrameQueue();
        for (const each of frames) queue.push(each);
        const total = frames.reduce((sum, each) => sum + each.length + FRAME_HEADER_BYTES, 0);
        assert.equal(queue.bytes, total);
        const written: number[] = [];
        for (let chunk = queue.take(writeBytes); chunk !== undefined; chunk = queue.take(writeBytes)) {
          assert.ok(chunk.length <= writeBytes);
          written.push(...chunk);
        }
        assert.equal(queue.bytes, 0);
        const reader = new FrameReader(300);
        const read: Uint8Array[] = [];
        for (let at = 0; at < total; at += readBytes) read.push(...reader.push(Uint8Array.from(written.slice(at, at + readBytes)))!);
        assert.deepEqual(read, frames);
      },
    ),
  );
});

test('a queue stays right while it is filled and emptied by turns', () => {
  const queue = new FrameQueue();
  const reader = new FrameReader(50);
  const read: string[] = [];
  for (let n = 0; n < 5000; n++) {
    queue.push(utf8(`frame ${n}`));
    const chunk = queue.take(n % 3 === 0 ? 7 : 19);
    if (chunk !== undefined) read.push(...reader.push(chunk)!.map((bytes) => new TextDecoder().decode(bytes)));
  }
  for (let chunk = queue.take(64); chunk !== undefined; chunk = queue.take(64))
    read.push(...reader.push(chunk)!.map((bytes) => new TextDecoder().decode(bytes)));
  assert.deepEqual(
    read,
    Array.from({ length: 5000 }, (_, n) => `frame ${n}`),
  );
});

test('an empty frame and one above the bound end the reading', () => {
  assert.equal(new FrameReader(10).push(frameHeader(0)), undefined);
  assert.equal(new FrameReader(10).push(frameHeader(11)), undefined);
  assert.equal(new FrameReader(10).push(frameHeader(0xffff_ffff)), undefined);
  assert.deepEqual(new FrameReader(10).push(frameHeader(10)), []);
});

test('a frame delivered does not share memory with the chunk it came in', () => {
  const chunk = Uint8Array.of(...frameHeader(2), 1, 2);
  const [first] = new FrameReader(10).push(chunk)!;
  chunk.fill(0);
  assert.deepEqual(first, Uint8Array.of(1, 2));
});
