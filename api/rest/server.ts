/**
 * The HTTPS server: Fastify around the route table. Building (`createServer`) and listening (`listen`) are apart, so that tests inject requests.
 * TLS 1.2 or later only; a plain HTTP request on the same port gets one sentence and the connection is closed (DB53 5.2.2.b). Nothing a client
 * sends may bring it down: header and request time-outs, bounds on connections, bodies and bytes in flight, and one place where errors end.
 */
import { createServer as createTlsServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import helmet from '@fastify/helmet';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, type HTTPMethods } from 'fastify';
import { ChainError } from '../../node/errors/index.ts';
import { toHex } from '../../node/format/index.ts';
import { type ApiContext, createContext } from './context.ts';
import type { ApiDeps, Caller } from './deps.ts';
import {
  type AnswerFormat,
  answerFormat,
  answerLanguage,
  encodeEnvelope,
  type Language,
  localDetails,
  MEDIA_TYPE,
  messageOf,
  refusalOf,
} from './envelope.ts';
import { admit, digestOf, handle, type Incoming, type Trace } from './handle.ts';
import type { Route, StreamReply } from './route.ts';
import { allRoutes } from './routes/index.ts';

/** Bytes of a body no route may exceed. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024;
const HEADERS_BYTES_MAX = 16_384;
const PARAMETER_CHARACTERS_MAX = 512; // of one path parameter
const REQUEST_TIMEOUT_MS = 60_000; // the whole request, body included
const SLOW_CHECK_MS = 1_000; // how often connections are held against headersTimeoutMs and the time-out above
const HANDSHAKE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;
const REQUESTS_PER_SOCKET_MAX = 100_000;
/** TLS record type of a handshake (RFC 8446 §5.1): the first byte of every TLS connection. */
const TLS_HANDSHAKE = 0x16;
const STREAM_STALL_MS = 30_000; // a stream whose client takes nothing for so long is cut

export interface TlsOptions {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
}

export interface ApiServer {
  /** For tests: `app.inject` without a socket. */
  readonly app: FastifyInstance<Server>;
  readonly context: ApiContext;
  /** @returns the port. @throws the system's error (EADDRINUSE). */
  listen(options: ListenOptions): Promise<number>;
  /** Stops taking calls, lets running ones end, closes streams. */
  stop(): Promise<void>;
}

interface Exchange {
  readonly route: Route | undefined;
  readonly format: AnswerFormat;
  readonly language: Language;
  readonly startMs: number;
  readonly timeMs: number;
  readonly trace: Trace;
  readonly gone: AbortController;
  caller: Caller | undefined;
  code: string;
  reservedBytes: number;
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange | undefined;
  }
}

