/** A node that starts empty reaches the same height and the same head hash. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rawBlock } from '../blocks.ts';
import type { Probe } from '../clause.ts';
import type { ProbeContext } from '../context.ts';
import { readRawBlock } from '../independent.ts';
import { production, submit } from '../records.ts';

/** Number of the node that is emptied; not the one that the probes write through. */
function emptied(context: ProbeContext): number {
  const last = context.net.nodes.length - 1;
  return context.actor.node === last ? 0 : last;
}

export const probe: Probe = {
  id: '5.1.4.b',
  async prove(context) {
    const { nodes } = context.net;
    const index = emptied(context);
    const node = nodes[index]!;
    await node.kill();
    const config = JSON.parse(readFileSync(join(node.dir, 'node.json'), 'utf8')) as { dataDir?: string };
    const data = resolve(node.dir, config.dataDir ?? 'data');
    assert.equal(existsSync(data), true, `${data} holds the node's data`);
    renameSync(data, `${data}.before`);
    const { height, blockHash } = await submit(context, production(context));
    await node.restart();
    await context.allAt(height, [index]);
    let parent = '';
    for (let at = 1; at <= height; at++) {
      const [own, other] = [
        readRawBlock(await rawBlock(context, at, index)),
        readRawBlock(await rawBlock(context, at, context.actor.node)),
      ];
      assert.deepEqual(own.block, other.block, `block ${at} is the same to the byte, but for the certificate, which may hold other votes`);
      if (parent !== '') assert.equal(own.header.fields.parentHash!.bytes.toString('hex'), parent, `block ${at} follows the one before`);
      parent = own.header.hash;
    }
    assert.equal(parent, blockHash, 'the head hash recomputed from what the node serves is that of the receipt');
    assert.equal((await context.get(index, `blocks/${height}`)).hash, blockHash);
  },
  async twin(context) {
    const { nodes } = context.net;
    const index = emptied(context);
    await nodes[index]!.kill();
    const { height } = await submit(context, production(context));
    await assert.rejects(context.height(index), 'a node that is away answers nothing, so it was the synchronisation that brought it up');
    await nodes[index]!.restart();
    await context.allAt(height, [index]);
  },
};
