/**
 * Which segments there are, and which of them are what they should be. Each says of the one before it by what salt it was written and where
 * it ends, so that a file that was wiped, cut, exchanged or taken away is found at the start without reading it.
 */
import { ChainError } from '../../errors/index.ts';
import { decodeAll, DecodeError, equalBytes, Writer } from '../../format/index.ts';
import type { FileDirectory } from '../../world.ts';
import { crc32 } from '../checksum.ts';
import {
  encodeSegmentHeader,
  FIRST_SEGMENT,
  type Location,
  locate,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  type SegmentLink,
  segmentName,
  segmentNumber,
  segmentSeed,
} from './form.ts';
import { readHeader } from './reader.ts';
import { readSwept, SWEPT_BYTES } from './swept.ts';

/** Height of a segment whose height cannot be read: it is never pruned. */
export const HEIGHT_UNKNOWN = Number.MAX_SAFE_INTEGER;

export interface Segment {
  readonly number: number;
  readonly salt: Uint8Array;
  heightFirst: number;
  /** First byte behind its last group. */
  end: number;
  heightMax: number;
  /** Where its last group ended, when the segment was swept and nothing is left of it but a word of that. */
  sweptEnd: number | undefined;
  /** There is no file, or not the one that was written: before anything can be put back it is made anew. */
  lost: 'missing' | 'foreign' | undefined;
}

/** A stretch that is not what was written. */
export interface SegmentDamage {
  readonly location: Location;
  readonly bytes: number;
  /** The one frame that stands there, when its head can still be read: `rewrite` puts a sound payload back. */
  readonly frame: { readonly kind: number; readonly height: number; readonly length: number } | undefined;
}

export interface Catalog {
  /** Rising, without gaps; the last is the one that was being written. */
  readonly segments: Segment[];
  readonly damage: SegmentDamage[];
  /** Segments whose header was gone and could be made again: what else they lost is not known yet. */
  readonly suspect: readonly Segment[];
}

interface Found {
  readonly number: number;
  /** Bytes of the file; undefined when there is none. */
  readonly size: number | undefined;
  readonly header: SegmentHeader | undefined;
  readonly complete: boolean;
}

/**
 * @param newSalt for a segment of which nothing is left.
 * @throws ChainError STORE_FOREIGN when a segment belongs to another chain, STORE_IO.
 */
export async function readCatalog(directory: FileDirectory, chainId: Uint8Array, newSalt: () => Uint8Array): Promise<Catalog> {
  const numbers = (await directory.list()).flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => a - b);
  const stated = await readFirst(directory);
  const first = stated ?? numbers[0] ?? FIRST_SEGMENT;
  if (stated === undefined) await writeFirst(directory, first);
  for (const number of numbers) if (number < first) await directory.remove(segmentName(number)); // a pruning that was not finished
  const found: Found[] = [];
  for (let number = first; number <= (numbers.at(-1) ?? 0); number++) found.push(await findSegment(directory, chainId, number));

  const segments: Segment[] = [];
  const damage: SegmentDamage[] = [];
  const suspect: Segment[] = [];
  const isForeign = found.map(() => false);
  for (let i = found.length - 1; i >= 0; i--) isForeign[i] = isNotOurs(found, i, isForeign[i + 1] ?? false);
  for (const [i, own] of found.entries()) {
    const link = isForeign[i + 1] ? undefined : found[i + 1]?.header?.previous;
    const header = isForeign[i] ? undefined : own.header;
    const salt = link?.salt ?? header?.salt;
    const size = Math.max(SEGMENT_HEADER_BYTES, own.size ?? 0);
    const segment: Segment = {
      number: own.number,
      salt: salt ?? newSalt(),
      heightFirst: header?.heightFirst ?? 0,
      end: link?.end ?? size,
      heightMax: link?.heightMax ?? HEIGHT_UNKNOWN,
      sweptEnd: undefined,
      lost: own.size === undefined ? 'missing' : isForeign[i] || salt === undefined ? 'foreign' : undefined,
    };
    if (segment.lost !== undefined) damage.push(stretch(segment, SEGMENT_HEADER_BYTES));
    else {
      if (own.size === SWEPT_BYTES) await noticeSwept(directory, chainId, segment, link);
      if (size < segment.end) damage.push(stretch(segment, size));
      if (!own.complete) await putHeader(directory, chainId, segment, segments.at(-1));
      if (header === undefined) suspect.push(segment);
    }
    segments.push(segment);
  }
  return { segments, damage, suspect };
}

