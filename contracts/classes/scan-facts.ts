/**
 * What a scan has met of the facts and the key of a record, as spans in numbered slots (scan-plan.ts), and the texts they become in the
 * end.
 */
import { canonicalDecimal, canonicalTime, isDecimal, roomFor, UNAVAILABLE, utf8 } from '../../node/format/index.ts';
import type { LinkFact, MaterialFact, RecordFacts } from './facts.ts';
import { type KeyPart, NO_SLOT, type ScanPlan, type ValuePart } from './scan-plan.ts';
import { canonicalTimeAt, isTextAt, QUOTE, textOf, timeAt } from './scan-text.ts';

export interface ScannedKey {
  /** RFC 8785 text of the key. */
  readonly keyText: Uint8Array;
  /** False when the record has none of the fields that identify it. */
  readonly hasKey: boolean;
  /** Fields of the key that are not in their normal spelling, in the order in which they stand. */
  readonly respelled: readonly Respelled[];
}

/** A text that another takes the place of, between its quotes. */
export interface Respelled {
  readonly from: number;
  readonly to: number;
  /** ASCII that JSON writes as it is: a time or a number. */
  readonly text: string;
}

const ABSENT = -1;
const NORMAL: readonly Respelled[] = [];
const OPEN_STRUCT = 0x7b;
const CLOSE_STRUCT = 0x7d;
const COMMA = 0x2c;

const NO_BYTES = new Uint8Array(0);

export class FactSlots {
  readonly #plan: ScanPlan;
  #bytes = NO_BYTES;
  /** By slot: where its text begins and ends; ABSENT before it is met. */
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  /** By slot: its text in this record where `#known` says so, else in one before. */
  readonly #texts: (string | undefined)[];
  readonly #known: Uint8Array;
  /** By part of the key: its value. */
  readonly #values: string[] = [];
  #materials: MaterialFact[] = [];
  #links: LinkFact[] = [];
  #mappings: string[] = [];

  constructor(plan: ScanPlan) {
    this.#plan = plan;
    this.#from = new Int32Array(plan.slotCount);
    this.#to = new Int32Array(plan.slotCount);
    this.#texts = new Array<string | undefined>(plan.slotCount).fill(undefined);
    this.#known = new Uint8Array(plan.slotCount);
  }

  /** Forgets the record before. */
  begin(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#from.fill(ABSENT);
    this.#known.fill(0);
    this.#materials = [];
    this.#links = [];
    this.#mappings = [];
  }

  /** What was returned stays valid; the bytes of the record are let go. */
  end(): void {
    this.#bytes = NO_BYTES;
  }

  put(slot: number, from: number, to: number): void {
    this.#from[slot] = from;
    this.#to[slot] = to;
  }

