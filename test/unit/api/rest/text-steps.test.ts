import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JSON_BODY_DEPTH_MAX, JSON_NAMES_MAX, JSON_VALUES_MAX, jsonBytesSteps } from '../../../../node/pace/json-steps.ts';
import type { Steps } from '../../../../node/pace/slices.ts';
import { canonicalForm, encodeJsonSteps, jsonForm, textSteps } from '../../../../api/rest/text-steps.ts';
import { xmlForm } from '../../../../api/dialects/native/xml.ts';
import { canonicalJson, type Json } from '../../../../node/format/index.ts';

/** The end of the steps, and how many there were. */
function run<T>(steps: Steps<T>): { readonly value: T; readonly count: number } {
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, count };
  }
}
const text = (value: unknown, form: typeof jsonForm): string => run(textSteps(value, form)).value.join('');
const read = (json: string): unknown => run(jsonBytesSteps(Buffer.from(json))).value;

const key = fc.string({ unit: 'binary', maxLength: 8 }).filter((name) => name !== '__proto__');
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, tie('leaf'), fc.array(tie('tree'), { maxLength: 5 }), fc.dictionary(key, tie('tree'), { maxKeys: 5 })),
  leaf: fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null), fc.constant(undefined)),
}));
/** Long enough that it is read and written in several steps. */
const long = (value: unknown) => [value, 'x\u4e2d"\\'.repeat(10_000), Array.from({ length: 3_000 }, (_, i) => ({ i, t: `\t${i}` })), value];

const deepList = (depth: number): Json => (depth === 0 ? 1 : [deepList(depth - 1)]);

test('JSON in steps is what JSON.stringify writes, canonical JSON what canonicalJson writes', () => {
  fc.assert(
    fc.property(tree, (value) => {
      for (const each of [value ?? null, long(value)]) {
        const written = JSON.stringify(each);
        assert.equal(text(each, jsonForm), written);
        assert.equal(text(each, canonicalForm), canonicalJson(JSON.parse(written) as Json));
      }
    }),
    { numRuns: 60 },
  );
  assert.equal(text({ a: undefined, b: [undefined], c: 1.5 }, jsonForm), '{"b":[null],"c":1.5}');
  assert.equal(text({ at: new Date(0) }, jsonForm), '{"at":{}}'); // by its members, whatever it says of itself
  assert.equal(text(deepList(40), jsonForm), JSON.stringify(deepList(40)));
  const pair = `${'x'.repeat(32_767)}\u{1F600}${'y'.repeat(40_000)}`; // the step would end inside the pair
  assert.equal(text({ pair }, jsonForm), JSON.stringify({ pair }));
  assert.ok(text({ pair }, xmlForm).includes(`<pair>${pair}</pair>`));
  const deepest = (leaf: string): Json => Array.from({ length: 70 }).reduce<Json>((value) => [value], leaf);
  for (const leaf of ['x', 'x'.repeat(40_000)]) assert.throws(() => text(deepest(leaf), canonicalForm), RangeError);
  for (const refused of [{ a: 1.5 }, ['\ud800'], { '\ud800': 1 }, JSON.parse(`${'['.repeat(66)}${']'.repeat(66)}`)])
    assert.throws(() => run(encodeJsonSteps(refused)), RangeError);
});

test('a long list of short objects is written in steps of some kilobytes', () => {
  const list = Array.from({ length: 5_000 }, (_, i) => ({ i, text: 'abc'.repeat(20), inner: { list: [i, `${i}`], none: null } }));
  for (const form of [jsonForm, canonicalForm]) {
    const { value, count } = run(textSteps({ list }, form));
    assert.equal(value.join('').length, JSON.stringify({ list }).length);
    assert.ok(count > 10 && value.every((piece) => piece.length < 40_000), `${count} steps`);
    const halves = Array.from({ length: 4 }, () => ({ text: 'x'.repeat(20_000) })); // two of them are more than a step
    assert.ok(run(textSteps(halves, form)).value.every((piece) => piece.length < 21_000));
  }
});

test('an object that is too long for a step is looked at once before it is written, whatever stands around it', () => {
  let looks = 0;
  const names = Array.from({ length: 5_000 }, (_, i) => `n${i}`);
  const many: object = new Proxy(Object.fromEntries(names.map((name) => [name, 0])), {
    ownKeys: (target) => {
      looks++;
      return Reflect.ownKeys(target);
    },
  });
  const around = Array.from({ length: 10 }).reduce<unknown>((value) => ({ value }), many);
  const { value } = run(textSteps(around, jsonForm));
  assert.equal(value.join('').length, JSON.stringify(around).length);
  assert.ok(looks <= 3, `${looks} times`); // once to look, once for the names to write, and once by the assertion
});

