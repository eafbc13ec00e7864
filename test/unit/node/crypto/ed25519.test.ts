import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { createEd25519Signer } from '../../../tools/ed25519-signer.ts';
import {
  ed25519SignerNode,
  ed25519SignerOf,
  ed25519SignerSodium,
  verifyEd25519,
  verifyEd25519Node,
  verifyEd25519Sodium,
} from '../../../../node/crypto/ed25519.ts';
import {
  concat,
  fromHex,
  isAcceptablePublicKey,
  isCanonicalPoint,
  isCanonicalScalar,
  isSmallOrderPoint,
  SMALL_ORDER_POINTS,
  SUITE,
  toHex,
  utf8,
  verifyEd25519Reference,
} from '../../../../node/format/index.ts';

const { Point } = ed25519;
const L = Point.Fn.ORDER;
const P = 2n ** 255n - 19n;

interface Vector {
  readonly id: number;
  readonly secret_key: string;
  readonly public_key: string;
  readonly message: string;
  readonly signature: string;
}
const vectors = (
  JSON.parse(readFileSync(new URL('../../../../../test/data/vectors/ed25519-rfc8032.json', import.meta.url), 'utf8')) as {
    values: Vector[];
  }
).values;

/** Every verifier must give `expected`. */
function everyVerifier(expected: boolean, key: Uint8Array, message: Uint8Array, signature: Uint8Array, what: string): void {
  assert.ok(verifyEd25519Sodium !== undefined, 'libsodium loads on the platforms tested');
  const verdicts = {
    reference: verifyEd25519Reference(key, message, signature),
    node: verifyEd25519Node(key, message, signature),
    sodium: verifyEd25519Sodium(key, message, signature),
    chosen: verifyEd25519(key, message, signature),
  };
  assert.deepEqual(verdicts, { reference: expected, node: expected, sodium: expected, chosen: expected }, what);
}

function little(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}
function big(bytes: Uint8Array): bigint {
  return BigInt('0x' + toHex(Uint8Array.from(bytes).reverse()));
}
const seed = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const secret = Point.Fn.create(big(sha512(seed).slice(0, 32)));

/** A signature by `secret` for a public key and R of the test's choice: S = r + k*secret. */
function forge(r: bigint, rBytes: Uint8Array, keyBytes: Uint8Array, message: Uint8Array): Uint8Array {
  const k = Point.Fn.create(big(sha512(concat(rBytes, keyBytes, message))));
  return concat(rBytes, little((r + k * secret) % L));
}
const torsion = SMALL_ORDER_POINTS.map((bytes) => Point.fromBytes(Uint8Array.from(bytes), true));
const key = Point.BASE.multiply(secret);
const message = utf8('a record');

test('the vectors of RFC 8032 verify everywhere, and fail after one changed bit', () => {
  assert.equal(vectors.length, 6);
  for (const vector of vectors) {
    const [publicKey, text, signature] = [fromHex(vector.public_key), fromHex(vector.message), fromHex(vector.signature)];
    everyVerifier(true, publicKey, text, signature, `vector ${vector.id}`);
    const changed = signature.slice();
    changed[5]! ^= 1;
    everyVerifier(false, publicKey, text, changed, `vector ${vector.id}, changed signature`);
    everyVerifier(false, publicKey, concat(text, new Uint8Array(1)), signature, `vector ${vector.id}, longer message`);
  }
});

test('a signer made from a seed produces the signatures of RFC 8032', () => {
  for (const vector of vectors) {
    const signer = createEd25519Signer(fromHex(vector.secret_key));
    assert.equal(toHex(signer.publicKey), vector.public_key);
    assert.equal(toHex(signer.sign(fromHex(vector.message))), vector.signature);
    assert.ok(ed25519SignerSodium);
    for (const signerOf of [ed25519SignerOf, ed25519SignerNode, ed25519SignerSodium]) {
      const signer = signerOf(fromHex(vector.secret_key));
      assert.equal(toHex(signer.sign(fromHex(vector.message))), vector.signature);
      assert.equal(toHex(signer.sign(fromHex(vector.message))), vector.signature);
    }
  }
  assert.throws(() => createEd25519Signer(new Uint8Array(31)), RangeError);
});

test('a signer that has forgotten its key makes no signature that verifies', () => {
  assert.ok(ed25519SignerSodium);
  const { secret_key, public_key } = vectors[0]!;
  for (const signerOf of [ed25519SignerNode, ed25519SignerSodium]) {
    const seed = fromHex(secret_key);
    const signer = signerOf(seed);
    const good = (): boolean => verifyEd25519(fromHex(public_key), message, signer.sign(message));
    assert.ok(good());
    signer.forget();
    assert.equal(toHex(seed), secret_key, "the seed is its owner's");
    let verifies = false;
    try {
      verifies = good();
    } catch {} // it does not sign at all
    assert.ok(!verifies);
  }
});

test('R plus any torsion point but the identity is refused by every verifier', () => {
  const r = 987654321n;
  const honest = Point.BASE.multiply(r);
  for (const [i, point] of torsion.entries()) {
    const rBytes = honest.add(point).toBytes();
    everyVerifier(i === 0, key.toBytes(), message, forge(r, rBytes, key.toBytes(), message), `R + T[${i}]`);
  }
});

test('an R of small order is refused, the identity with a valid equation included', () => {
  for (const [i, point] of SMALL_ORDER_POINTS.entries()) {
    everyVerifier(false, key.toBytes(), message, forge(0n, point, key.toBytes(), message), `R = T[${i}]`);
  }
});

