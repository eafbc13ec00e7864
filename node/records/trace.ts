/**
 * Where a product came from, and where it went (trace; annex A's purpose). Nodes are things: products, production batches, material
 * batches, devices, quality reports, factories. An edge says which records make it, and whether it stands on one side's word: a link to
 * another organisation's batch is `claimed` until its owner has recorded that batch itself, then `confirmed`. Breadth first, bounded; what
 * a bound cut off is said by `complete: false`.
 */
import type { MaterialFact } from '../../contracts/classes/index.ts';
import { type Digest, fromHex, type StoredRecord, textAt } from '../format/index.ts';
import { type Pause, withPauses } from '../pace/index.ts';
import { contentSteps } from './content-steps.ts';
import { type IndexFilter, SEARCH_LIMIT_MAX } from './query/filter.ts';
import { linkText, type RecordSummary } from './query/summary.ts';
import type { RecordIndex, SearchRow } from './query-index.ts';

export const TRACE_DEPTH_MAX = 16; // edges away from the product
export const TRACE_NODES_MAX = 2_000;
export const TRACE_RECORDS_PER_NODE_MAX = 5_000; // records read about one thing
export const TRACE_RECORDS_MAX = 20_000; // records read by one walk
export const TRACE_LINKS_MAX = 50_000; // links of records followed by one walk

export type TraceNodeType = 'product' | 'production_batch' | 'material_batch' | 'device' | 'report' | 'factory' | 'record' | 'order';

export interface TraceNode {
  /** `type/id`; of a material batch `material_batch/supplier/batch`. */
  readonly id: string;
  readonly type: TraceNodeType;
  readonly label: string;
  /** Edges from the product asked for; up and down counted alike. */
  readonly depth: number;
  /** Records about this thing itself. */
  readonly records: readonly {
    readonly id: string;
    readonly version: number;
    readonly class: string;
    readonly org: string;
    readonly timeUs: string;
  }[];
  /** Facts to show: supplier, batch, verdict, location. */
  readonly facts: Readonly<Record<string, string>>;
}

export interface TraceEdge {
  /** The later thing: what was made. */
  readonly from: string;
  /** The earlier thing: what went into it, made it or judged it. */
  readonly to: string;
  readonly rel: string;
  readonly status: 'claimed' | 'confirmed';
  /** Records that say so. */
  readonly records: readonly string[];
}

export interface Trace {
  readonly product: string;
  readonly nodes: readonly TraceNode[];
  readonly edges: readonly TraceEdge[];
  readonly height: number;
  readonly complete: boolean;
  readonly withheld: number;
}

/** What of the index a walk needs. */
export type TraceIndex = Pick<RecordIndex, 'height' | 'search'>;

export interface TraceOptions {
  readonly direction?: 'up' | 'down' | 'both';
  readonly depthMax?: number;
  readonly nodesMax?: number;
  /**
   * Awaited after each record looked at, and while a long one is read: rows that are read already follow one another without a turn of the
   * event loop.
   */
  readonly pause?: Pause;
  /** Whether the caller may see a record. */
  readonly may?: (summary: RecordSummary) => boolean;
}

interface Thing {
  readonly type: TraceNodeType;
  readonly id: string;
  /** Supplier of a material batch. */
  readonly supplier?: string;
}

/** Where the content of a version is read. */
export interface TraceSource {
  record(id: Digest, version: number): Promise<Pick<StoredRecord, 'content'> | undefined>;
}

export async function traceProduct(index: TraceIndex, source: TraceSource, product: string, options: TraceOptions = {}): Promise<Trace> {
  const walk = new TraceWalk(index, source, options);
  const { direction = 'both' } = options;
  const top: Thing = { type: 'product', id: product };
  if (direction !== 'down') await walk.run(top, 'up');
  if (direction !== 'up') await walk.run(top, 'down');
  return { product, ...(await walk.result()) };
}

