/**
 * Rewrites the engine's WebAssembly so that it counts its own work and stops at the same instruction on every replica.
 *
 * - `gas` (i64): every straight run of instructions is charged when it is entered: at function entry, loop header, branch arm and after each
 *   `end`. A loop cannot turn without passing its header, so no loop is free. Below zero it traps.
 * - `depth` (i32): every function that calls another takes one on entry and gives it back on exit; below zero it traps. It bounds the
 *   native stack of the host, which no two machines have alike.
 * - `stackPointer` may not pass below a fixed limit, and `stackLow` remembers the lowest it came, so that the part of memory which the
 *   engine's own stack touched is known.
 * - `pages` stands in for memory.size: what the allocator may use is known to the byte, and grows only through the host.
 * - memory.copy and memory.fill are charged by length.
 *
 * Source of the idea: gas injection as in wasm-instrument and eWASM, cut to basic blocks. Weights: contracts/gas.ts.
 */
import { WASM_GAS } from '../gas.ts';
import { magicAndVersion, OP, readSections, SECTION, type Section, TYPE, WasmReader, WasmWriter } from './wasm-binary.ts';

export interface MeterOptions {
  /** Bytes of the engine's stack below its starting point. */
  readonly stackBytes: number;
  /** Pages of 64 KiB visible to the allocator before the host is asked for more, counted from the start of the heap. */
  readonly heapPagesInitial: number;
}

/** Names of the globals the rewritten module exports. */
export const METER_EXPORT = { gas: '$gas', depth: '$depth', stackPointer: '$sp', pages: '$pages', stackLow: '$low' } as const;
export const PAGE_BYTES = 65_536;

interface FunctionType {
  readonly parameters: number;
  readonly results: readonly number[];
}

/** Where the globals stand in the rewritten module. */
interface Globals {
  readonly stackPointer: number;
  readonly gas: number;
  readonly depth: number;
  readonly pages: number;
  readonly stackLow: number;
  readonly stackLimit: number;
}

/** @throws RangeError when the binary is not of the shape this meter knows (one i32 global, the stack pointer). */
export function meter(binary: Uint8Array, options: MeterOptions): Uint8Array {
  const sections = readSections(binary);
  const types = readTypes(binary, one(sections, SECTION.type));
  const functions = readFunctions(binary, one(sections, SECTION.function));
  const stackTop = readStackTop(binary, one(sections, SECTION.global));
  const globals: Globals = { stackPointer: 0, gas: 1, depth: 2, pages: 3, stackLow: 4, stackLimit: stackTop - options.stackBytes };
  const pages = Math.ceil(stackTop / PAGE_BYTES) + options.heapPagesInitial;

  const out = new WasmWriter(3 * binary.length).raw(magicAndVersion(binary));
  for (const section of sections) {
    const bytes = binary.subarray(section.start, section.end);
    if (section.id === SECTION.custom) continue;
    out.op(section.id);
    if (section.id === SECTION.global) out.vector(withMeterGlobals(bytes, pages, stackTop));
    else if (section.id === SECTION.export) out.vector(withMeterExports(bytes, globals));
    else if (section.id === SECTION.code) out.vector(meteredCode(binary, section, types, functions, globals));
    else out.vector(bytes);
  }
  return out.finish();
}

function one(sections: readonly Section[], id: number): Section {
  const found = sections.filter((section) => section.id === id);
  if (found.length !== 1) throw new RangeError(`Cannot meter a module with ${found.length} sections of kind ${id}`);
  return found[0]!;
}

function readTypes(binary: Uint8Array, section: Section): FunctionType[] {
  const reader = new WasmReader(binary, section.start);
  return Array.from({ length: reader.u32() }, () => {
    reader.skip(1); // func
    const parameters = reader.u32();
    reader.skip(parameters);
    const results = Array.from({ length: reader.u32() }, () => reader.byte());
    if (results.length > 1) throw new RangeError('Cannot meter functions with several results');
    return { parameters, results };
  });
}

function readFunctions(binary: Uint8Array, section: Section): number[] {
  const reader = new WasmReader(binary, section.start);
  return Array.from({ length: reader.u32() }, () => reader.u32());
}

