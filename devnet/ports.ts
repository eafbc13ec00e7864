/** Free TCP ports on loopback. */
import { createServer, type AddressInfo } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/** True when nothing listens on the port. */
export async function isFree(port: number): Promise<boolean> {
  return (await bind(port)) !== undefined;
}

/** `wanted` when it is free and not in `taken`, else a port the system chooses. */
export async function freePort(wanted: number, taken: ReadonlySet<number>): Promise<number> {
  if (wanted !== 0 && !taken.has(wanted) && (await isFree(wanted))) return wanted;
  for (;;) {
    const port = await bind(0);
    if (port !== undefined && !taken.has(port)) return port;
  }
}

async function bind(port: number): Promise<number | undefined> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve(bound));
    });
  });
}
