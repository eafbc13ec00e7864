/**
 * The query index: off the commit path, fed with final blocks in order, stamped with the height it is at, rebuildable from blocks
 * (design: api, "Lists" and "Reading"; DB53/T 1407-2025 6.1.2). Postings are append-only and a superseded version is only marked, so a page is
 * always cut from the state at its cursor's height, whatever was committed since.
 */
import { builtinClass } from '../../contracts/classes/index.ts';
import {
  type ByteText,
  canonicalJson,
  type Crypto,
  decodeAll,
  type Digest,
  equalBytes,
  fromByteText,
  fromHex,
  hashTagged,
  parseTime,
  prefixEnd,
  type RecordState,
  toByteText,
  toHex,
  u32Text,
  utf8,
  Writer,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import { type Pause, withPauses } from '../pace/slices.ts';
import type { Store, StoreOperation } from '../world.ts';
import type { ClassLookup } from './class-lookup.ts';
import {
  decodeSummary,
  encodeSummary,
  INDEX_FORM,
  indexKey,
  type PostingRow,
  postingPrefix,
  namesLink,
  postingsOf,
  readReference,
  type RecordSummary,
  summarySteps,
  timeText,
} from './index-rows.ts';
import type { Pace } from './scan-budget.ts';
import type { RecordRow } from './source.ts';
import type { RecordFilter } from './types.ts';

export const SEARCH_LIMIT_MAX = 1_000; // rows of one page
export const SEARCH_LIMIT_DEFAULT = 100;
export const SEARCH_SCAN_MAX = 20_000; // index rows looked at for one page; a page cut by it is short and has a `next`
export const COUNT_SCAN_MAX = 200_000; // index rows looked at for one count
const RANGE_ROWS = 128; // rows fetched from the store at once, and looked at in one turn of the thread: some ms
const BATCH_ROWS = 1_000; // rows of a block written in one turn of the thread
const CLEAR_ROWS = 10_000; // rows deleted in one batch when the index is emptied

/** What a door may ask for, and what the node asks for itself. */
export interface IndexFilter extends RecordFilter {
  readonly org?: string;
  /** Account that wrote the first version. What others wrote is not even passed over: neither time, budget nor `complete` tells of it. */
  readonly author?: string;
  /** Id of a quality report: the reports themselves, not those who name them. */
  readonly report?: string;
  /** `type/id` that a link of the record names. */
  readonly link?: string;
  /** By time: `current` unless said otherwise; `kept` is all but tombstones. By commit: every version and tombstone. */
  readonly state?: RecordState | 'kept' | 'any';
}

export interface IndexSearch extends IndexFilter {
  /** `time` (default): the versions that stand, by claimed time. `commit`: every version and tombstone as committed. */
  readonly order?: 'time' | 'commit';
  readonly limit?: number;
  /** Answers the state of this height, at most the index's own; the latest when absent. A cursor keeps its own. */
  readonly asOf?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

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
  /** The cursor behind so many of the rows, one at least: for who has no room for all of them. */
  readonly after: (count: number) => string;
  /** State of this height is answered. */
  readonly height: number;
  /**
   * Every matching record at `height` is in the pages of this cursor, but for those withheld. False on a page cut by SEARCH_SCAN_MAX: it may be short or
   * empty though more match, and `next` goes on where it stopped.
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
  /** @param may whether the caller may see a row; all when absent. @throws ChainError RECORD_QUERY_INVALID, RECORD_CURSOR_INVALID */
  search(query: IndexSearch, may?: (summary: RecordSummary) => boolean, pace?: Pace): Promise<SearchPage>;
  /**
   * Rows that a search would give in all its pages; past COUNT_SCAN_MAX rows looked at `complete` is false. `limit` and `after` are not heeded.
   * `pace` is told of every row.
   */
  count(
    query: IndexSearch,
    may?: (summary: RecordSummary) => boolean,
    pace?: Pace,
  ): Promise<{ readonly count: number; readonly height: number; readonly complete: boolean }>;
  /** Every version of a record, oldest first. */
  history(id: Digest): Promise<readonly { readonly version: number; readonly summary: RecordSummary }[]>;
  /** Forgets its height: fed from the first block again it writes every row anew, damaged ones with them, and answers for the height it has come to. */
  refeed(): Promise<void>;
  /** Empties the index; feed it from the first block again. */
  clear(): Promise<void>;
}

/** @param scanMax index rows looked at for one page */
export function createRecordIndex(
  store: Store,
  crypto: Pick<Crypto, 'hash'>,
  classOf: ClassLookup = builtinClass,
  scanMax: number = SEARCH_SCAN_MAX,
): RecordIndex {
  let height = readHeight(store);

  /** In parts, the height last: rows above it are not looked at, and a block that was cut off writes the same rows again. */
  async function applyBlock(
    next: number,
    timestampMs: number,
    rows: readonly RecordRow[],
    pause: Pause = () => Promise.resolve(),
  ): Promise<void> {
    if (height !== undefined && next <= height) return;
    if (height !== undefined && next !== height + 1) throw new ChainError('RECORD_INDEX_ORDER', { expected: height + 1, given: next });
    const references: StoreOperation[] = [];
    const fresh = new Map<ByteText, RecordSummary>(); // summaries of this block, not yet in the store
    for (const [at, { recordId, record }] of rows.entries()) {
      const id = toByteText(recordId);
      const beforeKey = indexKey.summary(id, record.version - 1);
      const stored = record.version === 1 || fresh.has(beforeKey) ? undefined : store.get(beforeKey);
      const before = fresh.get(beforeKey) ?? (stored && decodeSummary(stored));
      if (before) fresh.set(beforeKey, { ...before, supersededAt: next });
      const summary = await withPauses(summarySteps(classOf(record.class, record.classVersion), record, before), pause);
      fresh.set(indexKey.summary(id, record.version), summary);
      const reference = fromByteText(id + u32Text(record.version));
      references.push({ key: indexKey.commit(next, at), value: reference });
      references.push({ key: indexKey.authorCommit(summary.author, next, at), value: reference });
      const time = timeText(BigInt(summary.timeUs));
      for (const [row, value] of postingsOf(summary)) {
        references.push({ key: indexKey.posting(row, value, time, id, record.version), value: new Uint8Array(0) });
        if (references.length % BATCH_ROWS === 0) await pause();
      }
      await pause();
    }
    const operations: StoreOperation[] = []; // summaries first: whoever meets a reference reads the summary
    for (const [key, summary] of fresh) {
      operations.push({ key, value: encodeSummary(summary) });
      await pause();
    }
    for (const reference of references) operations.push(reference);
    operations.push({ key: indexKey.height, value: new Writer(20).u64(next).u64(timestampMs).u32(INDEX_FORM).finish() });
    for (let at = 0; at < operations.length; at += BATCH_ROWS) {
      await store.batch(operations.slice(at, at + BATCH_ROWS), { sync: false });
      await pause();
    }
    height = next;
  }

  async function search(
    query: IndexSearch,
    may: (summary: RecordSummary) => boolean = () => true,
    pace: Pace = () => Promise.resolve(),
  ): Promise<SearchPage> {
    const plan = planOf(query);
    const filterDigest = hashTagged(crypto, 'index', utf8(canonicalJson({ ...plan.filter }))).slice(0, 8);
    const cursor = query.after === undefined ? undefined : decodeCursor(query.after, filterDigest);
    const at = cursor?.height ?? query.asOf ?? height;
    if (at === undefined || height === undefined)
      return { rows: [], next: undefined, after: () => '', height: 0, complete: true, withheld: 0 };
    if (at > height)
      throw new ChainError(cursor ? 'RECORD_CURSOR_INVALID' : 'RECORD_QUERY_INVALID', { name: 'asOf', indexedHeight: height });
    let from: ByteText = cursor === undefined || cursor.key < plan.from ? plan.from : `${cursor.key}\0`; // the first key after the last one given
    const rows: SearchRow[] = [];
    const keys: ByteText[] = [];
    const after = (count: number): string => encodeCursor(at, filterDigest, keys[count - 1]!);
    let withheld = 0;
    let last: ByteText = '';
    for (let scanned = 0; ; ) {
      const chunk = await store.range({ from, to: plan.to, limit: RANGE_ROWS });
      const before = scanned - rows.length;
      const looked = (): number => scanned - rows.length - before; // and not answered
      for (const { key, value } of chunk) {
        scanned++;
        const { id, version } = readReference(plan.byCommit ? toByteText(value) : key);
        const summary = decodeSummary(store.get(indexKey.summary(id, version))!);
        const matched = standsAt(summary, at, plan) ? matchedBy(summary, plan) : undefined;
        if (matched && rows.length === plan.limit) {
          await pace(looked() - 1);
          return { rows, next: encodeCursor(at, filterDigest, last), after, height: at, complete: true, withheld };
        }
        if (matched && !may(summary)) withheld++;
        else if (matched) {
          rows.push({ id: toHex(fromByteText(id)), version, matched, summary });
          keys.push(key);
        }
        if (rows.length < plan.limit || matched) last = key;
        if (scanned >= scanMax) {
          await pace(looked());
          return { rows, next: encodeCursor(at, filterDigest, last), after, height: at, complete: false, withheld };
        }
      }
      await pace(looked());
      if (chunk.length < RANGE_ROWS) return { rows, next: undefined, after, height: at, complete: true, withheld };
      from = `${chunk.at(-1)!.key}\0`;
    }
  }

  return {
    get height() {
      return height;
    },
    applyBlock,
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
    async history(recordId) {
      const prefix = indexKey.summaries(toByteText(recordId));
      const out: { version: number; summary: RecordSummary }[] = [];
      for (let from = prefix; ; ) {
        const chunk = await store.range({ from, to: prefixEnd(prefix), limit: RANGE_ROWS });
        for (const { key, value } of chunk) out.push({ version: readReference(key.slice(1)).version, summary: decodeSummary(value) });
        if (chunk.length < RANGE_ROWS) return out;
        from = `${chunk.at(-1)!.key}\0`;
      }
    },
    async refeed() {
      height = undefined;
      await store.batch([{ key: indexKey.height, value: undefined }], { sync: true });
    },
    async clear() {
      for (;;) {
        const chunk = await store.range({ from: '', to: undefined, limit: CLEAR_ROWS });
        if (chunk.length === 0) break;
        await store.batch(
          chunk.map(({ key }) => ({ key, value: undefined })),
          { sync: false },
        );
      }
      height = undefined;
    },
  };
}

/** Like createRecordIndex; a height that is damaged is forgotten like that of an older form, and the index fed anew. */
export async function openRecordIndex(
  store: Store,
  crypto: Pick<Crypto, 'hash'>,
  classOf: ClassLookup = builtinClass,
): Promise<RecordIndex> {
  try {
    return createRecordIndex(store, crypto, classOf);
  } catch (error) {
    if (!(error instanceof ChainError) || error.code !== 'STORE_DAMAGED') throw error;
    await store.batch([{ key: indexKey.height, value: undefined }], { sync: true });
    return createRecordIndex(store, crypto, classOf);
  }
}

const HEIGHT_ROW_BYTES = 20;

/** Undefined of rows in another form: fed from the first block again, the index writes every row anew. */
function readHeight(store: Store): number | undefined {
  const bytes = store.get(indexKey.height);
  if (bytes?.length !== HEIGHT_ROW_BYTES) return undefined; // none, or from before rows had a form
  const row = decodeAll(bytes, (reader) => ({ height: reader.u64(), timestampMs: reader.u64(), form: reader.u32() }));
  return row.form === INDEX_FORM ? row.height : undefined;
}

interface Plan {
  readonly filter: IndexFilter & { readonly order: 'time' | 'commit' };
  readonly from: ByteText;
  readonly to: ByteText | undefined;
  readonly byCommit: boolean;
  readonly fromUs: bigint | undefined;
  readonly toUs: bigint | undefined;
  readonly limit: number;
}

/** The narrowest posting list any condition names, bounded by time; the other conditions filter its summaries. */
function planOf(query: IndexSearch): Plan {
  const { limit = SEARCH_LIMIT_DEFAULT, after: _after, asOf: _asOf, order = 'time', ...given } = query;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > SEARCH_LIMIT_MAX)
    throw new ChainError('RECORD_QUERY_INVALID', { name: 'limit', max: SEARCH_LIMIT_MAX });
  const filter = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as IndexFilter;
  const fromUs = timeOf('from', filter.from);
  const toUs = timeOf('to', filter.to);
  const shared = { filter: { ...filter, order }, fromUs, toUs, limit };
  if (order === 'commit') {
    const from = filter.author === undefined ? indexKey.commits : indexKey.authorCommits(filter.author);
    return { ...shared, from, to: prefixEnd(from), byCommit: true };
  }
  const [row, value] = driverOf(filter);
  const prefix = postingPrefix(row, value);
  return {
    ...shared,
    from: fromUs === undefined ? prefix : prefix + timeText(fromUs),
    to: toUs === undefined ? prefixEnd(prefix) : prefix + timeText(toUs + 1n),
    byCommit: false,
  };
}

