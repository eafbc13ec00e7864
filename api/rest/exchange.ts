/**
 * One call as the server holds it: begun with its head, given room for its body, answered in its dialect whatever happened, and put into the
 * metrics and the exchange log when the answer is out. The one place where errors end.
 */
import { PassThrough, Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChainError } from '../../node/errors/index.ts';
import { ALL_HEADROOM, joined } from '../../node/pace/index.ts';
import type { ApiContext } from './context.ts';
import type { Caller } from '../../node/records/index.ts';
import type { Dialect, Head, Outcome } from '../dialects/index.ts';
import { Gone } from './gone.ts';
import { answerDigestSteps, digestSteps, type Trace } from './handle.ts';
import { refusalOf } from './refusal.ts';
import type { Route } from './route.ts';
import type { Language } from './schema.ts';
import { securityHeaderList, securityHeaders } from './security-headers.ts';

/** Bytes of a body no route may exceed. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of a body that are read before it is known who calls: enough for a record with its `token` inside. */
export const UNKNOWN_CALLER_BODY_BYTES_MAX = 64 * 1024;
/** Bytes of a body taken between two rests, which are as long as the headroom says; a smaller body is taken without one. */
export const BODY_PIECE_BYTES = 256 * 1024;
/** What they cost this thread, ms: to decrypt, to put together, to hash, to give back. */
const BODY_PIECE_MS = 2;
/** Bytes of an answer handed to the socket at once. */
const PIECE_BYTES = 256 * 1024;
/** Who sends a large body without a token waits so long for the refusal, ms: each such call costs the node a connection. */
export const UNREAD_HOLD_MS = 1_000;
/** How long a connection whose body was not read stays open behind the answer; a reset at once could overtake the answer. */
const UNREAD_BODY_LINGER_MS = 500;

/** One call from its head to its answer. */
export interface Exchange {
  readonly route: Route | undefined;
  readonly dialect: Dialect;
  readonly head: Head;
  readonly language: Language;
  readonly startMs: number;
  readonly timeMs: number;
  readonly trace: Trace;
  /** The connection ended before the answer was out. */
  readonly gone: Gone;
  /** The token in the head. */
  token: string | undefined;
  caller: Caller | undefined;
  code: string;
  reservedBytes: number;
}

export interface Exchanges {
  /** @throws ChainError NODE_STOPPING, and what the dialect finds wrong with the head; the exchange stands nevertheless, so that the refusal has its form */
  begin(request: FastifyRequest, dialect: Dialect, route: Route | undefined): Exchange;
  /** Takes room for a body before it is read; given back when the answer is out. @throws ChainError BODY_TOO_LARGE, TOKEN_MISSING, SERVER_BUSY */
  reserve(request: FastifyRequest, route: Route, exchange: Exchange): void;
  /** Reads a body up to the bound of its call and no further; fails with ChainError BODY_TOO_LARGE, TOKEN_MISSING. */
  readBody(request: FastifyRequest, payload: Readable, done: (error: Error | null, body?: Buffer) => void): void;
  /** Has the dialect write the answer and sends it. */
  send(request: FastifyRequest, reply: FastifyReply, exchange: Exchange, outcome: Outcome): Promise<FastifyReply>;
  /** Answers what was thrown, for a call that may not have begun as well. */
  refuse(request: FastifyRequest, reply: FastifyReply, dialect: Dialect, thrown: unknown): Promise<FastifyReply>;
  /** The answer is out, or the connection gone. */
  end(request: FastifyRequest): void;
  /** From now on every call is refused. */
  close(): void;
}

