import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CHUNK_BYTES } from '../../../../node/network/link.ts';
import { isUp, listing, startNode, stopAll, until } from './cluster.ts';

const FRAMES = 100;
const CHUNKS = 4;
/** Before each message of Noise. */
const LENGTH_BYTES = 2;
/** Pings and window updates in the same time. */
const OTHER_WRITES_MAX = 20;

test('a frame between two nodes is one write to the socket', async () => {
  const nodes = [await startNode('a'), await startNode('b')] as const;
  const { write } = Socket.prototype;
  let writes = 0;
  try {
    for (const node of nodes) node.network.admit(listing(nodes));
    await until('a and b connect', () => isUp(nodes[0], 'b') && isUp(nodes[1], 'a'));
    Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
      writes++;
      return write.apply(this, args as Parameters<typeof write>);
    } as typeof write;
    for (let i = 0; i < FRAMES; i++) {
      assert.ok(nodes[0].network.send('b', 'votes', new Uint8Array(300).fill(i)));
      const { length } = nodes[1].frames;
      while (nodes[1].frames.length === length) await nextTurn(); // each by itself, as votes are
    }
    assert.ok(writes >= FRAMES && writes <= FRAMES + OTHER_WRITES_MAX, `${writes} writes for ${FRAMES} frames`);
    assert.deepEqual(
      nodes[1].frames.map(({ frame }) => frame[0]),
      Array.from({ length: FRAMES }, (_, i) => i),
    );
  } finally {
    Socket.prototype.write = write;
    await stopAll(nodes);
  }
});

test('a chunk of a long frame is one message of Noise', async () => {
  const nodes = [await startNode('a'), await startNode('b')] as const;
  const { write } = Socket.prototype;
  const written: { readonly bytes: number; readonly firstMessage: number }[] = [];
  try {
    for (const node of nodes) node.network.admit(listing(nodes));
    await until('a and b connect', () => isUp(nodes[0], 'b') && isUp(nodes[1], 'a'));
    Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
      const [bytes] = args;
      if (bytes instanceof Uint8Array && bytes.length > CHUNK_BYTES)
        written.push({ bytes: bytes.length, firstMessage: LENGTH_BYTES + (bytes[0]! << 8) + bytes[1]! });
      return write.apply(this, args as Parameters<typeof write>);
    } as typeof write;
    assert.ok(nodes[0].network.send('b', 'bulk', new Uint8Array(CHUNKS * CHUNK_BYTES)));
    await until('b has it', () => nodes[1].frames.length === 1);
    assert.equal(written.length, CHUNKS);
    for (const { bytes, firstMessage } of written) assert.equal(bytes, firstMessage);
  } finally {
    Socket.prototype.write = write;
    await stopAll(nodes);
  }
});

test('reading frames throws nothing', async () => {
  const nodes = [await startNode('a'), await startNode('b')] as const;
  const real = globalThis.RangeError;
  let made = 0;
  const count = <T>(value: T): T => {
    made++;
    return value;
  };
  try {
    for (const node of nodes) node.network.admit(listing(nodes));
    await until('a and b connect', () => isUp(nodes[0], 'b') && isUp(nodes[1], 'a'));
    globalThis.RangeError = new Proxy(real, {
      apply: (_target, _self, [text]) => count(real(text as string)),
      construct: (_target, [text]) => count(new real(text as string)),
    });
    for (let i = 0; i < FRAMES; i++) {
      assert.ok(nodes[0].network.send('b', 'votes', new Uint8Array(300).fill(i)));
      const { length } = nodes[1].frames;
      while (nodes[1].frames.length === length) await nextTurn();
    }
    assert.ok(nodes[0].network.send('b', 'bulk', new Uint8Array(CHUNKS * CHUNK_BYTES)));
    await until('b has it', () => nodes[1].frames.length === FRAMES + 1);
    assert.equal(made, 0);
  } finally {
    globalThis.RangeError = real;
    await stopAll(nodes);
  }
});
