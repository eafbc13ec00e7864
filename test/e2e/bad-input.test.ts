/**
 * Bad input from outside, against one running devnet: each fault has its status and code and says where it is; nothing of the call is stored, and the
 * node goes on. What the parsers and checks do alone stands in test/unit; here is what arrives through HTTPS.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { encodeToken, type TokenClaims } from '../../api/auth/token.ts';
import { decodeTransaction, fromHex, toHex } from '../../node/format/index.ts';
import { NODE_KEY } from '../../node/keystore/index.ts';
import { fullBlock } from '../conformance/blocks.ts';
import type { Answer, ProbeContext } from '../conformance/context.ts';
import { type Fields, production, sha256, submit, trySubmit, write } from '../conformance/records.ts';
import { ROOT } from '../tools/source.ts';
import { checkTransactions } from './bad-transactions.ts';
import { keystoreOf, recordCount, startTestNet, type TestNet } from './net.ts';

const SUITE_SAMPLE_STEP = 6; // every sixth file of the JSON suite: the parser alone is tested with all of them
const BIG_XML_BYTES = 1_900_000;
const SENDS = 8;
const STOP_TIMEOUT_MS = 60_000; // far above what a stop takes on a busy machine

let testNet: TestNet;
let context: ProbeContext;
let stored = 0;

before(async () => {
  testNet = await startTestNet('bad-input', { settings: { stopTimeoutMs: STOP_TIMEOUT_MS } });
  context = testNet.context;
  await submit(context, production(context));
});
after(() => testNet?.stop());
beforeEach(async () => {
  stored = await recordCount(context);
});
afterEach(async () => {
  assert.equal(await recordCount(context), stored, 'nothing but what a test counted was stored');
  await submit(context, production(context)); // the node goes on
});

const post = (body: string | Uint8Array, type: string, options: { token?: string | null; query?: Record<string, string | number> } = {}) =>
  context.call(0, 'POST', 'records', { body, type, ...options });

/** Status, code, and of each detail its code and place. */
function told(answer: Answer) {
  const { code, message, details, requestId } = answer.json;
  assert.equal(message.length > 0 && requestId.length > 0, true);
  const places = details.map(({ code: own, message: text, pointer, path, row, column }) => {
    assert.equal(text.length > 0, true);
    const place = row === undefined ? { pointer, path } : { row, column };
    return Object.fromEntries(Object.entries({ code: own, ...place }).filter(([, value]) => value !== undefined));
  });
  return { status: answer.status, code, details: places };
}

test('malformed JSON, XML and CSV are refused with the place where they break', async () => {
  const record = production(context);
  const cut = write(record, 'json').slice(0, -2);
  assert.deepEqual(told(await post(cut, 'application/json')), {
    status: 400,
    code: 'JSON_MALFORMED',
    details: [{ code: 'JSON_MALFORMED', pointer: '/ext' }],
  });
  const twice = write(record, 'json').replace('{', '{"product_uid":"A",');
  assert.deepEqual(told(await post(twice, 'application/json')).details, [{ code: 'JSON_NAME_REPEATED', pointer: '/product_uid' }]);
  const open = write(record, 'xml').replace('</record>', '');
  assert.deepEqual(told(await post(open, 'application/xml')), {
    status: 400,
    code: 'XML_MALFORMED',
    details: [{ code: 'XML_MALFORMED', path: '/record' }],
  });
  const csv = write(record, 'csv');
  assert.deepEqual(told(await post(`${csv.trimEnd()},"one more"\r\n`, 'text/csv')), {
    status: 400,
    code: 'CSV_CELL_COUNT',
    details: [{ code: 'CSV_CELL_COUNT', row: 2, column: '' }],
  });
  assert.deepEqual(told(await post(`${csv}"never closed`, 'text/csv')), {
    status: 400,
    code: 'CSV_MALFORMED',
    details: [{ code: 'CSV_MALFORMED', row: 3, column: '' }],
  });
  assert.deepEqual(told(await post('', 'application/json')).status, 400);
  assert.deepEqual(told(await post('{}', 'text/yaml')), { status: 415, code: 'MEDIA_TYPE_UNSUPPORTED', details: [] });
});

