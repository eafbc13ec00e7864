/**
 * Values as text, step by step: JSON, XML and canonical JSON. An answer may hold megabytes, and the thread that writes it also votes, so the writing
 * pauses after every few kilobytes; who runs the steps decides for how long. Texts longer than a step are cut into pieces as well.
 */
import { canonicalJson, type Json, JSON_DEPTH_MAX } from '../../node/format/index.ts';
import type { Steps } from '../../node/pace/index.ts';
import { SelfWritten } from './self-written.ts';

/** Characters written between two pauses. */
export const STEP_CHARACTERS = 32_768;
/** What a value costs beside its characters, in characters. */
const VALUE_CHARACTERS = 16;
/** Nesting of a value that is written at once. */
const SMALL_DEPTH_MAX = 32;

/** Where a value stands. */
export interface Slot {
  readonly at: 'top' | 'list' | 'object';
  /** In an object; empty elsewhere. */
  readonly name: string;
  readonly first: boolean;
}

/** How one kind of text spells values. What stands between values belongs to `open` and the spellings of scalars. */
export interface TextForm {
  /** Names in the order they are written. */
  names(object: Readonly<Record<string, unknown>>): readonly string[];
  open(slot: Slot, kind: 'list' | 'object', empty: boolean): string;
  close(slot: Slot, kind: 'list' | 'object', empty: boolean): string;
  scalar(slot: Slot, value: number | bigint | boolean | null): string;
  /** Before, between pieces of, and after a text. `pieces` are cut so that none ends inside a surrogate pair. */
  text(slot: Slot, pieces: readonly string[]): Iterable<string>;
  /** The same of a text that is one piece, at once: most are. */
  short?(slot: Slot, text: string): string;
  /**
   * A list or an object that one step writes, at once: most answers are, and most of what a long one lists. Given none that holds something
   * JSON has no word for.
   */
  small?(slot: Slot, value: Json): string;
  /** A value that writes itself, in pieces of a step each; without this it is written by its members. */
  own?(slot: Slot, written: SelfWritten): Steps<readonly string[]>;
  /** Nesting that is written. @throws RangeError past it */
  readonly depthMax?: number;
}

interface Placed {
  readonly slot: Slot;
  readonly value: unknown;
}

const TOP: Slot = { at: 'top', name: '', first: true };

interface Open {
  readonly slot: Slot;
  readonly kind: 'list' | 'object';
  readonly value: Readonly<Record<string | number, unknown>>;
  /** Of an object; a list has `length`. */
  readonly names: readonly string[] | undefined;
  readonly length: number;
  empty: boolean;
  at: number;
  /** Nothing has been written of it. */
  first: boolean;
}

export function* textSteps(value: unknown, form: TextForm): Steps<readonly string[]> {
  const large = new Set<object>();
  if (form.small && typeof value === 'object' && value !== null && costLeft(value, STEP_CHARACTERS, SMALL_DEPTH_MAX, large) >= 0)
    return [form.small(TOP, value as Json)];
  if (form.own && value instanceof SelfWritten) return yield* form.own(TOP, value);
  const pieces: string[] = [];
  const stack: Open[] = [];
  let text = '';
  let cost = 0;
  const put = (more: string): void => {
    text += more;
    cost += more.length + VALUE_CHARACTERS;
  };
  const flush = (): void => {
    pieces.push(text);
    text = '';
    cost = 0;
  };
  let next: Placed | undefined = { slot: TOP, value };
  for (;;) {
    if (next !== undefined) {
      const { slot, value: written }: Placed = next;
      if (typeof written === 'string' && form.short && written.length <= STEP_CHARACTERS) put(form.short(slot, written));
      else if (written instanceof SelfWritten) {
        if (!form.own) {
          next = { slot, value: yield* written.valueSteps() };
          continue;
        }
        for (const piece of yield* form.own(slot, written)) {
          if (cost > 0 && cost + piece.length > STEP_CHARACTERS) {
            flush();
            yield;
          }
          put(piece);
        }
      } else if (typeof written === 'string') {
        for (const piece of form.text(slot, cut(written))) {
          put(piece);
          if (cost < STEP_CHARACTERS) continue;
          flush();
          yield;
        }
      } else if (typeof written !== 'object' || written === null)
        put(form.scalar(slot, (written ?? null) as number | bigint | boolean | null));
      else if (form.small && costLeft(written, STEP_CHARACTERS, SMALL_DEPTH_MAX - stack.length, large) >= 0) {
        const whole = form.small(slot, written as Json);
        if (cost > 0 && cost + whole.length > STEP_CHARACTERS) {
          flush();
          yield;
        }
        put(whole);
      } else {
        if (large.has(written)) yield; // all its names were listed to see that it is large, and are listed once more
        const open = opened(slot, written, form);
        if (stack.length > (form.depthMax ?? Number.POSITIVE_INFINITY))
          throw new RangeError(`Cannot write JSON nested deeper than ${form.depthMax}`);
        put(form.open(slot, open.kind, open.empty));
        stack.push(open);
        if (open.names !== undefined) cost += open.length * VALUE_CHARACTERS; // they were listed
      }
    }
    if (cost >= STEP_CHARACTERS) {
      flush();
      yield;
    }
    const top = stack.at(-1);
    if (top === undefined) break;
    const at = nextMember(top, top.at);
    if (at === top.length) {
      stack.pop();
      put(form.close(top.slot, top.kind, top.empty));
      next = undefined;
      continue;
    }
    const name = top.names?.[at];
    next = { slot: { at: top.kind, name: name ?? '', first: top.first }, value: top.value[name ?? at] };
    top.first = false;
    top.at = at + 1;
  }
  flush();
  return pieces;
}

