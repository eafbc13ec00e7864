/** A submission whose stated digest does not match its body is refused; nothing is stored. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import { canonical, find, production, sha256, submit, trySubmit } from '../records.ts';

export const probe: Probe = {
  id: '6.1.1.b',
  async prove(context) {
    const record = production(context);
    const wrong = sha256(context.random('x'));
    const refused = await trySubmit(context, record, { query: { digest: wrong } });
    assert.deepEqual(
      [refused.status >= 400 && refused.status < 500, JSON.stringify(refused.json).includes('RECORD_DIGEST_MISMATCH')],
      [true, true],
      refused.text.slice(0, 400),
    );
    const marker = await submit(context, production(context));
    assert.deepEqual(await find(context, { product: String(record.product_uid) }, marker.height), [], 'nothing was stored');
    const stored = await submit(context, record);
    assert.equal(stored.records[0].status, 'stored', 'so the record is new when it comes with nothing stated');
  },
  async twin(context) {
    const record = production(context);
    const stored = await submit(context, record, { query: { digest: sha256(canonical(record)) } });
    assert.equal(stored.records[0].status, 'stored', 'the right digest is accepted');
  },
};
