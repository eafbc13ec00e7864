/**
 * One pass over the canonical text of a record: RFC 8785 form, UTF-8, every rule of its class, references, facts and key, without a tree.
 * It takes exactly what decodeContent and checkContent take, and tells what factsOf and keyOf tell
 * (test/unit/contracts/classes/scan.test.ts compares them); what it refuses is read again by those, which can say what is wrong (judge.ts).
 * Work and depth are bounded by the text and the class.
 */
import {
  compareDecimal,
  decodeContent,
  JSON_DEPTH_MAX,
  type RecordPath,
  type TextStruct,
  UNAVAILABLE,
  utf8,
  valueAt,
} from '../../node/format/index.ts';
import { type ContentForm, isBlank } from './check.ts';
import type { RecordFacts } from './facts.ts';
import { FactSlots, type ScannedKey } from './scan-facts.ts';
import { NO_SLOT, type PlanNode, planOf, type ScanPlan } from './scan-plan.ts';
import {
  beginsVisibly,
  compareToken,
  HEX_DIGEST_LENGTH,
  isBefore,
  isDecimalAt,
  isDigestAt,
  isIntegerAt,
  isMediaTypeAt,
  isNameAt,
  isOneOf,
  isPathAt,
  isUnitAt,
  sameBytesAt,
  TextScanner,
  textOf,
  timeAt,
} from './scan-text.ts';
import type { ClassDefinition } from './schema.ts';

export interface ScannedContent extends ScannedKey {
  readonly facts: RecordFacts;
  /** Sealed fields that stand in clear, in the order of the text; none in the sealed form. */
  readonly clear: readonly ClearField[];
}

/** Where the value of a sealed field stands in clear, quotes included. */
export interface ClearField {
  readonly path: RecordPath;
  readonly value: string;
  readonly from: number;
  readonly to: number;
}

/**
 * undefined when `bytes` are not the canonical text of content that its class takes in this form, and when the scanner cannot read the
 * class. A list of one is refused in either form: it stands as its item in what is stored.
 * @param beforeTree called before the bytes are read as a tree, for a path that leads through a list or a map
 */
export function scanContent(
  definition: ClassDefinition,
  bytes: Uint8Array,
  form: ContentForm,
  beforeTree?: () => void,
): ScannedContent | undefined {
  return scannerOf(definition)?.scan(bytes, form, beforeTree);
}

/** A scan runs to its end in one piece, so one scanner serves all records of a class. */
const scanners = new WeakMap<ClassDefinition, ContentScanner | 'none'>();

function scannerOf(definition: ClassDefinition): ContentScanner | undefined {
  let scanner = scanners.get(definition);
  if (scanner === undefined) {
    const plan = planOf(definition);
    scanner = plan === undefined ? 'none' : new ContentScanner(plan);
    scanners.set(definition, scanner);
  }
  return scanner === 'none' ? undefined : scanner;
}

const OPEN_STRUCT = 0x7b;
const CLOSE_STRUCT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const SEALED_OPEN = utf8('{"sealed":"');
const SEALED_CLOSE = utf8('"}');
const UNAVAILABLE_BYTES = utf8(UNAVAILABLE);
/**
 * Zeros behind the content: no text goes on there, so that reading never leaves the array, which would make the engine read slower from
 * then on.
 */
const END_BYTES = 4; // of the longest character
const SHORT_BYTES = 65_536; // bytes of a content that is copied into the one array for all
const short = new Uint8Array(SHORT_BYTES + END_BYTES);

class ContentScanner extends TextScanner {
  readonly #plan: ScanPlan;
  #content: Uint8Array = short;
  readonly #facts: FactSlots;
  /** By place: 1 where the field is there. */
  readonly #there: Uint8Array;
  #sealedForm = true;
  /** Lists and maps that the scan is inside. */
  #around = 0;
  /** Paths that `ext.filled` and `ext.units` name: where each begins and ends, and its place or UNPLACED. */
  #references: number[] = [];
  readonly #known: KnownReference[] = [];
  /** By PlanNode.repeat: as it stood in the record before. */
  readonly #repeated: (RepeatedValue | undefined)[] = [];
  #clear: ClearField[] = [];
  /** Where the scan stands, in clear form: sealed fields are named by it. */
  readonly #path: (string | number)[] = [];

