/**
 * One running copy of the metered engine: its memory, its globals, and the calls into it. The glue to the wasm file is ours and small:
 * every import answers a constant or goes to the host API, so nothing of the machine (clock, time zone, language, environment) can be seen
 * inside, and an instance is made without waiting.
 *
 * Import and export names are those of quickjs-emscripten 0.32.0, release build, as its own loader binds them. They are one letter each
 * and hold for this file only, which the bundle digest pins.
 *
 * Memory, from below: static data, a gap, the engine's stack (down from its start, never below the guard), the heap up to `pages`.
 */
import { GAS, WASM_GAS } from '../gas.ts';
import { addDifferences, type Image, usedEnd } from './image.ts';
import { METER_EXPORT, PAGE_BYTES } from './meter.ts';
import { intrinsicsMask } from './permits.ts';
import { CONTRACT_FILE, ENTRY, PRELUDE_FILE, prelude } from './prelude.ts';

export const GLUE_VERSION = 1;
export const MEMORY_PAGES = 384; // pages of 64 KiB: 24 MiB, about 19 of them heap
export const STACK_BYTES = 327_680; // of the engine's own stack; the guard is in every function
export const SCRIPT_STACK_BYTES = 262_144; // at this depth the engine itself reports a stack overflow to the contract
export const HEAP_PAGES_INITIAL = 2;
const STACK_RESERVED_BYTES = 5_242_880; // room the wasm file leaves for its stack, between static data and heap
const VALUE_BYTES = 8; // of a JSValue in 32-bit builds
const EMPTY = new Uint8Array(0);
const FAULT_ENTRY = asciiBytes(ENTRY.fault);
const STRICT = 1 << 3; // JS_EVAL_FLAG_STRICT

/**
 * Answers one host call: texts in, a text or nothing out. Throwing leaves the engine for good; the instance is restored before its next
 * use.
 */
export type HostCall = (op: number, first: Uint8Array, second: Uint8Array, third: Uint8Array) => Uint8Array | undefined;

/** Why the engine stopped before it was done; its memory is worthless until restored. */
export type StopCause = 'gas' | 'depth' | 'stack' | 'memory' | 'trap';

export class EngineStopped extends Error {
  readonly reason: StopCause;
  constructor(reason: StopCause) {
    super(`The engine stopped: ${reason}`);
    this.name = 'EngineStopped';
    this.reason = reason;
  }
}

type Native = (...args: readonly number[]) => number;
const EXPORT = {
  initialise: 'u',
  malloc: 'v',
  setMaxStackSize: 'D',
  getUndefined: 'E',
  newRuntime: 'K',
  free: 'M',
  newContext: 'N',
  freeCString: 'S',
  newString: '_',
  getString: '$',
  call: 'ma',
  resolveException: 'na',
  evaluate: 'pa',
  newFunction: 'Da',
} as const;
type Engine = { readonly [name in keyof typeof EXPORT]: Native };

/** Places in the base image that hold for every image made from it. */
interface Roots {
  readonly context: number;
  readonly undefinedValue: number;
  readonly hostFunction: number;
  readonly enter: number;
  readonly argumentsArray: number;
  readonly fileName: number;
}

/** The base image and where its roots are; made once per machine, the same on every machine. */
export interface Base {
  readonly image: Image;
  readonly roots: Roots;
  readonly stackTop: number;
}

export class Instance {
  readonly #memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #engine: Engine;
  readonly #gas: WebAssembly.Global<bigint>;
  readonly #depth: WebAssembly.Global<number>;
  readonly #stackPointer: WebAssembly.Global<number>;
  readonly #pages: WebAssembly.Global<number>;
  readonly #stackLow: WebAssembly.Global<number>;
  #roots: Roots | undefined;
  #stackTop = 0;
  #damaged = false;
  #memoryRefused = false;
  #hostCall: HostCall | undefined;

