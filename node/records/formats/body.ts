/**
 * What the format door makes of a request body: records as trees of texts, each able to say where one of its fields stands in the body;
 * or every fault at once, placed the way the format's own users count (JSON Pointer, XML path, row and column).
 */
import { dottedPath, pointerOf, type RecordPath, type TextStruct } from '../../format/index.ts';

export const BODY_BYTES_MAX = 16 * 1024 * 1024; // bytes of one request body
export const BODY_RECORDS_MAX = 10_000; // records in one body
export const BODY_FAULTS_MAX = 1_000; // faults told of one body; past it reading stops
export const BODY_DEPTH_MAX = 64; // nesting of elements

export type BodyFormat = 'json' | 'xml' | 'csv';

/** Where something stands: exactly one of pointer, path, or row with column. */
export type Place = { readonly pointer: string } | { readonly path: string } | { readonly row: number; readonly column: string };

export interface BodyFault {
  readonly code: string;
  readonly place: Place;
  /** Facts as texts. */
  readonly data: Readonly<Record<string, string>>;
}

export interface ParsedRecord {
  /** As sent, `token` included when it was in the body. */
  readonly tree: TextStruct;
  /** Where it stands; `placeUnder` finds its fields from there. */
  readonly at: Place;
  /** @param code of the fault: what a CSV header lacks or has too much stands in the header. */
  readonly locate: (path: RecordPath, code: string) => Place;
}

export type ParsedBody =
  | {
      readonly ok: true;
      readonly format: BodyFormat;
      readonly records: readonly ParsedRecord[];
      /**
       * What no record may hold and reading went past (a field as empty text, or left out): to be told together with what the class finds.
       */
      readonly faults?: readonly BodyFault[];
      /** Columns of a CSV that are not named like the field they hold: dotted path -> name. */
      readonly columns?: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly format: BodyFormat; readonly faults: readonly BodyFault[] };

/** The reading of a body in steps of a record or a few kilobytes, so that whoever drives it may do other things in between. */
export type ParseSteps = Generator<void, ParsedBody, void>;

export function tooManyRecords(format: BodyFormat, place: Place): ParsedBody {
  return refusedBody(format, 'FORMAT_TOO_MANY_RECORDS', place, { countMax: `${BODY_RECORDS_MAX}` });
}

export function refusedBody(format: BodyFormat, code: string, place: Place, data: Readonly<Record<string, string>> = {}): ParsedBody {
  return { ok: false, format, faults: [{ code, place, data }] };
}

/** Where a field stands in the record at a place. @param columns of the body, when it is CSV */
export function placeUnder(at: Place, path: RecordPath, columns?: ReadonlyMap<string, string>): Place {
  if ('pointer' in at) return { pointer: at.pointer + pointerOf(path) };
  if ('path' in at) return { path: at.path + path.map((part) => (typeof part === 'number' ? `[${part + 1}]` : `/${part}`)).join('') };
  const dotted = dottedPath(path);
  return { row: at.row, column: columns?.get(dotted) ?? dotted };
}
