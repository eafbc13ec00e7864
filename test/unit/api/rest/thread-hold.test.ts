/**
 * Nothing that comes from outside takes the voting thread for more than 20 ms: here every route, with the largest request it takes, the largest answer
 * it gives in both formats, and requests made to be dear.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import type { Route } from '../../../../api/rest/route.ts';
import { encodeBlock, type Header } from '../../../../node/format/index.ts';
import { encodeSealedBlock } from '../../../../node/ledger/validation.ts';
import { type Rig, testTls } from '../stand-ins.ts';
import {
  CONTRACT_ADDRESS,
  createLargestNode,
  LARGE_TRANSACTION_ID,
  LARGE_TRANSACTIONS_HEIGHT,
  MANY_TRANSACTIONS_HEIGHT,
  names,
  transactionOf,
} from './largest-node.ts';
import type { Answered, Prepared } from './outside-client.ts';
import { leastHold } from './thread-hold.ts';

const HOLD_MS_MAX = 20;
/** Garbage collection and other programs make a try longer than the work is. */
const TRIES_MAX = 24;
/** Of a stream, which has no end. */
const STREAM_BYTES = 20_000_000;
const URL_CHARACTERS = 7_000;
const HEADER_CHARACTERS = 4_000;

interface Ask {
  readonly what: string;
  /** Behind the url of the route; path parameters stand in `path`. */
  readonly query?: string;
  readonly path?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly statuses: readonly number[];
}

const id = LARGE_TRANSACTION_ID;
const kind = { kind: 'class', id: 'class-1' };
const text = (characters: number): string => 'x'.repeat(characters);
const ask = (what: string, more: Partial<Ask> = {}): Ask => ({ what, statuses: [200, 202], ...more });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const largeTransaction = (): Buffer => Buffer.from(transactionOf(4_190_000));

