/** What the query index knows of one version: enough to filter and trace without reading the record. */
import type { LinkFact, MaterialFact } from '../../../contracts/classes/index.ts';
import type { RecordState } from '../../format/index.ts';
import type { PostedField } from './keys.ts';

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
  readonly product: string | undefined;
  readonly productionBatch: string | undefined;
  readonly factory: string | undefined;
  readonly report: string | undefined;
  readonly verdict: string | undefined;
  readonly devices: readonly string[];
  readonly materials: readonly MaterialFact[];
  readonly links: readonly LinkFact[];
}

/** Calls with every value that a version is posted under but the timeline's; one may come more than once. */
export function eachPosted(summary: Omit<RecordSummary, 'timeUs'>, post: (field: PostedField, value: string) => void): void {
  const { product, factory, report, productionBatch, materials } = summary;
  post('author', summary.author);
  post('class', summary.class);
  if (product !== undefined) post('product', product);
  if (factory !== undefined) post('factory', factory);
  if (report !== undefined) post('report', report);
  if (productionBatch !== undefined) post('batch', productionBatch);
  for (const device of summary.devices) post('device', device);
  for (const material of materials) {
    post('supplier', material.supplier);
    post('batch', material.batch);
    if (material.report !== undefined) post('link', linkText({ type: 'report', id: material.report }));
  }
  for (const link of summary.links) post('link', linkText(link));
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
