// biome-ignore-all lint/suspicious/noExplicitAny: answers of many shapes are looked into
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { currentOtp } from '../one-time-code.ts';
import { isInside } from '../../../../api/rest/schema.ts';
import { allRoutes } from '../../../../api/rest/routes/index.ts';
import { keyspace } from '../../../../node/store/keyspace.ts';
import { createRig, type Rig } from '../stand-ins.ts';

let rig: Rig;
before(async () => {
  rig = await createRig();
});
after(() => rig.close());

interface Sent {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly json: {
    code: string;
    message: string;
    data: any;
    details: { code: string; parameter?: string; pointer?: string; message: string; row?: number }[];
    requestId: string;
  };
}

async function send(
  method: string,
  url: string,
  options: { body?: string | Buffer; headers?: Record<string, string>; account?: string | null; on?: Rig } = {},
): Promise<Sent> {
  const { account = 'ada@acme', on = rig } = options;
  const answer = await on.server.app.inject({
    method: method as 'GET',
    url,
    headers: { ...(account === null ? {} : { authorization: `Bearer ${on.token(account)}` }), ...options.headers },
    ...(options.body === undefined ? {} : { payload: options.body }),
  });
  const json = String(answer.headers['content-type']).includes('json') && answer.body !== '' ? JSON.parse(answer.body) : undefined;
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, json };
}
const json = { 'content-type': 'application/json' };

test('every answer has the one envelope, success and failure alike (DB53 5.2.1.2.b, 5.2.2.d-2)', async () => {
  for (const answer of [
    await send('GET', '/api/v1/consensus'),
    await send('GET', '/api/v1/consensus', { account: null }),
    await send('GET', '/api/v1/nothing'),
    await send('DELETE', '/api/v1/records'),
    await send('GET', '/api/v1/blocks/%ZZ'),
  ]) {
    assert.deepEqual(Object.keys(answer.json), ['code', 'message', 'data', 'details', 'requestId']);
    assert.match(answer.json.requestId, /^[0-9a-f]{24}$/);
    assert.equal(answer.headers['x-request-id'], answer.json.requestId);
    assert.equal(answer.json.code === 'OK', answer.status === 200);
  }
});

test('Accept gives the same content as JSON or XML, and messages follow Accept-Language', async () => {
  const xml = await send('GET', '/api/v1/consensus', { headers: { accept: 'application/xml' } });
  assert.match(String(xml.headers['content-type']), /^application\/xml/);
  assert.match(xml.text, /^<\?xml[^>]*\?>\n<response><code>OK<\/code>.*<engine>pbft<\/engine>/s);
  const refused = await send('GET', '/api/v1/consensus', { account: null, headers: { accept: 'text/xml', 'accept-language': 'zh-CN' } });
  assert.equal(refused.status, 401);
  assert.match(refused.text, /<code>TOKEN_MISSING<\/code><message>缺少访问令牌/);
  assert.equal((await send('GET', '/api/v1/consensus', { headers: { accept: 'image/png' } })).json.code, 'NOT_ACCEPTABLE');
});

test('GET reads, POST submits, everything else is 405 with Allow (DB53 5.2.2.c)', async () => {
  for (const declared of allRoutes()) {
    const url = declared.url.replace(/:\w+/g, 'x');
    const sharesUrl = (method: string) => allRoutes().some((other) => other.url === declared.url && other.method === method);
    for (const method of [
      'PUT',
      'DELETE',
      'PATCH',
      'HEAD',
      'OPTIONS',
      ...(sharesUrl('GET') ? [] : ['GET']),
      ...(sharesUrl('POST') ? [] : ['POST']),
    ]) {
      const answer = await send(method, url, { account: null });
      assert.equal(answer.status, 405, `${method} ${url}`);
      assert.ok(String(answer.headers.allow).includes(declared.method));
      if (method !== 'HEAD') assert.equal(answer.json.code, 'METHOD_NOT_ALLOWED');
    }
  }
});

test('all bad parameters are named at once, with a guess for a wrong name', async () => {
  const answer = await send('GET', '/api/v1/records?limit=0&order=size&prodct=7&from=&count=exact&count=none');
  assert.equal(answer.status, 400);
  assert.deepEqual(
    answer.json.details.map(({ code, parameter }) => [code, parameter]),
    [
      ['PARAMETER_UNKNOWN', 'prodct'],
      ['PARAMETER_INVALID', 'from'],
      ['PARAMETER_INVALID', 'order'],
      ['PARAMETER_INVALID', 'limit'],
      ['PARAMETER_REPEATED', 'count'],
    ],
  );
  assert.match(answer.json.details[0]!.message, /did you mean product\?/);
});

