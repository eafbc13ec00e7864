/**
 * The one judge of a record's content in its stored form: the scanner where it accepts, reader and checker for all it refuses, since they
 * can say why.
 */
import {
  canonicalJson,
  type Crypto,
  DecodeError,
  decodeContent,
  type Digest,
  recordDigest,
  giveBackWriter,
  takeSpareWriter,
  type TextStruct,
  utf8,
} from '../../node/format/index.ts';
import { checkContent, type RecordFault } from './check.ts';
import { factsOf, keyOf, normalSpelling, type RecordFacts } from './facts.ts';
import { respell } from './respell.ts';
import { type ScannedContent, scanContent } from './scan.ts';
import type { Respelled } from './scan-facts.ts';
import type { ClassDefinition } from './schema.ts';

export interface JudgedContent extends Pick<ScannedContent, 'facts' | 'keyText' | 'hasKey'> {
  /** Digest of the content with its key fields in normal spelling; undefined where they stand so. */
  normalDigest(crypto: Pick<Crypto, 'hash'>): Digest | undefined;
}

export type Judgement =
  | { readonly ok: true; readonly content: JudgedContent }
  /** The first fault. */
  | { readonly ok: false; readonly fault: RecordFault };

/**
 * Judges the bytes of a record in sealed form, as every replica does.
 * @param beforeTree called before each reading of them as a tree, which takes many times as long as the pass: twice where the scanner read
 * one and then
 *   refused the content
 */
export function judgeContent(definition: ClassDefinition, bytes: Uint8Array, beforeTree?: () => void): Judgement {
  const scanned = scanContent(definition, bytes, 'sealed', beforeTree);
  if (scanned === undefined) {
    beforeTree?.();
    return judgeByReading(definition, bytes);
  }
  return { ok: true, content: new JudgedByScan(scanned, bytes) };
}

class JudgedByScan implements JudgedContent {
  readonly facts: RecordFacts;
  readonly keyText: Uint8Array;
  readonly hasKey: boolean;
  readonly #respelled: readonly Respelled[];
  readonly #bytes: Uint8Array;

  constructor({ facts, keyText, hasKey, respelled }: ScannedContent, bytes: Uint8Array) {
    this.facts = facts;
    this.keyText = keyText;
    this.hasKey = hasKey;
    this.#respelled = respelled;
    this.#bytes = bytes;
  }

  normalDigest(crypto: Pick<Crypto, 'hash'>): Digest | undefined {
    return this.#respelled.length === 0 ? undefined : respelledDigest(crypto, this.#bytes, this.#respelled);
  }
}

function respelledDigest(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array, respelled: readonly Respelled[]): Digest {
  const writer = takeSpareWriter();
  try {
    let at = 0;
    for (const { from, to, text } of respelled) {
      writer.raw(bytes.subarray(at, from)).units(text);
      at = to;
    }
    return recordDigest(crypto, writer.raw(bytes.subarray(at)).view());
  } finally {
    giveBackWriter(writer);
  }
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
  const normalDigest = (crypto: Pick<Crypto, 'hash'>) =>
    spelling.size === 0 ? undefined : recordDigest(crypto, respellAtOnce(bytes, spelling));
  return { ok: true, content: { facts: factsOf(definition, content), ...keyTextOf(definition, content), normalDigest } };
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
