// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../../../api/rest/metrics.ts';
import { CONTRACT, recordKey, stateKey } from '../../../../contracts/index.ts';
import { encodeJson, indexDigest, toByteText } from '../../../../node/format/index.ts';
import { crypto } from '../../node/records/sample.ts';
import { SaxesParser } from 'saxes';
import { START_MS } from '../stand-in-world.ts';
import { testDeclaredCodes } from './calls.ts';
import { get, post, rig } from './routes-rig.ts';

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

testDeclaredCodes(() => rig);
