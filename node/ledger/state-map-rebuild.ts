/**
 * Puts a damaged row of the state map right from the state values beside it: a row is a function of the entries below its slot, and its parent
 * (for the topmost row the state root of the head) states the hash it must come to. So no peer is asked, and nothing is believed.
 *
 * Why not from a peer: rows are overwritten in place with every block, so a peer that is one block on no longer has the row of this state, and a node
 * that a damaged row keeps from executing would never catch up. Costs 17 small reads a row, more only when rows below are damaged too.
 */
import {
  type ByteText,
  childPath,
  type Digest,
  isUnder,
  type KeyRange,
  nibbleAt,
  packPath,
  pathEnd,
  sharedNibbles,
  toByteText,
} from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import type { StoreOperation } from '../world.ts';
import { rowKeyOf, type Version, type Walker } from './state-map-read.ts';
import { BUCKET_ENTRIES_MAX, branchCount, type Entry, newBranch, type Node, RowWriter, setChild } from './state-map-rows.ts';

/** Entries of the map in key order, from the values themselves. @throws ChainError STORE_DAMAGED for a value that cannot be read. */
export interface EntrySource {
  range(range: KeyRange, limit: number, reverse: boolean): Promise<readonly Entry[]>;
}

/** What the parent of a slot says of it. */
interface Stated {
  readonly hash: ByteText;
  /** Undefined at the top: the root covers it. */
  readonly count: number | undefined;
}

/**
 * @param root state root of the head.
 * @returns rows to write, none when the row is as it must be; undefined when what the values come to is not what the parent states.
 * @throws ChainError STORE_DAMAGED {key} of another row that must be repaired first.
 */
export async function rebuildRow(
  walker: Walker,
  head: () => Version,
  rowKey: ByteText,
  entries: EntrySource,
  root: Digest,
): Promise<readonly StoreOperation[] | undefined> {
  const place = slotOf(walker.prefix, rowKey);
  if (place === undefined) return undefined;
  const { slot, depth } = place;
  const stated = depth === 0 ? { hash: toByteText(root), count: undefined } : statedBy(walker, head().node, slot, depth);
  if (stated === undefined) return [{ key: rowKey, value: undefined }]; // nothing hangs there in this state
  const found = readSound(walker, slot, depth);
  if (found && holds(walker, found, stated)) return [];
  const builder = new Builder(walker, entries);
  const built = await builder.build(slot, depth);
  return built && holds(walker, built, stated) ? builder.operations : undefined;
}

/** Path and depth of the slot whose row this is. */
function slotOf(prefix: ByteText, rowKey: ByteText): { readonly slot: ByteText; readonly depth: number } | undefined {
  const slot = rowKey.slice(prefix.length, -1);
  const parity = rowKey.charCodeAt(rowKey.length - 1);
  if (rowKey.length <= prefix.length || !rowKey.startsWith(prefix) || parity > 1) return undefined;
  const depth = 2 * slot.length - parity;
  if (depth < 0 || packPath(slot, depth) !== slot) return undefined;
  return { slot, depth };
}

function statedBy(walker: Walker, top: Node | undefined, slot: ByteText, depth: number): Stated | undefined {
  let node = top;
  while (node?.kind === 'branch' && node.depth < depth && isUnder(slot, node.path, node.depth)) {
    const nibble = nibbleAt(slot, node.depth);
    if (node.counts[nibble] === 0) return undefined;
    if (node.depth + 1 === depth) return { hash: node.hashes[nibble]!, count: node.counts[nibble]! };
    node = walker.child(node, nibble);
  }
  return undefined;
}

function holds(walker: Walker, node: Node, stated: Stated): boolean {
  return hashOf(walker, node) === stated.hash && (stated.count ?? countOf(node)) === countOf(node);
}

function hashOf({ hasher }: Walker, node: Node): ByteText {
  return node.kind === 'branch' ? hasher.branch(node) : hasher.entries(node.entries, 0, node.entries.length);
}

function countOf(node: Node): number {
  return node.kind === 'branch' ? branchCount(node) : node.entries.length;
}

/** Undefined when the row is missing or damaged. */
function readSound(walker: Walker, slot: ByteText, depth: number): Node | undefined {
  try {
    return walker.row(slot, depth);
  } catch (error) {
    if (error instanceof ChainError && error.code === 'STORE_DAMAGED') return undefined;
    throw error;
  }
}

class Builder {
  readonly operations: StoreOperation[] = [];
  readonly #walker: Walker;
  readonly #entries: EntrySource;
  readonly #writer = new RowWriter();

  constructor(walker: Walker, entries: EntrySource) {
    this.#walker = walker;
    this.#entries = entries;
  }

  /** The row of a slot from the entries below it, and those below it that are damaged too. Undefined when there are no entries. */
  async build(slot: ByteText, depth: number): Promise<Node | undefined> {
    const range: KeyRange = { from: slot, to: pathEnd(slot, depth) };
    const first = await this.#entries.range(range, BUCKET_ENTRIES_MAX + 1, false);
    if (first.length === 0) return undefined;
    const node: Node = first.length <= BUCKET_ENTRIES_MAX ? { kind: 'bucket', entries: first } : await this.#branch(range, first[0]!);
    this.operations.push({ key: rowKeyOf(this.#walker.prefix, slot, depth), value: this.#writer.encode(node, depth) });
    return node;
  }

  async #branch(range: KeyRange, lowest: Entry): Promise<Node> {
    const [highest] = await this.#entries.range(range, 1, true);
    const depth = sharedNibbles(lowest.key, highest!.key);
    const branch = newBranch(packPath(lowest.key, depth), depth, this.#walker.stamp);
    if (lowest.key.length * 2 === depth) branch.end = lowest.valueHash;
    for (let nibble = 0; nibble < 16; nibble++) {
      const slot = childPath(branch.path, depth, nibble);
      const child = readSound(this.#walker, slot, depth + 1) ?? (await this.build(slot, depth + 1));
      if (child) setChild(branch, nibble, countOf(child), hashOf(this.#walker, child), undefined);
    }
    return branch;
  }
}
