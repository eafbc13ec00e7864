/** One link on a stream that the test holds: what the other side sends is given to it piece by piece, and what it sends is seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Connection, Stream } from '@libp2p/interface';
import { concat, utf8 } from '../../../../node/format/index.ts';
import { FRAME_HEADER_BYTES, frameHeader } from '../../../../node/network/frames.ts';
import { encodeHello, type Hello, HELLO_BYTES_MAX, PROTOCOL_VERSION } from '../../../../node/network/hello.ts';
import { CHUNK_BYTES, Link, LINK_STALL_MS } from '../../../../node/network/link.ts';
import { type Channel, FRAME_BYTES_MAX, SEND_QUEUE_BYTES_MAX } from '../../../../node/world.ts';
import { seedOf } from './cluster.ts';
import { framed, TestStream } from './test-stream.ts';

const helloOf = (node: string, channel: Channel): Hello => ({
  protocolVersion: PROTOCOL_VERSION,
  chainId: seedOf('chain'),
  genesisHash: seedOf('genesis'),
  node,
  channel,
  height: 5,
});
const greeting = (channel: Channel, node = 'b'): Uint8Array => framed(encodeHello(helloOf(node, channel)));

/** The link of `a` to `b`, listening; `events` tells what its owner hears, `ends` how its connection ended. */
function linkOn(channel: Channel) {
  const events: string[] = [];
  const ends: string[] = [];
  const stream = new TestStream();
  const connection = { close: async () => void ends.push('closed well'), abort: ({ message }: Error) => void ends.push(message) };
  const link = new Link(
    { node: 'b', dialled: true, connection: connection as unknown as Connection, stream: stream as unknown as Stream },
    helloOf('a', channel),
    {
      onOpen: (_, peer) => events.push(`open ${peer.node}`),
      onFrame: (_, frame) => {
        events.push(new TextDecoder().decode(frame));
        if (events.at(-1) === 'last') link.abort('OK');
      },
      onClose: (_, code) => events.push(`close ${code}`),
    },
  );
  link.start();
  return { link, stream, connection, events, ends, sentBytes: () => stream.sent.reduce((sum, { length }) => sum + length, 0) };
}

async function openLink(channel: Channel) {
  const opened = linkOn(channel);
  await nextTurn();
  opened.stream.hear(greeting(channel));
  opened.stream.sent.length = 0;
  return opened;
}

test('a link delivers what follows a greeting that fits, in order, and nothing after its end', () => {
  const frames = ['one', 'two', 'last', 'late'].map((text) => framed(utf8(text)));
  for (const parts of [[concat(greeting('votes'), ...frames)], [greeting('votes'), ...frames]]) {
    const { link, stream, events } = linkOn('votes');
    assert.equal(link.isOpen, false);
    assert.equal(link.send(utf8('early')), false);
    stream.hear(...parts);
    stream.hear(framed(utf8('later')));
    assert.deepEqual(events, ['open b', 'one', 'two', 'last', 'close OK']);
    assert.equal(link.send(utf8('late')), false);
  }
});

test('a greeting that does not fit ends the link, after this side has greeted', async () => {
  for (const bytes of [framed(utf8('no hello')), greeting('bulk', 'c'), greeting('votes')]) {
    const { events, ends, stream } = linkOn('bulk');
    stream.hear(concat(bytes, greeting('bulk'), framed(utf8('one'))));
    stream.hear(greeting('bulk'));
    await nextTurn();
    assert.deepEqual([events, ends], [['close PEER_HELLO_INVALID'], ['PEER_HELLO_INVALID']]);
    assert.deepEqual(stream.sent, [greeting('bulk', 'a')]);
  }
});

test('a frame above the bound of the channel ends the link, and one of that size does not', async () => {
  for (const channel of ['votes', 'bulk'] as const) {
    const { link, stream, events, ends } = await openLink(channel);
    stream.hear(framed(new Uint8Array(FRAME_BYTES_MAX[channel])));
    assert.ok(link.isOpen);
    stream.hear(frameHeader(FRAME_BYTES_MAX[channel] + 1));
    await nextTurn();
    assert.deepEqual([events.length, events.at(-1), ends], [3, 'close PEER_FRAME_TOO_LARGE', ['PEER_FRAME_TOO_LARGE']]);
  }
});

