/** A trace as a tree for people: the product with its records, what it was made of, how and by whom it was judged, and what it went into. */
import type { Trace, TraceEdge, TraceNode } from '../../node/records/index.ts';
import { oneLine } from './text.ts';

/** Things alike without branches of their own that stand on a line each; more of them are one line. */
const ALIKE_SHOWN_MAX = 5;
const INDENT = '  ';
const US_PER_MS = 1_000n;

/** Relations as the groups that people look for, in the order of the tree. */
const HEADINGS: Readonly<Record<string, string>> = {
  consumes: 'materials',
  contains: 'materials',
  derived_from: 'materials',
  made_in: 'steps',
  produced_on: 'steps',
  inspected_by: 'reports',
  reported_in: 'reports',
};
const WENT_INTO = 'went into';
const headingOrder = ['materials', 'steps', 'reports', WENT_INTO];

interface Branch {
  readonly node: TraceNode;
  readonly heading: string;
  readonly claimed: boolean;
}

type Direction = 'up' | 'down';

/** @param all every thing on a line of its own */
export function genealogyText(trace: Trace, all: boolean): string {
  const tree = new Tree(trace, all);
  const root = trace.nodes.find(({ type, label }) => type === 'product' && label === trace.product);
  if (root === undefined) return `product ${oneLine(trace.product)}: nothing is known of it at height ${trace.height}\n`;
  const lines = [thingText(root), ...recordLines(root), ...tree.branches(root), ...closing(trace)];
  return `${lines.join('\n')}\n`;
}

class Tree {
  readonly #nodes: ReadonlyMap<string, TraceNode>;
  readonly #edges: Readonly<Record<Direction, ReadonlyMap<string, readonly TraceEdge[]>>>;
  readonly #all: boolean;
  /** Things whose branches stand in the tree already. */
  readonly #shown = new Set<string>();

  constructor({ nodes, edges }: Trace, all: boolean) {
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
    this.#edges = { up: groupBy(edges, ({ from }) => from), down: groupBy(edges, ({ to }) => to) };
    this.#all = all;
  }

