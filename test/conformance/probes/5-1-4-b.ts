/** A node that starts empty reaches the same height and the same head hash. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { encodeBlock } from '../../../node/format/index.ts';
import { openBlock, rawBlock } from '../blocks.ts';
import type { Probe } from '../clause.ts';
import { production, submit } from '../records.ts';

/** The node that is emptied; not the one that the probes write through. */
const LAST = -1;

export const probe: Probe = {
  id: '5.1.4.b',
  async prove(context) {
    const { nodes } = context.net;
    const index = context.actor.node === nodes.length - 1 ? 0 : nodes.length - 1;
    const node = nodes.at(index === 0 ? 0 : LAST)!;
    await node.kill();
    const config = JSON.parse(readFileSync(join(node.dir, 'node.json'), 'utf8')) as { dataDir?: string };
    const data = resolve(node.dir, config.dataDir ?? 'data');
    assert.equal(existsSync(data), true, `${data} holds the node's data`);
    renameSync(data, `${data}.before`);
    const { height } = await submit(context, production(context));
    await node.restart();
    await context.allAt(height, [index]);
    for (const at of [1, Math.ceil(height / 2), height])
      assert.deepEqual(await bytesOf(index, at), await bytesOf(context.actor.node, at), `block ${at} is the same to the byte`);

    /** Without the certificate, which may hold other votes on every honest node. */
    async function bytesOf(of: number, at: number): Promise<Uint8Array> {
      return encodeBlock(openBlock(await rawBlock(context, at, of)));
    }
  },
  async twin(context) {
    const { nodes } = context.net;
    const index = context.actor.node === 1 ? 2 : 1;
    await nodes[index]!.kill();
    const { height } = await submit(context, production(context));
    await assert.rejects(context.height(index), 'a node that is away answers nothing, so it was the synchronisation that brought it up');
    await nodes[index]!.restart();
    await context.allAt(height, [index]);
  },
};
