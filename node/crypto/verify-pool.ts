/**
 * Signature checks in worker threads (adapter of World.verifier). Checks travel in batches: a message to another thread costs as much as a check, so a check
 * that comes alone is made on this thread, at most one every VERIFY_GATHER_MS. A worker that dies loses nothing: its batches go back to the queue and a new
 * worker starts; a batch that has killed two workers is checked on this thread.
 */
import { Worker } from 'node:worker_threads';
import { ChainError } from '../errors/index.ts';
import type { Crypto } from '../format/index.ts';
import type { Log, SignatureCheck, VerifyPool } from '../world.ts';
import { encodeBatch, verifyBatch } from './verify-batch.ts';

export const VERIFY_WORKERS_DEFAULT = 1;
/** Checks in one batch: about 3 ms of one core. */
export const VERIFY_BATCH_COUNT_MAX = 64;
/** Bytes of messages in one batch, so that a large transaction does not hold back small ones. */
export const VERIFY_BATCH_BYTES_MAX = 1_048_576;
/** Batches posted to one worker at a time: one runs, one waits, so the worker never idles for a turn of this thread. */
const BATCHES_PER_WORKER_MAX = 2;
/** After a batch has left, later checks gather this long, ms; the first after a pause leaves at once. */
export const VERIFY_GATHER_MS = 8;
/** A batch that was in this many dying workers is taken for the cause. */
const BATCH_ATTEMPTS_MAX = 2;
/** After this many deaths without one finished batch no worker is started again; checks run here, slower. */
const WORKER_DEATHS_MAX = 5;

/** Checks that were asked for together: one answer, however many batches they travel in. */
interface Group {
  readonly checks: readonly SignatureCheck[];
  /** In order; those that are not known yet are missing. */
  readonly verdicts: boolean[];
  /** So many of them stand in batches. */
  batched: number;
  /** So many have no verdict yet. */
  open: number;
  readonly settle: (verdicts: readonly boolean[]) => void;
}

/** Checks of one group in a batch. */
interface Run {
  readonly group: Group;
  readonly first: number;
  readonly count: number;
}

interface Batch {
  readonly id: number;
  readonly runs: readonly Run[];
  readonly checks: readonly SignatureCheck[];
  attempts: number;
}

interface Lane {
  worker: Worker | undefined;
  readonly inFlight: Map<number, Batch>;
}

export interface RealVerifyPool extends VerifyPool {
  /** Threads alive now. */
  readonly workers: readonly Worker[];
}

export function createVerifyPool(options: { readonly crypto: Crypto; readonly log: Log; readonly workers?: number }): RealVerifyPool {
  return new WorkerVerifyPool(options.crypto, options.log, options.workers ?? VERIFY_WORKERS_DEFAULT);
}

class WorkerVerifyPool implements RealVerifyPool {
  readonly #crypto: Crypto;
  readonly #log: Log;
  readonly #lanes: Lane[];
  /** Groups of which something is in no batch yet. */
  readonly #queue: Group[] = [];
  /** Checks that are in no batch yet. */
  #waiting = 0;
  readonly #returned: Batch[] = [];
  #scheduled = false;
  #dispatchedMs = Number.NEGATIVE_INFINITY;
  #stopping = false;
  #nextId = 1;
  #deaths = 0;
  #idle: (() => void) | undefined;

