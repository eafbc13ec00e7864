/**
 * The thread for bodies (adapter): reads one body at a time and answers with bytes. A fault ends the reading of one body and nothing else.
 */
import { openSync, readSync } from 'node:fs';
import { constants, platform, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { createCrypto } from '../crypto/index.ts';
import { ChainError } from '../errors/index.ts';
import type { BodyFormat } from './formats/index.ts';
import { packRows } from './body-wire.ts';
import { type BodyReading, type BodyTask, readBody } from './body-work.ts';
import type { PreparedRows } from './prepare-rows.ts';

export interface BodyCall {
  readonly bytes: Uint8Array;
  readonly format: BodyFormat;
  readonly task: BodyTask;
}

/** `rows` as body-wire packs them. */
export type PackedReading = Omit<BodyReading, 'prepared'> & {
  readonly prepared: Omit<PreparedRows, 'rows'> | undefined;
  readonly rows: Uint8Array;
};

export type BodyMessage =
  | { readonly ready: true }
  /** The bytes come back with every answer; `workMs` by createWorkMeter. */
  | ({ readonly bytes: Uint8Array; readonly workMs: number } & (
      | { readonly value: PackedReading }
      | { readonly refusal: { readonly code: string; readonly data: Readonly<Record<string, unknown>> } }
    ));

const NS_PER_MS = 1_000_000;

const port = parentPort;
if (port) {
  // On Linux the priority is that of the calling thread: where processors are short, votes and execution go first. Elsewhere it would be
  // the process.
  if (platform() === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const crypto = createCrypto();
  const workedMs = createWorkMeter();
  const read = ({ bytes, format, task }: BodyCall): PackedReading => {
    const steps = readBody(crypto, bytes, format, task);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    const { prepared, ...reading } = step.value;
    const { rows = [], ...rest } = prepared ?? {};
    return { ...reading, prepared: prepared && (rest as Omit<PreparedRows, 'rows'>), rows: packRows(rows) };
  };
  port.on('message', (call: BodyCall) => {
    const { bytes } = call;
    const beforeMs = workedMs();
    const moved = [bytes.buffer as ArrayBuffer];
    try {
      const value = read(call);
      port.postMessage({ value, bytes, workMs: workedMs() - beforeMs } satisfies BodyMessage, [...moved, value.rows.buffer as ArrayBuffer]);
    } catch (error) {
      const refusal =
        error instanceof ChainError
          ? { code: error.code, data: error.data }
          : { code: 'INTERNAL', data: { message: String((error as Error).stack ?? error) } };
      port.postMessage({ refusal, bytes, workMs: workedMs() - beforeMs } satisfies BodyMessage, moved);
    }
  });
  port.postMessage({ ready: true } satisfies BodyMessage);
}

/**
 * A meter of what this thread had of the processor so far, ms, where the machine counts it for each thread, as Linux does; else of the time that
 * has passed, which is more where processors are short.
 */
function createWorkMeter(): () => number {
  const text = Buffer.alloc(64);
  try {
    const file = openSync('/proc/thread-self/schedstat', 'r');
    return () => Number.parseInt(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)), 10) / NS_PER_MS; // before the first space
  } catch {
    return () => performance.now();
  }
}
