/**
 * The closed schema language of record classes: what replicas check with the checker beside it. No `pattern`, no `$ref`, no additional
 * names, nothing that asks a library or the engine's own tables. A class is data; `readClass` judges one that an organisation registers.
 */
import type { Json, JsonObject } from '../../node/format/index.ts';
import { EXT_SCHEMA } from './ext.ts';

export const fieldFormats = ['time', 'digest', 'integer', 'unit', 'mediaType', 'path'] as const;
export type FieldFormat = (typeof fieldFormats)[number];

export interface TextSchema {
  readonly type: 'text';
  /** Lengths in code points. */
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly format?: FieldFormat;
  /** UNAVAILABLE may stand for "not measured". */
  readonly unavailable?: boolean;
  readonly sealed?: boolean;
}

export interface DecimalSchema {
  readonly type: 'decimal';
  readonly minimum?: string;
  readonly maximum?: string;
  readonly unavailable?: boolean;
  readonly sealed?: boolean;
}

export interface StructSchema {
  readonly type: 'struct';
  readonly properties: { readonly [name: string]: FieldSchema };
  readonly required?: readonly string[];
  /** At least one of these must be present. */
  readonly requiredAny?: readonly string[];
  /** A struct that holds `name` is of this schema instead. Used by `ext` alone: a registered class has none. */
  readonly variant?: { readonly name: string; readonly schema: StructSchema };
}

/** One item or several; a list of one is stored as its item. */
export interface ListSchema {
  readonly type: 'list';
  readonly items: FieldSchema;
  readonly minItems?: number;
  readonly maxItems: number;
}

/** Free names with values of one kind. `path` names are dotted paths into the record. */
export interface MapSchema {
  readonly type: 'map';
  readonly names: 'name' | 'path';
  readonly values: FieldSchema;
  /** MAP_NAMES_MAX at most when it is registered; an older chain may hold more. */
  readonly maxItems: number;
}

export type FieldSchema = TextSchema | DecimalSchema | StructSchema | ListSchema | MapSchema;

/** Which fields mean what: dotted paths into the content, read by the contract, the query index and trace. */
export interface ClassFacts {
  readonly product?: string;
  readonly productionBatch?: string;
  readonly device?: string;
  readonly factory?: string;
  readonly time?: string;
  readonly endTime?: string;
  /** Field (struct or list) whose items name a supplier and a batch; `list` empty means the content itself. */
  readonly materials?: { readonly list: string; readonly supplier: string; readonly batch: string; readonly report?: string };
  /** Id of a quality report that this record is. */
  readonly report?: string;
  /** Verdict of that report. */
  readonly verdict?: string;
}

export interface ClassDefinition {
  readonly name: string;
  readonly version: number;
  /** Dotted paths that identify a record, unless `ext.record_key` is given. */
  readonly key: readonly string[];
  readonly body: StructSchema;
  readonly facts: ClassFacts;
  /**
   * Dotted paths whose values are terms: a list of the records with such a value is proved complete, for those written since the class
   * declares it.
   */
  readonly provable?: readonly string[];
}

export const CLASS_NAME_LENGTH_MAX = 64; // code units of a class name
const SCHEMA_DEPTH_MAX = 16;
const SCHEMA_NODES_MAX = 2_000;
// Every replica searches these lists for a few bytes of content, so they are short.
const KEY_PATHS_MAX = 16;
/** Each is a key of the state that a record writes. */
const PROVABLE_PATHS_MAX = 8;
const ENUM_ITEMS_MAX = 128;
const REQUIRED_ANY_MAX = 16;
/** Names of one map: an engine lists the names of an object in one piece, so many in some milliseconds. */
export const MAP_NAMES_MAX = 40_000;

/**
 * The definition behind `data` of a registered class, or what is wrong with it.
 * @param mapNamesMax what a map may allow: MAP_NAMES_MAX for one that is being registered; what stands in the registry stays readable.
 */