test("files of the JSON suite, posted as they are, are refused as clients' faults and store nothing", async () => {
  const folder = join(ROOT, 'test/data/json-parsing-suite/test_parsing');
  const files = readdirSync(folder)
    .sort()
    .filter((name, i) => i % SUITE_SAMPLE_STEP === 0 || name.startsWith('n_structure_open'));
  assert.equal(files.length > 50, true);
  for (const name of files) {
    const answer = await post(readFileSync(join(folder, name)), 'application/json');
    assert.equal(answer.status === 400 || answer.status === 422, true, `${name}: ${answer.status} ${answer.text.slice(0, 200)}`);
    assert.notEqual(answer.json.code, 'INTERNAL', name);
  }
});

test('XML with a document type, entities or attributes is refused before anything is expanded or fetched', async () => {
  const folder = join(ROOT, 'test/data/xml-attacks/defusedxml');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.xml'))) {
    const answer = await post(readFileSync(join(folder, name)), 'application/xml');
    const { status, code } = told(answer);
    assert.equal(status === 400 || status === 422, true, `${name}: ${status} ${code}`);
    if (!name.startsWith('simple')) assert.equal(code, 'XML_DOCTYPE_REFUSED', name);
  }
  const bomb = `<?xml version="1.0"?>\n<!DOCTYPE record [${Array.from({ length: 12 }, (_, i) => `<!ENTITY e${i + 1} "${`&e${i};`.repeat(10)}">`).join('')}]>\n<record>&e12;</record>`;
  assert.equal(told(await post(bomb, 'application/xml')).code, 'XML_DOCTYPE_REFUSED');
  const both = write(production(context), 'xml')
    .replace('<product_uid>', '<product_uid lang="zh">')
    .replace('<pro_factory_uid>', '<pro_factory>')
    .replace('</pro_factory_uid>', '</pro_factory>');
  const { details } = told(await post(both, 'application/xml'));
  assert.deepEqual(
    details.filter(({ path }) => path === '/record/product_uid').map(({ code }) => code),
    ['XML_ATTRIBUTE_REFUSED'],
  );
  assert.ok(
    details.some(({ path }) => path === '/record/pro_factory'),
    'what the class finds is told with it',
  );
  const undeclared = write(production(context), 'xml').replace('Kunming', '&kunming;');
  assert.equal(told(await post(undeclared, 'application/xml')).code, 'XML_MALFORMED');
});

test('text in another charset is refused, in a query, a path or a body, and never read as UTF-8', async () => {
  const kunming = '%C0%A5%C3%F7'; // in GB18030
  for (const [path, place] of [
    [`records?product=${kunming}`, 'product'],
    [`trace/${kunming}`, `path segment 4 (${kunming})`],
  ] as const) {
    const { status, json } = await context.call(0, 'GET', path);
    assert.deepEqual(
      [status, json.code, json.details.map(({ code, parameter }) => [code, parameter])],
      [400, 'REQUEST_INVALID', [['PARAMETER_ENCODING', place]]],
    );
  }
  for (const [format, type] of [
    ['csv', 'text/csv; charset=gb18030'],
    ['json', 'application/json; charset=gb18030'],
  ] as const) {
    const { status, json } = await post(write(production(context), format), type);
    assert.deepEqual([status, json.code, json.data.charset], [415, 'CHARSET_UNSUPPORTED', 'gb18030']);
  }
  const declared = write(production(context), 'xml').replace('UTF-8', 'gb18030');
  assert.equal(told(await post(declared, 'application/xml')).code, 'CHARSET_UNSUPPORTED');
});

