/** Where stored records are read: what the state vouches for, and content and source in the bodies of blocks. */
import { CONTRACT, currentVersion, readVersion } from '../../contracts/builtin/index.ts';
import { stateKey, type StateView } from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import {
  type ByteText,
  decodeHeader,
  decodeRecordResults,
  decodeTransaction,
  type Digest,
  fromByteText,
  isRecordResults,
  type Receipt,
  recordEventsOf,
  recordTextsOf,
  type RecordText,
  type RecordVersion,
  type StoredRecord,
  toByteText,
  toHex,
} from '../format/index.ts';
import { type BlockStore, ledgerKey } from '../ledger/index.ts';

export interface RecordSource {
  /** What the state says of the version asked, or of the current one. */
  version(id: Digest, version?: number): RecordVersion | undefined;
  /** The same with its content. @throws ChainError STORE_DAMAGED when its block is not held */
  record(id: Digest, version?: number): Promise<StoredRecord | undefined>;
  /** A version that was read, with its content. */
  open(id: Digest, version: RecordVersion): Promise<StoredRecord>;
}

export type RecordBlocks = Pick<BlockStore, 'transaction' | 'headerBytes'>;

export function createRecordSource({ state, blocks }: { readonly state: StateView; readonly blocks: RecordBlocks }): RecordSource {
  const rows = { get: (key: ByteText): Uint8Array | undefined => state.get(stateKey(CONTRACT.records, key)) };
  /** The call that was read last: the records of one call are often asked for one after another. */
  let last: { readonly height: number; readonly index: number; readonly call: number; readonly texts: readonly RecordText[] } | undefined;

  async function textOf({ height, index, call, item }: RecordVersion): Promise<RecordText> {
    if (last?.height !== height || last.index !== index || last.call !== call) {
      const bytes = await blocks.transaction({ height, index });
      if (!bytes) throw bodyMissing(height);
      last = { height, index, call, texts: recordTextsOf(decodeTransaction(bytes).calls[call]!) };
    }
    return last.texts[item]!;
  }

  async function open(id: Digest, version: RecordVersion): Promise<StoredRecord> {
    const text = await textOf(version);
    const before = version.state === 'deleted' ? readVersion(rows, toByteText(id), version.version - 1) : undefined;
    const headerBytes = blocks.headerBytes(version.height);
    if (!headerBytes) throw bodyMissing(version.height);
    return {
      ...version,
      ...text,
      keyContent: before ? (await textOf(before)).content : text.content,
      committedAtMs: decodeHeader(headerBytes).timestampMs,
    };
  }

  function version(id: Digest, asked?: number): RecordVersion | undefined {
    const text = toByteText(id);
    return readVersion(rows, text, asked ?? currentVersion(rows, text));
  }

  return {
    version,
    open,
    async record(id, asked) {
      const found = version(id, asked);
      return found && open(id, found);
    },
  };
}

function bodyMissing(height: number): ChainError {
  return new ChainError('STORE_DAMAGED', { table: 'body', key: toHex(fromByteText(ledgerKey.body(height))) });
}

/** What the query index reads of a version. */
export type IndexedRecord = Pick<StoredRecord, 'class' | 'classVersion' | 'org' | 'actor' | 'version' | 'state' | 'content'> & {
  /** Height of the version before; undefined of the first. */
  readonly heightBefore?: number | undefined;
};

export interface RecordRow {
  readonly recordId: Digest;
  readonly record: IndexedRecord;
}

/** What a final block wrote. */
export interface WrittenBlock {
  readonly receipts: readonly Receipt[];
  readonly transactions: readonly Uint8Array[];
}

/** The records that one block wrote, in order of its receipts; `state` holds that block or a later one. */
export function* recordRowsOf({ receipts, transactions }: WrittenBlock, state: StateView): Generator<void, RecordRow[], void> {
  const rows: RecordRow[] = [];
  const stored = { get: (key: ByteText): Uint8Array | undefined => state.get(stateKey(CONTRACT.records, key)) };
  let last: { readonly index: number; readonly call: number; readonly texts: readonly RecordText[] } | undefined;
  for (const { results } of receipts) {
    const changed = results.filter(isRecordResults).flatMap((result) => [...recordEventsOf(decodeRecordResults(result))]);
    for (const { id: recordId, version } of changed) {
      const record = readVersion(stored, toByteText(recordId), version);
      if (!record) continue;
      const { index, call, item } = record;
      if (last?.index !== index || last.call !== call)
        last = { index, call, texts: recordTextsOf(decodeTransaction(transactions[index]!).calls[call]!) };
      const heightBefore = version === 1 ? undefined : readVersion(stored, toByteText(recordId), version - 1)?.height;
      rows.push({ recordId, record: { ...record, content: last.texts[item]!.content, heightBefore } });
      yield;
    }
  }
  return rows;
}
