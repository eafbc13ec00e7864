/** Keys and rows of the query index. All of it derives from final blocks and can be thrown away and rebuilt. */
import type { ClassDefinition, LinkFact, MaterialFact, RecordFacts } from '../../contracts/classes/index.ts';
import { factsOf, scanContent } from '../../contracts/classes/index.ts';
import { utf8Text } from '../../contracts/builtin/layout.ts';
import { type ByteText, fromUtf8, type RecordState, u32Text, utf8 } from '../format/index.ts';
import type { Steps } from '../pace/slices.ts';
import { contentSteps, SHORT_BYTES } from './content-steps.ts';
import type { IndexedRecord } from './source.ts';

/** Key prefixes of the index store; retired rows stay. Values in postings end in NUL, which no record text can hold. */
export const indexKeyspace = {
  height: { prefix: 'h', holds: 'nothing -> height and block time applied last, form of the rows' },
  summary: { prefix: 'r', holds: 'record id, version -> summary' },
  commit: { prefix: 'c', holds: 'height, position in block -> record id, version' },
  product: { prefix: 'P', holds: 'product, time, record id, version -> empty' },
  batch: { prefix: 'B', holds: 'production or material batch, time, record id, version -> empty' },
  supplier: { prefix: 'S', holds: 'supplier, time, record id, version -> empty' },
  device: { prefix: 'D', holds: 'device, time, record id, version -> empty' },
  factory: { prefix: 'F', holds: 'factory, time, record id, version -> empty' },
  link: { prefix: 'L', holds: 'type/id that a link names, time, record id, version -> empty' },
  report: { prefix: 'Q', holds: 'quality report, time, record id, version -> empty' },
  class: { prefix: 'C', holds: 'class, time, record id, version -> empty' },
  timeline: { prefix: 'T', holds: 'time, record id, version -> empty' },
  author: { prefix: 'A', holds: 'author, time, record id, version -> empty' },
  authorCommit: { prefix: 'W', holds: 'author, height, position in block -> record id, version' },
} as const;

/** Form of the rows, raised with every change of them: an index of another form is made anew from blocks. */
export const INDEX_FORM = 1;

export type PostingRow = 'author' | 'product' | 'batch' | 'supplier' | 'device' | 'factory' | 'link' | 'report' | 'class' | 'timeline';

/** What the index knows of one version; enough to filter without reading the record. */
export interface RecordSummary {
  readonly class: string;
  readonly org: string;
  /** Account that wrote the first version. */
  readonly author: string;
  readonly state: RecordState;
  readonly height: number;
  readonly committedAtMs: number;
  /** UTC microseconds in decimal: the claimed time, or the block's when the class has none. */
  readonly timeUs: string;
  readonly product?: string;
  readonly productionBatch?: string;
  readonly factory?: string;
  readonly report?: string;
  readonly verdict?: string;
  readonly devices: readonly string[];
  readonly materials: readonly MaterialFact[];
  readonly links: readonly LinkFact[];
  /** Height at which the next version came. */
  readonly supersededAt?: number;
}

/** A tombstone keeps the facts of the version it withdrew, so that it is found where that one was. */
export function* summarySteps(
  definition: ClassDefinition | undefined,
  record: IndexedRecord,
  before: RecordSummary | undefined,
): Steps<RecordSummary> {
  const { class: name, org, actor, state, height, committedAtMs } = record;
  const base = { class: name, org, author: before?.author ?? actor, state, height, committedAtMs };
  const committedUs = `${BigInt(record.committedAtMs) * 1_000n}`;
  if (record.content.length === 0 || !definition) {
    const { supersededAt: _superseded, ...rest } = before ?? { devices: [], materials: [], links: [], timeUs: committedUs };
    return { ...rest, ...base } as RecordSummary;
  }
  const { product, productionBatch, factory, report, verdict, devices, materials, links, timeUs } = yield* factsSteps(
    definition,
    record.content,
  );
  return {
    ...base,
    ...(product === undefined ? {} : { product }),
    ...(productionBatch === undefined ? {} : { productionBatch }),
    ...(factory === undefined ? {} : { factory }),
    ...(report === undefined ? {} : { report }),
    ...(verdict === undefined ? {} : { verdict }),
    timeUs: timeUs === undefined ? committedUs : `${timeUs}`,
    devices,
    materials,
    links,
  };
}

