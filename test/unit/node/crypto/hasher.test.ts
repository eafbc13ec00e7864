/** A hash fed piece by piece is that of all pieces in one, whoever computes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { bytesDigestSteps, digestSteps } from '../../../../api/rest/handle.ts';
import { createCrypto } from '../../../../node/crypto/real-crypto.ts';
import { canonicalJson, type Digest, type Json, type SteppedCrypto, toHex, utf8 } from '../../../../node/format/index.ts';
import type { World } from '../../../../node/world.ts';
import { SimKeys } from '../../../simulation/crypto.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { ended } from '../../../tools/steps.ts';

test('pieces are hashed to what the reference makes of them in one, in a node and in the simulator', () => {
  const cryptos: readonly SteppedCrypto[] = [createCrypto(), new SimKeys(new SeededRandom(1), 255)];
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (pieces) => {
      const expected = sha256(new Uint8Array(Buffer.concat(pieces)));
      for (const crypto of cryptos) {
        const hasher = crypto.hasher();
        const reused = new Uint8Array(200); // what was handed over may be used again
        for (const piece of pieces) {
          reused.set(piece);
          hasher.update(reused.subarray(0, piece.length));
          reused.fill(0);
        }
        assert.deepEqual(hasher.digest(), expected);
        assert.deepEqual(crypto.hash(new Uint8Array(Buffer.concat(pieces))), expected);
      }
    }),
  );
});

/** The longest piece that is hashed at once. */
function watched(): { readonly world: Pick<World, 'crypto'>; longest(): number } {
  const crypto = createCrypto();
  let longest = 0;
  const seen = (data: Uint8Array): Uint8Array => {
    longest = Math.max(longest, data.length);
    return data;
  };
  const hasher: SteppedCrypto['hasher'] = () => {
    const inner = crypto.hasher();
    return { update: (data) => inner.update(seen(data)), digest: () => inner.digest() };
  };
  const hash = (data: Uint8Array): Digest => crypto.hash(seen(data));
  return { world: { crypto: { ...crypto, hash, hasher } as World['crypto'] }, longest: () => longest };
}

test('the digest of a body and of an answer of megabytes is that of its text, and no step hashes more than 256 KiB', () => {
  const bytes = new Uint8Array(5_000_001).map((_, i) => i);
  const answer: Json = { code: 'OK', data: { lines: Array.from({ length: 200_000 }, (_, i) => `line ${i}`), text: '水'.repeat(500_000) } };
  const { world, longest } = watched();
  const api = { world } as Parameters<typeof digestSteps>[0];
  assert.equal(ended(bytesDigestSteps(api, bytes)), toHex(sha256(bytes)));
  assert.equal(ended(digestSteps(api, answer)), toHex(sha256(utf8(canonicalJson(answer)))));
  assert.ok(longest() <= 262_144, `${longest()} bytes`);
});
