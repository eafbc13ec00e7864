/** Table A.1: the record as printed is accepted, each of the eight parameters is required, and `token` is checked and not stored. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Probe } from '../clause.ts';
import { rawBlock } from '../blocks.ts';
import type { Answer, Envelope, ProbeContext } from '../context.ts';
import { type Fields, type Format, production, submit, write } from '../records.ts';

/** The 17 names as printed, those of a struct behind it. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  production_time: [],
  production_location: [],
  product_uid: [],
  pro_raw_material: ['pro_supplier', 'pro_batch_number', 'pro_Report_qualify_eval'],
  propara: ['pro_temperature', 'pro_humidity', 'pro_pressure'],
  pro_op_info: ['pro_op_name', 'pro_op_id', 'pro_op_record'],
  pro_factory_uid: [],
  token: [],
};
const TYPES: Readonly<Record<Format, string>> = { json: 'application/json', xml: 'application/xml', csv: 'text/csv' };

/** The seven parameters and the token, nothing beside them. */
function printed(context: ProbeContext): Fields & { readonly token: string } {
  const { ext: _beside, ...record } = production(context);
  return { ...record, token: context.actor.token };
}

/** As the table has it: the token stands in the body and nowhere else. */
function send(context: ProbeContext, record: Fields, format: Format = 'json', token: string | null = null): Promise<Answer> {
  return context.call(context.actor.node, 'POST', 'records', { token, body: write(record, format), type: TYPES[format] });
}

function without(record: Fields, name: string): Fields {
  const { [name]: _left, ...rest } = record;
  return rest;
}

/** The same token with another last-but-one character: still well-formed, no longer signed. */
function wrong(token: string): string {
  const at = token.length - 2;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

/** Records of a product once the index has reached what was final before. */
async function stored(context: ProbeContext, record: Fields): Promise<readonly Envelope['data'][]> {
  const { height } = await submit(context, production(context));
  const material = record.pro_raw_material as Fields | undefined;
  const page = await context.get(context.actor.node, 'records', {
    ...(record.product_uid === undefined
      ? { materialBatch: material!.pro_batch_number as string }
      : { product: record.product_uid as string }),
    atLeastHeight: height,
    waitMs: 20_000,
  });
  return page.items;
}

export const probe: Probe = {
  id: 'A.1',
  async prove(context) {
    for (const format of ['json', 'xml', 'csv'] as const) {
      const record = printed(context);
      assert.deepEqual(Object.keys(record).sort(), Object.keys(TABLE).sort());
      for (const [name, members] of Object.entries(TABLE))
        assert.deepEqual(typeof record[name] === 'string' ? [] : Object.keys(record[name] as Fields).sort(), [...members].sort(), name);
      const answer = await send(context, record, format);
      assert.equal(answer.status, 200, `${format}: ${answer.text.slice(0, 400)}`);
      const { height, records } = answer.json.data;
      await neverStored(records[0].id, height, record);
    }
    for (const name of Object.keys(TABLE)) {
      const record = printed(context);
      const answer = await send(context, without(record, name));
      if (name === 'token') {
        assert.deepEqual([answer.status, answer.json.code], [401, 'TOKEN_MISSING']);
        assert.match(answer.json.message, /token/);
      } else {
        assert.deepEqual([answer.status, answer.json.code], [422, 'RECORD_FIELD_MISSING'], `${name}: ${answer.text.slice(0, 300)}`);
        assert.deepEqual(
          answer.json.details.map((detail) => detail.name),
          [name],
          'the missing one is named, and no other',
        );
      }
      assert.deepEqual(await stored(context, without(record, name)), [], `nothing was stored without ${name}`);
    }
    for (const [name, members] of Object.entries(TABLE)) {
      if (name === 'token') continue;
      const record = printed(context);
      const answer = await send(context, { ...record, [name]: members.length > 0 ? 'text' : { text: 'text' } });
      assert.deepEqual([answer.status, answer.json.code], [422, 'RECORD_FIELD_TYPE'], `${name} of another type`);
    }
    for (const token of [wrong(context.actor.token), 'x', '']) {
      const record = { ...printed(context), token };
      const answer = await send(context, record);
      assert.equal(answer.status, 401, `a wrong token: ${answer.text.slice(0, 300)}`);
      assert.deepEqual(await stored(context, record), []);
    }

    /** Neither the token nor a digest of it is in the record, its history, its proof or the block that holds it. */
    async function neverStored(id: string, height: number, record: Fields & { readonly token: string }): Promise<void> {
      const signature = record.token.slice(-40);
      const traces = [record.token, signature, createHash('sha256').update(record.token).digest('hex')];
      for (const path of [`records/${id}`, `records/${id}/history`, `records/${id}/proof`]) {
        const data = await context.get(context.actor.node, path);
        for (const trace of traces) assert.equal(JSON.stringify(data).includes(trace), false, `${path} holds the token`);
      }
      const data = await context.get(context.actor.node, `records/${id}`);
      assert.equal(Object.hasOwn(data.record, 'token'), false);
      for (const [name, value] of Object.entries(without(record, 'token')))
        if (name !== 'pro_op_info') assert.deepEqual(data.record[name], value, `${name} is stored as it was sent`);
      const block = await rawBlock(context, height, context.actor.node);
      for (const trace of traces) assert.equal(block.includes(trace), false, 'the block holds the token');
    }
  },
  async twin(context) {
    const misspelled = printed(context);
    const { pro_raw_material: material, ...rest } = misspelled;
    const { pro_Report_qualify_eval: report, ...members } = material as Fields;
    const answer = await send(context, { ...rest, pro_raw_material: { ...members, pro_report_qualify_eval: report! } });
    assert.equal(answer.status, 422, 'a name that is not spelled as printed is refused');
    assert.ok(answer.json.details.some(({ nearest }) => nearest === 'pro_Report_qualify_eval'));
    const other = context.actorWith('operator', context.actor.organisation);
    const twice = await send(context, printed(context), 'json', other.token);
    assert.equal(twice.json.code, 'TOKEN_CONFLICT', 'a token in the body is compared with the one in the header');
    assert.equal(twice.text.includes(other.token), false);
    const record = printed(context);
    assert.equal((await send(context, record)).status, 200);
    assert.equal((await stored(context, record)).length, 1, 'what was refused above would have been found');
  },
};
