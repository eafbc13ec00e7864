/**
 * Bugs of the safety code, each as a replacement in the shipped source, with the test that must fail while it stands; by layer, in the files
 * planted-<layer>.ts. A rule that is rewritten keeps its row: `npm run plant` shows whether the test still guards it. See plant.ts.
 */
import { plantedAhead } from './planted-ahead.ts';
import { plantedAnswers } from './planted-answers.ts';
import { plantedBlockFiles } from './planted-block-files.ts';
import { plantedCalls } from './planted-calls.ts';
import { plantedConsensus } from './planted-consensus.ts';
import { plantedCoalescing } from './planted-coalescing.ts';
import { plantedDoors } from './planted-doors.ts';
import { plantedForms } from './planted-forms.ts';
import { plantedIndex } from './planted-index.ts';
import { plantedLedger } from './planted-ledger.ts';
import { plantedPbft } from './planted-pbft.ts';
import { plantedPeers } from './planted-peers.ts';
import { plantedNetwork } from './planted-network.ts';
import { plantedRecords } from './planted-records.ts';
import { plantedRecovery } from './planted-recovery.ts';
import { plantedScanner } from './planted-scanner.ts';
import { plantedSegments } from './planted-segments.ts';
import { plantedSlices } from './planted-slices.ts';
import { plantedState } from './planted-state.ts';
import { plantedStore } from './planted-store.ts';
import { plantedSweep } from './planted-sweep.ts';
import { plantedVersions } from './planted-versions.ts';
import { readText } from './source.ts';

export interface PlantedBug {
  /** What the code does wrong while the bug stands. */
  readonly name: string;
  /** Source file, from the root. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** Further places, where one rule is kept at several; of the same file unless another is named. */
  readonly also?: readonly { readonly file?: string; readonly from: string; readonly to: string }[];
  /** Test file that must fail, from the root. */
  readonly test: string;
  /** Regular expression over the names of its tests; all when absent. */
  readonly only?: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  ...plantedConsensus,
  ...plantedPbft,
  ...plantedForms,
  ...plantedLedger,
  ...plantedVersions,
  ...plantedAhead,
  ...plantedState,
  ...plantedCalls,
  ...plantedRecords,
  ...plantedIndex,
  ...plantedScanner,
  ...plantedRecovery,
  ...plantedSegments,
  ...plantedBlockFiles,
  ...plantedSweep,
  ...plantedCoalescing,
  ...plantedStore,
  ...plantedSlices,
  ...plantedDoors,
  ...plantedAnswers,
  ...plantedPeers,
  ...plantedNetwork,
];

/** The files that the bug changes, with the bug in them. @throws Error when a text to replace does not occur exactly once. */
export function planted({ name, file, from, to, also = [] }: PlantedBug): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const place of [{ file, from, to }, ...also]) {
    const at = place.file ?? file;
    const parts = (sources.get(at) ?? readText(at)).split(place.from);
    if (parts.length !== 2) throw new Error(`Cannot plant "${name}": its text occurs ${parts.length - 1} times in ${at}`);
    sources.set(at, parts.join(place.to));
  }
  return sources;
}
