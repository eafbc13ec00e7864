import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isUp, listing, startNode, stopAll, until } from './cluster.ts';

test('votes that are sent together leave in one write, before the turn is over', async () => {
  const nodes = [await startNode('a'), await startNode('b')] as const;
  const { write } = Socket.prototype;
  try {
    for (const node of nodes) node.network.admit(listing(nodes));
    await until('a and b connect', () => isUp(nodes[0], 'b') && isUp(nodes[1], 'a'));
    await nextTurn();
    let writes = 0;
    Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
      writes++;
      return write.apply(this, args as Parameters<typeof write>);
    } as typeof write;
    for (let i = 0; i < 3; i++) assert.ok(nodes[0].network.send('b', 'votes', new Uint8Array(300).fill(i)));
    assert.equal(writes, 0);
    await undefined;
    assert.equal(writes, 1);
    await until('b has them', () => nodes[1].frames.length === 3);
  } finally {
    Socket.prototype.write = write;
    await stopAll(nodes);
  }
});
