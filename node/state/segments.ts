/**
 * Pieces of memory of one size, by number. When there are more than may stay in memory the oldest go to a page file: a scratch file of the
 * running node, worth nothing after it, since a start fills the map from snapshot and change sets. The checksums of its pages stay in
 * memory, so bytes that a disk changed, lost or wrote elsewhere are seen when they are read.
 */
import { ChainError } from '../errors/index.ts';
import { crc32 } from '../store/index.ts';

export const SEGMENT_BYTES = 256 * 1024;
const PAGE_BYTES = 4096;
const PAGES = SEGMENT_BYTES / PAGE_BYTES;
/** Segments that stay in memory however little is allowed. */
const MEMORY_SEGMENTS_MIN = 4;
/** The part of the memory that is kept for the next segments: what a block fills, the file takes, without new memory each time. */
const SPARE_DIVISOR = 16;

/** The page file gave back other bytes or none: the map is to be loaded again, and nothing on disk that lasts is damaged. */
export class PagesDamaged extends ChainError {
  constructor(segment: number, page: number, cause?: unknown) {
    super('STORE_DAMAGED', { table: 'state map pages', segment, page }, cause);
  }
}

export interface PageFile {
  /** @throws ChainError STORE_FULL, STORE_IO */
  write(at: number, bytes: Uint8Array): void;
  /** `count` bytes in memory of their own, or fewer where the file ends. @throws ChainError STORE_IO */
  read(at: number, count: number): Uint8Array;
}

export class Segments {
  readonly #file: PageFile | undefined;
  /** By number; undefined for those in the file and those that are free. */
  readonly #memory: (Uint8Array | undefined)[] = [];
  /** By number: CRC-32 of each page of a segment in the file. */
  readonly #checksums: (Uint32Array | undefined)[] = [];
  readonly #free: number[] = [];
  /** Pieces of memory that no segment uses. */
  readonly #spare: Uint8Array[] = [];
  /** In memory, the oldest first. */
  #order: number[] = [];

  constructor(file: PageFile | undefined) {
    this.#file = file;
  }

  /** Memory taken. */
  get bytes(): number {
    return (this.#order.length + this.#spare.length) * SEGMENT_BYTES;
  }

  /** Segments in use, in memory or not. */
  get count(): number {
    return this.#memory.length - this.#free.length;
  }

  get numbers(): number {
    return this.#memory.length;
  }

  /** A new segment, in memory. */
  take(): number {
    const index = this.#free.pop() ?? this.#memory.push(undefined) - 1;
    this.#memory[index] = this.#spare.pop() ?? new Uint8Array(SEGMENT_BYTES);
    this.#order.push(index);
    return index;
  }

  isFree(index: number): boolean {
    return this.#memory[index] === undefined && this.#checksums[index] === undefined;
  }

  /** The segment is no longer used. */
  give(index: number): void {
    const memory = this.#memory[index];
    if (memory) {
      this.#spare.push(memory);
      this.#order.splice(this.#order.indexOf(index), 1);
    }
    this.#memory[index] = undefined;
    this.#checksums[index] = undefined;
    this.#free.push(index);
  }

  /** Undefined when it is in the file. */
  inMemory(index: number): Uint8Array | undefined {
    return this.#memory[index];
  }

  /** Bytes of a segment in the file from `from` on, to the end of the page of `to` at most. @throws PagesDamaged */
  read(index: number, from: number, to: number): Uint8Array {
    const checksums = this.#checksums[index]!;
    const first = Math.floor(from / PAGE_BYTES);
    const end = Math.ceil(to / PAGE_BYTES);
    const bytes = this.#bytes(index, first, end);
    for (let page = first; page < end; page++) {
      const at = (page - first) * PAGE_BYTES;
      if (crc32(bytes.subarray(at, at + PAGE_BYTES)) !== checksums[page]) throw new PagesDamaged(index, page);
    }
    return bytes.subarray(from - first * PAGE_BYTES);
  }

  #bytes(index: number, first: number, end: number): Uint8Array {
    try {
      return this.#file!.read(index * SEGMENT_BYTES + first * PAGE_BYTES, (end - first) * PAGE_BYTES);
    } catch (error) {
      throw error instanceof ChainError ? new PagesDamaged(index, first, error) : error;
    }
  }

  /**
   * Moves the oldest segments to the file until those in memory take `bytesMax` with what is spare, never the one taken last.
   * @returns how many
   * @throws ChainError STORE_FULL, STORE_IO: what the file did not take is still in memory
   */
  spill(bytesMax: number): number {
    if (this.#file === undefined) return 0;
    let count = 0;
    const most = Math.max(MEMORY_SEGMENTS_MIN, Math.floor(bytesMax / SEGMENT_BYTES));
    const spare = Math.ceil(most / SPARE_DIVISOR);
    while (this.#order.length > most - spare) {
      const index = this.#order[0]!;
      const memory = this.#memory[index]!;
      this.#file.write(index * SEGMENT_BYTES, memory);
      this.#checksums[index] = Uint32Array.from({ length: PAGES }, (_, page) =>
        crc32(memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)),
      );
      this.#memory[index] = undefined;
      this.#order.shift();
      this.#spare.push(memory);
      count++;
    }
    this.#spare.length = Math.min(this.#spare.length, Math.max(0, most - this.#order.length));
    return count;
  }
}
