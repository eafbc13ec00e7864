import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  DecodeError,
  decodeAll,
  encodeShort,
  giveBackWriter,
  hashTagged,
  hashWritten,
  Reader,
  tagged,
  utf8,
  takeSpareWriter,
  Writer,
} from '../../../../node/format/index.ts';
import { blobs, counts, digests, holdsCanonical, names } from './roundtrip.ts';

const everything = fc.record({
  small: fc.nat(0xff),
  short: fc.nat(0xffff),
  word: fc.nat(0xffff_ffff),
  long: counts,
  flag: fc.boolean(),
  digest: digests,
  blob: blobs(),
  text: names,
  list: fc.array(fc.nat(0xffff), { maxLength: 5 }),
  maybe: fc.option(names, { nil: undefined }),
});
type Everything = typeof everything extends fc.Arbitrary<infer T> ? T : never;

test('every kind of field comes back, and no other bytes are accepted for it', () => {
  holdsCanonical<Everything>(
    everything,
    (v) =>
      new Writer(1)
        .u8(v.small)
        .u16(v.short)
        .u32(v.word)
        .u64(v.long)
        .bool(v.flag)
        .fixed(v.digest, 32)
        .bytes(v.blob)
        .text(v.text)
        .list(v.list, (w, item) => w.u16(item))
        .optional(v.maybe, (w, item) => w.text(item))
        .finish(),
    (bytes) =>
      decodeAll(bytes, (r) => ({
        small: r.u8(),
        short: r.u16(),
        word: r.u32(),
        long: r.u64(),
        flag: r.bool(),
        digest: r.fixed(32),
        blob: r.bytes(),
        text: r.text(),
        list: r.list((item) => item.u16()),
        maybe: r.optional((item) => item.text()),
      })),
    200,
  );
});

test('numbers are big-endian, so that encoded heights sort as they count', () => {
  assert.deepEqual(
    [
      ...new Writer()
        .u16(0x0102)
        .u32(0x03040506)
        .u64(2 ** 32 + 7)
        .finish(),
    ],
    [1, 2, 3, 4, 5, 6, 0, 0, 0, 1, 0, 0, 0, 7],
  );
});

test('numbers outside their width, fractions and negatives are not encoded', () => {
  for (const write of [
    () => new Writer().u8(256),
    () => new Writer().u16(65_536),
    () => new Writer().u32(2 ** 32),
    () => new Writer().u64(2 ** 53),
    () => new Writer().u8(-1),
    () => new Writer().u32(1.5),
    () => new Writer().u64(Number.NaN),
    () => new Writer().fixed(new Uint8Array(31), 32),
    () => new Writer().text('\ud800'),
  ])
    assert.throws(write, RangeError);
});

const hostile: readonly (readonly [string, readonly number[], (reader: Reader) => unknown])[] = [
  ['an integer above 2^53 - 1', [0, 32, 0, 0, 0, 0, 0, 0], (r) => r.u64()],
  ['a flag of 2', [2], (r) => r.bool()],
  ['a byte string longer than the input', [0, 0, 0, 2, 1], (r) => r.bytes()],
  ['a byte string longer than its bound', [0, 0, 0, 2, 1, 1], (r) => r.bytes(1)],
  ['a list of four thousand million items', [255, 255, 255, 255], (r) => r.list((item) => item.u8())],
  ['a list longer than its bound', [0, 0, 0, 2, 1, 1], (r) => r.list((item) => item.u8(), 1)],
  ['text that is not UTF-8', [0, 0, 0, 1, 0xff], (r) => r.text()],
  ['text in an overlong form', [0, 0, 0, 2, 0xc0, 0x80], (r) => r.text()],
  ['a surrogate in UTF-8', [0, 0, 0, 3, 0xed, 0xa0, 0x80], (r) => r.text()],
  ['bytes left over', [1, 2], (r) => r.u8()],
  ['nothing', [], (r) => r.u8()],
];
for (const [what, bytes, read] of hostile) {
  test(`${what} is a DecodeError`, () => assert.throws(() => decodeAll(Uint8Array.from(bytes), read), DecodeError));
}

test('a reader on a view in the middle of a buffer reads that view alone', () => {
  const reader = new Reader(Uint8Array.of(9, 9, 0, 1, 9).subarray(2, 4));
  assert.equal(reader.u16(), 1);
  assert.equal(reader.offset, 2);
  assert.throws(() => reader.u8(), DecodeError);
});

test('a text is written and read alike whether the engine copies it or its units are copied, however long and wherever it leaves ASCII', () => {
  for (const length of [0, 1, 63, 64, 65, 300])
    for (const foreign of ['', 'é', '名', '\u{1f9f1}', '\u007f', '\u0080'])
      for (const at of [0, Math.floor(length / 2), length]) {
        const text = 'a'.repeat(at) + foreign + 'b'.repeat(length - at);
        const bytes = new Writer(1).u8(7).text(text).u8(9).finish();
        assert.deepEqual(bytes, new Writer().u8(7).bytes(utf8(text)).u8(9).finish());
        assert.equal(decodeAll(bytes, (r) => [r.u8(), r.text(), r.u8()] as const)[1], text);
      }
  assert.throws(() => new Writer().text('\ud800'), RangeError);
});

test('a text is read as it stands, whatever text of its length was read before it', () => {
  const read = (text: string) => decodeAll(new Writer().text(text).finish(), (reader) => reader.text());
  const texts = [
    '',
    'production',
    'productioN',
    'Production',
    'production',
    'x'.repeat(64),
    `${'x'.repeat(63)}y`,
    `${'x'.repeat(62)}é`,
    'x'.repeat(65),
  ];
  for (const text of [...texts, ...texts.toReversed()]) assert.equal(read(text), text);
});

test('the one writer for all that is short gives each use its own bytes: within another, after a failed one, after a long one', () => {
  const short = (text: string) => encodeShort((writer, value) => writer.text(value), text);
  const kept = short('one');
  const outer = encodeShort((writer, text) => writer.bytes(short('inner')).text(text), 'outer');
  assert.throws(() => encodeShort((writer, value) => writer.text('lost').u8(value), 256), RangeError);
  assert.deepEqual(short('two'), new Writer().text('two').finish());
  assert.deepEqual(kept, new Writer().text('one').finish());
  assert.deepEqual(outer, new Writer().bytes(new Writer().text('inner').finish()).text('outer').finish());
  const long = new Uint8Array(1_000_000).fill(5);
  assert.deepEqual(
    encodeShort((writer, bytes) => writer.raw(bytes), long),
    long,
  );
  const writer = takeSpareWriter();
  assert.ok(writer.capacity < 100_000); // no megabytes are held
  giveBackWriter(writer);
});

test('a hash is over the tag and what follows, however much that is', () => {
  const seen: Uint8Array[] = [];
  const crypto = {
    hash(data: Uint8Array) {
      seen.push(data.slice());
      return new Uint8Array(32);
    },
  };
  for (const bytes of [0, 1, 32_768, 32_769]) {
    const data = new Uint8Array(bytes).fill(3);
    hashTagged(crypto, 'term', data, new Uint8Array([4]));
    hashWritten(crypto, 'term', (writer, bytes) => writer.raw(bytes).u8(4), data);
    assert.deepEqual(seen.splice(0), Array(2).fill(tagged('term', data, new Uint8Array([4]))));
  }
});
