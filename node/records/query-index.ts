/**
 * The query index: off the commit path, fed with final blocks in order, stamped with the height it is at, rebuildable from blocks (design:
 * api, "Lists" and "Reading"; DB53/T 1407-2025 6.1.2). Versions stand in segments of columns (query/segment.ts); none is changed, what
 * replaced it is noted beside it, so a page is always cut from the state at its cursor's height, whatever was committed since.
 */
import { builtinClass } from '../../contracts/classes/index.ts';
import {
  type ByteText,
  canonicalJson,
  type Crypto,
  decodeAll,
  equalBytes,
  fromByteText,
  fromHex,
  hashTagged,
  toByteText,
  toHex,
  utf8,
  Writer,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import type { WrittenVersion } from '../../contracts/index.ts';
import { encodeBlockFacts } from '../ledger/index.ts';
import { type Pause, withPauses } from '../pace/index.ts';
import type { Store, StoreOperation } from '../world.ts';
import type { ClassLookup } from './class-lookup.ts';
import { writtenVersionSteps } from './query/facts.ts';
import { isAsked, type IndexSearch, matchedSteps, planOf, SEARCH_LIMIT_MAX } from './query/filter.ts';
import { indexKey } from './query/keys.ts';
import { commitOrder, timeOrder } from './query/orders.ts';
import { RowSummary } from './query/segment.ts';
import { type BlockOfFacts, readHead } from './query/rows.ts';
import { type OnMissing, Segments } from './query/segments.ts';
import type { RecordSummary } from './query/summary.ts';
import type { Pace } from './scan-budget.ts';
import type { RecordRow } from './source.ts';

export const SEARCH_SCAN_MAX = 20_000; // index rows looked at for one page; a page cut by it is short and has a `next`
export const COUNT_SCAN_MAX = 200_000; // index rows looked at for one count
const LOOK_ROWS = 128; // rows looked at in one turn of the thread
export const OPEN_ROWS = 16; // what the reading of a closed segment counts, in rows looked at
export const OPEN_UNPAID = 4; // segments that a page may open before they count: what is about one product stands in few
const STEP_ROWS = 16; // small rows made between two pauses
const BATCH_ROWS = 1_000; // rows of the store written in one turn of the thread
/** Blocks, and versions, of which the store knows nothing, at most about: after a crash they are read from blocks. */
export const UNSAVED_BLOCKS_MAX = 64;
export const UNSAVED_ROWS_MAX = 1_024;
const NO_PAUSE: Pause = () => Promise.resolve();

export interface SearchRow {
  /** 64 hex digits. */
  readonly id: string;
  readonly version: number;
  /** Names of the conditions met; for `batch`, `productionBatch` or `materialBatch` or both. */
  readonly matched: readonly string[];
  readonly summary: RecordSummary;
}

export interface SearchPage {
  readonly rows: readonly SearchRow[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
  /** The cursor behind so many of the rows, one at least: for a caller without room for all of them. */
  readonly after: (count: number) => string;
  /** State of this height is answered. */
  readonly height: number;
  /**
   * Every matching record at `height` is in the pages of this cursor, but for those withheld. False on a page cut by SEARCH_SCAN_MAX: it
   * may be short or empty though more match, and `next` goes on where it stopped.
   */
  readonly complete: boolean;
  /** Rows of this page's stretch that the caller may not see. */
  readonly withheld: number;
}

export interface RecordIndex {
  /** Height applied last; undefined when empty. */
  readonly height: number | undefined;
  /** Applies a final block, once; a height applied before is skipped. @throws ChainError RECORD_INDEX_ORDER when a block is left out. */
  applyBlock(height: number, timestampMs: number, rows: readonly RecordRow[], pause?: Pause): Promise<void>;
  /** The same by what the executor said of the block's records. */
  applyFacts(height: number, facts: Uint8Array, pause?: Pause): Promise<void>;
  /** @param may whether the caller may see a row; all when absent. @throws ChainError RECORD_QUERY_INVALID, RECORD_CURSOR_INVALID */
  search(query: IndexSearch, may?: (summary: RecordSummary) => boolean, pace?: Pace): Promise<SearchPage>;
  /**
   * Rows that a search would give in all its pages; past COUNT_SCAN_MAX rows looked at `complete` is false. `limit` and `after` are not
   * heeded. `pace` is told of every row.
   */
  count(
    query: IndexSearch,
    may?: (summary: RecordSummary) => boolean,
    pace?: Pace,
  ): Promise<{ readonly count: number; readonly height: number; readonly complete: boolean }>;
  /** Writes what stands in memory alone, so that a start needs no block for it. */
  save(): Promise<void>;
  /**
   * Forgets its height: fed from the first block again it writes every row anew, damaged ones with them, and answers for the height it has
   * come to.
   */
  refeed(): Promise<void>;
}

/** @param scanMax index rows looked at for one page */
export function createRecordIndex(
  store: Store,
  crypto: Pick<Crypto, 'hash'>,
  classOf: ClassLookup = builtinClass,
  scanMax: number = SEARCH_SCAN_MAX,
  onMissing?: OnMissing,
): RecordIndex & { load(): Promise<void> } {
  let height = readHead(store)?.height;
  let loading: Promise<Segments> | undefined;
  /** The height that the store knows of, and the blocks with versions behind it, from version `unsavedFirst` on. */
  let savedHeight = -1;
  let unsaved: BlockOfFacts[] = [];
  let unsavedFirst = 0;

  /** The segments and the height, read from the store anew after a failed write: it may turn out to be stored. */
  function loaded(pause: Pause = NO_PAUSE): Promise<Segments> {
    loading ??= load(pause).catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  }

  async function load(pause: Pause): Promise<Segments> {
    const head = readHead(store);
    const segments = await Segments.load(store, head, pause, onMissing);
    savedHeight = head?.height ?? -1;
    unsaved = unsaved.filter((block) => block.height > savedHeight);
    unsavedFirst = segments.rowsWhole;
    for (const block of unsaved) {
      await withPauses(segments.push(block.facts, block.height), pause);
      segments.added();
    }
    if (head && head.height > (height ?? -1)) height = head.height;
    return segments;
  }

  async function applyBlock(next: number, timestampMs: number, rows: readonly RecordRow[], pause: Pause = NO_PAUSE): Promise<void> {
    if (!isNext(next)) return;
    const versions: WrittenVersion[] = [];
    for (const row of rows) {
      versions.push(await withPauses(writtenVersionSteps(classOf(row.record.class, row.record.classVersion), row), pause));
      await pause();
    }
    const facts = await withPauses(encodeBlockFacts({ timestampMs, versions }), pause);
    await applyFacts(next, facts, pause);
  }

  function isNext(next: number): boolean {
    if (height !== undefined && next > height + 1) throw new ChainError('RECORD_INDEX_ORDER', { expected: height + 1, given: next });
    return height === undefined || next > height;
  }

  async function applyFacts(next: number, facts: Uint8Array, pause: Pause = NO_PAUSE): Promise<void> {
    const segments = await loaded(pause);
    if (!isNext(next)) return;
    if (next - savedHeight > UNSAVED_BLOCKS_MAX || segments.rowsWhole - unsavedFirst >= UNSAVED_ROWS_MAX) await keep(segments);
    const first = segments.rowsWhole;
    let isClosing = false;
    try {
      await withPauses(segments.push(facts, next), pause);
      ({ isClosing } = segments);
      if (isClosing) await write(segments.closing(next), pause);
    } catch (error) {
      loading = undefined; // what was added in memory goes with it
      throw error;
    }
    segments.added();
    height = next;
    if (isClosing) closed(segments, next, first);
    if (segments.rowsOpen > 0 && segments.rowsWhole > first) unsaved.push({ height: next, facts });
  }

  function closed(segments: Segments, next: number, first: number): void {
    segments.closed();
    unsaved = [];
    [savedHeight, unsavedFirst] = segments.rowsOpen > 0 ? [next - 1, first] : [next, segments.rowsWhole];
  }

  /** Tells the store of the blocks that stand in memory alone. */
  async function keep(segments: Segments): Promise<void> {
    if (height === undefined || height <= savedHeight) return;
    const [upTo, blocks] = [height, unsaved];
    await store.batch(segments.keeping(upTo, unsavedFirst, blocks), { sync: false });
    segments.kept(blocks.length);
    savedHeight = upTo;
    unsaved = [];
    unsavedFirst = segments.rowsWhole;
  }

  /** In parts, the head with the last one: until then nobody reads the rows, and a block that was cut off writes the same ones again. */
  async function write(operations: ReturnType<Segments['closing']>, pause: Pause): Promise<void> {
    let part: StoreOperation[] = [];
    for (;;) {
      const step = operations.next();
      if (step.done === true) return store.batch([...part, ...step.value], { sync: false });
      if (step.value) part.push(step.value);
      if (part.length >= BATCH_ROWS) {
        await store.batch(part, { sync: false });
        part = [];
      }
      if (!step.value || part.length % STEP_ROWS === 0) await pause();
    }
  }

  async function search(
    query: IndexSearch,
    may: (summary: RecordSummary) => boolean = () => true,
    pace: Pace = () => Promise.resolve(),
  ): Promise<SearchPage> {
    const plan = planOf(query);
    const filterDigest = hashTagged(crypto, 'index', utf8(canonicalJson({ ...plan.filter }))).slice(0, 8);
    const cursor = query.after === undefined ? undefined : decodeCursor(query.after, filterDigest);
    const segments = await loaded();
    const at = cursor?.height ?? query.asOf ?? height;
    if (at === undefined || height === undefined)
      return { rows: [], next: undefined, after: () => '', height: 0, complete: true, withheld: 0 };
    if (at > height)
      throw new ChainError(cursor ? 'RECORD_CURSOR_INVALID' : 'RECORD_QUERY_INVALID', { name: 'asOf', indexedHeight: height });
    // The first key after the last one given.
    const from: ByteText = cursor === undefined || cursor.key < plan.from ? plan.from : `${cursor.key}\0`;
    let scanned = 0;
    let opened = 0;
    const openedRows = (): number => Math.max(0, opened - OPEN_UNPAID) * OPEN_ROWS;
    const onOpen = (): Promise<void> => pace(++opened > OPEN_UNPAID ? OPEN_ROWS : 0);
    const order = (plan.byCommit ? commitOrder : timeOrder)({ segments, ...plan, from, onOpen });
    const rows: SearchRow[] = [];
    const keys: ByteText[] = [];
    const after = (count: number): string => encodeCursor(at, filterDigest, keys[count - 1]!);
    let withheld = 0;
    let last: ByteText = '';
    for (;;) {
      const chunk = await order.next(LOOK_ROWS);
      const before = scanned - rows.length;
      const looked = (): number => scanned - rows.length - before; // and not answered
      for (const { number, segment, row, key } of chunk) {
        scanned++;
        const summary = new RowSummary(segment, row);
        const stands = isAsked(summary, at, plan) && (plan.byCommit || segments.standsAt(number, row, at));
        const matching = stands ? matchedSteps(summary, plan) : undefined;
        let step = matching?.next();
        for (; step?.done === false; step = matching?.next()) await pace(0);
        const matched = step?.value || undefined;
        if (matched && rows.length === plan.limit) {
          await pace(looked() - 1);
          return { rows, next: encodeCursor(at, filterDigest, last), after, height: at, complete: true, withheld };
        }
        if (matched && !may(summary)) withheld++;
        else if (matched) {
          rows.push({ id: toHex(segment.columns.id.at(row)), version: segment.columns.version.at(row), matched, summary });
          keys.push(key);
        }
        if (rows.length < plan.limit || matched) last = key;
        if (scanned >= scanMax) {
          await pace(looked());
          return { rows, next: encodeCursor(at, filterDigest, last), after, height: at, complete: false, withheld };
        }
      }
      await pace(looked());
      if (chunk.length < LOOK_ROWS) return { rows, next: undefined, after, height: at, complete: true, withheld };
      // Behind a chunk, so that the page comes further however many segments its place lies in.
      if (scanned + openedRows() >= scanMax)
        return { rows, next: encodeCursor(at, filterDigest, last), after, height: at, complete: false, withheld };
    }
  }

  return {
    get height() {
      return height;
    },
    async load() {
      await loaded();
    },
    applyBlock,
    applyFacts,
    search,
    async count(query, may, pace = () => Promise.resolve()) {
      const { after: _after, ...rest } = query;
      let count = 0;
      let looked = 0;
      const passOver: Pace = (rows) => {
        looked += rows;
        return pace(rows);
      };
      let page: SearchPage | undefined;
      do {
        page = await search({ ...rest, limit: SEARCH_LIMIT_MAX, ...(page?.next === undefined ? {} : { after: page.next }) }, may, passOver);
        count += page.rows.length;
        await passOver(page.rows.length);
      } while (page.next !== undefined && looked < COUNT_SCAN_MAX);
      return { count, height: page.height, complete: page.next === undefined };
    },
    async save() {
      if (loading) await keep(await loading);
    },
    async refeed() {
      await store.batch([{ key: indexKey.height, value: undefined }], { sync: true });
      height = undefined;
      loading = undefined;
      unsaved = [];
    },
  };
}

/**
 * Like createRecordIndex, and read into memory; one with damage in what a start needs is forgotten like that of an older form, and fed
 * anew.
 */
export async function openRecordIndex(
  store: Store,
  crypto: Pick<Crypto, 'hash'>,
  classOf: ClassLookup = builtinClass,
  onMissing?: OnMissing,
): Promise<RecordIndex> {
  try {
    const index = createRecordIndex(store, crypto, classOf, SEARCH_SCAN_MAX, onMissing);
    await index.load();
    return index;
  } catch (error) {
    if (!(error instanceof ChainError) || error.code !== 'STORE_DAMAGED') throw error;
    await store.batch([{ key: indexKey.height, value: undefined }], { sync: true });
    return createRecordIndex(store, crypto, classOf, SEARCH_SCAN_MAX, onMissing);
  }
}

function encodeCursor(height: number, filterDigest: Uint8Array, key: ByteText): string {
  return toHex(new Writer(128).u64(height).fixed(filterDigest, 8).bytes(fromByteText(key)).finish());
}

function decodeCursor(text: string, filterDigest: Uint8Array): { readonly height: number; readonly key: ByteText } {
  let cursor: { height: number; filter: Uint8Array; key: Uint8Array };
  try {
    cursor = decodeAll(fromHex(text), (reader) => ({ height: reader.u64(), filter: reader.fixed(8), key: reader.bytes() }));
  } catch {
    throw new ChainError('RECORD_CURSOR_INVALID', { reason: 'form' });
  }
  if (!equalBytes(cursor.filter, filterDigest)) throw new ChainError('RECORD_CURSOR_INVALID', { reason: 'filter' });
  return { height: cursor.height, key: toByteText(cursor.key) };
}
