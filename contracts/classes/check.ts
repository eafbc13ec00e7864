/**
 * Checks content against its class and reports every fault at once. The same code judges a submission in clear at the API door and the
 * sealed form in every replica: in the sealed form a field marked `sealed` must be `{"sealed": C}`, in clear it must not. Deterministic:
 * code units and bigint only.
 */
import type { ErrorCode } from '../../node/errors/index.ts';
import {
  compareDecimal,
  dottedPath,
  isDecimal,
  isInteger,
  isSealed,
  parseTime,
  type RecordPath,
  several,
  type TextStruct,
  type TextTree,
  UNAVAILABLE,
  valueAt,
} from '../../node/format/index.ts';
import { EXT_SCHEMA } from './ext.ts';
import {
  type ClassDefinition,
  type DecimalSchema,
  type FieldSchema,
  isFieldName,
  type ListSchema,
  type MapSchema,
  type StructSchema,
  type TextSchema,
} from './schema.ts';

/** One thing wrong with a record. `data` holds facts as texts, never the value of a sealed field. */
export interface RecordFault {
  readonly code: ErrorCode;
  readonly path: RecordPath;
  readonly data: Readonly<Record<string, string>>;
}

export type ContentForm = 'clear' | 'sealed';

export const RECORD_FAULTS_MAX = 200; // faults reported of one record; further ones are not looked for
const SUGGESTION_DISTANCE_MAX = 3; // edits between an unknown name and the one suggested for it
const NAME_COMPARED_LENGTH_MAX = 64; // longer names get no suggestion
export const NAMES_COMPARED_MAX = 5_000; // comparisons of unknown names with known ones in one record; past it no name gets a suggestion

/**
 * Every fault of `content` (without `token`), in document order, at most `faultsMax`; empty when it fits its class. A replica wants to know
 * only whether there is one: with 1 the check ends there, so that bad content never costs more than good.
 */
export function checkContent(
  definition: ClassDefinition,
  content: TextStruct,
  form: ContentForm,
  faultsMax = RECORD_FAULTS_MAX,
): readonly RecordFault[] {
  const check = new ContentCheck(form, faultsMax);
  const schema = schemaWithExt(definition);
  check.field(schema, content);
  if (check.faults.length === 0) check.references(content);
  return check.faults;
}

const schemas = new WeakMap<ClassDefinition, StructSchema>(); // one per class, not one per record

function schemaWithExt(definition: ClassDefinition): StructSchema {
  let schema = schemas.get(definition);
  if (schema === undefined) {
    schema = { ...definition.body, properties: { ...definition.body.properties, ext: EXT_SCHEMA } };
    schemas.set(definition, schema);
  }
  return schema;
}

class ContentCheck {
  readonly faults: RecordFault[] = [];
  readonly #form: ContentForm;
  /** Where the check stands; copied only into a fault. */
  readonly #path: (string | number)[] = [];

  readonly #faultsMax: number;
  #compared = 0;

  constructor(form: ContentForm, faultsMax: number) {
    this.#form = form;
    this.#faultsMax = faultsMax;
  }

