/** Contents made from a class by chance, good and bad, and mutants of their bytes: what the scanner is compared with reader and checker on. */
import type { ClassDefinition, ContentForm, FieldSchema, StructSchema } from '../../../../contracts/index.ts';
import { EXT_SCHEMA } from '../../../../contracts/index.ts';
import { encodeContent, type TextStruct, type TextTree, utf8 } from '../../../../node/format/index.ts';
import type { SeededRandom } from '../../../simulation/random.ts';

const HEX = '0123456789abcdef'.repeat(4);

const TIMES = [
  ...[
    '2025-08-09T08:00:01+08:00',
    '2020-01-06T00:00:00.000000Z',
    '2025-08-09T08:00:01Z',
    '2025-08-09t08:00:01z',
    '2025-08-09T08:00:01.000Z',
  ],
  ...[
    '2025-08-09T08:00:01.1234567890Z',
    '2025-08-09T08:00:01.10-05:30',
    '2016-12-31T23:59:60Z',
    '2016-12-31T23:59:60.5Z',
    '2017-01-01T07:59:60+08:00',
  ],
  ...[
    '2016-12-30T23:59:60Z',
    '2016-12-31T23:58:60Z',
    '1754697600000',
    '1754697600',
    '175469760000a',
    '0000-01-01T00:00:00+01:00',
    '0000-06-01T00:00:00Z',
  ],
  ...[
    '9999-12-31T23:59:59-01:00',
    '9999-12-31T23:59:59Z',
    '0001-01-01T00:00:00+23:59',
    '2024-02-29T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
  ],
  ...[
    '2025-13-01T00:00:00Z',
    '2025-00-01T00:00:00Z',
    '2025-04-31T00:00:00Z',
    '2025-08-09T24:00:00Z',
    '2025-08-09T08:60:00Z',
    '2025-08-09T08:00:00+24:00',
  ],
  ...[
    '2025-08-09T08:00:00+08:60',
    '2025-08-09T08:00:00+0800',
    '2025-08-09T08:00:00.Z',
    '2025-08-09 08:00:00Z',
    '2025-08-09T08:00:00',
    '2025-8-9T08:00:00Z',
  ],
  ...[
    `2025-08-09T08:00:01.${'1'.repeat(43)}Z`,
    `2025-08-09T08:00:01.${'1'.repeat(44)}Z`,
    '２０２５-08-09T08:00:01Z',
    '2025-08-09T08:00:01.Z5',
    '1969-12-31T23:59:59.999999Z',
  ],
];
const NUMBERS = [
  ...[
    '0',
    '-0.00',
    '+040.0',
    '4e1',
    '1E-4',
    '1e1234',
    '1e12345',
    '.5',
    '5.',
    '1.2.3',
    '-',
    '+',
    'e5',
    '1e',
    '1e+',
    '-1.5',
    '-1.50001',
    '2000',
    '2000.0',
    '2e3',
    '2001',
  ],
  ...['٣', 'NaN', '0x10', '1_000', ' 1', '1 ', '9'.repeat(128), '9'.repeat(129), `1e${'0'.repeat(4)}`, '9', '9.1', '-12', '+7', '1\\u0030'],
];
const PATHS = [
  ...[
    'product_uid',
    'propara.pro_temperature',
    'pro_raw_material.pro_supplier',
    'pro_raw_material.1.pro_supplier',
    'pro_raw_material.2.pro_supplier',
  ],
  ...[
    'ext.device_id',
    'ext.parameters',
    'ext.parameters.torque',
    'ext.parameters.torque.value',
    'ext.units',
    'ext',
    'ext.filled',
    'ext.filled.1.path',
    'pro_op_info',
  ],
  ...[
    'pro_op_info.pro_op_name.sealed',
    'pro_op_info.pro_op_name.1',
    'product_uid.1',
    'propara.1.pro_humidity',
    '1',
    '1.1',
    '0',
    'a..b',
    '',
    '.',
    'a.',
    '__proto__',
    'a.__proto__',
  ],
  ...[
    'constructor',
    'number',
    'where.line',
    'where.1.line',
    'parts.1.name',
    'parts.2.tags',
    'parts.name',
    'part.supplier',
    'more.name',
    'more.1',
    '名称',
    'byName.a',
    'sealed.sealed',
  ],
  ...[
    'sealed.sealed.sealed',
    '100000',
    '99999',
    'x'.repeat(128),
    'x'.repeat(129),
    'a b',
    'é.ñ',
    '×',
    '𝒳',
    `${'a.'.repeat(255)}ab`,
    `${'a.'.repeat(256)}a`,
    'verdict',
    'quantity',
    'status',
  ],
];
const TEXTS = [
  ...[
    '',
    ' ',
    '\t',
    '\n',
    '\u00a0',
    '\u3000',
    '\u200b',
    '\u2003 \u2060',
    '\ufeff',
    '\u00ad',
    '\u007f',
    '\u0080',
    '\u180e',
    '\ud7ff',
    '\ue000',
    '\ufffd',
    '\u{1f600}',
    '\u{1fffe}',
  ],
  ...[
    'a',
    'on',
    'off',
    'aa',
    'é',
    'x"y\n',
    '"',
    '\\',
    'a"b\\c',
    '\\"',
    'UNAVAILABLE',
    'UNAVAILABLE ',
    'unavailable',
    '昆明',
    '李雷',
    '\u{1f600}'.repeat(8),
    '\u{1f600}'.repeat(9),
  ],
  ...[
    'null',
    '__proto__',
    'pass',
    'consumes',
    'product',
    'running',
    'kg',
    'N.m',
    'K ',
    '%',
    '\u00b5m',
    '\ue000m',
    'application/pdf',
    'text/',
    '/x',
    'a/b/c',
    'A/b',
    'text/x+y',
    '2/3',
  ],
  ...[
    HEX,
    HEX.slice(1),
    HEX.toUpperCase(),
    'x'.repeat(256),
    'x'.repeat(257),
    '\u4e00'.repeat(256),
    '\u4e00'.repeat(257),
    'xyz',
    'wxyz',
    'vwxyz',
    '\ufeffa',
    '\u200ba',
    ' a ',
  ],
];
const NAMES = [
  'torque',
  'a',
  'b-2',
  '温度',
  '-a',
  '1a',
  '',
  'x y',
  '__proto__',
  '_',
  '__',
  'é',
  '×',
  '\u037e',
  '𝒳',
  'x'.repeat(128),
  'x'.repeat(129),
  'constructor',
  '\u4e00'.repeat(128),
  'a"',
  'value',
  'token',
];

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