/**
 * What a value leaves of `cost` characters. Below 0 when it costs more, is nested deeper than `depth`, or holds what is not JSON as it stands: the steps
 * know what becomes of that.
 * @param large lists and objects that are known to cost half a step at least, so that one of 100,000 names is looked at once and not again for each
 * that stands around it
 */
function costLeft(value: unknown, cost: number, depth: number, large: Set<object>): number {
  if (typeof value === 'string') return cost - value.length - VALUE_CHARACTERS;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return cost - VALUE_CHARACTERS;
  if (typeof value !== 'object' || depth <= 0 || large.has(value)) return -1;
  const left = costLeftOfMembers(value, cost - VALUE_CHARACTERS, depth - 1, large);
  if (left < 0 && cost >= STEP_CHARACTERS / 2) large.add(value);
  return left;
}

function costLeftOfMembers(value: object, cost: number, depth: number, large: Set<object>): number {
  let left = cost;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++) left = costLeft(value[i], left, depth, large);
    return left;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  for (const name in value) {
    if (left < 0) break;
    left = costLeft((value as Readonly<Record<string, unknown>>)[name], left - name.length, depth, large);
  }
  return left;
}

function opened(slot: Slot, written: object, form: TextForm): Open {
  const value = written as Readonly<Record<string, unknown>>;
  const names = Array.isArray(written) ? undefined : form.names(value);
  const length = names?.length ?? (written as readonly unknown[]).length;
  const open: Open = { slot, kind: names === undefined ? 'list' : 'object', value, names, length, empty: false, at: 0, first: true };
  open.empty = nextMember(open, 0) === length;
  return open;
}

/** The first place from `at` on that holds a value; JSON leaves out members of objects that hold none. */
function nextMember({ names, value, length }: Open, at: number): number {
  let next = at;
  while (names !== undefined && next < length && value[names[next]!] === undefined) next++;
  return next;
}

/** Pieces of a text, none of which ends inside a surrogate pair. */
function cut(text: string): readonly string[] {
  if (text.length <= STEP_CHARACTERS) return [text];
  const pieces: string[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + STEP_CHARACTERS);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to++;
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

/** The pieces as bytes of UTF-8, in steps. */
export function* bytesSteps(pieces: readonly string[]): Steps<Buffer> {
  const parts: Buffer[] = [];
  for (const piece of pieces) {
    parts.push(Buffer.from(piece, 'utf8'));
    yield;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Canonical JSON as bytes, in steps. @throws RangeError for what it cannot carry (encodeJson) */
export function* encodeJsonSteps(value: unknown): Steps<Uint8Array> {
  return yield* bytesSteps(yield* textSteps(value, canonicalForm));
}

// --- JSON -------------------------------------------------------------------------------------------------------------------------------

function lead({ at, name, first }: Slot): string {
  const comma = first ? '' : ',';
  return at === 'object' ? `${comma}${JSON.stringify(name)}:` : comma;
}

/** As JSON.stringify writes it. */
export const jsonForm: TextForm = {
  names: Object.keys,
  open: (slot, kind) => lead(slot) + (kind === 'list' ? '[' : '{'),
  close: (_slot, kind) => (kind === 'list' ? ']' : '}'),
  scalar: (slot, value) => lead(slot) + JSON.stringify(value),
  *text(slot, pieces) {
    yield `${lead(slot)}"`;
    for (const piece of pieces) yield JSON.stringify(piece).slice(1, -1);
    yield '"';
  },
  short: (slot, text) => lead(slot) + JSON.stringify(text),
  *own(slot, written) {
    const json = yield* written.jsonSteps();
    return slot.at === 'top' ? json : [lead(slot), ...json];
  },
  small: (slot, value) => lead(slot) + JSON.stringify(value),
};

/** As canonicalJson of node/format writes it (RFC 8785), with its refusals. */
export const canonicalForm: TextForm = {
  ...jsonForm,
  depthMax: JSON_DEPTH_MAX,
  names: (object) => inOrder(Object.keys(object)),
  open: (slot, kind) => canonicalLead(slot) + (kind === 'list' ? '[' : '{'),
  scalar(slot, value) {
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      throw new RangeError(`Cannot write ${value} as JSON: only safe integers have one spelling here`);
    return canonicalLead(slot) + JSON.stringify(value === 0 ? 0 : value);
  },
  *text(slot, pieces) {
    yield `${canonicalLead(slot)}"`;
    for (const piece of pieces) yield canonicalText(piece);
    yield '"';
  },
  short: (slot, text) => `${canonicalLead(slot)}"${canonicalText(text)}"`,
  *own(slot, written) {
    const canonical = yield* written.canonicalSteps();
    return slot.at === 'top' ? canonical : [canonicalLead(slot), ...canonical];
  },
  small: (slot, value) => canonicalLead(slot) + canonicalJson(value),
};

/** What comes from the chain is in order already, and sorting many names takes long. */
function inOrder(names: string[]): readonly string[] {
  return names.some((name, i) => i > 0 && name < names[i - 1]!) ? names.sort() : names;
}

function canonicalLead({ at, name, first }: Slot): string {
  const comma = first ? '' : ',';
  return at === 'object' ? `${comma}"${canonicalText(name)}":` : comma;
}

function canonicalText(text: string): string {
  const written = JSON.stringify(text).slice(1, -1);
  if (written.length !== text.length && /[\ud800-\udfff]/u.test(text))
    throw new RangeError('Cannot write JSON text with an unpaired surrogate');
  return written;
}