  constructor(crypto: Crypto, log: Log, workers: number) {
    this.#crypto = crypto;
    this.#log = log;
    this.#lanes = Array.from({ length: workers }, () => ({ worker: undefined, inFlight: new Map() }));
    for (const lane of this.#lanes) this.#start(lane);
  }

  get workers(): readonly Worker[] {
    return this.#lanes.flatMap((lane) => lane.worker ?? []);
  }

  verify(suite: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (this.#stopping) return Promise.reject(new ChainError('NODE_STOPPING'));
    return new Promise((resolve) => this.#ask([{ suite, publicKey, message, signature }], ([valid]) => resolve(valid!)));
  }

  verifyAll(checks: readonly SignatureCheck[]): Promise<readonly boolean[]> {
    if (this.#stopping) return Promise.reject(new ChainError('NODE_STOPPING'));
    if (checks.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => this.#ask(checks, resolve));
  }

  #ask(checks: readonly SignatureCheck[], settle: Group['settle']): void {
    this.#queue.push({ checks, verdicts: [], batched: 0, open: checks.length, settle });
    this.#waiting += checks.length;
    this.#schedule();
  }

  /** Finishes what is queued, then ends the threads. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#busy()) await new Promise<void>((resolve) => (this.#idle = resolve));
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  #busy(): boolean {
    return this.#waiting > 0 || this.#returned.length > 0 || this.#lanes.some((lane) => lane.inFlight.size > 0);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const go = (): void => {
      this.#scheduled = false;
      this.#dispatch();
    };
    const waitMs = Math.ceil(this.#dispatchedMs + VERIFY_GATHER_MS - performance.now());
    if (waitMs <= 0 || this.#waiting >= VERIFY_BATCH_COUNT_MAX) setImmediate(go);
    else setTimeout(go, waitMs);
  }

  #dispatch(): void {
    if (this.#lanes.every((lane) => lane.worker === undefined)) {
      for (let batch = this.#nextBatch(); batch !== undefined; batch = this.#nextBatch()) this.#runHere(batch);
    }
    if (this.#waiting === 1 && this.#returned.length === 0 && this.#lanes.every((lane) => lane.inFlight.size === 0)) {
      this.#dispatchedMs = performance.now();
      this.#runHere(this.#nextBatch()!);
    }
    for (;;) {
      const lane = this.#freeLane();
      const batch = lane && this.#nextBatch();
      if (lane === undefined || batch === undefined) break;
      if (batch.attempts >= BATCH_ATTEMPTS_MAX) {
        this.#runHere(batch);
        continue;
      }
      batch.attempts++;
      lane.inFlight.set(batch.id, batch);
      this.#dispatchedMs = performance.now();
      const bytes = encodeBatch(batch.checks);
      lane.worker!.postMessage({ id: batch.id, batch: bytes }, [bytes.buffer]);
    }
    if (!this.#busy()) this.#idle?.();
  }

  #freeLane(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of this.#lanes) {
      if (lane.worker === undefined || lane.inFlight.size >= BATCHES_PER_WORKER_MAX) continue;
      if (best === undefined || lane.inFlight.size < best.inFlight.size) best = lane;
    }
    return best;
  }

  #nextBatch(): Batch | undefined {
    const returned = this.#returned.shift();
    if (returned !== undefined) return returned;
    if (this.#waiting === 0) return undefined;
    const checks: SignatureCheck[] = [];
    const runs: Run[] = [];
    let bytes = 0;
    let whole = 0;
    for (const group of this.#queue) {
      const first = group.batched;
      while (group.batched < group.checks.length && checks.length < VERIFY_BATCH_COUNT_MAX && bytes < VERIFY_BATCH_BYTES_MAX) {
        const check = group.checks[group.batched++]!;
        bytes += check.message.length;
        checks.push(check);
      }
      if (group.batched > first) runs.push({ group, first, count: group.batched - first });
      if (group.batched < group.checks.length) break;
      whole++;
    }
    this.#queue.splice(0, whole);
    this.#waiting -= checks.length;
    return { id: this.#nextId++, runs, checks, attempts: 0 };
  }

  #runHere(batch: Batch): void {
    settleAll(batch, verifyBatch(this.#crypto, encodeBatch(batch.checks)));
  }

  #start(lane: Lane): void {
    const worker = new Worker(new URL('./verify-worker.js', import.meta.url));
    lane.worker = worker;
    worker.on('message', (answer: { readonly id: number; readonly verdicts: Uint8Array }) => {
      const batch = lane.inFlight.get(answer.id);
      if (batch === undefined) return;
      lane.inFlight.delete(answer.id);
      this.#deaths = 0;
      settleAll(batch, answer.verdicts);
      if (this.#waiting > 0 || this.#returned.length > 0) this.#schedule();
      else if (!this.#busy()) this.#idle?.();
    });
    worker.on('error', (error) => this.#log.error({ message: error.message }, 'verify worker failed'));
    worker.on('exit', () => this.#onExit(lane));
  }

  #onExit(lane: Lane): void {
    lane.worker = undefined;
    this.#returned.push(...lane.inFlight.values());
    lane.inFlight.clear();
    if (this.#stopping && !this.#busy()) return;
    this.#deaths++;
    this.#log.warn({ deaths: this.#deaths, checks: this.#returned.reduce((n, b) => n + b.checks.length, 0) }, 'verify worker ended');
    if (this.#deaths <= WORKER_DEATHS_MAX) this.#start(lane);
    this.#schedule();
  }
}

function settleAll(batch: Batch, verdicts: Uint8Array): void {
  let at = 0;
  for (const { group, first, count } of batch.runs) {
    for (let i = 0; i < count; i++) group.verdicts[first + i] = verdicts[at++] === 1;
    group.open -= count;
    if (group.open === 0) group.settle(group.verdicts);
  }
}