  constructor(plan: ScanPlan) {
    super();
    this.#plan = plan;
    this.#facts = new FactSlots(plan);
    this.#there = new Uint8Array(plan.placeCount);
  }

  scan(bytes: Uint8Array, form: ContentForm, beforeTree: (() => void) | undefined): ScannedContent | undefined {
    this.#begin(bytes, form);
    try {
      const fits = this.#value(this.#plan.root, 0) && this.at === bytes.length && this.#referencesHold(beforeTree);
      return fits ? this.#scanned() : undefined;
    } finally {
      this.bytes = short; // long content is not kept until the next record of the class
      this.#content = short;
      this.#facts.end();
    }
  }

  #scanned(): ScannedContent {
    const facts = this.#facts.facts();
    const { keyText, hasKey, respelled } = this.#facts.key();
    return { facts, keyText, hasKey, respelled, clear: this.#clear };
  }

  #begin(bytes: Uint8Array, form: ContentForm): void {
    this.#content = bytes;
    const copy = bytes.length <= SHORT_BYTES ? short : new Uint8Array(bytes.length + END_BYTES);
    copy.set(bytes);
    copy.fill(0, bytes.length, bytes.length + END_BYTES);
    this.bytes = copy;
    this.at = 0;
    this.#sealedForm = form === 'sealed';
    this.#facts.begin(copy);
    this.#there.fill(0);
    this.#references = [];
    this.#clear = [];
    this.#path.length = 0;
    this.#around = 0;
  }

  #value(node: PlanNode, depth: number): boolean {
    return node.repeat === NO_SLOT || !this.#sealedForm ? this.#anyValue(node, depth) : this.#repeatedValue(node, depth);
  }

  /** A value of the same bytes in the same place says the same. */
  #repeatedValue(node: PlanNode, depth: number): boolean {
    const from = this.at;
    const known = this.#repeated[node.repeat];
    if (known !== undefined && compareToken(this.bytes, from, known.text) === 0) {
      this.at += known.text.length;
      for (const place of known.there) this.#there[place] = 1;
      for (const mapping of known.mappings) this.#facts.takeMapping(mapping);
      for (let i = 0; i < known.references.length; i += 3)
        this.#references.push(from + known.references[i]!, from + known.references[i + 1]!, known.references[i + 2]!);
      return true;
    }
    const thereBefore = this.#there.slice();
    const referencesBefore = this.#references.length;
    const mappingsBefore = this.#facts.mappingCount;
    if (!this.#anyValue(node, depth)) return false;
    this.#repeated[node.repeat] = undefined;
    if (this.at - from > REPEATED_BYTES_MAX) return true;
    const references = this.#references.slice(referencesBefore);
    for (let i = 0; i < references.length; i += 3) {
      references[i + 2] = this.#placeOf(i / 3, references[i]!, references[i + 1]!);
      references[i]! -= from;
      references[i + 1]! -= from;
    }
    const there = [...this.#there.keys()].filter((place) => this.#there[place] !== thereBefore[place]);
    const mappings = this.#facts.mappingsFrom(mappingsBefore);
    this.#repeated[node.repeat] = { text: this.bytes.slice(from, this.at), references, there, mappings };
    return true;
  }

  #anyValue(node: PlanNode, depth: number): boolean {
    if (node.place !== NO_SLOT && this.#around === 0) this.#there[node.place] = 1;
    switch (node.kind) {
      case 'text':
      case 'decimal':
        return this.#leaf(node);
      case 'struct':
        return depth < JSON_DEPTH_MAX && this.#struct(node, depth);
      case 'list':
        if (this.bytes[this.at] === OPEN_LIST) return depth < JSON_DEPTH_MAX && this.#list(node, depth);
        return node.minItems <= 1 && this.#value(node.inner!, depth);
      case 'map':
        return depth < JSON_DEPTH_MAX && this.#map(node, depth);
    }
  }

  #list(node: PlanNode, depth: number): boolean {
    let count = 0;
    this.#around++;
    this.at++;
    if (this.bytes[this.at] === CLOSE_LIST) {
      this.at++;
      this.#around--;
      return node.minItems === 0;
    }
    for (;;) {
      if (!this.#sealedForm) this.#path.push(count);
      if (!this.#value(node.inner!, depth + 1)) return false;
      if (!this.#sealedForm) this.#path.pop();
      count++;
      const next = this.bytes[this.at++];
      if (next === CLOSE_LIST) break;
      if (next !== COMMA) return false;
    }
    this.#around--;
    return count > 1 && count >= node.minItems && count <= node.maxItems;
  }

  #map(node: PlanNode, depth: number): boolean {
    const { bytes } = this;
    if (bytes[this.at++] !== OPEN_STRUCT) return false;
    let count = 0;
    this.#around++;
    let previousFrom = 0;
    let previousTo = 0;
    for (;;) {
      if (!this.text()) return false;
      const { from, to } = this;
      if (!(node.pathNames ? isPathAt(bytes, from, to) : isNameAt(bytes, from, to))) return false;
      if (count++ > 0 && !isBefore(bytes, previousFrom, previousTo, from, to)) return false;
      if (node.role === 'reference') this.#references.push(from, to, UNPLACED);
      if (bytes[this.at++] !== COLON) return false;
      if (!this.#sealedForm) this.#path.push(textOf(bytes, from, to));
      if (!this.#value(node.inner!, depth + 1)) return false;
      if (!this.#sealedForm) this.#path.pop();
      previousFrom = from;
      previousTo = to;
      const next = bytes[this.at++];
      if (next === CLOSE_STRUCT) break;
      if (next !== COMMA) return false;
    }
    this.#around--;
    return count <= node.maxItems;
  }

  #struct(given: PlanNode, depth: number): boolean {
    const { bytes } = this;
    if (bytes[this.at++] !== OPEN_STRUCT) return false;
    const node = given.variant !== undefined && compareToken(bytes, this.at, given.variantToken) === 0 ? given.variant : given;
    if (given.role === 'material') this.#facts.forgetMaterial();
    else if (given.role === 'link') this.#facts.forgetLink();
    let required = 0;
    let any = node.requiredAny === undefined;
    if (bytes[this.at] === CLOSE_STRUCT) {
      this.at++;
      if (depth > 0 && !node.mayBeEmpty) return false;
    } else {
      let after = 0;
      for (;;) {
        const member = this.#name(node, after);
        if (member < 0) return false;
        required += node.required[member]!;
        if (node.requiredAny !== undefined && node.requiredAny[member] === 1) any = true;
        after = member + 1;
        if (!this.#sealedForm) this.#path.push(node.names[member]!);
        if (!this.#value(node.members[member]!, depth + 1)) return false;
        if (!this.#sealedForm) this.#path.pop();
        const next = bytes[this.at++];
        if (next === CLOSE_STRUCT) break;
        if (next !== COMMA) return false;
      }
    }
    if (required < node.requiredCount || !any) return false;
    if (given.role === 'material') this.#facts.takeMaterial();
    else if (given.role === 'link') this.#facts.takeLink();
    return true;
  }

  /**
   * The member, `after` or a later one, whose name and colon come next; negative when there is none. Names come in order, so the next one
   * is likely.
   */
  #name({ tokens }: PlanNode, after: number): number {
    let low = after;
    let high = tokens.length - 1;
    for (let at = low; low <= high; at = (low + high) >>> 1) {
      const token = tokens[at]!;
      const order = compareToken(this.bytes, this.at, token);
      if (order === 0) {
        this.at += token.length;
        return at;
      }
      if (order < 0) high = at - 1;
      else low = at + 1;
    }
    return -1;
  }

  #leaf(node: PlanNode): boolean {
    if (node.sealed && this.#sealedForm) return this.#commitment();
    const at = this.at;
    if (!this.text()) return false;
    const { bytes, from, to } = this;
    if (node.slot !== NO_SLOT) this.#facts.put(node.slot, from, to);
    if (node.role === 'reference') this.#references.push(from, to, UNPLACED);
    else if (node.role === 'mapping') this.#facts.takeMapping(this.lastText());
    if (node.sealed) this.#clear.push({ path: this.#path.slice(), value: this.lastText(), from: at, to: this.at });
    if (sameBytesAt(bytes, from, to, UNAVAILABLE_BYTES)) return node.unavailable;
    if (node.visible && !beginsVisibly(bytes, from, to) && isBlank(this.lastText())) return false;
    return node.kind === 'decimal' ? this.#decimal(node) : this.#textFits(node);
  }

  #decimal({ minimum, maximum }: PlanNode): boolean {
    if (!isDecimalAt(this.bytes, this.from, this.to)) return false;
    if (minimum === undefined && maximum === undefined) return true;
    const text = this.lastText();
    return (minimum === undefined || compareDecimal(text, minimum) >= 0) && (maximum === undefined || compareDecimal(text, maximum) <= 0);
  }

  #textFits({ minLength, maxLength, allowed, format }: PlanNode): boolean {
    const { bytes, from, to, points } = this;
    if (points < minLength || points > maxLength) return false;
    if (allowed !== undefined && !isOneOf(bytes, from, to, allowed)) return false;
    switch (format) {
      case 'none':
        return true;
      case 'time':
        return timeAt(bytes, from, to) !== undefined;
      case 'digest':
        return isDigestAt(bytes, from, to);
      case 'integer':
        return isIntegerAt(bytes, from, to);
      case 'unit':
        return isUnitAt(bytes, from, to);
      case 'mediaType':
        return isMediaTypeAt(bytes, from, to);
      case 'path':
        return isPathAt(bytes, from, to);
    }
  }

  /** `{"sealed": C}` */
  #commitment(): boolean {
    if (compareToken(this.bytes, this.at, SEALED_OPEN) !== 0) return false;
    const from = this.at + SEALED_OPEN.length;
    const to = from + HEX_DIGEST_LENGTH;
    this.at = to + SEALED_CLOSE.length;
    return isDigestAt(this.bytes, from, to) && compareToken(this.bytes, to, SEALED_CLOSE) === 0;
  }

  /** What `ext.filled` and `ext.units` name is there. A path through items and names of maps is followed in the tree. */
  #referencesHold(beforeTree: (() => void) | undefined): boolean {
    let tree: TextStruct | undefined;
    for (let i = 0; i < this.#references.length; i += 3) {
      const from = this.#references[i]!;
      const to = this.#references[i + 1]!;
      const known = this.#references[i + 2]!;
      const place = known === UNPLACED ? this.#placeOf(i / 3, from, to) : known;
      if (place !== NO_SLOT && this.#there[place] === 1) continue;
      if (tree === undefined) {
        beforeTree?.();
        tree = decodeContent(this.#content);
      }
      if (valueAt(tree, textOf(this.bytes, from, to)) === undefined) return false;
    }
    return true;
  }

  #placeOf(number: number, from: number, to: number): number {
    const known = this.#known[number];
    if (known !== undefined && sameBytesAt(this.bytes, from, to, known.text)) return known.place;
    const place = this.#plan.places.get(textOf(this.bytes, from, to)) ?? NO_SLOT;
    if (number < REFERENCES_REMEMBERED_MAX) this.#known[number] = { text: this.bytes.slice(from, to), place };
    return place;
  }
}

/** Where a path of `ext.filled` or `ext.units` led in the record before: most records of a sender name the same ones. */
interface KnownReference {
  readonly text: Uint8Array;
  readonly place: number;
}
const UNPLACED = -2;
const REFERENCES_REMEMBERED_MAX = 64; // of one class; each of at most PATH_LENGTH_MAX characters

/** What a value said that stood in the record before. */
interface RepeatedValue {
  readonly text: Uint8Array;
  /** As ContentScanner.#references, from where the value begins. */
  readonly references: readonly number[];
  /** Places of fields in it. */
  readonly there: readonly number[];
  readonly mappings: readonly string[];
}
const REPEATED_BYTES_MAX = 4_096; // of a value that is remembered
