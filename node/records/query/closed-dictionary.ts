/** The texts of a column that is closed: bytes in which each is found where it stands, and read when it is asked for. */
import type { Reader } from '../../format/index.ts';
import type { Coded } from './columns.ts';

/** A dictionary of fewer texts is looked through for one. */
const SLOTTED_TEXTS_MIN = 256;
/** Texts looked at before a free slot is found; a dictionary made so that more must be is looked through for each. */
const PROBES_MAX = 64;

/** A text is looked for once in most segments; a walk from product to product asks for thousands, and from the second on they are found by hash. */
export class ClosedDictionary implements Coded {
  readonly #ends: DataView;
  readonly #bytes: Buffer;
  readonly #texts: (string | undefined)[];
  #asked = 0;
  /** Codes by hash of their texts, from the first free slot on. */
  #slots: Uint32Array | undefined;

  constructor(reader: Reader) {
    const count = reader.u32();
    const ends = reader.fixed(4 * count);
    this.#ends = new DataView(ends.buffer, ends.byteOffset, ends.byteLength);
    const bytes = reader.fixed(this.#end(count));
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#texts = new Array<string | undefined>(count);
  }

  get count(): number {
    return this.#texts.length;
  }

  #end(code: number): number {
    return code === 0 ? 0 : this.#ends.getUint32(4 * (code - 1));
  }

  codeOf(text: string): number {
    const wanted = Buffer.from(text);
    if (++this.#asked === 2 && this.#texts.length >= SLOTTED_TEXTS_MIN) this.#slots = this.#slotted();
    return this.#slots ? this.#probed(wanted, this.#slots) : this.#lookedFor(wanted);
  }

  #lookedFor(wanted: Uint8Array): number {
    const count = this.#texts.length;
    for (let code = 1, start = 0; code <= count; code++) {
      const end = this.#end(code);
      if (end - start === wanted.length && this.#endsIn(wanted, end)) return code;
      start = end;
    }
    return 0;
  }

  #probed(wanted: Uint8Array, slots: Uint32Array): number {
    const mask = slots.length - 1;
    for (let at = hashOf(wanted, 0, wanted.length) & mask; ; at = (at + 1) & mask) {
      const code = slots[at]!;
      if (code === 0) return 0;
      const end = this.#end(code);
      if (end - this.#end(code - 1) === wanted.length && this.#endsIn(wanted, end)) return code;
    }
  }

  #slotted(): Uint32Array | undefined {
    const count = this.#texts.length;
    const slots = new Uint32Array(2 ** (32 - Math.clz32(2 * count))); // at most half of them are taken
    const mask = slots.length - 1;
    for (let code = 1, start = 0; code <= count; code++) {
      const end = this.#end(code);
      let at = hashOf(this.#bytes, start, end) & mask;
      for (let probes = 0; slots[at] !== 0; at = (at + 1) & mask) if (++probes === PROBES_MAX) return undefined;
      slots[at] = code;
      start = end;
    }
    return slots;
  }

  /** From the last byte on: texts of one column often begin alike. */
  #endsIn(wanted: Uint8Array, end: number): boolean {
    const bytes = this.#bytes;
    let left = wanted.length;
    for (let at = end; left > 0 && bytes[--at] === wanted[left - 1]; ) left--;
    return left === 0;
  }

  text(code: number): string | undefined {
    if (code === 0) return undefined;
    this.#texts[code - 1] ??= this.#bytes.toString('utf8', this.#end(code - 1), this.#end(code));
    return this.#texts[code - 1];
  }
}

/** FNV-1a of 32 bits (Fowler, Noll, Vo). Nobody's verdict rests on it: who makes texts that collide gains that they are looked through. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}