  branches(root: TraceNode): readonly string[] {
    return (['up', 'down'] as const).flatMap((direction) => this.#below(root, direction, INDENT, [root.id]));
  }

  /** @param path ids from the root to the thing: a circle of links ends there */
  #below(thing: TraceNode, direction: Direction, indent: string, path: readonly string[]): readonly string[] {
    const branches = this.#branchesOf(thing, direction).filter(({ node }) => !path.includes(node.id));
    this.#shown.add(`${direction} ${thing.id}`);
    const groups = groupBy(branches, ({ heading }) => heading);
    return headingOrder.flatMap((heading) => {
      const group = groups.get(heading);
      return group === undefined ? [] : [`${indent}${heading}`, ...this.#groupLines(group, direction, `${indent}${INDENT}`, path)];
    });
  }

  #groupLines(group: readonly Branch[], direction: Direction, indent: string, path: readonly string[]): readonly string[] {
    const isLeaf = ({ node }: Branch): boolean => this.#branchesOf(node, direction).every((branch) => path.includes(branch.node.id));
    const alike = groupBy(group.filter(isLeaf), ({ node, claimed }) => `${node.type} ${claimed}`);
    const gathered = [...alike.values()].filter(({ length }) => !this.#all && length > ALIKE_SHOWN_MAX);
    const hidden = new Set(gathered.flat());
    const lines = group.flatMap((branch) => {
      if (hidden.has(branch)) return [];
      const { node, claimed } = branch;
      const line = `${indent}${thingText(node)}${claimed ? ', claimed' : ''}${recordsText(node.records)}`;
      if (isLeaf(branch)) return [line];
      if (this.#shown.has(`${direction} ${node.id}`)) return [`${line}, as above`];
      return [line, ...this.#below(node, direction, `${indent}${INDENT}`, [...path, node.id])];
    });
    return [...lines, ...gathered.map((branches) => `${indent}${manyText(branches)}`)];
  }

  #branchesOf(thing: TraceNode, direction: Direction): readonly Branch[] {
    const found = new Map<string, Branch>();
    for (const { from, to, rel, status } of this.#edges[direction].get(thing.id) ?? []) {
      const node = this.#nodes.get(direction === 'up' ? to : from);
      if (node === undefined) continue;
      const heading = direction === 'down' ? WENT_INTO : (HEADINGS[rel] ?? 'materials');
      const key = `${heading} ${node.id}`;
      const known = found.get(key);
      found.set(key, { node, heading, claimed: status === 'claimed' && (known?.claimed ?? true) });
    }
    return [...found.values()];
  }
}

function thingText({ type, label, facts }: TraceNode): string {
  const { supplier, location, verdict, ...others } = facts;
  const parts = [`${type.replaceAll('_', ' ')} ${label}`];
  if (supplier !== undefined) parts.push(` of ${supplier}`);
  if (location !== undefined) parts.push(` at ${location}`);
  if (verdict !== undefined) parts.push(`, verdict ${verdict}`);
  for (const [name, text] of Object.entries(others)) parts.push(`, ${name} ${text}`);
  return oneLine(parts.join(''));
}

/** One line for the records of one class and organisation, however many. */
function recordLines({ records, label }: TraceNode): readonly string[] {
  if (records.length === 0) return [];
  const groups = [...groupBy(records, (record) => `${record.class} of ${record.org}`)];
  const lines = groups.map(([title, group]) => {
    const [first] = group;
    return group.length === 1 && first !== undefined
      ? oneLine(`${title}, ${timeText(first.timeUs)}, id ${first.id}`)
      : oneLine(`${title}, ${group.length} records, ${spanText(group)}`);
  });
  const ids = groups.length === records.length ? '' : ` (ids: tracemill record query --product ${oneLine(JSON.stringify(label))})`;
  return [`${INDENT}records${ids}`, ...lines.map((line) => `${INDENT}${INDENT}${line}`)];
}

function recordsText(records: TraceNode['records']): string {
  const [first] = records;
  if (first === undefined) return '';
  if (records.length === 1) return oneLine(` (1 record, ${first.class} of ${first.org}, ${timeText(first.timeUs)})`);
  const classes = [...groupBy(records, (record) => record.class)].map(([name, { length }]) => `${name} ${length}`);
  return oneLine(` (${records.length} records, ${classes.join(', ')}, ${spanText(records)})`);
}

function manyText(branches: readonly Branch[]): string {
  const [first, last] = [branches[0]!, branches.at(-1)!];
  const span = oneLine(`${first.node.label} to ${last.node.label}`);
  const records = branches.reduce((count, { node }) => count + node.records.length, 0);
  const type = first.node.type
    .replaceAll('_', ' ')
    .replace(/batch$/, 'batche')
    .replace(/factory$/, 'factorie');
  return `${branches.length} ${type}s, ${span}${first.claimed ? ', claimed' : ''} (${records} records); --all shows each`;
}

function closing({ nodes, edges, height, complete, withheld }: Trace): readonly string[] {
  const lines = [`at height ${height}: ${nodes.length} things, ${edges.length} links, ${complete ? 'complete' : 'NOT COMPLETE'}`];
  if (!complete) lines.push('the walk met a bound; --depth follows more links, --direction up or down walks one way');
  if (withheld > 0) lines.push(`${withheld} records are withheld: this account may not read them`);
  if (edges.some(({ status }) => status === 'claimed')) lines.push("claimed: on the writer's word; who owns the thing has not recorded it");
  return lines;
}

function spanText(records: TraceNode['records']): string {
  const times = records.map(({ timeUs }) => BigInt(timeUs)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const [first, last] = [timeText(String(times[0]!)), timeText(String(times.at(-1)!))];
  return first === last ? first : `${first} to ${last}`;
}

/** @param timeUs microseconds since 1970 */
function timeText(timeUs: string): string {
  const date = new Date(Number(BigInt(timeUs) / US_PER_MS));
  return Number.isNaN(date.getTime()) ? `${timeUs} us` : date.toISOString().replace(/\.000Z$/, 'Z');
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
