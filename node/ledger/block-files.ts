/**
 * Bodies of proposals and blocks in the segment files of this node. A body is appended once, before the vote for its proposal; when the block is final, its row
 * in the database says where the body stands. One instance writes, on the main thread; execution and queries read by `createBlockReads` on their own.
 */
import { ChainError } from '../errors/index.ts';
import {
  type ClosedSegment,
  createReadNow,
  type FoundFrame,
  FRAME_KIND,
  type Frame,
  frameBytes,
  frameDamaged,
  type LocatedFrame,
  type Location,
  openSegmentStore,
  type SegmentDamage,
  SegmentReader,
  segmentOf,
  type SegmentStore,
  type SegmentStoreOptions,
  seedsIn,
} from '../store/index.ts';
import type { FileDirectory } from '../world.ts';

/** Below the data directory. */
export const BLOCK_FILES_DIRECTORY = 'blocks';

export interface BlockReads {
  /** The body of a block of `height` that stands at `location`. @throws ChainError STORE_DAMAGED {segment, location}, STORE_IO */
  body(location: Location, height: number): Promise<Uint8Array>;
  /** The same at once, for execution. */
  bodyNow(location: Location, height: number): Uint8Array;
  /** Whether the disk holds it now. @throws ChainError STORE_IO */
  isSound(location: Location, height: number): boolean;
  /** Lets go of what is held of a segment: its file is another one now. */
  forget(segment: number): void;
  /** Lets go of the files that were read, when readings under way are over. */
  close(): void;
}

export interface BlockFiles extends BlockReads {
  /** Bytes of a last body that never reached the disk whole, and were cut. */
  readonly tornBytes: number;
  /** Resolves to its place when the body is on disk. @throws ChainError STORE_FULL, STORE_IO */
  append(height: number, body: Uint8Array): Promise<Location>;
  /** Bodies of `heightMin` and above, which stand behind `from`, or anywhere when it is undefined. */
  bodies(heightMin: number, from: Location | undefined): AsyncGenerator<LocatedFrame>;
  /**
   * Puts a body back that whoever calls has proven by its hash: where it stood, when nothing else stands there, or behind all others. Resolves to its place.
   * @throws ChainError STORE_FULL, STORE_IO
   */
  restore(location: Location | undefined, height: number, body: Uint8Array): Promise<Location>;
  /** Place of the next body; undefined while the files are being opened anew. */
  end(): Location | undefined;
  /** Segments that take no further body, oldest first, and may be swept; none while the files are being opened anew. */
  closed(): readonly ClosedSegment[];
  /** The frames of a segment, unread, and what is no frame. */
  frames(segment: number): AsyncGenerator<FoundFrame | SegmentDamage>;
  /** Gives the room of a closed segment back, of which nothing is wanted. Resolves to the bytes. @throws RangeError, ChainError STORE_FULL, STORE_IO */
  sweep(segment: number): Promise<number>;
  /** Reads everything and tells what does not match; `rest` is awaited after each file, and its rejection ends it. */
  examine(rest?: () => Promise<void>): AsyncGenerator<SegmentDamage>;
  close(): Promise<void>;
}

/** What is told of reads. Damage is told by whoever knows the row of the body. */
export interface ReadWatch {
  /** The disk refused a read: STORE_IO. */
  readonly onFault?: ((fault: ChainError) => void) | undefined;
  /** A body was read from the disk. */
  readonly onRead?: (() => void) | undefined;
}

/** Reads without writing, on any thread. A place may hold another frame than its row says, when files were lost: that is damage. */
export function createBlockReads(directory: FileDirectory, chainId: Uint8Array, watch: ReadWatch = {}): BlockReads {
  const reader = new SegmentReader(directory, seedsIn(directory, chainId));
  const frameNow = createReadNow(directory, chainId);
  const readNow = (location: Location): Frame => {
    try {
      const frame = frameNow(location);
      watch.onRead?.();
      return frame;
    } catch (error) {
      throw told(error, watch);
    }
  };
  /** What was read last at once: calls of one block often ask for the same one. */
  let last: { readonly location: Location; readonly height: number; readonly body: Uint8Array } | undefined;
  return {
    async body(location, height) {
      const frame = await reader.read(location).catch((error: unknown) => {
        throw told(error, watch);
      });
      watch.onRead?.();
      return bodyIn(frame, location, height);
    },
    bodyNow(location, height) {
      if (last?.location !== location || last.height !== height)
        last = { location, height, body: bodyIn(readNow(location), location, height) };
      return last.body;
    },
    isSound(location, height) {
      try {
        return bodyIn(readNow(location), location, height).length > 0;
      } catch (error) {
        if (error instanceof ChainError && error.code === 'STORE_DAMAGED') return false;
        throw error;
      }
    },
    forget: (segment) => reader.forget(segment),
    close: () => reader.close(),
  };
}

