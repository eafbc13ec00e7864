/** The block files on a disk in memory, for tests that need a place for bodies; not a test itself. */
import { type BlockFiles, createBlockReads, openBlockFiles } from '../../node/ledger/block-files.ts';
import { realTimers } from '../../node/real/world.ts';
import { SimDirectory, SimFiles } from '../simulation/files.ts';

/** Opened with the first write. */
export function memoryBlockFiles(chainId: Uint8Array, disk = new SimFiles()): BlockFiles {
  const directory = new SimDirectory(disk);
  let opening: Promise<BlockFiles> | undefined;
  let files: BlockFiles | undefined;
  const opened = (): Promise<BlockFiles> => {
    const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
    opening ??= openBlockFiles({ directory, chainId, world: { random, timers: realTimers } }).then((those) => (files = those));
    return opening;
  };
  return {
    ...createBlockReads(directory, chainId),
    tornBytes: 0,
    append: async (...body) => (await opened()).append(...body),
    async *bodies(...of) {
      yield* (await opened()).bodies(...of);
    },
    restore: async (...body) => (await opened()).restore(...body),
    end: () => files?.end(),
    closed: () => files?.closed() ?? [],
    async *frames(...of) {
      yield* (await opened()).frames(...of);
    },
    sweep: async (...of) => (await opened()).sweep(...of),
    async *examine(...rest) {
      yield* (await opened()).examine(...rest);
    },
    close: async () => (await opening)?.close(),
  };
}
