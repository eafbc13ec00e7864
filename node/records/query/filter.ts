/** What a search asks for, the rows it has to look at for that, and what it makes of each. */
import { type ByteText, parseTime, type RecordState } from '../../format/index.ts';
import { ChainError } from '../../errors/index.ts';
import type { Steps } from '../../pace/index.ts';
import type { RecordFilter } from '../types.ts';
import { type PostedField, timeText } from './keys.ts';
import { linkText, type RecordSummary } from './summary.ts';

export const SEARCH_LIMIT_MAX = 1_000; // rows of one page
export const SEARCH_LIMIT_DEFAULT = 100;

/** What a caller may ask for, and what the node itself asks for. */
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

export interface Plan {
  readonly filter: IndexFilter & { readonly order: 'time' | 'commit' };
  /** The posted value that leads the search. */
  readonly field: PostedField;
  readonly value: string;
  /** First place in the order, and the one behind the last. */
  readonly from: ByteText;
  readonly to: ByteText | undefined;
  readonly byCommit: boolean;
  readonly fromUs: bigint | undefined;
  readonly toUs: bigint | undefined;
  readonly limit: number;
}

/** The narrowest posting list any condition names, bounded by time; the other conditions filter its summaries. */
export function planOf(query: IndexSearch): Plan {
  const { limit = SEARCH_LIMIT_DEFAULT, after: _after, asOf: _asOf, order = 'time', ...given } = query;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > SEARCH_LIMIT_MAX)
    throw new ChainError('RECORD_QUERY_INVALID', { name: 'limit', max: SEARCH_LIMIT_MAX });
  const filter = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as IndexFilter;
  const fromUs = timeOf('from', filter.from);
  const toUs = timeOf('to', filter.to);
  const shared = { filter: { ...filter, order }, fromUs, toUs, limit };
  if (order === 'commit') {
    const [field, value] = filter.author === undefined ? (['timeline', ''] as const) : (['author', filter.author] as const);
    return { ...shared, field, value, from: '', to: undefined, byCommit: true };
  }
  const [field, value] = driverOf(filter);
  const [from, to] = [fromUs === undefined ? '' : timeText(fromUs), toUs === undefined ? undefined : timeText(toUs + 1n)];
  return { ...shared, field, value, from, to, byCommit: false };
}

function driverOf(filter: IndexFilter): readonly [PostedField, string] {
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

/** Whether a version of the state is asked for, that came at `height` or before. */
export function isAsked(summary: RecordSummary, height: number, { filter, byCommit }: Plan): boolean {
  if (summary.height > height) return false;
  const { state = byCommit ? 'any' : 'current' } = filter;
  return state === 'kept' ? summary.state !== 'deleted' : state === 'any' || summary.state === state;
}

/** Names of the conditions, when all are met. In steps, for a version may name tens of thousands of materials. */
export function* matchedSteps(summary: RecordSummary, { filter, fromUs, toUs }: Plan): Steps<readonly string[] | undefined> {
  const { product, factory, device, report, link, org, author, productionBatch, materialBatch, supplier, batch } = filter;
  const met =
    (author === undefined || summary.author === author) &&
    (product === undefined || summary.product === product) &&
    (factory === undefined || summary.factory === factory) &&
    (device === undefined || summary.devices.includes(device)) &&
    (report === undefined || summary.report === report) &&
    (filter.class === undefined || summary.class === filter.class) &&
    (org === undefined || summary.org === org) &&
    (productionBatch === undefined || summary.productionBatch === productionBatch);
  if (!met || !isWithin(summary, fromUs, toUs)) return undefined;
  const named = yield* materialsNamed(summary, filter);
  if (link !== undefined && !named.has('link') && !summary.links.some((each) => linkText(each) === link)) return undefined;
  if (materialBatch !== undefined && !named.has('materialBatch')) return undefined;
  if (supplier !== undefined && !named.has('supplier')) return undefined;
  const isOfBatch = batch !== undefined && summary.productionBatch === batch;
  if (batch !== undefined && !isOfBatch && !named.has('batch')) return undefined;
  const asked = { product, factory, device, report, class: filter.class, org, link, productionBatch, materialBatch, supplier };
  const matched = new Set(Object.entries(asked).flatMap(([name, condition]) => (condition === undefined ? [] : [name])));
  if (isOfBatch) matched.add('productionBatch');
  if (named.has('batch')) matched.add('materialBatch');
  if (fromUs !== undefined || toUs !== undefined) matched.add('time');
  return [...matched];
}

function isWithin(summary: RecordSummary, fromUs: bigint | undefined, toUs: bigint | undefined): boolean {
  if (fromUs === undefined && toUs === undefined) return true;
  const us = BigInt(summary.timeUs);
  return (fromUs === undefined || us >= fromUs) && (toUs === undefined || us <= toUs);
}

const STEP_MATERIALS = 1_024; // looked at between two pauses

/** Which of the conditions that materials may meet one of the version meets. */
function* materialsNamed({ materials }: RecordSummary, filter: IndexFilter): Steps<ReadonlySet<string>> {
  const { link, materialBatch, supplier, batch } = filter;
  const named = new Set<string>();
  const askedCount = [link, materialBatch, supplier, batch].filter((condition) => condition !== undefined).length;
  if (askedCount === 0) return named;
  let looked = 0;
  for (const material of materials) {
    if (supplier === undefined || material.supplier === supplier) {
      if (supplier !== undefined) named.add('supplier');
      if (material.batch === materialBatch) named.add('materialBatch');
      if (material.batch === batch) named.add('batch');
    }
    if (link !== undefined && material.report !== undefined && linkText({ type: 'report', id: material.report }) === link)
      named.add('link');
    if (named.size === askedCount) break;
    if (++looked % STEP_MATERIALS === 0) yield;
  }
  return named;
}
