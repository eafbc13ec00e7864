/**
 * The TLS listener below Fastify: TLS 1.2 or later only, bounds on headers, time and connections, and a sentence for who speaks plain HTTP
 * (DB53 5.2.2.b).
 */
import type { EventEmitter } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { ApiSettings } from './deps.ts';
import { MEDIA_TYPE, messageOf } from './envelope.ts';

const HEADERS_BYTES_MAX = 16_384;
const REQUEST_TIMEOUT_MS = 60_000; // the whole request, body included
const SLOW_CHECK_MS = 1_000; // how often connections are held against headersTimeoutMs and the time-out above
const HANDSHAKE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;
const REQUESTS_PER_SOCKET_MAX = 100_000;
/** A client that takes no byte of its answer for this long is cut, ms; net looks once in that time, so it may take twice as long. */
export const ANSWER_STALL_MS = 10_000;
/** A refused connection is gone this long after its last words, ms, whether or not the other side has read them. */
export const REFUSED_LINGER_MS = 1_000;
/** Places that only this machine may take: whoever asks for `healthz` here finds one. */
export const LOOPBACK_PLACES = 8;
/** One address holds at most one in so many places; one of this machine, whose clients share few addresses, one in two. */
const ADDRESS_SHARE = 4;
const LOOPBACK_SHARE = 2;
/** TLS record type of a handshake (RFC 8446 §5.1): the first byte of every TLS connection. */
const TLS_HANDSHAKE = 0x16;

export interface TlsOptions {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export function createTlsServer(handler: RequestListener, tls: TlsOptions, settings: ApiSettings): Server {
  const server = createServer(
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
  // Not while the answer is being made, and begun anew by each byte the other side takes: net looks at its queue before it says so.
  server.on('request', (_request, response) => {
    response.setTimeout(ANSWER_STALL_MS, () => {
      if (response.socket && response.socket.writableLength > 0) response.socket.destroy();
    });
  });
  admitByAddress(server, new Places(settings.connectionsMax));
  return server;
}

/** The last words to a socket whose bytes are no request Fastify could answer. */
export function endRefused(
  socket: Socket,
  code: 'REQUEST_MALFORMED' | 'REQUEST_TIMEOUT',
  requestId: string,
  message = messageOf(code, 'en'),
): void {
  const body = JSON.stringify({ code, message, data: null, details: [], requestId });
  const status = code === 'REQUEST_TIMEOUT' ? '408 Request Timeout\r\nretry-after: 1' : '400 Bad Request';
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: ${MEDIA_TYPE.json}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  const linger = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** Places by address. */
export class Places {
  readonly #placesMax: number;
  readonly #held = new Map<string, number>();
  #count = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /** Takes a place until the socket closes; false when there is none for its address. */
  take(socket: Pick<Socket, 'remoteAddress'> & Pick<EventEmitter, 'once'>): boolean {
    const address = socket.remoteAddress ?? '';
    const local = isLoopback(address);
    const held = this.#held.get(address) ?? 0;
    if (held >= Math.ceil(this.#placesMax / (local ? LOOPBACK_SHARE : ADDRESS_SHARE))) return false;
    if (this.#count >= this.#placesMax - (local ? 0 : LOOPBACK_PLACES)) return false;
    this.#held.set(address, held + 1);
    this.#count++;
    socket.once('close', () => {
      const left = this.#held.get(address)! - 1;
      if (left === 0) this.#held.delete(address);
      else this.#held.set(address, left);
      this.#count--;
    });
    return true;
  }
}

/**
 * Gives each connection a place, and looks at its first byte before TLS does. What has no place is closed without a word. What is not a TLS
 * handshake gets a sentence in plain HTTP and the door, instead of a reset that nobody understands.
 */
function admitByAddress(server: Server, places: Places): void {
  const startTls = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const forget = (): void => void socket.destroy();
    if (!places.take(socket)) return forget();
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
      endRefused(socket, 'REQUEST_MALFORMED', '', 'This port speaks HTTPS only: use https://');
    });
  });
}