  /** Each mapping once. */
  takeMapping(mapping: string): void {
    if (!this.#mappings.includes(mapping)) this.#mappings.push(mapping);
  }

  get mappingCount(): number {
    return this.#mappings.length;
  }

  mappingsFrom(index: number): readonly string[] {
    return this.#mappings.slice(index);
  }

  /**
   * Texts of the record before are used again where they are the same: records of one sender name the same factory, device, supplier and
   * batch.
   */
  #text(slot: number): string | undefined {
    if (slot === NO_SLOT || this.#from[slot] === ABSENT) return undefined;
    if (this.#known[slot] === 1) return this.#texts[slot];
    const from = this.#from[slot]!;
    const to = this.#to[slot]!;
    const before = this.#texts[slot];
    if (before === undefined || !isTextAt(this.#bytes, from, to, before)) this.#texts[slot] = textOf(this.#bytes, from, to);
    this.#known[slot] = 1;
    return this.#texts[slot];
  }

  #forget(slot: number): void {
    if (slot === NO_SLOT) return;
    this.#from[slot] = ABSENT;
    this.#known[slot] = 0;
  }

  forgetMaterial(): void {
    const { supplier, batch, report } = this.#plan.material!;
    this.#forget(supplier);
    this.#forget(batch);
    this.#forget(report);
  }

  takeMaterial(): void {
    const slots = this.#plan.material!;
    const supplier = this.#text(slots.supplier);
    const batch = this.#text(slots.batch);
    if (supplier === undefined || batch === undefined) return;
    const report = this.#text(slots.report);
    this.#materials.push({ supplier, batch, report: report === UNAVAILABLE ? undefined : report });
  }

  forgetLink(): void {
    const { rel, type, id, org } = this.#plan.link;
    this.#forget(rel);
    this.#forget(type);
    this.#forget(id);
    this.#forget(org);
  }

  takeLink(): void {
    const slots = this.#plan.link;
    this.#links.push({
      rel: this.#text(slots.rel)!,
      type: this.#text(slots.type)!,
      id: this.#text(slots.id)!,
      org: this.#text(slots.org),
    });
  }

  facts(): RecordFacts {
    const plan = this.#plan;
    if (plan.materialIsRecord) this.takeMaterial();
    const device = this.#text(plan.device);
    const extDevice = this.#text(plan.extDevice);
    return {
      product: this.#text(plan.product),
      productionBatch: this.#text(plan.productionBatch) ?? this.#text(plan.extProductionBatch),
      devices: device === extDevice ? textsOf(device) : [...textsOf(device), ...textsOf(extDevice)],
      factory: this.#text(plan.factory),
      timeText: this.#text(plan.time),
      timeUs: this.#has(plan.time) ? timeAt(this.#bytes, this.#from[plan.time]!, this.#to[plan.time]!) : undefined,
      materials: distinct(this.#materials),
      links: this.#links,
      mappings: this.#mappings,
      report: this.#text(plan.report),
      verdict: this.#text(plan.verdict),
      provable: this.#provable(),
    };
  }

  #provable(): RecordFacts['provable'] {
    const out: (readonly [path: string, text: string])[] = [];
    for (const part of this.#plan.provable)
      if (this.#has(part.slot) && this.#text(part.slot) !== UNAVAILABLE) out.push([part.path, this.#value(part)]);
    return out;
  }

  #has(slot: number): boolean {
    return slot !== NO_SLOT && this.#from[slot] !== ABSENT;
  }

  key(): ScannedKey {
    const { recordKey, keyParts } = this.#plan;
    const values = this.#values;
    let respelled = NORMAL as Respelled[];
    let length = 2; // braces
    for (let i = 0; i < keyParts.length; i++) {
      const part = keyParts[i]!;
      const { slot, token } = part;
      if (!this.#has(slot)) continue;
      const from = this.#from[slot]!;
      const to = this.#to[slot]!;
      if (part.value === 'text') {
        length += token.length + (to - from) + 2; // quote and comma
        continue;
      }
      const text = this.#value(part);
      values[i] = text;
      length += token.length + text.length + 2;
      if (isTextAt(this.#bytes, from, to, text)) continue;
      if (respelled === NORMAL) respelled = [];
      respelled.push({ from, to, text });
    }
    if (respelled.length > 1) respelled.sort((a, b) => a.from - b.from);
    const own = this.#text(recordKey);
    if (own !== undefined) return { keyText: utf8(`{"record_key":${JSON.stringify(own)}}`), hasKey: true, respelled };
    const keyText = this.#keyText(keyParts, length);
    return { keyText, hasKey: keyText.length > 2, respelled };
  }

  #value({ slot, value }: ValuePart): string {
    const text = this.#text(slot)!;
    if (value === 'text') return text;
    if (value === 'time') return canonicalTimeAt(this.#bytes, this.#from[slot]!, this.#to[slot]!) ?? canonicalTime(text) ?? text;
    return isDecimal(text) ? canonicalDecimal(text) : text;
  }

  /** A text stands in the key as it stands in the content, both being RFC 8785; a time and a number are ASCII. */
  #keyText(parts: readonly KeyPart[], lengthMax: number): Uint8Array {
    const bytes = this.#bytes;
    const out = roomFor(lengthMax);
    let at = 0;
    out[at++] = OPEN_STRUCT;
    for (let i = 0; i < parts.length; i++) {
      const { slot, token, value } = parts[i]!;
      if (!this.#has(slot)) continue;
      if (at > 1) out[at++] = COMMA;
      for (let j = 0; j < token.length; j++) out[at++] = token[j]!;
      if (value === 'text') {
        const to = this.#to[slot]!;
        for (let j = this.#from[slot]!; j < to; j++) out[at++] = bytes[j]!;
      } else {
        const text = this.#values[i]!;
        for (let j = 0; j < text.length; j++) out[at++] = text.charCodeAt(j);
      }
      out[at++] = QUOTE;
    }
    out[at++] = CLOSE_STRUCT;
    return out.subarray(0, at);
  }
}

function textsOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : [text];
}

/** The first of each supplier and batch. */
function distinct(materials: readonly MaterialFact[]): readonly MaterialFact[] {
  if (materials.length < 2) return materials;
  const seen = new Set<string>();
  return materials.filter(({ supplier, batch }) => {
    const name = `${supplier}\0${batch}`;
    return !seen.has(name) && seen.add(name);
  });
}
