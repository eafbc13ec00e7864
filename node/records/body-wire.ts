/**
 * Prepared rows as one byte string, so that a message of ten thousand of them costs the thread that receives it nothing until it unpacks
 * them, a row at a time.
 */
import { DIGEST_BYTES, Reader, readSource, Writer, writeSource } from '../format/index.ts';
import { readValue } from './sealed-values.ts';
import type { SealedValue } from './prepare.ts';
import { type Place, placeUnder } from './formats/index.ts';
import type { PreparedRow } from './prepare-rows.ts';

const PLACE_POINTER = 0;
const PLACE_PATH = 1;
const PLACE_ROW = 2;
/** Sealed values of one row read between two pauses. */
const STEP_VALUES = 64;

export function packRows(rows: readonly PreparedRow[]): Uint8Array {
  const writer = new Writer(1_024 * rows.length + 4);
  writer.list(rows, (w, { record, prepared: { recordId, submission, contentDigest, recordDigest, sealed }, facts, at }) => {
    w.u32(record).fixed(recordId, DIGEST_BYTES).fixed(contentDigest, DIGEST_BYTES).fixed(recordDigest, DIGEST_BYTES);
    w.text(submission.class).u32(submission.classVersion).bytes(submission.content);
    writeSource(w, submission.source);
    w.list(sealed, writeSealed);
    w.optional(facts.timeUs, (w, us) => w.text(`${us}`)).optional(facts.factory, (w, id) => w.text(id));
    w.list(facts.devices, (w, id) => w.text(id))
      .list(facts.mappings, (w, id) => w.text(id))
      .u32(facts.materials);
    writePlace(w, at);
  });
  return writer.finish();
}

/** One step a row, or some of its sealed values. Contents and digests are views of the bytes. */
export function* unpackRows(bytes: Uint8Array, columns: ReadonlyMap<string, string> | undefined): Generator<void, PreparedRow[], void> {
  const reader = new Reader(bytes);
  const rows: PreparedRow[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const record = reader.u32();
    const digest = () => reader.fixed(DIGEST_BYTES);
    const [recordId, contentDigest, recordDigest] = [digest(), digest(), digest()];
    const submission = { class: reader.text(), classVersion: reader.u32(), content: reader.bytes(), source: readSource(reader) };
    const sealed: SealedValue[] = [];
    for (let values = reader.u32(); values > 0; values--) {
      sealed.push(yield* readValue(reader));
      if (values % STEP_VALUES === 0) yield;
    }
    const facts = {
      timeUs: reader.optional((r) => BigInt(r.text())),
      factory: reader.optional((r) => r.text()),
      devices: reader.list((r) => r.text()),
      mappings: reader.list((r) => r.text()),
      materials: reader.u32(),
    };
    const at = readPlace(reader);
    rows.push({
      record,
      prepared: { recordId, submission, contentDigest, recordDigest, sealed },
      facts,
      at,
      locate: (path) => placeUnder(at, path, columns),
    });
    yield;
  }
  return rows;
}

function writeSealed(writer: Writer, { path, value, salt, commitment }: SealedValue): void {
  writer.text(path).text(value).bytes(salt).text(commitment);
}

function writePlace(writer: Writer, place: Place): void {
  if ('pointer' in place) writer.u8(PLACE_POINTER).text(place.pointer);
  else if ('path' in place) writer.u8(PLACE_PATH).text(place.path);
  else writer.u8(PLACE_ROW).u32(place.row);
}

function readPlace(reader: Reader): Place {
  switch (reader.u8()) {
    case PLACE_POINTER:
      return { pointer: reader.text() };
    case PLACE_PATH:
      return { path: reader.text() };
    default:
      return { row: reader.u32(), column: '' };
  }
}
