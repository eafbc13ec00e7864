/**
 * Reads the arguments of built-in methods: canonical JSON in, checked values out, and every fault named at once by JSON Pointer.
 * A reader hands out a neutral value for what is wrong and remembers the fault; `finish` throws when there was one.
 */
import { DecodeError, decodeJson, encodeJson, type Json, type JsonObject, wellFormed } from '../../node/format/index.ts';
import { ContractFailure } from '../types.ts';

/** Faults a refusal lists; past it only their number is told, so that the detail fits RECEIPT_DETAIL_BYTES_MAX. */
export const FAULTS_LISTED_MAX = 16;
/** Length of what a fault repeats from the input, in UTF-16 units. */
const PATH_LENGTH_MAX = 64;

export interface Fault {
  /** JSON Pointer (RFC 6901) into the arguments. */
  readonly path: string;
  readonly problem: string;
}

/** What is wrong with a value, or undefined. */
export type Rule<T> = (value: T) => string | undefined;

export class Arguments {
  readonly #value: JsonObject;
  readonly #path: string;
  readonly #faults: Fault[];
  readonly #asked = new Set<string>();
  readonly #children: Arguments[] = [];

  constructor(value: JsonObject, path: string, faults: Fault[]) {
    this.#value = value;
    this.#path = path;
    this.#faults = faults;
  }

  /** Something no single field shows: a combination, a duplicate. */
  fault(name: string, problem: string): void {
    this.#faults.push({ path: pointer(this.#path, name), problem });
  }

  #take(name: string): Json | undefined {
    this.#asked.add(name);
    if (Object.hasOwn(this.#value, name)) return this.#value[name];
    this.fault(name, 'is missing');
    return undefined;
  }

  text(name: string, rule?: Rule<string>): string {
    const value = this.#take(name);
    if (value === undefined) return '';
    if (typeof value !== 'string') {
      this.fault(name, 'must be text');
      return '';
    }
    const problem = rule?.(value);
    if (problem) this.fault(name, problem);
    return value;
  }

  oneOf<const T extends string>(name: string, choices: readonly T[]): T {
    const value = this.text(name, (text) =>
      (choices as readonly string[]).includes(text) ? undefined : `must be one of ${choices.join(', ')}`,
    );
    return value as T;
  }

  boolean(name: string): boolean {
    const value = this.#take(name);
    if (value !== undefined && typeof value !== 'boolean') this.fault(name, 'must be true or false');
    return value === true;
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#take(name);
    if (value === undefined) return min;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      this.fault(name, `must be an integer from ${min} to ${max}`);
      return min;
    }
    return value;
  }

  /** Null or absent gives null. */
  nullable<T>(name: string, read: (name: string) => T): T | null {
    this.#asked.add(name);
    if (!Object.hasOwn(this.#value, name) || this.#value[name] === null) return null;
    return read(name);
  }

  texts(name: string, countMin: number, countMax: number, rule?: Rule<string>): readonly string[] {
    const value = this.#list(name, countMin, countMax);
    const out: string[] = [];
    for (const [index, item] of value.entries()) {
      const text = typeof item === 'string' ? item : '';
      const problem = typeof item !== 'string' ? 'must be text' : (rule?.(text) ?? (out.includes(text) ? 'is repeated' : undefined));
      if (problem) this.fault(`${name}/${index}`, problem);
      out.push(text);
    }
    return out;
  }

  /** An object as it is, for a reader of its own. */
  json(name: string): JsonObject {
    const value = this.#take(name);
    if (isObject(value)) return value;
    if (value !== undefined) this.fault(name, 'must be an object');
    return {};
  }

  object(name: string): Arguments {
    const value = this.#take(name);
    const known = isObject(value);
    if (value !== undefined && !known) this.fault(name, 'must be an object');
    return this.#child(known ? value : {}, name);
  }

  objects(name: string, countMin: number, countMax: number): readonly Arguments[] {
    return this.#list(name, countMin, countMax).map((item, index) => {
      if (!isObject(item)) this.fault(`${name}/${index}`, 'must be an object');
      return this.#child(isObject(item) ? item : {}, `${name}/${index}`);
    });
  }

  #child(value: JsonObject, name: string): Arguments {
    const child = new Arguments(value, pointer(this.#path, name), this.#faults);
    this.#children.push(child);
    return child;
  }

  #list(name: string, countMin: number, countMax: number): readonly Json[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.fault(name, 'must be a list');
      return [];
    }
    const list = value as readonly Json[];
    if (list.length < countMin || list.length > countMax) {
      this.fault(name, `must hold ${countMin} to ${countMax} items`);
      return [];
    }
    return list;
  }

  #unasked(): void {
    for (const name of Object.keys(this.#value).sort()) if (!this.#asked.has(name)) this.fault(name, 'is not a name of this method');
    for (const child of this.#children) child.#unasked();
  }

  /** @throws ContractFailure BUILTIN_ARGUMENTS_INVALID with every fault found, unknown names included. */
  finish(): void {
    this.#unasked();
    this.stopIfFaulty();
  }

  /** Like finish, before the other names can be asked for: where the way on depends on a value that is wrong. */
  stopIfFaulty(): void {
    if (this.#faults.length === 0) return;
    const faults = this.#faults.slice(0, FAULTS_LISTED_MAX).map((fault) => ({ path: shorten(fault.path), problem: fault.problem }));
    throw new ContractFailure('BUILTIN_ARGUMENTS_INVALID', { faults, count: this.#faults.length });
  }
}

/** @throws ContractFailure BUILTIN_ARGUMENTS_INVALID when the bytes are no canonical JSON object. */
export function readArguments(bytes: Uint8Array): Arguments {
  let value: Json;
  try {
    value = decodeJson(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new ContractFailure('BUILTIN_ARGUMENTS_INVALID', { faults: [{ path: '', problem: error.reason }], count: 1 });
  }
  if (!isObject(value))
    throw new ContractFailure('BUILTIN_ARGUMENTS_INVALID', { faults: [{ path: '', problem: 'must be an object' }], count: 1 });
  return new Arguments(value, '', []);
}

/** Bytes of a result or a stored value. */
export function answer(value: unknown): Uint8Array {
  return encodeJson(value as Json);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pointer(path: string, name: string): string {
  return `${path}/${name}`;
}

function shorten(path: string): string {
  return path.length <= PATH_LENGTH_MAX ? path : `${wellFormed(path.slice(0, PATH_LENGTH_MAX))}…`;
}
