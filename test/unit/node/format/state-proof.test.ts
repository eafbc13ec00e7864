import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  concat,
  emptyStateRoot,
  equalBytes,
  MAP_KEY_BYTES_MAX,
  STATE_PROOF_BYTES_MAX,
  StateProofFault,
  type StateProofReason,
  toByteText,
  utf8,
  verifyStateProof,
  verifyStateRange,
  Writer,
} from '../../../../node/format/index.ts';
import { createStateMap, type StateMap } from '../../../../node/state/index.ts';
import { crypto } from './genesis-fixture.ts';

const keys = [...new Set(Array.from({ length: 900 }, (_, i) => toByteText(crypto.hash(utf8(String(i)))).slice(0, 1 + (i % 6))))].sort();
const ALL = { from: '', to: undefined };
const valueHashOf = (key: string) => crypto.hash(utf8(`value of ${key}`));

function mapOf(all: readonly string[]): StateMap {
  const map = createStateMap(crypto);
  map.commit(map.stage(all.map((key) => ({ key, valueHash: valueHashOf(key) }))));
  return map;
}
const held = mapOf(keys);
const root = held.root();
const refused =
  (reason?: StateProofReason, message = /^/) =>
  (error: unknown) =>
    error instanceof StateProofFault && (reason === undefined || error.reason === reason) && message.test(error.message);

test('a proof of any kind with one byte changed, added or taken away is refused', () => {
  const proofOf = {
    key: (key: string) => held.prove(key),
    range: (key: string) => held.proveRange(key, `${key}\u00ff`, 30),
    count: () => held.proveRange('', undefined, 0),
  };
  const rangeOf = {
    key: (key: string) => ({ from: key, to: `${key}\0` }),
    range: (key: string) => ({ from: key, to: `${key}\u00ff` }),
    count: () => ALL,
  };
  fc.assert(
    fc.property(
      fc.constantFrom(...keys, 'absent', '\0', '\u00ff\u00ff'),
      fc.constantFrom('key' as const, 'range' as const, 'count' as const),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(2),
      (key, kind, place, bits, how) => {
        const proof = proofOf[kind](key);
        const at = place % proof.length;
        const flipped = proof.map((byte, i) => (i === at ? byte ^ bits : byte));
        const changed =
          how === 0 ? flipped : how === 1 ? concat(proof.subarray(0, at), Uint8Array.of(bits), proof.subarray(at)) : proof.slice(0, at);
        if (equalBytes(changed, proof)) return;
        assert.throws(() => verifyStateRange(crypto, root, changed, rangeOf[kind](key)), refused());
      },
    ),
    { numRuns: 2_000 },
  );
});

test('every single byte of a proof of presence and of a count matters', () => {
  for (const [proof, range] of [
    [held.prove(keys[7]!), { from: keys[7]!, to: `${keys[7]!}\0` }],
    [held.proveRange('', undefined, 0), ALL],
  ] as const)
    for (let at = 0; at < proof.length; at++)
      for (const bit of [1, 128]) {
        const changed = proof.slice();
        changed[at]! ^= bit;
        assert.throws(() => verifyStateRange(crypto, root, changed, range), refused());
      }
});

test('the root is never closed: nothing would cover the count it states', () => {
  const lie = new Writer().u8(0).u32(5).fixed(root, 32).finish();
  assert.throws(() => verifyStateRange(crypto, root, lie, ALL), refused('MALFORMED'));
  assert.equal(verifyStateRange(crypto, root, held.proveRange('', undefined, 0), ALL).count, keys.length);
});

