/** The rows that a search looks at, in its order: by commit as they stand, by time merged from the segments whose times overlap. */
import type { ByteText } from '../../format/index.ts';
import type { ValueSegments } from './directory.ts';
import { type PostedField, TIME_TEXT_LENGTH, u64Text } from './keys.ts';
import { firstWhere, rowKey, type SegmentRows } from './segment.ts';
import type { Segments } from './segments.ts';

const ORDINAL_LENGTH = 8;

export interface RowReference {
  /** Of the segment. */
  readonly number: number;
  readonly segment: SegmentRows;
  readonly row: number;
  /** Place in the order; rows sort by it. */
  readonly key: ByteText;
}

export interface Order {
  /** The next rows, so many at most; none behind the last. */
  next(count: number): Promise<readonly RowReference[]>;
}

export interface OrderOptions {
  readonly segments: Segments;
  readonly field: PostedField;
  readonly value: string;
  /** First key, and the one behind the last. */
  readonly from: ByteText;
  readonly to: ByteText | undefined;
  /** Awaited before each closed segment that is opened: it is read from the store, whether or not it has rows that are asked for. */
  readonly onOpen: () => Promise<void>;
}

/** Rows of a value, segment by segment, as of the moment this was made. */
class Postings {
  /** Versions whole in the index then. */
  readonly rowsWhole: number;
  readonly #options: OrderOptions;
  readonly #closedCount: number;
  readonly #having: ValueSegments;

  constructor(options: OrderOptions) {
    const { segments, field, value } = options;
    this.#options = options;
    this.rowsWhole = segments.rowsWhole;
    this.#closedCount = segments.closedCount;
    this.#having = segments.valueSegments(field, value);
  }

  /** By time; of an open segment some may have come since. */
  async rowsOf(number: number): Promise<ArrayLike<number>> {
    const { segments, field, value, onOpen } = this.#options;
    if (field !== 'timeline' && number < this.#closedCount && !(await this.#having.has(number))) return [];
    if (number < segments.closedCount) await onOpen();
    return segments.rows(number).posting(field, value);
  }
}

/** Key of the place of a version in the order of commits. */
function commitKey(ordinal: number): ByteText {
  return u64Text(ordinal);
}

/** The first place that is not before `from`. */
function ordinalFrom(from: ByteText): number {
  let ordinal = 0;
  for (let i = 0; i < ORDINAL_LENGTH && i < from.length; i++) ordinal = ordinal * 256 + from.charCodeAt(i);
  return from.length > ORDINAL_LENGTH ? ordinal + 1 : ordinal;
}

export function commitOrder(options: OrderOptions): Order {
  const { segments, field } = options;
  const postings = new Postings(options);
  const { rowsWhole } = postings;
  let ordinal = ordinalFrom(options.from);
  let listed: { readonly number: number; readonly rows: readonly number[] } | undefined;

  /** Rows of the segment in the order of commits; undefined for all of them. */
  async function listedRows(number: number): Promise<readonly number[] | undefined> {
    if (field === 'timeline') return undefined;
    if (listed?.number !== number) listed = { number, rows: Array.from(await postings.rowsOf(number)).sort((a, b) => a - b) };
    return listed.rows;
  }

  return {
    async next(count) {
      const out: RowReference[] = [];
      while (ordinal < rowsWhole && out.length < count) {
        const number = segments.segmentOf(ordinal);
        const { first, count: held } = segments.entry(number);
        const rows = await listedRows(number);
        if (rows?.length === 0) {
          ordinal = first + held;
          continue;
        }
        const segment = segments.rows(number);
        const end = Math.min(rows?.length ?? held, rowsWhole - first);
        let at = rows ? firstWhere(rows.length, (i) => first + rows[i]! >= ordinal) : ordinal - first;
        for (; at < end && out.length < count; at++) {
          const row = rows?.[at] ?? at;
          ordinal = first + row + 1;
          if (ordinal <= rowsWhole) out.push({ number, segment, row, key: commitKey(first + row) });
        }
        if (at >= end) ordinal = first + held;
      }
      return out;
    },
  };
}

/** A segment that a merge reads: its rows from `at` on are still to come, the first of them has the key. */
interface Run {
  readonly number: number;
  readonly segment: SegmentRows;
  readonly rows: ArrayLike<number>;
  at: number;
  key: ByteText;
}

/** Segments are read as late as their times allow: where claimed times come about as records do, one or two at once. */
export function timeOrder(options: OrderOptions): Order {
  const { segments, from, to } = options;
  const postings = new Postings(options);
  const fromTime = from.slice(0, TIME_TEXT_LENGTH);
  const waiting: number[] = [];
  for (let number = 0; number < segments.count; number++) {
    const { first, timeMin, timeMax } = segments.entry(number);
    if (first < postings.rowsWhole && timeMax >= fromTime && (to === undefined || timeMin < to)) waiting.push(number);
  }
  const leastOf = new Map(waiting.map((number) => [number, segments.entry(number).timeMin]));
  waiting.sort((a, b) => (leastOf.get(a)! < leastOf.get(b)! ? -1 : 1));
  let taken = 0;
  const runs: Run[] = []; // a heap, the least key first

  async function open(number: number): Promise<void> {
    const rows = await postings.rowsOf(number);
    if (rows.length === 0) return; // most segments do not have the value
    const segment = segments.rows(number);
    const run = { number, segment, rows, at: firstWhere(rows.length, (at) => rowKey(segment, rows[at]!) >= from), key: '' };
    if (!settle(run)) return;
    runs.push(run);
    rise(runs.length - 1);
  }

  /** Gives the run the key of its next row that is to be looked at; false when there is none. */
  function settle(run: Run): boolean {
    const { first } = segments.entry(run.number);
    while (run.at < run.rows.length && first + run.rows[run.at]! >= postings.rowsWhole) run.at++;
    if (run.at >= run.rows.length) return false;
    run.key = rowKey(run.segment, run.rows[run.at]!);
    return to === undefined || run.key < to;
  }

  function swap(a: number, b: number): void {
    [runs[a], runs[b]] = [runs[b]!, runs[a]!];
  }

  function rise(from: number): void {
    for (let at = from; at > 0; ) {
      const above = (at - 1) >> 1;
      if (runs[above]!.key <= runs[at]!.key) return;
      swap(at, above);
      at = above;
    }
  }

  function sink(): void {
    for (let at = 0; ; ) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) if (below < runs.length && runs[below]!.key < runs[least]!.key) least = below;
      if (least === at) return;
      swap(at, least);
      at = least;
    }
  }

  return {
    async next(count) {
      const out: RowReference[] = [];
      while (out.length < count) {
        while (taken < waiting.length && (runs.length === 0 || leastOf.get(waiting[taken]!)! <= runs[0]!.key.slice(0, TIME_TEXT_LENGTH)))
          await open(waiting[taken++]!);
        const run = runs[0];
        if (!run) return out;
        out.push({ number: run.number, segment: run.segment, row: run.rows[run.at]!, key: run.key });
        run.at++;
        if (!settle(run)) {
          swap(0, runs.length - 1);
          runs.pop();
        }
        sink();
      }
      return out;
    },
  };
}
