/**
 * The answer to submitted records and what the exchange log says of it, as text. Who was put into one transaction with others is shown the same proof as
 * they: it is written once.
 */
import type { InclusionProof, RecordOutcome, SubmitOutcome } from '../../../node/records/index.ts';
import type { Steps } from '../../../node/pace/index.ts';
import { type Logged, SelfWritten } from '../self-written.ts';
import { canonicalForm, STEP_CHARACTERS, textSteps } from '../text-steps.ts';

/** The outcome itself where its proof is too long to be written in one step. */
export function submittedAnswer(outcome: SubmitOutcome): SelfWritten | SubmitOutcome {
  const length = outcome.inclusionProof?.receipt.length ?? 0;
  return length <= STEP_CHARACTERS ? new SubmittedAnswer(outcome) : outcome;
}

/** Digests in place of content: sealed values are short, and a digest over them in clear could be guessed. */
export function submittedLog({ records, transactionId, status }: SubmitOutcome): { readonly parameters: Logged; readonly answer: Logged } {
  const end = `],"status":"${status}","transactionId":${hexOrNull(transactionId)}}`;
  return {
    parameters: () => listSteps('{"digests":[', records, digestText, '],"operation":"records"}'),
    answer: () => listSteps('{"records":[', records, loggedText, end),
  };
}

function digestText({ recordDigest }: RecordOutcome): string {
  return `"${recordDigest}"`;
}

function loggedText({ id, version, recordDigest, status }: RecordOutcome): string {
  return `{"id":"${id}","recordDigest":"${recordDigest}","status":"${status}","version":${version}}`;
}

class SubmittedAnswer extends SelfWritten {
  readonly #outcome: SubmitOutcome;

  constructor(outcome: SubmitOutcome) {
    super();
    this.#outcome = outcome;
  }

  jsonSteps(): Steps<readonly string[]> {
    const { transactionId, status, height, blockHash, records, inclusionProof } = this.#outcome;
    const lead = `{"transactionId":${hexOrNull(transactionId)},"status":"${status}","height":${height},"blockHash":${hexOrNull(blockHash)},"records":[`;
    return listSteps(lead, records, recordText, inclusionProof === undefined ? ']}' : `],"inclusionProof":${proofText(inclusionProof)}}`);
  }

  canonicalSteps(): Steps<readonly string[]> {
    return textSteps(this.#outcome, canonicalForm);
  }

  *valueSteps(): Steps<SubmitOutcome> {
    yield;
    return this.#outcome;
  }
}

function recordText(record: RecordOutcome): string {
  return JSON.stringify(record);
}

const proofTexts = new WeakMap<InclusionProof, string>();

function proofText(proof: InclusionProof): string {
  const known = proofTexts.get(proof);
  if (known !== undefined) return known;
  const text = JSON.stringify(proof);
  proofTexts.set(proof, text);
  return text;
}

function hexOrNull(hex: string | null): string {
  return hex === null ? 'null' : `"${hex}"`;
}

/** A list inside a text, in pieces of a step each. */
function* listSteps<T>(lead: string, items: readonly T[], write: (item: T) => string, end: string): Steps<readonly string[]> {
  const pieces: string[] = [];
  let text = lead;
  for (let i = 0; i < items.length; i++) {
    text += i === 0 ? write(items[i]!) : `,${write(items[i]!)}`;
    if (text.length < STEP_CHARACTERS) continue;
    pieces.push(text);
    text = '';
    yield;
  }
  pieces.push(text + end);
  return pieces;
}
