/**
 * The end of the segment that was being written. Only the last group can be torn, because each is on disk before the next is begun: it was
 * never acknowledged and is cut. Whatever else does not match is damage: it stays where it is, and what is appended later stands behind it.
 *
 * A sector that was not written is zero behind the group before, and so is everything behind the end of a file; a bit that turned over
 * leaves neither. So the last group is torn when a part that does not match its checksum has a sector of zeros in it or reaches past the
 * last byte that is not zero, or when its end mark is missing.
 */
import type { DataFile } from '../../world.ts';
import { FRAME_HEAD_BYTES, SEGMENT_HEADER_BYTES } from './form.ts';
import { type Span, type Walked, walkSegment, WINDOW_BYTES } from './walk.ts';

/** A disk writes a sector whole or not at all, in bytes. */
const SECTOR_BYTES = 512;

export type Gap = Extract<Walked, { kind: 'gap' }>;

export interface Tail {
  /** Where the next group goes. */
  readonly end: number;
  /** Of a group that was never acknowledged: from `end` on. */
  readonly tornBytes: number;
  readonly gaps: readonly Gap[];
  readonly heightMax: number;
}

export async function findTail(file: DataFile, seed: number): Promise<Tail> {
  const dataEnd = await endOfData(file);
  const gaps: Gap[] = [];
  let heightMax = 0;
  let end = SEGMENT_HEADER_BYTES;
  let open: Walked[] = []; // behind the last whole group
  for await (const item of walkSegment(file, seed, { from: end, to: dataEnd }, () => 'check')) {
    open.push(item);
    heightMax = Math.max(heightMax, item.head?.height ?? 0);
    if (!endsGroup(open)) continue;
    gaps.push(...open.filter(isGap)); // a whole group was written behind them
    end = item.to;
    open = [];
  }
  if (open.length === 0) return { end, tornBytes: 0, gaps, heightMax };
  const last = lastGroup(open, end, dataEnd);
  if (await isTorn(file, last, dataEnd)) {
    gaps.push(...open.filter(isGap).filter((gap) => gap.from < last.from));
    return { end: last.from, tornBytes: dataEnd - last.from, gaps, heightMax };
  }
  gaps.push(...open.filter(isGap));
  return { end: Math.max(dataEnd, last.to ?? 0), tornBytes: 0, gaps, heightMax };
}

function isGap(item: Walked): item is Gap {
  return item.kind === 'gap';
}

/** Whether the last item closes a group all of whose frames are sound. */
function endsGroup(items: readonly Walked[]): boolean {
  if (items.at(-1)?.head?.after !== 0) return false;
  for (let i = items.length - 1; i >= 0 && items[i]!.kind === 'frame'; i--) if (items[i]!.head?.before === 0) return true;
  return false;
}

interface LastGroup {
  readonly from: number;
  /** Undefined when no head of it is left to say so. */
  readonly to: number | undefined;
  readonly unsound: readonly Span[];
}

/**
 * Where the group begins behind which nothing was written; what lies before it was on disk by then. Any sound head tells both ends of its
 * group.
 */
function lastGroup(items: readonly Walked[], settled: number, dataEnd: number): LastGroup {
  let from = settled;
  for (const { head, ...item } of items)
    if (head) for (const border of [item.from - head.before, item.to + head.after]) if (border > from && border < dataEnd) from = border;
  const inside = items.filter((item) => item.from >= from);
  const ends = inside.flatMap((item) => (item.head ? [item.to + item.head.after] : []));
  const unsound = inside.filter(isGap).flatMap((gap) => gap.unsound);
  // A gap that began in the group before goes on over the head of this one.
  if (items.some((item) => item.kind === 'gap' && item.from < from && item.to > from)) unsound.push({ from, to: from + FRAME_HEAD_BYTES });
  return { from, to: ends.length === 0 ? undefined : Math.max(...ends), unsound };
}

async function isTorn(file: DataFile, group: LastGroup, dataEnd: number): Promise<boolean> {
  if (group.to !== undefined && group.to > dataEnd) return true;
  for (const part of group.unsound) if (part.to > dataEnd || (await holdsLostSector(file, part, group.from))) return true;
  return false;
}

/** Whether a sector with bytes of `part` is zero, as far as it belongs to the group that begins at `from`. */
async function holdsLostSector(file: DataFile, part: Span, from: number): Promise<boolean> {
  const start = Math.floor(part.from / SECTOR_BYTES) * SECTOR_BYTES;
  const bytes = new Uint8Array(Math.ceil(part.to / SECTOR_BYTES) * SECTOR_BYTES - start);
  await file.read(start, bytes);
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const own = bytes.subarray(Math.max(at, Math.min(at + SECTOR_BYTES, from - start)), at + SECTOR_BYTES);
    if (own.length > 0 && own.every((byte) => byte === 0)) return true;
  }
  return false;
}

/** First byte behind the last that is not zero. */
async function endOfData(file: DataFile): Promise<number> {
  for (let end = await file.size(); end > SEGMENT_HEADER_BYTES; ) {
    const from = Math.max(SEGMENT_HEADER_BYTES, end - WINDOW_BYTES);
    const bytes = new Uint8Array(end - from);
    await file.read(from, bytes);
    const last = bytes.findLastIndex((byte) => byte !== 0);
    if (last >= 0) return from + last + 1;
    end = from;
  }
  return SEGMENT_HEADER_BYTES;
}