export function createExchanges(context: ApiContext): Exchanges {
  const { world, settings, headroom = ALL_HEADROOM } = context;
  let bodyBytes = 0;
  let stopping = false;

  function begin(request: FastifyRequest, dialect: Dialect, route: Route | undefined): Exchange {
    const head = headOf(request);
    const exchange: Exchange = {
      route,
      dialect,
      head,
      language: dialect.language(head),
      startMs: world.clock.monotonic(),
      timeMs: world.clock.now(),
      trace: { caller: undefined, parametersDigest: '', answerDigest: '', rows: 0 },
      gone: new Gone(),
      token: undefined,
      caller: undefined,
      code: 'OK',
      reservedBytes: 0,
    };
    request.exchange = exchange;
    if (stopping) throw new ChainError('NODE_STOPPING');
    exchange.token = dialect.admit(head, route);
    return exchange;
  }

  function reserve(request: FastifyRequest, route: Route, exchange: Exchange): void {
    const stated = Number(request.headers['content-length'] ?? Number.NaN);
    const bytesMax = bodyBytesMax(route, exchange.caller);
    if (stated > bytesMax) throw bodyTooLarge(route, exchange.caller);
    const bytes = Number.isSafeInteger(stated) && stated >= 0 ? stated : bytesMax;
    if (bodyBytes + bytes > settings.bodiesBytesMax) throw new ChainError('SERVER_BUSY', { retryAfterMs: 1_000 });
    bodyBytes += bytes;
    exchange.reservedBytes = bytes;
  }

  function readBody(request: FastifyRequest, payload: Readable, done: (error: Error | null, body?: Buffer) => void): void {
    const { route, caller } = request.exchange ?? {};
    const bytesMax = bodyBytesMax(route, caller);
    const stated = Number(request.headers['content-length'] ?? Number.NaN);
    const chunks: Buffer[] = [];
    /** A body of several chunks whose length is stated, put together as it comes; any other when all is there. 16 MiB at once take up to 55 ms. */
    let whole: Buffer | undefined;
    let bytes = 0;
    let sinceRest = 0;
    const rest = (): void => {
      const ms = headroom.restMs(BODY_PIECE_MS);
      sinceRest = 0;
      if (ms === 0) return;
      payload.pause();
      world.timers.after(ms, () => payload.resume());
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      sinceRest += chunk.length;
      if (bytes > bytesMax) {
        payload.off('data', take).off('end', finish).off('error', done).pause();
        done(bodyTooLarge(route, caller));
        return;
      }
      if (stated > chunk.length && stated <= bytesMax) whole ??= Buffer.allocUnsafeSlow(stated);
      if (whole) chunk.copy(whole, bytes - chunk.length);
      else chunks.push(chunk);
      if (sinceRest >= BODY_PIECE_BYTES) rest();
    };
    const finish = (): void => {
      const body = whole?.subarray(0, bytes) ?? (chunks.length === 1 ? chunks[0]! : context.pacedBodies(joined(chunks), true));
      if (body instanceof Promise) body.then((put) => done(null, asBuffer(put)), done);
      else done(null, asBuffer(body));
    };
    payload.on('data', take).on('end', finish).on('error', done);
  }

  async function sendRefusal(request: FastifyRequest, reply: FastifyReply, exchange: Exchange, thrown: unknown): Promise<FastifyReply> {
    const refusal = refusalOf(fromFramework(thrown, exchange.route));
    if (refusal.fault !== undefined) world.log.error({ requestId: request.id, error: faultText(refusal.fault) }, 'call failed');
    if (exchange.route !== undefined && !exchange.route.errorsAll.includes(refusal.code))
      world.log.warn({ operationId: exchange.route.operationId, code: refusal.code }, 'undeclared code answered');
    exchange.code = refusal.code;
    exchange.trace.rows = 0;
    exchange.trace.answerDigest = await context.paced(digestSteps(context, { code: refusal.code }), true);
    const holdMs = refusal.status === 401 && leavesBodyUnread(request) ? UNREAD_HOLD_MS : refusal.holdMs;
    if (holdMs > 0) await untilGone(exchange, holdMs);
    return send(request, reply, exchange, refusal);
  }

  /** Waits, but not for who has gone. */
  function untilGone({ gone: { signal } }: Exchange, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = world.timers.after(ms, end);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
  }

  /** The answer, and before it the digests for the exchange log; a refusal has its own already. */
  function* answerSteps({ dialect, head, language, trace }: Exchange, outcome: Outcome): ReturnType<Dialect['writeAnswer']> {
    if (outcome.kind === 'reply') {
      const { data, logged } = outcome.reply;
      if (logged?.parameters !== undefined) trace.parametersDigest = yield* digestSteps(context, logged.parameters);
      trace.answerDigest = yield* answerDigestSteps(context, logged?.answer ?? data ?? null);
    }
    return yield* dialect.writeAnswer(outcome, head, language);
  }

  async function send(request: FastifyRequest, reply: FastifyReply, exchange: Exchange, outcome: Outcome): Promise<FastifyReply> {
    const written = context.paced(answerSteps(exchange, outcome), true);
    const { status, headers, body } = written instanceof Promise ? await written : written;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const unread = leavesBodyUnread(request);
    if (outcome.kind === 'reply' && length <= PIECE_BYTES && !unread) {
      writeHead(reply, status, headers, length);
      reply.hijack(); // nothing is left for the library to do, and its way of it takes as long as all of ours
      // A text of ASCII alone, as most answers are, has the same bytes in both: as Latin-1 Node copies it and makes no room for three bytes a character.
      if (typeof body === 'string') reply.raw.end(body, length === body.length ? 'latin1' : 'utf8');
      else reply.raw.end(body);
      return reply;
    }
    reply.code(status).headers(securityHeaders).headers(headers).header('x-request-id', request.id).header('content-length', length);
    if (!unread) return reply.send(inPieces(body));
    const out = new PassThrough();
    out.write(body);
    const cancel = world.timers.after(UNREAD_BODY_LINGER_MS, () => out.end());
    request.raw.once('close', () => {
      cancel();
      out.end();
    });
    return reply.header('connection', 'close').send(out);
  }

  async function refuse(request: FastifyRequest, reply: FastifyReply, dialect: Dialect, thrown: unknown): Promise<FastifyReply> {
    try {
      if (request.exchange === undefined) begin(request, dialect, undefined);
    } catch {
      // the exchange stands; what was thrown is said by the answer that follows
    }
    return await sendRefusal(request, reply, request.exchange!, thrown);
  }

  function end(request: FastifyRequest): void {
    const exchange = request.exchange;
    if (exchange === undefined) return;
    bodyBytes -= exchange.reservedBytes;
    exchange.reservedBytes = 0;
    const durationMs = Math.max(0, Math.round(world.clock.monotonic() - exchange.startMs));
    const interfaceId = exchange.route?.operationId ?? 'unknown';
    context.metrics.observe(interfaceId, exchange.code, durationMs / 1_000);
    const caller = exchange.trace.caller ?? exchange.caller;
    try {
      context.exchanges.append({
        timeMs: exchange.timeMs,
        requestId: request.id,
        interfaceId,
        caller: caller?.account ?? '',
        organisation: caller?.organisation ?? '',
        address: request.ip,
        parametersDigest: exchange.trace.parametersDigest,
        code: exchange.code,
        rows: exchange.trace.rows,
        answerDigest: exchange.trace.answerDigest,
        durationMs,
        ...(exchange.trace.accountTried === undefined ? {} : { accountTried: exchange.trace.accountTried }),
      });
    } catch (error) {
      world.log.error({ requestId: request.id, error: String(error) }, 'exchange not logged');
    }
  }

  return {
    begin,
    reserve,
    readBody,
    send,
    refuse,
    end,
    close: () => {
      stopping = true;
    },
  };
}

