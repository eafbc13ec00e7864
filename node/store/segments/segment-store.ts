/**
 * The segment files of a node: what it appends in groups and reads by location (design: write-path, "Store"; decisions/0001). A group is on
 * disk whole when its append resolves, by one synced write, and after a crash it is there whole or not at all. One instance
 * writes; other threads read by a SegmentReader of their own. All runs on the FileDirectory handed in, so that the simulator's disk stands
 * for the real one.
 */
import { ChainError } from '../../errors/index.ts';
import { toHex } from '../../format/index.ts';
import { nextTurn, type Steps, withPauses } from '../../pace/index.ts';
import type { DataFile, FileDirectory, World } from '../../world.ts';
import { headerOf, HEIGHT_UNKNOWN, readCatalog, type Segment, type SegmentDamage, writeFirst } from './catalog.ts';
import {
  checkFrame,
  encodePrologue,
  FIRST_SEGMENT,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_KIND,
  type Frame,
  frameBytes,
  type FrameHead,
  GROUP_BYTES_MAX,
  type Location,
  locate,
  offsetOf,
  parseHead,
  SALT_BYTES,
  SEGMENT_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_NUMBER_MAX,
  segmentName,
  segmentOf,
  segmentSeed,
} from './form.ts';
import { SegmentReader } from './reader.ts';
import { damageOf, type FoundFrame, scanFiles, type ScannedFiles, type ScanSpan } from './scan.ts';
import { SWEPT_BYTES, sweptFile } from './swept.ts';
import { findTail } from './tail.ts';
import { findHead, type PayloadUse, Window, WINDOW_BYTES } from './walk.ts';

/** Read at a time where most frames are passed over, in bytes. */
const SKIP_WINDOW_BYTES = 65_536;
/** In the name of a file that was set aside because it is not the one that was written. */
const ASIDE = '.damaged-';

export interface SegmentStoreOptions {
  readonly directory: FileDirectory;
  readonly chainId: Uint8Array;
  readonly world: Pick<World, 'random' | 'timers'>;
  /** SEGMENT_BYTES when absent. */
  readonly segmentBytes?: number;
}

export interface LocatedFrame extends Frame {
  readonly location: Location;
}

export interface ClosedSegment {
  readonly number: number;
  /** Highest height of its frames; HEIGHT_UNKNOWN when that cannot be said. */
  readonly heightMax: number;
  /** Of its frames. */
  readonly bytes: number;
}

export interface Opened {
  /** Of a last group that was never acknowledged, and was cut. */
  readonly tornBytes: number;
  /** What the opening saw: headers, ends, and all of the segment that was being written. `examine` reads the others too. */
  readonly damage: readonly SegmentDamage[];
}

/** @throws ChainError STORE_FOREIGN when the files belong to another chain, STORE_FULL, STORE_IO. */
export async function openSegmentStore(options: SegmentStoreOptions): Promise<SegmentStore> {
  const newSalt = () => options.world.random.bytes(SALT_BYTES);
  const { segments, damage, suspect } = await readCatalog(options.directory, options.chainId, newSalt);
  const store = new SegmentStore(options, segments);
  for (const segment of suspect) for await (const found of store.examine(segment.number)) damage.push(found);
  const tornBytes = await store.openTail(damage);
  store.opened = { tornBytes, damage };
  return store;
}