  #full(): boolean {
    return this.faults.length >= this.#faultsMax;
  }

  /** The known name that may have been meant: the API says it, where the content is in clear; a replica does not look for it. */
  #nearest(name: string, known: readonly string[]): string | undefined {
    if (this.#form !== 'clear' || this.#full()) return undefined;
    this.#compared += known.length;
    return this.#compared <= NAMES_COMPARED_MAX ? nearestName(name, known) : undefined;
  }

  #fault(code: ErrorCode, data: Readonly<Record<string, string>> = {}, path: RecordPath = this.#path.slice()): void {
    if (!this.#full()) this.faults.push({ code, path, data });
  }

  #faultAt(name: string, code: ErrorCode, data: Readonly<Record<string, string>>): void {
    this.#fault(code, data, [...this.#path, name]);
  }

  #member(at: string | number, schema: FieldSchema, value: TextTree): void {
    this.#path.push(at);
    this.field(schema, value);
    this.#path.pop();
  }

  field(schema: FieldSchema, value: TextTree): void {
    if (this.#full()) return;
    switch (schema.type) {
      case 'text':
      case 'decimal':
        this.#leaf(schema, value);
        return;
      case 'struct':
        if (isStruct(value)) this.#struct(variantOf(schema, value), value);
        else this.#mistyped('struct', value);
        return;
      case 'list':
        this.#list(schema, value);
        return;
      case 'map':
        if (isStruct(value)) this.#map(schema, value);
        else this.#mistyped('struct', value);
        return;
    }
  }

  #list(schema: ListSchema, value: TextTree): void {
    if (!Array.isArray(value)) {
      if ((schema.minItems ?? 1) > 1) this.#count(1, schema.minItems!, schema.maxItems);
      else this.field(schema.items, value);
      return;
    }
    const items: readonly TextTree[] = value;
    if (items.length === 1 && this.#form === 'sealed') this.#fault('RECORD_NOT_CANONICAL');
    else if (items.length < (schema.minItems ?? 1) || items.length > schema.maxItems)
      this.#count(items.length, schema.minItems ?? 1, schema.maxItems);
    else for (let i = 0; i < items.length && !this.#full(); i++) this.#member(i, schema.items, items[i]!);
  }

  #map(schema: MapSchema, value: TextStruct): void {
    const names = Object.keys(value);
    if (names.length === 0 || names.length > schema.maxItems) {
      this.#count(names.length, 1, schema.maxItems);
      return;
    }
    for (const name of names) {
      if (schema.names === 'name' ? isFieldName(name) : isPathText(name)) this.#member(name, schema.values, value[name]!);
      else this.#faultAt(name, 'RECORD_NAME_MALFORMED', { name });
    }
  }

  #count(count: number, countMin: number, countMax: number): void {
    this.#fault('RECORD_COUNT', { count: `${count}`, countMin: `${countMin}`, countMax: `${countMax}` });
  }

  #struct(schema: StructSchema, value: TextStruct): void {
    for (const name of schema.required ?? []) {
      if (this.#full()) return;
      if (!Object.hasOwn(value, name)) this.#faultAt(name, 'RECORD_FIELD_MISSING', { name });
    }
    const { requiredAny } = schema;
    if (requiredAny && !requiredAny.some((name) => Object.hasOwn(value, name)))
      this.#faultAt(requiredAny[0]!, 'RECORD_FIELD_MISSING', { name: requiredAny.join(' | ') });
    const names = Object.keys(value);
    if (names.length === 0 && this.#path.length > 0 && !schema.required)
      this.#fault('RECORD_COUNT', { count: '0', countMin: '1', countMax: '' });
    for (const name of names) {
      if (this.#full()) return;
      if (Object.hasOwn(schema.properties, name)) {
        this.#member(name, schema.properties[name]!, value[name]!);
      } else {
        const nearest = this.#nearest(name, Object.keys(schema.properties));
        this.#faultAt(name, 'RECORD_FIELD_UNKNOWN', nearest === undefined ? { name } : { name, nearest });
      }
    }
  }

  #leaf(schema: TextSchema | DecimalSchema, value: TextTree): void {
    if (schema.sealed && this.#form === 'sealed') {
      if (!isSealed(value)) this.#fault('RECORD_FIELD_NOT_SEALED');
      return;
    }
    if (typeof value !== 'string') {
      this.#mistyped(schema.type, value);
      return;
    }
    if (value === UNAVAILABLE) {
      if (!schema.unavailable) this.#fault('RECORD_UNAVAILABLE_NOT_ALLOWED');
      return;
    }
    if ((schema.type === 'decimal' || (schema.minLength ?? 1) > 0) && isBlank(value)) {
      this.#fault('RECORD_FIELD_EMPTY');
      return;
    }
    if (schema.type === 'decimal') this.#decimal(schema, value);
    else this.#text(schema, value);
  }

  #decimal(schema: DecimalSchema, value: string): void {
    if (!isDecimal(value)) {
      this.#fault('RECORD_FIELD_TYPE', { expected: 'decimal' });
      return;
    }
    if (schema.minimum !== undefined && compareDecimal(value, schema.minimum) < 0)
      this.#fault('RECORD_VALUE_RANGE', { minimum: schema.minimum });
    if (schema.maximum !== undefined && compareDecimal(value, schema.maximum) > 0)
      this.#fault('RECORD_VALUE_RANGE', { maximum: schema.maximum });
  }

  #text(schema: TextSchema, value: string): void {
    const length = codePoints(value);
    if (length < (schema.minLength ?? 0)) this.#fault('RECORD_LENGTH', { length: `${length}`, lengthMin: `${schema.minLength}` });
    if (schema.maxLength !== undefined && length > schema.maxLength) {
      this.#fault('RECORD_LENGTH', { length: `${length}`, lengthMax: `${schema.maxLength}` });
      return;
    }
    if (schema.enum && !schema.enum.includes(value)) {
      const nearest = this.#nearest(value, schema.enum);
      this.#fault('RECORD_VALUE_UNKNOWN', { allowed: schema.enum.join(', '), ...(nearest === undefined ? {} : { nearest }) });
    }
    if (schema.const !== undefined && value !== schema.const) this.#fault('RECORD_VALUE_UNKNOWN', { allowed: schema.const });
    this.#format(schema, value);
  }

  #format(schema: TextSchema, value: string): void {
    switch (schema.format) {
      case undefined:
        return;
      case 'time': {
        const reading = parseTime(value);
        if (!reading.ok) this.#fault(reading.code);
        return;
      }
      case 'digest':
        if (!/^[0-9a-f]{64}$/.test(value)) this.#fault('RECORD_FIELD_TYPE', { expected: 'SHA-256 in 64 lower-case hex digits' });
        return;
      case 'integer':
        if (!isInteger(value)) this.#fault('RECORD_FIELD_TYPE', { expected: 'integer' });
        return;
      case 'unit':
        if (!/^[!-~\u0080-\ud7ff]+$/.test(value)) this.#fault('RECORD_FIELD_TYPE', { expected: 'unit code without spaces (UCUM)' });
        return;
      case 'mediaType':
        if (!/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/.test(value))
          this.#fault('RECORD_FIELD_TYPE', { expected: 'media type' });
        return;
      case 'path':
        if (!isPathText(value)) this.#fault('RECORD_FIELD_TYPE', { expected: 'dotted path of a field' });
        return;
    }
  }

  #mistyped(expected: string, value: TextTree): void {
    const found = typeof value === 'string' ? 'text' : Array.isArray(value) ? 'list' : 'struct';
    this.#fault('RECORD_FIELD_TYPE', { expected, found });
  }

  /** `ext.filled` and `ext.units` speak about fields that are there. */
  references(content: TextStruct): void {
    const { ext } = content;
    if (ext === undefined || !isStruct(ext)) return;
    const filled = several(ext.filled);
    filled.forEach((entry, i) => {
      if (!isStruct(entry)) return;
      const place = Array.isArray(ext.filled) ? ['ext', 'filled', i] : ['ext', 'filled'];
      if (entry.path !== undefined) this.#reference(content, entry.path, [...place, 'path']);
      const paths = several(entry.paths);
      paths.forEach((path, j) => {
        this.#reference(content, path, Array.isArray(entry.paths) ? [...place, 'paths', j] : [...place, 'paths']);
      });
    });
    if (ext.units === undefined || !isStruct(ext.units)) return;
    for (const path of Object.keys(ext.units)) {
      this.#reference(content, path, ['ext', 'units', path]);
    }
  }

  #reference(content: TextStruct, path: TextTree, at: RecordPath): void {
    if (typeof path === 'string' && valueAt(content, path) === undefined) this.#fault('RECORD_PATH_UNKNOWN', { path }, at);
  }
}

