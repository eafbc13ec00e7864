import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { encodeJson, type Json, utf8 } from '../../../../node/format/index.ts';
import { Tank } from '../../../../contracts/index.ts';
import { newMachine } from '../workbench.ts';
import { contractOf, stand } from './stand.ts';

const machine = await newMachine();

/** Work of many kinds: what is counted must not depend on what ran before. */
const WORK = `let s = 0; const o = {}; for (let i = 0; i < 3000; i++) { s = (s * 31 + i) % 1000003; if (i % 7 === 0) o["k" + (i % 100)] = s; }
  ctx.put("o", o); ctx.emit("E", Object.keys(o).length); return [JSON.stringify(o).length, Math.round(1e9 * Math.pow(1.1, 3.3)), String(2n ** 200n)];`;
const works = contractOf({ work: WORK, small: 'return n * 2;', grow: 'globalThis.kept = (globalThis.kept ?? 0) + 1; return kept;' });

test('gas of one call is the same to the unit over repetition, order and instances', async () => {
  const bench = stand(machine, works);
  const first = bench.run('work');
  assert.equal(first.code, 'OK');
  for (let i = 0; i < 20; i++) {
    for (let k = 0; k < i % 3; k++) bench.run('small', [k]);
    if (i % 5 === 0) bench.run('work', [], 3_000_000); // runs out half-way
    assert.deepEqual(bench.run('work'), first);
  }
  assert.deepEqual(stand(await newMachine(), works).run('work'), first);
});

test('gas, image and bundle are the same in a worker thread', async () => {
  const worker = new Worker(new URL('./machine-worker.js', import.meta.url), { workerData: { code: works } });
  const there = await new Promise<unknown>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  const here = [machine.bundleDigest, machine.load(utf8(works)).imageDigest, stand(machine, works).run('work')];
  assert.deepEqual(there, here);
});

test('nothing a call leaves in the global scope reaches the next', () => {
  const bench = stand(machine, works);
  assert.deepEqual(
    [1, 2, 3].map(() => bench.run('grow').result),
    [1, 1, 1],
  );
});

test('a call cannot change the contract for those after it', () => {
  const bench = stand(
    machine,
    contractOf({
      spoil: 'Array.prototype.map = () => "spoilt"; JSON.parse = () => 0; Object.prototype.x = 1; return 1;',
      read: 'return [[1].map((x) => x + 1), ({}).x ?? null];',
    }),
  );
  assert.deepEqual(bench.run('read').result, [[2], null]);
  assert.equal(bench.run('spoil').result, 1);
  assert.deepEqual(bench.run('read').result, [[2], null]);
});

test('what top-level code builds is there in every call', () => {
  const bench = stand(
    machine,
    'const table = Array.from({ length: 500 }, (_, i) => i * i); contract({ methods: { at(ctx, n) { return table[n]; } } });',
  );
  assert.deepEqual([bench.run('at', [20]).result, bench.run('at', [499]).result], [400, 249_001]);
});

test('two contracts on one machine do not see each other, whatever the order of calls', () => {
  const [one, two] = ['one', 'two'].map((name) => stand(machine, `globalThis.mine = '${name}'; ${contractOf({ who: 'return mine;' })}`));
  for (let i = 0; i < 3; i++) assert.deepEqual([one!.run('who').result, two!.run('who').result], ['one', 'two']);
});

test('an image is the same whatever was loaded before it', async () => {
  const codes = Array.from({ length: 5 }, (_, i) => utf8(contractOf({ m: `return ${i};` })));
  const digests = codes.map((code) => machine.load(code).imageDigest);
  assert.equal(new Set(digests).size, codes.length);
  const other = await newMachine();
  assert.deepEqual(
    codes.toReversed().map((code) => other.load(code).imageDigest),
    digests.toReversed(),
  );
});

