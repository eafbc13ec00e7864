/** A status call shows proposals, verifications and votes of the current round, and they move when the chain does. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { Envelope, ProbeContext } from '../context.ts';
import { production, submit } from '../records.ts';

const COUNTS = ['proposals', 'verifications'] as const;

const WATCHED_MS = 120_000; // at most; it ends when both were seen, after a few blocks

/** Rounds as all nodes show them while records are sent, until votes of both phases were seen. */
async function watched(context: ProbeContext): Promise<readonly Envelope['data'][]> {
  const seen: Envelope['data'][] = [];
  const endMs = Date.now() + WATCHED_MS;
  while (Date.now() < endMs) {
    const sent = submit(context, production(context));
    let done = false;
    const finished = sent.finally(() => {
      done = true;
    });
    while (!done) seen.push(...(await Promise.all(context.net.nodes.map(async (_, node) => (await context.get(node, 'consensus')).round))));
    await finished;
    if (
      ['prepare', 'commit'].every((phase) => seen.some(({ votes }) => votes[phase] > 0)) &&
      new Set(seen.map(({ height }) => height)).size > 2
    )
      break;
  }
  return seen;
}

export const probe: Probe = {
  id: '5.1.3.a',
  async prove(context) {
    const before = await Promise.all(context.net.nodes.map(async (_, node) => (await context.get(node, 'consensus')).round));
    const seen = await watched(context);
    for (const phase of ['prepare', 'commit'])
      assert.ok(
        seen.some((round) => round.votes[phase] > 0),
        `${phase} votes of a round in progress are shown`,
      );
    assert.ok(new Set(seen.map((round) => round.height)).size > 1, 'the round shown is the current one');
    const height = await context.height(context.actor.node);
    await context.allAt(height);
    const after = await Promise.all(context.net.nodes.map(async (_, node) => (await context.get(node, 'consensus')).round));
    let took = 0;
    for (const [node, round] of after.entries()) {
      for (const name of COUNTS) assert.equal(Number.isSafeInteger(round[name]), true, `node ${node} shows ${name}`);
      for (const phase of ['prepare', 'commit', 'viewChange'])
        assert.equal(Number.isSafeInteger(round.votes[phase]), true, `node ${node} shows votes`);
      if (round.verifications > before[node].verifications || round.proposals > before[node].proposals) took++;
      assert.equal(
        context.genesis.nodes.some(({ id }) => id === round.primary),
        true,
      );
      assert.equal(round.height >= height, true);
    }
    assert.equal(took >= 3, true, 'a quorum took part');
    const proposed = after.reduce((sum, round, node) => sum + round.proposals - before[node].proposals, 0);
    assert.equal(proposed >= 1, true, 'somebody proposed what was decided');
  },
  async twin(context) {
    const nobody = await context.call(context.actor.node, 'GET', 'consensus', { token: null });
    assert.equal(nobody.status, 401, 'and nobody without a token sees it');
  },
};
