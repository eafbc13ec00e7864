/** What every codec must hold: it gives back what it was given, and accepts no bytes but those it would write itself. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DecodeError } from '../../../../node/format/index.ts';

export function holdsCanonical<T>(
  value: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
  numRuns = 100,
): void {
  fc.assert(
    fc.property(value, (generated) => {
      const given = structuredClone(generated); // the generator makes objects without a prototype
      assert.deepEqual(decode(encode(given)), given);
    }),
    { numRuns },
  );
  fc.assert(
    fc.property(
      value,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.uint8Array({ maxLength: 3 }),
      fc.nat(2),
      (given, place, bits, more, how) => {
        const bytes = encode(given);
        const at = place % bytes.length;
        const changed =
          how === 0
            ? bytes.map((byte, i) => (i === at ? byte ^ bits : byte))
            : how === 1
              ? Uint8Array.of(...bytes.subarray(0, at), ...more, ...bytes.subarray(at))
              : bytes.slice(0, at);
        let decoded: T;
        try {
          decoded = decode(changed);
        } catch (error) {
          assert.ok(error instanceof DecodeError, `decode threw ${String(error)}`);
          return;
        }
        assert.deepEqual(new Uint8Array(encode(decoded)), new Uint8Array(changed));
      },
    ),
    { numRuns: 3 * numRuns },
  );
}

export const digests: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 32, maxLength: 32 });
export const names = fc.string({ unit: 'binary', maxLength: 20 });
export const counts = fc.nat(Number.MAX_SAFE_INTEGER);
export const blobs = (maxLength = 40): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
