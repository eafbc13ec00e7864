// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSealedBlock, encodeSealedBlock } from '../../../../node/ledger/validation.ts';
import { decodeHeader, encodeBlock, encodeJson, encodeRecordResults, toHex, transactionHashOf } from '../../../../node/format/index.ts';
import { crypto } from '../../node/records/sample.ts';
import { confirmed } from '../stand-in-node.ts';
import { verifyMerklePath } from '../../node/format/merkle-path.ts';
import { testDeclaredCodes } from './calls.ts';
import { address, get, post, rig } from './routes-rig.ts';

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

testDeclaredCodes(() => rig);
