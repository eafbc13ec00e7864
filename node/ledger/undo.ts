/** Undo rows: the values that a block's writes replaced, so that a recovery order can go back without re-execution. */
import { type ByteText, decodeAll, fromByteText, toByteText, Writer } from '../format/index.ts';

export type UndoEntry = { readonly key: ByteText; readonly before: Uint8Array | undefined };

export function encodeUndo(entries: readonly UndoEntry[]): Uint8Array {
  return new Writer(1024)
    .list(entries, (w, entry) => w.bytes(fromByteText(entry.key)).optional(entry.before, (o, value) => o.bytes(value)))
    .finish();
}

export function decodeUndo(bytes: Uint8Array): UndoEntry[] {
  return decodeAll(bytes, (reader) => reader.list((r) => ({ key: toByteText(r.bytes()), before: r.optional((o) => o.bytes()) })));
}
