/**
 * Canonical JSON, RFC 8785, for the values replicas exchange: text, safe integers, booleans, null, lists and objects. Fractions are
 * refused: amounts are decimal text. Names are sorted by UTF-16 code unit (RFC 8785 §3.2.3), which is JavaScript's own `<`.
 */
import { fromUtf8, utf8 } from './bytes.ts';
import { DecodeError } from './codec.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export const JSON_DEPTH_MAX = 64; // nesting of lists and objects

/** @throws RangeError for fractions, unsafe integers, unpaired surrogates and nesting past JSON_DEPTH_MAX. */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

function write(value: Json, depth: number): string {
  if (depth > JSON_DEPTH_MAX) throw new RangeError(`Cannot write JSON nested deeper than ${JSON_DEPTH_MAX}`);
  switch (typeof value) {
    case 'string':
      return writeText(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot write ${value} as JSON: only safe integers have one spelling here`);
      return String(value === 0 ? 0 : value);
    case 'boolean':
      return value ? 'true' : 'false';
    default: {
      if (value === null) return 'null';
      let out = '';
      if (Array.isArray(value)) {
        for (const item of value as readonly Json[]) out += (out === '' ? '[' : ',') + write(item, depth + 1);
        return out === '' ? '[]' : `${out}]`;
      }
      const object = value as JsonObject;
      for (const name of namesInOrder(object)) out += `${(out === '' ? '{' : ',') + writeText(name)}:${write(object[name]!, depth + 1)}`;
      return out === '' ? '{}' : `${out}}`;
    }
  }
}

/** Names up to which inserting each at its place takes less than the engine's sort, which copies them twice. */
const INSERTED_MAX = 32;

/** Names of an object by UTF-16 code unit, as RFC 8785 wants them. */
export function namesInOrder(object: object): readonly string[] {
  const names = Object.keys(object);
  if (names.length > INSERTED_MAX) return names.sort();
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!;
    let at = i;
    for (; at > 0 && names[at - 1]! > name; at--) names[at] = names[at - 1]!;
    names[at] = name;
  }
  return names;
}

/** JSON.stringify would write half a surrogate pair as an escape, and I-JSON has none (RFC 7493 §2.1, RFC 8785 §3.1). */
function writeText(text: string): string {
  const written = JSON.stringify(text);
  // Longer by more than its quotes: something was escaped, and only then can it have been half a pair.
  if (written.length !== text.length + 2 && /[\ud800-\udfff]/u.test(text))
    throw new RangeError('Cannot write JSON text with an unpaired surrogate');
  return written;
}

export function encodeJson(value: Json): Uint8Array {
  return utf8(canonicalJson(value));
}

/** Parses canonical JSON and refuses every other spelling of the same value. @throws DecodeError */
export function decodeJson(bytes: Uint8Array): Json {
  try {
    const text = fromUtf8(bytes);
    const value = JSON.parse(text) as Json;
    if (canonicalJson(value) === text) return value;
  } catch {
    throw new DecodeError('not JSON');
  }
  throw new DecodeError('JSON is not in canonical form (RFC 8785)');
}

const parsed = new WeakMap<Uint8Array, Json>();

/**
 * decodeJson that parses one array of bytes once, for rows that stay in memory and are asked about with every transaction (registry,
 * access). Neither the bytes nor the value may be changed afterwards. @throws DecodeError
 */
export function decodeJsonOnce(bytes: Uint8Array): Json {
  const known = parsed.get(bytes);
  if (known !== undefined) return known;
  const value = decodeJson(bytes);
  parsed.set(bytes, value);
  return value;
}
