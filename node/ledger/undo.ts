/** Undo rows: the values that a block's writes replaced, so that a recovery order can go back without re-execution. */
import { type ByteText, decodeAll, equalBytes, fromByteText, Reader, toByteText, Writer } from '../format/index.ts';
import type { Steps } from '../pace/index.ts';

/** Entries looked at between two pauses. */
const STEP_ENTRIES = 1_000;

export type UndoEntry = { readonly key: ByteText; readonly before: Uint8Array | undefined };

export function encodeUndo(entries: readonly UndoEntry[]): Uint8Array {
  return new Writer(1024)
    .list(entries, (w, entry) => w.bytes(fromByteText(entry.key)).optional(entry.before, (o, value) => o.bytes(value)))
    .finish();
}

export function decodeUndo(bytes: Uint8Array): UndoEntry[] {
  return decodeAll(bytes, (reader) => reader.list((r) => ({ key: toByteText(r.bytes()), before: r.optional((o) => o.bytes()) })));
}

/** What a block's writes replaced under one key, undefined when it did not write it. */
export function* undoEntrySteps(bytes: Uint8Array, wanted: ByteText): Steps<UndoEntry | undefined> {
  const key = fromByteText(wanted);
  const reader = new Reader(bytes);
  for (let left = reader.u32(); left > 0; left--) {
    const isWanted = equalBytes(reader.bytes(), key);
    const before = reader.optional((r) => r.bytes());
    if (isWanted) return { key: wanted, before };
    if (left % STEP_ENTRIES === 0) yield;
  }
  return undefined;
}
