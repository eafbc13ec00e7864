/** In-memory stand-ins of World seams for tests of the shell: a store that fails when told, a clock, timers that run when told, a log that keeps. */
import { type Headroom, restOf } from '../../../node/pace/headroom.ts';
import type { Clock, Log, StoreOperation, Timers } from '../../../node/world.ts';
import { MemoryStore } from '../../tools/memory-store.ts';

export class FailingStore extends MemoryStore {
  /** When set, the next batch fails with it. */
  fault: Error | undefined;

  override async batch(operations: readonly StoreOperation[]): Promise<void> {
    const { fault } = this;
    this.fault = undefined;
    if (fault) throw fault;
    await super.batch(operations);
  }
}

/** Nothing is saved up, and the part is what the test says. */
export class ManualHeadroom implements Headroom {
  part: number;

  constructor(part: number) {
    this.part = part;
  }

  restMs(workMs: number): number {
    return restOf(this.part, workMs);
  }
}

export class ManualTime implements Clock, Timers {
  nowMs = 1_700_000_000_000;
  #waiting: { atMs: number; run: () => void }[] = [];

  now(): number {
    return this.nowMs;
  }

  monotonic(): number {
    return this.nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, run };
    this.#waiting.push(timer);
    return () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== timer);
    };
  }

  every(ms: number, run: () => void): () => void {
    let cancel = () => {};
    const again = () => {
      cancel = this.after(ms, () => {
        run();
        again();
      });
    };
    again();
    return () => cancel();
  }

  /** Moves time on and runs what fell due, in order. */
  advance(ms: number): void {
    this.nowMs += ms;
    const due = this.#waiting.filter((timer) => timer.atMs <= this.nowMs).sort((a, b) => a.atMs - b.atMs);
    this.#waiting = this.#waiting.filter((timer) => !due.includes(timer));
    for (const timer of due) timer.run();
  }
}

export class MemoryLog implements Log {
  readonly lines: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  debug(fields: Readonly<Record<string, unknown>>, event: string): void {
    this.lines.push({ level: 'debug', event, fields });
  }
  info(fields: Readonly<Record<string, unknown>>, event: string): void {
    this.lines.push({ level: 'info', event, fields });
  }
  warn(fields: Readonly<Record<string, unknown>>, event: string): void {
    this.lines.push({ level: 'warn', event, fields });
  }
  error(fields: Readonly<Record<string, unknown>>, event: string): void {
    this.lines.push({ level: 'error', event, fields });
  }
  child(): Log {
    return this;
  }
}

/** Lets everything already promised run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
