/** A block older than its parent, or beyond the allowed clock drift, fails; the least step over either bound counts. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { assertCheck, fullBlock, judge, openBlock, rawBlock, withHeader } from '../blocks.ts';
import type { ProbeContext } from '../context.ts';
import { production, submit } from '../records.ts';

const TIME_CHECK = /time/i;
const YEAR_MS = 31_536_000_000;
const CALL_MS = 5_000; // a call takes less, so a time so much further ahead is still ahead when it is judged

async function driftMaxMs(context: ProbeContext): Promise<number> {
  const data = await context.get(context.actor.node, 'governance/parameters');
  const found = /"clockDriftMaxMs":(?:\{[^{}]*?"value":)?(\d+)|"name":"clockDriftMaxMs"[^{}]*?"value":(\d+)/.exec(JSON.stringify(data));
  assert.ok(found, 'the chain states how far a clock may be off');
  return Number(found[1] ?? found[2]);
}

export const probe: Probe = {
  id: '6.3.2.b',
  async prove(context) {
    const drift = await driftMaxMs(context);
    const { height } = await submit(context, production(context));
    await context.allAt(height);
    const block = await fullBlock(context, height);
    const parent = openBlock(await rawBlock(context, height - 1));
    for (const node of context.net.nodes.keys()) {
      for (const older of [parent.header.timestampMs - 1, parent.header.timestampMs - context.integer(2, 100_000), 0])
        assertCheck(await judge(context, withHeader(block, { timestampMs: older }), node), TIME_CHECK, false);
      for (const ahead of [drift + CALL_MS, drift + YEAR_MS])
        assertCheck(await judge(context, withHeader(block, { timestampMs: Date.now() + ahead }), node), TIME_CHECK, false);
    }
  },
  async twin(context) {
    const drift = await driftMaxMs(context);
    const { height } = await submit(context, production(context));
    await context.allAt(height);
    const block = await fullBlock(context, height);
    const parent = openBlock(await rawBlock(context, height - 1));
    for (const node of context.net.nodes.keys()) {
      assertCheck(await judge(context, block, node), TIME_CHECK, true);
      for (const time of [parent.header.timestampMs, Date.now() + Math.floor(drift / 2)])
        assertCheck(await judge(context, withHeader(block, { timestampMs: time }), node), TIME_CHECK, true);
    }
  },
};
