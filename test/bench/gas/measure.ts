/**
 * Times operations so that another job on the machine disturbs little: processor time of this process, not of the clock; reference and operation by
 * turns; medians of both.
 */
import { GAS_PER_MICROSECOND } from '../../../contracts/index.ts';
import type { Operation } from './operations.ts';

/** Slices of an operation; the median of an odd count is a slice that was. */
const SLICES = 5;
/** Processor time of one native signature check on the quiet reference machine (2.5 GHz class x86-64 server core, Node 20), us. */
export const REFERENCE_US = 75;
const REFERENCES_PER_SLICE = 40;

/** Times as long as its gas allows that an operation takes on the reference machine; above 1 a full block of it outlasts its quarter of a view. */
export function overrun({ us, gas, referenceUs }: Omit<Measured, 'name'>): number {
  return (us * REFERENCE_US * GAS_PER_MICROSECOND) / referenceUs / gas;
}

export interface Measured {
  readonly name: string;
  readonly us: number;
  readonly gas: number;
  /** Time of one reference operation beside it, us. */
  readonly referenceUs: number;
}

/** @param sliceMs time of one slice at least, ms */
export function measure(operation: Operation, reference: () => void, sliceMs: number): Measured {
  const warmUntilMs = performance.now() + 2 * sliceMs; // compiled and cached
  do operation.run();
  while (performance.now() < warmUntilMs);
  let gas = 0;
  const times: number[] = [];
  const references: number[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    references.push(timeOf(REFERENCES_PER_SLICE, reference));
    let turns = 0;
    const started = processorUs();
    let ended = started;
    while (ended - started < sliceMs * 1_000 || turns === 0) {
      gas = operation.run();
      turns++;
      ended = processorUs();
    }
    times.push((ended - started) / turns);
  }
  return { name: operation.name, us: median(times), gas, referenceUs: median(references) };
}

function timeOf(count: number, work: () => void): number {
  const started = processorUs();
  for (let i = 0; i < count; i++) work();
  return (processorUs() - started) / count;
}

function processorUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
