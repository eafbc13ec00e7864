/** All access goes over HTTPS: plain HTTP is refused, HTTPS works with the configured certificate. */
import assert from 'node:assert/strict';
import { request as plainRequest } from 'node:http';
import { connect } from 'node:tls';
import type { Probe } from '../clause.ts';

function plain(url: string): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = plainRequest(url.replace(/^https:/, 'http:'), { timeout: 10_000 }, (incoming) => {
      incoming.resume();
      resolve(`status ${incoming.statusCode} ${incoming.headers.location ?? ''}`);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', () => resolve('refused'));
    outgoing.end();
  });
}

/** The version agreed on, or the fault. */
function handshake(url: string, maxVersion: 'TLSv1.1' | 'TLSv1.3'): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(
      { host: hostname, port: Number(port), rejectUnauthorized: false, minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' },
      () => {
        resolve(socket.getProtocol() ?? 'none');
        socket.destroy();
      },
    );
    socket.on('error', () => resolve('refused'));
  });
}

export const probe: Probe = {
  id: '5.2.2.b',
  async prove(context) {
    for (const { url } of context.net.nodes) {
      assert.match(await plain(`${url}/healthz`), /^(?:refused|status (?:301|307|308|400|426) (?:https:.*)?)$/);
      assert.match(await handshake(url, 'TLSv1.3'), /^TLSv1\.[23]$/);
    }
    const answer = await context.call(0, 'GET', '/healthz', { token: null });
    assert.equal(answer.status, 200, 'HTTPS under the devnet’s authority works');
  },
  async twin(context) {
    assert.equal(await handshake(context.net.nodes[0]!.url, 'TLSv1.1'), 'refused', 'old versions of TLS are refused');
    const { hostname, port } = new URL(context.net.nodes[0]!.url);
    const verdict = await new Promise((resolve) => {
      const socket = connect({ host: hostname, port: Number(port) }, () => resolve('trusted'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    assert.notEqual(verdict, 'trusted', 'without the configured authority the certificate is not trusted');
  },
};