test('missing, empty, mistyped and misspelt fields are told all at once, at their places in each format', async () => {
  const good = production(context);
  const { pro_factory_uid: _factory, production_location, ...rest } = good;
  const bad: Fields = {
    ...rest,
    production_locaton: production_location!,
    production_time: 'yesterday',
    propara: { pro_temperature: 'warm', pro_humidity: '45', pro_pressure: '101.3' },
  };
  const expected = ['RECORD_FIELD_MISSING', 'RECORD_FIELD_MISSING', 'RECORD_FIELD_UNKNOWN', 'RECORD_TIME_MALFORMED', 'RECORD_VALUE_RANGE'];
  const json = await post(write(bad, 'json'), 'application/json');
  const { status, details } = told(json);
  assert.equal(status, 422, json.text);
  const at = (place: 'pointer' | 'path' | 'column') => Object.fromEntries(details.map((detail) => [detail[place], detail.code]));
  assert.equal(details.length, expected.length, json.text);
  assert.equal(at('pointer')['/production_location'], 'RECORD_FIELD_MISSING');
  assert.equal(at('pointer')['/pro_factory_uid'], 'RECORD_FIELD_MISSING');
  assert.equal(at('pointer')['/production_locaton'], 'RECORD_FIELD_UNKNOWN');
  assert.equal(at('pointer')['/production_time'], 'RECORD_TIME_MALFORMED');
  assert.notEqual(at('pointer')['/propara/pro_temperature'], undefined);
  const misspelt = json.json.details.find((detail) => detail.code === 'RECORD_FIELD_UNKNOWN')!;
  assert.equal(JSON.stringify(misspelt).includes('"production_location"'), true, JSON.stringify(misspelt));

  const withNull = told(await post(write(bad, 'json').replace('"101.3"', 'null'), 'application/json'));
  assert.deepEqual(
    withNull.details.map((detail) => `${detail.code} ${detail.pointer}`).sort(),
    [...details.map((detail) => `${detail.code} ${detail.pointer}`), 'FORMAT_NULL /propara/pro_pressure'].sort(),
  );

  const xml = told(await post(write(bad, 'xml'), 'application/xml'));
  assert.deepEqual(xml.details.map((detail) => detail.path).sort(), [
    '/record/pro_factory_uid',
    '/record/production_location',
    '/record/production_locaton',
    '/record/production_time',
    '/record/propara/pro_temperature',
  ]);
  const csv = told(await post(write(bad, 'csv'), 'text/csv'));
  assert.deepEqual(csv.details.map((detail) => [detail.column, detail.row]).sort(), [
    ['pro_factory_uid', 1],
    ['production_location', 1],
    ['production_locaton', 1],
    ['production_time', 2],
    ['propara.pro_temperature', 2],
  ]);
  const list = told(await post(`[${write(production(context), 'json')},${write(bad, 'json')}]`, 'application/json'));
  assert.equal(
    list.details.every((detail) => String(detail.pointer).startsWith('/1')),
    true,
    'a good row beside a bad one is not stored either',
  );
  const parameters = await context.call(0, 'GET', 'records', { query: { produkt: 'x' } });
  assert.equal(told(parameters).code, 'REQUEST_INVALID');
  assert.match(parameters.json.details[0]!.message, /did you mean product\?/);
});

test('a stated digest that is not that of the content is refused with both', async () => {
  const record = production(context);
  const answer = await trySubmit(context, record, { query: { digest: sha256('something else') } });
  assert.deepEqual([answer.status, answer.json.code], [422, 'RECORD_DIGEST_MISMATCH'], answer.text);
  const detail = answer.json.details[0] as unknown as { stated: string; computed: string };
  assert.equal(detail.stated, sha256('something else'));
  assert.match(detail.computed, /^[0-9a-f]{64}$/);
  await submit(context, record, { query: { digest: detail.computed } });
  stored++;
});

