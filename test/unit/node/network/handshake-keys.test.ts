/** The key agreement of the handshake gives what the library's own gives, and reads a private key once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pureJsCrypto } from '@chainsafe/libp2p-noise';
import { createHandshakeCrypto } from '../../../../node/network/handshake-keys.ts';

test('two parties agree on the secret that the reference computes, with keys of either kind', () => {
  const crypto = createHandshakeCrypto();
  for (let i = 0; i < 20; i++) {
    const [a, b] = [crypto.generateX25519KeyPair(), pureJsCrypto.generateX25519KeyPair()];
    const expected = Buffer.from(pureJsCrypto.generateX25519SharedKey(a.privateKey, b.publicKey).subarray());
    for (const shared of [
      crypto.generateX25519SharedKey(a.privateKey, b.publicKey),
      crypto.generateX25519SharedKey(b.privateKey, a.publicKey),
    ])
      assert.deepEqual(Buffer.from(shared.subarray()), expected);
  }
});

test('a point that gives the secret nothing of ours is refused, as by the library', () => {
  const crypto = createHandshakeCrypto();
  assert.throws(() => crypto.generateX25519SharedKey(crypto.generateX25519KeyPair().privateKey, new Uint8Array(32)));
});

test('of ten agreements with one key, nine cost less than reading it', () => {
  const crypto = createHandshakeCrypto();
  const { publicKey } = crypto.generateX25519KeyPair();
  const [once, again] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY].map((most, i) => {
    let least = most;
    const held = crypto.generateX25519KeyPair().privateKey;
    for (let n = 0; n < 60; n++) {
      const secret = i === 0 ? held.slice() : held;
      const beganMs = performance.now();
      crypto.generateX25519SharedKey(secret, publicKey);
      least = Math.min(least, performance.now() - beganMs);
    }
    return least;
  }) as [number, number];
  assert.ok(again < once * 0.7, `${again} ms where the first takes ${once} ms`);
});
