import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalJson,
  compareDecimal,
  contentDigest,
  decodeAmendment,
  decodeContent,
  DecodeError,
  decodeRecordVersion,
  decodeSubmissions,
  encodeAmendment,
  encodeContent,
  encodeRecordVersion,
  encodeSubmissions,
  formatTime,
  hmacSha256,
  isDecimal,
  isSealed,
  canonicalDecimal,
  canonicalTime,
  parseTime,
  readJsonSteps,
  recordDigest,
  recordIdOf,
  sealedCommitment,
  type RecordVersion,
  type TextTree,
  toHex,
  utf8,
  valueAt,
} from '../../../../node/format/index.ts';
import { annexRecord, crypto } from '../records/sample.ts';
import { ended } from '../../../tools/steps.ts';

const stored: RecordVersion = {
  recordDigest: new Uint8Array(32).fill(1),
  normalDigest: new Uint8Array(32).fill(2),
  sourceDigest: new Uint8Array(32).fill(3),
  class: 'production',
  classVersion: 1,
  org: 'alpha',
  actor: 'mes@alpha',
  version: 2,
  state: 'archived',
  height: 17,
  index: 3,
  call: 999,
  item: 998,
  transactionId: new Uint8Array(32).fill(7),
  change: { reason: '更正', digestBefore: new Uint8Array(32).fill(9) },
};

test('a version of a record is read back as it was written, and every cut or lengthened form is refused', () => {
  for (const record of [stored, { ...stored, normalDigest: undefined, sourceDigest: undefined, change: undefined }]) {
    const bytes = encodeRecordVersion(record);
    assert.deepEqual(decodeRecordVersion(bytes, 2), record);
    for (let length = 0; length < bytes.length; length++)
      assert.throws(() => decodeRecordVersion(bytes.subarray(0, length), 2), DecodeError);
    assert.throws(() => decodeRecordVersion(new Uint8Array([...bytes, 0]), 2), DecodeError);
  }
  assert.ok(
    encodeRecordVersion({ ...stored, normalDigest: undefined, change: undefined }).length <= 256,
    'it stands in its row of the state',
  );
});

test('submissions and amendments are read back as they were written', () => {
  const submission = { class: 'device', classVersion: 1, content: utf8('{}'), source: { interfaceId: 'mes/1' } };
  assert.deepEqual(
    encodeSubmissions(decodeSubmissions(encodeSubmissions([submission, submission]))),
    encodeSubmissions([submission, submission]),
  );
  for (const content of [undefined, utf8('{}')]) {
    const amendment = { recordId: new Uint8Array(32), expectedVersion: 3, reason: 'typo', content, source: {} };
    assert.deepEqual(decodeAmendment(encodeAmendment(amendment)).content === undefined, content === undefined);
    assert.deepEqual(encodeAmendment(decodeAmendment(encodeAmendment(amendment))), encodeAmendment(amendment));
  }
});

test('only the canonical spelling of a content is accepted', () => {
  assert.deepEqual(decodeContent(utf8('{"a":"1","b":["x","y"]}')), { a: '1', b: ['x', 'y'] });
  for (const text of [
    '{"b":"1","a":"2"}',
    '{ "a":"1"}',
    '{"a":1}',
    '{"a":null}',
    '["a"]',
    '"a"',
    '{"a":"\\u0041"}',
    '{"a":"1","a":"1"}',
    '{"__proto__":"1"}',
    '{"a":"\\b"}',
  ])
    assert.throws(() => decodeContent(utf8(text)), DecodeError, text);
});

test('what no reader of content takes is not written', () => {
  for (const text of ['\ud800', 'a\udc00', '\u0001', '"\u0000'])
    for (const content of [{ a: text }, { [text]: '1' }, { a: ['x', { b: text }] }])
      assert.throws(() => encodeContent(content), RangeError);
  assert.equal(Buffer.from(encodeContent({ a: '\\ud800\n' })).toString(), '{"a":"\\\\ud800\\n"}');
});

