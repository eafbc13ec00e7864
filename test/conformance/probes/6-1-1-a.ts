/** The same record as JSON, XML and CSV gives the same stored content and the same digest. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { type Format, production, submit, trySubmit } from '../records.ts';

const FORMATS: readonly Format[] = ['json', 'xml', 'csv'];

export const probe: Probe = {
  id: '6.1.1.a',
  async prove(context) {
    const record = production(context);
    const receipts = [];
    for (const format of FORMATS) receipts.push((await submit(context, record, { format })).records[0]);
    for (const receipt of receipts) {
      const { id, contentDigest, recordDigest } = receipt;
      assert.deepEqual(
        { id, contentDigest, recordDigest },
        { id: receipts[0].id, contentDigest: receipts[0].contentDigest, recordDigest: receipts[0].recordDigest },
      );
    }
    assert.deepEqual(
      receipts.map((receipt) => receipt.status),
      ['stored', 'repeated', 'repeated'],
      'one record, stored once',
    );
    // Each format also first in line: what XML and CSV store is what JSON would have stored.
    for (const format of FORMATS.slice(1)) {
      const fresh = production(context);
      const first = (await submit(context, fresh, { format })).records[0];
      const again = (await submit(context, fresh)).records[0];
      assert.deepEqual([first.status, again.status, again.recordDigest], ['stored', 'repeated', first.recordDigest], format);
    }
  },
  async twin(context) {
    const record = production(context);
    const first = (await submit(context, record)).records[0];
    const other = { ...record, production_location: context.random('elsewhere') };
    const conflict = await trySubmit(context, other, { format: 'xml' });
    assert.deepEqual(
      [conflict.status, conflict.json.code],
      [409, 'RECORD_KEY_CONFLICT'],
      'other content under the same key is not the same record',
    );
    const fresh = (await submit(context, { ...other, product_uid: context.random('SN') }, { format: 'csv' })).records[0];
    assert.notEqual(fresh.contentDigest, first.contentDigest);
    for (const [format, body] of [
      ['application/json', '{"product_uid":'],
      ['application/xml', '<record><a></record>'],
      ['text/csv', 'a,b\n"1'],
    ] as const) {
      const refused = await context.call(context.actor.node, 'POST', 'records', { body, type: format });
      assert.equal(refused.status, 400, `${format}: what is not well-formed is refused`);
    }
  },
};