test('tokens: none, two that differ, garbage, expired, of a foreign issuer, and one account in the name of another', async () => {
  const record = production(context);
  const body = (token: string) => JSON.stringify({ ...record, token });
  const other = context.actorWith('operator', context.actor.organisation);
  const verdict = async (answer: Promise<Answer>) => {
    const { status, code } = told(await answer);
    return [status, code];
  };
  assert.deepEqual(await verdict(post(write(record, 'json'), 'application/json', { token: null })), [401, 'TOKEN_MISSING']);
  assert.deepEqual(await verdict(post(body(other.token), 'application/json')), [400, 'TOKEN_CONFLICT']);
  const rows = `[${body(context.actor.token)},${body(other.token)}]`;
  assert.deepEqual(await verdict(post(rows, 'application/json', { token: null })), [400, 'TOKEN_CONFLICT']);
  assert.deepEqual(await verdict(post(write(record, 'json'), 'application/json', { token: 'tm1.e30.AAAA' })), [401, 'TOKEN_INVALID']);

  const keystore = await keystoreOf(testNet.net, 0);
  const { nodes } = context.genesis;
  const now = Date.now();
  const chainId = fromHex((await context.get(0, 'consensus')).chainId);
  const claims: TokenClaims = {
    account: context.actor.account,
    org: context.actor.organisation,
    kind: 'session',
    id: toHex(randomBytes(16)),
    node: nodes[0]!.id,
    sessionEpoch: 1,
    issuedAt: now - 600_000,
    expires: now - 1,
    steppedUpAt: 0,
  };
  const issue = (change: Partial<TokenClaims>, chain = chainId) =>
    encodeToken(chain, { ...claims, ...change }, (message) => keystore.sign(NODE_KEY.token, message));
  const tried = async (token: string) => verdict(post(write(record, 'json'), 'application/json', { token }));
  assert.deepEqual(await tried(issue({})), [401, 'TOKEN_EXPIRED']);
  const live = { expires: now + 60_000 };
  assert.deepEqual(await tried(issue({ ...live, account: other.account, org: other.organisation })), [401, 'TOKEN_FOREIGN']);
  assert.deepEqual(await tried(issue({ ...live, node: 'nobody-1' })), [401, 'TOKEN_FOREIGN']);
  assert.deepEqual(await tried(issue(live, new Uint8Array(32))), [401, 'TOKEN_INVALID'], 'a token of another chain');
  assert.deepEqual(await tried(issue({ ...live, sessionEpoch: 0 })), [401, 'TOKEN_REVOKED']);
  const signed = issue(live);
  assert.deepEqual(await tried(signed.slice(0, -4) + (signed.endsWith('AAAA') ? 'BBBB' : 'AAAA')), [401, 'TOKEN_INVALID']);
  const auditor = context.actorWith('auditor');
  assert.deepEqual(await verdict(post(write(record, 'json'), 'application/json', { token: auditor.token })), [403, 'RIGHT_MISSING']);
  const ok = await post(write(record, 'json'), 'application/json', { token: issue(live) });
  assert.equal(ok.status, 200, 'the same claims, in time and rightly issued, are good');
  stored++;
});

test("another's factory, another's device, a factory nobody registered", async () => {
  const other = context.actorWith('operator', context.actor.organisation);
  const record = production(context);
  const foreign = told(await trySubmit(context, { ...record, pro_factory_uid: other.factory }));
  assert.deepEqual([foreign.status, foreign.code], [403, 'RECORD_FACTORY_FOREIGN']);
  assert.equal(foreign.details[0]!.pointer, '/pro_factory_uid');
  const device = told(await trySubmit(context, { ...record, ext: { device_id: other.device } }));
  assert.equal(
    device.details.some((detail) => detail.code === 'RECORD_DEVICE_FOREIGN' && detail.pointer === '/ext/device_id'),
    true,
  );
  const both = told(await trySubmit(context, { ...record, pro_factory_uid: other.factory, ext: { device_id: other.device } }));
  assert.deepEqual(
    both.details.map(({ code }) => code),
    ['RECORD_FACTORY_FOREIGN', 'RECORD_DEVICE_FOREIGN'],
  );
  const unknown = told(await trySubmit(context, { ...record, pro_factory_uid: context.random('F') }));
  assert.equal(
    unknown.details.some((detail) => detail.code === 'RECORD_FACTORY_UNKNOWN'),
    true,
  );
});