/** Its end is then that of what is left, so that nothing of it is missing. */
async function noticeSwept(directory: FileDirectory, chainId: Uint8Array, segment: Segment, link: SegmentLink | undefined): Promise<void> {
  const { number, salt } = segment;
  const swept = await readSwept(directory, number, segmentSeed(chainId, salt, number));
  if (swept === undefined || (link && link.end !== swept.end)) return;
  segment.end = SWEPT_BYTES;
  segment.heightMax = swept.heightMax;
  segment.sweptEnd = swept.end;
}

function stretch({ number, end }: Segment, from: number): SegmentDamage {
  return { location: locate(number, from), bytes: end - from, frame: undefined };
}

async function findSegment(directory: FileDirectory, chainId: Uint8Array, number: number): Promise<Found> {
  const file = await directory.open(segmentName(number));
  if (file === undefined) return { number, size: undefined, header: undefined, complete: false };
  try {
    const read = await readHeader(file);
    if (read && !equalBytes(read.header.chainId, chainId)) throw new ChainError('STORE_FOREIGN', { segment: segmentName(number) });
    return { number, size: await file.size(), header: read?.header, complete: read?.complete ?? false };
  } finally {
    await file.close();
  }
}

/** Whether a file with a sound header is not the one that was written here: it has another number, or its neighbours know it otherwise. */
function isNotOurs(found: readonly Found[], i: number, isNextForeign: boolean): boolean {
  const { header, number } = found[i]!;
  if (header === undefined) return false;
  if (header.number !== number) return true;
  const next = found[i + 1];
  const link = isNextForeign ? undefined : next?.header?.previous;
  if (link !== undefined) return !equalBytes(link.salt, header.salt);
  // The newest has nobody above it: when it does not know the one below, and that one fits to its own neighbour, it is the newest that is
  // wrong.
  const below = found[i - 1]?.header;
  if (i !== found.length - 1 || !header.previous || below?.number !== number - 1) return false;
  const under = found[i - 2]?.header;
  return (
    !equalBytes(header.previous.salt, below.salt) && under !== undefined && equalBytes(below.previous?.salt ?? new Uint8Array(), under.salt)
  );
}

export function linkTo(segment: Segment | undefined): SegmentLink | undefined {
  return segment && { salt: segment.salt, end: segment.sweptEnd ?? segment.end, heightMax: segment.heightMax };
}

export function headerOf(chainId: Uint8Array, segment: Segment, before: Segment | undefined): Uint8Array {
  return encodeSegmentHeader({
    chainId,
    salt: segment.salt,
    number: segment.number,
    heightFirst: segment.heightFirst,
    previous: linkTo(before),
  });
}

/** Writes the header over what stands there; the frames stay. */
async function putHeader(directory: FileDirectory, chainId: Uint8Array, segment: Segment, before: Segment | undefined): Promise<void> {
  const file = await directory.open(segmentName(segment.number));
  if (file === undefined) return;
  try {
    await file.write(0, [headerOf(chainId, segment, before)]);
  } finally {
    await file.close();
  }
}

// Where the store begins once older segments were pruned: otherwise a first segment that was lost would look like one that was pruned.

const FIRST_FILE = 'first';

export async function writeFirst(directory: FileDirectory, first: number): Promise<void> {
  const bytes = new Writer(8).u32(first).finish();
  await directory.put(FIRST_FILE, new Writer(8).fixed(bytes, bytes.length).u32(crc32(bytes)).finish());
}

/** Undefined when it cannot be read. */
async function readFirst(directory: FileDirectory): Promise<number | undefined> {
  const file = await directory.open(FIRST_FILE);
  if (file === undefined) return FIRST_SEGMENT;
  try {
    const bytes = new Uint8Array(8);
    await file.read(0, bytes);
    const { first, sum } = decodeAll(bytes, (reader) => ({ first: reader.u32(), sum: reader.u32() }));
    return sum === crc32(bytes.subarray(0, 4)) ? first : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}
