/** Production, equipment and quality data come back unchanged, each with its block reference. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { ProbeContext } from '../context.ts';
import { device, type Fields, production, quality, submit, unsealed } from '../records.ts';

function kinds(context: ProbeContext): readonly (readonly [string, Fields])[] {
  return [
    ['production', production(context)],
    ['device', device(context)],
    ['quality', quality(context)],
  ];
}

export const probe: Probe = {
  id: '5.1.1.b',
  async prove(context) {
    for (const [name, record] of kinds(context)) {
      const receipt = await submit(context, record, { class: name });
      const row = await context.get(context.actor.node, `records/${receipt.records[0].id}`);
      assert.equal(row.class, name);
      assert.deepEqual(unsealed(row.record), unsealed(record), `${name}: what comes back is what went in`);
      assert.deepEqual(
        [row.block.height, row.block.hash, row.block.transactionId],
        [receipt.height, receipt.blockHash, receipt.transactionId],
      );
    }
  },
  async twin(context) {
    const unknown = await context.call(context.actor.node, 'GET', `records/${'ab'.repeat(32)}`);
    assert.equal(unknown.status, 404, 'a record that was never submitted is not found');
    const [first, second] = [production(context), production(context)];
    const receipt = await submit(context, first);
    const row = await context.get(context.actor.node, `records/${receipt.records[0].id}`);
    assert.notDeepEqual(unsealed(row.record), unsealed(second), 'the comparison tells two records apart');
  },
};
