/** What was thrown as a refusal: its code, facts and details, and how long the caller has to wait. The one place where an exception becomes a refusal. */
import { ChainError, errorRow, isErrorCode } from '../../node/errors/index.ts';

export interface Detail {
  readonly code: string;
  readonly message: string;
  readonly [name: string]: unknown;
}

/** Details sent at most; more are counted in `data.detailsOmitted`. */
const DETAILS_MAX = 1_000;
const RETRY_AFTER_DEFAULT_S = 1;
/** Kinds that are worth another try, and so carry Retry-After. */
const RETRYABLE = new Set(['busy', 'limited']);

/** Who is told a wait spends so much of it before the answer, ms: one that calls again at once costs the node a call in that time. */
export const HOLD_MS_MAX = 2_000;
/** And so much at least, the shortest wait that Retry-After can tell: of many calls that come back in the same moment one is served. */
export const HOLD_MS_MIN = 1_000;

export interface Refusal {
  readonly kind: 'refusal';
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
    return { kind: 'refusal', status: 500, code: 'INTERNAL', data: null, details: [], retryAfterS: undefined, holdMs: 0, fault: thrown };
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
  const holdMs = RETRYABLE.has(row.kind) && waitMs > 0 ? Math.min(Math.max(waitMs, HOLD_MS_MIN), HOLD_MS_MAX) : 0;
  const seconds = waitMs === 0 ? RETRY_AFTER_DEFAULT_S : Math.max(1, Math.ceil((waitMs - holdMs) / 1_000));
  return {
    kind: 'refusal',
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
