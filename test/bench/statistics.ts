/** Quantiles and process figures of a bench run. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** @param samples milliseconds, any order. */
export function latencyOf(samples: readonly number[]): Latency {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (ratio: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * ratio))] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

const TICKS_PER_SECOND = 100; // USER_HZ on every Linux this runs on

export interface ProcessUse {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** CPU time used so far and resident memory of a process, all its threads. */
export function processUse(pid: number): ProcessUse {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, residentBytes: pages * 4096 };
}

/** CPU us of this process, all its threads. */
export function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU time of the whole machine since it started: used by anything, and in all. */
export function machineUse(): { readonly usedSeconds: number; readonly seconds: number } {
  const [user, nice, system, idle, wait, irq, softIrq, steal] = readFileSync('/proc/stat', 'latin1')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const used = user! + nice! + system! + irq! + softIrq! + steal!;
  return { usedSeconds: used / TICKS_PER_SECOND, seconds: (used + idle! + wait!) / TICKS_PER_SECOND };
}

/** CPU time used so far by the threads of a process that bear this name, us. */
export function threadsCpuUs(pid: number, name: string): number {
  let ticks = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1');
    if (stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')) !== name) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1e6) / TICKS_PER_SECOND;
}

/** Median CPU microseconds, of all threads, of one `work` over `rounds` rounds of `count`: what others do on the machine changes it least. */
export async function timed(count: number, rounds: number, work: (index: number) => unknown): Promise<number> {
  const results: number[] = [];
  let index = 0;
  for (let round = 0; round <= rounds; round++) {
    const startUs = ownCpuUs();
    for (let i = 0; i < count; i++) {
      const result = work(index++);
      if (result instanceof Promise) await result;
    }
    if (round > 0) results.push((ownCpuUs() - startUs) / count); // the first round warms up
  }
  return results.sort((a, b) => a - b)[Math.floor(results.length / 2)]!;
}

/** A table in Markdown; the first column is text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