test('a content is written whole however long it is, and beside one that was refused', () => {
  const long = {
    a: 'é"'.repeat(5_000),
    b: Array.from({ length: 3_000 }, (_, i) => ({ name: `${i}€`.repeat(20) })),
    c: 'x'.repeat(100_000),
  };
  for (const content of [{ a: '1' }, long, { a: ['1'], b: {}, c: [] }]) {
    assert.throws(() => encodeContent({ a: 'b', c: '\ud800' }), RangeError);
    const bytes = encodeContent(content);
    assert.equal(Buffer.from(bytes).toString(), canonicalJson(content));
    encodeContent({ z: 'zzz' });
    assert.equal(Buffer.from(bytes).toString(), canonicalJson(content), 'the bytes are their own');
  }
});

test('the content reader takes exactly what the content writer writes', () => {
  const text = fc.string({
    unit: fc.constantFrom(
      'a',
      '"',
      '\\',
      '\n',
      '\t',
      '\r',
      '/',
      '\u007f',
      '\u2028',
      '€',
      '😀',
      '\ufffd',
      '1',
      '\u0080',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
    ),
  });
  const { tree } = fc.letrec<{ tree: TextTree }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(
        text.filter((name) => name !== '__proto__'),
        tie('tree'),
        { maxKeys: 5, noNullPrototype: true },
      ),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(text, tree, { noNullPrototype: true }), (content) => {
      const bytes = encodeContent(content);
      assert.deepEqual(decodeContent(bytes), content);
      assert.equal(Buffer.from(bytes).toString(), canonicalJson(content));
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(), (noise, at) => {
      const bytes = Buffer.from(encodeContent(annexRecord()));
      bytes.set(noise.slice(0, 3), at % (bytes.length - 3));
      try {
        assert.deepEqual(encodeContent(decodeContent(bytes)), new Uint8Array(bytes));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('digests are plain SHA-256 over the canonical text, as jq and sha256sum repeat them', () => {
  const record = annexRecord({ token: 'secret', production_location: 'a"\\\\t€😀' });
  const { token: _token, ...rest } = record;
  let canonical = Buffer.from(encodeContent(rest));
  try {
    canonical = execFileSync('jq', ['-cjS', 'del(.token)'], { input: JSON.stringify(record), stdio: ['pipe', 'pipe', 'ignore'] });
  } catch {
    // no jq on this machine: our own canonical text stands in, and the hash is still compared
  }
  assert.equal(toHex(contentDigest(crypto, record)), createHash('sha256').update(canonical).digest('hex'));
  assert.deepEqual(recordDigest(crypto, encodeContent(rest)), contentDigest(crypto, record));
});

test('the digest of one known record never changes', () => {
  assert.equal(toHex(contentDigest(crypto, annexRecord())), '8ac72f1144c5b9caf52ef9ed26769c95b8e4ea52f6c47ae7b06188e4c6f0dbd2');
  assert.equal(
    toHex(recordIdOf(crypto, 'production', 'alpha', { product_uid: 'SN-0001' })),
    '6f38ac96b94933881edc0ade5dbea53beb218dc37cd3e86c542d68e9fb5cab0e',
  );
});

test('a commitment is the hash of four lines that anyone can write', () => {
  const salt = new Uint8Array(32).fill(1);
  const lines = `tracemill/sealed-field/v1\n${toHex(salt)}\npro_op_info.pro_op_name\n李雷\n2`;
  const commitment = sealedCommitment(crypto, salt, 'pro_op_info.pro_op_name', '李雷\n2');
  assert.equal(commitment, createHash('sha256').update(lines).digest('hex'));
  assert.equal(isSealed({ sealed: commitment }), true);
  for (const other of [{ sealed: 'x' }, { sealed: commitment, more: '1' }, commitment, [commitment], {}])
    assert.equal(isSealed(other), false);
});

test('hmacSha256 agrees with the library for any key and message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), fc.uint8Array({ maxLength: 300 }), (key, message) => {
      assert.equal(toHex(hmacSha256(crypto, key, message)), createHmac('sha256', key).update(message).digest('hex'));
    }),
    { numRuns: 50 },
  );
});

test('a dotted path finds items from 1, and .1 finds an item that stands alone', () => {
  const content = { a: [{ b: 'x' }, { b: 'y' }], c: { b: 'z' }, 'd.e': '1' };
  assert.deepEqual(
    ['a.2.b', 'c.b', 'c.1.b', 'a.3.b', 'a.0.b', 'c.2.b', 'toString'].map((path) => valueAt(content, path)),
    ['y', 'z', 'z', undefined, undefined, undefined, undefined],
  );
});

interface Case {
  readonly description: string;
  readonly data: unknown;
  readonly valid: boolean;
}

test('RFC 3339 times are accepted and refused as the standard vectors say', () => {
  const [suite] = JSON.parse(readFileSync('test/data/vectors/json-schema-date-time.json', 'utf8')) as [{ tests: Case[] }];
  const texts = suite.tests.filter(({ data }) => typeof data === 'string');
  assert.ok(texts.length > 20);
  for (const { description, data, valid } of texts) assert.equal(parseTime(data as string).ok, valid, `${description}: ${data as string}`);
});

test('times are UTC microseconds, whatever the spelling', () => {
  const us = (text: string): bigint => {
    const reading = parseTime(text);
    return reading.ok ? reading.us : assert.fail(text);
  };
  assert.equal(us('1970-01-01T00:00:00Z'), 0n);
  assert.equal(us('2025-08-09T08:00:00+08:00'), us('1754697600000'));
  assert.equal(us('2025-08-09T08:00:00.1234567+08:00'), us('2025-08-09T00:00:00.123456Z'));
  assert.equal(us('2016-12-31T23:59:60Z'), us('2017-01-01T00:00:00Z'));
  assert.equal(us('2017-01-01T07:59:60.9+08:00'), us('2017-01-01T00:00:00Z'));
  assert.equal(us('0001-01-01T00:00:00Z'), -62_135_596_800_000_000n);
  assert.deepEqual(parseTime('1754697600'), { ok: false, code: 'RECORD_TIME_AMBIGUOUS' });
  for (const text of [
    '',
    '175469760',
    '17546976000000',
    '2025-02-29T00:00:00Z',
    '2025-08-09',
    '2025-08-09T08:00:00',
    '2025-13-01T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2026-03-15T23:59:60Z',
    '2016-12-31T23:59:61Z',
    '2016-12-31T23:58:60Z',
    '2016-12-31T23:59:60+08:00',
    '2026-02-30T00:00:00Z',
    '2026-03-01T00:00:00+24:00',
    '0000-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-00:01',
    '٢٠٢٥-08-09T08:00:00Z',
  ])
    assert.deepEqual(parseTime(text), { ok: false, code: 'RECORD_TIME_MALFORMED' }, text);
});

test('an instant has one text, however it is spelled, and no two instants share one', () => {
  for (const [canonical, ...others] of [
    [
      '2026-03-01T00:00:00Z',
      ...['2026-03-01T00:00:00.000Z', '2026-03-01t00:00:00.0000000z', '2026-03-01T08:00:00+08:00', '2026-02-28T22:30:00-01:30'],
      ...['2026-03-01T00:00:00+00:00', '2026-03-01T00:00:00-00:00', '1772323200000'],
    ],
    ['2026-03-01T00:00:00.5Z', '2026-03-01T08:00:00.500+08:00', '1772323200500'],
    ['2026-03-01T00:00:00.1234567Z', '2026-03-01T08:00:00.12345670+08:00'],
    ['2026-03-01T00:00:00.0000001Z', '2026-03-01T00:00:00.00000010Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T07:59:60.000+08:00', '2016-12-31T15:59:60-08:00'],
    ['2016-12-31T23:59:60.5Z', '2017-01-01T07:59:60.50+08:00'],
    ['2016-12-31T23:59:59.999999Z', '2017-01-01T07:59:59.9999990+08:00'],
    ['2017-01-01T00:00:00Z', '2017-01-01T08:00:00+08:00'],
    ['2017-01-01T00:00:00.5Z', '2017-01-01T08:00:00.5+08:00'],
    ['1969-12-31T23:59:59.9Z', '1970-01-01T00:59:59.90+01:00'],
  ]) {
    for (const text of [canonical!, ...others]) assert.equal(canonicalTime(text), canonical, text);
  }
  assert.equal(canonicalTime('2026-02-30T00:00:00Z'), undefined);
  fc.assert(
    fc.property(fc.bigInt({ min: -62_167_219_200_000_000n, max: 253_402_300_799_999_999n }), (us) => {
      const text = canonicalTime(formatTime(us)!)!;
      assert.equal(canonicalTime(text), text);
      assert.deepEqual(parseTime(text), { ok: true, us });
    }),
    { numRuns: 300 },
  );
});

test('a value has one text, however it is spelled', () => {
  for (const [canonical, ...others] of [
    ['40', '40.0', '4e1', '+0040.00', '0.4E2'],
    ['0', '-0', '0.000', '0e9'],
    ['-0.05', '-5e-2', '-00.050'],
    ['12.5', '1.25e1', '125e-1'],
    ['0.1e401', '1e400', '10e399'],
    ['-0.12e-99', '-12e-101'],
  ]) {
    for (const text of [canonical!, ...others]) assert.equal(canonicalDecimal(text), canonical, text);
  }
  const decimal = fc
    .tuple(fc.constantFrom('', '-', '+'), fc.nat(), fc.nat(), fc.integer({ min: -60, max: 60 }))
    .map((p) => `${p[0]}${p[1]}.${p[2]}e${p[3]}`);
  fc.assert(
    fc.property(decimal, decimal, (a, b) => {
      assert.ok(compareDecimal(a, canonicalDecimal(a)) === 0);
      assert.equal(canonicalDecimal(a) === canonicalDecimal(b), compareDecimal(a, b) === 0);
    }),
  );
});

test('a formatted time reads back, over the whole range of years', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -62_167_219_200_000_000n, max: 253_402_300_799_999_999n }), (us) => {
      const text = formatTime(us)!;
      assert.deepEqual(parseTime(text), { ok: true, us });
      if (us >= 0n) assert.equal(new Date(Number(us / 1_000n)).toISOString().slice(0, 19), text.slice(0, 19));
    }),
    { numRuns: 300 },
  );
});

