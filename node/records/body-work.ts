/**
 * What is done with the bytes of a body before the chain is asked: reading, the token inside, and what the call wants of the records. The
 * same steps for a small body on the main thread and for any other in the thread for bodies.
 */
import type { ClassDefinition } from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import type { Crypto, RecordOrigin } from '../format/index.ts';
import { takeToken } from './token.ts';
import { type BodyFormat, parseSteps } from './formats/index.ts';
import { type PreparedRows, prepareRows } from './prepare-rows.ts';
import { refuseBody } from './refusal.ts';
import { contentDigestsOf } from './submit.ts';

/** What a call wants of a body. */
export type BodyTask =
  | { readonly want: 'token' }
  | { readonly want: 'digests'; readonly definition: ClassDefinition }
  | {
      readonly want: 'rows';
      readonly definition: ClassDefinition;
      readonly org: string;
      readonly sealingKey: Uint8Array;
      readonly source: RecordOrigin;
      readonly statedDigest: string | undefined;
    };

export interface BodyReading {
  /** What the body carried, in itself or in every row. */
  readonly token: string | undefined;
  /** contentDigest of each record, in hex, when wanted. */
  readonly digests: readonly string[];
  /** When wanted. */
  readonly prepared: PreparedRows | undefined;
  /** See ParsedBody. */
  readonly columns: ReadonlyMap<string, string> | undefined;
}

/** One step a record or some kilobytes. @throws ChainError */
export function* readBody(
  crypto: Pick<Crypto, 'hash'>,
  bytes: Uint8Array,
  format: BodyFormat,
  task: BodyTask,
): Generator<void, BodyReading, void> {
  const body = yield* parseSteps(format, bytes);
  if (!body.ok) throw refuseBody(body.faults);
  const taken = takeToken(body.records);
  if (!taken.ok) throw new ChainError(taken.code, { record: taken.record });
  const reading = { token: taken.token, digests: [], prepared: undefined, columns: body.columns };
  switch (task.want) {
    case 'token':
      return reading;
    case 'digests':
      return { ...reading, digests: yield* contentDigestsOf(crypto, taken.records, task.definition) };
    case 'rows': {
      const context = { crypto, org: task.org, sealingKey: task.sealingKey };
      return { ...reading, prepared: yield* prepareRows(context, task.definition, taken.records, body.faults ?? [], task) };
    }
  }
}