async function* watched<T>(found: AsyncGenerator<T, void, void>, watch: ReadWatch): AsyncGenerator<T, void, void> {
  try {
    yield* found;
  } catch (error) {
    throw told(error, watch);
  }
}

function told(error: unknown, watch: ReadWatch): unknown {
  if (error instanceof ChainError && error.code === 'STORE_IO') watch.onFault?.(error);
  return error;
}

function bodyIn({ kind, height, payload }: Frame, location: Location, wanted: number): Uint8Array {
  if (kind !== FRAME_KIND.body || height !== wanted) throw frameDamaged(location);
  return payload;
}

export interface BlockFilesOptions extends SegmentStoreOptions {
  /** A write failed, and the next one is tried on files opened anew; or the disk refused a read. */
  readonly onFault?: (fault: ChainError) => void;
  readonly onWritten?: () => void;
  readonly onRead?: () => void;
}

/** @throws ChainError STORE_FOREIGN when the files belong to another chain, STORE_FULL, STORE_IO. */
export async function openBlockFiles(options: BlockFilesOptions): Promise<BlockFiles> {
  let store: SegmentStore | undefined = await openSegmentStore(options);
  const { tornBytes } = store.opened;
  const reads = createBlockReads(options.directory, options.chainId, options);
  let opening: Promise<SegmentStore> | undefined;
  /** Of the store that met a fault last: what was queued in it goes out first, or two stores would write to one place. */
  let closing: Promise<void> = Promise.resolve();
  /** A body is not put back into a segment that is being swept. */
  let changing: Promise<unknown> = Promise.resolve();
  let closed = false;

  /** After a fault of the disk the files are opened anew, for only that says what is in them. */
  async function opened(): Promise<SegmentStore> {
    if (closed) throw new ChainError('NODE_STOPPING');
    if (store) return store;
    opening ??= reopened().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  async function reopened(): Promise<SegmentStore> {
    await closing;
    store = await openSegmentStore(options);
    return store;
  }

  async function written<T>(write: (store: SegmentStore) => Promise<T>): Promise<T> {
    let used: SegmentStore | undefined;
    try {
      used = await opened();
      const result = await write(used);
      options.onWritten?.();
      return result;
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      if (error.code !== 'STORE_FULL' && used && used === store) {
        store = undefined;
        closing = used.close().catch(() => undefined); // its files may not even close
        await closing;
      }
      options.onFault?.(error);
      throw error;
    }
  }

  /** For what changes a file that is written no more. */
  function changed<T>(change: (store: SegmentStore) => Promise<T>): Promise<T> {
    const done = changing.then(() => written(change));
    changing = done.catch(() => undefined);
    return done;
  }

  /** Whether nothing but damage stands where a frame of so many bytes is to go. */
  async function isLost(used: SegmentStore, location: Location, bytes: number): Promise<boolean> {
    for await (const found of used.examine(segmentOf(location)))
      if (found.location <= location && location + bytes <= found.location + found.bytes) return true;
    return false;
  }

  return {
    ...reads,
    tornBytes,
    append: (height, payload) =>
      written(async (used) => {
        const [location] = await used.append([{ kind: FRAME_KIND.body, height, payload }]);
        return location!;
      }),
    async *bodies(heightMin, from) {
      const used = await opened();
      const scan = used.scan({ kinds: [FRAME_KIND.body], heightMin, ...(from === undefined ? {} : { from }) });
      for await (const found of watched(scan, options)) if ('payload' in found) yield found;
    },
    restore: (location, height, payload) =>
      changed(async (used) => {
        const frame = { kind: FRAME_KIND.body, height, payload };
        if (location !== undefined && (await isLost(used, location, frameBytes(payload.length)))) {
          await used.rewrite(location, frame);
          return location;
        }
        const [appended] = await used.append([frame]);
        return appended!;
      }),
    end: () => store?.end,
    closed: () => store?.closed ?? [],
    async *frames(segment) {
      yield* watched((await opened()).frames(segment), options);
    },
    sweep: (segment) =>
      changed(async (used) => {
        const bytes = await used.sweep(segment);
        reads.forget(segment);
        return bytes;
      }),
    async *examine(rest = async () => undefined) {
      const used = await opened();
      for (const number of used.numbers) {
        yield* watched(used.examine(number), options);
        await rest();
      }
    },
    async close() {
      closed = true;
      await closing;
      await opening?.catch(() => undefined); // heard by whoever writes
      await store?.close();
      reads.close();
    },
  };
}
