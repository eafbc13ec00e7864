import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { type ApiError, type Client, createClient, operations } from '../../../../api/client/index.ts';
import { testEvent } from '../stand-in-node.ts';
import { createRig, type Rig, testTls } from '../stand-ins.ts';

let rig: Rig;
let port: number;
let ca: string;
let client: Client;
before(async () => {
  rig = await createRig({ streamsPerAccountMax: 2, headersTimeoutMs: 1_000 });
  port = await rig.server.listen({ host: '127.0.0.1', port: 0 });
  ({ ca } = await testTls());
  client = createClient({ url: `https://127.0.0.1:${port}`, ca, token: rig.token('ada@acme'), retries: 0 });
});
after(async () => {
  client.close();
  await rig.close();
});

/** Everything a raw connection is sent until it is closed. */
function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

test('DB53 5.2.2.b: HTTPS works with the pinned authority, plain HTTP on the same port is refused in words, other TLS versions at all', async () => {
  assert.equal((await client.get('consensus')).code, 'OK');
  const plain = connect(port, '127.0.0.1');
  plain.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const answer = await heard(plain);
  assert.match(answer, /^HTTP\/1\.1 400 .*HTTPS only/s);
  await assert.rejects(
    new Promise((resolve, reject) => {
      const socket = tlsConnect(
        { port, host: '127.0.0.1', ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
        () => resolve(undefined),
      );
      socket.on('error', reject);
    }),
  );
  const strict = createClient({ url: `https://127.0.0.1:${port}`, retries: 0 });
  await assert.rejects(strict.get('consensus'), { code: 'CLIENT_UNREACHABLE' });
  strict.close();
});

test('an answer is UTF-8 on the wire, of ASCII alone or not', async () => {
  for (const [language, message] of [
    ['en', 'Done'],
    ['zh', '成功'],
  ] as const) {
    const headers = { authorization: `Bearer ${rig.token('ada@acme')}`, 'accept-language': language };
    const [answer] = (await once(get(`https://127.0.0.1:${port}/api/v1/consensus`, { ca, headers }), 'response')) as [IncomingMessage];
    const chunks = (await answer.toArray()) as Buffer[];
    const body = Buffer.concat(chunks);
    assert.equal(Number(answer.headers['content-length']), body.length);
    assert.equal((JSON.parse(body.toString('utf8')) as { message: string }).message, message);
  }
});

test('garbage on the wire gets an answer or a closed connection, and the next call is served', async () => {
  for (const bytes of ['\x16\x03\x01\x00\x05hello', '\x00\x00\x00', 'NONSENSE\r\n\r\n', '\x16']) {
    const socket = connect(port, '127.0.0.1');
    socket.write(Buffer.from(bytes, 'latin1'));
    setTimeout(() => socket.end(), 50);
    await heard(socket);
  }
  for (const lines of [
    'GET / HTTP/9.9',
    'GET /\x00 HTTP/1.1',
    'POST /api/v1/records HTTP/1.1\r\nhost: x\r\ncontent-length: -5',
    `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(16_500)}`,
  ]) {
    const socket = tlsConnect({ port, host: '127.0.0.1', ca });
    socket.write(`${lines}\r\n\r\n`);
    const answer = await heard(socket);
    assert.match(answer, /^HTTP\/1\.1 400 .*"code":"REQUEST_MALFORMED"/s, lines.slice(0, 30));
  }
  assert.equal((await client.get('/healthz')).code, 'OK');
});

/** Sends a head and then lines of CSV until `bytes` are out or the connection is closed. */
async function upload(head: string, bytes: number): Promise<{ answer: string; bytesRead: number }> {
  let bytesRead = 0;
  rig.server.app.server.once('secureConnection', (served: Socket) => served.on('close', () => (bytesRead = served.bytesRead)));
  const socket = tlsConnect({ port, host: '127.0.0.1', ca });
  const answer = heard(socket);
  socket.write(`${head}\r\nhost: x\r\n\r\n`);
  const part = Buffer.from('1,2,3\n'.repeat(10_000));
  const chunk = head.includes('chunked')
    ? Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')])
    : part;
  for (let sent = 0; sent < bytes && !socket.destroyed; sent += part.length) {
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const text = await answer;
  return { answer: text, bytesRead };
}

test('without a bearer token no body over 64 KiB is read: the answer arrives and the connection is closed', {
  timeout: 300_000,
}, async () => {
  const bytes = 4_200_000;
  for (const length of [`content-length: ${bytes}`, 'transfer-encoding: chunked'])
    for (const [path, expected, type = 'text/csv'] of [
      ['records/validate', /^HTTP\/1\.1 401 .*connection: close.*TOKEN_MISSING.*\}$/s],
      ['records', /^HTTP\/1\.1 401 .*connection: close.*TOKEN_MISSING.*\}$/s],
      ['auth/login', /^HTTP\/1\.1 413 .*connection: close.*BODY_TOO_LARGE.*\}$/s, 'application/json'],
      ['auth/login', /^HTTP\/1\.1 415 .*connection: close.*MEDIA_TYPE_UNSUPPORTED.*\}$/s],
      ['nothing', /^HTTP\/1\.1 (404|413) .*connection: close.*\}$/s],
    ] as const) {
      const { answer, bytesRead } = await upload(`POST /api/v1/${path} HTTP/1.1\r\n${length}\r\ncontent-type: ${type}`, bytes);
      assert.match(answer, expected, `${path}, ${length}`);
      assert.ok(bytesRead < 1_000_000, `${path}, ${length}: ${bytesRead} bytes were read`);
    }
  assert.equal((await client.get('consensus')).code, 'OK');
});

