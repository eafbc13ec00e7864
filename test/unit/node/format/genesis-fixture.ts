/** A genesis file of four validators for tests of the format layer, with keys a test can sign with. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type SteppedCrypto, SUITE } from '../../../../node/format/index.ts';
import type { Genesis } from '../../../../contracts/index.ts';

export const crypto: SteppedCrypto = {
  hash: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
  hasher() {
    const hash = createHash('sha256');
    return { update: (data) => void hash.update(data), digest: () => new Uint8Array(hash.digest()) };
  },
  verify: (suite, publicKey, message, signature) =>
    suite === SUITE.ed25519 &&
    publicKey.length === 32 &&
    signature.length === 64 &&
    verify(
      null,
      message,
      { key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]), format: 'der', type: 'spki' },
      signature,
    ),
};

export interface TestKey {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** An Ed25519 key made from a name, the same in every run. */
export function testKey(name: string): TestKey {
  const seed = createHash('sha256').update(name).digest();
  const key: KeyObject = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { publicKey: new Uint8Array(spki.subarray(-32)), sign: (message) => new Uint8Array(sign(null, message, key)) };
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export const VALIDATORS = ['north-1', 'east-1', 'south-1', 'west-1'] as const;

export function genesisFixture(): Genesis {
  return {
    version: 1,
    name: 'fixture',
    timestampMs: 1_700_000_000_000,
    engine: 'pbft',
    executionVersion: 1,
    parameters: { blockTransactionsMax: 500 },
    organisations: [{ id: 'north', name: 'North Works 北' }],
    nodes: VALIDATORS.map((id) => ({
      id,
      organisation: 'north',
      transportKey: hex(testKey(`${id} transport`).publicKey),
      validatorKey: hex(testKey(`${id} validator`).publicKey),
      tokenKey: hex(testKey(`${id} token`).publicKey),
      custodialKey: hex(testKey(`${id} custodial`).publicKey),
      addresses: ['/ip4/127.0.0.1/tcp/4001'],
      role: 'validator',
      weight: 1,
    })),
    accounts: [
      {
        id: 'mes@north',
        organisation: 'north',
        type: 'service',
        roles: ['operator'],
        keys: [
          {
            keyId: 'k1',
            publicKey: hex(testKey('mes').publicKey),
            suite: 1,
            kind: 'custodial',
            node: 'north-1',
            scope: ['*'],
            validTo: null,
            revoked: false,
          },
        ],
      },
    ],
    factories: [{ id: 'F1', organisation: 'north', name: 'Plant 1' }],
    devices: [{ id: 'D1', organisation: 'north', factory: 'F1' }],
  };
}
