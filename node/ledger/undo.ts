/** Undo rows: the values that a block's writes replaced, so that a recovery order can go back without re-execution. */
import { type ByteText, decodeAll, equalBytes, fromByteText, readBytes, Reader, toByteText, writeBytes, Writer } from '../format/index.ts';
import type { Steps } from '../pace/index.ts';

/** Entries looked at between two pauses. */
const STEP_ENTRIES = 1_000;

export type UndoEntry = { readonly key: ByteText; readonly before: Uint8Array | undefined };

/** @param entries what stood under each key that was written */
export function encodeUndo(entries: readonly UndoEntry[]): Uint8Array {
  const writer = new Writer(1024).u32(entries.length);
  for (const { key, before } of entries) writer.u32(key.length).units(key).optional(before, writeBytes);
  return writer.finish();
}

export function decodeUndo(bytes: Uint8Array): UndoEntry[] {
  return decodeAll(bytes, (reader) => reader.list(readEntry));
}

function readEntry(reader: Reader): UndoEntry {
  return { key: toByteText(reader.bytes()), before: reader.optional(readBytes) };
}

/** What a block's writes replaced under one key, undefined when it did not write it. */
export function* undoEntrySteps(bytes: Uint8Array, wanted: ByteText): Steps<UndoEntry | undefined> {
  const key = fromByteText(wanted);
  const reader = new Reader(bytes);
  for (let left = reader.u32(); left > 0; left--) {
    const isWanted = equalBytes(reader.bytes(), key);
    const before = reader.optional(readBytes);
    if (isWanted) return { key: wanted, before };
    if (left % STEP_ENTRIES === 0) yield;
  }
  return undefined;
}
