/**
 * Bugs of the safety code, each as one replacement in the shipped source, with the test that must fail while it stands; by layer, in the files
 * planted-<layer>.ts. A rule that is rewritten keeps its row: `npm run plant` shows whether the test still guards it. See plant.ts.
 */
import { plantedCalls } from './planted-calls.ts';
import { plantedConsensus } from './planted-consensus.ts';
import { plantedDoors } from './planted-doors.ts';
import { plantedLedger } from './planted-ledger.ts';
import { plantedRecords } from './planted-records.ts';
import { readText } from './source.ts';

export interface PlantedBug {
  /** What the code does wrong while the bug stands. */
  readonly name: string;
  /** Source file, from the root. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** Test file that must fail, from the root. */
  readonly test: string;
  /** Regular expression over the names of its tests; all when absent. */
  readonly only?: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  ...plantedConsensus,
  ...plantedLedger,
  ...plantedCalls,
  ...plantedRecords,
  ...plantedDoors,
];

/** The source of the bug's file with the bug in it. @throws Error when the text to replace does not occur exactly once. */
export function planted({ name, file, from, to }: PlantedBug): string {
  const parts = readText(file).split(from);
  if (parts.length !== 2) throw new Error(`Cannot plant "${name}": its text occurs ${parts.length - 1} times in ${file}`);
  return parts.join(to);
}
