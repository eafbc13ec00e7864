/**
 * How long a piece of work holds the main thread. A gap between two turns counts with the processor time that the thread used in it where that is less:
 * what other programs of the machine took is not the work's, nor what other threads of this process did meanwhile.
 */
import { createHash } from 'node:crypto';
import { existsSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Linux: nanoseconds that the main thread ran, first of three numbers. Elsewhere the time of the whole process has to do. */
const STATISTICS = `/proc/${process.pid}/schedstat`;
const statistics = existsSync(STATISTICS) ? openSync(STATISTICS, 'r') : undefined;
const buffer = Buffer.alloc(64);

export interface Hold {
  /** Longest time between two turns, ms. */
  readonly longestMs: number;
  readonly totalMs: number;
}

export async function measureHold(work: () => Promise<void>): Promise<Hold> {
  let longestMs = 0;
  let running = true;
  let last = look();
  const started = last.wallMs;
  const turn = (): void => {
    const now = look();
    longestMs = Math.max(longestMs, Math.min(now.wallMs - last.wallMs, now.cpuMs - last.cpuMs));
    last = now;
    if (running) setImmediate(turn);
  };
  await nextTurn();
  last = look();
  setImmediate(turn);
  await work();
  await nextTurn();
  running = false;
  turn();
  return { longestMs, totalMs: last.wallMs - started };
}

/**
 * The least of several tries, as on a machine that does the reference work in its time: other programs make this one slower by turns. Ends with the
 * first try within the bound.
 */
export async function leastHold(
  work: () => Promise<void>,
  { boundMs, triesMax }: { readonly boundMs: number; readonly triesMax: number },
): Promise<Hold> {
  let least: Hold | undefined;
  for (let tries = 0; tries < triesMax && !(least && least.longestMs <= boundMs); tries++) {
    const { longestMs, totalMs } = await measureHold(work);
    const hold = longestMs <= boundMs ? longestMs : longestMs / slowness();
    if (!least || hold < least.longestMs) least = { longestMs: hold, totalMs };
  }
  return least!;
}

/** The reference work takes so long on one core of an AMD EPYC with nothing else to do, ms. */
const REFERENCE_MS = 7;
const SLOWNESS_MAX = 4;
const referenceBytes = Buffer.alloc(4 << 20, 'x');
const referenceValue = Array.from({ length: 5_000 }, (_, i) => ({ [`n${i}`]: i, text: '<&>' }));

/** How many times as long as usual this machine takes just now, 1 at least. */
function slowness(): number {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const started = look();
    createHash('sha256').update(referenceBytes).digest();
    JSON.parse(JSON.stringify(referenceValue));
    const ended = look();
    leastMs = Math.min(leastMs, ended.wallMs - started.wallMs);
  }
  return Math.min(SLOWNESS_MAX, Math.max(1, leastMs / REFERENCE_MS));
}

function look(): { readonly wallMs: number; readonly cpuMs: number } {
  return { wallMs: performance.now(), cpuMs: processorMs() };
}

function processorMs(): number {
  if (statistics === undefined) {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  }
  const length = readSync(statistics, buffer, 0, buffer.length, 0);
  return Number.parseInt(buffer.toString('latin1', 0, length), 10) / 1_000_000;
}
