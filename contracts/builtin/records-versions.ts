/**
 * Versions of a record in the authenticated state. Keys are append-only and contiguous from 1, so the current one is found by galloping:
 * doubling until a version is absent, then halving the gap. A new record costs one read, the n-th version about 2 log2 n.
 */
import { type ByteText, decodeRecordVersion, type RecordVersion } from '../../node/format/index.ts';
import { recordKey } from './layout.ts';

export const VERSIONS_MAX = 1_000_000; // versions of one record

/** Of the contract `records`. */
interface Rows {
  get(key: ByteText): Uint8Array | undefined;
}

function isHeld(rows: Rows, recordId: ByteText, version: number): boolean {
  return rows.get(recordKey.version(recordId, version)) !== undefined;
}

/** 0 when there is none. */
export function currentVersion(rows: Rows, recordId: ByteText): number {
  if (!isHeld(rows, recordId, 1)) return 0;
  let low = 1;
  let high = 2;
  while (high <= VERSIONS_MAX && isHeld(rows, recordId, high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (isHeld(rows, recordId, middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** undefined when there is no such version. @throws DecodeError when the value is none. */
export function readVersion(rows: Rows, recordId: ByteText, version: number): RecordVersion | undefined {
  const bytes = rows.get(recordKey.version(recordId, version));
  return bytes && decodeRecordVersion(bytes, version);
}
