/**
 * JSON text as values, step by step: bodies of megabytes are read on the thread that votes, a few kilobytes at a time. What a short text
 * holds is read by JSON.parse at once. Stricter than JSON.parse, so that no text can hold the thread by its shape: nesting, values and
 * names of one object are bounded, and `__proto__` and half surrogate pairs are refused.
 */
import { JSON_DEPTH_MAX } from '../format/index.ts';
import type { Steps } from './slices.ts';

/** Values in one body, names not counted. */
export const JSON_VALUES_MAX = 1_000_000;
/** Names of one object in a body. */
export const JSON_NAMES_MAX = 10_000;
/** Nesting of lists and objects in a body: arguments may nest to JSON_DEPTH_MAX, and stand in the body. */
export const JSON_BODY_DEPTH_MAX = JSON_DEPTH_MAX + 1;
/** Characters read between two pauses, and the longest text that JSON.parse reads at once. */
const STEP_CHARACTERS = 16_384;
/** What a value costs beside its characters, in characters. */
const VALUE_CHARACTERS = 16;

// Bounded: a text of a million blanks, or digits, would be looked through in one step. What goes on behind the bound is refused.
const SPACE = /[ \t\n\r]{0,16384}/y;
const NUMBER = /-?(?:0|[1-9][0-9]{0,1023})(?:\.[0-9]{1,1024})?(?:[eE][+-]?[0-9]{1,16})?/y;
/** A text that UTF-8 cannot carry: JSON escapes can write one. */
const HALF_PAIR = /\p{Surrogate}/u;
const WORDS = { true: true, false: false, null: null } as const;

interface HeldObject {
  readonly object: Record<string, unknown>;
  names: number;
  name: string;
}
type Holder = { readonly list: unknown[] } | HeldObject;

export interface JsonBounds {
  /** Values in all, names not counted. */
  readonly valuesMax: number;
  /** Names of one object. */
  readonly namesMax: number;
}
const BODY_BOUNDS: JsonBounds = { valuesMax: JSON_VALUES_MAX, namesMax: JSON_NAMES_MAX };
/** For text that this node wrote itself. */
export const UNBOUNDED: JsonBounds = { valuesMax: Number.POSITIVE_INFINITY, namesMax: Number.POSITIVE_INFINITY };

/** @throws SyntaxError */
export function* jsonSteps(text: string, { valuesMax, namesMax } = BODY_BOUNDS): Steps<unknown> {
  if (text.length <= STEP_CHARACTERS) return JSON.parse(text, refuseForbidden);
  const holders: Holder[] = [];
  let at = 0;
  let due = STEP_CHARACTERS;
  let values = 0;
  const skip = (): void => {
    at = endOf(SPACE, text, at) ?? at;
  };
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at position ${at}`);
  };
  function* string(): Steps<string> {
    let read = '';
    for (at++; ; ) {
      const from = at;
      at = pieceEnd(text, from);
      read += JSON.parse(`"${text.slice(from, at)}"`) as string;
      if (text[at] === '"') break;
      if (at >= text.length) fail('Unterminated string');
      yield;
    }
    at++;
    if (HALF_PAIR.test(read)) fail('A text holds half a surrogate pair');
    return read;
  }
  function* name(holder: HeldObject): Steps<void> {
    skip();
    if (text[at] !== '"') fail('Expected a name in double quotes');
    holder.name = yield* string();
    if (holder.name === '__proto__') fail('The name __proto__ is not allowed');
    if (++holder.names > namesMax) fail(`An object has more than ${namesMax} names`);
    skip();
    if (text[at++] !== ':') fail('Expected a colon');
  }

  for (;;) {
    skip();
    let value: unknown;
    const unit = text[at];
    if (unit === '[' || unit === '{') {
      at++;
      skip();
      const empty = text[at] === (unit === '[' ? ']' : '}');
      if (empty) {
        at++;
        value = unit === '[' ? [] : {};
      } else {
        if (holders.length === JSON_BODY_DEPTH_MAX) fail(`Nested deeper than ${JSON_BODY_DEPTH_MAX}`);
        const holder: Holder = unit === '[' ? { list: [] } : { object: {}, names: 0, name: '' };
        holders.push(holder);
        if ('object' in holder) yield* name(holder);
        continue;
      }
    } else if (unit === '"') value = yield* string();
    else value = word();

    // Puts the value where it belongs, and closes whatever ends behind it.
    for (;;) {
      if (at >= due) {
        yield;
        due = at + STEP_CHARACTERS;
      }
      due -= VALUE_CHARACTERS;
      if (++values > valuesMax) fail(`More than ${valuesMax} values`);
      const holder = holders.at(-1);
      skip();
      if (holder === undefined) {
        if (at < text.length) fail('Something follows the value');
        return value;
      }
      if ('list' in holder) holder.list.push(value);
      else holder.object[holder.name] = value;
      const mark = text[at++];
      if (mark === ',') {
        if ('object' in holder) yield* name(holder);
        break;
      }
      if (mark !== ('list' in holder ? ']' : '}')) fail('Expected a comma or the end of the list or object');
      value = 'list' in holder ? holder.list : holder.object;
      holders.pop();
    }
  }

  function word(): unknown {
    for (const [spelled, value] of Object.entries(WORDS)) {
      if (!text.startsWith(spelled, at)) continue;
      at += spelled.length;
      return value;
    }
    const end = endOf(NUMBER, text, at);
    if (end === undefined) return fail('Expected a value');
    const number = Number(text.slice(at, end));
    at = end;
    return number;
  }
}

/** Bytes decoded between two pauses. */
const STEP_BYTES = 262_144;

/** Bytes of UTF-8 as text. @throws TypeError for others */
export function* utf8Steps(bytes: Uint8Array): Steps<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    text += decoder.decode(bytes.subarray(at, at + STEP_BYTES), { stream: true });
    yield;
  }
  return text + decoder.decode();
}

/** JSON of a body or a stored value. @throws SyntaxError, TypeError when it is not UTF-8 */
export function* jsonBytesSteps(bytes: Uint8Array, bounds?: JsonBounds): Steps<unknown> {
  return yield* jsonSteps(yield* utf8Steps(bytes), bounds);
}

function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** Where a piece of a text that goes on at `from` ends: at the closing quote, or after a step, never inside an escape. */
function pieceEnd(text: string, from: number): number {
  const due = Math.min(text.length, from + STEP_CHARACTERS);
  let at = from;
  while (at < due) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) return at;
    at += unit !== 0x5c ? 1 : text.charCodeAt(at + 1) === 0x75 ? 6 : 2; // \uXXXX, or a backslash and its letter
  }
  return Math.min(at, text.length);
}

function refuseForbidden(name: string, value: unknown): unknown {
  if (name === '__proto__') throw new SyntaxError('The name __proto__ is not allowed');
  if (HALF_PAIR.test(name) || (typeof value === 'string' && HALF_PAIR.test(value)))
    throw new SyntaxError(`${name.slice(0, 64).replace(HALF_PAIR, '')} holds half a surrogate pair`);
  return value;
}