/** The largest request and the largest answer of every route. */
const largest: Readonly<Record<string, () => readonly Ask[]>> = {
  submitRecords: () => [
    ask('10,000 records', { body: Buffer.alloc(16 << 20, 'x'), type: 'text/csv' }),
    ask('under an Idempotency-Key', { body: Buffer.alloc(16 << 20, 'x'), type: 'text/csv', headers: { 'idempotency-key': 'k1' } }),
    ask('the kept answer', { body: Buffer.alloc(16 << 20, 'x'), type: 'text/csv', headers: { 'idempotency-key': 'k1' } }),
  ],
  validateRecords: () => [ask('10,000 records', { body: Buffer.alloc(16 << 20, 'x'), type: 'text/csv' })],
  findRecords: () => [
    ask('a page of 1,000', { query: `limit=1000&product=${text(256)}&supplier=${text(256)}&materialBatch=${text(256)}` }),
  ],
  getSourcePosition: () => [ask('a long name', { query: `interfaceId=${text(256)}` })],
  getRecord: () => [ask('a record of 4 MB', { path: { id } })],
  getRecordHistory: () => [ask('a page of 1,000', { path: { id }, query: 'limit=1000' })],
  getRecordProof: () => [ask('with its transaction', { path: { id }, query: 'transaction=true' })],
  traceProduct: () => [ask('2,000 nodes', { path: { product_uid: text(256) }, query: 'depth=16' })],
  submitTransaction: () => [
    ask('raw', { body: largeTransaction(), type: 'application/octet-stream' }),
    ask('as text', { body: base64(largeTransaction()), type: 'text/plain' }),
    ask('as JSON', { body: JSON.stringify({ transaction: base64(largeTransaction()) }), type: 'application/json' }),
    ask('signs of padding only', { body: `${'='.repeat(6_000_000)}A`, type: 'text/plain', statuses: [400] }),
    ask('blanks only', { body: `${' '.repeat(6_000_000)}`, type: 'text/plain', statuses: [400, 500] }),
  ],
  getTransaction: () => [ask('of 4 MB, with its path', { path: { id }, query: 'proof=true' })],
  listBlocks: () => [ask('1,000 headers', { query: 'limit=1000' })],
  getBlock: () => [
    ask('of 10,000 transactions', { path: { ref: `${MANY_TRANSACTIONS_HEIGHT}` } }),
    ask('of large transactions', { path: { ref: `${LARGE_TRANSACTIONS_HEIGHT}` } }),
    ask('raw', { path: { ref: `${LARGE_TRANSACTIONS_HEIGHT}` }, query: 'form=raw' }),
  ],
  validateBlock: () => [
    ask('raw', { body: blockBody(), type: 'application/octet-stream' }),
    ask('as JSON', { body: JSON.stringify({ block: base64(blockBody()) }), type: 'application/json' }),
  ],
  getConsensus: () => [ask('the state')],
  deployContract: () => [
    ask('the longest code', { body: JSON.stringify({ name: 'w', code: text(524_288) }), type: 'application/json' }),
    ask('code of escapes', { body: `{"name":"w","code":"${'\\u4e2d'.repeat(340_000)}"}`, type: 'application/json' }),
  ],
  listContracts: () => [ask('a page of 1,000', { query: 'limit=1000' })],
  getContract: () => [ask('with 64 kB of descriptions', { path: { address: CONTRACT_ADDRESS } })],
  callContract: () => [
    ask('arguments of 4 MB', {
      path: { address: CONTRACT_ADDRESS },
      body: JSON.stringify({ method: 'add', args: Array(250_000).fill(names(2)) }),
      type: 'application/json',
    }),
    ask('one text of 4 MB', {
      path: { address: CONTRACT_ADDRESS },
      body: JSON.stringify({ method: 'add', args: ['\\"'.repeat(1_000_000)] }),
      type: 'application/json',
    }),
  ],
  queryContract: () => [
    ask('a result of 1 MB', {
      path: { address: CONTRACT_ADDRESS },
      query: `method=m&args=${encodeURIComponent(`[${'[],'.repeat(900)}0]`)}`,
    }),
  ],
  listContractEvents: () => [ask('a page of 50', { path: { address: CONTRACT_ADDRESS }, query: 'limit=50' })],
  listProposals: () => [ask('a page of 1,000', { query: 'limit=1000' })],
  getParameters: () => [ask('all')],
  proposeChange: () => [
    ask('the largest change', {
      body: JSON.stringify({ kind: 'addOrganisation', members: Array(80_000).fill(1) }),
      type: 'application/json',
    }),
  ],
  voteOnProposal: () => [ask('a vote', { path: { id: '00000001' }, body: '{"vote":"yes"}', type: 'application/json' })],
  listEntries: () => [
    ask('entries of 64 kB', { path: { kind: 'class' }, query: 'limit=1000' }),
    ask('1,000 entries', { path: { kind: 'factory' }, query: 'limit=1000' }),
  ],
  getEntry: () => [ask('of 64 kB', { path: kind })],
  getEntryHistory: () => [ask('1,000 versions', { path: kind, query: 'limit=1000' })],
  registerEntry: () => [
    ask('the largest data', {
      path: { kind: 'class' },
      body: JSON.stringify({ id: 'heat', data: names(9_000), documentDigest: id }),
      type: 'application/json',
    }),
  ],
  updateEntry: () => [
    ask('the largest data', { path: kind, body: JSON.stringify({ version: 1, data: names(9_000) }), type: 'application/json' }),
  ],
  setEntryState: () => [ask('a state', { path: kind, body: '{"state":"withdrawn"}', type: 'application/json' })],
  listClasses: () => [ask('a page of 1,000', { query: 'limit=1000' })],
  listNodes: () => [ask('1,000 nodes', { query: 'limit=1000' })],
  getNode: () => [ask('one', { path: { id: 'node-a' } })],
  listPeers: () => [ask('1,000 peers')],
  streamEvents: () => [ask('events of 64 kB', { query: 'fromHeight=0' })],
  listAlarms: () => [ask('a page of 1,000', { query: 'limit=1000' })],
  acknowledgeAlarm: () => [ask('one', { path: { id: '7' }, body: '{}', type: 'application/json' })],
  healthz: () => [ask('all')],
  readyz: () => [ask('all', { statuses: [200, 503] })],
  metrics: () => [ask('every operation with every code')],
  login: () => [
    ask('a long password', {
      body: JSON.stringify({ account: text(128), password: text(256) }),
      type: 'application/json',
      statuses: [401, 429],
    }),
  ],
  stepUp: () => [ask('without a code', { body: '{}', type: 'application/json', statuses: [401, 403] })],
  issueToken: () => [ask('for a device', { body: '{"account":"press-7@acme"}', type: 'application/json' })],
  listInterfaces: () => [ask('all')],
  openApi: () => [ask('all')],
  listExchanges: () => [
    ask('none of 20,000', { query: 'limit=1000&caller=nobody' }),
    ask('a page of 1,000 with its proof', { query: 'limit=1000&proof=true' }),
    ask('the longest proof', { query: 'limit=2&proof=true&code=INTERNAL' }),
  ],
  consolePage: () => [ask('all')],
  docsPage: () => [ask('all')],
  consoleScript: () => [ask('all')],
  consoleIcon: () => [ask('all')],
  consoleStyle: () => [ask('all')],
};

