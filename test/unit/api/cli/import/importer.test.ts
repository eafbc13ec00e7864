import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, type Client, type Detail } from '../../../../../api/client/index.ts';
import { type ImportOptions, type ImportResult, importRows } from '../../../../../api/cli/import/importer.ts';
import { rowSource } from '../../../../../api/cli/import/rows.ts';

/** A node that stores values once and refuses those that say so. */
function standIn(behaviour: { failures?: number; details?: (values: readonly number[]) => Detail[] } = {}) {
  const stored = new Set<number>();
  const bodies: { values: number[]; key: string | undefined }[] = [];
  let failures = behaviour.failures ?? 0;
  const client = {
    async post(_path: string, body: Uint8Array, options: { idempotencyKey?: string }) {
      const values = JSON.parse(String(body)) as number[];
      bodies.push({ values, key: options.idempotencyKey });
      if (failures-- > 0)
        throw new ApiError({ status: 0, code: 'CLIENT_UNREACHABLE', message: 'gone', data: null, details: [], requestId: '' });
      const details = behaviour.details?.(values) ?? [];
      if (details.length > 0)
        throw new ApiError({ status: 400, code: 'REQUEST_INVALID', message: 'bad', data: null, details, requestId: 'r' });
      const records = values.map((value) => ({ id: String(value), status: stored.has(value) ? 'repeated' : 'stored' }));
      for (const value of values) stored.add(value);
      return {
        status: 200,
        code: 'OK',
        message: '',
        details: [],
        requestId: '',
        data: { transactionId: 't', status: 'confirmed', height: 5, blockHash: 'h', records },
      };
    },
  };
  return { client: client as unknown as Client, stored, bodies };
}

async function run(values: readonly number[], client: Client | readonly Client[], more: Partial<ImportOptions> = {}) {
  const settled: number[] = [];
  const result: ImportResult = await importRows({
    source: rowSource(
      'json',
      (async function* () {
        yield JSON.stringify(values);
      })(),
    ),
    clients: Array.isArray(client) ? client : [client as Client],
    batchRows: 3,
    inFlight: 2,
    skipRows: 0,
    sleep: async () => {},
    onSettled: (rows) => settled.push(rows),
    ...more,
  });
  return { result, settled };
}
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('all rows are stored once, in batches, and a second run finds them there', async () => {
  const node = standIn();
  const { result, settled } = await run(upTo(10), node.client);
  assert.deepEqual([result.rows, result.stored, result.repeated, result.height], [10, 10, 0, 5]);
  assert.deepEqual(
    [...node.stored].sort((a, b) => a - b),
    upTo(10),
  );
  assert.equal(settled.at(-1), 10);
  assert.ok(node.bodies.every((body) => body.values.length <= 3));
  assert.equal((await run(upTo(10), node.client)).result.repeated, 10);
});

test('rows a node names are the refused ones, the rest of their batch is stored', async () => {
  const refuse = (values: readonly number[]) =>
    values.flatMap((value, i) => (value % 4 === 1 ? [{ code: 'FIELD_MISSING', message: 'is missing', pointer: `/${i}/product_uid` }] : []));
  const node = standIn({ details: refuse });
  const { result } = await run(upTo(10), node.client);
  assert.deepEqual(
    result.refused.map((row) => [row.row, row.code, row.place]),
    [2, 6, 10].map((row) => [row, 'FIELD_MISSING', '/product_uid']),
  );
  assert.deepEqual(
    [...node.stored].sort((a, b) => a - b),
    [0, 2, 3, 4, 6, 7, 8],
  );
});

test('a node that does not answer is asked again with the same key, another one takes over', async () => {
  const broken = standIn({ failures: 3 });
  const whole = standIn();
  const { result } = await run(upTo(6), [broken.client, whole.client]);
  assert.equal(result.stored, 6);
  const keys = (values: number[]) =>
    [...broken.bodies, ...whole.bodies].filter((body) => body.values[0] === values[0]).map((body) => body.key);
  assert.equal(new Set(keys([0])).size, 1);
  assert.notEqual(keys([0])[0], keys([3])[0]);
});

test('a refusal of content that names no row is narrowed down to the row', async () => {
  const node = standIn({ details: (values) => (values.includes(4) ? [{ code: 'RECORD_KEY_CONFLICT', message: 'other content' }] : []) });
  const { result } = await run(upTo(7), node.client, { batchRows: 7 });
  assert.deepEqual(
    result.refused.map((row) => [row.row, row.code]),
    [[5, 'RECORD_KEY_CONFLICT']],
  );
  assert.deepEqual(
    [...node.stored].sort((a, b) => a - b),
    [0, 1, 2, 3, 5, 6],
  );
  assert.equal(result.stored, 6);
});

test('a refusal of the caller ends the import', async () => {
  const client = {
    post: async () => {
      throw new ApiError({ status: 401, code: 'TOKEN_EXPIRED', message: 'expired', data: null, details: [], requestId: 'r' });
    },
  } as unknown as Client;
  for (const count of [1, 6]) {
    await assert.rejects(run(upTo(count), client), (error: unknown) => error instanceof ApiError && error.code === 'TOKEN_EXPIRED');
  }
});

test('rows settled by an earlier run are not sent', async () => {
  const node = standIn();
  const { result } = await run(upTo(10), node.client, { skipRows: 7 });
  assert.deepEqual(
    [...node.stored].sort((a, b) => a - b),
    [7, 8, 9],
  );
  assert.equal(result.rows, 3);
});

test('settled rows are counted without gaps, whichever batch ends first', async () => {
  const node = standIn();
  const slow = {
    async post(path: string, body: Uint8Array, options: object) {
      if ((JSON.parse(String(body)) as number[])[0] === 0) await new Promise((done) => setTimeout(done, 30));
      return await node.client.post(path, body, options);
    },
  } as unknown as Client;
  const { settled } = await run(upTo(9), slow, { inFlight: 3 });
  assert.deepEqual(settled.slice(0, 2), [0, 0]);
  assert.equal(settled.at(-1), 9);
});
