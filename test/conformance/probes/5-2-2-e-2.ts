/** SHA-256, named in every receipt and record. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { canonical, production, sha256, submit } from '../records.ts';
import { createHash } from 'node:crypto';

export const probe: Probe = {
  id: '5.2.2.e-2',
  async prove(context) {
    const record = production(context);
    const receipt = await submit(context, record);
    const row = await context.get(context.actor.node, `records/${receipt.records[0].id}`);
    assert.equal(receipt.records[0].digestAlg, 'SHA-256');
    assert.equal(row.digestAlg, 'SHA-256');
    assert.equal(row.recordDigest, sha256(canonical(row.record)));
  },
  async twin(context) {
    const record = production(context);
    const receipt = await submit(context, record);
    for (const other of ['sha512-256', 'sha3-256'])
      assert.notEqual(
        receipt.records[0].contentDigest,
        createHash(other).update(canonical(record)).digest('hex'),
        `not ${other} under another name`,
      );
  },
};