const absent = [
  'Date',
  'Promise',
  'Proxy',
  'Uint8Array',
  'Float64Array',
  'DataView',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'Atomics',
  'eval',
  'Function',
  'WeakRef',
  'FinalizationRegistry',
  'setTimeout',
  'queueMicrotask',
  'performance',
  'console',
  'print',
  'std',
  'os',
  'contract',
];
test('a contract sees no clock, randomness, binary arrays, proxies, promises or code loading', () => {
  const bench = stand(
    machine,
    contractOf({ see: `return ${JSON.stringify(absent)}.filter((name) => name in globalThis);`, random: 'return typeof Math.random;' }),
  );
  assert.deepEqual(bench.run('see').result, []);
  assert.equal(bench.run('random').result, 'undefined');
});

const TEXT = '"globalThis.ran = true"';
const roads = [
  `eval(${TEXT})`,
  `(0, globalThis.eval)(${TEXT})`,
  `(() => {}).constructor(${TEXT})()`,
  `(function* () {}).constructor(${TEXT})().next()`,
  `Object.getPrototypeOf(async () => {}).constructor(${TEXT})()`,
  `Reflect.construct(Object.getPrototypeOf(parseInt).constructor, [${TEXT}])()`,
  `[].map.constructor(${TEXT})()`,
  'import("x")',
];
for (const road of roads) {
  test(`there is no road from text to code by ${road}`, () => {
    const bench = stand(machine, contractOf({ go: `try { ${road}; } catch (e) {} return globalThis.ran ?? false;` }));
    assert.equal(bench.run('go').result, false);
  });
}

test('asynchronous code never gets past its first wait', () => {
  const bench = stand(machine, contractOf({ go: 'try { (async () => { await 0; ctx.put("k", 1); })(); } catch (e) {} return 1;' }));
  assert.equal(bench.run('go').result, 1);
  assert.equal(bench.rows.size, 0);
});

const values: readonly (readonly [string, string, Json])[] = [
  ['integers', 'return n + 1;', 42],
  ['text', 'return n + "!";', 'Ü\u0000𝕏!'],
];
for (const [kind, body, expected] of values) {
  test(`${kind} pass through a call`, () => {
    const given = typeof expected === 'number' ? expected - 1 : (expected as string).slice(0, -1);
    assert.deepEqual(stand(machine, contractOf({ m: body })).run('m', [given]).result, expected);
  });
}

test('any JSON value arrives in a contract unchanged and is stored unchanged, large integers too', () => {
  const bench = stand(machine, contractOf({ echo: 'ctx.put("v", n); return ctx.get("v");' }));
  const integer = fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }).map((value) => ({ $int: String(value) }));
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'binary' }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      integer,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.string().filter((name) => name !== '$int' && name !== '__proto__'),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  }));
  fc.assert(
    fc.property(value, (given) => {
      const expected = JSON.parse(new TextDecoder().decode(encodeJson(given))) as Json; // -0 becomes 0
      assert.deepEqual(bench.run('echo', [given]).result, expected);
    }),
    { numRuns: 100 },
  );
});

test('an integer past 2^53 is a BigInt inside, and its arithmetic is exact', () => {
  const bench = stand(machine, contractOf({ square: 'return [typeof n, n * n];' }));
  assert.deepEqual(bench.run('square', [{ $int: '9007199254740993' }]).result, ['bigint', { $int: '81129638414606699710187514626049' }]);
  for (const bad of ['01', '1.5', '-0', '', 'x']) assert.equal(bench.run('square', [{ $int: bad }]).code, 'CONTRACT_THREW', bad);
});

const refusedValues = [
  'return 0.5;',
  'return 2 ** 53;',
  'return [{ a: 1e21 }];',
  'ctx.put("k", 0.1);',
  'ctx.emit("E", 0.1);',
  'ctx.put("k", "x".repeat(262145));',
  'ctx.put("k".repeat(257), 1);',
  'ctx.emit("E", "x".repeat(65537));',
];
for (const body of refusedValues) {
  test(`${body} is refused as a value`, () => {
    assert.equal(stand(machine, contractOf({ m: body })).run('m', [], 10_000_000_000).code, 'CONTRACT_VALUE_INVALID');
  });
}

