/** Contents made from a class by chance, good and bad. */
import type { ClassDefinition, ContentForm, FieldSchema, StructSchema } from '../../../../contracts/index.ts';
import { EXT_SCHEMA } from '../../../../contracts/index.ts';
import type { TextStruct, TextTree } from '../../../../node/format/index.ts';
import type { SeededRandom } from '../../../simulation/random.ts';
import { HEX, NAMES, NUMBERS, PATHS, TEXTS, TIMES } from './sample-texts.ts';

export class ContentMaker {
  readonly #random: SeededRandom;
  readonly #form: ContentForm;
  /** Whether all of this content is meant to be taken. */
  #careful = true;

  constructor(random: SeededRandom, form: ContentForm) {
    this.#random = random;
    this.#form = form;
  }

  /** Mostly content that the class takes. */
  content(definition: ClassDefinition): TextStruct {
    const schema: StructSchema = { ...definition.body, properties: { ...definition.body.properties, ext: EXT_SCHEMA } };
    this.#careful = this.#random.chance(0.7);
    const content = this.#struct(schema);
    this.#nameFields(content);
    return this.#random.chance(0.4) ? (this.#disturbed(content) as TextStruct) : content;
  }

  #slip(probability: number): boolean {
    return !this.#careful && this.#random.chance(probability);
  }

  /** `ext.filled` and `ext.units` name fields that are there. */
  #nameFields(content: TextStruct): void {
    const ext = content.ext as Record<string, TextTree> | undefined;
    if (ext === undefined) return;
    const paths = [...pathsOf(content, '')].filter((path) => !path.startsWith('ext.filled') && !path.startsWith('ext.units'));
    const path = (): string => (this.#slip(0.2) ? this.#random.pick(PATHS) : this.#random.pick(paths));
    const entry = (): TextStruct =>
      this.#random.chance(0.5)
        ? { path: path(), rule: 'r' }
        : { mapping: this.#random.pick(['m/1', 'm/2']), paths: this.#random.chance(0.5) ? path() : [path(), path()] };
    if (ext.filled !== undefined) ext.filled = this.#random.chance(0.5) ? entry() : [entry(), entry(), entry()];
    if (ext.units !== undefined) ext.units = { [path()]: 'kg', [path()]: 'K' };
  }

  #value(schema: FieldSchema): TextTree {
    switch (schema.type) {
      case 'struct':
        return this.#struct(schema);
      case 'list': {
        const least = schema.minItems ?? 1;
        const count = this.#slip(0.05) ? this.#random.integer(0, 5) : this.#random.integer(least, Math.min(schema.maxItems, least + 2));
        if (count === 1 && !this.#slip(0.1)) return this.#value(schema.items);
        return Array.from({ length: count }, () => this.#value(schema.items));
      }
      case 'map': {
        const names = schema.names === 'path' ? PATHS : NAMES;
        const count = this.#random.integer(this.#slip(0.05) ? 0 : 1, Math.min(schema.maxItems + (this.#slip(0.05) ? 1 : 0), 4));
        const name = (): string => (this.#slip(0.2) ? this.#random.pick(names) : names[this.#random.integer(0, 3)]!);
        return Object.fromEntries(Array.from({ length: count }, () => [name(), this.#value(schema.values)]));
      }
      default:
        if (schema.sealed && this.#form === 'sealed' && !this.#slip(0.02)) return { sealed: HEX };
        return this.#leaf(schema);
    }
  }

  #struct(schema: StructSchema): TextStruct {
    const chosen = schema.variant && this.#random.chance(0.5) ? schema.variant.schema : schema;
    const out: Record<string, TextTree> = {};
    const either = chosen.requiredAny ?? [];
    const wanted = new Set([
      ...(chosen.required ?? []),
      ...(this.#slip(0.2) ? [] : either.slice(this.#random.integer(0, either.length - 1))),
    ]);
    for (const [name, field] of Object.entries(chosen.properties)) {
      if (wanted.has(name) ? !this.#slip(0.02) : this.#random.chance(0.4)) out[name] = this.#value(field);
    }
    if (Object.keys(out).length === 0 && !this.#slip(0.3)) {
      const [name, field] = this.#random.pick(Object.entries(chosen.properties));
      out[name] = this.#value(field);
    }
    return out;
  }

  #leaf(schema: Extract<FieldSchema, { type: 'text' | 'decimal' }>): string {
    const pick = this.#random;
    if (this.#slip(0.04)) return pick.pick([...TEXTS, ...NUMBERS, ...TIMES, ...PATHS]);
    if (schema.unavailable && pick.chance(0.2)) return 'UNAVAILABLE';
    if (schema.type === 'decimal') return this.#slip(0.2) ? pick.pick(NUMBERS) : pick.pick(['0', '1', '8.50', '+7.0', '4e0']);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return pick.pick(schema.enum);
    switch (schema.format) {
      case 'time':
        return this.#slip(0.4) ? pick.pick(TIMES) : pick.pick(TIMES.slice(0, 10));
      case 'digest':
        return HEX;
      case 'integer':
        return this.#slip(0.2) ? pick.pick(NUMBERS) : String(pick.integer(0, 999));
      case 'unit':
        return pick.pick(['kg', 'N.m', '%', '\u00b5m', '/min', '{a"b\\c}']);
      case 'mediaType':
        return pick.pick(['application/pdf', 'text/x+y', '2/3']);
      case 'path':
        return this.#slip(0.2) ? pick.pick(PATHS) : pick.pick(PATHS.slice(0, 4));
      default:
        return this.#slip(0.3) ? pick.pick(TEXTS) : pick.pick(['ab', 'abc', 'a"b', '昆明', 'é\n']);
    }
  }

  /** One place of the tree made otherwise. */
  #disturbed(tree: TextTree): TextTree {
    const random = this.#random;
    if (typeof tree === 'string' || random.chance(0.15)) return this.#other(tree);
    if (Array.isArray(tree)) {
      const items = tree as readonly TextTree[];
      if (items.length === 0) return this.#other(tree);
      const at = random.integer(0, items.length - 1);
      return items.map((item, i) => (i === at ? this.#disturbed(item) : item));
    }
    const entries = Object.entries(tree);
    if (entries.length === 0) return this.#other(tree);
    const at = random.integer(0, entries.length - 1);
    const [name, value] = entries[at]!;
    switch (random.integer(0, 5)) {
      case 0:
        entries.splice(at, 1);
        break;
      case 1:
        entries.push([random.pick([...NAMES, 'ext', 'path', 'rule', 'mapping', 'paths', 'sealed']), value]);
        break;
      case 2:
        entries[at] = [random.pick(NAMES), value];
        break;
      default:
        entries[at] = [name, this.#disturbed(value)];
    }
    return Object.fromEntries(entries.filter(([each]) => each !== '__proto__'));
  }

  #other(tree: TextTree): TextTree {
    const random = this.#random;
    switch (random.integer(0, 7)) {
      case 0:
        return [tree];
      case 1:
        return [tree, tree];
      case 2:
        return [];
      case 3:
        return {};
      case 4:
        return { sealed: HEX };
      case 5:
        return { [random.pick(NAMES.filter((name) => name !== '__proto__'))]: tree };
      default:
        return random.pick([...TEXTS, ...NUMBERS, ...TIMES, ...PATHS]);
    }
  }
}

/** Dotted paths of all that stands in a tree; an item is also found under its number where it stands alone. */
function* pathsOf(tree: TextTree, path: string): Generator<string> {
  if (path !== '') yield path;
  if (typeof tree === 'string') return;
  if (!Array.isArray(tree) && path !== '') yield `${path}.1`;
  const members = Array.isArray(tree) ? tree.map((item: TextTree, i) => [`${i + 1}`, item] as const) : Object.entries(tree);
  for (const [name, member] of members) yield* pathsOf(member as TextTree, path === '' ? name : `${path}.${name}`);
}
