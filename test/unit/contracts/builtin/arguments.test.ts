import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arguments, FAULTS_LISTED_MAX, isObject, readArguments } from '../../../../contracts/builtin/arguments.ts';
import { encodeJson, type Json, utf8 } from '../../../../node/format/index.ts';
import { refusal } from '../memory-host.ts';

type Read = (args: Arguments) => unknown;
const given = (value: Json) => readArguments(encodeJson(value));
/** What is wrong with `value` as `read` asks for it. */
function faultsOf(value: Json, read: Read): unknown {
  const { code, detail } = refusal(() => {
    const args = given(value);
    read(args);
    args.finish();
  });
  assert.equal(code, 'BUILTIN_ARGUMENTS_INVALID');
  return (detail.faults as { path: string; problem: string }[]).map(({ path, problem }) => `${path} ${problem}`);
}

const short = (text: string) => (text.length > 3 ? 'is too long' : undefined);
const text: Read = (args) => args.text('a', short);
const oneOf: Read = (args) => args.oneOf('a', ['x', 'y']);
const boolean: Read = (args) => args.boolean('a');
const integer: Read = (args) => args.integer('a', 2, 4);
const nullable: Read = (args) => args.nullable('a', (name) => args.text(name, short));
const texts: Read = (args) => args.texts('a', 1, 2, short);
const json: Read = (args) => args.json('a');
const inner: Read = (args) => args.object('a').text('b');
const inners: Read = (args) => args.objects('a', 1, 2).map((each) => each.text('b'));

test('a value of the kind and size that is asked for is handed out as it came', () => {
  const table: readonly [Read, Json, unknown][] = [
    [text, 'abc', 'abc'],
    [text, '', ''],
    [oneOf, 'y', 'y'],
    [boolean, true, true],
    [boolean, false, false],
    [integer, 2, 2],
    [integer, 4, 4],
    [nullable, 'abc', 'abc'],
    [nullable, null, null],
    [texts, ['a'], ['a']],
    [texts, ['a', 'b'], ['a', 'b']],
    [(args) => args.texts('a', 0, 2), ['abcd'], ['abcd']],
    [json, { b: [1] }, { b: [1] }],
    [inner, { b: 'x' }, 'x'],
    [inners, [{ b: 'x' }, { b: 'y' }], ['x', 'y']],
  ];
  for (const [read, a, expected] of table) {
    const args = given({ a });
    assert.deepEqual(read(args), expected);
    args.finish();
  }
  const none = given({});
  assert.equal(nullable(none), null);
  none.finish();
});

test('whatever else stands there, or nothing, is named by pointer with what is wrong', () => {
  const table: readonly [Read, Json | undefined, ...string[]][] = [
    [text, undefined, '/a is missing'],
    [text, null, '/a must be text'],
    [text, 1, '/a must be text'],
    [text, 'abcd', '/a is too long'],
    [oneOf, 'z', '/a must be one of x, y'],
    [oneOf, 'toString', '/a must be one of x, y'],
    [boolean, undefined, '/a is missing'],
    [boolean, 'true', '/a must be true or false'],
    [boolean, null, '/a must be true or false'],
    [integer, undefined, '/a is missing'],
    [integer, 1, '/a must be an integer from 2 to 4'],
    [integer, 5, '/a must be an integer from 2 to 4'],
    [integer, '3', '/a must be an integer from 2 to 4'],
    [nullable, 1, '/a must be text'],
    [nullable, 'abcd', '/a is too long'],
    [texts, undefined, '/a is missing'],
    [texts, 'a', '/a must be a list'],
    [texts, { 0: 'a', length: 1 }, '/a must be a list'],
    [texts, [], '/a must hold 1 to 2 items'],
    [texts, ['a', 'b', 'c'], '/a must hold 1 to 2 items'],
    [texts, [1, 'abcd'], '/a/0 must be text', '/a/1 is too long'],
    [texts, ['a', 'a'], '/a/1 is repeated'],
    [json, undefined, '/a is missing'],
    [json, [], '/a must be an object'],
    [json, null, '/a must be an object'],
    [inner, undefined, '/a is missing', '/a/b is missing'],
    [inner, 'x', '/a must be an object', '/a/b is missing'],
    [inner, { b: 'x', c: 1 }, '/a/c is not a name of this method'],
    [inners, [], '/a must hold 1 to 2 items'],
    [inners, [{ b: 'x' }, []], '/a/1 must be an object', '/a/1/b is missing'],
    [inners, [{ b: 'x' }, { b: 'y', d: 0, c: 0 }], '/a/1/c is not a name of this method', '/a/1/d is not a name of this method'],
    [() => undefined, 1, '/a is not a name of this method'],
  ];
  for (const [read, a, ...faults] of table) assert.deepEqual(faultsOf(a === undefined ? {} : { a }, read), faults, JSON.stringify(a));
});

test('a name every object has is missing like any other', () => {
  assert.deepEqual(
    faultsOf({}, (args) => args.text('toString')),
    ['/toString is missing'],
  );
  assert.equal(
    given({}).nullable('constructor', () => 'read'),
    null,
  );
});

test('a refusal lists so many faults and tells how many there are, long paths cut', () => {
  const names = Array.from({ length: FAULTS_LISTED_MAX + 1 }, (_, i) => `${String.fromCharCode(97 + i)}${'x'.repeat(i === 0 ? 62 : 63)}`);
  const { detail } = refusal(() => given(Object.fromEntries(names.map((name) => [name, 1]))).finish());
  const faults = detail.faults as { path: string }[];
  assert.deepEqual([faults.length, detail.count], [FAULTS_LISTED_MAX, FAULTS_LISTED_MAX + 1]);
  assert.deepEqual([faults[0]!.path, faults[1]!.path], [`/${names[0]}`, `/${names[1]!.slice(0, 63)}…`]);
  const halved = refusal(() => given({ [`${'x'.repeat(62)}𝕏`]: 1 }).finish()).detail.faults as { path: string }[];
  assert.equal(halved[0]!.path, `/${'x'.repeat(62)}\ufffd…`, 'a receipt has no form for half a pair');
});

test('nothing but a canonical JSON object is read', () => {
  const refused = { false: ['', '{', '{"b":1,"a":1}'], true: ['[]', 'null', '"a"', '1'] };
  for (const [isCanonical, texts] of Object.entries(refused))
    for (const bytes of texts) {
      const { code, detail } = refusal(() => readArguments(utf8(bytes)));
      const faults = (detail.faults as { path: string; problem: string }[]).map(({ path, problem }) => [
        path,
        problem === 'must be an object',
      ]);
      assert.deepEqual([code, detail.count, faults], ['BUILTIN_ARGUMENTS_INVALID', 1, [['', isCanonical === 'true']]], bytes);
    }
  assert.deepEqual([{}, [], null, 'a', 1, undefined].map(isObject), [true, false, false, false, false, false]);
});

test('a fault stops the reading where the way on depends on the value', () => {
  const args = given({ a: 1, b: 2 });
  args.stopIfFaulty(); // names not asked for yet are none
  text(args);
  assert.equal(refusal(() => args.stopIfFaulty()).detail.count, 1);
});