test('the names of an object that is too long are listed once in a step, inside another and by itself', () => {
  for (const form of [jsonForm, canonicalForm]) {
    for (const wrap of [(value: object) => value, (value: object) => ({ inner: value })]) {
      let lists = 0;
      const counted = new Proxy(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`n${i}`, 'x'])), {
        ownKeys: (target) => {
          lists++;
          return Reflect.ownKeys(target);
        },
      });
      const steps = textSteps(wrap(counted), form);
      for (let step = steps.next(); ; step = steps.next()) {
        assert.ok(lists <= 1, `${lists} times`);
        if (step.done === true) break;
        lists = 0;
      }
    }
  }
});

test('a long answer is written in many steps, and a long text inside it as well', () => {
  const pairs = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`n${i}`, i]));
  for (const value of [pairs, { t: '<'.repeat(2_000_000) }, ['\0'.repeat(1_000_000)]])
    for (const form of [jsonForm, canonicalForm, xmlForm]) assert.ok(run(textSteps(value, form)).count >= 15);
});

test('JSON is read in steps as JSON.parse reads it, long and short', () => {
  fc.assert(
    fc.property(tree, fc.constantFrom(0, 1), (value, indent) => {
      for (const each of [value ?? null, long(value)]) {
        const json = JSON.stringify(each, null, indent);
        assert.deepEqual(read(json), JSON.parse(json));
      }
    }),
    { numRuns: 60 },
  );
  const filler = `"${'x'.repeat(20_000)}"`;
  const numbers = `[${filler},0,-0,1.5e3,-2E-2,true,false,null,"\\u4e2d\\\\\\"\\/",[],{},{"a":{"a":1}}]`;
  assert.deepEqual(read(numbers), JSON.parse(numbers));
  assert.ok(run(jsonBytesSteps(Buffer.from(JSON.stringify(long(1))))).count >= 10);
  assert.ok(run(jsonBytesSteps(Buffer.from(JSON.stringify('\\"'.repeat(1_000_000))))).count >= 100, 'one long text');
});

test('what JSON.parse refuses is refused, and what only a hostile caller sends', () => {
  const filler = `"${'x'.repeat(20_000)}"`;
  const wrong = [
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    '{"a" 1}',
    '[1 2]',
    '[01]',
    '[+1]',
    '[.5]',
    '[1.]',
    '["\\x"]',
    '["\\u12g4"]',
    '["\n"]',
    '[nul]',
    '["a]',
    '[1]]',
    '{"a":1',
    '',
    '[truefalse]',
  ];
  for (const json of wrong) {
    assert.throws(() => JSON.parse(json), SyntaxError);
    assert.throws(() => read(json), SyntaxError, json);
    assert.throws(() => read(`[${filler},${json}]`), SyntaxError, `behind a long text: ${json}`);
  }
  const many = (count: number, piece: (i: number) => string): string => Array.from({ length: count }, (_, i) => piece(i)).join(',');
  const refused: Readonly<Record<string, string>> = {
    names: `{${many(JSON_NAMES_MAX + 1, (i) => `"a${i}":0`)}}`,
    values: `[${many(JSON_VALUES_MAX + 1, () => '0')}]`,
    depth: `${'['.repeat(JSON_BODY_DEPTH_MAX + 1)}${filler}`,
    proto: `[${filler},{"__proto__":1}]`,
    blanks: `[${' '.repeat(100_000)}1]`,
    digits: `[${'1'.repeat(100_000)}]`,
  };
  for (const [what, json] of Object.entries(refused)) assert.throws(() => read(json), SyntaxError, what);
  assert.throws(() => read('{"__proto__":1}'), SyntaxError);
  assert.throws(() => run(jsonBytesSteps(Buffer.concat([Buffer.from('"'), Buffer.alloc(300_000, 0xff), Buffer.from('"')]))), TypeError);
  assert.equal(Object.keys(read(`{${many(JSON_NAMES_MAX, (i) => `"a${i}":0`)}}`) as object).length, JSON_NAMES_MAX);
});