export class SegmentStore {
  opened: Opened = { tornBytes: 0, damage: [] };
  readonly #options: SegmentStoreOptions;
  readonly #directory: FileDirectory;
  readonly #segments: Segment[];
  readonly #files: ScannedFiles;
  readonly #reader: SegmentReader;
  /** The file that groups go to; undefined before the first. */
  #file: DataFile | undefined;
  /** A group that failed may have left bytes behind the end. */
  #isDirty = false;
  /** After a failed write or sync nobody knows what the disk holds: nothing more is written until the store is opened anew. */
  #broken: ChainError | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SegmentStoreOptions, segments: Segment[]) {
    this.#options = options;
    this.#directory = options.directory;
    this.#segments = segments;
    this.#files = { directory: options.directory, segments, seedOf: (segment) => this.#seed(segment) };
    this.#reader = new SegmentReader(options.directory, async (number) => {
      const segment = segments.find((held) => held.number === number);
      return segment && this.#seed(segment);
    });
  }

  /** Cuts a torn group off the segment that was being written, and adds what else does not match there. @returns bytes that were cut */
  async openTail(damage: SegmentDamage[]): Promise<number> {
    const last = this.#segments.at(-1);
    if (last === undefined) return 0;
    if (last.lost !== undefined || last.sweptEnd !== undefined) {
      await this.#begin(0);
      return 0;
    }
    const file = await this.#directory.open(segmentName(last.number));
    if (file === undefined) throw damagedSegment(last.number);
    this.#file = file;
    const { end, tornBytes, gaps, heightMax } = await findTail(file, this.#seed(last));
    // Zeros that a payload ends in may be missing too. A killed process leaves what it wrote and did not sync, and votes are going to rest on it.
    if ((await file.size()) === end) await file.sync();
    else await this.#endAt(file, end);
    last.end = end;
    last.heightMax = gaps.some((gap) => gap.head === undefined) ? HEIGHT_UNKNOWN : heightMax;
    for (const gap of gaps) damage.push(damageOf(last.number, gap));
    return tornBytes;
  }

  /** Lowest height that a frame still kept may have been appended with; undefined when there is none. */
  get heightFirst(): number | undefined {
    return this.#segments[0]?.heightFirst;
  }

  /** Numbers of the segments there are, rising. */
  get numbers(): readonly number[] {
    return this.#segments.map(({ number }) => number);
  }

  /** Those that are written no more and hold what may be swept. */
  get closed(): readonly ClosedSegment[] {
    return this.#segments.slice(0, -1).flatMap(({ number, heightMax, end, sweptEnd, lost }) => {
      return sweptEnd === undefined && lost !== 'foreign' && end > SWEPT_BYTES
        ? [{ number, heightMax, bytes: end - SEGMENT_HEADER_BYTES }]
        : [];
    });
  }

  /** Place of the next group: everything below it is on disk. */
  get end(): Location {
    const last = this.#segments.at(-1);
    return last === undefined ? locate(FIRST_SEGMENT, SEGMENT_HEADER_BYTES) : locate(last.number, last.end);
  }

  /**
   * Resolves to the locations of the frames once all of them are on disk. The payloads must not change before. After STORE_FULL nothing of
   * the group counts, and the next one may be tried at any time.
   * @throws ChainError STORE_FULL, STORE_IO; RangeError for a group that the form cannot hold.
   */
  append(frames: readonly Frame[]): Promise<readonly Location[]> {
    return this.#inTurn(async () => {
      const [first] = frames;
      if (first === undefined) return [];
      for (const frame of frames) checkFrame(frame);
      const sizes = frames.map((frame) => frameBytes(frame.payload.length));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (total > GROUP_BYTES_MAX) throw new RangeError(`Cannot store a group of ${total} bytes`);
      const { file, segment } = await this.#roomFor(total, first.height);
      const seed = this.#seed(segment);
      const parts: Uint8Array[] = [];
      const locations: Location[] = [];
      let before = 0;
      for (const [i, frame] of frames.entries()) {
        const offset = segment.end + before;
        const place = { seed, offset, before, after: total - before - sizes[i]! };
        parts.push(await this.#inSteps(encodePrologue(frame, place)), frame.payload, FRAME_END);
        locations.push(locate(segment.number, offset));
        before += sizes[i]!;
      }
      await this.#write(file, segment.end, parts);
      segment.end += total;
      for (const { height } of frames) segment.heightMax = Math.max(segment.heightMax, height);
      return locations;
    });
  }

  /** @throws ChainError STORE_DAMAGED {segment, location}, STORE_IO */
  read(location: Location): Promise<Frame> {
    return this.#reader.read(location);
  }

  /** Bytes [from, to) of a payload; only the pieces they lie in are read and checked. @throws ChainError STORE_DAMAGED, STORE_IO */
  readPart(location: Location, from: number, to: number): Promise<Uint8Array> {
    return this.#reader.readPart(location, from, to);
  }

  /**
   * Frames in the order of writing, from a location on; those of other kinds, or below `heightMin`, are not read. What does not match comes
   * as damage in its place.
   */
  async *scan(
    options: { readonly from?: Location; readonly kinds?: readonly number[]; readonly heightMin?: number } = {},
  ): AsyncGenerator<LocatedFrame | SegmentDamage, void, void> {
    const { kinds, heightMin = 0 } = options;
    const windowBytes = kinds === undefined && heightMin === 0 ? WINDOW_BYTES : SKIP_WINDOW_BYTES;
    const isWanted = ({ kind, height }: FrameHead): boolean =>
      (kinds === undefined ? kind !== FRAME_KIND.swept : kinds.includes(kind)) && height >= heightMin;
    const use = (head: FrameHead): PayloadUse => (isWanted(head) ? 'keep' : 'skip');
    for await (const found of scanFiles(this.#files, { from: options.from ?? 0, stop: this.end }, use, windowBytes)) {
      if ('frame' in found) yield found;
      else if (found.payload) yield { kind: found.kind, height: found.height, payload: found.payload, location: found.location };
    }
  }

  /** Reads everything, or one segment, and tells what does not match. */
  async *examine(segment?: number): AsyncGenerator<SegmentDamage, void, void> {
    for await (const found of scanFiles(this.#files, this.#spanOf(segment), () => 'check', WINDOW_BYTES)) if ('frame' in found) yield found;
  }

  /** The frames of a segment by their heads alone, and what is no frame. */
  frames(segment: number): AsyncGenerator<FoundFrame | SegmentDamage, void, void> {
    return scanFiles(this.#files, this.#spanOf(segment), () => 'skip', SKIP_WINDOW_BYTES);
  }

  #spanOf(segment: number | undefined): ScanSpan {
    return { from: segment === undefined ? 0 : locate(segment, 0), stop: this.end, only: segment };
  }

  /**
   * Puts a frame back where it stood, on disk when this resolves. Whoever calls has proven the payload by its hash: here only the place is
   * checked.
   * @throws RangeError when another frame stands there; ChainError STORE_FULL, STORE_IO.
   */
  rewrite(location: Location, frame: Frame): Promise<void> {
    return this.#inTurn(async () => {
      checkFrame(frame);
      const segment = this.#segments.find(({ number }) => number === segmentOf(location));
      const from = offsetOf(location);
      const to = from + frameBytes(frame.payload.length);
      if (segment === undefined || from < SEGMENT_HEADER_BYTES || to > segment.end)
        throw new RangeError(`Cannot put a frame at ${location}`);
      if (segment.lost !== undefined) await this.#makeAnew(segment);
      const file = await this.#directory.open(segmentName(segment.number));
      if (file === undefined) throw damagedSegment(segment.number);
      try {
        const seed = this.#seed(segment);
        const bytes = new Uint8Array(FRAME_HEAD_BYTES);
        await file.read(from, bytes);
        const head = parseHead(bytes, seed, from);
        if (head && (head.kind !== frame.kind || head.height !== frame.height || head.length !== frame.payload.length))
          throw new RangeError(`Another frame stands at ${location}`);
        if (!head && (await findHead(new Window(file, to - from), seed, { from, to })) !== undefined)
          throw new RangeError(`Cannot put a frame at ${location} over another`);
        const { before, after } = head ?? { before: 0, after: 0 };
        const prologue = await this.#inSteps(encodePrologue(frame, { seed, offset: from, before, after }));
        await file.write(from, [prologue, frame.payload, FRAME_END]);
      } finally {
        await file.close();
        this.#reader.forget(segment.number);
      }
    });
  }

  /**
   * Gives the room of a closed segment back: in place of its file stands one that only says where it ended (swept.ts), or after a crash
   * still the old one. Whoever calls knows that nothing in it is wanted.
   * @returns bytes given back.
   * @throws RangeError for a segment that is not among the closed ones; ChainError STORE_FULL, STORE_IO.
   */
  sweep(number: number): Promise<number> {
    return this.#inTurn(async () => {
      const segment = this.#segments.find((held) => held.number === number);
      if (segment === undefined || !this.closed.some((closed) => closed.number === number))
        throw new RangeError(`Cannot sweep segment ${number}`);
      const { end, heightMax } = segment;
      const before = this.#segments.find((other) => other.number === number - 1);
      const header = headerOf(this.#options.chainId, segment, before);
      const bytes = await this.#inSteps(sweptFile(header, this.#seed(segment), { end, heightMax }));
      const file = await this.#directory.open(segmentName(number));
      const held = (await file?.size()) ?? 0;
      await file?.close();
      segment.sweptEnd = end; // first, so that a scan which comes upon the new file knows it
      segment.end = SWEPT_BYTES;
      try {
        await this.#directory.put(segmentName(number), bytes);
      } catch (error) {
        segment.sweptEnd = undefined;
        segment.end = end;
        throw error;
      }
      segment.lost = undefined;
      this.#reader.forget(number);
      return held - bytes.length;
    });
  }

  /** Deletes the oldest segments that hold nothing of `height` and above; the one that is written stays. @returns how many */
  prune(height: number): Promise<number> {
    return this.#inTurn(async () => {
      const kept = this.#segments.findIndex((segment, i) => segment.heightMax >= height || i === this.#segments.length - 1);
      if (kept <= 0) return 0;
      await writeFirst(this.#directory, this.#segments[kept]!.number);
      for (const { number } of this.#segments.splice(0, kept)) {
        await this.#directory.remove(segmentName(number));
        this.#reader.forget(number);
      }
      return kept;
    });
  }

  /** Waits for what is under way. What comes later is refused. */
  close(): Promise<void> {
    const closed = this.#turn.then(async () => {
      this.#broken ??= new ChainError('NODE_STOPPING');
      this.#reader.close();
      await this.#file?.close();
      this.#file = undefined;
    });
    this.#turn = closed.catch(() => undefined);
    return closed;
  }

  #seed({ salt, number }: Segment): number {
    return segmentSeed(this.#options.chainId, salt, number);
  }

  #inSteps<T>(steps: Steps<T>): Promise<T> {
    return withPauses(steps, () => nextTurn(this.#options.world.timers));
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => {
      if (this.#broken !== undefined) throw this.#broken;
      return run();
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #roomFor(bytes: number, height: number): Promise<{ file: DataFile; segment: Segment }> {
    let segment = this.#segments.at(-1);
    if (this.#file && segment && this.#isDirty) await this.#endAt(this.#file, segment.end);
    const isEmpty = segment?.end === SEGMENT_HEADER_BYTES;
    if (segment === undefined || (segment.end + bytes > (this.#options.segmentBytes ?? SEGMENT_BYTES) && !isEmpty))
      segment = await this.#begin(height);
    return { file: this.#file!, segment };
  }

  /** A new segment behind the last. Its file is there whole or not at all, and the one before is never written to again. */
  async #begin(heightFirst: number): Promise<Segment> {
    const last = this.#segments.at(-1);
    const number = last === undefined ? FIRST_SEGMENT : last.number + 1;
    if (number > SEGMENT_NUMBER_MAX) throw new RangeError(`There is no segment ${number}`);
    const salt = this.#options.world.random.bytes(SALT_BYTES);
    const segment: Segment = { number, salt, heightFirst, end: SEGMENT_HEADER_BYTES, heightMax: 0, sweptEnd: undefined, lost: undefined };
    await this.#directory.put(segmentName(number), headerOf(this.#options.chainId, segment, last));
    const file = await this.#directory.open(segmentName(number));
    if (file === undefined) throw damagedSegment(number);
    await this.#file?.close();
    this.#file = file;
    this.#segments.push(segment);
    return segment;
  }

  async #write(file: DataFile, at: number, parts: readonly Uint8Array[]): Promise<void> {
    try {
      await file.write(at, parts);
    } catch (error) {
      if (!(error instanceof ChainError) || error.code !== 'STORE_FULL') {
        // The system may go on reading what it failed to sync, and say of the next sync that it went well (Linux; PostgreSQL's lesson of
        // 2018). Cut, it is not taken for stored when the files are opened anew.
        this.#breakDown(error);
        await this.#endAt(file, at).catch(() => undefined);
        throw this.#broken;
      }
      this.#isDirty = true;
      await this.#endAt(file, at).catch(() => undefined); // or before the next group
      throw error;
    }
  }

  /** Nothing may stand behind the end: bytes of a group that failed could join a later one that is torn there. */
  async #endAt(file: DataFile, end: number): Promise<void> {
    await file.truncate(end);
    await file.sync();
    this.#isDirty = false;
  }

  #breakDown(error: unknown): ChainError {
    this.#broken = error instanceof ChainError ? error : new ChainError('STORE_IO', { reason: String(error) }, error);
    return this.#broken;
  }

  /** The file of a segment that was lost, without frames; a file that is another one is kept under another name. */
  async #makeAnew(segment: Segment): Promise<void> {
    const { number } = segment;
    const name = segmentName(number);
    if (segment.lost === 'foreign') await this.#directory.rename(name, `${name}${ASIDE}${toHex(this.#options.world.random.bytes(4))}`);
    const before = this.#segments.find((other) => other.number === number - 1);
    await this.#directory.put(name, headerOf(this.#options.chainId, segment, before));
    segment.lost = undefined;
    this.#reader.forget(number);
  }
}

function damagedSegment(number: number): ChainError {
  return new ChainError('STORE_DAMAGED', { segment: segmentName(number) });
}
