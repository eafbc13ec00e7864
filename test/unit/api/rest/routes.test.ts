// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createMetrics } from '../../../../api/rest/metrics.ts';
import { CONTRACT, deployedKey, governanceKey, recordKey, stateKey } from '../../../../contracts/index.ts';
import { decodeSealedBlock, encodeSealedBlock } from '../../../../node/ledger/validation.ts';
import {
  decodeHeader,
  encodeBlock,
  encodeJson,
  encodeRecordResults,
  indexDigest,
  toByteText,
  toHex,
  transactionHashOf,
} from '../../../../node/format/index.ts';
import { crypto } from '../../node/records/sample.ts';
import { SaxesParser } from 'saxes';
import { confirmed, testEvent } from '../stand-in-node.ts';
import { START_MS } from '../stand-in-world.ts';
import { createRig, type Rig } from '../stand-ins.ts';
import { verifyMerklePath } from '../../node/format/merkle-path.ts';

const address = `0x${'1'.repeat(40)}`;
let rig: Rig;
before(async () => {
  rig = await createRig({ rateLimitFactor: 0 });
  for (let i = 0; i < 5; i++)
    rig.state.rows.set(
      stateKey(CONTRACT.deployed, deployedKey.contract(`0x${String(i + 1).repeat(40)}`)),
      encodeJson({ address: `0x${String(i + 1).repeat(40)}`, state: 'active' }),
    );
  rig.state.rows.set(
    stateKey(CONTRACT.governance, governanceKey.proposal('00000001')),
    encodeJson({ id: '00000001', state: 'open', votes: [] }),
  );
});
after(() => rig.close());