/** As many bytes as the route takes, in shapes that cost most to read and to refuse. */
function hostile(route: Route): readonly Ask[] {
  const out: Ask[] = [
    ask('unknown parameters', {
      query: Array.from({ length: 1_500 }, (_, i) => `p${i.toString(36)}`)
        .join('&')
        .slice(0, URL_CHARACTERS),
      statuses: [400],
    }),
    ask('one parameter many times', { query: 'chain=default&'.repeat(URL_CHARACTERS / 14), statuses: [400] }),
    ask('wide headers', {
      ...(route.response.outside?.includes('text/event-stream') ? { query: 'fromHeight=0' } : {}),
      headers: {
        accept: 'application/xml;q=0.1,'.repeat(HEADER_CHARACTERS / 22),
        'accept-language': 'zh;q=0.1,'.repeat(HEADER_CHARACTERS / 9),
        cookie: 'a=b;'.repeat(HEADER_CHARACTERS / 4),
      },
      statuses: [200, 202, 400, 401, 403, 404, 415, 503],
    }),
  ];
  if (route.body === undefined) return out;
  const { bytesMax, formats, schema } = route.body;
  if (schema === undefined || !formats.includes('application/json')) return out;
  const fill = (piece: (i: number) => string): string => {
    const pieces: string[] = [];
    for (let bytes = 40, i = 0; bytes < bytesMax; i++) {
      const next = piece(i);
      bytes += next.length + 1;
      if (bytes < bytesMax) pieces.push(next);
    }
    return pieces.join(',');
  };
  const bodies = {
    'names that no field has': `{${fill((i) => `"a${i}":0`)}}`,
    'a list of lists': `[${fill(() => '[]')}]`,
    nesting: '['.repeat(bytesMax - 1),
    'names inside': `{"args":[{${fill((i) => `"a${i}":0`)}}]}`,
    'a text of escapes': `{"x":"${'\\"'.repeat(Math.floor(bytesMax / 2) - 8)}"}`,
    digits: `{"x":${'1'.repeat(bytesMax - 8)}}`,
    blanks: `${' '.repeat(bytesMax - 1)}{`,
    'the same name again': `{${fill(() => '"x":0')}}`,
  };
  for (const [what, body] of Object.entries(bodies))
    out.push(ask(what, { body, type: 'application/json', statuses: [200, 202, 400, 401, 403, 404, 409, 429] }));
  return out;
}

let rig: Rig;
let someHeader: Header;
let client: ChildProcess;
let port: number;
before(async () => {
  rig = await createLargestNode();
  [someHeader] = (await rig.node.headers(1, 1)) as [Header];
  port = await rig.server.listen({ host: '127.0.0.1', port: 0 });
  client = fork(fileURLToPath(new URL('./outside-client.js', import.meta.url)), { serialization: 'advanced' });
});
after(async () => {
  client.disconnect();
  await rig.close();
});

async function tell(message: Prepared | 'send'): Promise<Answered> {
  const answered = once(client, 'message') as Promise<[Answered]>;
  client.send(message);
  return (await answered)[0];
}

function blockBody(): Buffer {
  const transactions = Array<Uint8Array>(10_000).fill(transactionOf(500));
  return Buffer.from(encodeSealedBlock(encodeBlock({ header: someHeader, seal: new Uint8Array(64), transactions }), undefined));
}

async function prepare(route: Route, { path, query, headers, body, type }: Ask, accept: string, bytesMax: number): Promise<void> {
  const url = route.url.replace(/:([a-z_]+)/g, (_, name: string) => encodeURIComponent(path?.[name] ?? 'x'));
  const token = rig.token('ada@acme', { steppedUpAt: rig.world.clock.now() });
  await tell({
    port,
    ca: (await testTls()).ca,
    method: route.method,
    path: query === undefined ? url : `${url}?${query}`,
    headers: { accept, authorization: `Bearer ${token}`, ...(type === undefined ? {} : { 'content-type': type }), ...headers },
    body: body === undefined ? undefined : Buffer.from(body),
    bytesMax,
  });
}

/** Longest hold of the least of some tries, ms. */
async function holdOf(route: Route, asked: Ask, accept = 'application/json', bytesMax = Number.POSITIVE_INFINITY): Promise<number> {
  await prepare(route, asked, accept, bytesMax);
  const send = async (): Promise<void> => {
    const { status, text } = await tell('send');
    assert.ok(asked.statuses.includes(status), `${route.operationId} ${asked.what}: ${status} ${text}`);
  };
  const { longestMs } = await leastHold(send, { boundMs: HOLD_MS_MAX, triesMax: TRIES_MAX });
  return longestMs;
}

test('every route has its largest calls here', () => {
  const declared = allRoutes().map(({ operationId }) => operationId);
  assert.deepEqual(Object.keys(largest).sort(), declared.sort());
});

for (const route of allRoutes()) {
  test(`${route.operationId} holds the thread for at most ${HOLD_MS_MAX} ms`, { timeout: 120_000 }, async () => {
    const over: string[] = [];
    const measure = async (asked: Ask, accept?: string): Promise<void> => {
      const longestMs = await holdOf(route, asked, accept, route.operationId === 'streamEvents' ? STREAM_BYTES : undefined);
      if (longestMs > HOLD_MS_MAX) over.push(`${asked.what}${accept === undefined ? '' : `, ${accept}`}: ${longestMs.toFixed(1)} ms`);
    };
    for (const asked of largest[route.operationId]!()) {
      await measure(asked);
      if (route.response.outside === undefined) await measure(asked, 'application/xml');
    }
    for (const asked of hostile(route)) await measure(asked);
    assert.deepEqual(over, []);
  });
}
