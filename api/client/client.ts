/**
 * The typed client of the REST interface: HTTPS with a pinned CA, one envelope, retries of GET, a reader of server-sent events. Used by the
 * command line and by anyone who writes a connector. An adapter file: it uses the machine's timers and sockets itself.
 *
 * A path starts with `/` and is taken as it stands (`/healthz`); without it, it is resolved under `/api/v1/` (`records`).
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ApiError } from './answer.ts';

export const API_BASE = '/api/v1/';
/** Longest answer read into memory, in bytes; longer ones fail with CLIENT_ANSWER_TOO_LARGE. */
const ANSWER_BYTES_MAX = 67_108_864;
const CALL_TIMEOUT_DEFAULT_MS = 65_000; // above the longest `timeoutMs` a route declares
const RETRIES_DEFAULT = 3; // of GET, and of POST that carries an Idempotency-Key
const RETRY_DELAY_MS = 200; // doubled each time
const RETRY_DELAY_MAX_MS = 10_000;
const STREAM_SILENCE_MAX_MS = 45_000; // three heartbeats of the server
const SOCKETS_MAX = 16; // kept-alive connections to one node

export type QueryValue = string | number | boolean | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

export interface ClientOptions {
  /** `https://host:port`. */
  readonly url: string;
  /** PEM of the certificate authority to trust, and no other; without it the system's. */
  readonly ca?: string | Uint8Array | undefined;
  readonly token?: string | undefined;
  readonly language?: 'en' | 'zh';
  readonly timeoutMs?: number;
  readonly retries?: number;
}

export interface PostOptions {
  readonly query?: Query | undefined;
  /** Default `application/json`; then `body` is any JSON value. For other types `body` is text or bytes, sent as they stand. */
  readonly contentType?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Current one-time password, for routes that declare step-up. */
  readonly otp?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

export interface StreamOptions {
  readonly query?: Query | undefined;
  readonly lastEventId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Client {
  readonly url: string;
  /** @throws ApiError for every answer whose code is not OK and for a node that does not answer. */
  get<T = unknown>(path: string, query?: Query): Promise<Answer<T>>;
  /** For what stands outside the envelope: raw blocks, metrics, the console. */
  getBytes(path: string, query?: Query, accept?: string): Promise<Uint8Array>;
  /** A POST is repeated only when it carries an Idempotency-Key. */
  post<T = unknown>(path: string, body: unknown, options?: PostOptions): Promise<Answer<T>>;
  /** Events as they come; reconnects with the last id it saw until `signal` aborts. */
  stream(path: string, options?: StreamOptions): AsyncGenerator<StreamEvent, void, undefined>;
  /** The same client with another token. */
  withToken(token: string | undefined): Client;
  close(): void;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

/** @throws TypeError when `url` is not an https URL. */
export function createClient(options: ClientOptions): Client {
  const base = new URL(options.url);
  if (base.protocol !== 'https:') throw new TypeError(`Cannot use ${options.url}: the interface is served over HTTPS only`);
  const ca = options.ca === undefined ? undefined : typeof options.ca === 'string' ? options.ca : Buffer.from(options.ca);
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) });
  return clientOn(agent, base, options);
}