function driverOf(filter: IndexFilter): readonly [PostingRow, string] {
  const batch = filter.materialBatch ?? filter.productionBatch ?? filter.batch;
  if (filter.author !== undefined) return ['author', filter.author]; // however narrow another: see IndexFilter
  if (filter.product !== undefined) return ['product', filter.product];
  if (filter.report !== undefined) return ['report', filter.report];
  if (filter.link !== undefined) return ['link', filter.link];
  if (batch !== undefined) return ['batch', batch];
  if (filter.device !== undefined) return ['device', filter.device];
  if (filter.supplier !== undefined) return ['supplier', filter.supplier];
  if (filter.factory !== undefined) return ['factory', filter.factory];
  if (filter.class !== undefined) return ['class', filter.class];
  return ['timeline', ''];
}

function timeOf(name: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const reading = parseTime(text);
  if (!reading.ok) throw new ChainError('RECORD_QUERY_INVALID', { name, reason: reading.code });
  return reading.us;
}

function standsAt(summary: RecordSummary, height: number, plan: Plan): boolean {
  if (summary.height > height) return false;
  const { state = plan.byCommit ? 'any' : 'current' } = plan.filter;
  if (state === 'kept' ? summary.state === 'deleted' : state !== 'any' && summary.state !== state) return false;
  return plan.byCommit || summary.supersededAt === undefined || summary.supersededAt > height;
}

