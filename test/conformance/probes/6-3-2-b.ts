/** A block older than its parent, or beyond the allowed clock drift, fails; the least step over either bound counts. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { assertCheck, type Check, fullBlock, judge, openBlock, rawBlock, type SealedBlock, withHeader } from '../blocks.ts';
import type { ProbeContext } from '../context.ts';
import { production, submit } from '../records.ts';

const TIME_CHECK = /time/i;
const YEAR_MS = 31_536_000_000;
/** So much beyond the bound a time is still ahead when it is judged, unless the call took longer. */
const CALL_MS = 5_000;
const TRIES_MAX = 20;

async function driftMaxMs(context: ProbeContext): Promise<number> {
  const data = await context.get(context.actor.node, 'governance/parameters');
  const found = /"clockDriftMaxMs":(?:\{[^{}]*?"value":)?(\d+)|"name":"clockDriftMaxMs"[^{}]*?"value":(\d+)/.exec(JSON.stringify(data));
  assert.ok(found, 'the chain states how far a clock may be off');
  return Number(found[1] ?? found[2]);
}

/** What a node says of the block with a time so far ahead. On a busy machine a call may take long, and is made again: the time had come closer. */
async function judgedAhead(context: ProbeContext, block: SealedBlock, aheadMs: number, node: number): Promise<readonly Check[]> {
  for (let turn = 0; turn < TRIES_MAX; turn++) {
    const askedMs = Date.now();
    const checks = await judge(context, withHeader(block, { timestampMs: askedMs + aheadMs }), node);
    if (Date.now() - askedMs < CALL_MS) return checks;
  }
  return assert.fail(`no call took less than ${CALL_MS} ms`);
}

/** The bound of the clock, a final block and the one below it. */
async function judgedBlock(context: ProbeContext) {
  const drift = await driftMaxMs(context);
  const { height } = await submit(context, production(context));
  await context.allAt(height);
  return { drift, block: await fullBlock(context, height), parent: openBlock(await rawBlock(context, height - 1)) };
}

export const probe: Probe = {
  id: '6.3.2.b',
  async prove(context) {
    const { drift, block, parent } = await judgedBlock(context);
    for (const node of context.net.nodes.keys()) {
      for (const older of [parent.header.timestampMs - 1, parent.header.timestampMs - context.integer(2, 100_000), 0])
        assertCheck(await judge(context, withHeader(block, { timestampMs: older }), node), TIME_CHECK, false);
      for (const ahead of [drift + CALL_MS, drift + YEAR_MS])
        assertCheck(await judgedAhead(context, block, ahead, node), TIME_CHECK, false);
    }
  },
  async twin(context) {
    const { drift, block, parent } = await judgedBlock(context);
    for (const node of context.net.nodes.keys()) {
      assertCheck(await judge(context, block, node), TIME_CHECK, true);
      for (const time of [parent.header.timestampMs, Date.now() + Math.floor(drift / 2)])
        assertCheck(await judge(context, withHeader(block, { timestampMs: time }), node), TIME_CHECK, true);
    }
  },
};
