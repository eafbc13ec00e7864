/**
 * The one envelope of every answer, `{code, message, data, details, requestId}` (DB53 5.2.1.2.b, 5.2.2.d), in JSON or XML by Accept and in
 * English or Chinese by Accept-Language; and the one place where an exception becomes an answer.
 */
import { ChainError, errorRow, isErrorCode } from '../../node/errors/index.ts';
import type { Steps } from '../../node/pace/slices.ts';
import { bytesSteps, jsonForm, textSteps } from './text-steps.ts';
import { xmlForm } from './xml.ts';

export type Language = 'en' | 'zh';
export type AnswerFormat = 'json' | 'xml';

export interface Detail {
  readonly code: string;
  readonly message: string;
  readonly [name: string]: unknown;
}

export interface Envelope {
  readonly code: string;
  readonly message: string;
  readonly data: unknown;
  readonly details: readonly Detail[];
  readonly requestId: string;
}

export const MEDIA_TYPE: Readonly<Record<AnswerFormat, string>> = {
  json: 'application/json; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
};

/** Details sent at most; more are counted in `data.detailsOmitted`. */
const DETAILS_MAX = 1_000;
const RETRY_AFTER_DEFAULT_S = 1;
/** Kinds that are worth another try, and so carry Retry-After. */
const RETRYABLE = new Set(['busy', 'limited']);

/** An answer as bytes, in steps: it may hold megabytes. */
export function* encodeEnvelope(envelope: Envelope, format: AnswerFormat): Steps<Buffer> {
  return yield* bytesSteps(yield* textSteps(envelope, format === 'json' ? jsonForm : xmlForm));
}

export function messageOf(code: string, language: Language): string {
  const row = errorRow(code);
  if (code === 'OK') return row.text[language];
  return language === 'en' ? `${row.text.en}. ${row.remedy.en}.` : `${row.text.zh}。${row.remedy.zh}。`;
}

/** Details whose message is the English text of the error table, in the caller's language. */
export function localDetails(details: readonly Detail[], language: Language): readonly Detail[] {
  if (language === 'en') return details;
  return details.map((detail) =>
    isErrorCode(detail.code) && detail.message === errorRow(detail.code).text.en
      ? { ...detail, message: errorRow(detail.code).text[language] }
      : detail,
  );
}

/** Who calls too often spends so much of his wait before the answer, ms: one that calls again at once costs the node a call in that time. */
export const HOLD_MS_MAX = 2_000;
/** And so much at least, the shortest wait that Retry-After can tell: of many calls that come back in the same moment one is served. */
export const HOLD_MS_MIN = 1_000;

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly data: unknown;
  readonly details: readonly Detail[];
  /** To wait after the answer. */
  readonly retryAfterS: number | undefined;
  /** For so long the answer is held back, ms. */
  readonly holdMs: number;
  /** A fault of the node's own, to be logged whole; its text never leaves. */
  readonly fault: unknown;
}

/** Any thrown value as an answer. What is not a ChainError becomes INTERNAL and tells the caller nothing. */
export function refusalOf(thrown: unknown): Refusal {
  if (!(thrown instanceof ChainError) || !isErrorCode(thrown.code)) {
    return { status: 500, code: 'INTERNAL', data: null, details: [], retryAfterS: undefined, holdMs: 0, fault: thrown };
  }
  const row = errorRow(thrown.code);
  const { details, retryAfterMs, ...facts } = thrown.data;
  const list = Array.isArray(details)
    ? (details as Detail[])
    : thrown.code === 'CONTRACT_REFUSED'
      ? refusalsOf(facts)
      : faultsOf(thrown.code, facts);
  const data = list.length > DETAILS_MAX ? { ...facts, detailsOmitted: list.length - DETAILS_MAX } : facts;
  const waitMs = typeof retryAfterMs === 'number' ? retryAfterMs : 0;
  const holdMs = row.kind === 'limited' && waitMs > 0 ? Math.min(Math.max(waitMs, HOLD_MS_MIN), HOLD_MS_MAX) : 0;
  const seconds = waitMs === 0 ? RETRY_AFTER_DEFAULT_S : Math.max(1, Math.ceil((waitMs - holdMs) / 1_000));
  return {
    status: row.httpStatus,
    code: thrown.code,
    data: Object.keys(data).length === 0 ? null : data,
    details: list.slice(0, DETAILS_MAX),
    retryAfterS: RETRYABLE.has(row.kind) ? seconds : undefined,
    holdMs,
    fault: row.kind === 'internal' ? thrown : undefined,
  };
}

/** Contracts that may have refused one another's calls; bounds what is looked through. */
const REFUSALS_MAX = 8;

/** The words of the contract's author, and of the contracts it called: their own codes, which the error table does not know. */
function refusalsOf(facts: Readonly<Record<string, unknown>>): readonly Detail[] {
  const details: Detail[] = [];
  for (let at: unknown = facts; details.length < REFUSALS_MAX && typeof at === 'object' && at !== null; ) {
    const { code, message, cause } = at as Readonly<Record<string, unknown>>;
    if (typeof code !== 'string') break;
    details.push({ code, message: typeof message === 'string' ? message : code });
    at = cause;
  }
  return details;
}

/** Faults that a built-in contract found in its arguments, each at its place in them. */
function faultsOf(code: string, { faults }: Readonly<Record<string, unknown>>): readonly Detail[] {
  if (!Array.isArray(faults)) return [];
  return (faults as readonly Readonly<Record<string, unknown>>[]).flatMap(({ path, problem }) =>
    typeof path === 'string' && typeof problem === 'string' ? [{ code, message: problem, pointer: path }] : [],
  );
}

interface Preference {
  readonly range: string;
  readonly quality: number;
}

/** Items of an Accept or Accept-Language header, best first; q=0 last (RFC 9110 §12.4.2). Odd items are skipped: a header cannot break us. */
function preferences(header: string): Preference[] {
  return header
    .slice(0, 1_024)
    .split(',')
    .map((item) => {
      const [range = '', ...options] = item.split(';').map((part) => part.trim().toLowerCase());
      const q = options.find((option) => option.startsWith('q='));
      const quality = q === undefined ? 1 : Number(q.slice(2));
      return { range, quality: Number.isFinite(quality) ? quality : 0 };
    })
    .filter((item) => item.range !== '')
    .sort((a, b) => b.quality - a.quality);
}

/** undefined when the caller takes neither JSON nor XML. No header, or a blank one, means JSON. */
export function answerFormat(accept: string | undefined): AnswerFormat | undefined {
  if (accept === undefined || accept.trim() === '') return 'json';
  const refused = new Set<string>();
  for (const { range, quality } of preferences(accept)) {
    if (quality <= 0) refused.add(range);
  }
  for (const { range, quality } of preferences(accept)) {
    if (quality <= 0) continue;
    if (range === 'application/json' || range === 'text/json') return 'json';
    if (range === 'application/xml' || range === 'text/xml') return 'xml';
    if (range === '*/*' || range === 'application/*') return refused.has('application/json') ? 'xml' : 'json';
  }
  return undefined;
}

export function answerLanguage(header: string | undefined): Language {
  for (const { range, quality } of preferences(header ?? '')) {
    if (quality <= 0) continue;
    if (range === 'zh' || range.startsWith('zh-')) return 'zh';
    if (range === 'en' || range.startsWith('en-') || range === '*') return 'en';
  }
  return 'en';
}