class TraceWalk {
  readonly #index: TraceIndex;
  readonly #source: TraceSource;
  readonly #options: TraceOptions;
  readonly #nodes = new Map<string, TraceNode>();
  readonly #edges = new Map<
    string,
    Omit<TraceEdge, 'status' | 'records'> & { status: TraceEdge['status']; readonly records: Set<string> }
  >();
  readonly #read = new Map<string, readonly SearchRow[]>();
  readonly #height: number;
  readonly #pause: Pause;
  #complete = true;
  #withheld = 0;
  #recordsRead = 0;
  #links = 0;

  constructor(index: TraceIndex, source: TraceSource, options: TraceOptions) {
    this.#index = index;
    this.#source = source;
    this.#options = options;
    this.#height = index.height ?? 0;
    this.#pause = options.pause ?? (() => Promise.resolve());
  }

  async result(): Promise<Omit<Trace, 'product'>> {
    const edges: TraceEdge[] = [];
    for (const edge of this.#edges.values()) {
      await this.#pause();
      if (this.#nodes.has(edge.from) && this.#nodes.has(edge.to)) edges.push({ ...edge, records: [...edge.records] });
    }
    return { nodes: [...this.#nodes.values()], edges, height: this.#height, complete: this.#complete, withheld: this.#withheld };
  }

  async run(top: Thing, direction: 'up' | 'down'): Promise<void> {
    const depthMax = Math.min(this.#options.depthMax ?? TRACE_DEPTH_MAX, TRACE_DEPTH_MAX);
    const visited = new Set<string>();
    let front: readonly Thing[] = [top];
    for (let depth = 0; front.length > 0; depth++) {
      if (depth > depthMax) {
        this.#complete = false;
        return;
      }
      const next: Thing[] = [];
      for (const thing of front) {
        await this.#pause();
        const key = nodeId(thing);
        if (visited.has(key)) continue;
        visited.add(key);
        const rows = await this.#recordsOf(thing);
        if (!(await this.#addNode(thing, depth, rows))) return;
        next.push(...(direction === 'up' ? await this.#up(thing, rows) : await this.#down(thing, rows)));
      }
      front = next;
    }
  }

  /** Records that are about the thing itself. */
  async #recordsOf(thing: Thing): Promise<readonly SearchRow[]> {
    switch (thing.type) {
      case 'product':
        return this.#all({ product: thing.id });
      case 'production_batch':
        return this.#all({ productionBatch: thing.id });
      case 'material_batch':
        return (await this.#all({ productionBatch: thing.id })).filter(({ summary }) => isOwner(summary, thing.supplier));
      case 'report':
        return this.#all({ report: thing.id });
      default:
        return []; // devices, factories and orders have many records that say nothing of this product
    }
  }

  /** What went into the thing, made it or judged it. */
  async #up(thing: Thing, rows: readonly SearchRow[]): Promise<readonly Thing[]> {
    const out: Thing[] = [];
    const link = (to: Thing, rel: string, row: SearchRow, confirmed: boolean): void => {
      this.#addEdge(thing, to, rel, row, confirmed);
      out.push(to);
    };
    if (thing.type === 'report') return []; // what a report judged is below it, not above
    for (const row of rows) {
      await this.#pause();
      if (this.#links >= TRACE_LINKS_MAX) {
        this.#complete = false;
        break;
      }
      const { summary } = row;
      // Other products of the batch are siblings, not origins.
      if (thing.type === 'production_batch' && summary.product !== undefined) continue;
      for (const { supplier, batch, report } of summary.materials) {
        await this.#pause();
        if (this.#links >= TRACE_LINKS_MAX) {
          this.#complete = false;
          break;
        }
        const material: Thing = { type: 'material_batch', id: batch, supplier };
        link(material, 'consumes', row, await this.#isConfirmed(material, row));
        if (report !== undefined) {
          const reports = await this.#all({ report });
          this.#addEdge(material, { type: 'report', id: report }, 'reported_in', row, reports.length > 0);
          out.push({ type: 'report', id: report });
        }
      }
      // The contract let only its owner name it.
      for (const device of summary.devices) link({ type: 'device', id: device }, 'produced_on', row, true);
      if (summary.factory !== undefined) link({ type: 'factory', id: summary.factory }, 'produced_on', row, true);
      if (summary.report !== undefined) link({ type: 'report', id: summary.report }, 'inspected_by', row, true);
      if (thing.type === 'product' && summary.productionBatch !== undefined)
        link({ type: 'production_batch', id: summary.productionBatch }, 'made_in', row, true);
      for (const { rel, type, id, org } of summary.links) {
        const target: Thing = {
          type: type as TraceNodeType,
          id,
          ...(type === 'material_batch' && org !== undefined ? { supplier: org } : {}),
        };
        if (nodeId(target) !== nodeId(thing)) link(target, rel, row, await this.#isConfirmed(target, row, org));
      }
    }
    return out;
  }

  /** What the thing went into: by links that name it, and by material batches under the number of its production batch. */
  async #down(thing: Thing, rows: readonly SearchRow[]): Promise<readonly Thing[]> {
    const out: Thing[] = [];
    const users = await this.#all({ link: linkText(thing) });
    const batches = new Set(rows.flatMap(({ summary }) => (summary.productionBatch === undefined ? [] : [summary.productionBatch])));
    if (thing.type === 'production_batch' || thing.type === 'material_batch') batches.add(thing.id);
    for (const user of users) {
      await this.#pause();
      out.push(...(await this.#addUser(thing, user, undefined)));
    }
    for (const batch of batches) {
      const owners = new Set(rows.flatMap(({ summary }) => [summary.org, summary.factory]));
      for (const user of await this.#all({ materialBatch: batch })) {
        await this.#pause();
        const material = await this.#materialOf(user.summary, batch, owners);
        if (!material) continue;
        const through: Thing = { type: 'material_batch', id: batch, supplier: material.supplier };
        if (nodeId(through) !== nodeId(thing)) {
          const own = rows.filter(({ summary }) => summary.productionBatch === batch);
          if (!(await this.#addNode(through, this.#depthOf(thing) + 1, own))) return out;
          this.#addEdge(through, thing, 'contains', own[0] ?? user, own.length > 0);
        }
        out.push(...(await this.#addUser(through, user, true)));
      }
    }
    return out;
  }

  async #materialOf(
    { materials }: RecordSummary,
    batch: string,
    owners: ReadonlySet<string | undefined>,
  ): Promise<MaterialFact | undefined> {
    for (const material of materials) {
      if (material.batch === batch && owners.has(material.supplier)) return material;
      await this.#pause();
    }
    return undefined;
  }

  async #addUser(thing: Thing, user: SearchRow, confirmed: boolean | undefined): Promise<readonly Thing[]> {
    const { summary } = user;
    const made: Thing | undefined =
      summary.product !== undefined
        ? { type: 'product', id: summary.product }
        : summary.productionBatch !== undefined
          ? { type: 'production_batch', id: summary.productionBatch }
          : undefined;
    if (!made || nodeId(made) === nodeId(thing)) return [];
    const link = summary.links.find(({ type, id }) => type === thing.type && id === thing.id);
    this.#addEdge(made, thing, link?.rel ?? 'consumes', user, confirmed ?? (await this.#isConfirmed(thing, user, link?.org)));
    return [made];
  }

  /**
   * True when the owner of the thing has recorded it himself; the claimer's own things are confirmed by his record of them. A device or
   * factory is confirmed by a field that the contract lets only its owner fill, never by a link, which anyone may write.
   */
  async #isConfirmed(thing: Thing, { summary: claim }: SearchRow, owner?: string): Promise<boolean> {
    if (thing.type === 'device') return claim.devices.includes(thing.id);
    if (thing.type === 'factory') return claim.factory === thing.id;
    const rows = await this.#recordsOf(thing);
    return rows.some(({ summary }) => owner === undefined || isOwner(summary, owner));
  }

  /** Rows of a filter, read once in a walk, so that what is withheld is counted once too. */
  async #all(filter: IndexFilter): Promise<readonly SearchRow[]> {
    const key = JSON.stringify(filter);
    const known = this.#read.get(key);
    if (known) return known;
    const rows: SearchRow[] = [];
    this.#read.set(key, rows);
    if (this.#recordsRead >= TRACE_RECORDS_MAX) {
      this.#complete = false;
      return rows;
    }
    let after: string | undefined;
    do {
      const page = await this.#index.search(
        { ...filter, asOf: this.#height, limit: SEARCH_LIMIT_MAX, ...(after === undefined ? {} : { after }) },
        this.#options.may,
      );
      rows.push(...page.rows);
      this.#recordsRead += page.rows.length;
      this.#withheld += page.withheld;
      after = page.next;
    } while (after !== undefined && rows.length < TRACE_RECORDS_PER_NODE_MAX && this.#recordsRead < TRACE_RECORDS_MAX);
    if (after !== undefined) this.#complete = false;
    return rows;
  }

  /** False when the bound on nodes is reached. */
  async #addNode(thing: Thing, depth: number, rows: readonly SearchRow[]): Promise<boolean> {
    const id = nodeId(thing);
    if (this.#nodes.has(id)) return true;
    if (this.#nodes.size >= Math.min(this.#options.nodesMax ?? TRACE_NODES_MAX, TRACE_NODES_MAX)) {
      this.#complete = false;
      return false;
    }
    const records = rows.map((row) => ({
      id: row.id,
      version: row.version,
      class: row.summary.class,
      org: row.summary.org,
      timeUs: row.summary.timeUs,
    }));
    this.#nodes.set(id, { id, type: thing.type, label: thing.id, depth, records, facts: await this.#factsOf(thing, rows) });
    return true;
  }

  async #factsOf(thing: Thing, rows: readonly SearchRow[]): Promise<Readonly<Record<string, string>>> {
    const facts: Record<string, string> = {};
    if (thing.supplier !== undefined) facts.supplier = thing.supplier;
    const verdict = rows.findLast(({ summary }) => summary.verdict !== undefined)?.summary.verdict;
    if (verdict !== undefined) facts.verdict = verdict;
    const last = thing.type === 'product' ? rows.findLast(({ summary }) => summary.class === 'production') : undefined;
    const record = last && (await this.#source.record(fromHex(last.id), last.version));
    const content = record && record.content.length > 0 ? await withPauses(contentSteps(record.content), this.#pause) : undefined;
    const location = content && textAt(content, 'production_location');
    if (location !== undefined) facts.location = location;
    return facts;
  }

  #depthOf(thing: Thing): number {
    return this.#nodes.get(nodeId(thing))?.depth ?? 0;
  }

  #addEdge(from: Thing, to: Thing, rel: string, row: SearchRow, confirmed: boolean): void {
    const edge = { from: nodeId(from), to: nodeId(to) };
    const key = `${edge.from}\0${edge.to}\0${rel}`;
    const known = this.#edges.get(key);
    const status = confirmed ? 'confirmed' : 'claimed';
    this.#links++;
    if (!known) this.#edges.set(key, { ...edge, rel, status, records: new Set([row.id]) });
    else {
      if (confirmed) known.status = status;
      known.records.add(row.id);
    }
  }
}

function nodeId({ type, id, supplier }: Thing): string {
  return supplier === undefined ? `${type}/${id}` : `${type}/${supplier}/${id}`;
}

/** A supplier is named as an organisation or as a factory. */
function isOwner(summary: RecordSummary, owner: string | undefined): boolean {
  return owner === undefined || summary.org === owner || summary.factory === owner;
}
