/** What a node answers, and the one exception an answer that is not OK becomes. Loads nothing: who only names a failure needs no sockets. */

/** One bad field of a refused call. */
export interface Detail {
  readonly code: string;
  readonly message: string;
  readonly pointer?: string;
  readonly path?: string;
  readonly row?: number;
  readonly column?: string;
  readonly parameter?: string;
  readonly [name: string]: unknown;
}

export interface Answer<T = unknown> {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly data: T;
  readonly details: readonly Detail[];
  readonly requestId: string;
}

/** What a node refused, or (status 0) why it could not be asked: CLIENT_UNREACHABLE, CLIENT_TIMEOUT, CLIENT_ANSWER_INVALID, CLIENT_ANSWER_TOO_LARGE. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly data: unknown;
  readonly details: readonly Detail[];
  readonly requestId: string;
  readonly retryAfterMs: number | undefined;
  constructor(answer: Omit<Answer, 'message'> & { readonly message: string }, retryAfterMs?: number, cause?: unknown) {
    super(`${answer.code}: ${answer.message}`, cause === undefined ? undefined : { cause });
    this.name = 'ApiError';
    this.status = answer.status;
    this.code = answer.code;
    this.data = answer.data;
    this.details = answer.details;
    this.requestId = answer.requestId;
    this.retryAfterMs = retryAfterMs;
  }
}
