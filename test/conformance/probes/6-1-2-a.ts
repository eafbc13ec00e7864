/** Time, device id and production batch, each alone, select the expected records. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { Envelope, ProbeContext } from '../context.ts';
import { type Fields, find, production, submit } from '../records.ts';

/** Two records a year apart in a time that no other probe uses. */
async function pair(context: ProbeContext): Promise<{ near: Fields; far: Fields; height: number; ids: readonly [string, string] }> {
  const second = () => context.integer(1_000_000_000, 1_100_000_000);
  const near = { ...production(context), production_time: new Date(second() * 1000).toISOString() };
  const far = { ...production(context), production_time: new Date((second() + 200_000_000) * 1000).toISOString() };
  const first = await submit(context, near);
  const last = await submit(context, far);
  return { near, far, height: last.height, ids: [first.records[0].id, last.records[0].id] };
}

/** Every record of a device, page by page. */
async function allOf(context: ProbeContext, device: string, height: number): Promise<readonly Envelope['data'][]> {
  const rows: Envelope['data'][] = [];
  for (let after: string | undefined; ; ) {
    const query = { device, limit: 1_000, atLeastHeight: height, waitMs: 20_000, ...(after === undefined ? {} : { after }) };
    const page = await context.get(context.actor.node, 'records', query);
    rows.push(...page.items);
    if (page.next === null) return rows;
    after = page.next;
  }
}

const idsOf = (rows: readonly { id: string }[]) => rows.map((row) => row.id);

export const probe: Probe = {
  id: '6.1.2.a',
  async prove(context) {
    const { near, far, height, ids } = await pair(context);
    const batch = (record: Fields) => String((record.ext as Fields).production_batch);
    assert.deepEqual(idsOf(await find(context, { productionBatch: batch(near) }, height)), [ids[0]]);
    assert.deepEqual(idsOf(await find(context, { productionBatch: batch(far) }, height)), [ids[1]]);
    const time = Date.parse(String(near.production_time));
    const span = { from: new Date(time).toISOString(), to: new Date(time + 1_000).toISOString() };
    assert.deepEqual(idsOf(await find(context, span, height)), [ids[0]]);
    const other = context.actorWith('operator', context.actor.organisation);
    assert.notEqual(other.device, context.actor.device);
    const foreign = await submit(context, production(context, other), { actor: other });
    const listed = await allOf(context, context.actor.device, foreign.height);
    assert.deepEqual(
      ids.filter((id) => !listed.some((row) => row.id === id)),
      [],
      'both records are among those of their device',
    );
    assert.ok(
      listed.every((row) => [row.record.ext?.device_id, row.record.device_id].includes(context.actor.device)),
      'and no other is',
    );
    const others = await allOf(context, other.device, foreign.height);
    assert.deepEqual(
      others.filter(({ id }) => [foreign.records[0].id, ...ids].includes(id)).map(({ id }) => id),
      [foreign.records[0].id],
      'the other device has its own',
    );
  },
  async twin(context) {
    const { near, height } = await pair(context);
    const time = Date.parse(String(near.production_time));
    assert.deepEqual(await find(context, { productionBatch: context.random('PB') }, height), []);
    assert.deepEqual(await find(context, { device: context.random('D') }, height), []);
    const before = { from: new Date(time - 10_000).toISOString(), to: new Date(time - 1).toISOString() };
    const found = await find(context, before, height);
    assert.equal(
      found.some((row) => row.record.product_uid === near.product_uid),
      false,
      'a period that ends a millisecond earlier does not hold it',
    );
    const refused = await context.call(context.actor.node, 'GET', 'records', { query: { devise: 'x' } });
    assert.deepEqual([refused.status, refused.text.includes('device')], [400, true], 'a wrong name is refused, and the right one named');
  },
};
