/** The reviewer recomputes the header hash from the served header; a changed header fails. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { assertCheck, failed, fullBlock, hashOf, judge, withHeader } from '../blocks.ts';
import { production, submit } from '../records.ts';

export const probe: Probe = {
  id: '6.3.2.c',
  async prove(context) {
    const { height, blockHash } = await submit(context, production(context));
    const block = await fullBlock(context, height);
    assert.equal(hashOf(block.header), blockHash, 'the hash recomputed is the hash named by the receipt');
    const changes = [
      { proposer: `${block.header.proposer}x` },
      { stateRoot: Uint8Array.from(block.header.stateRoot, (byte) => byte ^ 1) },
      { timestampMs: block.header.timestampMs + 1 },
    ];
    for (const change of changes) {
      const altered = withHeader(block, change);
      assert.notEqual(hashOf(altered.header), blockHash);
      assert.notDeepEqual(failed(await judge(context, altered)), [], `a header with another ${Object.keys(change)[0]} passed`);
      assertCheck(await judge(context, altered), /header.*hash/i, false);
    }
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    assertCheck(await judge(context, await fullBlock(context, height)), /header.*hash/i, true);
  },
};