test('a percent-encoding that is broken or not UTF-8 is refused wherever it stands, never searched for', async () => {
  const before = rig.records.searches.length;
  const product = '%C0%A5%C3%F7'; // Kunming in GB18030
  for (const bad of [product, '%E4%BD', '%ED%A0%80', '%C0%80', '%zz', '100%']) {
    for (const [url, places] of [
      [`/api/v1/records?product=${bad}&batch=x`, ['product']],
      [`/api/v1/records?order=time&${bad}=1&device=${bad}`, [bad, 'device']],
      [`/api/v1/records/source?interfaceId=${bad}`, ['interfaceId']],
      [`/api/v1/records?after=${bad}`, ['after']],
      [`/api/v1/trace/${bad}`, [`path segment 4 (${bad})`]],
      [`/api/v1/nowhere/${bad}/at/all?x=1`, [`path segment 4 (${bad})`]],
    ] as const) {
      const { status, headers, json } = await send('GET', url);
      assert.deepEqual([status, json.code], [400, 'REQUEST_INVALID'], url);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/, url);
      assert.match(String(headers['strict-transport-security']), /max-age=31536000/, url);
      assert.deepEqual(
        json.details.map(({ code, parameter }) => [code, parameter]),
        places.map((place) => ['PARAMETER_ENCODING', place]),
        url,
      );
    }
  }
  const zero = await send('GET', '/api/v1/records?product=A%00B');
  assert.deepEqual([zero.json.code, zero.json.details[0]?.parameter], ['REQUEST_INVALID', 'product']);
  assert.equal(rig.records.searches.length, before);
  const good = await send('GET', '/api/v1/records?product=%E6%98%86+%E6%98%8E&');
  assert.equal(good.status, 200);
});

test('a header parameter takes ASCII alone', () => {
  for (const { operationId, parameters } of rig.server.context.routes)
    for (const { name, schema } of parameters.filter((parameter) => parameter.in === 'header'))
      for (const text of ['\xc0\xa5', 'a\xe6', '\xe9'.repeat(64)]) assert.equal(isInside(schema, text), false, `${operationId}: ${name}`);
});

test('a broken combination names all its parameters (DB53 5.2.1.1.a-2)', async () => {
  const answer = await send('GET', '/api/v1/records?batch=1&productionBatch=2');
  assert.deepEqual([answer.json.details[0]!.code, answer.json.details[0]!.parameter], ['PARAMETER_COMBINATION', 'batch, productionBatch']);
});

test('leaving a parameter out acts as its declared default (DB53 5.2.1.1.a-3)', async () => {
  await send('GET', '/api/v1/records?product=M1');
  await send('GET', '/api/v1/records?product=M1&limit=100&order=time&count=none&include=current&chain=default&atLeastHeight=0&waitMs=5000');
  const [given, spelled] = rig.records.searches.slice(-2);
  assert.deepEqual(given, spelled);
  assert.deepEqual(given?.filter, { product: 'M1' });
});

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

test('an unknown error is INTERNAL, leaks nothing, and is in the log with its requestId', async () => {
  const { block } = rig.node;
  rig.node.block = async () => {
    throw new Error('secret path /etc/keys');
  };
  const answer = await send('GET', '/api/v1/blocks/1');
  rig.node.block = block;
  assert.deepEqual([answer.status, answer.json.code, answer.json.data, answer.json.details], [500, 'INTERNAL', null, []]);
  assert.ok(!answer.text.includes('secret'));
  assert.ok(rig.world.logged.some((line) => line.includes('secret path') && line.includes(answer.json.requestId)));
});

test('a call that runs over its declared time ends with CALL_TIMEOUT and its signal aborts', async () => {
  const { alarms } = rig.node;
  rig.node.alarms = () => new Promise(() => {});
  const after = rig.world.timers.after;
  (rig.world.timers as { after: typeof after }).after = (_ms, run) => after(5, run);
  const answer = await send('GET', '/api/v1/alarms');
  (rig.world.timers as { after: typeof after }).after = after;
  rig.node.alarms = alarms;
  assert.deepEqual([answer.status, answer.json.code, answer.json.data], [504, 'CALL_TIMEOUT', { timeoutMs: 15_000 }]);
});

