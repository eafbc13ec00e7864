/** The ledger reader as the rest of the node sees it: queries bounded and shared out fairly, trials before them. */
import { ChainError, isErrorCode } from '../errors/index.ts';
import { decodeJson } from '../format/index.ts';
import type { Headroom } from '../pace/index.ts';
import type { Clock, Timers } from '../world.ts';
import { createQueryQueue } from './query-queue.ts';
import type { LedgerReader, TrialTransaction, Verdict } from './reader.ts';

export interface ReaderPort {
  /** @throws ChainError with the code of the contract's refusal; RATE_LIMITED when the caller's gas or places are used up */
  query(
    caller: string,
    contract: string,
    method: string,
    args: Uint8Array,
  ): Promise<{ readonly result: Uint8Array; readonly gasUsed: number; readonly height: number }>;
  /** Undefined when it takes too much, or too many wait: the chain judges. */
  judge(transaction: TrialTransaction): Promise<Verdict | undefined>;
  stop(): Promise<void>;
}

/** @param close ends what `reader` runs in, after the waiting ones were refused */
export function createReaderPort(
  reader: LedgerReader,
  world: { readonly clock: Pick<Clock, 'monotonic'>; readonly timers: Pick<Timers, 'after'>; readonly headroom?: Headroom },
  close: () => Promise<void> = () => Promise.resolve(),
): ReaderPort {
  const queue = createQueryQueue(world);
  return {
    async query(caller, ...call) {
      const answer = await queue.query(caller, () => reader.query(caller, ...call));
      if (answer.status === 'failed')
        throw new ChainError(isErrorCode(answer.code) ? answer.code : 'INTERNAL', decodeJson(answer.detail) as Record<string, unknown>);
      const { result, gasUsed, height } = answer;
      return { result, gasUsed, height };
    },
    async judge(transaction) {
      try {
        return await queue.trial(() => reader.judge(transaction));
      } catch (error) {
        if (error instanceof ChainError && error.code === 'SERVER_BUSY') return undefined;
        throw error;
      }
    },
    async stop() {
      queue.stop(new ChainError('SERVER_BUSY', { reason: 'the node stops' }));
      await close();
    },
  };
}
