/** Records already parsed, prepared and judged on this thread: the two halves of a check as the record service puts them together. */
import { type CheckDependencies, checkSigns, classOf, judgeRows, newestKey } from '../../../../node/records/check-rows.ts';
import { prepareRows } from '../../../../node/records/prepare-rows.ts';
import type { CheckedRow } from '../../../../node/records/submit.ts';
import type { BodyFault, ParsedRecord } from '../../../../node/records/formats/index.ts';
import type { Caller } from '../../../../node/records/types.ts';

/** @throws ChainError with all faults of all rows */
export function* checkRows(
  deps: CheckDependencies,
  records: readonly ParsedRecord[],
  caller: Pick<Caller, 'account' | 'organisation'>,
  recordClass: string,
  unreadable: readonly BodyFault[] = [],
): Generator<void, CheckedRow[], void> {
  checkSigns(deps.node, caller);
  const definition = classOf(deps.node, recordClass);
  const context = { crypto: deps.crypto, org: caller.organisation, sealingKey: newestKey(deps) };
  const prepared = yield* prepareRows(context, definition, records, unreadable, { source: {} });
  return yield* judgeRows(deps, definition, prepared, caller);
}
