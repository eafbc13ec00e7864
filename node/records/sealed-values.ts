/** Sealed values as bytes and back, in steps: a record may have tens of thousands of them. */
import { DecodeError, Reader, Writer } from '../format/index.ts';
import type { SealedValue } from './prepare.ts';

export const SEALED_VALUES_MAX = 100_000; // values of all versions of one record
/** Values between two pauses. */
export const STEP_VALUES = 64;
/** An encoding of no values: their count. */
export const NO_VALUES = new Uint8Array(4);
/** Bytes copied between two pauses. */
const STEP_BYTES = 1_048_576;
/** Of a value with its path, salt and commitment, as most have. */
const VALUE_BYTES = 256;

export function* encodeValues(values: readonly SealedValue[]): Generator<void, Uint8Array, void> {
  const parts = [new Writer(4).u32(values.length).finish()]; // one writer for all would copy what it has whenever it grows
  for (let from = 0; from < values.length; from += STEP_VALUES) {
    const writer = new Writer(VALUE_BYTES * STEP_VALUES);
    for (const { path, value, salt, commitment } of values.slice(from, from + STEP_VALUES))
      writer.text(path).text(value).bytes(salt).text(commitment);
    parts.push(writer.finish());
    yield;
  }
  return yield* joined(parts);
}

/** Parts one behind the other, of megabytes too. */
export function* joined(parts: readonly Uint8Array[]): Generator<void, Uint8Array, void> {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let to = 0;
  let copied = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += STEP_BYTES) {
      const piece = part.subarray(at, at + STEP_BYTES);
      out.set(piece, to);
      to += piece.length;
      copied += piece.length;
      if (copied < STEP_BYTES) continue;
      yield;
      copied = 0;
    }
  }
  return out;
}

/** @throws DecodeError */
export function* decodeValues(bytes: Uint8Array): Generator<void, SealedValue[], void> {
  const reader = new Reader(bytes);
  const count = reader.u32();
  if (count > SEALED_VALUES_MAX) throw new DecodeError(`${count} values where at most ${SEALED_VALUES_MAX} are allowed`);
  const values: SealedValue[] = [];
  while (values.length < count) {
    values.push({ path: reader.text(), value: reader.text(), salt: reader.bytes(), commitment: reader.text() });
    if (values.length % STEP_VALUES === 0) yield;
  }
  reader.end();
  return values;
}
