import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { certificateFacts, createAuthority, issueServerCertificate } from '../../../../node/keystore/certificates.ts';

const NOW_MS = Date.now();

test('a server certificate of the devnet authority is accepted by TLS for 127.0.0.1 and for localhost', async (t) => {
  const authority = await createAuthority('Test authority', NOW_MS);
  const pair = await issueServerCertificate(authority, 'n1', NOW_MS);
  const server = createServer({ cert: pair.certificate, key: pair.privateKey }, (_, response) => response.end('yes'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ask = (host: string, ca: string | undefined) =>
    new Promise<number>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, headers: { host }, servername: host === '127.0.0.1' ? '' : host, agent: false as const };
      request(ca === undefined ? options : { ...options, ca }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });
  assert.equal(await ask('localhost', authority.certificate), 200);
  assert.equal(await ask('127.0.0.1', authority.certificate), 200);
  await assert.rejects(ask('localhost', undefined));
  await assert.rejects(ask('localhost', (await createAuthority('Another authority', NOW_MS)).certificate));
});

test('names, issuer and dates of a certificate can be read back', async () => {
  const authority = await createAuthority('Test authority', NOW_MS);
  const hosts = ['node.example', '192.0.2.17', '2001:db8::17', '192.0.2.17.example', 'n192.0.2.17', 'localhost'];
  const pair = await issueServerCertificate(authority, 'n1', NOW_MS, hosts);
  const facts = certificateFacts(pair.certificate);
  assert.equal(facts.subject, 'CN=n1');
  assert.equal(facts.issuer, 'CN=Test authority');
  assert.equal(facts.names.length, 8);
  assert.ok(facts.notAfterMs > NOW_MS && facts.notBeforeMs < NOW_MS);
  const certificate = new X509Certificate(pair.certificate);
  assert.ok(certificate.checkIssued(new X509Certificate(authority.certificate)));
  assert.equal(certificate.ca, false);
  assert.deepEqual(certificate.subjectAltName!.split(', ').sort(), [
    'DNS:192.0.2.17.example',
    'DNS:localhost',
    'DNS:n192.0.2.17',
    'DNS:node.example',
    'IP Address:0:0:0:0:0:0:0:1',
    'IP Address:127.0.0.1',
    'IP Address:192.0.2.17',
    'IP Address:2001:DB8:0:0:0:0:0:17',
  ]);
  assert.equal(new X509Certificate(authority.certificate).ca, true);
  assert.deepEqual(certificateFacts(authority.certificate).names, []);
});