test('a proof made for one key answers for another only what is true', () => {
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.constantFrom(...keys, 'absent', '\0'), (proved, asked) => {
      try {
        const claim = verifyStateProof(crypto, root, held.prove(proved), asked);
        assert.equal(claim.present, keys.includes(asked));
        if (claim.present) assert.deepEqual(claim.valueHash, valueHashOf(asked));
      } catch (error) {
        assert.ok(refused('NOT_COVERED')(error), String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('a proof that lists a part of the range is no proof of a key behind what it lists', () => {
  const key = keys.at(-1)!;
  assert.throws(() => verifyStateProof(crypto, root, held.proveRange('', undefined, 0), key), refused('NOT_COVERED'));
});

test('a range proof answers a narrower range truly and refuses a wider one it does not cover', () => {
  const wide = held.proveRange('\u0040', '\u0080', 10_000);
  const inside = keys.filter((key) => key >= '\u0050' && key < '\u0060');
  const claim = verifyStateRange(crypto, root, wide, { from: '\u0050', to: '\u0060' });
  assert.ok(inside.length > 5);
  assert.deepEqual(
    claim.entries.map((entry) => entry.key),
    inside,
  );
  assert.equal(claim.complete, true);
  const over = verifyStateRange(crypto, root, wide, { from: '\u0040', to: '\u00c0' });
  assert.equal(over.complete, false);
  assert.equal(over.count, keys.filter((key) => key >= '\u0040' && key < '\u00c0').length);
  const closed = held.proveRange('\u0040', '\u0080', 0);
  for (const range of [
    { from: '\u0040', to: '\u0041\u0001' },
    { from: '\u0050', to: '\u0080' },
    { from: '\u0040', to: '\u0070' },
  ])
    assert.throws(() => verifyStateRange(crypto, root, closed, range), refused('NOT_COVERED'));
});

test('another root refuses the proof, and the empty map proves every key absent', () => {
  assert.throws(() => verifyStateProof(crypto, crypto.hash(root), held.prove('a'), 'a'), refused('ROOT_DIFFERS'));
  const empty = mapOf([]);
  assert.deepEqual(empty.root(), emptyStateRoot(crypto));
  assert.deepEqual(verifyStateProof(crypto, empty.root(), empty.prove('a'), 'a'), { present: false });
  assert.deepEqual(verifyStateRange(crypto, empty.root(), empty.proveRange('', undefined, 5), ALL), {
    entries: [],
    complete: true,
    count: 0,
    total: 0,
  });
});

test('hostile bytes end in the one error, whatever they are', () => {
  const item = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 60 }).map((rest) => concat(Uint8Array.of(2, 0, 0, 0, 255, 255), rest)),
  );
  fc.assert(
    fc.property(item, (bytes) => {
      assert.throws(() => verifyStateRange(crypto, root, bytes, { from: 'a', to: undefined }), refused());
    }),
    { numRuns: 1_000 },
  );
  const within = new Writer().u8(2).u16(8).u32(0).u8(0).u16(1).u8(2).u16(4).fixed(new Uint8Array(64), 64).finish();
  assert.throws(() => verifyStateRange(crypto, root, within, ALL), refused('MALFORMED', /4 deep under 9/));
  const deep = concat(
    new Writer()
      .u8(2)
      .u16(2 * MAP_KEY_BYTES_MAX + 1)
      .finish(),
    new Uint8Array(2_000),
  );
  assert.throws(() => verifyStateRange(crypto, root, deep, ALL), refused('MALFORMED', /1025 deep/));
});

test('a proof longer than the bound is refused unread', () => {
  let hashes = 0;
  const counting = { hash: (data: Uint8Array) => crypto.hash(data.subarray(0, hashes++)) };
  assert.throws(() => verifyStateRange(counting, root, new Uint8Array(STATE_PROOF_BYTES_MAX + 1).fill(1), ALL), refused('MALFORMED'));
  assert.equal(hashes, 0);
});

test('the deepest nesting a proof can state is walked without an overflow, and refused', () => {
  const writer = new Writer();
  for (let depth = 0; depth <= 2 * MAP_KEY_BYTES_MAX; depth++) {
    writer.u8(2).u16(depth); // path of `depth` nibbles, its bytes from the one in which the slot ends
    for (let i = depth >> 1; i < (depth + 1) >> 1; i++) writer.u8(0);
    writer.bool(false).u16(1);
  }
  writer.u8(0).u32(1).fixed(root, 32);
  assert.throws(() => verifyStateRange(crypto, root, writer.finish(), ALL), refused('ROOT_DIFFERS'));
});