test('going over the rate limit is 429 with the wait, per account (DB53 5.2.1.1.b-2)', async () => {
  const own = await createRig();
  let last: Sent | undefined;
  for (let i = 0; i < 200 && last?.status !== 429; i++)
    last = await send('GET', '/metrics', { on: own, headers: { accept: 'application/json' } });
  assert.equal(last!.json.code, 'RATE_LIMITED');
  assert.ok(Number(last!.headers['retry-after']) >= 1);
  assert.equal((await send('GET', '/metrics', { on: own, account: 'audrey@acme' })).status, 200);
  await own.close();
});

test('bad tokens from one address are slowed down; good ones still pass', async () => {
  const own = await createRig();
  const bad = () => send('GET', '/api/v1/consensus', { on: own, account: null, headers: { authorization: 'Bearer tm1.x.y' } });
  own.world.hold(); // one call a second would be granted again
  let sent = 1;
  while ((await bad()).json.code !== 'RATE_LIMITED' && sent < 100) sent++;
  assert.equal(sent, 61);
  assert.equal((await send('GET', '/api/v1/consensus', { on: own })).status, 200);
  await own.close();
});

test('another chain is not served; its own id is', async () => {
  assert.equal((await send('GET', '/api/v1/consensus?chain=other')).json.code, 'CHAIN_UNKNOWN');
  const { chainId } = (await send('GET', '/api/v1/consensus')).json.data;
  assert.equal((await send('GET', `/api/v1/consensus?chain=${chainId}`)).status, 200);
});

// --- idempotency --------------------------------------------------------------------------------------------------------------------

const call = (body: object, key: string, more: { account?: string; headers?: Record<string, string>; on?: Rig } = {}) =>
  send('POST', `/api/v1/contracts/${address}/call`, {
    ...more,
    headers: { ...json, 'idempotency-key': key, ...more.headers },
    body: JSON.stringify(body),
  });
const address = `0x${'1'.repeat(40)}`;

async function rigWithContract(): Promise<Rig> {
  const own = await createRig();
  const { CONTRACT, deployedKey, stateKey } = await import('../../../../contracts/index.ts');
  const { encodeJson } = await import('../../../../node/format/index.ts');
  own.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  return own;
}

