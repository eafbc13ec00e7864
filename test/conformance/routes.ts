/** Every operation of the interface registry as a call with real values, so that a row that says "every" is asked of every one. */
import assert from 'node:assert/strict';
import { deploy } from './contracts.ts';
import type { Answer, CallOptions, Envelope, ProbeContext } from './context.ts';
import { type Registered, registry } from './registry.ts';
import { production, submit } from './records.ts';

const CODE = `contract({ methods: { note(ctx, value) { ctx.put('value', value); } }, queries: { total() { return 7; } } });`;

export interface Operation {
  readonly row: Registered;
  /** With real values in its place parameters. */
  readonly path: string;
  /** Values of the query parameters that are required. */
  readonly query: Readonly<Record<string, string>>;
}

/** All operations that answer in the envelope; the stream, pages and measurements are stated to stand outside it. */
export async function operations(context: ProbeContext): Promise<readonly Operation[]> {
  const record = production(context);
  const receipt: Envelope['data'] = await submit(context, record);
  const address = await deploy(context, CODE);
  const { factory, node } = context.actor;
  const values: readonly (readonly [RegExp, string, string])[] = [
    [/\/records\//, 'id', receipt.records[0].id],
    [/\/trace\//, 'product_uid', String(record.product_uid)],
    [/\/transactions\//, 'id', receipt.transactionId],
    [/\/blocks\//, 'ref', String(receipt.height)],
    [/\/contracts\//, 'address', address],
    [/\/registry\//, 'kind', 'factory'],
    [/\/registry\//, 'id', factory],
    [/\/nodes\//, 'id', context.genesis.nodes[node]!.id],
    [/\/alarms\//, 'id', '1'],
    [/\/proposals\//, 'id', '00000001'],
  ];
  const rows = (await registry(context)).filter(
    ({ url, operationId }) => url.startsWith('/api/v1/') && !/openApi|stream/.test(operationId),
  );
  return rows.map((row) => {
    const path = row.url.replace(/:(\w+)/g, (_, name: string) => {
      const found = values.find(([place, member]) => member === name && place.test(row.url));
      assert.ok(found, `no value is known for ${name} of ${row.url}`);
      return encodeURIComponent(found[2]);
    });
    const required = row.parameters.filter((parameter) => parameter.in === 'query' && parameter.required);
    const query = Object.fromEntries(required.map(({ name, example }) => [name, String(example)]));
    return { row, path, query };
  });
}

/** Calls it with the first token of the devnet that has the right; the operator's comes first. */
export async function asAble(context: ProbeContext, { row, path, query }: Operation, options: CallOptions = {}): Promise<Answer> {
  let answer: Answer | undefined;
  for (const token of [context.actor.token, ...Object.values(context.net.tokens)]) {
    answer = await context.call(context.actor.node, row.method, path, { ...options, token, query: { ...query, ...options.query } });
    if (answer.status !== 403) return answer;
  }
  return answer!;
}
