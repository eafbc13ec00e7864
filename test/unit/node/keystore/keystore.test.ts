import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import { toHex, utf8 } from '../../../../node/format/index.ts';
import { createKeystore, keyKinds, listKeystore, openKeystore } from '../../../../node/keystore/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'keystore-'));
after(() => rmSync(directory, { recursive: true }));
const CHEAP = { n: 1_024, r: 8, p: 1 };
let next = 0;
const freshPath = () => join(directory, `${next++}.json`);
const code = (expected: string) => (error: unknown) => error instanceof ChainError && error.code === expected;

test('a keystore opened again holds the same keys and signs with them', async () => {
  const path = freshPath();
  const made = await createKeystore(path, 'open sesame', CHEAP);
  for (const kind of keyKinds) await made.add(`the-${kind}`, kind);
  const opened = await openKeystore(path, 'open sesame');
  assert.deepEqual(opened.list(), made.list());
  assert.deepEqual(listKeystore(path), made.list());
  const message = utf8('vote');
  const x = Buffer.from(opened.publicKey('the-validator')).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  assert.ok(verify(null, message, key, opened.sign('the-validator', message)));
  assert.equal(verify(null, utf8('other'), key, opened.sign('the-validator', message)), false);
  assert.deepEqual(opened.secret('the-transport'), made.secret('the-transport'));
  assert.equal(opened.secret('the-sealing').length, 32);
});

test('private keys never stand in the file in clear, and only its owner may read it', async () => {
  const path = freshPath();
  const store = await createKeystore(path, 'p', CHEAP);
  await store.add('t', 'transport');
  const bytes = readFileSync(path);
  const secret = store.secret('t');
  assert.equal(bytes.includes(Buffer.from(secret)), false);
  assert.equal(bytes.toString('utf8').includes(toHex(secret)), false);
  assert.equal(bytes.toString('utf8').includes(Buffer.from(secret).toString('base64')), false);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a wrong passphrase is KEYSTORE_LOCKED, a changed or cut file KEYSTORE_DAMAGED, none KEYSTORE_MISSING', async () => {
  const path = freshPath();
  await (await createKeystore(path, 'right', CHEAP)).add('a', 'account');
  await assert.rejects(openKeystore(path, 'wrong'), code('KEYSTORE_LOCKED'));
  await assert.rejects(openKeystore(freshPath(), 'right'), code('KEYSTORE_MISSING'));
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, text.length / 2));
  await assert.rejects(openKeystore(path, 'right'), code('KEYSTORE_DAMAGED'));
  writeFileSync(path, text.replace('"id": "a"', '"id": "b"'));
  await assert.rejects(openKeystore(path, 'right'), code('KEYSTORE_DAMAGED'));
});

test('a public key swapped together with the checksum still does not open', async () => {
  const path = freshPath();
  await (await createKeystore(path, 'p', CHEAP)).add('a', 'account');
  const file = JSON.parse(readFileSync(path, 'utf8'));
  const other = freshPath();
  await (await createKeystore(other, 'p', CHEAP)).add('a', 'account');
  const foreign = JSON.parse(readFileSync(other, 'utf8'));
  // Everything of the other file but the ciphertext and nonce of this one: a forger can compute the checksum too.
  const { createHash } = await import('node:crypto');
  const forged = { ...file, keys: foreign.keys };
  const head = [1, 'scrypt', forged.kdf.n, forged.kdf.r, forged.kdf.p, forged.kdf.salt, 'aes-256-gcm'];
  const listed = forged.keys.map((key: { id: string; kind: string; publicKey: string }) => [key.id, key.kind, key.publicKey]);
  forged.checksum = createHash('sha256')
    .update(JSON.stringify([...head, listed]))
    .update(forged.nonce)
    .update(forged.ciphertext)
    .digest('hex');
  writeFileSync(path, JSON.stringify(forged));
  await assert.rejects(openKeystore(path, 'p'), code('KEYSTORE_LOCKED'));
});

test('signing keys give no secret, sealing keys give no signature', async () => {
  const store = await createKeystore(freshPath(), 'p', CHEAP);
  for (const kind of keyKinds) await store.add(kind, kind);
  for (const kind of ['validator', 'token', 'custodial', 'account'] as const) {
    assert.throws(() => store.secret(kind), code('KEY_USE_FORBIDDEN'));
  }
  for (const kind of ['sealing', 'transport'] as const) assert.throws(() => store.sign(kind, utf8('m')), code('KEY_USE_FORBIDDEN'));
  assert.throws(() => store.publicKey('sealing'), code('KEY_USE_FORBIDDEN'));
  assert.throws(() => store.sign('nobody', utf8('m')), code('KEY_UNKNOWN'));
  await assert.rejects(store.add('validator', 'validator'), code('KEY_EXISTS'));
  await assert.rejects(createKeystore(store.path, 'p', CHEAP), code('KEYSTORE_EXISTS'));
});

test('a destroyed sealing key is in no later file, and what a crash left beside the file does no harm', async () => {
  const path = freshPath();
  const store = await createKeystore(path, 'p', CHEAP);
  await store.add('2026-01', 'sealing');
  await store.add('2026-02', 'sealing');
  writeFileSync(`${path}.new`, 'half of a fi');
  await store.remove('2026-01');
  const opened = await openKeystore(path, 'p');
  assert.deepEqual(
    opened.list().map((entry) => entry.id),
    ['2026-02'],
  );
  assert.deepEqual(opened.secret('2026-02'), store.secret('2026-02'));
});

test('nothing of a destroyed signing key stays with what has signed', async () => {
  const store = await createKeystore(freshPath(), 'p', CHEAP);
  await store.add('a', 'account');
  const sodium = createRequire(import.meta.url)('sodium-native') as { crypto_sign_detached(...args: readonly Uint8Array[]): void };
  const { crypto_sign_detached: sign } = sodium;
  const held: Uint8Array[] = [];
  sodium.crypto_sign_detached = (signature, message, secretKey) => {
    held.push(secretKey!);
    sign(signature!, message!, secretKey!);
  };
  try {
    store.sign('a', utf8('m'));
  } finally {
    sodium.crypto_sign_detached = sign;
  }
  assert.ok(held[0]!.some((byte) => byte !== 0));
  await store.remove('a');
  assert.ok(held[0]!.every((byte) => byte === 0));
  assert.throws(() => store.sign('a', utf8('m')), code('KEY_UNKNOWN'));
});
