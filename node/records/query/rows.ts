/** Rows of the query index's store beside columns and directory: what is known of each segment, how far the index has come, and facts of blocks. */
import { type ByteText, decodeAll, fromByteText, toByteText, Writer } from '../../format/index.ts';
import type { Store } from '../../world.ts';
import { INDEX_FORM, indexKey } from './keys.ts';
import { TIME_BYTES } from './segment.ts';

/** What is known of every segment without reading it. */
export interface SegmentEntry {
  /** Ordinal of its first row. */
  readonly first: number;
  readonly count: number;
  readonly heightFirst: number;
  readonly heightLast: number;
  /** Least and greatest time, as timeText. */
  readonly timeMin: ByteText;
  readonly timeMax: ByteText;
  /**
   * Rows that are a next version, each with the ordinal of the one that it replaced. In memory none of a closed segment: `#replacedBy` has
   * them by the row that was replaced.
   */
  readonly replaced: readonly (readonly [row: number, ordinal: number])[];
}

export function encodeEntry({ first, count, heightFirst, heightLast, timeMin, timeMax, replaced }: SegmentEntry): Uint8Array {
  const writer = new Writer(64 + 12 * replaced.length).u64(first).u32(count).u64(heightFirst).u64(heightLast);
  writer.fixed(fromByteText(timeMin), TIME_BYTES).fixed(fromByteText(timeMax), TIME_BYTES);
  return writer.list(replaced, (w, [row, ordinal]) => w.u32(row).u64(ordinal)).finish();
}

export function decodeEntry(bytes: Uint8Array): SegmentEntry {
  return decodeAll(bytes, (reader) => ({
    first: reader.u64(),
    count: reader.u32(),
    heightFirst: reader.u64(),
    heightLast: reader.u64(),
    timeMin: toByteText(reader.fixed(TIME_BYTES)),
    timeMax: toByteText(reader.fixed(TIME_BYTES)),
    replaced: reader.list((r) => [r.u32(), r.u64()] as const),
  }));
}

/** How far the index has come. */
export interface IndexHead {
  readonly height: number;
  /** Segments closed. */
  readonly closed: number;
  /** Versions up to the height. Some behind them may stand in the last closed segment: it ends within the next block. */
  readonly rows: number;
  /** Rows with facts of blocks. */
  readonly kept: number;
}

const HEAD_BYTES = 28;

export function encodeHead({ height, closed, rows, kept }: IndexHead): Uint8Array {
  return new Writer(HEAD_BYTES).u64(height).u32(closed).u64(rows).u32(kept).u32(INDEX_FORM).finish();
}

/** Undefined of rows in another form: fed from the first block again, the index writes every row anew. */
export function readHead(store: Pick<Store, 'get'>): IndexHead | undefined {
  const bytes = store.get(indexKey.height);
  if (bytes?.length !== HEAD_BYTES) return undefined; // none, or of another form
  const row = decodeAll(bytes, (reader) => ({
    height: reader.u64(),
    closed: reader.u32(),
    rows: reader.u64(),
    kept: reader.u32(),
    form: reader.u32(),
  }));
  return row.form === INDEX_FORM ? row : undefined;
}

/** What the executor said of a block. */
export interface BlockOfFacts {
  readonly height: number;
  readonly facts: Uint8Array;
}

/** Facts of blocks behind the ordinal of their first version. */
export function encodeKept(first: number, blocks: readonly BlockOfFacts[]): Uint8Array {
  let bytes = 12;
  for (const { facts } of blocks) bytes += 12 + facts.length;
  return new Writer(bytes)
    .u64(first)
    .list(blocks, (w, { height, facts }) => w.u64(height).bytes(facts))
    .finish();
}

/** What a row of kept blocks holds. */
export function decodeKept(bytes: Uint8Array): { readonly first: number; readonly blocks: readonly BlockOfFacts[] } {
  return decodeAll(bytes, (reader) => ({
    first: reader.u64(),
    blocks: reader.list((r) => ({ height: r.u64(), facts: r.bytes() })),
  }));
}