async function get(
  url: string,
  account = 'ada@acme',
): Promise<{ status: number; code: string; data: any; body: Buffer; headers: Record<string, unknown> }> {
  const answer = await rig.server.app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${rig.token(account)}` } });
  const json = String(answer.headers['content-type']).includes('json') ? JSON.parse(answer.body) : {};
  return { status: answer.statusCode, code: json.code, data: json.data, body: answer.rawPayload, headers: answer.headers };
}
async function post(url: string, body: string | Buffer, type = 'application/json', account = 'ada@acme') {
  const answer = await rig.server.app.inject({
    method: 'POST',
    url,
    headers: { authorization: `Bearer ${rig.token(account)}`, 'content-type': type },
    payload: body,
  });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    ...(JSON.parse(answer.body) as { code: string; data: any; details: any[] }),
  };
}

test('records: the receipt of a submission, pending as 202, every bad row in details', async () => {
  const stored = await post(`/api/v1/records?digest=${'a'.repeat(64)}`, '{"x":"1"}');
  assert.deepEqual(
    [stored.status, stored.data.status, stored.data.records[0].status, rig.records.submissions.at(-1)?.statedDigest],
    [200, 'confirmed', 'stored', 'a'.repeat(64)],
  );
  await post('/api/v1/records?sourceSystem=MES%E4%B8%89&sourceSeq=1042&interfaceId=mes/1', '{"x":"3"}');
  assert.deepEqual(rig.records.submissions.at(-1)?.source, { system: 'MES三', seq: '1042', interfaceId: 'mes/1' });
  assert.equal((await post('/api/v1/records?sourceId=a%00b', '{"x":"4"}')).code, 'REQUEST_INVALID');
  const pending = await post('/api/v1/records?wait=async', '{"x":"2"}');
  assert.deepEqual([pending.status, pending.code, pending.data.status, pending.data.height], [202, 'OK', 'pending', null]);
  const refused = await post('/api/v1/records', 'broken', 'text/csv');
  assert.deepEqual(
    [refused.status, refused.details.map((detail) => detail.pointer ?? `${detail.row}:${detail.column}`)],
    [400, ['/product_uid', '2:propara']],
  );
  assert.equal((await post('/api/v1/records/validate', '{"x":"1"}')).data.valid, true);
});

test('records: one, its history and proof, a trace, and 404', async () => {
  const id = 'b'.repeat(64);
  assert.equal((await get(`/api/v1/records/${id}`)).data.id, id);
  assert.equal((await get(`/api/v1/records/${id}/history`)).data.items.length, 1);
  assert.equal((await get(`/api/v1/records/${id}/proof`)).data.evidence, 'v1');
  assert.equal((await get(`/api/v1/records/${id}/proof`)).data.transaction, false);
  assert.equal((await get(`/api/v1/records/${id}/proof?transaction=true`)).data.transaction, true);
  assert.equal((await get(`/api/v1/trace/${encodeURIComponent('M 1/ä')}`)).data.product, 'M 1/ä');
  assert.equal((await get(`/api/v1/records/${'0'.repeat(64)}`)).status, 404);
  assert.equal((await get('/api/v1/records/xyz')).code, 'REQUEST_INVALID');
});

test('blocks page down from the head without gap or repeat while the chain grows', async () => {
  const heights: number[] = [];
  let after = '';
  for (let page = 0; page < 10; page++) {
    const { data } = await get(`/api/v1/blocks?limit=5${after}`);
    heights.push(...data.items.map((header: { height: number }) => header.height));
    rig.node.height++;
    if (data.next === null) break;
    after = `&after=${data.next}`;
  }
  rig.node.height = 12;
  assert.deepEqual(heights, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  const up = await get('/api/v1/blocks?order=ascending&fromHeight=10');
  assert.deepEqual(
    up.data.items.map((header: { height: number }) => header.height),
    [10, 11, 12],
  );
  const first = await get('/api/v1/blocks?limit=5');
  assert.equal(
    (await get(`/api/v1/blocks?limit=5&fromHeight=3&after=${first.data.next}`)).code,
    'CURSOR_INVALID',
    'a cursor belongs to its filter',
  );
  assert.equal((await get('/api/v1/blocks?after=AAAA')).code, 'CURSOR_INVALID');
});

test('a block by height, hash and latest, raw bytes that decode, and validation naming the failed check', async () => {
  const byHeight = await get('/api/v1/blocks/3');
  assert.equal((await get(`/api/v1/blocks/${byHeight.data.hash}`)).data.header.height, 3);
  assert.equal((await get('/api/v1/blocks/latest')).data.header.height, 12);
  assert.deepEqual([(await get('/api/v1/blocks/99')).code, (await get('/api/v1/blocks/-1')).code], ['BLOCK_NOT_FOUND', 'REQUEST_INVALID']);
  const raw = await get('/api/v1/blocks/3?form=raw');
  assert.equal(raw.headers['content-type'], 'application/octet-stream');
  const sealed = decodeSealedBlock(new Uint8Array(raw.body));
  assert.deepEqual(Buffer.from(encodeSealedBlock(encodeBlock(sealed.block), sealed.finality)), raw.body);
  for (const [body, type] of [
    [raw.body, 'application/octet-stream'],
    [raw.body.toString('base64'), 'text/plain'],
    [JSON.stringify({ block: raw.body.toString('base64') }), 'application/json'],
  ] as const) {
    const judged = await post('/api/v1/blocks/validation', body, type);
    assert.deepEqual([judged.data.valid, judged.data.failed], [false, ['stateRoot']]);
  }
  assert.equal((await post('/api/v1/blocks/validation', Buffer.from('junk'), 'application/octet-stream')).code, 'BLOCK_MALFORMED');
  assert.equal((await post('/api/v1/blocks/validation', '!!!!', 'text/plain')).code, 'BODY_MALFORMED');
});

test('the proof of a transaction leads from it to the root in the header', async () => {
  const { statuses } = rig.node;
  for (const index of [0, 1, 2]) {
    rig.node.statuses = (hex) => confirmed(Buffer.from(hex, 'hex'), { index });
    const { data, code } = await get(`/api/v1/transactions/${'c'.repeat(64)}?proof=true`);
    assert.equal(code, 'OK');
    const { leaf, count, path, header, txRoot } = data.proof;
    const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
    const block = (await rig.node.block(7))!;
    assert.equal(leaf, toHex(transactionHashOf(crypto, block.block.transactions[index]!)));
    assert.deepEqual([decodeHeader(bytes(header)).txRoot, count], [bytes(txRoot), 3]);
    assert.ok(verifyMerklePath(crypto.hash, bytes(txRoot), bytes(leaf), index, count, path.map(bytes)));
    assert.ok(!verifyMerklePath(crypto.hash, bytes(txRoot), bytes(leaf), (index + 1) % 3, count, path.map(bytes)));
  }
  rig.node.statuses = statuses;
});

test('a transaction: submitted raw, then pending, confirmed, rejected or unknown by query', async () => {
  const sent = await post('/api/v1/transactions', Buffer.from([1, 2, 3]), 'application/octet-stream');
  assert.equal(sent.data.status, 'confirmed');
  assert.deepEqual(rig.node.submitted.at(-1), Buffer.from([1, 2, 3]));
  const id = 'c'.repeat(64);
  const { statuses } = rig.node;
  assert.equal((await get(`/api/v1/transactions/${id}`)).data.receipt.code, 'OK');
  rig.node.statuses = () => ({ state: 'rejected', code: 'TRANSACTION_EXPIRED', data: {} });
  assert.deepEqual(
    [(await get(`/api/v1/transactions/${id}`)).data.state, (await post('/api/v1/transactions', 'AAAA', 'text/plain')).code],
    ['rejected', 'TRANSACTION_EXPIRED'],
  );
  rig.node.statuses = () => ({ state: 'unknown' });
  assert.equal((await get(`/api/v1/transactions/${id}`)).code, 'TRANSACTION_NOT_FOUND');
  rig.node.statuses = (hex) =>
    confirmed(Buffer.from(hex, 'hex'), { status: 'failed', code: 'OUT_OF_STEEL', detail: encodeJson({ left: 0 }) });
  const failed = await post('/api/v1/transactions', 'AAAA', 'text/plain');
  assert.deepEqual([failed.status, failed.code, failed.data.code, failed.data.left], [409, 'TRANSACTION_FAILED', 'OUT_OF_STEEL', 0]);
  rig.node.statuses = statuses;
});

test('a receipt tells what a submission and a change of records did, a list and one object, and the events that follow from them', async () => {
  const { statuses } = rig.node;
  const digest = (byte: number) => new Uint8Array(32).fill(byte);
  const stored = { class: 'heat', id: digest(1), recordDigest: digest(2), status: 'stored' } as const;
  const repeated = {
    ...stored,
    id: digest(3),
    status: 'repeated',
    currentVersion: 4,
    first: { height: 5, transactionId: digest(6) },
  } as const;
  const amended = { ...stored, status: 'amended', version: 2, digestBefore: digest(8) } as const;
  const results = [encodeRecordResults([stored, repeated]), encodeRecordResults([amended]), encodeRecordResults([stored]), encodeJson('7')];
  const events = [{ call: 3, contract: address, name: 'weighed', data: encodeJson({ kg: '7' }) }];
  rig.node.statuses = (hex) => confirmed(Buffer.from(hex, 'hex'), { results, events });
  const id = 'c'.repeat(64);
  const { receipt } = (await get(`/api/v1/transactions/${id}`)).data;
  rig.node.statuses = statuses;
  const hex = (byte: number) => toHex(digest(byte));
  const of = { id: hex(1), version: 1, recordDigest: hex(2), digestAlg: 'SHA-256', currentVersion: 1, height: 7, transactionId: id };
  const first = { ...of, status: 'stored' };
  const again = { ...of, id: hex(3), status: 'repeated', currentVersion: 4, height: 5, transactionId: hex(6) };
  const change = { ...of, version: 2, status: 'amended', currentVersion: 2, digestBefore: hex(8) };
  assert.deepEqual(receipt.results, [[first, again], change, [first], '7']);
  const event = (name: string, version: number) => ({
    contract: 'records',
    name,
    data: { class: 'heat', id: hex(1), recordDigest: hex(2), version },
  });
  assert.deepEqual(receipt.events, [
    event('RecordSubmitted', 1),
    event('RecordAmended', 2),
    event('RecordSubmitted', 1),
    { contract: address, name: 'weighed', data: { kg: '7' } },
  ]);
});

test('what the chain would refuse now is refused before it is signed, with its facts; what it cannot judge, or nobody waits for, is signed', async () => {
  const { judge } = rig.node;
  const asked: string[] = [];
  const verdicts = {
    faulty: {
      code: 'BUILTIN_ARGUMENTS_INVALID',
      detail: encodeJson({ count: 1, faults: [{ path: '/data/name', problem: 'must be a text' }] }),
    },
    refused: { code: 'CONTRACT_REFUSED', detail: encodeJson({ code: 'TOO_LATE', message: 'come earlier' }) },
    fine: { code: 'OK', detail: new Uint8Array(0) },
  };
  let verdict: keyof typeof verdicts | undefined = 'faulty';
  rig.node.judge = async (account, calls) => {
    asked.push(`${account} ${calls[0]!.contract}.${calls[0]!.method}`);
    return verdict && { ...verdicts[verdict], gasUsed: 9, height: 41 };
  };
  const send = (more = '') => post(`/api/v1/contracts/${address}/call${more}`, '{"method":"add","args":[1]}');
  const signed = rig.node.signed.length;
  const faulty = await send();
  assert.deepEqual([faulty.code, faulty.data.height, faulty.data.transactionId], ['BUILTIN_ARGUMENTS_INVALID', 41, undefined]);
  assert.deepEqual(faulty.details, [{ code: 'BUILTIN_ARGUMENTS_INVALID', message: 'must be a text', pointer: '/data/name' }]);
  verdict = 'refused';
  assert.deepEqual((await send()).details, [{ code: 'TOO_LATE', message: 'come earlier' }]);
  assert.equal(rig.node.signed.length, signed);
  assert.equal((await send('?wait=async')).code, 'OK');
  verdict = 'fine';
  assert.equal((await send()).code, 'OK');
  verdict = undefined;
  assert.equal((await send()).code, 'OK');
  assert.equal(rig.node.signed.length, signed + 3);
  assert.deepEqual(asked, Array(4).fill(`ada@acme ${address}.add`));
  rig.node.judge = judge;
});

test('what a contract refuses reaches the caller of a transaction in its own words, and those of the contract it called', async () => {
  const { statuses } = rig.node;
  const cause = { contract: address, code: 'TOO_LATE', message: 'come earlier', at: 'contract.js:3:13' };
  const detail = encodeJson({ contract: address, code: 'CONTRACT_REFUSED', message: 'CONTRACT_REFUSED', at: null, cause });
  for (const [facts, expected] of [
    [encodeJson(cause), [{ code: 'TOO_LATE', message: 'come earlier' }]],
    [
      detail,
      [
        { code: 'CONTRACT_REFUSED', message: 'CONTRACT_REFUSED' },
        { code: 'TOO_LATE', message: 'come earlier' },
      ],
    ],
  ] as const) {
    rig.node.statuses = (hex) => confirmed(Buffer.from(hex, 'hex'), { status: 'failed', code: 'CONTRACT_REFUSED', detail: facts });
    const refused = await post(`/api/v1/contracts/${address}/call`, '{"method":"add"}');
    assert.deepEqual([refused.status, refused.code, refused.details], [422, 'CONTRACT_REFUSED', expected]);
    assert.equal(refused.data.code, expected[0].code);
  }
  rig.node.statuses = statuses;
});

test('a call without arguments sends an empty list, and one that no deployed contract takes costs no transaction', async () => {
  const sent = rig.node.signed.length;
  await post(`/api/v1/contracts/${address}/call`, '{"method":"add"}');
  assert.deepEqual(rig.node.signed.at(-1)!.args, []);
  assert.equal((await post(`/api/v1/contracts/${address}/call`, '{"method":"add","args":{}}')).code, 'REQUEST_INVALID');
  assert.equal(rig.node.signed.length, sent + 1);
});

test('the last source of an account under one interface is told, to that account', async () => {
  const row = (account: string, interfaceId: string) =>
    stateKey(CONTRACT.records, recordKey.source(toByteText(indexDigest(crypto, account, interfaceId))));
  rig.state.rows.set(row('ada@acme', 'line-3'), encodeJson({ seq: '41', time: '2026-01-02T03:04:05Z' }));
  rig.state.rows.set(row('bob@acme', 'line-4'), encodeJson({ seq: '7' }));
  const known = await get('/api/v1/records/source?interfaceId=line-3');
  assert.deepEqual([known.status, known.data.seq, known.data.time], [200, '41', '2026-01-02T03:04:05Z']);
  const unknown = await get('/api/v1/records/source?interfaceId=line-4');
  assert.deepEqual([unknown.data.seq, unknown.data.time], [null, null]);
  assert.equal((await get('/api/v1/records/source')).code, 'REQUEST_INVALID');
});

test('contracts: deploy, list by pages, get, call, query, events', async () => {
  const deployed = await post('/api/v1/contracts', '{"name":"w","code":"export const x = 1"}');
  assert.deepEqual([deployed.status, rig.deployed.at(-1)?.language], [200, 'javascript']);
  const first = await get('/api/v1/contracts?limit=3');
  const second = await get(`/api/v1/contracts?limit=3&after=${first.data.next}`);
  assert.deepEqual([first.data.items.length, second.data.items.length, second.data.next], [3, 2, null]);
  assert.equal((await get(`/api/v1/contracts/${address}`)).data.state, 'active');
  assert.equal((await get(`/api/v1/contracts/0x${'9'.repeat(40)}`)).code, 'CONTRACT_NOT_FOUND');
  const called = await post(`/api/v1/contracts/${address}/call`, '{"method":"add","args":[{"n":"3"}]}');
  assert.deepEqual([called.data.result, rig.node.signed.at(-1)?.args], [{ total: '3' }, [{ n: '3' }]]);
  assert.equal((await post(`/api/v1/contracts/${address}/call`, '{"method":"add","args":[1.5]}')).code, 'REQUEST_INVALID');
  assert.equal(
    (await post('/api/v1/contracts/governance/call', '{"method":"vote"}')).code,
    'REQUEST_INVALID',
    'built-ins have routes of their own',
  );
  const asked = await get(`/api/v1/contracts/${address}/query?method=total&args=${encodeURIComponent('{"id":"7"}')}`);
  assert.deepEqual(asked.data.result, { method: 'total', args: { id: '7' } });
  assert.equal((await get(`/api/v1/contracts/${address}/query?method=total&args={`)).code, 'REQUEST_INVALID');
  rig.node.events_.push(
    testEvent(1, 0, 'a', address),
    testEvent(1, 1, 'b', address),
    testEvent(2, 0, 'a', 'other'),
    testEvent(3, 0, 'a', address),
  );
  const page = await get(`/api/v1/contracts/${address}/events?limit=2&name=a`);
  assert.deepEqual(
    page.data.items.map((event: { id: string }) => event.id),
    ['1-0', '3-0'],
  );
  const rest = await get(`/api/v1/contracts/${address}/events?limit=2&name=a&after=${page.data.next}`);
  assert.deepEqual([rest.data.items, rest.data.next], [[], null]);
});

test('nodes, peers, consensus, parameters, proposals, alarms', async () => {
  assert.deepEqual(
    (await get('/api/v1/nodes')).data.items.map((node: { id: string; connected: boolean; self: boolean }) => [
      node.id,
      node.connected,
      node.self,
    ]),
    [
      ['node-a', true, true],
      ['node-b', true, false],
    ],
  );
  assert.equal((await get('/api/v1/nodes/node-b')).data.owner, 'bolt');
  assert.equal((await get('/api/v1/nodes/node-z')).status, 404);
  assert.equal((await get('/api/v1/peers')).data.items.length, 3);
  const { round } = (await get('/api/v1/consensus')).data;
  assert.deepEqual(round.votes, { prepare: 9, commit: 9, viewChange: 0 });
  const shown = ['engine', 'height', 'view', 'primary', 'phase', 'proposals', 'verifications', 'votes', 'stableCheckpoint'];
  assert.deepEqual(Object.keys(round), shown);
  assert.ok(
    (await get('/api/v1/governance/parameters')).data.items.some(
      (row: { name: string; unit: string }) => row.name === 'viewTimeoutMs' && row.unit === 'ms',
    ),
  );
  assert.equal((await get('/api/v1/governance/proposals')).data.items[0].id, '00000001');
  for (const id of [1, 2, 3])
    rig.node.alarms_.push({
      id,
      raisedAtMs: START_MS,
      kind: 'blockCheck',
      severity: 'critical',
      detail: {},
      acknowledgedBy: undefined,
      acknowledgedAtMs: undefined,
    });
  assert.equal((await post('/api/v1/alarms/2/acknowledge', '{}')).data.acknowledgedBy, 'ada@acme');
  assert.equal((await post('/api/v1/alarms/9/acknowledge', '{}')).status, 404);
  assert.deepEqual(
    (await get('/api/v1/alarms?state=open')).data.items.map((alarm: { id: number }) => alarm.id),
    [3, 1],
  );
});

test('health, readiness by quorum, metrics, registry, OpenAPI and the page', async () => {
  assert.equal((await get('/healthz')).data.height, 12);
  assert.equal((await get('/readyz')).status, 200);
  const { peers } = rig.node;
  rig.node.peers = () => [];
  const unready = await get('/readyz');
  assert.equal(unready.code, 'NODE_NOT_READY');
  assert.deepEqual([unready.status, unready.data.checks.find((check: { passed: boolean }) => !check.passed).check], [503, 'quorum']);
  rig.node.peers = peers;
  rig.node.standing = () => ({ state: 'expelled', by: 'peers', peers: ['n2', 'n3'], seen: undefined, barrier: false });
  const outside = await get('/readyz');
  const failedCheck = outside.data.checks.find((check: { passed: boolean }) => !check.passed);
  assert.deepEqual([outside.status, failedCheck.check, failedCheck.detail], [503, 'standing', 'NODE_EXPELLED, says n2, n3']);
  delete rig.node.standing;
  const stalled = { height: 12, dueForMs: 90_000, phase: 'viewChange', view: 4 };
  const finality = { check: 'finality', passed: false, detail: 'NO_FINAL_BLOCK' };
  const { health } = rig.node;
  rig.node.health = () => ({ checks: [finality], dueForMs: 90_000, stalled });
  assert.deepEqual(
    (await get('/readyz')).data.checks.filter((check: { passed: boolean }) => !check.passed),
    [finality],
  );
  const still = (await get('/metrics', 'audrey@acme')).body.toString();
  assert.match(still, /^chain_consensus_due_seconds 90$/m);
  assert.match(still, /^chain_consensus_stalled_count 1$/m);
  assert.match(still, /^chain_consensus_failed_checks_count 1$/m);
  assert.match(still, new RegExp(`^chain_consensus_phase_count\\{phase="${rig.node.consensus().phase}"\\} 1$`, 'm'));
  rig.node.health = health;
  const records = { ...rig.records, underWay: () => 3 };
  const measured = createMetrics({ ...rig.server.context, records, loopDelay: () => ({ meanMs: 1, p99Ms: 20, maxMs: 750 }) });
  assert.match(await measured.text(), /^chain_consensus_event_loop_delay_seconds\{statistic="max"\} 0.75$/m);
  assert.match(await measured.text(), /^chain_application_submissions_under_way_count 3$/m);
  const metrics = await get('/metrics', 'audrey@acme');
  assert.match(metrics.body.toString(), /^chain_application_submissions_under_way_count 0$/m);
  assert.match(metrics.body.toString(), /^chain_consensus_height_blocks 12$/m);
  assert.match(metrics.body.toString(), /^chain_consensus_frames_dropped_count 7$/m);
  assert.match(metrics.body.toString(), /^chain_consensus_swept_bytes 70000000$/m);
  assert.match(metrics.body.toString(), /^chain_network_cut_off_peers_count 0$/m);
  assert.match(metrics.body.toString(), /^chain_network_broken_rules_count 0$/m);
  assert.match(metrics.body.toString(), /^chain_network_calls_total\{operation="healthz",code="OK"\} 1$/m);
  assert.equal((await get('/metrics', 'press-7@acme')).code, 'RIGHT_MISSING');
  assert.ok((await get('/api/v1/interfaces?layer=network')).data.items.every((row: { layer: string }) => row.layer === 'network'));
  assert.equal(JSON.parse((await get('/api/v1/openapi.json')).body.toString()).openapi, '3.1.0');
  const page = await get('/');
  const genesis = Buffer.from(rig.node.info.genesisHash).toString('hex');
  assert.match(page.body.toString(), new RegExp(`<footer>.*${genesis}`, 's'));
  assert.doesNotMatch(page.body.toString(), /<script>|style=|https?:\/\/|onclick/);
  assert.match(String(page.headers['content-security-policy']), /default-src 'none';script-src 'self'/);
  const script = (await get('/console.js')).body.toString();
  assert.doesNotThrow(() => new Function(script));
  assert.doesNotMatch(script, /innerHTML|insertAdjacentHTML/);
});

test('every code answered above stands in the declaration of its route (DB53 5.2.1.1.b-3)', () => {
  assert.deepEqual(
    rig.world.logged.filter((line) => line.includes('undeclared code')),
    [],
  );
});

test('a page of events cut by its bound says so and where to go on, and the next one finds what there is', async () => {
  const before = [...rig.node.events_];
  const { height } = rig.node.head();
  const others = Array.from({ length: 20_000 }, (_, position) => testEvent(height, position, 'a', 'other'));
  rig.node.events_.splice(0, before.length, ...others, testEvent(height, 20_000, 'a', address));
  const cut = (await get(`/api/v1/contracts/${address}/events`)).data;
  assert.deepEqual([cut.items, cut.complete, cut.resumeAt], [[], false, cut.next]);
  const rest = (await get(`/api/v1/contracts/${address}/events?after=${cut.next}`)).data;
  assert.deepEqual([rest.items.length, rest.complete, rest.next, rest.resumeAt], [1, true, null, undefined]);
  rig.node.events_.splice(0, rig.node.events_.length, ...before);
});

test('pages of a list that is read at the head claim to be complete only when they speak of one height', async () => {
  const first = (await get('/api/v1/contracts?limit=3')).data;
  const head = rig.node.head;
  rig.node.head = () => ({ ...head(), height: head().height + 1 });
  const later = (await get(`/api/v1/contracts?limit=3&after=${first.next}`)).data;
  rig.node.head = head;
  const same = (await get(`/api/v1/contracts?limit=3&after=${first.next}`)).data;
  assert.deepEqual([first.complete, later.complete, same.complete], [true, false, true]);
});

test('the page at /docs tells every operation of the registry in the language asked, with nothing to run and no link that leads nowhere', async () => {
  const rows = (await get('/api/v1/interfaces')).data.items as { operationId: string; summary: { en: string; zh: string } }[];
  for (const [url, language] of [
    ['/docs', 'en'],
    ['/docs?lang=zh', 'zh'],
  ] as const) {
    const answer = await get(url);
    const html = answer.body.toString();
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    assert.match(html, new RegExp(`<html lang="${language}">`));
    for (const { operationId, summary } of rows) {
      assert.ok(html.includes(`id="${operationId}"`), operationId);
      assert.ok(html.includes(summary[language].replaceAll("'", '&#39;')), operationId);
    }
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
    for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.has(target), target);
    assert.doesNotMatch(html, /<script|style=|\son[a-z]+=|undefined|\[object/);
    assert.match(html, /<footer>[\s\S]*<code>[0-9a-f]{64}<\/code>/);
  }
  assert.equal((await get('/docs?lang=fr')).code, 'REQUEST_INVALID');
});

/** A GET of every operation under /api/v1 that answers in the envelope, with the examples of its declaration. */
function readings(): readonly { readonly operationId: string; readonly url: string }[] {
  return rig.server.context.routes
    .filter(({ method, url, response }) => method === 'GET' && url.startsWith('/api/v1/') && response.outside === undefined)
    .map(({ operationId, url, parameters }) => {
      const example = (name: string): string =>
        encodeURIComponent(String(parameters.find((parameter) => parameter.name === name)!.example));
      const required = parameters.filter((parameter) => parameter.in === 'query' && parameter.required);
      const query = required.map(({ name }) => `${name}=${example(name)}`).join('&');
      return { operationId, url: `${url.replace(/:(\w+)/g, (_, name: string) => example(name))}?${query}` };
    });
}

test('every reading takes the chain by name or by id, and refuses another', async () => {
  const chainId = Buffer.from(rig.node.info.chainId).toString('hex');
  assert.ok(readings().length > 15);
  for (const { operationId, url } of readings()) {
    for (const chain of ['default', chainId]) {
      const { code } = await get(`${url}&chain=${chain}`);
      assert.ok(!['REQUEST_INVALID', 'CHAIN_UNKNOWN'].includes(code), `${operationId} ${code}`);
    }
    assert.equal((await get(`${url}&chain=other`)).code, 'CHAIN_UNKNOWN', operationId);
  }
});

test('every reading answers in XML what it answers in JSON, lists as items', async () => {
  const headers = { authorization: `Bearer ${rig.token('ada@acme')}`, accept: 'application/xml' };
  for (const { operationId, url } of readings()) {
    const json = await get(url);
    const xml = await rig.server.app.inject({ method: 'GET', url, headers });
    assert.equal(xml.headers['content-type'], 'application/xml; charset=utf-8', operationId);
    assert.equal(xml.statusCode, json.status, operationId);
    let items = 0;
    const parser = new SaxesParser();
    const path: string[] = [];
    parser.on('error', (error) => assert.fail(`${operationId}: ${error.message}`));
    parser.on('opentag', ({ name }) => {
      path.push(name);
      if (path.join('/') === 'response/data/items/item') items++;
    });
    parser.on('closetag', () => void path.pop());
    parser.write(xml.body).close();
    assert.equal(items, json.data?.items?.length ?? 0, operationId);
  }
});

test('the cursor of a history is bound to its record', async () => {
  const [one, other] = ['b'.repeat(64), 'c'.repeat(64)];
  const { history } = rig.records;
  rig.records.history = async (id, page, caller) => ({
    ...(await history.call(rig.records, id, page, caller)),
    next: page.after === undefined ? '1' : null,
  });
  const first = (await get(`/api/v1/records/${one}/history?limit=1`)).data;
  assert.equal((await get(`/api/v1/records/${one}/history?limit=1&after=${first.next}`)).data.next, null);
  assert.equal((await get(`/api/v1/records/${other}/history?limit=1&after=${first.next}`)).code, 'CURSOR_INVALID');
  assert.equal((await get(`/api/v1/records/${one}/history?after=1`)).code, 'CURSOR_INVALID');
  rig.records.history = history;
});
