/** The 105 rows of DB53/T 1407-2025 and what a probe of one is. */
import { readText } from '../tools/source.ts';
import type { ProbeContext } from './context.ts';

export interface Row {
  readonly id: string;
  readonly level: 'shall' | 'should';
  /** `all` where the demand is on every interface. */
  readonly layer: 'network' | 'consensus' | 'contract' | 'application' | 'all';
  readonly statement: string;
  /** The phrase of the standard that carries the demand. */
  readonly original: string;
  /** What a reviewer must be able to see. */
  readonly shows: string;
  readonly owner: { readonly part: number; readonly name: string };
}

/** Proves one row from outside: HTTPS, command line, files. Both must hold; values are random in every run. */
export interface Probe {
  readonly id: string;
  /** What the row asks for happens. Throws when it does not. */
  prove(context: ProbeContext): Promise<void>;
  /** The negative twin: where the row must refuse, miss or differ, it does. Without it a node that says yes to everything would prove a row. */
  twin(context: ProbeContext): Promise<void>;
}

export function rows(): readonly Row[] {
  return JSON.parse(readText('test/conformance/rows.json')) as readonly Row[];
}

/** Rows that have been proved before: the floor. */
export function provedBefore(): readonly string[] {
  return JSON.parse(readText('test/conformance/proved.json')) as readonly string[];
}