test('a device waits for its receipt and reads back what it wrote; what an operator of its organisation wrote is unknown to it', async () => {
  const press = context.actorWith('device');
  assert.equal(press.organisation, context.actor.organisation);
  const record = production(context, press);
  const theirs = await submit(context, production(context));
  const mine = await submit(context, record, { actor: press });
  stored += 2;
  const read = (path: string, query: Readonly<Record<string, string | number>> = {}) =>
    context.call(press.node, 'GET', path, { token: press.token, query });
  const fresh = { atLeastHeight: mine.height, waitMs: 20_000 };
  const { items, count, complete, withheld } = (await read('records', { ...fresh, count: 'exact' })).json.data;
  assert.deepEqual([items.length, count, complete, withheld], [1, 1, true, 0]);
  const id = mine.records[0].id as string;
  assert.equal(items[0].id, id);
  assert.equal((await read(`records/${id}`)).json.data.sealed.length, 3);
  for (const path of [`records/${id}/history`, `records/${id}/proof?transaction=true`, `transactions/${mine.transactionId}?proof=true`]) {
    const [place, query] = path.split('?') as [string, string?];
    assert.equal((await read(place, Object.fromEntries(new URLSearchParams(query)))).status, 200, path);
  }
  const unknown = 'f'.repeat(64);
  for (const [foreign, nothing] of [
    [`records/${theirs.records[0].id}`, `records/${unknown}`],
    [`records/${theirs.records[0].id}/history`, `records/${unknown}/history`],
    [`records/${theirs.records[0].id}/proof`, `records/${unknown}/proof`],
    [`transactions/${theirs.transactionId}`, `transactions/${unknown}`],
  ] as const) {
    const [refused, absent] = [(await read(foreign)).json, (await read(nothing)).json];
    assert.deepEqual([refused.code, refused.message, refused.details], [absent.code, absent.message, absent.details], foreign);
    assert.equal((await context.call(0, 'GET', foreign)).status, 200, 'the operator reads it');
  }
  for (const path of [
    `blocks/${theirs.height}`,
    'contracts/records/events',
    'events/stream',
    'registry/account',
    `trace/${record.product_uid}`,
  ]) {
    const { status, json } = await read(path);
    assert.deepEqual([status, json.code], [403, 'RIGHT_MISSING'], path);
  }
});

test('a known key with other content is a conflict that names the first; with the same content it is the same record', async () => {
  const record = production(context);
  const first = await submit(context, record);
  stored++;
  const again = await submit(context, record, { format: 'xml' });
  assert.deepEqual([again.records[0].status, again.transactionId], ['repeated', first.transactionId]);
  const changed = await trySubmit(context, { ...record, production_location: 'elsewhere' });
  assert.deepEqual([changed.status, changed.json.code], [409, 'RECORD_KEY_CONFLICT'], changed.text);
  assert.equal(changed.text.includes(first.records[0].id) && changed.text.includes(first.transactionId), true);
  const pair = production(context);
  const twins = await post(JSON.stringify([pair, { ...pair, production_location: 'there' }]), 'application/json');
  assert.deepEqual([twins.status, twins.json.code], [409, 'RECORD_KEY_CONFLICT'], 'two rows of one call with one key and two contents');
});

test('one record sent eight times at once, by one account or by two of an organisation, has one transaction and one receipt', async () => {
  const actors = ['operator', 'admin'].map((role) => context.actorWith(role));
  for (const senders of [actors.slice(0, 1), actors]) {
    const record = production(context);
    const before = await context.height(0);
    const answers = await Promise.all(
      Array.from({ length: SENDS }, (_, i) => submit(context, record, { actor: senders[i % senders.length]! })),
    );
    stored++;
    const told = answers.map(({ transactionId, height, blockHash, inclusionProof, records }) =>
      JSON.stringify([transactionId, height, blockHash, inclusionProof, records[0].id, records[0].transactionId ?? transactionId]),
    );
    assert.equal(new Set(told).size, 1, told.map((text) => text.slice(0, 80)).join('\n'));
    let transactions = 0;
    for (let height = before + 1; height <= (await context.height(0)); height++)
      for (const bytes of (await fullBlock(context, height)).transactions)
        if (decodeTransaction(bytes).calls.some(({ contract }) => contract === 'records')) transactions++;
    assert.equal(transactions <= senders.length, true, `${transactions} transactions`);
    const device = await submit(context, record, { actor: context.actorWith('device') }); // may not read it
    assert.deepEqual([device.transactionId, device.records[0].status], [null, 'repeated']);
  }
});