test('the client raises what the node refuses, with code, details and requestId', async () => {
  await assert.rejects(client.get('records', { limit: 0 }), (error: unknown) => {
    const { status, code, details, requestId } = error as {
      status: number;
      code: string;
      details: readonly { parameter?: string }[];
      requestId: string;
    };
    assert.deepEqual([status, code, details[0]?.parameter, requestId.length], [400, 'REQUEST_INVALID', 'limit', 24]);
    return true;
  });
  const anonymous = client.withToken(undefined);
  await assert.rejects(anonymous.get('consensus'), { code: 'TOKEN_MISSING', status: 401 });
});

test('operations of the client reach their routes', async () => {
  const api = operations(client);
  assert.equal((await api.submitRecords('pro\n1', { contentType: 'text/csv' })).records?.[0]?.status, 'stored');
  assert.equal((await api.findRecords({ product: 'M1' })).items.length, 1);
  const bytes = await api.getBlockBytes(3);
  assert.deepEqual((await api.validateBlock(bytes)).failed, ['stateRoot']);
  assert.equal(
    (await api.listInterfaces({ layer: 'consensus' })).items.every((row) => row.layer === 'consensus'),
    true,
  );
});

test('events stream in order, resume after the last id, are filtered, and streams are bounded per account', async (t) => {
  const api = operations(client);
  const { height } = rig.node;
  rig.node.height = 14;
  t.after(() => {
    rig.node.height = height;
  });
  rig.node.events_.push(testEvent(13, 0), testEvent(13, 1, 'moved'), testEvent(13, 2));
  const take = async (count: number, options: Parameters<typeof api.streamEvents>[0] = {}): Promise<string[]> => {
    const ids: string[] = [];
    for await (const event of api.streamEvents(options)) {
      ids.push(`${event.id} ${event.event}`);
      if (ids.length === count) break;
    }
    return ids;
  };
  assert.deepEqual(await take(3, { query: { fromHeight: 13 } }), ['13-0 stored', '13-1 moved', '13-2 stored']);
  assert.deepEqual(await take(1, { lastEventId: '13-1' }), ['13-2 stored']);
  assert.deepEqual(await take(1, { query: { fromHeight: 0, name: 'moved' } }), ['13-1 moved']);
  for (const ahead of ['15-0', '1000014-0']) {
    const data = { lastEventHeight: Number(ahead.split('-')[0]), height: 14 };
    const error = (await take(1, { lastEventId: ahead }).catch((thrown: unknown) => thrown)) as ApiError;
    assert.deepEqual([error.code, error.status, error.data], ['EVENT_ID_AHEAD', 409, data]);
  }
  const live = take(1, { lastEventId: '13-2' });
  setTimeout(() => {
    rig.node.events_.push(testEvent(14, 0, 'late'));
    rig.node.emit();
  }, 100);
  assert.deepEqual(await live, ['14-0 late']);

  const stop = new AbortController();
  const open = [0, 1].map(async () => {
    for await (const _ of api.streamEvents({ lastEventId: '14-0', signal: stop.signal })) break;
  });
  const metrics = { method: 'GET', url: '/metrics', headers: { authorization: `Bearer ${rig.token('audrey@acme')}` } } as const;
  while (!/^chain_network_streams_count 2$/m.test((await rig.server.app.inject(metrics)).body)) await sleep(10);
  await assert.rejects(client.get('events/stream'), { code: 'SERVER_BUSY' });
  stop.abort();
  await Promise.all(open);
});

test('the head of an event stream carries the security headers', async () => {
  const headers = { authorization: `Bearer ${rig.token('olga@acme')}` };
  const asked = get({ host: '127.0.0.1', port, ca, path: '/api/v1/events/stream', headers, agent: false });
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  assert.match(String(answer.headers['content-type']), /^text\/event-stream/);
  assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
  asked.destroy();
});

test('a client that dawdles over its headers is cut off', { timeout: 300_000 }, async () => {
  const socket = tlsConnect({ port, host: '127.0.0.1', ca });
  socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n');
  const drip = setInterval(() => socket.write('x: y\r\n'), 200);
  const answer = await heard(socket);
  clearInterval(drip);
  assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\nretry-after: 1\r\n.*"code":"REQUEST_TIMEOUT"/s);
});