/** Expression -> what is said of it; none reads back as what was written. */
const withoutForm: Readonly<Record<string, string>> = {
  NaN: ' is NaN',
  '{ a: [1, Infinity] }': '/a/1 is Infinity',
  '-1 / 0': ' is -Infinity',
  '[undefined]': '/0 is undefined',
  '[1, , 2]': '/1 is undefined',
  'Symbol("s")': ' is a symbol',
  '{ f() {} }': '/f is a function',
  'new Map([[1, 2]])': ' is not a plain object',
  'new Set([1])': ' is not a plain object',
  'new (class { x = 1; })()': ' is not a plain object',
  'new Number(5)': ' is not a plain object',
  'new Error("x")': ' is not a plain object',
  '{ $int: "x" }': ' has $int',
  '[{ $int: "5" }]': '/0 has $int',
  '{ $int: "5", other: undefined }': ' has $int',
  '(() => { const ring = {}; ring.next = ring; return ring; })()': 'is nested too deep',
};
for (const [value, words] of Object.entries(withoutForm)) {
  test(`${value} is refused in a result, a stored value, an event and a call`, () => {
    const bench = stand(
      machine,
      contractOf({
        result: `return ${value};`,
        value: `ctx.put("k", ${value});`,
        event: `ctx.emit("E", ${value});`,
        arguments: `ctx.call("x", "m", [${value}]);`,
      }),
    );
    for (const what of ['result', 'value', 'event', 'arguments']) {
      const { code, detail } = bench.run(what);
      assert.deepEqual([code, detail.what], ['CONTRACT_VALUE_INVALID', what]);
      assert.ok(String(detail.reason).startsWith(what) && String(detail.reason).includes(words), String(detail.reason));
    }
    assert.deepEqual([bench.rows.size, bench.events.length], [0, 0]);
  });
}

test('what a contract stores reads back as the same value', () => {
  const bench = stand(
    machine,
    contractOf({
      m: `const values = [null, 0, -7, 2 ** 53 - 1, 5n, -(2n ** 70n), '', 'a\\0b', [], {}, [[1n]], { a: 1n }, JSON.parse('{"__proto__":1}'), { $int: 1, b: 2 }];
        for (const value of values) { ctx.put('k', value); const read = ctx.get('k');
          const text = (v) => JSON.stringify(v, (_, x) => typeof x === 'bigint' ? 'n' + x : x);
          if (text(read) !== text(value) || typeof read !== typeof value) throw new Error(text(value) + ' ' + text(read)); }
        return values.length;`,
    }),
  );
  const { result, detail } = bench.run('m');
  assert.equal(result, 14, JSON.stringify(detail));
  assert.equal(stand(machine, contractOf({ m: 'ctx.put("k", undefined);' })).run('m').code, 'CONTRACT_VALUE_INVALID'); // delete is for that
});

test('an error while code is loaded says where in the source: line and column', () => {
  for (const [source, place] of [
    ['let a = 1;\nlet b = ;\ncontract({})', 'contract.js:2:9'],
    ['\n\n  nowhere.x;', 'contract.js:3:3'],
    ['function f() {\n throw new RangeError("no"); }\nf();', 'contract.js:2:'],
    ['contract({});\n\n contract({})', 'contract.js:3:'],
    ['contract({\n methods: { m(ctx) { return 1', 'contract.js:2:'],
  ] as const)
    assert.throws(
      () => machine.load(utf8(source)),
      ({ detail }: { readonly detail: { readonly message: string } }) => detail.message.includes(place) || assert.fail(detail.message),
    );
});

test('an event that was not declared is refused', () => {
  assert.deepEqual(stand(machine, contractOf({ m: 'ctx.emit("Other", 1);' })).run('m').detail, { event: 'Other' });
});

