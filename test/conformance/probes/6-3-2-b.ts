/** A block older than its parent, or beyond the allowed clock drift, fails. */
import type { Probe } from '../clause.ts';
import { assertCheck, fullBlock, judge, rawBlock, withHeader, openBlock } from '../blocks.ts';
import { production, submit } from '../records.ts';

const YEAR_MS = 31_536_000_000;

export const probe: Probe = {
  id: '6.3.2.b',
  async prove(context) {
    const { height } = await submit(context, production(context));
    const block = await fullBlock(context, height);
    const parent = openBlock(await rawBlock(context, height - 1));
    const older = parent.header.timestampMs - context.integer(1, 1_000);
    assertCheck(await judge(context, withHeader(block, { timestampMs: older })), /time/i, false);
    assertCheck(await judge(context, withHeader(block, { timestampMs: Date.now() + YEAR_MS })), /time/i, false);
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    assertCheck(await judge(context, await fullBlock(context, height)), /time/i, true);
  },
};
