/**
 * XML bodies in annex form: root `record`, or `records` holding `record` elements; a field is an element, a repeated element a list. Strict
 * well-formedness by saxes, with its line-end rules. Document types (and with them entities beyond the five), processing instructions,
 * attributes, name prefixes and mixed content are refused: the annex has no use for them, and every XML attack needs one.
 */
import { SaxesParser } from 'saxes';
import { fromUtf8, type TextStruct, type TextTree } from '../../format/index.ts';
import {
  BODY_BYTES_MAX,
  BODY_DEPTH_MAX,
  BODY_FAULTS_MAX,
  BODY_RECORDS_MAX,
  type BodyFault,
  type ParsedBody,
  type ParsedRecord,
  type ParseSteps,
  placeUnder,
  refusedBody,
} from './body.ts';

export const XML_ELEMENTS_MAX = 2_000_000; // elements of one body
const XML_SPACE = /^[ \t\r\n]*$/;

interface Element {
  readonly name: string;
  /** Path with positions among siblings of one name, from 1. */
  readonly path: string;
  text: string;
  readonly children: Map<string, TextTree[]>;
}

/** Ends the reading; any other fault lets it go on, so that what the class finds is told as well. */
class Stop extends Error {}

/** One step some kilobytes. */
export function* parseXmlSteps(bytes: Uint8Array): ParseSteps {
  if (bytes.length > BODY_BYTES_MAX) return refusedBody('xml', 'FORMAT_TOO_LARGE', { path: '/' }, { bytesMax: `${BODY_BYTES_MAX}` });
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return refusedBody('xml', 'FORMAT_NOT_UTF8', { path: '/' });
  }
  const builder = new XmlBuilder();
  try {
    yield* builder.read(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { ok: false, format: 'xml', faults: builder.faults };
  }
  const { faults, root } = builder;
  const parsed = recordsOf(root!.name, root!.tree); // whoever reads to the end has met a root
  if (faults.length === 0) return parsed;
  return parsed.ok ? { ...parsed, faults } : { ...parsed, faults: [...faults, ...parsed.faults].slice(0, BODY_FAULTS_MAX) };
}

class XmlBuilder {
  readonly faults: BodyFault[] = [];
  root: { readonly name: string; readonly tree: TextTree } | undefined;
  readonly #open: Element[] = [];
  readonly #parser = new SaxesParser({ xmlns: false, position: true });
  #elements = 0;