export function readClass(
  data: JsonObject,
  mapNamesMax = Number.MAX_SAFE_INTEGER,
): { readonly ok: true; readonly definition: ClassDefinition } | { readonly ok: false; readonly reason: string } {
  const bounds = { nodesLeft: SCHEMA_NODES_MAX, mapNamesMax };
  const fault =
    unknownMember(data, ['name', 'version', 'key', 'body', 'facts', 'provable']) ??
    (typeof data.name === 'string' && /^[a-z][a-z0-9_]*$/.test(data.name) && data.name.length <= CLASS_NAME_LENGTH_MAX
      ? undefined
      : 'name') ??
    (isCount(data.version) && data.version !== 0 ? undefined : 'version') ??
    (isTexts(data.key) && data.key.length > 0 && data.key.length <= KEY_PATHS_MAX && !repeats(data.key) ? undefined : 'key') ??
    (isObject(data.body) && data.body.type === 'struct' ? fieldFault(data.body, 'body', 0, bounds) : 'body') ??
    (isObject(data.facts) ? factsFault(data.facts, data.body as unknown as StructSchema) : 'facts');
  if (fault !== undefined) return { ok: false, reason: fault };
  const definition = data as unknown as ClassDefinition;
  const keyNames = definition.key.map(keyNameOf);
  if (new Set(keyNames).size < keyNames.length || keyNames.includes('record_key')) return { ok: false, reason: 'key' };
  for (const path of definition.key) if (!isOpenLeaf(definition.body, path)) return { ok: false, reason: `key ${path}` };
  const { provable } = data;
  const isList = provable === undefined || (isTexts(provable) && provable.length > 0 && provable.length <= PROVABLE_PATHS_MAX);
  if (!isList || repeats(definition.provable ?? [])) return { ok: false, reason: 'provable' };
  for (const path of definition.provable ?? []) if (!isOpenLeaf(definition.body, path)) return { ok: false, reason: `provable ${path}` };
  return { ok: true, definition };
}

/** True for a text or decimal that stands in clear: what a key or a fact may be. */
function isOpenLeaf(body: StructSchema, path: string): boolean {
  const field = fieldOf(body, path);
  return (field?.type === 'text' || field?.type === 'decimal') && field.sealed !== true;
}

/** Name under which the field of a path stands in a record's key. */
export function keyNameOf(path: string): string {
  return path.startsWith('ext.') ? path.slice('ext.'.length) : path;
}

/** The field a dotted path of a class leads to, `ext.` included. */
export function fieldOf(body: StructSchema, path: string): FieldSchema | undefined {
  return path.startsWith('ext.') ? fieldAt(EXT_SCHEMA, path.slice('ext.'.length)) : fieldAt(body, path);
}

function fieldAt(schema: FieldSchema, path: string): FieldSchema | undefined {
  let at: FieldSchema | undefined = schema;
  for (const part of path.split('.')) {
    if (at?.type !== 'struct' || !Object.hasOwn(at.properties, part)) return undefined;
    at = at.properties[part];
  }
  return at;
}

const MEMBERS: Readonly<Record<FieldSchema['type'], readonly string[]>> = {
  text: ['type', 'minLength', 'maxLength', 'enum', 'const', 'format', 'unavailable', 'sealed'],
  decimal: ['type', 'minimum', 'maximum', 'unavailable', 'sealed'],
  struct: ['type', 'properties', 'required', 'requiredAny'],
  list: ['type', 'items', 'minItems', 'maxItems'],
  map: ['type', 'names', 'values', 'maxItems'],
};

interface SchemaBounds {
  nodesLeft: number;
  readonly mapNamesMax: number;
}

