/**
 * The TLS listener below Fastify: TLS 1.2 or later only, bounds on headers, time and connections, and a sentence for who speaks plain HTTP
 * (DB53 5.2.2.b).
 */
import type { EventEmitter } from 'node:events';
import type { RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { ApiSettings } from './deps.ts';
import { MEDIA_TYPE, messageOf } from '../dialects/index.ts';

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
/** Places that only this machine may take. */
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
  const places = new Places(settings.connectionsMax);
  // Two functions for all calls. Begun anew by each byte the other side takes, and not while the answer is being made: net looks at its queue before it
  // says so.
  function onFinish(this: ServerResponse): void {
    places.answered(this.req.socket);
  }
  function onStall(this: ServerResponse): void {
    if (this.socket && this.socket.writableLength > 0) this.socket.destroy();
  }
  server.on('request', (_request, response) => response.on('finish', onFinish).setTimeout(ANSWER_STALL_MS, onStall));
  admitByAddress(server, places);
  return server;
}

/** The last words to a socket whose bytes are no request Fastify could answer. Without security headers: of those, HSTS may not go out in clear (RFC 6797 §7.2). */
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

/** What a place needs of its connection. */
export type Placed = Pick<Socket, 'remoteAddress' | 'remotePort' | 'destroy'> & Pick<EventEmitter, 'once'>;

/**
 * Places by address. A connection always finds one, unless all addresses hold alike: of the address that is in the way, its own or the one with most, the
 * connection goes that has had no answer for the longest. So who holds places in silence holds them against himself, and `healthz` is answered beside him.
 */
export class Places {
  readonly #placesMax: number;
  /** By address and port, those answered last behind. */
  readonly #held = new Map<string, Map<number, Placed>>();
  #count = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /** Takes a place until the connection closes; false when there is none for its address. */
  take(socket: Placed): boolean {
    const { remoteAddress: address = '', remotePort: port = 0 } = socket;
    const local = isLoopback(address);
    const own = this.#held.get(address)?.size ?? 0;
    if (own >= Math.ceil(this.#placesMax / (local ? LOOPBACK_SHARE : ADDRESS_SHARE))) this.#end(address);
    else if (this.#count >= this.#placesMax - (local ? 0 : LOOPBACK_PLACES)) {
      const most = this.#withMost(local);
      if (most === undefined || this.#held.get(most)!.size <= own + 1) return false;
      this.#end(most);
    }
    const held = this.#held.get(address) ?? new Map<number, Placed>();
    this.#held.set(address, held.set(port, socket));
    this.#count++;
    socket.once('close', () => this.#leave(address, port, socket));
    return true;
  }

  /** A connection was answered. */
  answered({ remoteAddress = '', remotePort = 0 }: Pick<Socket, 'remoteAddress' | 'remotePort'>): void {
    const held = this.#held.get(remoteAddress);
    const socket = held?.get(remotePort);
    if (!held || !socket) return;
    held.delete(remotePort);
    held.set(remotePort, socket);
  }

  #withMost(local: boolean): string | undefined {
    let most: string | undefined;
    for (const [address, { size }] of this.#held)
      if ((local || !isLoopback(address)) && size > (this.#held.get(most ?? '')?.size ?? 0)) most = address;
    return most;
  }

  #end(address: string): void {
    const [port, socket] = this.#held.get(address)!.entries().next().value!;
    this.#leave(address, port, socket);
    socket.destroy();
  }

  #leave(address: string, port: number, socket: Placed): void {
    const held = this.#held.get(address);
    if (held?.get(port) !== socket) return;
    held.delete(port);
    if (held.size === 0) this.#held.delete(address);
    this.#count--;
  }
}

/**
 * Gives each connection a place, and looks at its first byte before TLS does. What has no place, or loses it, is closed without a word. What is not a TLS
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