test('a refusal carries the code, the message and the place; an error its name, line and column', () => {
  const bench = stand(
    machine,
    'contract({ methods: {\n  no(ctx) {\n    ctx.fail("TOO_LATE", "come earlier"); },\n  oops(ctx) {\n    return null.x; } } });',
  );
  assert.deepEqual(bench.run('no').detail, { contract: '0xself', code: 'TOO_LATE', message: 'come earlier', at: 'contract.js:3:13' });
  const oops = bench.run('oops');
  assert.equal(oops.code, 'CONTRACT_THREW');
  assert.equal(oops.detail.name, 'TypeError');
  assert.match(String(oops.detail.at), /^contract\.js:5:/);
});

test('arguments that are no canonical JSON list are refused before the contract runs', () => {
  const code = utf8(contractOf({ m: 'return 1;' }));
  for (const args of ['{}', '[1, 2]', '[', '', '[1.0]', '"x"']) {
    assert.throws(
      () => machine.run(code, 'm', utf8(args), undefined as never, new Tank(1e9), false),
      { code: 'CONTRACT_ARGS_INVALID' },
      args,
    );
  }
});

const badCode: readonly (readonly [string, string])[] = [
  ['contract({', 'SyntaxError'],
  ['1 + 1', 'does not call contract()'],
  ['contract({ methods: { m: async () => 1 } })', 'not a plain function'],
  ['contract({ methods: { m: function* () {} } })', 'not a plain function'],
  ['contract({ methods: { "no name": () => 1 } })', 'not a name'],
  ['contract({ method: {} })', 'not method'],
  ['contract({ methods: { a() {} }, queries: { a() {} } })', 'both a method and a query'],
  ['contract({}); contract({})', 'called once'],
  ['throw new Error("early")', 'early'],
  ['contract({ events: { E: 0.5 } })', 'CONTRACT_VALUE_INVALID'],
  ['import x from "y"; contract({})', 'SyntaxError'],
  ['\u0000contract({})', 'NUL'],
  ['Object.prototype.toJSON = () => 5; contract({})', 'not described'],
  ['Object.prototype.toJSON = () => ({ __proto__: null, methods: "a" }); contract({})', 'not described'],
  ['Array.prototype.sort = () => ({ length: 1 }); contract({ methods: { a() {} } })', 'not described'],
];
for (const [source, words] of badCode) {
  test(`code that does not load says why: ${JSON.stringify(source).slice(0, 70)}`, () => {
    assert.throws(
      () => machine.load(utf8(source)),
      (error: { readonly code?: string; readonly detail?: { readonly message: string } }) =>
        error.code === 'CONTRACT_CODE_INVALID' && error.detail!.message.includes(words),
    );
  });
}

test('thrown values of every kind end as a failure that fits a receipt', () => {
  const thrown = [
    'null',
    'undefined',
    '5',
    '"text"',
    '0.5',
    'Object.create(null)',
    'Symbol("s")',
    '{ toString() { throw 1; } }',
    'Object.assign(new Error("\\ud800"), { code: "\\ud800".repeat(100) })',
    'Object.assign(new Error("x".repeat(5000)), { detail: 0.5 })',
    'Object.assign(new Error("d"), { code: 5, detail: { get a() { throw 2; } } })',
  ];
  const bodies = Object.fromEntries(thrown.map((value, i) => [`t${i}`, `throw ${value};`]));
  const bench = stand(
    machine,
    contractOf({
      ...bodies,
      bent: 'Object.prototype.toJSON = () => ({ __proto__: null, code: 0.5, message: 0.25, at: true, detail: 1e300 }); throw new Error("x");',
    }),
  );
  for (const name of [...Object.keys(bodies), 'bent']) {
    const { code, detail } = bench.run(name);
    assert.match(code, /^CONTRACT_(THREW|REFUSED)$/);
    assert.ok(encodeJson(detail as Json).length < 2_000);
  }
});

test('two machines made apart have one bundle digest', async () => {
  assert.equal((await newMachine()).bundleDigest, machine.bundleDigest);
});
