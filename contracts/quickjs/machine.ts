/**
 * The contract machine: code in, image once, then calls on restored memory. Synchronous after creation.
 *
 * An image is a pure function of (bundle, code): the base image restored, the code run, what differs kept. Images of live contracts are
 * kept for as long as they live (`keep`), others up to a bound; a caller's gas never depends on what is at hand, or replicas would differ.
 * Re-entrant calls take the next instance of a pool, and go on with the depth their caller has left, so that one bound holds for the native
 * stack.
 */
import { encodeJson, fromUtf8, hashTagged, type Json, toHex, utf8, wellFormed } from '../../node/format/index.ts';
import { ExecutionFault, isHostFault } from '../fault.ts';
import { CALL_DEPTH_MAX, GAS, IMAGES_TOTAL_BYTES_MAX, LOAD_GAS_MAX, WASM_GAS } from '../gas.ts';
import { ContractFailure, type ContractMachine, type GasTank, type Host, type LoadedContract } from '../types.ts';
import { bundleDigestOf, bundles } from './bundle.ts';
import { canonicalOf, checkArgs, type GasBridge, hostCallOf, RESULT_BYTES_MAX } from './host-api.ts';
import { type Image, imageBytes, imageOf } from './image.ts';
import { type Base, EngineStopped, HEAP_PAGES_INITIAL, type HostCall, Instance, STACK_BYTES } from './instance.ts';
import { meter } from './meter.ts';
import { ENTRY } from './prelude.ts';

export const CODE_BYTES_MAX = 262_144; // of one contract
const LOOSE_IMAGES_BYTES_MAX = IMAGES_TOTAL_BYTES_MAX; // of images nobody keeps: more than the deployments of one block can pay for
const MESSAGE_UNITS_MAX = 400; // of the engine's message in a failure
const DESCRIPTION_BYTES_MAX = 65_536; // names of methods and queries, and events with what is said about them
const NAMES_COUNT_MAX = 256; // methods, queries or events of one contract
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const ANSWER_OK = 61; // '='
const EMPTY = new Uint8Array(0);
const ENTRY_BYTES = { describe: utf8(ENTRY.describe), method: utf8(ENTRY.method), query: utf8(ENTRY.query) } as const;

export interface MachineDeps {
  /** Whose frozen bundle must be running; see bundle.ts. */
  readonly executionVersion: number;
  /** Bytes of the engine's wasm file; see load-wasm.ts. */
  readonly wasm: Uint8Array;
  /** SHA-256. */
  hash(data: Uint8Array): Uint8Array;
}

interface Entry extends LoadedContract {
  readonly image: Image;
  readonly methodNames: ReadonlySet<string>;
  readonly queryNames: ReadonlySet<string>;
  readonly eventNames: ReadonlySet<string>;
}

/** @throws ExecutionFault when what would run is not the bundle of that executionVersion: such a node must not start. */
export async function createContractMachine(deps: MachineDeps): Promise<QuickJsMachine> {
  const binary = meter(deps.wasm, { stackBytes: STACK_BYTES, heapPagesInitial: HEAP_PAGES_INITIAL });
  const bundleDigest = bundleDigestOf(deps.hash, binary);
  const frozen = bundles[deps.executionVersion];
  if (bundleDigest !== frozen)
    throw new ExecutionFault(
      `Bundle ${bundleDigest} is not that of executionVersion ${deps.executionVersion}: ${frozen ?? 'unknown here'}`,
    );
  return new QuickJsMachine(deps, await WebAssembly.compile(binary), bundleDigest);
}

export class QuickJsMachine implements ContractMachine {
  readonly bundleDigest: string;
  readonly #deps: MachineDeps;
  readonly #module: WebAssembly.Module;
  readonly #pool: Instance[] = [];
  readonly #base: Base;
  readonly #kept = new Map<string, Entry>();
  readonly #loose = new Map<string, Entry>(); // least recently used first
  #looseBytes = 0;
  #active = 0;

  constructor(deps: MachineDeps, module: WebAssembly.Module, bundleDigest: string) {
    this.#deps = deps;
    this.#module = module;
    this.bundleDigest = bundleDigest;
    const first = new Instance(module);
    this.#base = first.boot();
    this.#pool.push(first);
  }

