/** The answer to a submission carries the digest, which the reviewer recomputes from the canonical text of the input. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { canonical, production, sha256, submit } from '../records.ts';

export const probe: Probe = {
  id: '5.2.2.e-1',
  async prove(context) {
    const record = production(context);
    const receipt = await submit(context, record);
    const [stored] = receipt.records;
    assert.equal(stored.contentDigest, sha256(canonical(record)), 'over what was submitted, sorted names, no space');
    const row = await context.get(context.actor.node, `records/${stored.id}`);
    assert.equal(
      stored.recordDigest,
      sha256(canonical(row.record)),
      'the digest on chain covers what is served, sealed fields as commitments',
    );
    assert.equal(row.recordDigest, stored.recordDigest);
  },
  async twin(context) {
    const record = production(context);
    const receipt = await submit(context, record);
    const changed = { ...record, production_location: `${record.production_location} ` };
    assert.notEqual(receipt.records[0].contentDigest, sha256(canonical(changed)), 'one blank more is another digest');
  },
};