test('a key of small order verifies nothing', () => {
  for (const [i, point] of SMALL_ORDER_POINTS.entries()) {
    for (let n = 0; n < 16; n++) {
      const rBytes = Point.BASE.multiply(BigInt(n + 2)).toBytes();
      everyVerifier(false, point, Uint8Array.of(n), concat(rBytes, little(BigInt(n + 2))), `A = T[${i}], message ${n}`);
    }
  }
});

test('under a key with torsion all verifiers still agree, and registration refuses the key', () => {
  let accepted = 0;
  for (const point of torsion.slice(1)) {
    const mixed = key.add(point).toBytes();
    assert.equal(isAcceptablePublicKey(mixed), false);
    for (let n = 0; n < 12; n++) {
      const text = Uint8Array.of(n);
      const signature = forge(77n, Point.BASE.multiply(77n).toBytes(), mixed, text);
      const expected = verifyEd25519Reference(mixed, text, signature);
      if (expected) accepted++;
      everyVerifier(expected, mixed, text, signature, `mixed key, message ${n}`);
    }
  }
  assert.ok(accepted > 0, 'the set holds messages whose k cancels the torsion, so that agreement is tested on both sides');
});

test('a clean key may be registered; other lengths, points off the curve and small orders may not', () => {
  assert.equal(isAcceptablePublicKey(key.toBytes()), true);
  for (const point of SMALL_ORDER_POINTS) assert.equal(isAcceptablePublicKey(point), false);
  assert.equal(isAcceptablePublicKey(key.toBytes().slice(0, 31)), false);
  const offCurve = Array.from({ length: 8 }, (_, i) => little(BigInt(i + 2))).filter((bytes) => {
    try {
      Point.fromBytes(bytes, true);
      return false;
    } catch {
      return true;
    }
  });
  assert.ok(offCurve.length > 0);
  for (const bytes of offCurve) {
    assert.equal(isAcceptablePublicKey(bytes), false);
    everyVerifier(false, bytes, message, forge(5n, Point.BASE.multiply(5n).toBytes(), bytes, message), 'key off the curve');
  }
});

test('S + L is refused although the equation holds', () => {
  const signature = forge(11n, Point.BASE.multiply(11n).toBytes(), key.toBytes(), message);
  everyVerifier(true, key.toBytes(), message, signature, 'S');
  const s = big(signature.slice(32));
  for (let multiple = 1n; s + multiple * L < 2n ** 256n && multiple < 9n; multiple++) {
    everyVerifier(false, key.toBytes(), message, concat(signature.slice(0, 32), little(s + multiple * L)), `S + ${multiple} L`);
  }
  assert.equal(isCanonicalScalar(little(L - 1n)), true);
  assert.equal(isCanonicalScalar(little(L)), false);
  assert.equal(isCanonicalScalar(little(0n)), true);
});

test('every non-canonical spelling of a point is known as such', () => {
  const sign = 1n << 255n;
  for (let extra = 0n; extra < 19n; extra++) {
    assert.equal(isCanonicalPoint(little(P + extra)), false, `y = p + ${extra}`);
    assert.equal(isCanonicalPoint(little(P + extra + sign)), false, `y = p + ${extra}, negative x`);
  }
  assert.equal(isCanonicalPoint(little(1n + sign)), false, 'identity with a sign');
  assert.equal(isCanonicalPoint(little(P - 1n + sign)), false, 'y = -1 with a sign');
  assert.equal(isCanonicalPoint(little(P - 1n)), true);
  assert.equal(isCanonicalPoint(little(P - 2n + sign)), true);
  assert.equal(isCanonicalPoint(little(2n + sign)), true);
  for (const point of SMALL_ORDER_POINTS) assert.equal(isCanonicalPoint(point) && isSmallOrderPoint(point), true);
});

test('non-canonical spellings of A and R are refused by every verifier', () => {
  const spellings = [little(P), little(P + 1n), little(1n + (1n << 255n)), little(P - 1n + (1n << 255n))];
  for (const spelling of spellings) {
    everyVerifier(false, spelling, message, forge(9n, Point.BASE.multiply(9n).toBytes(), spelling, message), 'A');
    everyVerifier(false, key.toBytes(), message, forge(0n, spelling, key.toBytes(), message), 'R');
  }
});

test('wrong lengths are a verdict, not an exception', () => {
  const signature = forge(11n, Point.BASE.multiply(11n).toBytes(), key.toBytes(), message);
  for (const length of [0, 31, 63, 65]) everyVerifier(false, key.toBytes(), message, new Uint8Array(length), `signature of ${length}`);
  for (const length of [0, 31, 33]) everyVerifier(false, new Uint8Array(length), message, signature, `key of ${length}`);
});

test('a message in shared memory gets the same verdict', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(message.length));
  shared.set(message);
  everyVerifier(true, key.toBytes(), shared, forge(11n, Point.BASE.multiply(11n).toBytes(), key.toBytes(), message), 'shared');
});

test('the hash is SHA-256 for every length around its block size, and only known suites verify', () => {
  const crypto = createCrypto();
  for (let length = 0; length < 200; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
    assert.deepEqual(crypto.hash(data), new Uint8Array(createHash('sha256').update(data).digest()));
  }
  const signature = forge(11n, Point.BASE.multiply(11n).toBytes(), key.toBytes(), message);
  assert.equal(crypto.verify(SUITE.ed25519, key.toBytes(), message, signature), true);
  assert.equal(crypto.verify(SUITE.simulated, key.toBytes(), message, signature), false);
  assert.equal(crypto.verify(0, key.toBytes(), message, signature), false);
});