/** Content of a class that changed since may not fit it any more: such is read as it is. */
function* factsSteps(definition: ClassDefinition, content: Uint8Array): Steps<RecordFacts> {
  const scanned = content.length <= SHORT_BYTES ? scanContent(definition, content, 'sealed') : undefined;
  return scanned?.facts ?? factsOf(definition, yield* contentSteps(content));
}

export function encodeSummary(summary: RecordSummary): Uint8Array {
  return utf8(JSON.stringify(summary));
}

export function decodeSummary(bytes: Uint8Array): RecordSummary {
  return JSON.parse(fromUtf8(bytes)) as RecordSummary;
}

/** Values under which a version is posted, by row: each once, of thousands of materials too. */
export function postingsOf(summary: RecordSummary): readonly (readonly [PostingRow, string])[] {
  const out: [PostingRow, string][] = [['timeline', '']];
  const seen = new Set<string>();
  const add = (row: PostingRow, value: string | undefined): void => {
    if (value === undefined || seen.has(`${row}/${value}`)) return;
    seen.add(`${row}/${value}`);
    out.push([row, value]);
  };
  const { materials } = summary;
  add('author', summary.author);
  add('class', summary.class);
  add('product', summary.product);
  add('factory', summary.factory);
  add('report', summary.report);
  for (const device of summary.devices) add('device', device);
  for (const { supplier } of materials) add('supplier', supplier);
  add('batch', summary.productionBatch);
  for (const { batch } of materials) add('batch', batch);
  for (const link of summary.links) add('link', linkText(link));
  for (const { report } of materials) if (report !== undefined) add('link', linkText({ type: 'report', id: report }));
  return out;
}

/** Whether the version is posted under the link. */
export function namesLink({ links, materials }: RecordSummary, link: string): boolean {
  return (
    links.some((each) => linkText(each) === link) ||
    materials.some(({ report }) => report !== undefined && linkText({ type: 'report', id: report }) === link)
  );
}

export function linkText({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}/${id}`;
}

// A claimed year of 0000 lies 6.2e16 us before 1970; the bias keeps every time positive, so that eight big-endian bytes sort as it counts.
const TIME_BIAS = 1n << 60n;
const U32_BITS = 32n;

export function timeText(us: bigint): ByteText {
  const biased = us + TIME_BIAS;
  return u32Text(Number(biased >> U32_BITS)) + u32Text(Number(biased & 0xffff_ffffn));
}

export const indexKey = {
  height: indexKeyspace.height.prefix as ByteText,
  summary: (id: ByteText, version: number): ByteText => `${indexKeyspace.summary.prefix}${id}${u32Text(version)}`,
  summaries: (id: ByteText): ByteText => `${indexKeyspace.summary.prefix}${id}`,
  commit: (height: number, at: number): ByteText => `${indexKeyspace.commit.prefix}${u64Text(height)}${u32Text(at)}`,
  commits: indexKeyspace.commit.prefix as ByteText,
  authorCommit: (author: string, height: number, at: number): ByteText =>
    `${indexKey.authorCommits(author)}${u64Text(height)}${u32Text(at)}`,
  authorCommits: (author: string): ByteText => `${indexKeyspace.authorCommit.prefix}${utf8Text(author)}\0`,
  posting: (row: PostingRow, value: string, time: ByteText, id: ByteText, version: number): ByteText =>
    `${postingPrefix(row, value)}${time}${id}${u32Text(version)}`,
} as const;

export function postingPrefix(row: PostingRow, value: string): ByteText {
  return `${indexKeyspace[row].prefix}${row === 'timeline' ? '' : `${utf8Text(value)}\0`}`;
}

export function u64Text(value: number): ByteText {
  return u32Text(Math.floor(value / 0x1_0000_0000)) + u32Text(value % 0x1_0000_0000);
}

const ID_AND_VERSION_BYTES = 36;

/** Record id and version at the end of a posting key, or the whole of a commit value. */
export function readReference(text: ByteText): { readonly id: ByteText; readonly version: number } {
  const tail = text.slice(-ID_AND_VERSION_BYTES);
  const at = (i: number): number => tail.charCodeAt(32 + i);
  return { id: tail.slice(0, 32), version: ((at(0) << 24) | (at(1) << 16) | (at(2) << 8) | at(3)) >>> 0 };
}
