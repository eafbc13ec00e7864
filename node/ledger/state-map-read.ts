/** Reading the state map's rows by the slot they hang from, with what the parent says of them held against what is found. */
import { type ByteText, type MapEntry, packPath } from '../format/index.ts';
import { type Branch, BUCKET_ENTRIES_MAX, damaged, decodeBucket, type Row, type RowHasher } from './state-map-rows.ts';

/** What it takes to read subtrees by the slot they hang from. */
export interface Subtrees {
  readonly prefix: ByteText;
  readonly hasher: RowHasher;
  read(rowKey: ByteText): Row | undefined;
}

/** Store key of the row of a slot: prefix, packed path, parity of its depth. `key` is any key or path that begins with the slot. */
export function rowKeyOf(prefix: ByteText, key: ByteText, depth: number): ByteText {
  return prefix + packPath(key, depth) + ((depth & 1) === 0 ? '\0' : '\u0001');
}

/** @throws ChainError STORE_DAMAGED when the parent counts entries there and the row is missing or of the other kind. */
export function readRow(subtrees: Subtrees, rowKey: ByteText, count: number): Row {
  const row = subtrees.read(rowKey);
  if (!row || (row.kind === 'bucket') !== count <= BUCKET_ENTRIES_MAX) throw damaged(rowKey);
  return row;
}

export function readBucket(subtrees: Subtrees, slot: ByteText, depth: number, count: number): MapEntry[] {
  const rowKey = rowKeyOf(subtrees.prefix, slot, depth);
  const row = readRow(subtrees, rowKey, count);
  if (row.kind !== 'bucket') throw damaged(rowKey);
  const entries = decodeBucket(row, slot, depth, rowKey);
  if (entries.length !== count) throw damaged(rowKey);
  return entries;
}

export function readBranch(subtrees: Subtrees, slot: ByteText, depth: number, count: number): Branch {
  const rowKey = rowKeyOf(subtrees.prefix, slot, depth);
  const row = readRow(subtrees, rowKey, count);
  if (row.kind !== 'branch') throw damaged(rowKey);
  return row;
}
