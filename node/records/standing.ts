/**
 * What stands on the chain under the key of a prepared record, as far as judging and answering a submission need it. The content of what
 * stands is in the body of a block and is waited for here; what is kept of it is never more than the prepared record names itself.
 */
import { type ClassDefinition, storedSpelling } from '../../contracts/index.ts';
import { equalBytes, isSealed, type RecordVersion, type TextStruct, valueAt } from '../format/index.ts';
import type { RunInSlices, Steps } from '../pace/index.ts';
import { contentSteps } from './content-steps.ts';
import type { PreparedRecord } from './prepare.ts';
import type { RecordSource } from './source.ts';

/** The first version of a record, beside what a prepared one says. */
export interface StandingRecord extends RecordVersion {
  /** Path -> commitment, at the paths that the prepared record seals. */
  readonly seals: ReadonlyMap<string, string>;
  /** Key fields that the prepared record spells otherwise, as they stand: dotted path -> text. */
  readonly storedAs: { readonly [path: string]: string };
}

/** Undefined when nothing stands under the key. @throws ChainError STORE_DAMAGED */
export async function standingRecord(
  { source, inSlices }: { readonly source: RecordSource; readonly inSlices: RunInSlices },
  definition: ClassDefinition,
  { recordId, recordDigest, submission, sealed }: PreparedRecord,
): Promise<StandingRecord | undefined> {
  const first = source.version(recordId, 1);
  if (!first) return undefined;
  if (equalBytes(first.recordDigest, recordDigest))
    return { ...first, seals: new Map(sealed.map(({ path, commitment }) => [path, commitment])), storedAs: {} };
  const stored = await inSlices(contentSteps((await source.open(recordId, first)).content));
  const own = await inSlices(contentSteps(submission.content));
  const seals = await inSlices(sealsOf(stored, sealed));
  return { ...first, seals, storedAs: storedSpelling(definition, own, stored) };
}

/** One step a sealed value: a record may have tens of thousands. */
function* sealsOf(stored: TextStruct, sealed: PreparedRecord['sealed']): Steps<ReadonlyMap<string, string>> {
  const seals = new Map<string, string>();
  for (const { path } of sealed) {
    const stands = valueAt(stored, path);
    if (isSealed(stands)) seals.set(path, stands.sealed);
    yield;
  }
  return seals;
}
