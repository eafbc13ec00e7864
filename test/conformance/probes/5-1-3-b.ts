/** A block altered in one byte is refused with the failed check named; the height does not change by it. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { failed, judge, rawBlock } from '../blocks.ts';
import { production, submit } from '../records.ts';

export const probe: Probe = {
  id: '5.1.3.b',
  async prove(context) {
    const { height } = await submit(context, production(context));
    const bytes = await rawBlock(context, height);
    for (let i = 0; i < 8; i++) {
      const altered = Uint8Array.from(bytes);
      const at = context.integer(0, altered.length - 1);
      altered[at]! ^= 1 << context.integer(0, 7);
      const answer = await context.call(0, 'POST', 'blocks/validation', { body: altered, type: 'application/octet-stream' });
      if (answer.status === 200)
        assert.notDeepEqual(failed(answer.json.data.checks), [], `byte ${at} of ${bytes.length} was changed unnoticed`);
      else assert.equal(answer.json.code, 'BLOCK_MALFORMED', `byte ${at}: ${answer.text.slice(0, 200)}`);
      assert.deepEqual(await rawBlock(context, height), bytes, 'the chain still holds the true block');
    }
  },
  async twin(context) {
    const { height } = await submit(context, production(context));
    assert.deepEqual(failed(await judge(context, await rawBlock(context, height))), [], 'the unaltered block passes every check');
  },
};