  load(code: Uint8Array, codeDigest?: string, gas?: GasTank): LoadedContract {
    return this.#entry(code, codeDigest, gas);
  }

  imageOf(codeDigest: string): Uint8Array | undefined {
    const entry = this.#kept.get(codeDigest) ?? this.#loose.get(codeDigest);
    return entry && imageBytes(entry.image);
  }

  adopt(codeDigest: string, facts: LoadedContract, image: Uint8Array): boolean {
    if (image.length !== facts.imageBytes || this.#imageDigestOf(image) !== facts.imageDigest) return false;
    this.#add(codeDigest, entryOf(facts, imageOf(image)));
    return true;
  }

  keep(codeDigest: string): void {
    if (this.#kept.has(codeDigest)) return;
    const entry = this.#loose.get(codeDigest);
    if (entry === undefined) throw new RangeError(`Cannot keep the image of ${codeDigest}, which is not at hand`);
    this.#loose.delete(codeDigest);
    this.#looseBytes -= entry.imageBytes;
    this.#kept.set(codeDigest, entry);
  }

  release(codeDigest: string): void {
    const entry = this.#kept.get(codeDigest);
    if (entry === undefined) return;
    this.#kept.delete(codeDigest);
    this.#add(codeDigest, entry);
  }

  run(code: Uint8Array, method: string, args: Uint8Array, host: Host, gas: GasTank, readOnly: boolean, codeDigest?: string): Uint8Array {
    const entry = this.#entry(code, codeDigest);
    const isQuery = entry.queryNames.has(method);
    if (!isQuery && (readOnly || !entry.methodNames.has(method))) throw new ContractFailure('CONTRACT_METHOD_UNKNOWN', { method });
    checkArgs(args, gas);
    gas.use(GAS.instance + entry.imageBytes * GAS.perImageByte + this.#pagesOf(entry.image) * GAS.imagePage);
    const context = encodeJson({
      caller: host.caller,
      sender: host.transaction.sender,
      self: host.self,
      block: { height: host.block.height, timestampMs: host.block.timestampMs },
    });
    const answer = this.#withInstance(entry.image, gas, (instance, bridge) => {
      const hostCall = hostCallOf(host, gas, bridge, entry.eventNames);
      return instance.enter(isQuery ? ENTRY_BYTES.query : ENTRY_BYTES.method, utf8(method), args, context, hostCall);
    });
    if (answer[0] === ANSWER_OK) return canonicalOf(answer.subarray(1), RESULT_BYTES_MAX, gas, 'result');
    throw refusalOf(host.self, answer.subarray(1));
  }

  #entry(code: Uint8Array, codeDigest: string | undefined, gas?: GasTank): Entry {
    const key = codeDigest ?? toHex(this.#deps.hash(code));
    const known = this.#kept.get(key) ?? this.#loose.get(key);
    if (known === undefined) {
      const entry = this.#load(code, gas);
      this.#add(key, entry);
      return entry;
    }
    gas?.use(known.gasUsed);
    if (this.#loose.delete(key)) this.#loose.set(key, known);
    return known;
  }

  #add(key: string, entry: Entry): void {
    if (this.#kept.has(key) || this.#loose.has(key)) return;
    this.#loose.set(key, entry);
    this.#looseBytes += entry.imageBytes;
    for (const [oldest, old] of this.#loose) {
      if (this.#looseBytes <= LOOSE_IMAGES_BYTES_MAX || oldest === key) break;
      this.#loose.delete(oldest);
      this.#looseBytes -= old.imageBytes;
    }
  }

  /** Pages of an image beyond those of every image. */
  #pagesOf(image: Image): number {
    return image.pages - this.#base.image.pages;
  }

  #imageDigestOf(image: Uint8Array): string {
    return toHex(hashTagged(this.#deps, 'image', utf8(this.bundleDigest), image));
  }

  #load(code: Uint8Array, payer: GasTank | undefined): Entry {
    const gas = new LoadTank(payer?.left ?? LOAD_GAS_MAX);
    try {
      const entry = this.#loadFrom(code, gas);
      payer?.use(entry.gasUsed);
      return entry;
    } catch (error) {
      if (!(error instanceof ContractFailure)) throw error;
      if (error.code === 'GAS_EXHAUSTED' && payer !== undefined && gas.limit < LOAD_GAS_MAX) payer.use(payer.left + 1); // throws it
      payer?.use(gas.used);
      if (error.code === 'CONTRACT_CODE_INVALID') throw error;
      throw invalid(
        error.code === 'GAS_EXHAUSTED'
          ? `loading takes more than ${LOAD_GAS_MAX} gas`
          : `loading failed: ${error.code}${typeof error.detail.reason === 'string' ? `: ${error.detail.reason}` : ''}`,
      );
    }
  }

  #loadFrom(code: Uint8Array, gas: LoadTank): Entry {
    gas.use(GAS.load + code.length * GAS.perCodeByte);
    if (code.length > CODE_BYTES_MAX) throw invalid(`the code has ${code.length} bytes where ${CODE_BYTES_MAX} are allowed`);
    if (code.includes(0)) throw invalid('the code holds the character NUL');
    try {
      fromUtf8(code);
    } catch {
      throw invalid('the code is not UTF-8');
    }
    return this.#withInstance(this.#base.image, gas, (instance, bridge) => {
      instance.depthLeft = WASM_GAS.depthMax; // an image may not depend on who happened to need it
      const fault = instance.load(code);
      const answer = fault === undefined ? instance.enter(ENTRY_BYTES.describe, EMPTY, EMPTY, EMPTY, noHost) : EMPTY;
      bridge.settle();
      if (fault !== undefined) throw invalid(messageOf(fault.subarray(1)));
      if (answer[0] !== ANSWER_OK) throw invalid(messageOf(answer.subarray(1)));
      const { methods, queries, events } = descriptionOf(canonicalOf(answer.subarray(1), DESCRIPTION_BYTES_MAX, gas, 'description'));
      gas.use(instance.pagesUsed * GAS.capturePage);
      const image = instance.capture(this.#base);
      const bytes = imageBytes(image);
      gas.use(bytes.length * GAS.perImageByteCaptured);
      const imageDigest = this.#imageDigestOf(bytes);
      bridge.refresh();
      return entryOf({ imageDigest, imageBytes: bytes.length, methods, queries, events, gasUsed: gas.used }, image);
    });
  }

