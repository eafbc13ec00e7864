/** The meter on small modules written by hand: what is charged, what is bounded, what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METER_EXPORT, meter } from '../../../../contracts/quickjs/meter.ts';
import { OP, TYPE, WasmReader, WasmWriter } from '../../../../contracts/quickjs/wasm-binary.ts';
import { WASM_GAS } from '../../../../contracts/gas.ts';

const STACK_TOP = 200_000;
const OPTIONS = { stackBytes: 1_000, heapPagesInitial: 1 };

/** A module with memory, a stack pointer and one exported function `f(i32) -> i32`. */
function moduleOf(code: readonly number[], globals = 1): Uint8Array {
  const out = new WasmWriter().raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const section = (id: number, fill: (writer: WasmWriter) => void) => {
    const writer = new WasmWriter();
    fill(writer);
    out.op(id).vector(writer.finish());
  };
  section(1, (w) => w.op(1, 0x60, 1, TYPE.i32, 1, TYPE.i32));
  section(3, (w) => w.op(1, 0));
  section(5, (w) => w.op(1, 0, 4));
  section(6, (w) => {
    w.op(globals);
    for (let i = 0; i < globals; i++) w.op(TYPE.i32, 1, OP.i32Const).signed(STACK_TOP).op(OP.end);
  });
  section(7, (w) => w.op(1).name('f').op(0, 0));
  const body = new WasmWriter().op(0, ...code, OP.end).finish();
  section(10, (w) => w.op(1).vector(body));
  return out.finish();
}

interface Metered {
  readonly f: (n: number) => number;
  readonly gas: WebAssembly.Global<bigint>;
  readonly depth: WebAssembly.Global<number>;
  readonly stackPointer: WebAssembly.Global<number>;
  readonly pages: WebAssembly.Global<number>;
}

function metered(code: readonly number[]): Metered {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(meter(moduleOf(code), OPTIONS)), {});
  const { f } = instance.exports as { readonly f: (n: number) => number };
  const globals = Object.fromEntries(Object.entries(METER_EXPORT).map(([name, exported]) => [name, instance.exports[exported]]));
  return { f, ...(globals as unknown as Omit<Metered, 'f'>) };
}

function gasOf(module: Metered, n: number): number {
  module.gas.value = 1_000_000_000n;
  module.f(n);
  return 1_000_000_000 - Number(module.gas.value);
}

/** while (n) n -= 1; return n */
const COUNT_DOWN = [
  ...[OP.block, TYPE.empty, OP.loop, TYPE.empty, OP.localGet, 0, 0x45, OP.brIf, 1],
  ...[OP.localGet, 0, OP.i32Const, 1, OP.i32Sub, OP.localSet, 0, OP.br, 0, OP.end, OP.end, OP.localGet, 0],
];
/** f(n) = n ? f(n - 1) : 0 */
const RECURSE = [OP.localGet, 0, OP.if, TYPE.i32, OP.localGet, 0, OP.i32Const, 1, OP.i32Sub, OP.call, 0, OP.else, OP.i32Const, 0, OP.end];

test('a straight function costs its entry and its instructions', () => {
  assert.equal(gasOf(metered([OP.localGet, 0, OP.i32Const, 1, OP.i32Add]), 1), WASM_GAS.functionEntry + 3 * WASM_GAS.instruction);
});

test('every turn of a loop costs the same, and an endless one stops', () => {
  const module = metered(COUNT_DOWN);
  const [none, one, hundred] = [0, 1, 100].map((n) => gasOf(module, n));
  assert.ok(one! > none!);
  assert.equal(hundred! - none!, 100 * (one! - none!));
  const endless = metered([OP.loop, TYPE.empty, OP.br, 0, OP.end, OP.unreachable]);
  endless.gas.value = 10_000n;
  assert.throws(() => endless.f(0), WebAssembly.RuntimeError);
  assert.ok(endless.gas.value < 0n);
});

test('depth is taken on entry, given back on every way out, and bounds recursion exactly', () => {
  const module = metered(RECURSE);
  module.depth.value = 10;
  assert.equal(module.f(9), 0);
  assert.equal(module.depth.value, 10);
  assert.throws(() => module.f(10), WebAssembly.RuntimeError);
  const early = metered([OP.localGet, 0, OP.if, TYPE.empty, OP.i32Const, 7, OP.return, OP.end, OP.i32Const, 0, OP.call, 0, OP.br, 0]);
  early.depth.value = 5;
  assert.equal(early.f(1), 7);
  assert.equal(early.depth.value, 5);
});

test('moving memory costs by its length', () => {
  const fill = (length: number) => [
    OP.i32Const,
    0,
    OP.i32Const,
    0,
    OP.localGet,
    0,
    0xfc,
    11,
    0,
    OP.i32Const,
    ...new WasmWriter().signed(length).finish(),
  ];
  const module = metered(fill(0));
  assert.equal(gasOf(module, 1_000) - gasOf(module, 0), 1_000 * WASM_GAS.perByteMoved);
});

test('the stack pointer cannot pass its limit', () => {
  const module = metered([OP.localGet, 0, OP.globalSet, 0, OP.i32Const, 0]);
  assert.equal(module.f(STACK_TOP - OPTIONS.stackBytes), 0);
  assert.throws(() => module.f(STACK_TOP - OPTIONS.stackBytes - 1), WebAssembly.RuntimeError);
});