export function headOf(request: FastifyRequest): Head {
  const { raw, headers, id } = request;
  const path = (request.params ?? {}) as Record<string, string>;
  return { requestId: id, url: raw.url ?? '', path, headers };
}

/** Head of an answer, its headers in a list: Node goes through it as it is. */
function writeHead(reply: FastifyReply, status: number, headers: Readonly<Record<string, string>>, length: number): void {
  const list = [...securityHeaderList];
  for (const name in headers) list.push(name, headers[name]!);
  list.push('x-request-id', reply.request.id, 'content-length', `${length}`);
  reply.raw.writeHead(status, list);
}

/** Large answers go out as the caller takes them: encrypting one for TLS in one piece would hold the thread. */
export function inPieces(body: Buffer | string): Buffer | Readable {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (bytes.length <= PIECE_BYTES) return bytes;
  const pieces = Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, i) =>
    bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
  );
  return Readable.from(pieces, { objectMode: false });
}

function awaitsToken(route: Route | undefined, caller: Caller | undefined): boolean {
  return caller === undefined && route !== undefined && route.access !== 'public' && route.access.tokenInBody === true;
}

/** Of one call, as far as it is known who makes it. */
function bodyBytesMax(route: Route | undefined, caller: Caller | undefined): number {
  return Math.min(route?.body?.bytesMax ?? BODY_BYTES_MAX, caller === undefined ? UNKNOWN_CALLER_BODY_BYTES_MAX : BODY_BYTES_MAX);
}

function bodyTooLarge(route: Route | undefined, caller: Caller | undefined): ChainError {
  const bytesMax = bodyBytesMax(route, caller);
  return awaitsToken(route, caller)
    ? new ChainError('TOKEN_MISSING', { tokenInBodyBytesMax: bytesMax })
    : new ChainError('BODY_TOO_LARGE', { bytesMax });
}

/** True while so much of a body is still to come that reading it away would be work done for nobody. */
function leavesBodyUnread({ raw }: FastifyRequest): boolean {
  const stated = Number(raw.headers['content-length'] ?? 0);
  const large = raw.headers['transfer-encoding'] !== undefined || !(stated <= UNKNOWN_CALLER_BODY_BYTES_MAX);
  return large && !raw.complete;
}

/** Fastify's own refusals, as codes of our table. */
function fromFramework(thrown: unknown, route: Route | undefined): unknown {
  if (thrown instanceof ChainError || !(thrown instanceof Error)) return thrown;
  const { code, statusCode } = thrown as Error & { code?: string; statusCode?: number };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ChainError('BODY_TOO_LARGE', { bytesMax: route?.body?.bytesMax ?? BODY_BYTES_MAX });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return new ChainError('MEDIA_TYPE_UNSUPPORTED', { formats: route?.body?.formats ?? [] });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new ChainError('REQUEST_MALFORMED');
    default:
      return code?.startsWith('FST_ERR_') === true && statusCode !== undefined && statusCode < 500
        ? new ChainError('REQUEST_MALFORMED')
        : thrown;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function faultText(fault: unknown): string {
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
}
