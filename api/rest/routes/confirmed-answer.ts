/**
 * The answer to a final transaction that did nothing but store records: what statusReply (submission.ts) and receiptSteps (parts.ts) show, as text. Each
 * hex digest is made once, for a result, its event, and both spellings of each.
 */
import {
  canonicalJson,
  decodeRecordResults,
  DIGEST_ALGORITHM,
  isRecordResults,
  presentRecordResult,
  type Receipt,
  recordEventsOf,
  type RecordResult,
  toHex,
} from '../../../node/format/index.ts';
import type { Steps } from '../../../node/pace/index.ts';
import type { TransactionStatus } from '../../../node/service.ts';
import { SelfWritten } from '../self-written.ts';
import { STEP_CHARACTERS } from '../text-steps.ts';
import { receiptSteps } from './parts.ts';

const ALGORITHM = `"digestAlg":"${DIGEST_ALGORITHM}"`;

export type Confirmed = Extract<TransactionStatus, { readonly state: 'confirmed' }>;

/** Undefined of a transaction that did anything else. */
export function confirmedAnswer(status: Confirmed): SelfWritten | undefined {
  const { results, events } = status.receipt;
  return results.length > 0 && events.length === 0 && results.every(isRecordResults) ? new ConfirmedAnswer(status) : undefined;
}

/** A receipt may hold results and events of megabytes. */
export function* confirmedSteps({ receipt, blockHash, timestampMs }: Confirmed): Steps<unknown> {
  const shown = yield* receiptSteps(receipt);
  return {
    transactionId: shown.transactionId,
    status: 'confirmed',
    height: receipt.height,
    blockHash: toHex(blockHash),
    committedAtMs: timestampMs,
    result: shown.results[0] ?? null,
    receipt: shown,
  };
}

/** Both spellings of a value, made together. */
interface SpelledText {
  readonly json: readonly string[];
  readonly canonical: readonly string[];
}

class ConfirmedAnswer extends SelfWritten {
  readonly #status: Confirmed;
  #text: SpelledText | undefined;

  constructor(status: Confirmed) {
    super();
    this.#status = status;
  }

  *jsonSteps(): Steps<readonly string[]> {
    this.#text ??= yield* composedSteps(this.#status);
    return this.#text.json;
  }

  *canonicalSteps(): Steps<readonly string[]> {
    this.#text ??= yield* composedSteps(this.#status);
    return this.#text.canonical;
  }

  valueSteps(): Steps<unknown> {
    return confirmedSteps(this.#status);
  }
}

function* composedSteps({ receipt, blockHash, timestampMs }: Confirmed): Steps<SpelledText> {
  const lists = new Lists(receipt);
  let result: SpelledText | undefined; // of the first call
  for (const bytes of receipt.results) {
    yield* lists.addCall(bytes);
    result ??= { json: [...lists.results.json.pieces()], canonical: [...lists.results.canonical.pieces()] };
  }
  const { transactionId, height, index, status, code, failedCall, gasUsed, keyKind } = receipt;
  const id = toHex(transactionId);
  const block = toHex(blockHash);
  const gas = `"gasUsed":${gasUsed}`;
  const { results, events } = lists;
  return {
    json: joined(
      [`{"transactionId":"${id}","status":"confirmed","height":${height},"blockHash":"${block}","committedAtMs":${timestampMs},"result":`],
      result!.json,
      [
        `,"receipt":{"transactionId":"${id}","height":${height},"index":${index},"status":"${status}","code":"${code}","detail":null,`,
        `"failedCall":${failedCall},${gas},"keyKind":"${keyKind}","results":[`,
      ],
      results.json.pieces(),
      ['],"events":['],
      events.json.pieces(),
      [']}}'],
    ),
    canonical: joined(
      [`{"blockHash":"${block}","committedAtMs":${timestampMs},"height":${height},"receipt":{"code":"${code}","detail":null,"events":[`],
      events.canonical.pieces(),
      [`],"failedCall":${failedCall},${gas},"height":${height},"index":${index},"keyKind":"${keyKind}","results":[`],
      results.canonical.pieces(),
      [`],"status":"${status}","transactionId":"${id}"},"result":`],
      result!.canonical,
      [`,"status":"confirmed","transactionId":"${id}"}`],
    ),
  };
}

/** Parts as few pieces, each of a step at most unless a part was longer. */
function joined(...parts: readonly (readonly string[])[]): readonly string[] {
  const pieces: string[] = [];
  let text = '';
  for (const part of parts)
    for (const piece of part) {
      if (text !== '' && text.length + piece.length > STEP_CHARACTERS) {
        pieces.push(text);
        text = '';
      }
      text += piece;
    }
  pieces.push(text);
  return pieces;
}

/** Text that grows, in pieces of a step each. */
class Growing {
  readonly #full: string[] = [];
  #text = '';

