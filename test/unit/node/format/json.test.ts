import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { canonicalJson, DecodeError, decodeJson, encodeJson, type Json, JSON_DEPTH_MAX, utf8 } from '../../../../node/format/index.ts';

const text = fc.string({ unit: 'binary', maxLength: 8 });
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      tie('json'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
}));

test('a value comes back, and JSON.parse reads the same', () => {
  fc.assert(
    fc.property(json, (value) => {
      assert.deepEqual(decodeJson(encodeJson(value)), value);
      assert.deepEqual(JSON.parse(canonicalJson(value)), value);
    }),
  );
});

test('names are in order of their UTF-16 units, as RFC 8785 has it', () => {
  const sample = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
  assert.equal(canonicalJson(sample), '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
});

const refused: readonly (readonly [string, string])[] = [
  ['a space', '{"a": 1}'],
  ['a line end', '1\n'],
  ['names out of order', '{"b":1,"a":1}'],
  ['a name twice', '{"a":1,"a":1}'],
  ['minus zero', '-0'],
  ['a fraction', '1.5'],
  ['a whole number with a point', '1.0'],
  ['an exponent', '1e2'],
  ['a number past 2^53', '9007199254740993'],
  ['an escape that is not needed', '"\\u0041"'],
  ['an escaped slash', '"\\/"'],
  ['upper case in an escape', '"\\u001F"'],
  ['half a surrogate pair', '"\\ud800"'],
  ['a byte order mark', '\ufeff1'],
  ['nothing', ''],
  ['two values', '1 2'],
  ['nesting past the bound', '['.repeat(JSON_DEPTH_MAX + 2) + ']'.repeat(JSON_DEPTH_MAX + 2)],
  ['a hundred thousand brackets', '['.repeat(100_000)],
];
for (const [what, given] of refused) {
  test(`${what} is not canonical JSON`, () => assert.throws(() => decodeJson(utf8(given)), DecodeError));
}

test('a member called __proto__ is a member like any other', () => {
  const value = decodeJson(utf8('{"__proto__":1}'));
  assert.deepEqual(Object.keys(value as object), ['__proto__']);
});

test('bytes that are not UTF-8 are refused', () => {
  assert.throws(() => decodeJson(Uint8Array.of(0x22, 0xff, 0x22)), DecodeError);
});