  constructor(module: WebAssembly.Module) {
    this.#memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#words = new Int32Array(this.#memory.buffer);
    const instance = new WebAssembly.Instance(module, { a: this.#imports() });
    const exported = instance.exports;
    this.#engine = Object.fromEntries(Object.entries(EXPORT).map(([name, letter]) => [name, exported[letter]])) as Engine;
    this.#gas = exported[METER_EXPORT.gas] as WebAssembly.Global<bigint>;
    this.#depth = exported[METER_EXPORT.depth] as WebAssembly.Global<number>;
    this.#stackPointer = exported[METER_EXPORT.stackPointer] as WebAssembly.Global<number>;
    this.#pages = exported[METER_EXPORT.pages] as WebAssembly.Global<number>;
    this.#stackLow = exported[METER_EXPORT.stackLow] as WebAssembly.Global<number>;
  }

  get gasLeft(): number {
    return Number(this.#gas.value);
  }

  set gasLeft(gas: number) {
    this.#gas.value = BigInt(gas);
  }

  /** Pages of 64 KiB handed out, static data and stack counted. */
  get pagesUsed(): number {
    return this.#pages.value;
  }

  /** Calls that may still nest; a nested instance goes on with what its caller has left. */
  get depthLeft(): number {
    return this.#depth.value;
  }

  set depthLeft(depth: number) {
    this.#depth.value = depth;
  }

  /** Starts the engine, runs the prelude, and returns the base image. The instance is then at rest on it. */
  boot(): Base {
    const engine = this.#engine;
    this.#stackTop = this.#stackPointer.value;
    engine.initialise();
    const runtime = engine.newRuntime();
    engine.setMaxStackSize(runtime, SCRIPT_STACK_BYTES);
    const context = engine.newContext(runtime, intrinsicsMask);
    const fileName = this.#cString(asciiBytes(CONTRACT_FILE));
    const preludeName = this.#cString(asciiBytes(PRELUDE_FILE));
    const undefinedValue = engine.getUndefined();
    const hostFunction = engine.newFunction(context, this.#cString(asciiBytes('host')), 4, 0, 1);
    const argumentsArray = engine.malloc(4 * 4);
    this.#roots = { context, undefinedValue, hostFunction, enter: 0, argumentsArray, fileName };
    const setUp = this.#evaluate(asciiBytes(prelude), preludeName);
    this.#words[argumentsArray >> 2] = hostFunction;
    const enter = engine.call(context, setUp, undefinedValue, 1, argumentsArray);
    if (engine.resolveException(context, enter) !== 0) throw new Error('The prelude failed');
    this.#roots = { ...this.#roots, enter };
    const image = this.#capture(undefined);
    return { image, roots: this.#roots, stackTop: this.#stackTop };
  }

  /**
   * Puts the whole used memory back: base image, then the differences of `image`; zero everywhere else. Used is what can have been touched:
   * static data, the stack down to where it came, the heap up to the pages handed out. After a trap that is not one of ours it is every
   * byte there is.
   */
  restore(base: Base, image: Image): void {
    const bytes = this.#bytes;
    this.#roots = base.roots;
    this.#stackTop = base.stackTop;
    if (this.#damaged) bytes.fill(0);
    else {
      bytes.fill(0, this.#stackLow.value, base.stackTop);
      const last = base.image.chunks[base.image.chunks.length - 1]!;
      bytes.fill(0, last.at + last.bytes.length, this.#pages.value * PAGE_BYTES);
    }
    for (const chunk of base.image.chunks) bytes.set(chunk.bytes, chunk.at);
    if (image !== base.image) for (const chunk of image.chunks) bytes.set(chunk.bytes, chunk.at);
    this.#pages.value = image.pages;
    this.#stackPointer.value = base.stackTop;
    this.#stackLow.value = base.stackTop;
    this.#depth.value = WASM_GAS.depthMax;
    this.#damaged = false;
    this.#memoryRefused = false;
  }

  /** Runs a script in the global scope, strict. Undefined when it ran, else what the prelude makes of the error, as `enter` returns it. */
  load(source: Uint8Array): Uint8Array | undefined {
    return this.#guarded(() => {
      const { context, fileName } = this.#roots!;
      const value = this.#evaluate(source, fileName);
      const error = this.#engine.resolveException(context, value);
      return error === 0 ? undefined : this.#call(FAULT_ENTRY, EMPTY, error, EMPTY);
    });
  }

  /**
   * Calls the prelude's entry function. Returns its answer, a copy.
   * @throws EngineStopped, or whatever the host call threw.
   */
  enter(entry: Uint8Array, name: Uint8Array, args: Uint8Array, context: Uint8Array, hostCall: HostCall): Uint8Array {
    this.#hostCall = hostCall;
    return this.#guarded(() => this.#call(entry, name, this.#newText(args), context));
  }

  /** @param args a value of the engine */
  #call(entry: Uint8Array, name: Uint8Array, args: number, context: Uint8Array): Uint8Array {
    const engine = this.#engine;
    const roots = this.#roots!;
    const list = roots.argumentsArray >> 2;
    this.#words[list] = this.#newText(entry);
    this.#words[list + 1] = this.#newText(name);
    this.#words[list + 2] = args;
    this.#words[list + 3] = this.#newText(context);
    const value = engine.call(roots.context, roots.enter, roots.undefinedValue, 4, roots.argumentsArray);
    if (engine.resolveException(roots.context, value) !== 0) throw new EngineStopped('memory'); // the entry catches all but a full heap
    return this.#takeText(value);
  }

  /** Memory at rest as its difference from `base`. */
  capture(base: Base): Image {
    return this.#capture(base);
  }

  #capture(base: Base | undefined): Image {
    const bytes = this.#bytes;
    const pages = this.#pages.value;
    bytes.fill(0, this.#stackLow.value, this.#stackTop); // what dead calls left behind is no part of the image
    const chunks: { at: number; bytes: Uint8Array }[] = [];
    if (base === undefined) {
      chunks.push({ at: 0, bytes: bytes.slice(0, this.#stackTop - STACK_RESERVED_BYTES) });
      chunks.push({ at: this.#stackTop, bytes: bytes.slice(this.#stackTop, usedEnd(bytes, this.#stackTop, pages * PAGE_BYTES)) });
      return { pages, chunks };
    }
    const [data, heap] = base.image.chunks as [Image['chunks'][0], Image['chunks'][0]];
    addDifferences(chunks, bytes, data.at, data.at + data.bytes.length, data);
    addDifferences(chunks, bytes, heap.at, pages * PAGE_BYTES, heap);
    return { pages, chunks };
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      const cause = this.#causeOfTrap();
      if (cause === 'trap') this.#damaged = true;
      throw new EngineStopped(cause);
    } finally {
      this.#hostCall = undefined;
    }
  }

  #causeOfTrap(): StopCause {
    if (this.#gas.value < 0n) return 'gas';
    if (this.#depth.value < 0) return 'depth';
    if (this.#stackPointer.value < this.#stackTop - STACK_BYTES) return 'stack';
    return this.#memoryRefused ? 'memory' : 'trap';
  }

  #evaluate(source: Uint8Array, fileName: number): number {
    const at = this.#cString(source);
    const value = this.#engine.evaluate(this.#roots!.context, at, source.length, fileName, 0, STRICT);
    this.#engine.free(at);
    return value;
  }

  /** Copies bytes into the engine's heap, a NUL behind them. */
  #cString(bytes: Uint8Array): number {
    const at = this.#engine.malloc(bytes.length + 1);
    if (at === 0) throw new EngineStopped('memory');
    this.#bytes.set(bytes, at);
    this.#bytes[at + bytes.length] = 0;
    return at;
  }

  #newText(utf8Bytes: Uint8Array): number {
    const at = this.#cString(utf8Bytes);
    const value = this.#engine.newString(this.#roots!.context, at);
    this.#engine.free(at);
    return value;
  }

  /** Text of a value, as the engine's UTF-8; a copy. */
  #takeText(value: number): Uint8Array {
    const { context } = this.#roots!;
    const at = this.#engine.getString(context, value);
    if (at === 0) throw new EngineStopped('memory');
    const text = this.#bytes.slice(at, this.#bytes.indexOf(0, at));
    this.#engine.freeCString(context, at);
    return text;
  }

  #callHost(count: number, values: number): number {
    const hostCall = this.#hostCall;
    if (count < 4 || hostCall === undefined) throw new EngineStopped('trap');
    const op = this.#words[values >> 2]!; // low word of an integer value
    const first = this.#takeText(values + VALUE_BYTES);
    const second = this.#takeText(values + 2 * VALUE_BYTES);
    const third = this.#takeText(values + 3 * VALUE_BYTES);
    const answer = hostCall(op, first, second, third);
    return answer === undefined ? 0 : this.#newText(answer);
  }

  /** emscripten_resize_heap: pages up to the fixed maximum, at a price. */
  #resizeHeap(bytesAsked: number): number {
    const pages = Math.ceil((bytesAsked >>> 0) / PAGE_BYTES);
    if (pages > MEMORY_PAGES) {
      this.#memoryRefused = true;
      return 0;
    }
    const more = Math.max(0, pages - this.#pages.value);
    this.#gas.value -= BigInt(more * GAS.memoryPage);
    this.#pages.value += more;
    return 1;
  }

  #imports(): Readonly<Record<string, unknown>> {
    const stop = () => {
      throw new EngineStopped('trap');
    };
    const nothing = () => 0;
    return {
      a: this.#memory,
      b: stop, // assertion failed
      c: nothing, // fd_write
      d: nothing, // fd_close
      e: nothing, // environ_get
      f: (count: number, size: number) => {
        this.#words[count >> 2] = 0;
        this.#words[size >> 2] = 0;
        return 0;
      },
      g: nothing, // module name
      h: nothing, // module source
      i: nothing, // interrupt handler
      j: nothing, // timer
      k: (bytesAsked: number) => this.#resizeHeap(bytesAsked),
      l: nothing, // keep-alive
      m: nothing, // local time: stays zero
      n: nothing, // time zone: stays zero
      o: nothing, // fd_seek
      p: nothing, // clock: always the epoch
      q: stop, // abort
      r: stop, // exit
      s: (_context: number, _self: number, count: number, values: number) => this.#callHost(count, values),
      t: nothing, // a reference to the host was collected: the engine holds one, for as long as it runs
    };
  }
}

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