test('transactions: repeated, expired, of another chain, too long-lived, without calls, and every odd signature', () =>
  checkTransactions(testNet, SENDS));

test('a body over its bound is refused before it is read; a part whose XML has 1.9 MB passes', async () => {
  const over = await post(Buffer.alloc(16 * 1024 * 1024 + 1, 0x20), 'application/json').catch((error: NodeJS.ErrnoException) => error);
  if (over instanceof Error) assert.match(String(over.code), /ECONNRESET|EPIPE/);
  else assert.deepEqual([over.status, over.json.code], [413, 'BODY_TOO_LARGE']);
  const transaction = await context
    .call(0, 'POST', 'transactions', { body: Buffer.alloc(6 * 1024 * 1024 + 1), type: 'application/octet-stream' })
    .catch((error: NodeJS.ErrnoException) => error);
  if (transaction instanceof Error) assert.match(String(transaction.code), /ECONNRESET|EPIPE/);
  else assert.deepEqual([transaction.status, transaction.json.code], [413, 'BODY_TOO_LARGE']);

  // As a measured part has them: a value for each of thousands of characteristics, and the report beside them.
  const parameters: Record<string, Fields> = {};
  for (let i = 0; i < 5_000; i++)
    parameters[`characteristic_${i}`] = { value: `${context.integer(0, 99)}.${context.integer(0, 999_999)}`, unit: 'mm' };
  const big = (report: string): Fields => ({
    ...record,
    ext: { ...(record.ext as Fields), parameters: { ...parameters, report: { value: report } } },
  });
  const record = production(context);
  const room = BIG_XML_BYTES - write(big(''), 'xml').length;
  const whole = big('measured & found good <twice>. '.repeat(Math.ceil(room / 30)).slice(0, Math.floor(room * 0.8)));
  const text = write(whole, 'xml');
  assert.equal(text.length > BIG_XML_BYTES * 0.95, true, `${text.length} bytes`);
  const receipt = await submit(context, whole, { format: 'xml' });
  stored++;
  await context.allAt(receipt.height);
  const read = await context.get(2, `records/${receipt.records[0].id}`);
  assert.equal(JSON.stringify(read).includes('"characteristic_4999"'), true, 'read whole from another node');
});

test('plain HTTP on the HTTPS port gets one sentence and the door', async () => {
  const { hostname, port } = new URL(testNet.net.nodes[0]!.url);
  const text = await new Promise<string>((resolve, reject) => {
    let received = '';
    const socket = connectTcp({ host: hostname, port: Number(port) }, () => socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'));
    socket.on('data', (part) => (received += part.toString('utf8')));
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
  assert.match(text, /^HTTP\/1\.1 400 /);
  assert.match(text, /HTTPS only/);
});

test('connections that send nothing, or a header a byte at a time, are cut, and the others are served meanwhile', async () => {
  const { hostname, port } = new URL(testNet.net.nodes[0]!.url);
  const silent = connectTcp({ host: hostname, port: Number(port) });
  const slow = connectTls({ host: hostname, port: Number(port), ca: testNet.net.ca });
  const closed = (socket: typeof silent) =>
    new Promise<void>((resolve) => {
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.resume();
    });
  const ends = [closed(silent), closed(slow)];
  slow.write('GET /healthz HTTP/1.1\r\n');
  const dripping = setInterval(() => slow.writable && slow.write('x'), 500);
  try {
    for (let i = 0; i < 5; i++) assert.equal((await context.call(0, 'GET', '/healthz', { token: null })).status, 200);
    await Promise.all(ends);
  } finally {
    clearInterval(dripping);
    silent.destroy();
    slow.destroy();
  }
});

test('a node that is asked to stop is gone once it has stopped, and does not sit out its time-out', async () => {
  const node = testNet.net.nodes[3]!;
  await node.kill('SIGTERM');
  const asked = Date.now();
  while (node.running && Date.now() - asked < 2 * STOP_TIMEOUT_MS) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(node.running, false);
  assert.ok(Date.now() - asked < 0.9 * STOP_TIMEOUT_MS, `gone after ${Date.now() - asked} ms`);
  await node.restart();
});
