import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  compareBytes,
  concat,
  equalBytes,
  fromBase64Url,
  fromByteText,
  fromHex,
  fromUtf8,
  prefixEnd,
  toBase64Url,
  toByteText,
  toHex,
  u32Text,
  utf8,
} from '../../../../node/format/index.ts';

const bytes = fc.uint8Array({ maxLength: 70 });

test('hex, base64url, UTF-8 and byte text agree with Node and come back', () => {
  fc.assert(
    fc.property(bytes, fc.string({ unit: 'binary' }), (given, text) => {
      assert.equal(toHex(given), Buffer.from(given).toString('hex'));
      assert.deepEqual(fromHex(toHex(given)), given);
      assert.equal(toBase64Url(given), Buffer.from(given).toString('base64url'));
      assert.deepEqual(fromBase64Url(toBase64Url(given)), given);
      assert.equal(toByteText(given), Buffer.from(given).toString('latin1'));
      assert.deepEqual(fromByteText(toByteText(given)), given);
      assert.equal(fromUtf8(utf8(text)), text);
    }),
  );
});

test('one value has one spelling: every other hex or base64url text is refused', () => {
  for (const text of ['0', 'AB', '0g', ' 00', '00\n']) assert.throws(() => fromHex(text), RangeError);
  for (const text of ['A', 'AB', 'AAB', 'AA==', 'A+', 'A/', 'AAAAA', 'AA A', 'AA\n']) assert.throws(() => fromBase64Url(text), RangeError);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'AQgw_-z9'), maxLength: 12 }), (text) => {
      let read: Uint8Array;
      try {
        read = fromBase64Url(text);
      } catch {
        assert.notEqual(Buffer.from(text, 'base64url').toString('base64url'), text);
        return;
      }
      assert.equal(toBase64Url(read), text);
    }),
  );
});

test('long byte strings survive the chunked conversion', () => {
  const long = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
  assert.deepEqual(fromByteText(toByteText(long)), long);
});

test('the order of byte text, of bytes and of Buffer.compare is one', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const expected = Buffer.compare(a, b);
      assert.equal(Math.sign(compareBytes(a, b)), expected);
      const [x, y] = [toByteText(a), toByteText(b)];
      assert.equal(x < y ? -1 : x > y ? 1 : 0, expected);
      assert.equal(equalBytes(a, b), expected === 0);
    }),
  );
});

test('prefixEnd is the least text above everything with the prefix', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4 }), bytes, (prefix, rest) => {
      const end = prefixEnd(toByteText(prefix));
      const inside = toByteText(concat(prefix, rest));
      if (end === undefined) assert.ok(prefix.every((byte) => byte === 255));
      else {
        assert.ok(inside < end);
        assert.ok(!end.startsWith(toByteText(prefix)));
        assert.ok(end.length <= prefix.length);
      }
    }),
  );
  assert.equal(prefixEnd('a\u00ff'), 'b');
  assert.equal(prefixEnd(''), undefined);
});

test('u32Text is big-endian and text with half a surrogate pair has no bytes', () => {
  assert.equal(u32Text(0x01020304), '\u0001\u0002\u0003\u0004');
  for (const text of ['\ud800', 'a\udc00', '\ud800a', '\ud83d\ud83d\ude00']) assert.throws(() => utf8(text), RangeError);
  assert.throws(() => fromUtf8(Uint8Array.of(0xff)), TypeError);
  assert.equal(fromUtf8(utf8('\ufeffx')), '\ufeffx');
});