/** Content with every list of one replaced by its item where the class expects a list; all else untouched. */
export function foldSingles(definition: ClassDefinition, content: TextStruct): TextStruct {
  return fold(schemaWithExt(definition), content) as TextStruct;
}

function fold(schema: FieldSchema | undefined, value: TextTree): TextTree {
  if (schema?.type === 'list') {
    if (!Array.isArray(value)) return fold(schema.items, value);
    const items = value.map((item: TextTree) => fold(schema.items, item));
    return items.length === 1 ? items[0]! : items;
  }
  if (!isStruct(value) || (schema?.type !== 'struct' && schema?.type !== 'map')) return value;
  const out: Record<string, TextTree> = {};
  for (const [name, member] of Object.entries(value)) out[name] = fold(memberSchema(schema, value, name), member);
  return out;
}

function memberSchema(schema: StructSchema | MapSchema, value: TextStruct, name: string): FieldSchema | undefined {
  if (schema.type === 'map') return schema.values;
  const { properties } = variantOf(schema, value);
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** Replaces each present sealed field by what `seal` gives for its dotted path and clear value. */
export function sealContent(definition: ClassDefinition, content: TextStruct, seal: (path: string, value: string) => TextTree): TextStruct {
  return sealField(definition.body, content, [], seal) as TextStruct;
}

function sealField(schema: FieldSchema, value: TextTree, path: RecordPath, seal: (path: string, value: string) => TextTree): TextTree {
  if (schema.type === 'text' || schema.type === 'decimal')
    return schema.sealed && typeof value === 'string' ? seal(dottedPath(path), value) : value;
  if (schema.type === 'list') {
    if (!Array.isArray(value)) return sealField(schema.items, value, path, seal);
    return value.map((item: TextTree, i) => sealField(schema.items, item, [...path, i], seal));
  }
  if (!isStruct(value)) return value;
  const out: Record<string, TextTree> = {};
  for (const [name, member] of Object.entries(value)) {
    const inner = schema.type === 'map' ? schema.values : Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    out[name] = inner ? sealField(inner, member, [...path, name], seal) : member;
  }
  return out;
}

/** True when the class seals any field. */
export function hasSealedFields(schema: FieldSchema): boolean {
  switch (schema.type) {
    case 'text':
    case 'decimal':
      return schema.sealed ?? false;
    case 'struct':
      return Object.values(schema.properties).some(hasSealedFields);
    case 'list':
      return hasSealedFields(schema.items);
    case 'map':
      return hasSealedFields(schema.values);
  }
}

/** The known name fewest edits away from `name`, when it is close enough to be meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > NAME_COMPARED_LENGTH_MAX) return undefined;
  let nearest: string | undefined;
  let least = Math.min((name.length + 1) >>> 1, SUGGESTION_DISTANCE_MAX + 1); // a short name must be nearly right
  for (const candidate of known) {
    const distance = editDistance(name, candidate, least);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Levenshtein distance by code unit, or `enough` once it cannot be less: cells too far from the diagonal for that are skipped. */
function editDistance(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough;
  let row: number[] = [];
  for (let j = 0; j <= b.length; j++) row.push(Math.min(j, enough));
  for (let i = 1; i <= a.length; i++) {
    const next = new Array<number>(b.length + 1).fill(enough);
    let least = enough;
    if (i < enough) {
      next[0] = i;
      least = i;
    }
    for (let j = Math.max(1, i - enough); j <= Math.min(b.length, i + enough); j++) {
      const change = row[j - 1]! + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      next[j] = Math.min(enough, change, row[j]! + 1, next[j - 1]! + 1);
      least = Math.min(least, next[j]!);
    }
    if (least >= enough) return enough;
    row = next;
  }
  return row[b.length]!;
}

function variantOf(schema: StructSchema, value: TextStruct): StructSchema {
  const { variant } = schema;
  return variant && Object.hasOwn(value, variant.name) ? variant.schema : schema;
}

function isStruct(value: TextTree): value is TextStruct {
  return typeof value === 'object' && !Array.isArray(value);
}

export const PATH_LENGTH_MAX = 512; // code units of a dotted path

/** Field names and item numbers, joined by dots. */
export function isPathText(text: string): boolean {
  return text.length <= PATH_LENGTH_MAX && text.split('.').every((part) => isFieldName(part) || /^[1-9][0-9]{0,4}$/.test(part));
}

/**
 * True when nothing in `text` can be seen: it is empty or of white space and zero-width characters only. The list is written out, because
 * what an engine takes for white space has changed between versions of Unicode.
 */
export function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const invisible =
      unit <= 0x20 ||
      (unit >= 0x7f && unit <= 0xa0) ||
      (unit >= 0x2000 && unit <= 0x200f) ||
      (unit >= 0x2028 && unit <= 0x202f) ||
      (unit >= 0x205f && unit <= 0x2064) ||
      [0xad, 0x1680, 0x180e, 0x3000, 0x3164, 0xfeff].includes(unit);
    if (!invisible) return false;
  }
  return true;
}

function codePoints(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xdc00 || unit > 0xdfff) count++;
  }
  return count;
}