function clientOn(agent: Agent, base: URL, options: ClientOptions): Client {
  const retries = options.retries ?? RETRIES_DEFAULT;
  const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_DEFAULT_MS;
  const headersOf = (accept: string): Record<string, string> => ({
    accept,
    'accept-language': options.language ?? 'en',
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  });

  async function send(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body: Buffer | undefined,
    limitMs: number,
  ): Promise<RawAnswer> {
    return await new Promise((resolve, reject) => {
      const outgoing = request(url, { method, agent, headers });
      const timer = setTimeout(
        () => outgoing.destroy(unreachable('CLIENT_TIMEOUT', `${url.pathname} did not answer within ${limitMs} ms`)),
        limitMs,
      );
      const fail = (cause: unknown): void => {
        clearTimeout(timer);
        reject(
          cause instanceof ApiError ? cause : unreachable('CLIENT_UNREACHABLE', `${url.origin} cannot be reached: ${reason(cause)}`, cause),
        );
      };
      outgoing.on('error', fail);
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_BYTES_MAX)
            outgoing.destroy(unreachable('CLIENT_ANSWER_TOO_LARGE', `the answer is above ${ANSWER_BYTES_MAX} bytes`));
          else chunks.push(chunk);
        });
        incoming.on('error', fail);
        incoming.on('end', () => {
          clearTimeout(timer);
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes: Buffer.concat(chunks) });
        });
      });
      outgoing.end(body);
    });
  }

  async function sendOften(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body: Buffer | undefined,
    limitMs: number,
    times: number,
  ): Promise<RawAnswer> {
    for (let attempt = 0; ; attempt++) {
      let waitMs = Math.min(RETRY_DELAY_MS * 2 ** attempt, RETRY_DELAY_MAX_MS);
      try {
        const answer = await send(method, url, headers, body, limitMs);
        if (attempt >= times || (answer.status !== 429 && answer.status !== 503)) return answer;
        waitMs = Math.min(retryAfterMs(answer.headers) ?? waitMs, RETRY_DELAY_MAX_MS);
      } catch (cause) {
        if (attempt >= times || !(cause instanceof ApiError) || cause.code !== 'CLIENT_UNREACHABLE') throw cause;
      }
      await sleep(waitMs);
    }
  }

  return {
    url: base.origin,
    async get<T>(path: string, query: Query = {}): Promise<Answer<T>> {
      return opened<T>(
        await sendOften('GET', resolvePath(base, path, query), headersOf('application/json'), undefined, timeoutMs, retries),
      );
    },
    async getBytes(path, query = {}, accept = 'application/octet-stream') {
      const answer = await sendOften('GET', resolvePath(base, path, query), headersOf(accept), undefined, timeoutMs, retries);
      if (answer.status !== 200) opened(answer); // throws what the envelope says
      return answer.bytes;
    },
    async post<T>(path: string, body: unknown, post: PostOptions = {}): Promise<Answer<T>> {
      const contentType = post.contentType ?? 'application/json';
      const bytes =
        contentType === 'application/json' && !(body instanceof Uint8Array) ? Buffer.from(JSON.stringify(body ?? {})) : bodyBytes(body);
      const headers = {
        ...headersOf('application/json'),
        'content-type': contentType,
        'content-length': String(bytes.length),
        ...(post.idempotencyKey === undefined ? {} : { 'idempotency-key': post.idempotencyKey }),
        ...(post.otp === undefined ? {} : { otp: post.otp }),
        ...post.headers,
      };
      const times = post.idempotencyKey === undefined ? 0 : retries;
      return opened<T>(
        await sendOften('POST', resolvePath(base, path, post.query ?? {}), headers, bytes, post.timeoutMs ?? timeoutMs, times),
      );
    },
    stream: (path, stream = {}) => readStream(agent, resolvePath(base, path, stream.query ?? {}), headersOf('text/event-stream'), stream),
    withToken: (token) => clientOn(agent, base, { ...options, token }),
    close: () => agent.destroy(),
  };
}

function resolvePath(base: URL, path: string, query: Query): URL {
  const url = new URL(path.startsWith('/') ? path : API_BASE + path, base);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

function bodyBytes(body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new TypeError('Cannot send this body: with a content type of its own it must be text or bytes');
}

function opened<T>(raw: RawAnswer): Answer<T> {
  let envelope: Partial<Answer<T>> | undefined;
  try {
    envelope = JSON.parse(raw.bytes.toString('utf8')) as Partial<Answer<T>>;
  } catch {
    // said below: what is not JSON has no code
  }
  if (typeof envelope?.code !== 'string') throw unreachable('CLIENT_ANSWER_INVALID', `status ${raw.status} without an envelope`);
  const answer = {
    status: raw.status,
    code: envelope.code,
    message: envelope.message ?? '',
    data: envelope.data as T,
    details: envelope.details ?? [],
    requestId: envelope.requestId ?? '',
  };
  if (answer.code !== 'OK') throw new ApiError(answer, retryAfterMs(raw.headers));
  return answer;
}

function retryAfterMs(headers: IncomingMessage['headers']): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}

function unreachable(code: string, message: string, cause?: unknown): ApiError {
  return new ApiError({ status: 0, code, message, data: null, details: [], requestId: '' }, undefined, cause);
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

async function* readStream(
  agent: Agent,
  url: URL,
  headers: Record<string, string>,
  options: StreamOptions,
): AsyncGenerator<StreamEvent, void, undefined> {
  let lastId = options.lastEventId;
  const aborted = (): boolean => options.signal?.aborted ?? false;
  for (let failures = 0; !aborted(); ) {
    try {
      const incoming = await openStream(
        agent,
        url,
        lastId === undefined ? headers : { ...headers, 'last-event-id': lastId },
        options.signal,
      );
      failures = 0;
      for await (const event of parseEvents(incoming)) {
        if (event.id !== '') lastId = event.id;
        yield event;
      }
    } catch (cause) {
      if (aborted()) return;
      if (cause instanceof ApiError && cause.status !== 0 && cause.status !== 429 && cause.status !== 503) throw cause;
    }
    await sleep(Math.min(RETRY_DELAY_MS * 2 ** failures++, RETRY_DELAY_MAX_MS));
  }
}

async function openStream(
  agent: Agent,
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'GET', agent, headers, ...(signal === undefined ? {} : { signal }) });
    outgoing.setTimeout(STREAM_SILENCE_MAX_MS, () => outgoing.destroy(unreachable('CLIENT_TIMEOUT', 'the stream fell silent')));
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      if (incoming.statusCode === 200) return resolve(incoming);
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        try {
          opened({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes: Buffer.concat(chunks) });
          reject(unreachable('CLIENT_ANSWER_INVALID', 'expected a stream of events'));
        } catch (cause) {
          reject(cause);
        }
      });
    });
    outgoing.end();
  });
}

/** Frames of `text/event-stream` (WHATWG HTML, "Server-sent events"); comments are dropped. */
export async function* parseEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  let event = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'id') id = value;
      else if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
  }
}
