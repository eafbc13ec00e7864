/**
 * How long a proposer works on one block. What a block costs is measured where it is paid: between the moment it may leave and that when it is final here a
 * quorum has executed it, on whatever machines, beside whatever else they do. Blocks grow while such a round stays within its part of a view, and shrink
 * when it does not.
 * Only a proposer's choice depends on this; no replica judges a block by it.
 */

/** What a round of a block that took all of its time may take, part of a view. */
export const ROUND_PART_MAX = 1 / 4;
/** At first. */
export const WORK_PART_START = 1 / 16;
export const WORK_PART_MIN = 1 / 64;
/**
 * Where it is not built ahead, building a block takes its time from the view as well; and one transaction of the largest gas limit begun at its end, an
 * eighth where a gas is the dearest, brings it to what a full block of the dearest takes (test/bench, "A full block of the dearest").
 */
export const WORK_PART_MAX = 1 / 8;
/** By so much the work grows or shrinks with one block at most. */
const GROWTH_MAX = 5 / 4;
const SHRINKAGE_MAX = 1 / 2;

export interface BlockBudget {
  /** After so many ms of work on a block no further transaction is begun. */
  workMs(viewTimeoutMs: number): number;
  /** A block of ours that took all of its time was final so long after it might leave. */
  final(roundMs: number, viewTimeoutMs: number): void;
  /** In the place of a block of ours that took all of its time another became final. */
  failed(): void;
}

export function createBlockBudget(): BlockBudget {
  let part = WORK_PART_START;
  return {
    workMs: (viewTimeoutMs) => Math.ceil(viewTimeoutMs * part),
    final(roundMs, viewTimeoutMs) {
      const change = Math.min(GROWTH_MAX, Math.max(SHRINKAGE_MAX, (viewTimeoutMs * ROUND_PART_MAX) / roundMs));
      part = Math.min(WORK_PART_MAX, Math.max(WORK_PART_MIN, part * change));
    },
    failed() {
      part = Math.max(WORK_PART_MIN, part * SHRINKAGE_MAX);
    },
  };
}