/** @throws TypeError when a route is not declared in full */
export function createServer(deps: ApiDeps, tls: TlsOptions): ApiServer {
  const routes = allRoutes();
  const context = createContext(deps, routes);
  const { world, settings } = context;
  const streams = new Set<() => void>();
  let bodyBytes = 0;
  let stopping = false;

  const app = fastify<Server>({
    serverFactory: (handler) => {
      const server = createTlsServer(
        {
          key: tls.key,
          cert: tls.cert,
          minVersion: 'TLSv1.2',
          handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
          maxHeaderSize: HEADERS_BYTES_MAX,
          requireHostHeader: true,
          connectionsCheckingInterval: SLOW_CHECK_MS,
        },
        handler,
      );
      server.headersTimeout = settings.headersTimeoutMs;
      server.requestTimeout = REQUEST_TIMEOUT_MS;
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      server.maxRequestsPerSocket = REQUESTS_PER_SOCKET_MAX;
      server.maxConnections = settings.connectionsMax;
      refusePlainHttp(server);
      return server;
    },
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX },
    exposeHeadRoutes: false,
    genReqId: () => toHex(world.random.bytes(12)),
    requestIdHeader: false,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    clientErrorHandler(error, socket) {
      if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
      const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
      const code = late ? 'REQUEST_TIMEOUT' : 'REQUEST_MALFORMED';
      const requestId = toHex(world.random.bytes(12));
      const body = encodeEnvelope({ code, message: messageOf(code, 'en'), data: null, details: [], requestId }, 'json');
      const status = late ? '408 Request Timeout\r\nretry-after: 1' : '400 Bad Request';
      socket.end(
        `HTTP/1.1 ${status}\r\ncontent-type: ${MEDIA_TYPE.json}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    },
    frameworkErrors: (_error, request, reply) =>
      void sendThrown(request, reply as unknown as FastifyReply, new ChainError('REQUEST_MALFORMED')),
  });

  app.decorateRequest('exchange', undefined);
  app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        connectSrc: ["'self'"],
        imgSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    hsts: { maxAge: 31_536_000 },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  // --- one exchange -------------------------------------------------------------------------------------------------------------------

  function begin(request: FastifyRequest, route: Route | undefined): Exchange {
    const format = answerFormat(request.headers.accept);
    const exchange: Exchange = {
      route,
      format: format ?? 'json',
      language: answerLanguage(request.headers['accept-language']),
      startMs: world.clock.monotonic(),
      timeMs: world.clock.now(),
      trace: { caller: undefined, parametersDigest: '', answerDigest: '', rows: 0 },
      gone: new AbortController(),
      caller: undefined,
      code: 'OK',
      reservedBytes: 0,
    };
    request.exchange = exchange;
    if (stopping) throw new ChainError('NODE_STOPPING');
    if (format === undefined && route?.response.outside === undefined)
      throw new ChainError('NOT_ACCEPTABLE', { formats: ['application/json', 'application/xml'] });
    return exchange;
  }

  /** Takes room for a body before it is read; given back when the answer is out. */
  function reserve(request: FastifyRequest, route: Route, exchange: Exchange): void {
    const stated = Number(request.headers['content-length'] ?? Number.NaN);
    const bytesMax = Math.min(route.body!.bytesMax, BODY_BYTES_MAX);
    if (stated > bytesMax) throw new ChainError('BODY_TOO_LARGE', { bytesMax });
    const bytes = Number.isSafeInteger(stated) && stated >= 0 ? stated : bytesMax;
    if (bodyBytes + bytes > settings.bodiesBytesMax) throw new ChainError('SERVER_BUSY', { retryAfterMs: 1_000 });
    bodyBytes += bytes;
    exchange.reservedBytes = bytes;
  }

  function sendThrown(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
    const exchange = request.exchange;
    const refusal = refusalOf(fromFramework(thrown, exchange?.route));
    if (refusal.fault !== undefined) world.log.error({ requestId: request.id, error: faultText(refusal.fault) }, 'call failed');
    if (exchange?.route !== undefined && !exchange.route.errorsAll.includes(refusal.code))
      world.log.warn({ operationId: exchange.route.operationId, code: refusal.code }, 'undeclared code answered');
    if (exchange !== undefined) {
      exchange.code = refusal.code;
      exchange.trace.rows = 0;
      exchange.trace.answerDigest = digestOf(context, { code: refusal.code });
    }
    if (refusal.retryAfterS !== undefined) reply.header('retry-after', String(refusal.retryAfterS));
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer realm="tracemill"');
    return sendEnvelope(request, reply, refusal.status, refusal.code, refusal.data, refusal.details as never);
  }

  function sendEnvelope(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    code: string,
    data: unknown,
    details: readonly never[],
  ): FastifyReply {
    const { format = 'json', language = 'en' } = request.exchange ?? {};
    const envelope = {
      code,
      message: messageOf(code, language),
      data: data ?? null,
      details: localDetails(details, language),
      requestId: request.id,
    };
    return reply
      .code(status)
      .header('content-type', MEDIA_TYPE[format])
      .header('cache-control', 'no-store')
      .header('vary', 'accept, accept-language, authorization')
      .header('x-request-id', request.id)
      .send(encodeEnvelope(envelope, format));
  }

  app.setErrorHandler((error, request, reply) => {
    if (request.exchange === undefined) tryBegin(request);
    return sendThrown(request, reply, error);
  });

  function tryBegin(request: FastifyRequest): void {
    try {
      begin(request, undefined);
    } catch {
      // the exchange stands; what was thrown is said by the answer that follows
    }
  }

  app.addHook('onResponse', async (request) => {
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
      });
    } catch (error) {
      world.log.error({ requestId: request.id, error: String(error) }, 'exchange not logged');
    }
  });

  // --- routes ---------------------------------------------------------------------------------------------------------------------------

  const methodsByUrl = new Map<string, Set<HTTPMethods>>();
  for (const route of routes) {
    methodsByUrl.set(route.url, (methodsByUrl.get(route.url) ?? new Set()).add(route.method));
    app.route({
      method: route.method,
      url: route.url,
      bodyLimit: Math.min(route.body?.bytesMax ?? 1, BODY_BYTES_MAX),
      onRequest: async (request, reply) => {
        const exchange = begin(request, route);
        // Not on the socket: it outlives thousands of calls. An answer that went out whole has nobody left to stop.
        reply.raw.once('close', () => {
          if (!reply.raw.writableFinished) exchange.gone.abort();
        });
        exchange.caller = admit(context, route, {
          headers: request.headers,
          address: request.ip,
          path: request.params as Record<string, string>,
        });
        if (route.method === 'POST') reserve(request, route, exchange);
      },
      handler: async (request, reply) => {
        const exchange = request.exchange!;
        const incoming: Incoming = {
          requestId: request.id,
          language: exchange.language,
          headers: request.headers,
          path: request.params as Record<string, string>,
          query: new URLSearchParams(request.raw.url?.split('?').slice(1).join('?') ?? ''),
          body: request.body as Uint8Array | undefined,
          address: request.ip,
          get gone() {
            return exchange.gone.signal; // made when asked for
          },
        };
        const handled = await handle(context, route, incoming, exchange.caller, exchange.trace);
        switch (handled.kind) {
          case 'answer':
            reply.headers(handled.headers);
            return sendEnvelope(request, reply, handled.status, 'OK', handled.data, handled.details as never);
          case 'raw':
            reply.headers(handled.reply.headers ?? {});
            return reply
              .header('content-type', handled.reply.mediaType)
              .header('x-request-id', request.id)
              .send(typeof handled.reply.raw === 'string' ? handled.reply.raw : Buffer.from(handled.reply.raw));
          case 'stream':
            openStream(request, reply, handled.reply);
            return reply;
        }
      },
    });
  }
  const otherMethods: HTTPMethods[] = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'];
  for (const [url, methods] of methodsByUrl) {
    const allow = [...methods].join(', ');
    app.route({
      method: otherMethods.filter((method) => !methods.has(method)),
      url,
      bodyLimit: BODY_BYTES_MAX,
      onRequest: async (request, reply) => {
        begin(request, undefined);
        reply.header('allow', allow);
        throw new ChainError('METHOD_NOT_ALLOWED', { allow: [...methods] });
      },
      handler: async () => undefined,
    });
  }
  app.setNotFoundHandler(
    {
      preHandler: async () => undefined,
    },
    async (request, reply) => {
      if (request.exchange === undefined) tryBegin(request);
      const allowed = request.method === 'GET' || request.method === 'POST';
      return sendThrown(
        request,
        reply,
        new ChainError(allowed ? 'NOT_FOUND' : 'METHOD_NOT_ALLOWED', { path: request.url.split('?')[0]!.slice(0, 200) }),
      );
    },
  );

  function openStream(request: FastifyRequest, reply: FastifyReply, { stream }: StreamReply): void {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-request-id': request.id,
      'x-accel-buffering': 'no',
    });
    raw.flushHeaders();
    let stall: (() => void) | undefined;
    const close = (): void => void raw.end();
    streams.add(close);
    raw.once('close', () => {
      stall?.();
      streams.delete(close);
    });
    raw.on('error', () => raw.destroy());
    stream({
      write(text) {
        if (raw.destroyed || raw.writableEnded) return false;
        const taken = raw.write(text);
        if (!taken) stall ??= world.timers.after(STREAM_STALL_MS, () => raw.destroy());
        return taken;
      },
      onDrain: (run) =>
        void raw.once('drain', () => {
          stall?.();
          stall = undefined;
          run();
        }),
      onClose: (run) => void raw.once('close', run),
      close,
    });
  }

  return {
    app,
    context,
    async listen({ host, port }) {
      if (stopping) throw new ChainError('NODE_STOPPING');
      await app.listen({ host, port });
      return (app.server.address() as AddressInfo).port;
    },
    async stop() {
      stopping = true;
      for (const close of streams) close();
      await app.close();
    },
  };
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

function faultText(fault: unknown): string {
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
}

/**
 * Looks at the first byte of each connection before TLS does. What is not a TLS handshake gets a sentence in plain HTTP and the door, instead of a
 * reset that nobody understands.
 */
function refusePlainHttp(server: Server): void {
  const startTls = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const forget = (): void => void socket.destroy();
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, forget);
    socket.on('error', forget);
    socket.once('readable', () => {
      const first = socket.read(1) as Buffer | null;
      if (first === null) return forget();
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) {
        socket.setTimeout(0);
        socket.removeListener('timeout', forget);
        for (const listener of startTls) listener.call(server, socket);
        return;
      }
      const body = JSON.stringify({
        code: 'REQUEST_MALFORMED',
        message: 'This port speaks HTTPS only: use https://',
        data: null,
        details: [],
        requestId: '',
      });
      socket.end(
        `HTTP/1.1 400 Bad Request\r\ncontent-type: ${MEDIA_TYPE.json}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    });
  });
}