  add(text: string): void {
    this.#text += text;
  }

  get isEmpty(): boolean {
    return this.#text === '' && this.#full.length === 0;
  }

  endPiece(): void {
    this.#full.push(this.#text);
    this.#text = '';
  }

  pieces(): readonly string[] {
    return this.#text === '' ? this.#full : [...this.#full, this.#text];
  }
}

/** Both spellings of a list. */
class Spelled {
  readonly json = new Growing();
  readonly canonical = new Growing();

  add(json: string, canonical: string): void {
    this.json.add(json);
    this.canonical.add(canonical);
  }

  endPiece(): void {
    this.json.endPiece();
    this.canonical.endPiece();
  }
}

/** Results, a list or one change a call, and events of all calls. */
class Lists {
  readonly results = new Spelled();
  readonly events = new Spelled();
  readonly #receipt: Receipt;
  readonly #id: string;
  /** Characters since the last pause. */
  #cost = 0;

  constructor(receipt: Receipt) {
    this.#receipt = receipt;
    this.#id = toHex(receipt.transactionId);
  }

  *addCall(bytes: Uint8Array): Steps<void> {
    const results = decodeRecordResults(bytes);
    yield;
    const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
    const isChange = results.length === 1 && 'digestBefore' in results[0]!;
    let lead = `${this.results.json.isEmpty ? '' : ','}${isChange ? '' : '['}`;
    for (const result of results) {
      const { id, recordDigest } = result;
      if (result.status === 'stored') this.#addStored(lead, result.class, hexAt(hex, bytes, id), hexAt(hex, bytes, recordDigest));
      else this.#addOther(lead, result);
      lead = ',';
      if (this.#cost < STEP_CHARACTERS) continue;
      this.results.endPiece();
      this.events.endPiece();
      this.#cost = 0;
      yield;
    }
    if (!isChange) this.results.add(']', ']');
  }

  #addStored(lead: string, recordClass: string, id: string, digest: string): void {
    const { height } = this.#receipt;
    const transactionId = this.#id;
    const middle = `"id":"${id}",`;
    const result = `"recordDigest":"${digest}",`;
    this.#add(
      this.results,
      `${lead}{${middle}"version":1,"status":"stored",${result}${ALGORITHM},"currentVersion":1,"height":${height},"transactionId":"${transactionId}"}`,
      `${lead}{"currentVersion":1,${ALGORITHM},"height":${height},${middle}${result}"status":"stored","transactionId":"${transactionId}","version":1}`,
    );
    this.#addEvent('RecordSubmitted', `"class":${JSON.stringify(recordClass)},${middle}${result}"version":1`);
  }

  #addOther(lead: string, result: RecordResult): void {
    const shown = presentRecordResult(result, this.#receipt);
    this.#add(this.results, lead + JSON.stringify(shown), lead + canonicalJson(shown));
    for (const { name, class: recordClass, id, recordDigest, version } of recordEventsOf([result]))
      this.#addEvent(
        name,
        `"class":${JSON.stringify(recordClass)},"id":"${toHex(id)}","recordDigest":"${toHex(recordDigest)}","version":${version}`,
      );
  }

  #addEvent(name: string, data: string): void {
    const lead = `${this.events.json.isEmpty ? '' : ','}{"contract":"records",`;
    this.#add(this.events, `${lead}"name":"${name}","data":{${data}}}`, `${lead}"data":{${data}},"name":"${name}"}`);
  }

  #add(to: Spelled, json: string, canonical: string): void {
    to.add(json, canonical);
    this.#cost += json.length;
  }
}

/** Hex of a part of bytes whose hex is there. */
function hexAt(hex: string, bytes: Uint8Array, part: Uint8Array): string {
  const at = 2 * (part.byteOffset - bytes.byteOffset);
  return hex.slice(at, at + 2 * part.length);
}
