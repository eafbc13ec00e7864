/**
 * A class definition laid out for the scanner (scan.ts): every field a node of one shape, names as the bytes that stand in canonical text,
 * facts and key as numbered slots. Made once a definition. A class that the scanner would not read exactly as the checker and `factsOf` do
 * has no plan, and they judge its records.
 */
import { compareBytes, JSON_DEPTH_MAX, utf8 } from '../../node/format/index.ts';
import { EXT_SCHEMA } from './ext.ts';
import { type ClassDefinition, type FieldFormat, type FieldSchema, isFieldName, keyNameOf, type StructSchema } from './schema.ts';

export type PlanKind = 'text' | 'decimal' | 'struct' | 'list' | 'map';
/** What else a field is for, beside its own value. */
export type PlanRole = 'none' | 'material' | 'link' | 'reference' | 'mapping';

const NO_LENGTH_MAX = 0x7fff_ffff;
export const NO_SLOT = -1;

/** One field. All kinds have the same members in the same order, so that the engine sees one shape. */
export class PlanNode {
  readonly kind: PlanKind;
  /** Number of its path; used outside lists and maps only. */
  place = NO_SLOT;
  /** Where the scanner leaves the span of this text. */
  slot = NO_SLOT;
  role: PlanRole = 'none';
  /** Number of a value that most records of a sender repeat byte by byte, and from which no fact is taken but mappings. */
  repeat = NO_SLOT;
  // text, decimal
  readonly sealed: boolean;
  readonly unavailable: boolean;
  /** Must not be blank. */
  readonly visible: boolean;
  readonly minLength: number;
  readonly maxLength: number;
  readonly format: FieldFormat | 'none';
  /** Texts as they stand between quotes, by ascending bytes; one of them must be there. */
  readonly allowed: readonly Uint8Array[] | undefined;
  readonly minimum: string | undefined;
  readonly maximum: string | undefined;
  // struct: members by ascending name
  readonly names: readonly string[];
  /** `"name":` */
  readonly tokens: readonly Uint8Array[];
  members: readonly PlanNode[] = [];
  readonly requiredCount: number;
  /** 1 where the member is required. */
  readonly required: Uint8Array;
  /** 1 where the member is one of those of which one must be there; undefined when none must. */
  readonly requiredAny: Uint8Array | undefined;
  readonly mayBeEmpty: boolean;
  /** Takes this node's place where the first name is `variantToken`. */
  variant: PlanNode | undefined = undefined;
  readonly variantToken: Uint8Array;
  // list, map
  inner: PlanNode | undefined = undefined;
  readonly minItems: number;
  readonly maxItems: number;
  readonly pathNames: boolean;

  constructor(schema: FieldSchema) {
    this.kind = schema.type;
    const leaf = schema.type === 'text' || schema.type === 'decimal' ? schema : undefined;
    const text = schema.type === 'text' ? schema : undefined;
    const decimal = schema.type === 'decimal' ? schema : undefined;
    const struct = schema.type === 'struct' ? schema : undefined;
    const many = schema.type === 'list' || schema.type === 'map' ? schema : undefined;
    this.sealed = leaf?.sealed ?? false;
    this.unavailable = leaf?.unavailable ?? false;
    this.visible = decimal !== undefined || (text?.minLength ?? 1) > 0;
    this.minLength = text?.minLength ?? 0;
    this.maxLength = text?.maxLength ?? NO_LENGTH_MAX;
    this.format = text?.format ?? 'none';
    this.allowed = allowedTexts(text?.enum, text?.const);
    this.minimum = decimal?.minimum;
    this.maximum = decimal?.maximum;
    this.names = struct === undefined ? [] : Object.keys(struct.properties).sort();
    this.tokens = this.names.map((name) => utf8(`"${name}":`));
    const required = new Set(struct?.required);
    this.required = Uint8Array.from(this.names, (name) => (required.has(name) ? 1 : 0));
    this.requiredCount = required.size;
    const any = struct?.requiredAny;
    this.requiredAny = any && Uint8Array.from(this.names, (name) => (any.includes(name) ? 1 : 0));
    this.mayBeEmpty = struct?.required !== undefined;
    this.variantToken = utf8(`"${struct?.variant?.name ?? ''}":`);
    this.minItems = schema.type === 'list' ? (schema.minItems ?? 1) : 1;
    this.maxItems = many?.maxItems ?? 0;
    this.pathNames = schema.type === 'map' && schema.names === 'path';
  }
}

