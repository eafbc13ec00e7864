/** Sealed values as bytes and back, in steps: a record may have tens of thousands of them. */
import { type Crypto, DecodeError, fromUtf8, Reader, sealedBytesCommitment, sealedCommitment, utf8, Writer } from '../format/index.ts';
import { joined, utf8Steps } from '../pace/index.ts';
import type { SealedValue } from './prepare.ts';

export const SEALED_VALUES_MAX = 100_000; // values of all versions of one record
/**
 * Bytes of the values of one record, and of one submission, as they are encoded: a row of them is taken from the database in one piece, 1
 * ms a megabyte, and with its frame is less than a message between nodes may have.
 */
export const SEALED_BYTES_MAX = 16_777_216;
/** Lengths of the four parts of a value. */
const VALUE_FRAME_BYTES = 16;
/** Values between two pauses. */
export const STEP_VALUES = 64;
/** An encoding of no values: their count. */
export const NO_VALUES = new Uint8Array(4);
/** A value of more characters is written and read in pieces: it may be a document of millions. */
const LONG_CHARACTERS = 65_536;
/** Of a value with its path, salt and commitment, as most have. */
const VALUE_BYTES = 256;

/** Length of what encodeValues makes of them. */
export function sealedBytes(values: readonly SealedValue[]): number {
  let bytes = NO_VALUES.length;
  for (const { path, value, salt, commitment } of values)
    bytes += Buffer.byteLength(path) + Buffer.byteLength(value) + salt.length + commitment.length + VALUE_FRAME_BYTES;
  return bytes;
}

export function* encodeValues(values: readonly SealedValue[]): Generator<void, Uint8Array, void> {
  const parts: Uint8Array[] = []; // one writer for all would copy what it has whenever it grows
  let writer = new Writer(NO_VALUES.length + VALUE_BYTES * Math.min(values.length, STEP_VALUES)).u32(values.length);
  for (let i = 0; i < values.length; ) {
    for (const end = Math.min(values.length, i + STEP_VALUES); i < end; i++) {
      const { path, value, salt, commitment } = values[i]!;
      writer.text(path);
      if (value.length <= LONG_CHARACTERS) writer.text(value);
      else {
        const bytes = yield* utf8Pieces(value);
        parts.push(writer.u32(bytes.length).finish(), bytes);
        writer = new Writer(VALUE_BYTES * STEP_VALUES);
      }
      writer.bytes(salt).text(commitment);
    }
    yield;
    if (i === values.length) break;
    parts.push(writer.finish());
    writer = new Writer(VALUE_BYTES * STEP_VALUES);
  }
  const last = writer.finish();
  if (parts.length === 0) return last;
  parts.push(last);
  return yield* joined(parts);
}

/** As sealedCommitment makes it. */
export function* commitmentSteps(
  crypto: Pick<Crypto, 'hash'>,
  { salt, path, value }: Pick<SealedValue, 'salt' | 'path' | 'value'>,
): Generator<void, string, void> {
  if (value.length <= LONG_CHARACTERS) return sealedCommitment(crypto, salt, path, value);
  const bytes = yield* utf8Pieces(value);
  yield;
  return sealedBytesCommitment(crypto, salt, path, bytes);
}

/** A long text as UTF-8, never cut inside a character. */
function* utf8Pieces(text: string): Generator<void, Uint8Array, void> {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < text.length; ) {
    const to = from + LONG_CHARACTERS;
    const end = (text.charCodeAt(to - 1) & 0xfc00) === 0xd800 ? to + 1 : to;
    parts.push(utf8(text.slice(from, end)));
    from = end;
    yield;
  }
  return yield* joined(parts);
}

/** @throws DecodeError */
export function* decodeValues(bytes: Uint8Array): Generator<void, SealedValue[], void> {
  const reader = new Reader(bytes);
  const count = reader.u32();
  if (count > SEALED_VALUES_MAX) throw new DecodeError(`${count} values where at most ${SEALED_VALUES_MAX} are allowed`);
  const values: SealedValue[] = [];
  while (values.length < count) {
    values.push(yield* readValue(reader));
    if (values.length % STEP_VALUES === 0) yield;
  }
  reader.end();
  return values;
}

/** Steps of its own where the value is long. @throws DecodeError */
export function* readValue(reader: Reader): Generator<void, SealedValue, void> {
  const path = reader.text();
  const bytes = reader.bytes();
  let value: string;
  try {
    value = bytes.length <= LONG_CHARACTERS ? fromUtf8(bytes) : yield* utf8Steps(bytes);
  } catch {
    throw new DecodeError('a sealed value is not UTF-8');
  }
  return { path, value, salt: reader.bytes(), commitment: reader.text() };
}