test('a peer that has not greeted may send no more than a greeting', async () => {
  for (const channel of ['votes', 'bulk'] as const) {
    const { events, stream } = linkOn(channel);
    stream.hear(frameHeader(HELLO_BYTES_MAX));
    assert.deepEqual(events, []);
    const other = linkOn(channel);
    other.stream.hear(frameHeader(HELLO_BYTES_MAX + 1));
    assert.deepEqual(other.events, ['close PEER_FRAME_TOO_LARGE']);
  }
});

test('a link takes frames up to the bounds of its channel and says no to the others', async () => {
  for (const channel of ['votes', 'bulk'] as const) {
    const { link, stream } = await openLink(channel);
    stream.writableNeedsDrain = true;
    const [largest, all] = [FRAME_BYTES_MAX[channel], SEND_QUEUE_BYTES_MAX[channel]];
    for (const length of [0, largest + 1]) assert.equal(link.send(new Uint8Array(length)), false);
    const frame = new Uint8Array(largest);
    const countMax = Math.floor(all / (largest + FRAME_HEADER_BYTES));
    for (let i = 0; i < countMax; i++) assert.ok(link.send(frame));
    assert.equal(link.send(frame), false);
    assert.ok(link.send(new Uint8Array(all - link.queuedBytes)), 'what still has room');
    assert.equal(link.send(Uint8Array.of(1)), false);
  }
});

test('a large frame leaves a part a turn, waits where the stream is full, and goes on when that has room', async () => {
  const { link, stream, sentBytes } = await openLink('bulk');
  const frame = new Uint8Array(40 * CHUNK_BYTES);
  link.send(frame);
  assert.equal(sentBytes(), 0);
  const parts: number[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const before = sentBytes();
    await nextTurn();
    parts.push(sentBytes() - before);
  }
  assert.ok(
    parts.every((bytes) => bytes > 0 && bytes <= frame.length / 4),
    `${parts} bytes`,
  );
  assert.ok(stream.sent.every(({ length }) => length <= CHUNK_BYTES));
  const full = async (): Promise<number> => {
    stream.writableNeedsDrain = true;
    await nextTurn();
    await nextTurn();
    const before = sentBytes();
    link.nudge(0);
    await nextTurn();
    assert.equal(sentBytes(), before);
    stream.writableNeedsDrain = false;
    await nextTurn();
    assert.equal(sentBytes(), before);
    return before;
  };
  for (const goOn of [() => stream.tell('drain'), () => link.nudge(0)]) {
    const before = await full();
    goOn();
    await nextTurn();
    assert.ok(sentBytes() > before);
  }
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.deepEqual([sentBytes(), link.queuedBytes], [FRAME_HEADER_BYTES + frame.length, 0]);
});

test('a link ends when nothing of what waits has been taken for a while, not when it is slow or nothing waits', async () => {
  const { link, stream, events, ends } = await openLink('bulk');
  let nowMs = 1;
  const later = (ms: number): void => {
    nowMs += ms;
    link.nudge(nowMs);
  };
  for (let look = 0; look < 3; look++) later(10 * LINK_STALL_MS);
  link.send(new Uint8Array(100 * CHUNK_BYTES));
  for (let round = 0; round < 3; round++) {
    later(LINK_STALL_MS);
    await nextTurn(); // a part leaves
  }
  stream.writableNeedsDrain = true;
  await nextTurn();
  await nextTurn();
  later(1);
  later(LINK_STALL_MS);
  assert.ok(link.isOpen);
  later(1);
  assert.deepEqual([events, ends], [['open b', 'close PEER_TIMEOUT'], ['PEER_TIMEOUT']]);
});

test('the end of the stream ends the link and its connection once, however it is noticed', async () => {
  for (const [end, ended] of [
    [({ stream }) => stream.tell('close'), 'closed well'],
    [({ stream }) => stream.tell('remoteCloseWrite'), 'closed well'],
    [
      ({ stream, connection }) => {
        connection.close = () => Promise.reject(new Error('it hangs'));
        stream.tell('close');
      },
      'closed',
    ],
    [
      ({ link, stream }) => {
        stream.isClosed = true;
        link.send(utf8('x'));
      },
      'OK',
    ],
  ] satisfies [(opened: Awaited<ReturnType<typeof openLink>>) => void, string][]) {
    const opened = await openLink('votes');
    end(opened);
    await nextTurn();
    assert.equal(opened.link.isOpen, false);
    for (const type of ['close', 'remoteCloseWrite'] as const) opened.stream.tell(type);
    opened.link.abort('PEER_TIMEOUT');
    await nextTurn();
    assert.deepEqual([opened.events, opened.ends], [['open b', 'close OK'], [ended]]);
  }
});
