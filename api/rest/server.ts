/**
 * The HTTPS server: Fastify around the route table, on the listener of tls-server.ts. Building (`createServer`) and listening (`listen`) are apart,
 * so that tests inject requests. Nothing a client sends may bring it down: time-outs and bounds on connections stand in tls-server.ts, bounds on
 * bodies and the one place where errors end in exchange.ts.
 */
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, type HTTPMethods } from 'fastify';
import { ChainError } from '../../node/errors/index.ts';
import { toHex } from '../../node/format/index.ts';
import { isSteps } from '../../node/pace/index.ts';
import type { Dialect } from '../dialects/index.ts';
import { checkStatedType } from './body.ts';
import { checkContentEncoding } from './charset.ts';
import { type ApiContext, createContext } from './context.ts';
import type { ApiDeps } from './deps.ts';
import { BODY_BYTES_MAX, createExchanges, type Exchange, headOf, inPieces } from './exchange.ts';
import { admit, handle } from './handle.ts';
import { allRoutes } from './routes/index.ts';
import { ENCODING_WORDS } from './parameters.ts';
import { unreadableSegment } from './percent.ts';
import { securityHeaders } from './security-headers.ts';
import { openStream } from './stream-sink.ts';
import { createTlsServer, endRefused, type TlsOptions } from './tls-server.ts';

export type { TlsOptions } from './tls-server.ts';

const PARAMETER_CHARACTERS_MAX = 512; // of one path parameter
const SEGMENT_CHARACTERS_SHOWN = 64; // of a path segment that cannot be read
const METHODS: readonly HTTPMethods[] = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'];

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

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange | undefined;
  }
}

/**
 * @param dialects that callers may speak; what lies under no prefix is answered by the first
 * @throws TypeError when a route is not declared in full
 */
export function createServer(deps: ApiDeps, tls: TlsOptions, dialects: readonly [Dialect, ...Dialect[]]): ApiServer {
  const routes = allRoutes();
  const context = createContext(deps, routes);
  const { world } = context;
  const exchanges = createExchanges(context);
  const dialectOf = ({ raw: { url = '' } }: FastifyRequest): Dialect => {
    const path = url.split('?', 1)[0]!;
    return dialects.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`)) ?? dialects[0];
  };
  const streams = new Set<() => void>();
  let stopping = false;

  const app = fastify<Server>({
    serverFactory: (handler) => createTlsServer(handler, tls, context.settings),
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX },
    exposeHeadRoutes: false,
    genReqId: () => toHex(world.random.bytes(12)),
    requestIdHeader: false,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    clientErrorHandler(error, socket) {
      if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
      const code = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'REQUEST_TIMEOUT' : 'REQUEST_MALFORMED';
      endRefused(socket, code, toHex(world.random.bytes(12)));
    },
    frameworkErrors(_error, request, reply) {
      const dialect = dialectOf(request);
      // Fastify runs no hook for this answer.
      reply.raw.once('close', () => exchanges.end(request));
      exchanges.refuse(request, reply as unknown as FastifyReply, dialect, targetFault(request, dialect)).catch(() => reply.raw.destroy());
    },
  });

  app.decorateRequest('exchange', undefined);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage, done) => exchanges.readBody(request, payload, done));

  app.setErrorHandler((error, request, reply) => exchanges.refuse(request, reply, dialectOf(request), error));
  app.addHook('onResponse', (request, _reply, done) => {
    exchanges.end(request);
    done();
  });

  const entries = dialects.flatMap((dialect) => dialect.entries(routes).map((entry) => ({ dialect, ...entry })));
  const methodsByUrl = new Map<string, Set<HTTPMethods>>();
  for (const { dialect, method, url, operation: route, formats } of entries) {
    methodsByUrl.set(url, (methodsByUrl.get(url) ?? new Set()).add(method));
    app.route({
      method,
      url,
      bodyLimit: Math.min(route.body?.bytesMax ?? 1, BODY_BYTES_MAX),
      onRequest: (request, reply, done) => {
        const exchange = exchanges.begin(request, dialect, route);
        // Not on the socket: it outlives thousands of calls. An answer that went out whole has nobody left to stop.
        reply.raw.on('close', () => {
          if (!reply.raw.writableFinished) exchange.gone.abort();
        });
        exchange.caller = admit(context, route, exchange.token, request.ip);
        if (method === 'POST') {
          checkContentEncoding(request.headers);
          checkStatedType(formats, request.headers);
          exchanges.reserve(request, route, exchange);
        }
        done();
      },
      handler: async (request, reply) => {
        const exchange = request.exchange!;
        const read = dialect.readCall(exchange.head, route, request.body as Uint8Array | undefined);
        const { path, query, unreadable, headers, body } = isSteps(read) ? await context.pacedBodies(read) : read;
        const { language, token, gone } = exchange;
        const incoming = { path, query, unreadable, headers, body, requestId: request.id, language, token, address: request.ip, gone };
        const handled = await handle(context, route, incoming, exchange.caller, exchange.trace);
        switch (handled.kind) {
          case 'reply':
            return exchanges.send(request, reply, exchange, handled);
          case 'raw':
            return reply
              .headers(securityHeaders)
              .headers(handled.reply.headers ?? {})
              .header('content-type', handled.reply.mediaType)
              .header('x-request-id', request.id)
              .header('content-length', handled.bytes.length)
              .send(inPieces(handled.bytes));
          case 'stream':
            openStream(request, reply, handled.reply, world.timers, streams);
            return reply;
        }
      },
    });
  }
  for (const [url, methods] of methodsByUrl) {
    const allow = [...methods].join(', ');
    app.route({
      method: METHODS.filter((method) => !methods.has(method)),
      url,
      bodyLimit: BODY_BYTES_MAX,
      onRequest: async (request, reply) => {
        exchanges.begin(request, dialectOf(request), undefined);
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
      const allowed = request.method === 'GET' || request.method === 'POST';
      return exchanges.refuse(
        request,
        reply,
        dialectOf(request),
        new ChainError(allowed ? 'NOT_FOUND' : 'METHOD_NOT_ALLOWED', { path: request.url.split('?')[0]!.slice(0, 200) }),
      );
    },
  );

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
      exchanges.close();
      for (const close of streams) close();
      await app.close();
    },
  };
}

/** What is wrong with a path that the router cannot read. */
function targetFault(request: FastifyRequest, dialect: Dialect): ChainError {
  const head = headOf(request);
  const segment = unreadableSegment(head.url);
  if (segment === undefined) return new ChainError('REQUEST_MALFORMED');
  const parameter = `path segment ${segment.number} (${segment.text.slice(0, SEGMENT_CHARACTERS_SHOWN)})`;
  const message = `${parameter}: ${ENCODING_WORDS[dialect.language(head)]}`;
  return new ChainError('REQUEST_INVALID', { details: [{ code: 'PARAMETER_ENCODING', parameter, message }] });
}
