/** Free TCP ports on loopback. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/**
 * Ports that are drawn from, the last one left out: below those that a system gives to outgoing connections (Linux from 32,768 on, others
 * from 49,152 on). A node that is down for a while could lose one of those to any program, and two networks that start at once could be
 * given the same.
 */
export const PORTS_DRAWN = { from: 15_000, to: 26_000 } as const;
/** Most draws before it gives up; nearly all ports are free on any machine. */
const DRAWS_MAX = 1_000;

/** True when nothing listens on the port. */
async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `wanted` when it is free and not in `taken`, else, and for 0, a free one that is drawn. */
export async function freePort(wanted: number, taken: ReadonlySet<number> = new Set()): Promise<number> {
  if (wanted !== 0 && !taken.has(wanted) && (await isFree(wanted))) return wanted;
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const port = randomInt(PORTS_DRAWN.from, PORTS_DRAWN.to);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`Cannot find a free port from ${PORTS_DRAWN.from} to ${PORTS_DRAWN.to - 1}`);
}