  /** Runs `work` on a restored instance whose gas is joined to the tank; turns a stop of the engine into a failure of the contract. */
  #withInstance<T>(image: Image, gas: GasTank, work: (instance: Instance, bridge: GasBridge) => T): T {
    const level = this.#active;
    if (level >= CALL_DEPTH_MAX) throw new ContractFailure('CONTRACT_DEPTH_EXCEEDED', { callDepthMax: CALL_DEPTH_MAX });
    let instance = this.#pool[level];
    if (instance === undefined) {
      instance = new Instance(this.#module);
      this.#pool.push(instance);
    }
    instance.restore(this.#base, image);
    const outer = level > 0 ? this.#pool[level - 1] : undefined;
    if (outer !== undefined) instance.depthLeft = Math.max(0, outer.depthLeft);
    const bridge = new Bridge(instance, gas);
    bridge.refresh();
    this.#active++;
    try {
      const result = work(instance, bridge);
      bridge.settle();
      return result;
    } catch (error) {
      if (error instanceof EngineStopped) {
        bridge.settleAfterStop(error.reason === 'gas');
        gas.use(error.reason === 'trap' ? GAS.trap : GAS.stop);
        throw stopFailure(error);
      }
      if (isHostFault(error)) throw error instanceof ExecutionFault ? error : new ExecutionFault('The stack of the host ran out', error);
      throw error;
    } finally {
      this.#active--;
    }
  }
}

class Bridge implements GasBridge {
  readonly #instance: Instance;
  readonly #gas: GasTank;
  #given = 0;

  constructor(instance: Instance, gas: GasTank) {
    this.#instance = instance;
    this.#gas = gas;
  }

  settle(): void {
    const left = this.#instance.gasLeft;
    this.#gas.use(this.#given - left);
    this.#given = left;
  }

  refresh(): void {
    this.#given = this.#gas.left;
    this.#instance.gasLeft = this.#given;
  }

