/** A key and a certificate for 127.0.0.1, made once a process. */
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { TlsOptions } from '../../api/rest/index.ts';

let tls: Promise<TlsOptions & { readonly ca: string }> | undefined;

export function testTls(): Promise<TlsOptions & { readonly ca: string }> {
  tls ??= (async () => {
    x509.cryptoProvider.set(webcrypto as never);
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=tracemill test',
      notBefore: new Date('2020-01-01'),
      notAfter: new Date('2099-01-01'),
      keys: keys as never,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: '127.0.0.1' },
        ]),
      ],
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }) as string;
    const cert = certificate.toString('pem');
    return { key, cert, ca: cert };
  })();
  return tls;
}