/** Between quotes as RFC 8785 writes it, by ascending bytes. */
function allowedTexts(options: readonly string[] | undefined, constant: string | undefined): readonly Uint8Array[] | undefined {
  if (options === undefined && constant === undefined) return undefined;
  const texts = (options ?? [constant!]).filter((text) => constant === undefined || text === constant);
  return texts.map((text) => utf8(JSON.stringify(text).slice(1, -1))).sort(compareBytes);
}

/** Slots of the texts of one item of a list. */
export interface MaterialSlots {
  readonly supplier: number;
  readonly batch: number;
  readonly report: number;
}
export interface LinkSlots {
  readonly rel: number;
  readonly type: number;
  readonly id: number;
  readonly org: number;
}

/** A text that counts as its value, however it is spelled. */
export interface ValuePart {
  /** Dotted. */
  readonly path: string;
  readonly slot: number;
  readonly value: 'text' | 'time' | 'number';
}
/** One text of the key. */
export interface KeyPart extends ValuePart {
  readonly name: string;
  /** `"name":"` */
  readonly token: Uint8Array;
}

export interface ScanPlan {
  readonly root: PlanNode;
  readonly slotCount: number;
  readonly placeCount: number;
  /** Dotted path -> place. */
  readonly places: ReadonlyMap<string, number>;
  readonly recordKey: number;
  /** By ascending name, for the key as text. */
  readonly keyParts: readonly KeyPart[];
  readonly provable: readonly ValuePart[];
  readonly product: number;
  readonly productionBatch: number;
  readonly extProductionBatch: number;
  readonly device: number;
  readonly extDevice: number;
  readonly factory: number;
  readonly time: number;
  readonly report: number;
  readonly verdict: number;
  /** Slots of the materials of a record, and whether the record itself is the one material. */
  readonly material: MaterialSlots | undefined;
  readonly materialIsRecord: boolean;
  readonly link: LinkSlots;
}

/** undefined when the scanner cannot read the class. */
export function planOf(definition: ClassDefinition): ScanPlan | undefined {
  try {
    return new Planner().plan(definition);
  } catch (error) {
    if (error instanceof NotPlannable) return undefined;
    throw error;
  }
}

class NotPlannable extends Error {}

class Planner {
  #slots = 0;
  readonly #places = new Map<string, number>();