test('the same Idempotency-Key and bytes give the first answer; other bytes are refused; keys are per account', async () => {
  const own = await rigWithContract();
  const first = await call({ method: 'add' }, 'k1', { on: own });
  const again = await call({ method: 'add' }, 'k1', { on: own });
  assert.deepEqual(again.json.data, first.json.data);
  assert.deepEqual([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']], ['false', 'true']);
  assert.equal(own.node.submitted.length, 1);
  const other = await call({ method: 'take' }, 'k1', { on: own });
  assert.deepEqual([other.status, other.json.code], [409, 'IDEMPOTENCY_KEY_REUSED']);
  await call({ method: 'add' }, 'k1', { on: own, account: 'olga@acme' });
  assert.equal(own.node.submitted.length, 2);
  await own.close();
});

test('nothing of one account shows under the same Idempotency-Key of another of its organisation, in flight or after', async () => {
  const own = await rigWithContract();
  const accounts = ['ada@acme', 'olga@acme'] as const;
  const told = async (account: string, body: object) => {
    const { status, json, headers } = await call(body, 'shared', { on: own, account });
    return [status < 300, headers['idempotency-replayed'], json.data.transactionId];
  };
  const inFlight = await Promise.all(accounts.flatMap((account) => [told(account, { method: 'add' }), told(account, { method: 'add' })]));
  assert.equal(own.node.submitted.length, 2, 'one transaction for each account');
  const [ada, adaAgain, olga, olgaAgain] = inFlight.map(([, , id]) => id);
  assert.deepEqual([ada === adaAgain, olga === olgaAgain, ada === olga], [true, true, false]);
  for (const [account, id] of [
    [accounts[0], ada],
    [accounts[1], olga],
  ] as const)
    assert.deepEqual(await told(account, { method: 'add' }), [true, 'true', id]);
  const key = { on: own, account: 'ada@acme' };
  assert.equal((await call({ method: 'take' }, 'hers', key)).headers['idempotency-replayed'], 'false');
  const other = await call({ method: 'add' }, 'hers', { on: own, account: 'olga@acme' });
  assert.deepEqual([other.status, other.headers['idempotency-replayed']], [200, 'false'], 'a key that another account used is free');
  await own.close();
});

test('an Idempotency-Key keeps nothing by which sealed fields could be guessed, and the repeat is answered whole', async () => {
  const own = await createRig();
  const { createHash } = await import('node:crypto');
  const body = '{"pro_op_name":"Li Ming"}';
  for (const url of ['/api/v1/records', '/api/v1/records/validate']) {
    const submit = (text: string) => send('POST', url, { on: own, headers: { ...json, 'idempotency-key': url.slice(-8) }, body: text });
    const first = await submit(body);
    const contentDigest = createHash('sha256').update(body).digest('hex');
    assert.equal(first.json.data.records[0].contentDigest, contentDigest);
    const again = await submit(body);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.deepEqual(again.json.data, first.json.data);
    assert.equal((await submit('{"pro_op_name":"Li Mang"}')).json.code, 'IDEMPOTENCY_KEY_REUSED');
    const kept = [...own.store.rows]
      .filter(([key]) => key.startsWith(keyspace.idempotency))
      .map(([, row]) => new TextDecoder().decode(row));
    assert.ok(kept.length > 0);
    assert.ok(kept.every((row) => !row.includes(contentDigest)));
    const plain = createHash('sha256').update(`{"body":"${contentDigest}","given":{},"mediaType":"application/json","operationId":"`);
    assert.ok(
      kept.every(
        (row) =>
          !row.includes(
            plain
              .copy()
              .update(`${first.json.data.valid ? 'validate' : 'submit'}Records"}`)
              .digest('hex'),
          ),
      ),
    );
  }
  await own.close();
});

test('a token that an answer under an Idempotency-Key holds is not on the disk in clear, and is given again', async () => {
  const own = await createRig();
  await own.server.context.credentials.setPassword('ada@acme', 'correct horse');
  const { secret } = await own.server.context.credentials.setOtp('ada@acme');
  const ask = () =>
    send('POST', '/api/v1/auth/step-up', {
      on: own,
      headers: { ...json, 'idempotency-key': 's', otp: currentOtp(secret, own.world.clock.now()) },
    });
  const first = await ask();
  assert.equal(first.status, 200, first.text);
  assert.equal((await ask()).json.data.token, first.json.data.token);
  const rows = [...own.store.rows.values()].map((row) => Buffer.from(row).toString('latin1'));
  assert.ok(rows.every((row) => !row.includes(first.json.data.token)));
  await own.close();
});

test('a pending submission keeps its key for the same body', async () => {
  const own = await createRig();
  const submit = (text: string) => send('POST', '/api/v1/records', { on: own, headers: { ...json, 'idempotency-key': 'p' }, body: text });
  own.records.pending = true;
  assert.equal((await submit('{"a":"1"}')).status, 202);
  assert.equal((await submit('{"a":"2"}')).json.code, 'IDEMPOTENCY_KEY_REUSED');
  own.records.pending = false;
  assert.equal((await submit('{"a":"1"}')).status, 200);
  await own.close();
});

test('concurrent duplicates wait for the first', async () => {
  const own = await rigWithContract();
  const { submit } = own.node;
  own.node.submit = async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, 20)); // the others come meanwhile
    return submit(bytes);
  };
  const answers = await Promise.all(Array.from({ length: 8 }, () => call({ method: 'add' }, 'k2', { on: own })));
  assert.equal(own.node.submitted.length, 1);
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer.json.data))).size, 1);
  await own.close();
});

