/** Every query operation of the registry answers GET and changes nothing. */
import assert from 'node:assert/strict';
import type { Probe } from '../clause.ts';
import type { ProbeContext } from '../context.ts';
import { rawBlock } from '../blocks.ts';
import { readRawBlock } from '../independent.ts';
import { production, submit } from '../records.ts';
import { registry } from '../registry.ts';
import { asAble, type Operation, operations } from '../routes.ts';

/** Queries whose answers stand outside the envelope: pages, measurements, the description of the interface, the stream of events. */
async function plainQueries(context: ProbeContext, enveloped: readonly Operation[]): Promise<readonly Operation[]> {
  const known = new Set(enveloped.map(({ row }) => row.operationId));
  const rows = (await registry(context)).filter(({ method, operationId }) => method === 'GET' && !known.has(operationId));
  return rows.map((row) => ({ row, path: row.url, query: row.operationId === 'streamEvents' ? { fromHeight: '1' } : {} }));
}

/** Who sent the transactions of a block: the account stands behind the chain's id of 32 bytes, after its length. */
async function sendersOf(context: ProbeContext, height: number): Promise<readonly string[]> {
  const { transactions } = readRawBlock(await rawBlock(context, height, context.actor.node));
  return transactions.map(({ bytes }) => bytes.subarray(36, 36 + bytes.readUInt32BE(32)).toString());
}

export const probe: Probe = {
  id: '5.2.2.c-1',
  async prove(context) {
    const all = await operations(context);
    const from = await context.height(context.actor.node);
    const queries = all.filter(({ row }) => row.method === 'GET');
    assert.ok(queries.length > 20, `${queries.length} query operations`);
    const own = all.find(({ row }) => row.operationId === 'getRecord')!;
    const before = (await asAble(context, own)).json.data;
    for (const operation of queries) {
      const answer = await asAble(context, operation);
      assert.equal(answer.status, 200, `GET ${operation.path} answered ${answer.status}: ${answer.text.slice(0, 200)}`);
    }
    const plain = await plainQueries(context, queries);
    assert.ok(plain.some(({ row }) => row.operationId === 'streamEvents'));
    for (const operation of plain) {
      const [accept = 'application/json'] = operation.row.answers.outsideEnvelope;
      const stream = accept === 'text/event-stream';
      const answer = await asAble(context, operation, { accept, ...(stream ? { enough: (text) => /^data: .+\n\n/m.test(text) } : {}) });
      assert.equal(answer.status, 200, `GET ${operation.path} answered ${answer.status}: ${answer.text.slice(0, 200)}`);
      assert.ok(answer.headers['content-type']?.startsWith(accept), `${operation.path}: ${answer.headers['content-type']}`);
    }
    assert.deepEqual((await asAble(context, own)).json.data, before);
    await context.allAt(from + 1, [context.actor.node]);
    const accounts = new Set(context.genesis.accounts.map(({ id }) => id));
    const nodes = new Set(context.genesis.nodes.map(({ id, organisation }) => `${id}@${organisation}`)); // they anchor their logs by themselves
    for (let height = from + 1; height <= (await context.height(context.actor.node)); height++) {
      const senders = (await sendersOf(context, height)).filter((sender) => accounts.has(sender) && !nodes.has(sender));
      assert.deepEqual(senders, [], `block ${height} holds a transaction though nothing was submitted`);
    }
  },
  async twin(context) {
    const receipt = await submit(context, production(context));
    assert.ok((await sendersOf(context, receipt.height)).includes(context.actor.account), 'a submission does show in a block');
  },
};