  settleAfterStop(outOfGas: boolean): void {
    if (outOfGas) this.#gas.use(this.#gas.left + 1); // throws GAS_EXHAUSTED
    this.settle();
  }
}

/** What loading code may use: the allowance, or less where its payer has less. */
class LoadTank implements GasTank {
  readonly limit: number;
  left: number;

  constructor(left: number) {
    this.limit = Math.min(left, LOAD_GAS_MAX);
    this.left = this.limit;
  }

  get used(): number {
    return this.limit - this.left;
  }

  use(units: number): void {
    const enough = units <= this.left;
    this.left = enough ? this.left - units : 0;
    if (!enough) throw new ContractFailure('GAS_EXHAUSTED', { gasLimit: LOAD_GAS_MAX });
  }
}

function entryOf(facts: LoadedContract, image: Image): Entry {
  return {
    ...{ ...facts, image },
    methodNames: new Set(facts.methods),
    queryNames: new Set(facts.queries),
    eventNames: new Set(Object.keys(facts.events)),
  };
}

const noHost: HostCall = () => {
  throw new ExecutionFault('A contract reached the host while it was loading');
};

function stopFailure(stop: EngineStopped): ContractFailure {
  switch (stop.reason) {
    case 'depth':
    case 'stack':
      return new ContractFailure('CONTRACT_DEPTH_EXCEEDED', { what: 'recursion' });
    case 'memory':
      return new ContractFailure('CONTRACT_MEMORY_EXCEEDED', {});
    default:
      return new ContractFailure('CONTRACT_TRAPPED', {});
  }
}

function invalid(message: string): ContractFailure {
  return new ContractFailure('CONTRACT_CODE_INVALID', { message: wellFormed(message.slice(0, MESSAGE_UNITS_MAX)) });
}

/** The contract's description of itself. Its code ran first and may have changed what the prelude uses: nothing here is taken on trust. */
function descriptionOf(json: Uint8Array): Pick<LoadedContract, 'methods' | 'queries' | 'events'> {
  const { methods, queries, events } = objectOr(JSON.parse(fromUtf8(json)) as Json);
  const isObject = typeof events === 'object' && events !== null && !Array.isArray(events);
  if (!isNameList(methods) || !isNameList(queries) || !isObject || !isNameList(Object.keys(events)))
    throw invalid('methods, queries and events are not described as contract() describes them');
  return { methods, queries, events: events as { readonly [name: string]: Json } };
}

function isNameList(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.length <= NAMES_COUNT_MAX && value.every((name) => typeof name === 'string' && NAME.test(name));
}

function messageOf(json: Uint8Array): string {
  const { name, message, at } = factsOf(json);
  return [name, message, at].filter((part) => typeof part === 'string').join(': ');
}

/**
 * What the prelude reports of an error that left the contract: its own refusal, or a fault in its code. `cause` is what the contract, or
 * the contract that it called, says beside; left out when it cannot stand in a receipt.
 */
function refusalOf(contract: string, json: Uint8Array): ContractFailure {
  const { name, code, message, at, detail } = factsOf(json);
  const facts = { contract, message: textOr(message), at: textOr(at), ...(isCanonical(detail) ? { cause: detail } : {}) };
  if (typeof code !== 'string') return new ContractFailure('CONTRACT_THREW', { ...facts, name: textOr(name) });
  return new ContractFailure('CONTRACT_REFUSED', { ...facts, code: textOr(code) });
}

/** A thrown value can hold anything: only what is checked further is used. */
function factsOf(json: Uint8Array): { readonly [name: string]: Json } {
  try {
    return objectOr(JSON.parse(new TextDecoder().decode(json)) as Json);
  } catch (error) {
    if (isHostFault(error)) throw error;
    return {};
  }
}

function isCanonical(value: Json | undefined): boolean {
  try {
    return value !== undefined && encodeJson(value).length > 0;
  } catch (error) {
    if (isHostFault(error)) throw error;
    return false;
  }
}

function objectOr(value: Json): { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { readonly [name: string]: Json }) : {};
}

function textOr(value: Json | undefined): string | null {
  return typeof value === 'string' ? wellFormed(value.slice(0, MESSAGE_UNITS_MAX)) : null;
}
