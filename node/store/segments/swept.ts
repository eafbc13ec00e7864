/**
 * A segment of which nothing is wanted any more: in place of its file stands one of the same header and a single frame that says where the
 * segment ended and how high it went. The segment after it says the same as ever, so a start knows a swept file from one that lost its end.
 */
import { decodeAll, DecodeError, Writer } from '../../format/index.ts';
import type { Steps } from '../../pace/index.ts';
import type { FileDirectory } from '../../world.ts';
import {
  encodePrologue,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_KIND,
  type Frame,
  frameBytes,
  SEGMENT_HEADER_BYTES,
  segmentName,
  type SegmentLink,
} from './form.ts';
import { walkSegment } from './walk.ts';

const PAYLOAD_BYTES = 4;
/** Of the whole file. */
export const SWEPT_BYTES = SEGMENT_HEADER_BYTES + frameBytes(PAYLOAD_BYTES);

/** What the file says of the segment. */
export type Swept = Pick<SegmentLink, 'end' | 'heightMax'>;

/** @param seed of the sums of the segment */
export function* sweptFile(header: Uint8Array, seed: number, { end, heightMax }: Swept): Steps<Uint8Array> {
  const frame: Frame = { kind: FRAME_KIND.swept, height: heightMax, payload: new Writer(PAYLOAD_BYTES).u32(end).finish() };
  const prologue = yield* encodePrologue(frame, { seed, offset: SEGMENT_HEADER_BYTES, before: 0, after: 0 });
  const bytes = new Uint8Array(SWEPT_BYTES);
  let at = 0;
  for (const part of [header, prologue, frame.payload, FRAME_END]) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Undefined when the file says nothing of the kind, or it cannot be believed. */
export async function readSwept(directory: FileDirectory, number: number, seed: number): Promise<Swept | undefined> {
  const file = await directory.open(segmentName(number));
  if (file === undefined) return undefined;
  try {
    const span = { from: SEGMENT_HEADER_BYTES, to: SEGMENT_HEADER_BYTES + FRAME_HEAD_BYTES };
    for await (const { kind, head, ...item } of walkSegment(file, seed, span, () => 'keep')) {
      if (kind === 'gap' || head?.kind !== FRAME_KIND.swept || !('payload' in item) || item.to !== SWEPT_BYTES) return undefined;
      return { end: decodeAll(item.payload!, (reader) => reader.u32()), heightMax: head.height };
    }
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}
