/**
 * The part of a submission that asks nothing of the chain: class checks on every record of a body, sealing, canonical content, digests.
 * Heavy, so it runs in the thread for bodies, in steps of a record where a body is small (bodies.ts).
 */
import type { ClassDefinition, RecordFacts } from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import type { RecordOrigin, RecordPath } from '../format/index.ts';
import { type PrepareContext, type PreparedRecord, prepareRecord } from './prepare.ts';
import { SEALED_BYTES_MAX, sealedBytes } from './sealed-values.ts';
import { BODY_FAULTS_MAX, type BodyFault, type ParsedRecord, type Place } from './formats/index.ts';
import { shortened } from './refusal.ts';

/** Bytes of all records of a body as they would be stored: sealing makes a short value longer. */
export const PREPARED_BYTES_MAX = 64 * 1024 * 1024;

/** A fault of one record of a body, at its place. */
export interface PlacedFault extends BodyFault {
  readonly record: number;
}

/** A record that its class takes, and what the chain is asked about it. */
export interface PreparedRow {
  /** Number of the record in its body, from 0. */
  readonly record: number;
  readonly prepared: PreparedRecord;
  readonly facts: Pick<RecordFacts, 'timeUs' | 'factory' | 'devices' | 'mappings'> & { readonly materials: number };
  readonly at: Place;
  readonly locate: (path: RecordPath, code: string) => Place;
}

export interface PreparedRows {
  /** Records in the body, and how many of them were looked at: reading ends where the answer would tell no more. */
  readonly records: number;
  readonly checked: number;
  /** Faults of single fields that reading went past. */
  readonly unreadable: readonly BodyFault[];
  /** In order of their records. */
  readonly faults: readonly PlacedFault[];
  /** In order; a record is here or has faults. */
  readonly rows: readonly PreparedRow[];
}

export interface PrepareOptions {
  readonly source: RecordOrigin;
  readonly statedDigest?: string | undefined;
}

/** One step a record. @throws ChainError RECORD_NONE, RECORD_DIGEST_SINGLE, BODY_TOO_COSTLY, TRANSACTION_TOO_LARGE */
export function* prepareRows(
  context: PrepareContext,
  definition: ClassDefinition,
  records: readonly ParsedRecord[],
  unreadable: readonly BodyFault[],
  { source, statedDigest }: PrepareOptions,
): Generator<void, PreparedRows, void> {
  if (records.length === 0) throw new ChainError('RECORD_NONE');
  if (statedDigest !== undefined && records.length > 1) throw new ChainError('RECORD_DIGEST_SINGLE', { records: records.length });
  const faults: PlacedFault[] = [];
  const rows: PreparedRow[] = [];
  let checked = 0;
  let bytes = 0;
  let clearBytes = 0;
  for (const [record, { tree, at, locate }] of records.entries()) {
    if (faults.length + unreadable.length >= BODY_FAULTS_MAX) break; // the answer tells no more
    if (checked++ > 0) yield;
    const preparation = prepareRecord(context, definition, tree, { source, ...(statedDigest === undefined ? {} : { statedDigest }) });
    if (!preparation.ok) {
      for (const { code, path, data } of preparation.faults)
        faults.push({ ...shortened({ code, place: locate(path, code), data }), record });
      continue;
    }
    const { prepared, facts } = preparation;
    const sealedNow = sealedBytes(prepared.sealed);
    clearBytes += sealedNow;
    if (clearBytes > SEALED_BYTES_MAX)
      throw new ChainError('TRANSACTION_TOO_LARGE', { sealedBytes: clearBytes, sealedBytesMax: SEALED_BYTES_MAX, records: records.length });
    bytes += prepared.submission.content.length + sealedNow;
    if (bytes > PREPARED_BYTES_MAX) throw new ChainError('BODY_TOO_COSTLY', { preparedBytesMax: PREPARED_BYTES_MAX });
    const { timeUs, factory, devices, materials, mappings } = facts;
    rows.push({ record, prepared, facts: { timeUs, factory, devices, mappings, materials: materials.length }, at, locate });
  }
  return { records: records.length, checked, unreadable: unreadable.map(shortened), faults, rows };
}
