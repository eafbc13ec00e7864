/** Records for probes: random ones of each class, the same one in three formats, submission that must succeed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Actor, Answer, Envelope, ProbeContext } from './context.ts';

export type Fields = { readonly [name: string]: string | Fields };
export type Format = 'json' | 'xml' | 'csv';
const TYPES: Readonly<Record<Format, string>> = { json: 'application/json', xml: 'application/xml', csv: 'text/csv' };

/** A production record of annex A, all eight parameters but the token, with a device and a batch beside them. */
export function production(context: ProbeContext, actor: Actor = context.actor): Fields {
  return {
    production_time: new Date(Date.now() - context.integer(1_000, 86_400_000)).toISOString(),
    production_location: `Kunming, line ${context.integer(1, 99)}`,
    product_uid: context.random('SN'),
    pro_raw_material: {
      pro_supplier: context.random('S'),
      pro_batch_number: context.random('MB'),
      pro_Report_qualify_eval: context.random('QR'),
    },
    propara: {
      pro_temperature: `${context.integer(10, 90)}.${context.integer(1, 9)}`,
      pro_humidity: `${context.integer(10, 90)}`,
      pro_pressure: '101.3',
    },
    pro_op_info: { pro_op_name: context.random('Li'), pro_op_id: context.random('E'), pro_op_record: 'assembled & "tested", <twice>' },
    pro_factory_uid: actor.factory,
    ext: { device_id: actor.device, production_batch: context.random('PB') },
  };
}

export function device(context: ProbeContext, actor: Actor = context.actor): Fields {
  return {
    device_id: actor.device,
    status: 'running',
    begin_time: new Date(Date.now() - context.integer(1_000, 86_400_000)).toISOString(),
    factory_uid: actor.factory,
  };
}

export function quality(context: ProbeContext): Fields {
  return {
    report_id: context.random('QR'),
    product_uid: context.random('SN'),
    start_time: new Date(Date.now() - context.integer(1_000, 86_400_000)).toISOString(),
    checker_id: context.random('C'),
    verdict: 'pass',
  };
}

/** The canonical text of a record whose leaves are texts is JSON with sorted names (RFC 8785): written here anew, so that nothing of ours vouches for itself. */
export function canonical(value: string | Fields): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return `{${Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name]!)}`)
    .join(',')}}`;
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export function write(record: Fields, format: Format): string {
  switch (format) {
    case 'json':
      return JSON.stringify(record);
    case 'xml':
      return `<?xml version="1.0" encoding="UTF-8"?>\n<record>${xml(record)}</record>`;
    case 'csv': {
      const cells = flat(record, '');
      return `${cells.map(([name]) => quote(name)).join(',')}\r\n${cells.map(([, value]) => quote(value)).join(',')}\r\n`;
    }
  }
}

function xml(record: Fields): string {
  const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return Object.entries(record)
    .map(([name, value]) => `<${name}>${typeof value === 'string' ? escaped(value) : xml(value)}</${name}>`)
    .join('');
}

/** Columns are named by their path: `propara.pro_pressure`, `ext.device_id`. */
function flat(record: Fields, prefix: string): [string, string][] {
  return Object.entries(record).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' ? [[`${prefix}${name}`, value]] : flat(value, `${prefix}${name}.`),
  );
}

function quote(text: string): string {
  return `"${text.replace(/"/g, '""')}"`;
}

export interface SubmitOptions {
  readonly actor?: Actor;
  readonly class?: string;
  readonly format?: Format;
  readonly query?: Readonly<Record<string, string | number>>;
}

export function trySubmit(context: ProbeContext, record: Fields, options: SubmitOptions = {}): Promise<Answer> {
  const actor = options.actor ?? context.actor;
  const format = options.format ?? 'json';
  return context.call(actor.node, 'POST', 'records', {
    token: actor.token,
    body: write(record, format),
    type: TYPES[format],
    query: { ...(options.class === undefined ? {} : { class: options.class }), ...options.query },
  });
}

/** Submits and waits until the block is final; the receipt. */
export async function submit(context: ProbeContext, record: Fields, options: SubmitOptions = {}): Promise<Envelope['data']> {
  const answer = await trySubmit(context, record, options);
  assert.equal(answer.status, 200, answer.text.slice(0, 600));
  assert.equal(answer.json.data.status, 'confirmed');
  return answer.json.data;
}

/** Everything of a record that is not sealed, for comparing what went in with what comes out. */
export function unsealed(record: Fields, sealed: readonly string[] = ['pro_op_info', 'checker_id']): Fields {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !sealed.includes(name)));
}

/** Rows found by a query, waiting until the index has reached `height`. */
export async function find(
  context: ProbeContext,
  query: Readonly<Record<string, string | number>>,
  height: number,
): Promise<readonly Envelope['data'][]> {
  const page = await context.get(context.actor.node, 'records', { ...query, atLeastHeight: height, waitMs: 20_000 });
  return page.items;
}
