/** Records already parsed, prepared and judged on this thread: the parts of a check as the record service puts them together. */
import {
  type CheckDependencies,
  checkSigns,
  classOf,
  judgeRows,
  newestKey,
  type StandingRecords,
  standingRecords,
} from '../../../../node/records/check-rows.ts';
import { prepareRows } from '../../../../node/records/prepare-rows.ts';
import type { CheckedRow } from '../../../../node/records/submit.ts';
import type { BodyFault, ParsedRecord } from '../../../../node/records/formats/index.ts';
import type { Caller } from '../../../../node/records/types.ts';
import { ended } from '../../../tools/steps.ts';

type Asked = readonly [
  records: readonly ParsedRecord[],
  caller: Pick<Caller, 'account' | 'organisation'>,
  recordClass: string,
  unreadable?: readonly BodyFault[],
  standing?: StandingRecords,
];

function* preparedRows(deps: CheckDependencies, [records, caller, recordClass, unreadable = []]: Asked) {
  checkSigns(deps.node, caller);
  const definition = classOf(deps.node, recordClass);
  const context = { crypto: deps.crypto, org: caller.organisation, sealingKey: newestKey(deps) };
  return { definition, prepared: yield* prepareRows(context, definition, records, unreadable, { source: {} }) };
}

/** Where the chain holds none of the records but those named. @throws ChainError with all faults of all rows */
export function* checkRows(deps: CheckDependencies, ...asked: Asked): Generator<void, CheckedRow[], void> {
  const { definition, prepared } = yield* preparedRows(deps, asked);
  return yield* judgeRows(deps, definition, prepared, asked[4] ?? new Map(), asked[1]);
}

/** @throws ChainError with all faults of all rows */
export async function checkStandingRows(
  deps: CheckDependencies & Parameters<typeof standingRecords>[0],
  ...asked: Asked
): Promise<CheckedRow[]> {
  const { definition, prepared } = ended(preparedRows(deps, asked));
  const standing = await standingRecords(deps, definition, prepared, () => async () => {});
  return ended(judgeRows(deps, definition, prepared, standing, asked[1]));
}
