/**
 * Repair with the bodies of blocks in it: the ledger judges them where the executor runs (repair.ts), and the one writer of the block files puts them back.
 */
import type { ByteText } from '../format/index.ts';
import type { BlockFiles } from './block-files.ts';
import type { LedgerRepair, RepairAnswer } from './repair.ts';

export function repairWith(ledger: LedgerRepair, files: Pick<BlockFiles, 'restore'>): LedgerRepair['repair'] {
  return async (key: ByteText, value?: Uint8Array): Promise<RepairAnswer> => {
    const answer = await ledger.repair(key, value);
    if (answer.outcome !== 'proven' || value === undefined) return answer;
    const location = await files.restore(answer.location, answer.height, value);
    return location === answer.location ? { outcome: 'repaired', from: 'peer' } : ledger.repair(key, value, location);
  };
}