  constructor() {
    const parser = this.#parser;
    parser.on('error', (error) => {
      this.#stop('XML_MALFORMED', { reason: error.message.replace(/^[0-9]+:[0-9]+: /, '') });
    });
    parser.on('xmldecl', ({ encoding, version }) => {
      if (encoding !== undefined && !/^utf-8$/i.test(encoding)) this.#stop('FORMAT_NOT_UTF8', { encoding });
      if (version !== undefined && version !== '1.0') this.#stop('XML_VERSION', { version });
    });
    parser.on('doctype', () => this.#stop('XML_DOCTYPE_REFUSED'));
    parser.on('processinginstruction', ({ target }) => {
      this.#fault('XML_INSTRUCTION_REFUSED', { target });
    });
    parser.on('opentagstart', (tag) => {
      this.#enter(tag.name);
    });
    parser.on('attribute', ({ name }) => {
      this.#fault('XML_ATTRIBUTE_REFUSED', { attribute: name });
    });
    parser.on('text', (text) => {
      this.#text(text);
    });
    parser.on('cdata', (text) => {
      this.#text(text);
    });
    parser.on('closetag', () => {
      this.#leave();
    });
  }

  *read(text: string): Generator<void, void, void> {
    const CHUNK = 16_384; // characters of one step
    for (let i = 0; i < text.length; i += CHUNK) {
      this.#parser.write(text.slice(i, i + CHUNK));
      yield;
    }
    this.#parser.close();
  }

  #enter(name: string): void {
    const parent = this.#open.at(-1);
    const siblings = parent?.children.get(name)?.length ?? 0;
    const path = `${parent?.path ?? ''}/${name}${siblings > 0 ? `[${siblings + 1}]` : ''}`;
    this.#open.push({ name, path, text: '', children: new Map() });
    if (this.#open.length > BODY_DEPTH_MAX) this.#stop('XML_TOO_DEEP', { depthMax: `${BODY_DEPTH_MAX}` });
    if (++this.#elements > XML_ELEMENTS_MAX) this.#stop('XML_TOO_MANY_ELEMENTS', { countMax: `${XML_ELEMENTS_MAX}` });
    if (parent !== undefined && this.#open.length === 2 && siblings >= BODY_RECORDS_MAX)
      this.#stop('FORMAT_TOO_MANY_RECORDS', { countMax: `${BODY_RECORDS_MAX}` });
    if (isRefusedName(name)) this.#fault('XML_NAME_REFUSED', { name });
  }

  #text(text: string): void {
    const element = this.#open.at(-1);
    if (element) element.text += text;
  }

  #leave(): void {
    const element = this.#open.at(-1)!;
    const mixed = element.children.size > 0 && !XML_SPACE.test(element.text);
    if (mixed) this.#fault('XML_MIXED_CONTENT');
    this.#open.pop();
    const tree = element.children.size === 0 ? element.text : structOf(element.children);
    const parent = this.#open.at(-1);
    if (!parent) {
      this.root = { name: element.name, tree };
      return;
    }
    const items = parent.children.get(element.name);
    if (items) items.push(tree);
    else parent.children.set(element.name, [tree]);
  }

  #fault(code: string, data: BodyFault['data'] = {}): void {
    this.faults.push({
      code,
      place: { path: this.#open.at(-1)?.path ?? '/' },
      data: { ...data, line: `${this.#parser.line}`, column: `${this.#parser.column + 1}` },
    });
    if (this.faults.length >= BODY_FAULTS_MAX) throw new Stop();
  }

  #stop(code: string, data: BodyFault['data'] = {}): never {
    this.#fault(code, data);
    throw new Stop();
  }
}

function isRefusedName(name: string): boolean {
  return name === '__proto__' || name.includes(':');
}

function structOf(children: ReadonlyMap<string, readonly TextTree[]>): TextStruct {
  const out: Record<string, TextTree> = {};
  for (const [name, items] of children) if (!isRefusedName(name)) out[name] = items.length === 1 ? items[0]! : items;
  return out;
}

function recordsOf(root: string, tree: TextTree): ParsedBody {
  if (root === 'record') {
    if (!isStruct(tree)) return refusedBody('xml', 'FORMAT_NOT_A_RECORD', { path: '/record' });
    return { ok: true, format: 'xml', records: [recordAt(tree, '/record')] };
  }
  if (root !== 'records') return refusedBody('xml', 'XML_ROOT_UNKNOWN', { path: `/${root}` }, { name: root, expected: 'record | records' });
  const other = isStruct(tree) ? Object.keys(tree).find((name) => name !== 'record') : undefined;
  if (other !== undefined)
    return refusedBody('xml', 'FORMAT_NOT_A_RECORD', { path: `/records/${other}` }, { name: other, expected: 'record' });
  if (!isStruct(tree))
    return refusedBody('xml', typeof tree === 'string' && XML_SPACE.test(tree) ? 'FORMAT_NO_RECORDS' : 'FORMAT_NOT_A_RECORD', {
      path: '/records',
    });
  const items: readonly TextTree[] = Array.isArray(tree.record) ? tree.record : [tree.record!];
  const faults: BodyFault[] = [];
  const records: ParsedRecord[] = [];
  items.forEach((item, i) => {
    const path = `/records/record${items.length > 1 ? `[${i + 1}]` : ''}`;
    if (isStruct(item)) records.push(recordAt(item, path));
    else if (faults.length < BODY_FAULTS_MAX) faults.push({ code: 'FORMAT_NOT_A_RECORD', place: { path }, data: {} });
  });
  return faults.length === 0 ? { ok: true, format: 'xml', records } : { ok: false, format: 'xml', faults };
}

function recordAt(tree: TextStruct, top: string): ParsedRecord {
  const at = { path: top };
  return { tree, at, locate: (path) => placeUnder(at, path) };
}

function isStruct(tree: TextTree): tree is TextStruct {
  return typeof tree === 'object' && !Array.isArray(tree);
}
