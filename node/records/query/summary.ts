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
  /** Each read when it is its turn: a version may name tens of thousands, and whoever goes over them pauses. */
  readonly materials: Iterable<MaterialFact>;
  readonly links: readonly LinkFact[];
}

/** Every value that a version is posted under but the timeline's; one may come more than once. */
export function* postedOf(summary: Omit<RecordSummary, 'timeUs'>): Generator<readonly [field: PostedField, value: string], void, void> {
  const { product, factory, report, productionBatch, materials } = summary;
  yield ['author', summary.author];
  yield ['class', summary.class];
  if (product !== undefined) yield ['product', product];
  if (factory !== undefined) yield ['factory', factory];
  if (report !== undefined) yield ['report', report];
  if (productionBatch !== undefined) yield ['batch', productionBatch];
  for (const device of summary.devices) yield ['device', device];
  for (const material of materials) {
    yield ['supplier', material.supplier];
    yield ['batch', material.batch];
    if (material.report !== undefined) yield ['link', linkText({ type: 'report', id: material.report })];
  }
  for (const link of summary.links) yield ['link', linkText(link)];
}

export function linkText({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}/${id}`;
}