/** The one global of an emscripten module is the stack pointer: mutable i32, initialised by i32.const. */
function readStackTop(binary: Uint8Array, section: Section): number {
  const reader = new WasmReader(binary, section.start);
  const shape = [reader.byte(), reader.byte(), reader.byte(), reader.byte()];
  if (shape[0] !== 1 || shape[1] !== TYPE.i32 || shape[2] !== 1 || shape[3] !== OP.i32Const)
    throw new RangeError('Cannot meter a module whose one global is not its stack pointer');
  return reader.u32() % 2 ** 32;
}

function withMeterGlobals(section: Uint8Array, pages: number, stackTop: number): Uint8Array {
  return new WasmWriter(64)
    .u32(5)
    .raw(section.subarray(1)) // the stack pointer, after its count of one
    .op(TYPE.i64, 1, OP.i64Const)
    .signed(Number.MAX_SAFE_INTEGER)
    .op(OP.end)
    .op(TYPE.i32, 1, OP.i32Const)
    .signed(WASM_GAS.depthMax)
    .op(OP.end)
    .op(TYPE.i32, 1, OP.i32Const)
    .signed(pages)
    .op(OP.end)
    .op(TYPE.i32, 1, OP.i32Const)
    .signed(stackTop)
    .op(OP.end)
    .finish();
}

function withMeterExports(section: Uint8Array, globals: Globals): Uint8Array {
  const reader = new WasmReader(section);
  const count = reader.u32();
  const added = Object.keys(METER_EXPORT) as (keyof typeof METER_EXPORT)[];
  const out = new WasmWriter(section.length + 64).u32(count + added.length).raw(section.subarray(reader.at));
  for (const name of added) out.name(METER_EXPORT[name]).op(3).u32(globals[name]);
  return out.finish();
}

function meteredCode(binary: Uint8Array, section: Section, types: readonly FunctionType[], functions: readonly number[], globals: Globals) {
  const reader = new WasmReader(binary, section.start);
  const count = reader.u32();
  const out = new WasmWriter(4 * (section.end - section.start)).u32(count);
  for (let index = 0; index < count; index++) {
    const length = reader.u32();
    const body = binary.subarray(reader.at, reader.at + length);
    out.vector(meteredBody(body, types[functions[index]!]!, globals));
    reader.skip(length);
  }
  return out.finish();
}

