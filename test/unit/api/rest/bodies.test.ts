import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { createRig, type Rig } from '../stand-ins.ts';
import { json, senderTo, testDeclaredCodes } from './calls.ts';

let rig: Rig;
before(async () => {
  rig = await createRig();
});
after(() => rig.close());

const send = senderTo(() => rig);

test('all bad fields of a JSON body are named at once, by pointer', async () => {
  const answer = await send('POST', '/api/v1/contracts', {
    headers: json,
    body: '{"nme":"x","code":"","language":"cobol","gasLimit":1.5}',
  });
  assert.equal(answer.json.code, 'REQUEST_INVALID');
  const faults = answer.json.details.map(({ code, pointer }) => `${code} ${pointer}`).sort();
  assert.deepEqual(faults, [
    'FIELD_MISSING /name',
    'FIELD_RANGE /code',
    'FIELD_RANGE /language',
    'FIELD_TYPE /gasLimit',
    'FIELD_UNKNOWN /nme',
  ]);
});

test('hostile JSON is refused: malformed, not UTF-8, deep, __proto__', async () => {
  for (const body of [
    '{',
    '{"a":1}x',
    Buffer.from([0x22, 0xff, 0x22]),
    '{"name":"a","code":"b","__proto__":{"x":1}}',
    '['.repeat(200_000),
  ]) {
    const answer = await send('POST', '/api/v1/contracts', { headers: json, body });
    assert.equal(answer.status, 400, String(body).slice(0, 40));
    assert.ok(['BODY_MALFORMED', 'REQUEST_INVALID'].includes(answer.json.code));
  }
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

test('a wrong Content-Type is 415 and names the right ones', async () => {
  const answer = await send('POST', '/api/v1/contracts', { headers: { 'content-type': 'text/yaml' }, body: 'a: 1' });
  assert.deepEqual([answer.status, answer.json.data.formats], [415, ['application/json']]);
  const taken = await send('POST', '/api/v1/records', { headers: { 'content-type': 'Text/XML; charset=utf-8' }, body: '<r/>' });
  assert.equal(taken.status, 200);
  assert.equal(rig.records.submissions.at(-1)?.mediaType, 'application/xml');
});

test('a charset other than UTF-8 is refused by its name, whether the type, a byte order mark or an XML declaration states it', async () => {
  const before = rig.records.submissions.length;
  const refuse = async (type: string, body: string | Buffer) => {
    const answer = await send('POST', '/api/v1/records', { headers: { 'content-type': type }, body });
    assert.deepEqual([answer.status, answer.json.code], [415, 'CHARSET_UNSUPPORTED'], `${type} ${String(body)}`);
    assert.deepEqual(answer.json.data.accepted, ['utf-8']);
    return [answer.json.data.charset, answer.json.data.statedBy];
  };
  for (const type of ['text/csv', 'application/json', 'application/xml'])
    for (const charset of ['gb18030', 'GBK', 'utf-16', 'iso-8859-1', '"gb2312"', ''])
      assert.deepEqual(await refuse(`${type}; header=present ;Charset=${charset}`, 'a'), [charset.replaceAll('"', ''), 'Content-Type']);
  assert.deepEqual(await refuse('text/csv; charset=utf-8; charset=gbk', 'a'), ['gbk', 'Content-Type']);
  for (const [charset, mark] of [
    ['utf-16le', [0xff, 0xfe, 0x61, 0]],
    ['utf-16be', [0xfe, 0xff, 0, 0x61]],
    ['utf-32le', [0xff, 0xfe, 0, 0]],
    ['gb18030', [0x84, 0x31, 0x95, 0x33]],
  ] as const)
    assert.deepEqual(await refuse('text/csv', Buffer.from(mark)), [charset, 'byte order mark']);
  assert.deepEqual(await refuse('text/xml; charset=utf-8', "<?xml version='1.0' encoding='GB18030'?><r/>"), ['GB18030', 'XML declaration']);
  const login = await send('POST', '/api/v1/auth/login', { headers: { 'content-type': 'application/json; charset=gbk' }, body: '{}' });
  assert.equal(login.json.code, 'CHARSET_UNSUPPORTED');
  assert.equal(rig.records.submissions.length, before, 'nothing was read');
  for (const type of ['text/csv; charset=UTF-8', 'text/csv;charset="utf8"; header=present', 'text/csv'])
    assert.equal((await send('POST', '/api/v1/records', { headers: { 'content-type': type }, body: '\ufeffa' })).status, 200, type);
  const declared = '<?xml version="1.0" encoding="utf-8"?><r/>';
  assert.equal((await send('POST', '/api/v1/records', { headers: { 'content-type': 'text/xml' }, body: declared })).status, 200);
});

test('a compressed body is refused by the name of its encoding, and one that is stated to be as it is passes', async () => {
  for (const encoding of ['gzip', 'br', 'identity, gzip']) {
    const answer = await send('POST', '/api/v1/records', { headers: { ...json, 'content-encoding': encoding }, body: '{}' });
    assert.deepEqual(
      [answer.status, answer.json.code, answer.json.data],
      [415, 'CONTENT_ENCODING_UNSUPPORTED', { contentEncoding: encoding, accepted: ['identity'] }],
    );
  }
  assert.equal((await send('POST', '/api/v1/records', { headers: { ...json, 'content-encoding': 'Identity' }, body: '{}' })).status, 200);
});

test('half a surrogate pair is refused wherever a JSON body holds it', async () => {
  for (const body of ['{"name":"\\ud800","code":"x"}', '{"name":"a","code":"\\udc00\\ud800"}', '{"name":"a","code":"x","\\ud83d":1}']) {
    const answer = await send('POST', '/api/v1/contracts', { headers: json, body });
    assert.deepEqual([answer.status, answer.json.code], [400, 'BODY_MALFORMED'], body);
    assert.match(String(answer.json.data.reason), /half a surrogate pair/);
  }
});

test('a body of 1.9 MB passes and one over its bound is 413, whether it states its length or not', async () => {
  const part = await send('POST', '/api/v1/records', {
    headers: { 'content-type': 'application/xml' },
    body: `<r>${'x'.repeat(1_900_000)}</r>`,
  });
  assert.equal(part.status, 200);
  const big = await send('POST', '/api/v1/records', {
    headers: { 'content-type': 'text/csv' },
    body: Buffer.alloc(16 * 1024 * 1024 + 1, 120),
  });
  assert.deepEqual([big.status, big.json.code, big.json.data], [413, 'BODY_TOO_LARGE', { bytesMax: 16 * 1024 * 1024 }]);
  const small = await send('POST', '/api/v1/auth/login', { headers: json, body: 'x'.repeat(5_000) });
  assert.deepEqual([small.status, small.json.data], [413, { bytesMax: 4_096 }]);
});

test('a body arrives as it was sent, in however many chunks and whether it states its length or not', async () => {
  const text = Array.from({ length: 60_000 }, (_, i) => i).join(',');
  for (const chunkBytes of [1, 7_001, text.length])
    for (const stated of [true, false]) {
      const body = chunkBytes === 1 ? text.slice(0, 300) : text;
      const chunks = body.match(new RegExp(`[^]{1,${Math.min(chunkBytes, 60_000)}}`, 'g'))!;
      const headers = { 'content-type': 'text/csv', ...(stated ? { 'content-length': String(body.length) } : {}) };
      const { status } = await send('POST', '/api/v1/records', { headers, body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) });
      assert.equal(status, 200);
      assert.ok(rig.records.submissions.at(-1)?.text === body, `${chunks.length} chunks, ${stated ? 'of' : 'without'} a stated length`);
    }
});

testDeclaredCodes(() => rig);
