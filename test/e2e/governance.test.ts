/**
 * The organisations of a chain of five validators vote one node out and in again, and change a parameter: the four others go on without it, it says of
 * itself that it is expelled, and once resumed it is at the same head and votes again.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS } from '../conformance/context.ts';
import { passProposal } from '../conformance/governance.ts';
import { production, submit } from '../conformance/records.ts';
import { oneHead, startTestNet } from './net.ts';

const NODES = 5;
const EXPELLED = 4; // index of the second node of the first organisation; no account signs there
/** More than the time an expelled node is still heard. */
const WATCH_MS = 15_000;

test('a node voted out by the organisations is cut off and says so, and voted in again it catches up and takes part', async () => {
  const { net, context, stop } = await startTestNet('governance', { nodes: NODES });
  try {
    const { id } = context.genesis.nodes[EXPELLED]!;
    const readiness = async (node: number) => (await context.call(node, 'GET', '/readyz', { token: null })).text;
    const validators = async (node: number): Promise<number> => Number(/ of ([0-9]+) validators/.exec(await readiness(node))?.[1]);
    assert.equal(await validators(0), NODES);
    await submit(context, production(context));

    await passProposal(context, { kind: 'suspendNode', id });
    await context.until('the node to say that it is expelled', PATIENCE_MS, async () =>
      (await readiness(EXPELLED)).includes('NODE_EXPELLED'),
    );
    await context.until('four validators', PATIENCE_MS, async () => (await validators(0)) === NODES - 1);
    await sleep(WATCH_MS);
    const cutAt = await context.height(EXPELLED);
    const { items } = await context.get(EXPELLED, 'alarms');
    assert.equal(items.filter((alarm: { kind: string }) => alarm.kind === 'NODE_EXPELLED').length, 1);
    assert.equal((await context.get(0, `nodes/${id}`)).state, 'suspended');
    const record = await submit(context, production(context));
    for (const node of [0, 1, 2, 3]) {
      await context.allAt(record.height, [node]);
      const peers = (await context.get(node, 'peers')).items as { node: string; connected: boolean }[];
      assert.equal(
        peers.some((peer) => peer.node === id && peer.connected),
        false,
        `node ${node} is not connected to it`,
      );
    }
    assert.ok((await context.height(EXPELLED)) <= cutAt + 1, 'it gets no block any more');

    const viewTimeoutMs = randomInt(2_500, 5_000);
    await passProposal(context, { kind: 'setParameter', name: 'viewTimeoutMs', value: viewTimeoutMs });
    await passProposal(context, { kind: 'resumeNode', id });
    await context.until('the node to be a member again', PATIENCE_MS, async () => !(await readiness(EXPELLED)).includes('NODE_EXPELLED'));
    const later = await submit(context, production(context));
    const height = await oneHead(net, context, later.height);
    assert.ok(height >= later.height);
    for (const node of net.nodes.keys()) {
      assert.equal(await validators(node), NODES);
      const parameters = (await context.get(node, 'governance/parameters')).items as { name: string; value: number }[];
      assert.equal(
        parameters.find(({ name }) => name === 'viewTimeoutMs')?.value,
        viewTimeoutMs,
        `node ${node} holds what was voted meanwhile`,
      );
    }
    // With one of the five down a quorum of four needs the node's vote.
    await net.nodes[1]!.kill('SIGKILL');
    const voted = await submit(context, production(context));
    assert.ok(voted.height > later.height);
  } finally {
    await stop();
  }
});
