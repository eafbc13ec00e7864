/** What a record says, whatever its class: read by the contract (ownership, terms), the query index and trace. */
import {
  canonicalDecimal,
  canonicalTime,
  isDecimal,
  parseTime,
  type RecordPath,
  several,
  type TextStruct,
  type TextTree,
  textAt,
  UNAVAILABLE,
  valueAt,
} from '../../node/format/index.ts';
import { type ClassDefinition, fieldOf, keyNameOf } from './schema.ts';

export interface MaterialFact {
  readonly supplier: string;
  readonly batch: string;
  /** Id of its quality report, when one is named. */
  readonly report: string | undefined;
}

export interface LinkFact {
  readonly rel: string;
  readonly type: string;
  readonly id: string;
  readonly org: string | undefined;
}

export interface RecordFacts {
  readonly product: string | undefined;
  readonly productionBatch: string | undefined;
  /** The device of the class's own field and that of `ext.device_id`, without repetition. */
  readonly devices: readonly string[];
  readonly factory: string | undefined;
  readonly timeText: string | undefined;
  /** UTC microseconds of the claimed time. */
  readonly timeUs: bigint | undefined;
  readonly materials: readonly MaterialFact[];
  readonly links: readonly LinkFact[];
  /** Registered mappings that filled in values, without repetition. */
  readonly mappings: readonly string[];
  readonly report: string | undefined;
  readonly verdict: string | undefined;
  /** Fields that the class declares provable, in normal spelling: dotted path and text. */
  readonly provable: readonly (readonly [path: string, text: string])[];
}

/** `content` has passed the checks of its class, in clear or sealed form. */
export function factsOf(definition: ClassDefinition, content: TextStruct): RecordFacts {
  for (const steps = factsSteps(definition, content); ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const STEP_ITEMS = 1_024; // materials read between two pauses

/** The same with pauses, for a thread that has other things to do: a record may name tens of thousands of materials. */
export function* factsSteps(definition: ClassDefinition, content: TextStruct): Generator<void, RecordFacts, void> {
  const { facts } = definition;
  const at = (path: string | undefined): string | undefined => (path === undefined ? undefined : textAt(content, path));
  const timeText = at(facts.time);
  const time = timeText === undefined ? undefined : parseTime(timeText);
  const devices = [at(facts.device), textAt(content, 'ext.device_id')].filter((id) => id !== undefined);
  return {
    product: at(facts.product),
    productionBatch: at(facts.productionBatch) ?? textAt(content, 'ext.production_batch'),
    devices: devices.length === 2 && devices[0] === devices[1] ? devices.slice(1) : devices,
    factory: at(facts.factory),
    timeText,
    timeUs: time?.ok ? time.us : undefined,
    materials: yield* materialsSteps(definition, content),
    links: several(valueAt(content, 'ext.links')).flatMap(linkOf),
    mappings: [...new Set(several(valueAt(content, 'ext.filled')).flatMap((entry) => textAt(entry, 'mapping') ?? []))],
    report: at(facts.report),
    verdict: at(facts.verdict),
    provable: provableOf(definition, content),
  };
}

function provableOf(definition: ClassDefinition, content: TextStruct): readonly (readonly [string, string])[] {
  return (definition.provable ?? []).flatMap((path) => {
    const text = textAt(content, path);
    return text === undefined || text === UNAVAILABLE ? [] : [[path, valueText(definition, path, text)] as const];
  });
}

function* materialsSteps(definition: ClassDefinition, content: TextStruct): Generator<void, readonly MaterialFact[], void> {
  const rule = definition.facts.materials;
  if (!rule) return [];
  const seen = new Set<string>();
  const out: MaterialFact[] = [];
  let read = 0;
  for (const item of rule.list === '' ? [content] : several(valueAt(content, rule.list))) {
    if (++read % STEP_ITEMS === 0) yield;
    const supplier = textAt(item, rule.supplier);
    const batch = textAt(item, rule.batch);
    if (supplier === undefined || batch === undefined || seen.has(`${supplier}\0${batch}`)) continue;
    seen.add(`${supplier}\0${batch}`);
    const report = rule.report === undefined ? undefined : textAt(item, rule.report);
    out.push({ supplier, batch, report: report === UNAVAILABLE ? undefined : report });
  }
  return out;
}

function linkOf(link: TextTree): LinkFact[] {
  const [rel, type, id] = [textAt(link, 'rel'), textAt(link, 'type'), textAt(link, 'id')];
  return rel === undefined || type === undefined || id === undefined ? [] : [{ rel, type, id, org: textAt(link, 'org') }];
}

/**
 * Names and texts that identify the record within class and organisation; `ext.record_key` wins over the class's key fields. A time stands
 * in it as its instant and a number as its value, however the content spells them.
 */
export function keyOf(definition: ClassDefinition, content: TextStruct): { readonly [name: string]: string } {
  const own = textAt(content, 'ext.record_key');
  if (own !== undefined) return { record_key: own };
  const key: Record<string, string> = {};
  for (const path of definition.key) {
    const text = textAt(content, path);
    if (text !== undefined) key[keyNameOf(path)] = valueText(definition, path, text);
  }
  return key;
}

function valueText(definition: ClassDefinition, path: string, text: string): string {
  const field = fieldOf(definition.body, path);
  if (field?.type === 'text' && field.format === 'time') return canonicalTime(text) ?? text;
  const numeric = field?.type === 'decimal' || (field?.type === 'text' && field.format === 'integer');
  return numeric && isDecimal(text) ? canonicalDecimal(text) : text; // UNAVAILABLE stands for itself
}

/** Fields of the key that `content` spells otherwise than `stored`, as `stored` has them: dotted path -> text. */
export function storedSpelling(definition: ClassDefinition, content: TextStruct, stored: TextStruct): { readonly [path: string]: string } {
  const out: Record<string, string> = {};
  for (const path of definition.key) {
    const [own, held] = [textAt(content, path), textAt(stored, path)];
    if (own === undefined || held === undefined || own === held) continue;
    if (valueText(definition, path, own) === valueText(definition, path, held)) out[path] = held;
  }
  return out;
}

/** Fields of the key that are not in their normal spelling, as it would have them: dotted path -> text. */
export function normalSpelling(definition: ClassDefinition, content: TextStruct): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const path of definition.key) {
    const text = textAt(content, path);
    const normal = text === undefined ? undefined : valueText(definition, path, text);
    if (normal !== undefined && normal !== text) out.set(path, normal);
  }
  return out;
}

/** Where the claimed time stands, for a fault about it. */
export function timePath(definition: ClassDefinition): RecordPath {
  return definition.facts.time?.split('.') ?? [];
}
