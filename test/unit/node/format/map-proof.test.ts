import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  DecodeError,
  emptyMapRoot,
  equalBytes,
  MapProofFault,
  openMapProof,
  toByteText,
  utf8,
  verifyMapProof,
  verifyRangeProof,
} from '../../../../node/format/index.ts';
import { createStateMap, type StateMap } from '../../../../node/ledger/state-map.ts';
import { crypto } from './genesis-fixture.ts';

const keys = Array.from({ length: 400 }, (_, i) => toByteText(crypto.hash(utf8(String(i)))).slice(0, 1 + (i % 6)));
const valueHashOf = (key: string) => crypto.hash(utf8(`value of ${key}`));

function mapOf(all: readonly string[]): StateMap {
  const staged = createStateMap({ get: () => undefined }, crypto, '').stage(all.map((key) => ({ key, valueHash: valueHashOf(key) })));
  const rows = new Map(staged.operations.map(({ key, value }) => [key, value]));
  return createStateMap({ get: (key) => rows.get(key) }, crypto, '');
}
const held = mapOf(keys);
const root = held.root();

test('a proof with one byte changed, added or taken away proves nothing else', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...keys, 'absent', '\0', '\u00ff\u00ff'),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(2),
      (key, place, bits, how) => {
        const proof = held.prove(key);
        const at = place % proof.length;
        const flipped = proof.map((byte, i) => (i === at ? byte ^ bits : byte));
        const changed =
          how === 0 ? flipped : how === 1 ? Uint8Array.of(...proof.subarray(0, at), bits, ...proof.subarray(at)) : proof.slice(0, at);
        if (equalBytes(changed, proof)) return;
        assert.throws(
          () => verifyMapProof(crypto, root, changed, key),
          (error) => error instanceof DecodeError || error instanceof MapProofFault,
        );
      },
    ),
    { numRuns: 600 },
  );
});

test('a proof made for one key answers for another only what is true', () => {
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.constantFrom(...keys, 'absent', '\0'), (proved, asked) => {
      try {
        const claim = verifyMapProof(crypto, root, held.prove(proved), asked);
        assert.equal(claim.present, keys.includes(asked));
        if (claim.present) assert.deepEqual(claim.valueHash, valueHashOf(asked));
      } catch (error) {
        assert.ok(error instanceof MapProofFault && error.reason === 'NOT_COVERED', String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('a range proof answers a narrower range truly and refuses a wider one it does not cover', () => {
  const sorted = [...new Set(keys)].sort();
  const wide = held.proveRange('\u0040', '\u0080', 1_000);
  const inside = sorted.filter((key) => key >= '\u0050' && key < '\u0060');
  const claim = verifyRangeProof(crypto, root, wide, '\u0050', '\u0060');
  assert.ok(inside.length > 5);
  assert.deepEqual(
    claim.entries.map((entry) => entry.key),
    inside,
  );
  assert.equal(claim.complete, true);
  const over = verifyRangeProof(crypto, root, wide, '\u0040', '\u00c0');
  assert.equal(over.complete, false);
  assert.equal(over.count, sorted.filter((key) => key >= '\u0040' && key < '\u00c0').length);
  assert.throws(() => verifyRangeProof(crypto, root, wide, '\u0040', '\u0085\u0001'), MapProofFault);
});

test('another root refuses the proof, and the empty map proves every key absent', () => {
  assert.throws(() => verifyMapProof(crypto, crypto.hash(root), held.prove('a'), 'a'), /another root/);
  const empty = mapOf([]);
  assert.deepEqual(empty.root(), emptyMapRoot(crypto));
  assert.deepEqual(verifyMapProof(crypto, empty.root(), empty.prove('a'), 'a'), { present: false });
  assert.deepEqual(verifyRangeProof(crypto, empty.root(), empty.proveRange('', undefined, 5), '', undefined), {
    entries: [],
    complete: true,
    count: 0,
  });
});

test('the whole map is one range, and the proof states how many entries there are', () => {
  const proof = held.proveRange('', undefined, 10_000);
  const claim = verifyRangeProof(crypto, root, proof, '', undefined);
  assert.equal(claim.count, new Set(keys).size);
  assert.equal(claim.complete, true);
  assert.equal(openMapProof(crypto, held.prove('a'), { from: 'a', to: 'a\0' }).total, new Set(keys).size);
});

test('hostile bytes end in a DecodeError, deep nesting and huge counts among them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        openMapProof(crypto, bytes, { from: 'a', to: undefined });
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 500 },
  );
  const nest = (depth: number): number[] => [2, depth >> 8, depth & 255, ...(depth % 2 === 1 ? [0] : []), 0, 0, 3, 1];
  const deep = Uint8Array.from(Array.from({ length: 5_000 }, (_, i) => nest(i)).flat());
  assert.throws(() => openMapProof(crypto, deep, { from: 'a', to: undefined }), DecodeError);
  const full = [255, 255, 255, 255, ...new Uint8Array(32)];
  const overflow = Uint8Array.from([2, 0, 0, 0, 0, 3, 1, 0, ...full, 0, ...full]);
  assert.throws(() => openMapProof(crypto, overflow, { from: 'a', to: undefined }), /overflow/);
});
