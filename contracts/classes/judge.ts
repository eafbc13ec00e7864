/** The one judge of a record's content in its stored form: the scanner where it accepts, reader and checker for all it refuses, since they can say why. */
import { canonicalJson, concat, DecodeError, decodeContent, type TextStruct, utf8 } from '../../node/format/index.ts';
import { checkContent, type RecordFault } from './check.ts';
import { factsOf, keyOf, normalSpelling } from './facts.ts';
import { respell } from './respell.ts';
import { type ScannedContent, scanContent } from './scan.ts';
import type { Respelled } from './scan-facts.ts';
import type { ClassDefinition } from './schema.ts';

export interface JudgedContent extends Pick<ScannedContent, 'facts' | 'keyText' | 'hasKey'> {
  /** The content with its key fields in normal spelling; undefined where they stand so. */
  readonly normalText: Uint8Array | undefined;
}

export type Judgement =
  | { readonly ok: true; readonly content: JudgedContent }
  /** The first fault. */
  | { readonly ok: false; readonly fault: RecordFault };

/**
 * Judges the bytes of a record in sealed form, as every replica does.
 * @param beforeTree called before they are read as a tree, which takes many times as long; it may be twice
 */
export function judgeContent(definition: ClassDefinition, bytes: Uint8Array, beforeTree?: () => void): Judgement {
  const scanned = scanContent(definition, bytes, 'sealed', beforeTree);
  if (scanned === undefined) {
    beforeTree?.();
    return judgeByReading(definition, bytes);
  }
  const { facts, keyText, hasKey, respelled } = scanned;
  return { ok: true, content: { facts, keyText, hasKey, normalText: normalText(bytes, respelled) } };
}

function normalText(bytes: Uint8Array, respelled: readonly Respelled[]): Uint8Array | undefined {
  if (respelled.length === 0) return undefined;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { from, to, text } of respelled) {
    parts.push(bytes.subarray(at, from), utf8(text));
    at = to;
  }
  return concat(...parts, bytes.subarray(at));
}

/** The reference: what the scanner must agree with on every text. */
export function judgeByReading(definition: ClassDefinition, bytes: Uint8Array): Judgement {
  let content: TextStruct;
  try {
    content = decodeContent(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { ok: false, fault: { code: 'RECORD_NOT_CANONICAL', path: [], data: {} } };
  }
  const fault = checkContent(definition, content, 'sealed', 1)[0];
  if (fault) return { ok: false, fault };
  const spelling = normalSpelling(definition, content);
  const normal = spelling.size === 0 ? undefined : respellAtOnce(bytes, spelling);
  return { ok: true, content: { facts: factsOf(definition, content), ...keyTextOf(definition, content), normalText: normal } };
}

function keyTextOf(definition: ClassDefinition, content: TextStruct): Pick<JudgedContent, 'keyText' | 'hasKey'> {
  const key = keyOf(definition, content);
  return { keyText: utf8(canonicalJson(key)), hasKey: Object.keys(key).length > 0 };
}

function respellAtOnce(bytes: Uint8Array, texts: ReadonlyMap<string, string>): Uint8Array {
  for (const steps = respell(bytes, texts); ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
