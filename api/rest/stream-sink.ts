/** The socket side of a stream of server-sent events: its head, back-pressure, and the end of a client that takes nothing. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Timers } from '../../node/world.ts';
import { securityHeaders } from './security-headers.ts';
import type { StreamReply } from './call.ts';

const STREAM_STALL_MS = 30_000; // a stream whose client takes nothing for so long is cut

/** @param streams how to end each open one, for the stop of the server */
export function openStream(
  request: FastifyRequest,
  reply: FastifyReply,
  { stream }: StreamReply,
  timers: Timers,
  streams: Set<() => void>,
): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...securityHeaders,
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
      if (!taken) stall ??= timers.after(STREAM_STALL_MS, () => raw.destroy());
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
