/** Everything known to stop, stall or corrupt an engine: each ends at the same unit of gas every time, and the next call is unharmed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOAD_GAS_MAX } from '../../../../contracts/index.ts';
import { newMachine } from '../workbench.ts';
import { contractOf, stand } from './stand.ts';

const GAS_LIMIT = 2_000_000_000; // 50 ms of the reference machine

/** What the method does, and the code it ends with. */
const hazards: Readonly<Record<string, readonly [string, string]>> = {
  infiniteLoop: ['for (;;) {}', 'GAS_EXHAUSTED'],
  loopInsideTryCatch: ['for (;;) { try { for (;;) {} } catch (e) {} }', 'GAS_EXHAUSTED'],
  longIndexOf: ['return new Array(2e9).indexOf(1);', 'GAS_EXHAUSTED'],
  longJoin: ['return new Array(2 ** 32 - 1).join("x");', 'GAS_EXHAUSTED'],
  quadraticTextSearch: ['return "a".repeat(1e6).indexOf("a".repeat(1000) + "b");', 'GAS_EXHAUSTED'],
  catastrophicRegex: ['return /^(a+)+$/.test("a".repeat(30) + "b");', 'GAS_EXHAUSTED'],
  bigIntPower: ['return (3n ** 2000000n).toString().length;', 'GAS_EXHAUSTED'],
  bigIntDivision: ['let x = 3n ** 10000n; for (;;) x = (x * x) / (x - 1n);', 'GAS_EXHAUSTED'],
  sortOfAMillion: ['return new Array(1e6).fill(0).map((_, i) => (i * 7919) % 1000003).sort().length;', 'GAS_EXHAUSTED'],
  memoryBomb: ['const a = []; for (;;) a.push(new Array(1000).fill(1));', 'GAS_EXHAUSTED'],
  applyWithAMillion: ['return Math.max.apply(null, new Array(1e6).fill(1));', 'GAS_EXHAUSTED'],
  exceptionStorm: ['for (;;) try { null.x; } catch (e) {}', 'GAS_EXHAUSTED'],
  loopInToJson: ['Object.prototype.toJSON = () => { for (;;); }; return {};', 'GAS_EXHAUSTED'],
  loopInThrownMessage: ['throw { get message() { for (;;); } };', 'GAS_EXHAUSTED'],
  hostCallStorm: ['for (;;) ctx.get("a");', 'GAS_EXHAUSTED'],
  deepParse: ['return JSON.parse("[".repeat(100000));', 'CONTRACT_DEPTH_EXCEEDED'],
  deepStringify: ['let o = {}; for (let i = 0; i < 1000; i++) o = { o }; return JSON.stringify(o).length;', 'CONTRACT_DEPTH_EXCEEDED'],
  deepRegex: ['return new RegExp("(".repeat(20000) + ")".repeat(20000)).source.length;', 'CONTRACT_THREW'],
  recursion: ['function f() { return f() + 1; } return f();', 'CONTRACT_DEPTH_EXCEEDED'],
  caughtRecursion: ['let d = 0; function f() { d++; return f() + 1; } try { f(); } catch (e) { return d; }', 'CONTRACT_DEPTH_EXCEEDED'],
  longRepeat: ['return "x".repeat(2 ** 29).length;', 'CONTRACT_THREW'],
  doublingText: ['let s = "x"; for (;;) s += s;', 'CONTRACT_THREW'],
  deepResult: ['let o = []; for (let i = 0; i < 100; i++) o = [o]; return o;', 'CONTRACT_VALUE_INVALID'],
};

const machine = await newMachine();
const bodies = Object.fromEntries(Object.entries(hazards).map(([name, [body]]) => [name, body]));
const code = contractOf({ ...bodies, next: 'return ctx.get("x") ?? [1, "two", { three: 3n }].length;' });

for (const [name, [, expected]] of Object.entries(hazards)) {
  test(`${name} ends as ${expected}, at the same gas each time, and the next call works`, () => {
    const bench = stand(machine, code);
    const calm = bench.run('next');
    assert.equal(calm.result, 3);
    const [first, second] = [bench.run(name, [], GAS_LIMIT), bench.run(name, [], GAS_LIMIT)];
    assert.equal(first.code, expected, JSON.stringify(first));
    assert.deepEqual(second, first);
    assert.deepEqual(bench.run('next'), calm);
  });
}

test('deeply nested source does not load, and the next contract does', () => {
  const nested = `contract({ methods: { m() { return ${'('.repeat(20_000)}1${')'.repeat(20_000)}; } } });`;
  assert.throws(() => machine.load(new TextEncoder().encode(nested)), { code: 'CONTRACT_CODE_INVALID' });
  assert.equal(stand(machine, contractOf({ m: 'return n;' })).run('m', [4]).result, 4);
});

test('code that never comes to an end while loading does not load', () => {
  assert.throws(() => machine.load(new TextEncoder().encode('for (;;);')), {
    code: 'CONTRACT_CODE_INVALID',
    detail: { message: `loading takes more than ${LOAD_GAS_MAX} gas` },
  });
});

test('a contract that fills its memory is stopped at the fixed maximum, and the next call finds all of it free', () => {
  const fill = 'const a = []; for (let i = 0; i < n; i++) a.push(new Array(100000).fill(i)); return a.length;';
  const bench = stand(machine, contractOf({ fill }));
  const [first, second] = [1, 2].map(() => bench.run('fill', [40], 10_000_000_000));
  assert.deepEqual([first!.code, first!.detail.message], ['CONTRACT_THREW', 'out of memory']);
  assert.deepEqual(second, first);
  assert.equal(bench.run('fill', [15], 10_000_000_000).result, 15);
});