test('work under an Idempotency-Key that outlives its call is not done again by a repeat, which gets its answer', async () => {
  const own = await rigWithContract();
  const { awaitTransaction } = own.node;
  let settle = (): void => {};
  own.node.awaitTransaction = (id, timeoutMs) =>
    new Promise((resolve) => {
      settle = () => resolve(awaitTransaction(id, timeoutMs));
    });
  const { after } = own.world.timers;
  (own.world.timers as { after: typeof after }).after = (_ms, run) => after(5, run);
  const late = await call({ method: 'add' }, 'k4', { on: own });
  (own.world.timers as { after: typeof after }).after = after;
  assert.equal(late.json.code, 'CALL_TIMEOUT');
  const repeat = call({ method: 'add' }, 'k4', { on: own });
  await new Promise((resolve) => setTimeout(resolve, 50));
  settle();
  assert.equal((await repeat).json.data.status, 'confirmed');
  assert.equal((await call({ method: 'add' }, 'k4', { on: own })).headers['idempotency-replayed'], 'true');
  assert.equal(own.node.submitted.length, 1);
  await own.close();
});

test('a refused request frees its key; an interrupted one is not run twice; an expired key is forgotten', async () => {
  const own = await rigWithContract();
  const { submit } = own.node;
  own.node.submit = async () => {
    const { ChainError } = await import('../../../../node/errors/index.ts');
    throw new ChainError('MEMPOOL_FULL');
  };
  const refused = await call({ method: 'add' }, 'k3', { on: own });
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
  own.node.submit = submit;
  assert.equal((await call({ method: 'add' }, 'k3', { on: own })).status, 200);

  // A crash between begin and end leaves a row without an answer.
  const [rowKey, row] = [...own.store.rows].find(([key]) => key.startsWith(keyspace.idempotency))!;
  own.store.rows.set(
    rowKey,
    new TextEncoder().encode(new TextDecoder().decode(row).replace(/"answer":"(?:[^"\\]|\\.)*"/, '"answer":null')),
  );
  assert.equal((await call({ method: 'add' }, 'k3', { on: own })).json.code, 'IDEMPOTENCY_INTERRUPTED');
  own.world.advance(86_400_001);
  assert.equal((await call({ method: 'add' }, 'k3', { on: own })).status, 200);
  await own.close();
});

test('a repeat of a pending answer tells what became of the transaction', async () => {
  const own = await rigWithContract();
  const { statuses } = own.node;
  own.node.statuses = () => ({ state: 'pending', sinceMs: 1 });
  const first = await call({ method: 'add' }, 'k4', { on: own });
  assert.deepEqual([first.status, first.json.data.status], [202, 'pending']);
  own.node.statuses = statuses;
  const later = await call({ method: 'add' }, 'k4', { on: own });
  assert.deepEqual(
    [later.status, later.headers['idempotency-replayed'], later.json.data.status, later.json.data.transactionId],
    [200, 'true', 'confirmed', first.json.data.transactionId],
  );
  assert.equal(own.node.submitted.length, 1);
  await own.close();
});

// --- exchange log -------------------------------------------------------------------------------------------------------------------

test('every call leaves one entry, refused ones too, without token, secret or body', async () => {
  const own = await createRig();
  const secret = 'OPERATOR-LI-MING';
  const token = own.token('press-7@acme');
  await send('POST', '/api/v1/records', {
    on: own,
    account: 'press-7@acme',
    headers: { 'content-type': 'text/csv' },
    body: `pro_operator\n${secret}`,
  });
  await send('GET', '/api/v1/consensus', { on: own, account: null });
  await send('GET', '/api/v1/records', { on: own, account: null, headers: { authorization: 'Bearer tm1.a.b' } });
  await send('POST', '/api/v1/auth/login', {
    on: own,
    account: null,
    headers: json,
    body: '{"account":"ada@acme","password":"hunter2hunter2"}',
  });
  await send('GET', '/no/such', { on: own, account: null });
  await send('PUT', '/api/v1/records', { on: own, account: null });
  await send('GET', '/no/%ff', { on: own, account: null });
  await send('GET', `/api/v1/trace/${'a'.repeat(513)}`, { on: own, account: null });
  const answer = await send('GET', '/api/v1/audit/exchanges?proof=true', { on: own, account: 'audrey@acme' });
  const rows = answer.json.data.items as {
    interfaceId: string;
    caller: string;
    code: string;
    organisation: string;
    rows: number;
    accountTried?: string;
  }[];
  assert.deepEqual(
    rows.map((row) => `${row.interfaceId} ${row.caller} ${row.code} ${row.rows}`),
    [
      'submitRecords press-7@acme OK 1',
      'getConsensus  TOKEN_MISSING 0',
      'findRecords  TOKEN_INVALID 0',
      'login  LOGIN_REFUSED 0',
      'unknown  NOT_FOUND 0',
      'unknown  METHOD_NOT_ALLOWED 0',
      'unknown  REQUEST_INVALID 0',
      'unknown  REQUEST_MALFORMED 0',
    ],
  );
  assert.deepEqual(
    rows.map((row) => row.accountTried),
    [undefined, undefined, undefined, 'ada@acme', undefined, undefined, undefined, undefined],
    'the refused login names the account that was tried',
  );
  const tried = await send('GET', '/api/v1/audit/exchanges?accountTried=ada@acme', { on: own, account: 'audrey@acme' });
  assert.deepEqual(
    tried.json.data.items.map((row: { code: string }) => row.code),
    ['LOGIN_REFUSED'],
  );
  assert.equal(answer.json.data.proof.entryDigests.length, 8);
  const stored =
    [...own.exchangeStore.rows.values(), ...own.store.rows.values()].map((value) => Buffer.from(value).toString('latin1')).join('\n') +
    own.world.logged.join('\n');
  for (const word of [secret, token, 'hunter2']) assert.ok(!stored.includes(word), word);
  await own.close();
});

