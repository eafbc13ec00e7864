/** What the tests of the sweep share: a chain of bodies on a disk that crashes, rows beside it, and bodies of proposals that came to nothing. Not a test itself. */
import assert from 'node:assert/strict';
import { type ByteText, decodeAll } from '../../../../node/format/index.ts';
import { type BlockFiles, createBlockReads, openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { type BlockStore, createBlockStore, encodeHead, encodeLocation } from '../../../../node/ledger/block-store.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import type { LedgerRepair } from '../../../../node/ledger/repair.ts';
import { createSweep, type Sweep } from '../../../../node/ledger/sweep.ts';
import { type Location, segmentOf } from '../../../../node/store/index.ts';
import type { FileDirectory } from '../../../../node/world.ts';
import { SimDirectory, SimFiles, type Timed } from '../../../simulation/files.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { MemoryLog } from '../memory-world.ts';

export const CHAIN_ID = new Uint8Array(32).fill(5);
const SEGMENT_BYTES = 12_000;
const NONE = new Uint8Array(32);

export const bodyOf = (height: number, view: number, length = 700): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => ((height * 31 + view * 17 + i * 7) & 255) | 1);

/** What outlives a process: the files, and the rows of the ledger, of which each write is there or not. */
export interface Disk {
  readonly files: SimFiles;
  readonly rows: Map<ByteText, Uint8Array>;
}

export const copyOf = ({ files, rows }: Disk): Disk => ({ files: files.copy(), rows: new Map(rows) });

export interface Process {
  readonly disk: Disk;
  readonly files: BlockFiles;
  readonly blocks: BlockStore;
  readonly ledger: LedgerRepair;
  readonly log: MemoryLog;
  readonly sweep: Sweep;
  /** Rows of bodies that were met damaged. */
  readonly damaged: ByteText[];
  /** Until nothing more is done. */
  settled(): Promise<void>;
}

/** @param timed as of SimDirectory; for rows too. */
export async function boot(
  disk: Disk,
  timed: Timed = async (run) => run(),
  seed = 1,
  directory: FileDirectory = new SimDirectory(disk.files, timed),
): Promise<Process> {
  const random = new SeededRandom(seed);
  let waiting = 0;
  let acts = 0;
  const timers = {
    after(_ms: number, run: () => void) {
      let isDue = true;
      const over = (): void => {
        if (isDue) waiting--;
        isDue = false;
      };
      waiting++;
      acts++;
      const timer = setImmediate(() => {
        over();
        run();
      });
      return () => {
        clearImmediate(timer);
        over();
      };
    },
    every: () => () => undefined,
  };
  const log = new MemoryLog();
  const files = await openBlockFiles({
    directory,
    chainId: CHAIN_ID,
    world: { random: { bytes: (count) => random.bytes(count) }, timers },
    segmentBytes: SEGMENT_BYTES,
  });
  const damaged: ByteText[] = [];
  const rows = { get: (key: ByteText) => disk.rows.get(key), range: async () => [] };
  const blocks = createBlockStore(rows, files, (key) => damaged.push(key));
  const ledger: LedgerRepair = {
    async repair(key, _value, placed) {
      assert.ok(placed !== undefined, 'a body is told its new place');
      for (let turn = 0; turn < 6; turn++) await new Promise<void>((resolve) => setImmediate(resolve)); // a block is being executed
      await timed(() => void disk.rows.set(key, encodeLocation(placed)), true);
      return { outcome: 'repaired', from: 'peer' };
    },
  };
  const sweep = createSweep({ files, blocks, ledger, world: { log, timers } });
  return {
    ...{ disk, files, blocks, ledger, log, sweep, damaged },
    async settled() {
      let quiet = 0;
      for (let turn = 0; turn < 5_000 && quiet < 20; turn++) {
        const before = acts + disk.files.calls.length;
        await new Promise<void>((resolve) => setImmediate(resolve));
        quiet = waiting === 0 && before === acts + disk.files.calls.length ? quiet + 1 : 0;
      }
      assert.ok(quiet > 0, 'it comes to an end');
    },
  };
}

export function commit({ rows }: Disk, height: number, location: Location): void {
  rows.set(ledgerKey.body(height), encodeLocation(location));
  rows.set(ledgerKey.head, encodeHead({ height, hash: NONE, stateRoot: NONE }));
}

/** Heights of which each took so many views, all but the last of them for nothing. @returns the disk with a head, and proposals for the height above it */
export async function grown(heights: number, views: number, pending = 2): Promise<Disk> {
  const disk: Disk = { files: new SimFiles(), rows: new Map() };
  const { files } = await boot(disk);
  for (let height = 1; height <= heights; height++)
    for (let view = 1; view <= views; view++) {
      const location = await files.append(height, bodyOf(height, view));
      if (view === views) commit(disk, height, location);
    }
  for (let view = 1; view <= pending; view++) await files.append(heights + 1, bodyOf(heights + 1, view));
  await files.close();
  return disk;
}

export const bytesOn = ({ files }: Disk): number => [...files.files.values()].reduce((sum, { seen }) => sum + seen.size, 0);

export const placeOf = ({ rows }: Disk, height: number): Location => decodeAll(rows.get(ledgerKey.body(height))!, (reader) => reader.u64());

/** Every final body is read by its row, whoever reads, nothing is damaged, and a start finds the proposals above the head. */
export async function assertWhole(process: Process, heights: number, views: number, pending: number, what: string): Promise<void> {
  const { disk, files, blocks } = process;
  const other = createBlockStore(
    { get: (key) => disk.rows.get(key), range: async () => [] },
    createBlockReads(new SimDirectory(disk.files), CHAIN_ID),
  );
  for (let height = 1; height <= heights; height++) {
    const body = bodyOf(height, views);
    for (const reader of [blocks, other]) assert.deepEqual(await reader.blockBytes(height), body, `${what}: height ${height}`);
    assert.ok(blocks.isBodyReadable(height), `${what}: height ${height}`);
  }
  for await (const { location } of files.examine()) assert.fail(`${what}: ${location} in segment ${segmentOf(location)} is damaged`);
  const found: Uint8Array[] = [];
  for await (const { payload } of files.bodies(heights + 1, placeOf(disk, heights))) found.push(payload);
  assert.deepEqual(
    found,
    Array.from({ length: pending }, (_, i) => bodyOf(heights + 1, i + 1)),
    `${what}: proposals for the next height`,
  );
  assert.deepEqual(process.damaged, [], what);
}
