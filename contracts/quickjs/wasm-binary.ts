/**
 * Reading and writing the WebAssembly binary format, as far as the meter needs it: sections, LEB128 integers, and the length of every
 * instruction's immediates. Source: WebAssembly Core Specification 2.0, §5. Anything outside the MVP, bulk memory and sign extension is
 * refused, so that an instruction the meter does not know can never run unmetered.
 */

export const SECTION = { custom: 0, type: 1, import: 2, function: 3, global: 6, export: 7, start: 8, code: 10 } as const;

export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  i32LtS: 0x48,
  i32LtU: 0x49,
  i64LtS: 0x53,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64ExtendI32U: 0xad,
  /** Prefixed by 0xfc. */
  memoryCopy: 0xfc0a,
  memoryFill: 0xfc0b,
} as const;

export const TYPE = { i32: 0x7f, i64: 0x7e, empty: 0x40 } as const;

const HEADER_BYTES = 8; // magic number and version

export interface Section {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** A cursor over a binary. Throws RangeError on what this reader does not know. */
export class WasmReader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new RangeError('Cannot read wasm: input ends early');
    return value;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError('Cannot read wasm: integer is too long');
  }

  skip(count: number): void {
    this.at += count;
  }

  #skipSigned(): void {
    while (this.byte() > 127);
  }

  /** Reads one instruction, immediates and all, and returns its opcode; prefixed ones come as prefix * 256 + number. */
  instruction(): number {
    const op = this.byte();
    switch (op) {
      case OP.block:
      case OP.loop:
      case OP.if:
      case OP.i32Const:
      case OP.i64Const:
        this.#skipSigned();
        return op;
      case OP.br:
      case OP.brIf:
      case OP.call:
      case OP.memorySize:
      case OP.memoryGrow:
        this.u32();
        return op;
      case OP.brTable:
        for (let left = this.u32() + 1; left > 0; left--) this.u32();
        return op;
      case OP.callIndirect:
        this.u32();
        this.u32();
        return op;
      case 0x43: // f32.const
        this.skip(4);
        return op;
      case 0x44: // f64.const
        this.skip(8);
        return op;
      case 0xfc:
        return this.#prefixed();
    }
    if (op >= OP.localGet && op <= OP.globalSet) this.u32();
    else if (op >= 0x28 && op <= 0x3e) {
      this.u32(); // alignment
      this.u32(); // offset
    } else if (!isPlain(op)) throw new RangeError(`Cannot meter instruction 0x${op.toString(16)}`);
    return op;
  }

  #prefixed(): number {
    const number = this.u32();
    const op = 0xfc00 + number;
    if (op === OP.memoryCopy) this.skip(2);
    else if (op === OP.memoryFill) this.skip(1);
    else if (number > 7) throw new RangeError(`Cannot meter instruction 0xfc ${number}`); // 0 to 7 are saturating truncations
    return op;
  }
}

function isPlain(op: number): boolean {
  return op <= OP.nop || op === OP.else || op === OP.end || op === OP.return || op === 0x1a || op === 0x1b || (op >= 0x45 && op <= 0xc4);
}

export function readSections(bytes: Uint8Array): Section[] {
  const reader = new WasmReader(bytes, HEADER_BYTES);
  const sections: Section[] = [];
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const length = reader.u32();
    sections.push({ id, start: reader.at, end: reader.at + length });
    reader.skip(length);
  }
  return sections;
}

/** A growing byte buffer. */
export class WasmWriter {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytesExpected = 1024) {
    this.#bytes = new Uint8Array(bytesExpected);
  }

  get length(): number {
    return this.#at;
  }

  #room(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#at + count, 2 * this.#bytes.length));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  op(...bytes: readonly number[]): this {
    this.#room(bytes.length);
    for (const byte of bytes) this.#bytes[this.#at++] = byte;
    return this;
  }

  u32(value: number): this {
    let rest = value;
    while (rest > 127) {
      this.op((rest & 127) | 128);
      rest = Math.floor(rest / 128);
    }
    return this.op(rest);
  }

  /** Signed LEB128. */
  signed(value: number): this {
    let rest = BigInt(value);
    for (;;) {
      const byte = Number(rest & 127n);
      rest >>= 7n;
      const done = byte < 64 ? rest === 0n : rest === -1n;
      this.op(done ? byte : byte | 128);
      if (done) return this;
    }
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** A byte string behind its length. */
  vector(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  name(ascii: string): this {
    this.u32(ascii.length);
    for (let i = 0; i < ascii.length; i++) this.op(ascii.charCodeAt(i));
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}

export function magicAndVersion(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, HEADER_BYTES);
}