test('decimals compare by value and never by float', () => {
  const ordered = [
    '-1e3',
    '-10.5',
    '-10.50000000000000000001e0',
    '-1',
    '0',
    '1e-400',
    '0.1',
    '0.10000000000000000001',
    '1',
    '9',
    '10',
    '1e400',
  ];
  const sorted = [...ordered].sort(compareDecimal);
  assert.deepEqual(sorted, ['-1e3', '-10.50000000000000000001e0', '-10.5', ...ordered.slice(3)]);
  for (const [a, b] of [
    ['40', '40.0'],
    ['4e1', '+0040.00'],
    ['-0', '0.000'],
    ['100', '1E2'],
    ['0.01', '1e-2'],
  ] as const)
    assert.equal(compareDecimal(a, b), 0, `${a} = ${b}`);
  for (const text of ['', '.5', '5.', '1e', '0x10', 'NaN', '1,5', ' 1', '1e99999']) assert.equal(isDecimal(text), false, text);
});

test('the lossless reader reads what JSON.parse reads, with texts for leaves', () => {
  const asTexts = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(asTexts);
    if (value !== null && typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asTexts(member)]));
    return value === null ? null : String(value);
  };
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const reading = ended(readJsonSteps(utf8(text)));
      if (reading.ok)
        assert.deepEqual(
          JSON.stringify(reading.value).replace(/"-?[\d.e+-]+"/g, '#'),
          JSON.stringify(asTexts(JSON.parse(text))).replace(/"-?[\d.e+-]+"/g, '#'),
        );
      else
        assert.ok(
          reading.faults.every(({ code }) => code !== 'JSON_MALFORMED'),
          text,
        );
    }),
    { numRuns: 200 },
  );
});