  plan({ body, facts, key, provable = [] }: ClassDefinition): ScanPlan {
    const schema: StructSchema = { ...body, properties: { ...body.properties, ext: EXT_SCHEMA } };
    const root = this.#node(schema, '', 0);
    const slot = (path: string | undefined): number => (path === undefined ? NO_SLOT : this.#slotAt(root, path));
    const ext = memberOf(root, 'ext')!;
    const links = memberOf(ext, 'links')!.inner!;
    links.role = 'link';
    const filled = memberOf(ext, 'filled')!.inner!;
    memberOf(filled, 'path')!.role = 'reference';
    if (filled.variant) {
      memberOf(filled.variant, 'mapping')!.role = 'mapping';
      memberOf(filled.variant, 'paths')!.inner!.role = 'reference';
    }
    memberOf(ext, 'units')!.role = 'reference';
    const plan: ScanPlan = {
      root,
      recordKey: slot('ext.record_key'),
      keyParts: key.map((path) => this.#keyPart(root, path)).sort((a, b) => (a.name < b.name ? -1 : 1)),
      provable: provable.map((path) => this.#valuePart(root, path)),
      product: slot(facts.product),
      productionBatch: slot(facts.productionBatch),
      extProductionBatch: slot('ext.production_batch'),
      device: slot(facts.device),
      extDevice: slot('ext.device_id'),
      factory: slot(facts.factory),
      time: slot(facts.time),
      report: slot(facts.report),
      verdict: slot(facts.verdict),
      material: facts.materials && this.#material(root, facts.materials),
      materialIsRecord: facts.materials?.list === '',
      link: {
        rel: this.#slotAt(links, 'rel'),
        type: this.#slotAt(links, 'type'),
        id: this.#slotAt(links, 'id'),
        org: this.#slotAt(links, 'org'),
      },
      places: this.#places,
      placeCount: this.#places.size,
      slotCount: this.#slots,
    };
    for (const [repeat, name] of REPEATED.entries()) {
      const node = memberOf(ext, name)!;
      if (!hasSlot(node)) node.repeat = repeat;
    }
    return plan;
  }

  /** @param path dotted, the same for a list and its item, which may stand in its place; undefined inside maps */
  #node(schema: FieldSchema, path: string | undefined, depth: number): PlanNode {
    if (depth >= JSON_DEPTH_MAX) throw new NotPlannable();
    const node = new PlanNode(schema);
    if (path !== undefined && !this.#places.has(path)) {
      node.place = this.#places.size;
      this.#places.set(path, node.place);
    }
    switch (schema.type) {
      case 'text':
      case 'decimal':
        return node;
      case 'list':
        node.inner = this.#node(schema.items, path, depth + 1);
        return node;
      case 'map':
        node.inner = this.#node(schema.values, undefined, depth + 1);
        return node;
      case 'struct': {
        const { properties, required = [], requiredAny = [], variant } = schema;
        if (!node.names.every(isFieldName)) throw new NotPlannable();
        if (![...required, ...requiredAny].every((name) => Object.hasOwn(properties, name))) throw new NotPlannable();
        node.members = node.names.map((name) =>
          this.#node(properties[name]!, path === undefined ? undefined : path === '' ? name : `${path}.${name}`, depth + 1),
        );
        if (variant) {
          node.variant = this.#node(variant.schema, undefined, depth);
          // Its name comes first wherever it stands, so that the first name of a struct tells which of the two it is.
          if (node.variant.names[0] !== variant.name || !(variant.name < node.names[0]!)) throw new NotPlannable();
        }
        return node;
      }
    }
  }

  #slotAt(from: PlanNode, path: string): number {
    const leaf = leafAt(from, path);
    if (leaf.slot === NO_SLOT) leaf.slot = this.#slots++;
    return leaf.slot;
  }

  #valuePart(root: PlanNode, path: string): ValuePart {
    const leaf = leafAt(root, path);
    const value = leaf.format === 'time' ? 'time' : leaf.kind === 'decimal' || leaf.format === 'integer' ? 'number' : 'text';
    return { path, slot: this.#slotAt(root, path), value };
  }

  #keyPart(root: PlanNode, path: string): KeyPart {
    const name = keyNameOf(path);
    return { ...this.#valuePart(root, path), name, token: utf8(`${JSON.stringify(name)}:"`) };
  }

  #material(root: PlanNode, { list, supplier, batch, report }: NonNullable<ClassDefinition['facts']['materials']>): MaterialSlots {
    const field = list === '' ? root : nodeAt(root, list);
    const item = field.kind === 'list' ? field.inner! : field;
    if (item.kind !== 'struct' || item.role !== 'none') throw new NotPlannable();
    if (list !== '') item.role = 'material';
    return {
      supplier: this.#slotAt(item, supplier),
      batch: this.#slotAt(item, batch),
      report: report === undefined ? NO_SLOT : this.#slotAt(item, report),
    };
  }
}

/** Members of `ext` that say how a sender made its records. */
const REPEATED = ['filled', 'units'];

function hasSlot(node: PlanNode): boolean {
  const within = [...node.members, ...(node.variant ? [node.variant] : []), ...(node.inner ? [node.inner] : [])];
  return node.slot !== NO_SLOT || within.some(hasSlot);
}

function memberOf(node: PlanNode, name: string): PlanNode | undefined {
  const at = node.names.indexOf(name);
  return at < 0 ? undefined : node.members[at];
}

/** The field at a dotted path through structs. */
function nodeAt(from: PlanNode, path: string): PlanNode {
  let node = from;
  for (const part of path.split('.')) {
    const member = node.kind === 'struct' ? memberOf(node, part) : undefined;
    if (member === undefined) throw new NotPlannable();
    node = member;
  }
  return node;
}

function leafAt(from: PlanNode, path: string): PlanNode {
  const leaf = nodeAt(from, path);
  if ((leaf.kind !== 'text' && leaf.kind !== 'decimal') || leaf.sealed) throw new NotPlannable();
  return leaf;
}
