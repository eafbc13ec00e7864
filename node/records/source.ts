/** Where stored records are read: the authenticated state, and the records a final block wrote, in order. */
import { currentVersion, readVersion } from '../../contracts/builtin/records-versions.ts';
import { CONTRACT, recordKey } from '../../contracts/builtin/layout.ts';
import { stateKey, type StateView } from '../../contracts/types.ts';
import {
  type ByteText,
  decodeJson,
  decodeStoredRecord,
  type Digest,
  fromHex,
  type Json,
  type Receipt,
  type StoredRecord,
  toByteText,
} from '../format/index.ts';
import type { Pause } from '../slices.ts';

export interface RecordSource {
  /** The version asked, or the current one. */
  record(id: Digest, version?: number): Promise<StoredRecord | undefined>;
}

export function createStateRecordSource(state: StateView): RecordSource {
  const get = (key: ByteText): Uint8Array | undefined => state.get(stateKey(CONTRACT.records, key));
  return {
    async record(id, version) {
      const text = toByteText(id);
      return readVersion(get, text, version ?? currentVersion(get, text));
    },
  };
}

export interface RecordRow {
  readonly recordId: Digest;
  readonly record: StoredRecord;
}

/** The records that the receipts of one block wrote, in order of their events; `state` holds that block or a later one. */
export async function recordRowsOf(receipts: readonly Receipt[], state: StateView, pause: Pause): Promise<RecordRow[]> {
  const rows: RecordRow[] = [];
  for (const { events } of receipts) {
    for (const { contract, data } of events) {
      await pause();
      if (contract !== CONTRACT.records) continue;
      const { id, version } = decodeJson(data) as { readonly [name: string]: Json };
      if (typeof id !== 'string' || typeof version !== 'number') continue;
      const recordId = fromHex(id);
      const bytes = state.get(stateKey(CONTRACT.records, recordKey.version(toByteText(recordId), version)));
      if (bytes) rows.push({ recordId, record: decodeStoredRecord(bytes) });
    }
  }
  return rows;
}