const MARKS = utf8('ab0129.-+"{}[],:\\nrtu/ZTeUzE \u0000\u007f');
/** Characters and halves of them that UTF-8 or the formats refuse, and neighbours that they take. */
const SEQUENCES = [
  ...[
    [0xc0, 0x80],
    [0xc1, 0xbf],
    [0xc2, 0x80],
    [0xdf, 0xbf],
    [0xe0, 0x9f, 0xbf],
    [0xe0, 0xa0, 0x80],
    [0xed, 0x9f, 0xbf],
    [0xed, 0xa0, 0x80],
    [0xee, 0x80, 0x80],
  ],
  ...[
    [0xef, 0xbf, 0xbd],
    [0xef, 0xbf, 0xbe],
    [0xef, 0xbf, 0xbf],
    [0xef, 0xbb, 0xbf],
    [0xf0, 0x8f, 0xbf, 0xbf],
    [0xf0, 0x90, 0x80, 0x80],
    [0xf4, 0x8f, 0xbf, 0xbf],
    [0xf4, 0x90, 0x80, 0x80],
  ],
  ...[
    [0xf5, 0x80, 0x80, 0x80],
    [0x80],
    [0xbf],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x98],
    [0xc2],
    [0xff],
    [0xf0, 0x9f, 0xbf, 0xbe],
    [0x5c, 0x75, 0x30, 0x30, 0x34, 0x31],
    [0x5c, 0x2f],
    [0x5c, 0x62],
    [0x5c, 0x6e],
  ],
];

/** Bytes of which some are still content: what encodeContent cannot write is undefined. */
export function encoded(content: TextStruct): Uint8Array | undefined {
  try {
    return encodeContent(content);
  } catch {
    return undefined;
  }
}

/** One change of the bytes. */
export function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const at = random.integer(0, bytes.length);
  const end = Math.min(bytes.length, at + random.integer(0, 12));
  switch (random.integer(0, 13)) {
    case 0:
      return spliced(bytes, at, at + 1, Uint8Array.of(random.u32() & 255));
    case 1:
      return spliced(bytes, at, at + 1, Uint8Array.of(random.pick([...MARKS])));
    case 2:
      return spliced(bytes, at, end, new Uint8Array(0));
    case 3: {
      const from = random.integer(0, bytes.length);
      return spliced(bytes, at, at, bytes.subarray(from, from + random.integer(1, 20)));
    }
    case 4:
      return spliced(bytes, at, random.chance(0.5) ? at : end, Uint8Array.from(random.pick(SEQUENCES)));
    case 5:
      return bytes.subarray(0, at);
    case 6:
      return spliced(bytes, bytes.length, bytes.length, Uint8Array.of(random.pick([...MARKS])));
    case 7:
      return mutated(random, mutated(random, bytes));
    default:
      return reworded(random, bytes);
  }
}

const QUOTE = 0x22;

/** One text, most often a value, lengthened, shortened or replaced. */
function reworded(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const quotes = [...bytes.keys()].filter((at) => bytes[at] === QUOTE);
  const open = quotes.length < 2 ? 0 : random.integer(0, (quotes.length >>> 1) - 1) * 2;
  const from = (quotes[open] ?? 0) + 1;
  const to = quotes[open + 1] ?? bytes.length;
  const at = random.integer(from, Math.max(from, to));
  switch (random.integer(0, 4)) {
    case 0:
      return spliced(bytes, at, at, Uint8Array.from(random.pick(SEQUENCES)));
    case 1:
      return spliced(bytes, at, at + 1, new Uint8Array(0));
    case 2:
      return spliced(bytes, at, at, Uint8Array.of(random.pick([...MARKS])));
    case 3:
      return spliced(bytes, at, Math.min(to, at + 1), Uint8Array.of(0x30 + random.integer(0, 9)));
    default:
      return spliced(bytes, from, to, utf8(JSON.stringify(random.pick([...TEXTS, ...NUMBERS, ...TIMES, ...PATHS])).slice(1, -1)));
  }
}

function spliced(bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(to, bytes.length));
  const out = new Uint8Array(Math.min(from, bytes.length) + put.length + tail.length);
  out.set(bytes.subarray(0, from));
  out.set(put, Math.min(from, bytes.length));
  out.set(tail, Math.min(from, bytes.length) + put.length);
  return out;
}
