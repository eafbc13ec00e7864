/** Keys of the query index. All of it derives from final blocks and can be thrown away and made anew. */
import { utf8Text } from '../../../contracts/builtin/index.ts';
import { type ByteText, u32Text } from '../../format/index.ts';

/** Key prefixes of the index store; retired rows stay. Values in keys end in NUL, which no record text can hold. */
export const indexKeyspace = {
  height: { prefix: 'h', holds: 'nothing -> height applied last, segments closed, rows in all, form' },
  block: { prefix: 'b', holds: 'height -> facts of its versions, until their segments are closed' },
  segment: { prefix: 'g', holds: 'segment -> its rows, heights, times, and which rows they replaced' },
  column: { prefix: 'o', holds: 'segment, column -> the values of its rows' },
  posting: { prefix: 'p', holds: 'posted field, value, segment -> its rows that have the value, by time' },
  summary: { prefix: 'r', holds: 'retired' },
  commit: { prefix: 'c', holds: 'retired' },
  product: { prefix: 'P', holds: 'retired' },
  batch: { prefix: 'B', holds: 'retired' },
  supplier: { prefix: 'S', holds: 'retired' },
  device: { prefix: 'D', holds: 'retired' },
  factory: { prefix: 'F', holds: 'retired' },
  link: { prefix: 'L', holds: 'retired' },
  report: { prefix: 'Q', holds: 'retired' },
  class: { prefix: 'C', holds: 'retired' },
  timeline: { prefix: 'T', holds: 'retired' },
  author: { prefix: 'A', holds: 'retired' },
  authorCommit: { prefix: 'W', holds: 'retired' },
} as const;

/** Form of the rows, raised with every change of them: an index of another form is made anew from blocks. */
export const INDEX_FORM = 2;

/** What a search may be led by: the values of a field and the rows that have them. `timeline` has one value, which all rows have. */
export const postedFields = {
  timeline: 't',
  author: 'a',
  product: 'p',
  batch: 'b',
  supplier: 's',
  device: 'd',
  factory: 'f',
  link: 'l',
  report: 'q',
  class: 'c',
} as const;

export type PostedField = keyof typeof postedFields;

// A claimed year of 0000 lies 6.2e16 us before 1970; the bias keeps every time positive, so that eight big-endian bytes sort as it counts.
export const TIME_BIAS = 1n << 60n;
const U32_BITS = 32n;
export const TIME_TEXT_LENGTH = 8;

export function timeText(us: bigint): ByteText {
  const biased = us + TIME_BIAS;
  return u32Text(Number(biased >> U32_BITS)) + u32Text(Number(biased & 0xffff_ffffn));
}

export function u64Text(value: number): ByteText {
  return u32Text(Math.floor(value / 0x1_0000_0000)) + u32Text(value % 0x1_0000_0000);
}

export const indexKey = {
  height: indexKeyspace.height.prefix as ByteText,
  block: (height: number): ByteText => indexKeyspace.block.prefix + u64Text(height),
  segment: (segment: number): ByteText => indexKeyspace.segment.prefix + u32Text(segment),
  /** @param column one letter */
  column: (segment: number, column: string): ByteText => indexKeyspace.column.prefix + u32Text(segment) + column,
  posting: (field: PostedField, value: string, segment: number): ByteText =>
    `${indexKeyspace.posting.prefix}${postedFields[field]}${utf8Text(value)}\0${u32Text(segment)}`,
} as const;

/** Segment at the end of a posting's key. */
export function segmentOfKey(key: ByteText): number {
  const at = (back: number): number => key.charCodeAt(key.length - back);
  return ((at(4) << 24) | (at(3) << 16) | (at(2) << 8) | at(1)) >>> 0;
}