test('an auditor of another organisation sees the calls of his own only', async () => {
  const own = await createRig();
  own.state.put('account', 'ann@bolt', 'bolt', { type: 'person', roles: ['auditor'], keys: [], sessionEpoch: 1 });
  const foreign = { authorization: `Bearer ${own.token('ann@bolt', { node: 'node-b' }, own.keys['node-b'])}` };
  await send('GET', '/api/v1/consensus', { on: own });
  await send('GET', '/api/v1/consensus', { on: own, account: null, headers: foreign });
  const answer = await send('GET', '/api/v1/audit/exchanges', { on: own, account: null, headers: foreign });
  assert.deepEqual(
    answer.json.data.items.map((row: { caller: string }) => row.caller),
    ['ann@bolt'],
  );
  assert.equal(answer.json.data.scope, 'organisation');
  await own.close();
});

test('a step-up route asks for a code, takes it once, and a fresh token needs none', async () => {
  const own = await createRig();
  const { secret } = await own.server.context.credentials.setOtp('ada@acme');
  const otp = () => currentOtp(secret, own.world.clock.now());
  const propose = (headers: Record<string, string>) =>
    send('POST', '/api/v1/governance/proposals', {
      on: own,
      headers: { ...json, ...headers },
      body: '{"kind":"setParameter","name":"viewTimeoutMs","value":3000}',
    });
  assert.equal((await propose({})).json.code, 'STEP_UP_REQUIRED');
  assert.equal((await propose({ otp: otp() === '000000' ? '000001' : '000000' })).json.code, 'OTP_INVALID');
  assert.equal((await propose({ otp: 'abc' })).json.code, 'REQUEST_INVALID');
  assert.equal((await propose({ otp: otp() })).status, 200);
  assert.deepEqual(own.node.signed.at(-1), {
    account: 'ada@acme',
    contract: 'governance',
    method: 'propose',
    args: { kind: 'setParameter', name: 'viewTimeoutMs', value: 3_000 },
  });
  assert.equal((await propose({ otp: otp() })).json.code, 'OTP_REUSED');

  own.world.advance(30_000);
  const stepped = await send('POST', '/api/v1/auth/step-up', { on: own, headers: { ...json, otp: otp() } });
  assert.equal(stepped.json.data.steppedUp, true);
  const fresh = { authorization: `Bearer ${stepped.json.data.token}` };
  assert.equal((await propose(fresh)).status, 200);
  own.world.advance(301_000);
  assert.equal((await propose(fresh)).json.code, 'STEP_UP_REQUIRED');
  assert.equal(
    (await send('POST', '/api/v1/governance/proposals', { on: own, account: 'olga@acme', headers: json, body: '{"kind":"x"}' })).json.code,
    'RIGHT_MISSING',
  );
  await own.close();
});

test('a stopped server does not listen again', async () => {
  const own = await createRig();
  await own.close();
  await assert.rejects(own.server.listen({ host: '127.0.0.1', port: 0 }), { code: 'NODE_STOPPING' });
});

test('every code answered above stands in the declaration of its route (DB53 5.2.1.1.b-3)', () => {
  assert.deepEqual(
    rig.world.logged.filter((line) => line.includes('undeclared code')),
    [],
  );
});
