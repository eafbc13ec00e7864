/** Going through the frames of all segments, or of one, in the order of writing. What is no sound frame comes as damage in its place. */
import type { FileDirectory } from '../../world.ts';
import type { Segment, SegmentDamage } from './catalog.ts';
import { type FrameHead, type Location, locate, offsetOf, SEGMENT_HEADER_BYTES, segmentName, segmentOf } from './form.ts';
import { type PayloadUse, type Walked, walkSegment } from './walk.ts';

/** A frame that was passed: where it stands and what it is. */
export interface FoundFrame {
  readonly location: Location;
  readonly kind: number;
  readonly height: number;
  /** From its first byte to the one behind its last. */
  readonly bytes: number;
  /** Undefined when it was not asked for. */
  readonly payload: Uint8Array | undefined;
}

export interface ScannedFiles {
  readonly directory: FileDirectory;
  readonly segments: readonly Segment[];
  seedOf(segment: Segment): number;
}

export interface ScanSpan {
  readonly from: Location;
  /** What is appended later is not looked at. */
  readonly stop: Location;
  /** This segment alone. */
  readonly only?: number | undefined;
}

export async function* scanFiles(
  { directory, segments, seedOf }: ScannedFiles,
  { from, stop, only }: ScanSpan,
  use: (head: FrameHead) => PayloadUse,
  windowBytes: number,
): AsyncGenerator<FoundFrame | SegmentDamage, void, void> {
  for (const segment of [...segments]) {
    const { number, sweptEnd } = segment;
    if (number < segmentOf(from) || number > (only ?? segmentOf(stop))) continue;
    const span = {
      from: Math.max(SEGMENT_HEADER_BYTES, number === segmentOf(from) ? offsetOf(from) : 0),
      to: number === segmentOf(stop) ? offsetOf(stop) : segment.end,
    };
    const file = segment.lost === undefined ? await directory.open(segmentName(number)) : undefined;
    if (file === undefined) {
      if (segments.includes(segment)) yield { location: locate(number, span.from), bytes: span.to - span.from, frame: undefined };
      continue;
    }
    try {
      for await (const item of walkSegment(file, seedOf(segment), span, use, windowBytes)) {
        if (item.kind === 'frame') yield foundFrame(number, item);
        else if (segment.sweptEnd === sweptEnd) yield damageOf(number, item);
        else break; // the segment was swept meanwhile
      }
    } finally {
      await file.close();
    }
  }
}

function foundFrame(number: number, { from, to, head, payload }: Extract<Walked, { kind: 'frame' }>): FoundFrame {
  return { location: locate(number, from), kind: head.kind, height: head.height, bytes: to - from, payload };
}

export function damageOf(number: number, { from, to, head }: Extract<Walked, { kind: 'gap' }>): SegmentDamage {
  return {
    location: locate(number, from),
    bytes: to - from,
    frame: head && { kind: head.kind, height: head.height, length: head.length },
  };
}