function fieldFault(field: Json | undefined, at: string, depth: number, bounds: SchemaBounds): string | undefined {
  if (!isObject(field) || depth > SCHEMA_DEPTH_MAX || bounds.nodesLeft-- === 0) return at;
  const members =
    typeof field.type === 'string' && Object.hasOwn(MEMBERS, field.type) ? MEMBERS[field.type as FieldSchema['type']] : undefined;
  if (!members) return `${at}.type`;
  const unknown = unknownMember(field, members);
  if (unknown !== undefined) return `${at}.${unknown}`;
  for (const name of ['minLength', 'maxLength', 'minItems', 'maxItems'])
    if (field[name] !== undefined && !isCount(field[name])) return `${at}.${name}`;
  for (const name of ['unavailable', 'sealed']) if (field[name] !== undefined && typeof field[name] !== 'boolean') return `${at}.${name}`;
  for (const [name, countMax] of [
    ['enum', ENUM_ITEMS_MAX],
    ['required', SCHEMA_NODES_MAX],
    ['requiredAny', REQUIRED_ANY_MAX],
  ] as const) {
    const list = field[name];
    if (list !== undefined && (!isTexts(list) || list.length === 0 || list.length > countMax || repeats(list))) return `${at}.${name}`;
  }
  for (const name of ['minimum', 'maximum']) {
    if (field[name] !== undefined && !(typeof field[name] === 'string' && /^-?[0-9]{1,40}(?:\.[0-9]{1,40})?$/.test(field[name])))
      return `${at}.${name}`;
  }
  if (field.const !== undefined && typeof field.const !== 'string') return `${at}.const`;
  if (field.format !== undefined && !fieldFormats.some((format) => format === field.format)) return `${at}.format`;
  switch (field.type) {
    case 'struct': {
      if (!isObject(field.properties)) return `${at}.properties`;
      for (const [name, property] of Object.entries(field.properties)) {
        if (!isFieldName(name) || (depth === 0 && ['ext', 'source', 'token'].includes(name))) return `${at}.${name}`;
        const fault = fieldFault(property, `${at}.${name}`, depth + 1, bounds);
        if (fault !== undefined) return fault;
      }
      for (const list of [field.required, field.requiredAny]) {
        for (const name of (list ?? []) as readonly string[]) if (!Object.hasOwn(field.properties, name)) return `${at}.required.${name}`;
      }
      return undefined;
    }
    case 'list':
      if (field.maxItems === undefined || (isObject(field.items) && field.items.type === 'list')) return `${at}.items`;
      return fieldFault(field.items, `${at}.items`, depth + 1, bounds);
    case 'map':
      if (field.maxItems === undefined || (field.names !== 'name' && field.names !== 'path')) return `${at}.names`;
      if (Number(field.maxItems) > bounds.mapNamesMax) return `${at}.maxItems`;
      return fieldFault(field.values, `${at}.values`, depth + 1, bounds);
    default:
      return undefined;
  }
}

function factsFault(facts: JsonObject, body: StructSchema): string | undefined {
  const texts = ['product', 'productionBatch', 'device', 'factory', 'time', 'endTime', 'report', 'verdict'];
  const unknown = unknownMember(facts, [...texts, 'materials']);
  if (unknown !== undefined) return `facts.${unknown}`;
  for (const name of texts) {
    const path = facts[name];
    if (path === undefined) continue;
    if (typeof path !== 'string' || !isOpenLeaf(body, path)) return `facts.${name}`;
    const field = fieldAt(body, path);
    if ((name === 'time' || name === 'endTime') && (field?.type !== 'text' || field.format !== 'time')) return `facts.${name}`;
  }
  return materialsFault(facts.materials, body);
}

function materialsFault(materials: Json | undefined, body: StructSchema): string | undefined {
  if (materials === undefined) return undefined;
  if (!isObject(materials) || unknownMember(materials, ['list', 'supplier', 'batch', 'report']) !== undefined) return 'facts.materials';
  const { list, ...leaves } = materials;
  const items = list === '' ? body : typeof list === 'string' ? fieldAt(body, list) : undefined;
  const item = items?.type === 'list' ? items.items : items;
  if (item?.type !== 'struct') return 'facts.materials.list';
  for (const name of ['supplier', 'batch', 'report']) {
    const path = leaves[name];
    if (path === undefined ? name !== 'report' : typeof path !== 'string' || !isOpenLeaf(item, path)) return `facts.materials.${name}`;
  }
  return undefined;
}

function repeats(texts: readonly string[]): boolean {
  return new Set(texts).size !== texts.length;
}

function unknownMember(object: JsonObject, known: readonly string[]): string | undefined {
  return Object.keys(object).find((name) => !known.includes(name));
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item: Json) => typeof item === 'string');
}

function isCount(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export const FIELD_NAME_LENGTH_MAX = 128; // code units

/** Names that are also XML element names and CSV columns: a letter or underscore, then letters, digits, `_` and `-`. */
export function isFieldName(name: string): boolean {
  if (name.length === 0 || name.length > FIELD_NAME_LENGTH_MAX || name === '__proto__') return false;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    const letter = (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a) || unit === 0x5f || isWordCharacter(unit);
    const later = (unit >= 0x30 && unit <= 0x39) || unit === 0x2d;
    if (!letter && !(later && i > 0)) return false;
  }
  return true;
}

/** The part of XML 1.0 NameStartChar above ASCII and below the surrogates, Chinese included. */
function isWordCharacter(unit: number): boolean {
  return (
    (unit >= 0xc0 && unit <= 0x2ff && unit !== 0xd7 && unit !== 0xf7) ||
    (unit >= 0x370 && unit <= 0x1fff && unit !== 0x37e) ||
    (unit >= 0x3001 && unit <= 0xd7ff)
  );
}
