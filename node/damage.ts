/** Damaged rows of the chain store as alarms tell of them, and the parts of a node whose reads report them. */
import { type ByteText, fromByteText, toHex } from './format/index.ts';
import type { ExecutorPort, ReaderPort } from './ledger/index.ts';
import { damagedKey } from './store/index.ts';

/** The one alarm of a damaged value: the same detail whoever met it. */
export const DAMAGE = 'STORE_DAMAGED';
/** A damaged row that nobody could give back. */
export const LOST = 'STORE_LOST';

export function damageOf(key: ByteText): { readonly store: string; readonly key: string } {
  return { store: 'chain', key: toHex(fromByteText(key)) };
}

interface Parts {
  readonly executor: ExecutorPort;
  readonly reader: ReaderPort;
}

/** The same parts; `report` hears of every damaged row that one of their answers was refused for. */
export function reportingDamage({ executor, reader }: Parts, report: (key: ByteText) => void): Parts {
  const watched = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      const key = damagedKey(error);
      if (key !== undefined) report(key);
      throw error;
    });
  return {
    executor: {
      ...executor,
      build: (request) => watched(executor.build(request)),
      execute: (request) => watched(executor.execute(request)),
      commit: (request) => watched(executor.commit(request)),
    },
    reader: {
      ...reader,
      query: (...args) => watched(reader.query(...args)),
      judge: (...args) => watched(reader.judge(...args)),
    },
  };
}
