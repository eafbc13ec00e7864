/** What the query index knows of one version: enough to filter and trace without reading the record. */
import type { LinkFact, MaterialFact } from '../../../contracts/classes/index.ts';
import type { RecordState } from '../../format/index.ts';

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

export function linkText({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}/${id}`;
}
