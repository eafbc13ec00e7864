/**
 * Notes what takes time in a node between a request and its answer, from outside: syncs of files and of LevelDB, messages between threads, bytes between
 * nodes, requests and answers. Times are of one clock for all processes of the machine.
 */
import fs from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import net from 'node:net';
import { basename } from 'node:path';
import { TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { Level } from 'level';

export interface Step {
  readonly name: string;
  /** ms since 1970, with fractions. */
  readonly atMs: number;
  /** Until it was over; of what has no duration 0. */
  readonly tookMs: number;
}

type Callable = (this: unknown, ...args: unknown[]) => unknown;

/** From now on steps of this thread stand in the list that it returns. */
export function noteSteps(): readonly Step[] {
  const steps: Step[] = [];
  const now = (): number => performance.timeOrigin + performance.now();
  const note = (name: string, atMs = now(), untilMs = atMs): void => void steps.push({ name, atMs, tookMs: untilMs - atMs });
  /** Replaces a method by one that calls `seen` before it. */
  const before = (owner: object, method: string, seen: (self: never, args: readonly unknown[]) => void): void => {
    const real = (owner as Record<string, Callable>)[method]!;
    (owner as Record<string, Callable>)[method] = function (...args) {
      seen(this as never, args);
      return real.apply(this, args);
    };
  };
  const timing = (owner: object, method: string, nameOf: (self: never, args: readonly unknown[]) => string | undefined): void => {
    const real = (owner as Record<string, Callable>)[method]!;
    (owner as Record<string, Callable>)[method] = function (...args) {
      const name = nameOf(this as never, args);
      const result = real.apply(this, args);
      if (name !== undefined && result instanceof Promise) {
        const atMs = now();
        const over = (): void => note(name, atMs, now());
        result.then(over, over);
      }
      return result;
    };
  };
  const pathOf = (fd: number): string => basename(fs.readlinkSync(`/proc/self/fd/${fd}`));

  void open('/dev/null').then(async (handle) => {
    const owner = Object.getPrototypeOf(handle) as object;
    for (const method of ['write', 'datasync', 'sync'])
      timing(owner, method, (self: FileHandle) => `${method === 'write' ? 'write' : 'sync'} ${pathOf(self.fd)}`);
    await handle.close();
  });
  for (const method of ['fsyncSync', 'fdatasyncSync'] as const) {
    const real = fs[method];
    fs[method] = (fd: number) => {
      const atMs = now();
      real(fd);
      note(`sync ${pathOf(fd)}`, atMs, now());
    };
  }
  const realBatch = Level.prototype.batch as Callable;
  Level.prototype.batch = function (this: Level, ...args: unknown[]) {
    const batch = realBatch.apply(this, args) as object;
    if (args.length === 0)
      timing(batch, 'write', (_self, [options]) =>
        (options as { sync?: boolean } | undefined)?.sync === true ? `sync of the store ${basename(this.location)}` : undefined,
      );
    return batch;
  } as typeof Level.prototype.batch;
  // A call of a worker: from the message that asks to the one that answers.
  const asked = new Map<unknown, { readonly name: string; readonly atMs: number }>();
  before(Worker.prototype, 'postMessage', (worker: Worker, [message]) => {
    const { method, ticket, batch, id } = message as { method?: string; ticket?: number; batch?: unknown; id?: number };
    const name = method ?? (batch === undefined ? undefined : 'verify');
    if (name !== undefined) asked.set(`${worker.threadId} ${ticket ?? id}`, { name: `thread: ${name}`, atMs: now() });
  });
  before(Worker.prototype, 'emit', (worker: Worker, [event, message]) => {
    if (event !== 'message') return;
    const { ticket, id } = message as { ticket?: number; id?: number };
    const call = asked.get(`${worker.threadId} ${ticket ?? id}`);
    if (call && asked.delete(`${worker.threadId} ${ticket ?? id}`)) note(call.name, call.atMs, now());
  });
  // TLS sockets are those of clients; what a plain socket carries goes to another node.
  before(net.Socket.prototype, 'write', (self: net.Socket) => note(self instanceof TLSSocket ? 'answer to the client' : 'bytes to a node'));
  before(net.Socket.prototype, 'emit', (self: net.Socket, [event]) => {
    if (event === 'data' && self instanceof TLSSocket) note('request of a client');
  });
  return steps;
}
