/** Keys of the query index. All of it derives from final blocks and can be thrown away and made anew. */
import { type ByteText, u32Text } from '../../format/index.ts';

/** Key prefixes of the index store; retired rows stay. Values in keys end in NUL, which no record text can hold. */
export const indexKeyspace = {
  height: { prefix: 'h', holds: 'nothing -> height applied last, segments closed, rows in all, kept rows, form' },
  kept: { prefix: 'k', holds: 'number -> facts of blocks of which versions stand in no closed segment' },
  segment: { prefix: 'g', holds: 'segment -> its rows, heights, times, and which rows they replaced' },
  column: { prefix: 'o', holds: 'segment, column -> the values of its rows' },
  values: { prefix: 'v', holds: 'segment -> hashes of its posted values, until its group is made' },
  group: { prefix: 'u', holds: 'bucket of hashes, group of segments -> hashes of the values posted there, each with its segment' },
  block: { prefix: 'b', holds: 'retired' },
  posting: { prefix: 'p', holds: 'retired' },
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
export const INDEX_FORM = 3;

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
  kept: (number: number): ByteText => indexKeyspace.kept.prefix + u32Text(number),
  segment: (segment: number): ByteText => indexKeyspace.segment.prefix + u32Text(segment),
  /** @param column one letter */
  column: (segment: number, column: string): ByteText => indexKeyspace.column.prefix + u32Text(segment) + column,
  values: (segment: number): ByteText => indexKeyspace.values.prefix + u32Text(segment),
  group: (bucket: number, group: number): ByteText => indexKeyspace.group.prefix + u32Text(bucket) + u32Text(group),
} as const;