test('memory.size answers what the host has handed out', () => {
  const module = metered([OP.memorySize, 0]);
  assert.equal(module.f(0), Math.ceil(STACK_TOP / 65_536) + OPTIONS.heapPagesInitial);
  module.pages.value = 77;
  assert.equal(module.f(0), 77);
});

test('what the meter does not know is refused', () => {
  assert.throws(() => meter(moduleOf([OP.i32Const, 1, OP.memoryGrow, 0]), OPTIONS), /grows its own memory/);
  assert.throws(() => meter(moduleOf([0xfd, 0, OP.i32Const, 0]), OPTIONS), /Cannot meter instruction 0xfd/);
  assert.throws(() => meter(moduleOf([0xfc, 8, 0, 0, OP.i32Const, 0]), OPTIONS), /Cannot meter instruction 0xfc 8/);
  assert.throws(() => meter(moduleOf([OP.i32Const, 0], 2), OPTIONS), /one global/);
  const sound = moduleOf([OP.i32Const, 0]);
  const changed = (from: readonly number[], to: readonly number[]) => {
    const at = Buffer.from(sound).indexOf(Uint8Array.from(from));
    assert.ok(at > 0);
    return Uint8Array.from([...sound.subarray(0, at), ...to, ...sound.subarray(at + from.length)]);
  };
  const global = [TYPE.i32, 1, OP.i32Const];
  for (const [to, message] of [
    [changed(global, [TYPE.i64, 1, OP.i32Const]), /one global/],
    [changed(global, [TYPE.i32, 0, OP.i32Const]), /one global/],
    [changed(global, [TYPE.i32, 1, OP.i64Const]), /one global/],
    [changed([6, 1, 0x60, 1, TYPE.i32, 1], [7, 1, 0x60, 1, TYPE.i32, 2, TYPE.i32]), /several results/],
    [Uint8Array.from([...sound, 3, 1, 0]), /2 sections of kind 3/],
    [changed([3, 2, 1, 0], []), /0 sections of kind 3/],
  ] as const)
    assert.throws(() => meter(to, OPTIONS), message);
});

test('a section for people is left out of what runs', () => {
  const sound = moduleOf([OP.i32Const, 0]);
  assert.deepEqual(meter(Uint8Array.from([...sound, 0, 2, 1, 0x78]), OPTIONS), meter(sound, OPTIONS));
});

test('each instruction that is metered is read to its end, and every other is refused', () => {
  const immediates = new Map<number, readonly number[]>([
    ...([OP.block, OP.loop, OP.if] as const).map((op) => [op, [TYPE.empty]] as const),
    ...([OP.br, OP.brIf, OP.call, OP.memorySize, OP.memoryGrow] as const).map((op) => [op, [0x80, 1]] as const),
    [OP.brTable, [2, 0, 1, 2]],
    [OP.callIndirect, [0x80, 1, 0]],
    ...[0x20, 0x21, 0x22, 0x23, 0x24].map((op) => [op, [0x80, 1]] as const),
    ...Array.from({ length: 23 }, (_, i) => [0x28 + i, [2, 0x80, 1]] as const), // loads and stores
    [OP.i32Const, [0xff, 0]],
    [OP.i64Const, [0xff, 0xff, 0]],
    [0x43, [1, 2, 3, 4]],
    [0x44, [1, 2, 3, 4, 5, 6, 7, 8]],
  ]);
  const plain = [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b];
  for (let op = 0; op < 256; op++) {
    if (op === 0xfc) continue;
    const reader = new WasmReader(Uint8Array.from([op, ...(immediates.get(op) ?? []), ...new Array<number>(8).fill(0)]));
    const isKnown = immediates.has(op) || plain.includes(op) || (op >= 0x45 && op <= 0xc4);
    if (!isKnown) assert.throws(() => reader.instruction(), /Cannot meter/, op.toString(16));
    else assert.deepEqual([reader.instruction(), reader.at], [op, 1 + (immediates.get(op)?.length ?? 0)], op.toString(16));
  }
  for (let number = 0; number < 20; number++) {
    const reader = new WasmReader(Uint8Array.from([0xfc, number, 0, 0, 0]));
    const length = number <= 7 ? 0 : number === 10 ? 2 : number === 11 ? 1 : undefined; // truncations, copy, fill
    if (length === undefined) assert.throws(() => reader.instruction(), /Cannot meter/);
    else assert.deepEqual([reader.instruction(), reader.at], [0xfc00 + number, 2 + length]);
  }
});

test('integers of the binary format read back as they were written', () => {
  for (const value of [0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 32 - 1]) {
    assert.equal(new WasmReader(new WasmWriter().u32(value).finish()).u32(), value);
  }
  assert.deepEqual([...new WasmWriter().signed(-1).finish()], [0x7f]);
  assert.deepEqual([...new WasmWriter().signed(64).finish()], [0xc0, 0]);
  assert.throws(() => new WasmReader(Uint8Array.of(255, 255, 255, 255, 255, 1)).u32(), RangeError);
  assert.throws(() => new WasmReader(Uint8Array.of(255)).u32(), /ends early/);
});