/** Names of the conditions, when all are met. */
function matchedBy(summary: RecordSummary, { filter, fromUs, toUs }: Plan): readonly string[] | undefined {
  const matched: string[] = [];
  const is = (name: string, condition: string | undefined, met: () => boolean): boolean => {
    if (condition === undefined) return true;
    if (!met()) return false;
    matched.push(name);
    return true;
  };
  const { product, factory, device, report, link, org, author, productionBatch, materialBatch, supplier, batch } = filter;
  const met =
    (author === undefined || summary.author === author) &&
    is('product', product, () => summary.product === product) &&
    is('factory', factory, () => summary.factory === factory) &&
    is('device', device, () => summary.devices.includes(device!)) &&
    is('report', report, () => summary.report === report) &&
    is('class', filter.class, () => summary.class === filter.class) &&
    is('org', org, () => summary.org === org) &&
    is('link', link, () => namesLink(summary, link!)) &&
    is('productionBatch', productionBatch, () => summary.productionBatch === productionBatch) &&
    is('materialBatch', materialBatch, () =>
      summary.materials.some((material) => material.batch === materialBatch && (supplier === undefined || material.supplier === supplier)),
    ) &&
    is('supplier', supplier, () => summary.materials.some((material) => material.supplier === supplier));
  if (!met) return undefined;
  if (batch !== undefined) {
    const asMaterial = summary.materials.some(
      (material) => material.batch === batch && (supplier === undefined || material.supplier === supplier),
    );
    if (summary.productionBatch === batch) matched.push('productionBatch');
    if (asMaterial) matched.push('materialBatch');
    if (summary.productionBatch !== batch && !asMaterial) return undefined;
  }
  const us = BigInt(summary.timeUs);
  if ((fromUs !== undefined && us < fromUs) || (toUs !== undefined && us > toUs)) return undefined;
  if (fromUs !== undefined || toUs !== undefined) matched.push('time');
  return [...new Set(matched)];
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
