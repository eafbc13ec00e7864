/** The one judge of a record's content in its stored form: the scanner where it accepts, reader and checker for all it refuses, since they can say why. */
import { canonicalJson, DecodeError, decodeContent, type TextStruct, utf8 } from '../../node/format/index.ts';
import { checkContent, type RecordFault } from './check.ts';
import { factsOf, keyOf, normalSpelling } from './facts.ts';
import { type ScannedContent, scanContent } from './scan.ts';
import type { ClassDefinition } from './schema.ts';

export type JudgedContent = Pick<ScannedContent, 'facts' | 'key' | 'keyText' | 'normalSpelling'>;

export type Judgement =
  | { readonly ok: true; readonly content: JudgedContent }
  /** The first fault. */
  | { readonly ok: false; readonly fault: RecordFault };

/** Judges the bytes of a record in sealed form, as every replica does. */
export function judgeContent(definition: ClassDefinition, bytes: Uint8Array): Judgement {
  const scanned = scanContent(definition, bytes, 'sealed');
  return scanned === undefined ? judgeByReading(definition, bytes) : { ok: true, content: scanned };
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
  const key = keyOf(definition, content);
  const keyText = utf8(canonicalJson(key));
  return { ok: true, content: { facts: factsOf(definition, content), key, keyText, normalSpelling: normalSpelling(definition, content) } };
}