/** One function: what it costs, run by run, is known from a first pass; a second pass writes it out with the charges in place. */
function meteredBody(body: Uint8Array, type: FunctionType, globals: Globals): Uint8Array {
  const reader = new WasmReader(body);
  const groups = reader.u32();
  const groupsStart = reader.at;
  let locals = type.parameters;
  for (let i = 0; i < groups; i++) {
    locals += reader.u32();
    reader.skip(1);
  }
  const codeStart = reader.at;
  const gasLocal = locals; // i64
  const wordLocal = locals + 1; // i32
  const { costs, calls } = measure(body, codeStart);

  const out = new WasmWriter(3 * body.length + 64)
    .u32(groups + 2)
    .raw(body.subarray(groupsStart, codeStart))
    .op(1, TYPE.i64, 1, TYPE.i32);

  const charge = (gas: number): void => {
    out.op(OP.globalGet).u32(globals.gas).op(OP.i64Const).signed(gas).op(OP.i64Sub);
    spend();
  };
  /** Stores what is left, on top of the stack, and traps when it is below zero. */
  const spend = (): void => {
    out.op(OP.localTee).u32(gasLocal).op(OP.globalSet).u32(globals.gas);
    out.op(OP.localGet).u32(gasLocal).op(OP.i64Const, 0, OP.i64LtS, OP.if, TYPE.empty, OP.unreachable, OP.end);
  };
  /** Charges by a length that stays on top of the stack. */
  const chargeLength = (gasPerByte: number): void => {
    out.op(OP.localTee).u32(wordLocal).op(OP.globalGet).u32(globals.gas);
    out.op(OP.localGet).u32(wordLocal).op(OP.i64ExtendI32U, OP.i64Const).signed(gasPerByte).op(OP.i64Mul, OP.i64Sub);
    spend();
  };
  const setStackPointer = (): void => {
    out.op(OP.localTee).u32(wordLocal).op(OP.globalSet).u32(globals.stackPointer);
    out.op(OP.localGet).u32(wordLocal).op(OP.globalGet).u32(globals.stackLow).op(OP.i32LtU, OP.if, TYPE.empty);
    out.op(OP.localGet).u32(wordLocal).op(OP.globalSet).u32(globals.stackLow);
    out.op(OP.localGet).u32(wordLocal).op(OP.i32Const).signed(globals.stackLimit);
    out.op(OP.i32LtU, OP.if, TYPE.empty, OP.unreachable, OP.end, OP.end);
  };

  let run = 0;
  charge(costs[run++]!);
  if (calls) {
    out.op(OP.globalGet).u32(globals.depth).op(OP.i32Const, 1, OP.i32Sub, OP.localTee).u32(wordLocal).op(OP.globalSet).u32(globals.depth);
    out.op(OP.localGet).u32(wordLocal).op(OP.i32Const, 0, OP.i32LtS, OP.if, TYPE.empty, OP.unreachable, OP.end);
    out.op(OP.block, type.results[0] ?? TYPE.empty); // every way out of the function ends at this block
  }

  let level = 0;
  while (reader.at < body.length) {
    const at = reader.at;
    const op = reader.instruction();
    const bytes = body.subarray(at, reader.at);
    switch (op) {
      case OP.loop:
      case OP.if:
        level++;
        out.raw(bytes);
        charge(costs[run++]!);
        break;
      case OP.block:
        level++;
        out.raw(bytes);
        break;
      case OP.else:
        out.raw(bytes);
        charge(costs[run++]!);
        break;
      case OP.end: {
        if (level-- === 0) {
          if (calls) {
            out.op(OP.end); // of the block around the body
            out.op(OP.globalGet).u32(globals.depth).op(OP.i32Const, 1, OP.i32Add, OP.globalSet).u32(globals.depth);
          }
          out.op(OP.end);
          break;
        }
        out.raw(bytes);
        const cost = costs[run++]!;
        if (cost > 0) charge(cost);
        break;
      }
      case OP.return:
        if (calls) out.op(OP.br).u32(level);
        else out.raw(bytes);
        break;
      case OP.memoryCopy:
      case OP.memoryFill:
        chargeLength(WASM_GAS.perByteMoved);
        out.raw(bytes);
        break;
      case OP.memorySize:
        out.op(OP.globalGet).u32(globals.pages);
        break;
      case OP.memoryGrow:
        throw new RangeError('Cannot meter a module that grows its own memory');
      case OP.globalSet:
        setStackPointer(); // the only global there was
        break;
      default:
        out.raw(bytes);
    }
  }
  return out.finish();
}

/** Gas of each straight run in the order meteredBody meets them, and whether the function calls any other. */
function measure(body: Uint8Array, codeStart: number): { readonly costs: readonly number[]; readonly calls: boolean } {
  const reader = new WasmReader(body, codeStart);
  const costs: number[] = [WASM_GAS.functionEntry];
  let calls = false;
  let reachable = true; // behind an unconditional branch nothing runs until the next `end` or `else`
  while (reader.at < body.length) {
    const op = reader.instruction();
    if (op === OP.loop || op === OP.if || op === OP.else || op === OP.end) {
      costs.push(op === OP.end ? 0 : WASM_GAS.instruction);
      reachable = true;
      continue;
    }
    if (op === OP.call || op === OP.callIndirect) calls = true;
    if (reachable) costs[costs.length - 1]! += instructionGas(op);
    if (op === OP.br || op === OP.brTable || op === OP.return || op === OP.unreachable) reachable = false;
  }
  return { costs, calls };
}

function instructionGas(op: number): number {
  if (op === OP.block || op === OP.nop) return 0;
  if (op === OP.call) return WASM_GAS.call;
  if (op === OP.callIndirect) return WASM_GAS.callIndirect;
  if (op === OP.brTable) return WASM_GAS.branchTable;
  if (op >= 0x28 && op <= 0x3e) return WASM_GAS.memoryAccess;
  if ((op >= 0x6d && op <= 0x70) || (op >= 0x7f && op <= 0x82)) return WASM_GAS.division; // integer division and remainder
  if (op === 0x95 || op === 0xa3 || op === 0x91 || op === 0x9f) return WASM_GAS.division; // float division and square root
  if (op === OP.memoryCopy || op === OP.memoryFill) return WASM_GAS.bulk;
  return WASM_GAS.instruction;
}
