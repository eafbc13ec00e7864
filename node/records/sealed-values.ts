/** Sealed values as bytes and back, in steps: a record may have tens of thousands of them. */
import { DecodeError, Reader, Writer } from '../format/index.ts';
import type { SealedValue } from './prepare.ts';

export const SEALED_VALUES_MAX = 100_000; // values of all versions of one record
/** Values between two pauses. */
export const STEP_VALUES = 64;
/** An encoding of no values: their count. */
export const NO_VALUES = new Uint8Array(4);
/** Four lengths around the members of a value. */
const FRAME_BYTES = 16;

export function* encodeValues(values: readonly SealedValue[]): Generator<void, Uint8Array, void> {
  const writer = new Writer(values.reduce((sum, value) => sum + lengthOf(value), FRAME_BYTES)).u32(values.length);
  yield;
  for (const [i, { path, value, salt, commitment }] of values.entries()) {
    writer.text(path).text(value).bytes(salt).text(commitment);
    if (i % STEP_VALUES === 0) yield;
  }
  return writer.finish();
}

/** A writer that has to grow copies what it has; letters of more than one byte make it grow. */
function lengthOf({ path, value, salt, commitment }: SealedValue): number {
  return FRAME_BYTES + path.length + value.length + salt.length + commitment.length;
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
