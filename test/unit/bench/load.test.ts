import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createAuthority, issueServerCertificate } from '../../../node/keystore/certificates.ts';
import { Load, type Request } from '../../bench/load.ts';

/** Answers by what the body says: `ok`, `reset` the first time it comes, `busy`, `late`, `never`. */
async function server() {
  const authority = await createAuthority('bench', Date.now());
  const tls = await issueServerCertificate(authority, 'bench', Date.now());
  const seen = new Set<string>();
  const listener = createServer({ key: tls.privateKey, cert: tls.certificate }, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
    request.on('end', () => {
      const answer = (status: number, text: string) => response.writeHead(status, { 'content-length': text.length }).end(text);
      if (body.startsWith('never') || (body.startsWith('reset') && !seen.has(body))) request.socket.destroy();
      else if (body.startsWith('busy')) answer(503, '{"code":"SERVER_BUSY"}');
      else if (body.startsWith('late')) answer(202, '{}');
      else answer(200, '{}');
      seen.add(body);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const load = new Load({ ca: authority.certificate, nodes: [{ url: `https://127.0.0.1:${port}`, pid: process.pid }] }, ['token']);
  const stop = (): void => {
    load.close();
    listener.close();
  };
  return { load, stop };
}

const requests = (...bodies: readonly string[]): Request[] => bodies.map((body) => ({ node: 0, body: Buffer.from(body) }));

test('a connection reset is counted and ends no run; refusals stand by code, and only what was committed has a latency', async () => {
  const { load, stop } = await server();
  try {
    await load.warm(2);
    const result = await load.offer(requests('ok 1', 'reset 2', 'busy 3', 'ok 4', 'late 5', 'never 6', 'busy 7', 'ok 8'), 200);
    assert.equal(result.committed, 4);
    assert.equal(result.latency.count, 4);
    assert.deepEqual(result.refused, { SERVER_BUSY: 2 });
    assert.equal(result.late, 1);
    assert.equal(result.lost, 1);
    assert.equal(result.resets, 3, 'one that was sent again with success, and two of what was lost');
    assert.ok(result.committedPerS > 0 && result.loadCpuUs > 0 && result.nodesCpuUs.length === 1);
  } finally {
    stop();
  }
});

test('a closed loop sends until nothing is left, over as many connections as requests are under way', async () => {
  const { load, stop } = await server();
  try {
    const waiting = requests('ok 1', 'ok 2', 'reset 3', 'ok 4', 'ok 5');
    const result = await load.keep(() => waiting.pop(), 2, 'records');
    assert.equal(result.committed, 5);
    assert.equal(result.resets, 1);
    assert.equal(result.offeredPerS, undefined);
  } finally {
    stop();
  }
});
