/** Reads final blocks, receipts and positions from the store. Writing is the executor's: one batch per block. */
import {
  type ByteText,
  decodeAll,
  type Digest,
  decodeBlock,
  decodeCurrentConfiguration,
  decodeReceipt,
  type Block,
  type Receipt,
  Writer,
} from '../format/index.ts';
import { type ConsensusConfiguration, fromByteText, toHex, transactionIn } from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import { loadRow } from '../store/load.ts';
import type { Store } from '../world.ts';
import { ledgerKey } from './keys.ts';

export interface HeadRow {
  readonly height: number;
  readonly hash: Digest;
  readonly stateRoot: Digest;
}

export function encodeHead(head: HeadRow): Uint8Array {
  return new Writer(80).u64(head.height).fixed(head.hash, 32).fixed(head.stateRoot, 32).finish();
}

export function decodeHead(bytes: Uint8Array): HeadRow {
  return decodeAll(bytes, (reader) => ({ height: reader.u64(), hash: reader.fixed(32), stateRoot: reader.fixed(32) }));
}

/** Configurations a chain may pass through. */
export const CONFIGURATIONS_MAX = 10_000;

function heightOfKey(key: ByteText): number {
  let height = 0;
  for (const unit of key.slice(-8)) height = height * 256 + unit.charCodeAt(0);
  return height;
}

/** Where a transaction stands: height and index. */
export interface Position {
  readonly height: number;
  readonly index: number;
}

export function encodePosition(position: Position): Uint8Array {
  return new Writer(12).u64(position.height).u32(position.index).finish();
}

export interface BlockStore {
  head(): HeadRow | undefined;
  headerBytes(height: number): Uint8Array | undefined;
  /** What proves the block of `height` final. */
  finality(height: number): Uint8Array | undefined;
  // Bodies and receipts may hold tens of megabytes: they are loaded.
  blockBytes(height: number): Promise<Uint8Array | undefined>;
  block(height: number): Promise<Block | undefined>;
  /** One transaction of a block, without the others. */
  transaction(position: Position): Promise<Uint8Array | undefined>;
  /** The same at once, for execution. @throws ChainError STORE_DAMAGED when it is not held: what the state points to is kept */
  transactionNow(height: number, index: number): Uint8Array;
  receipts(height: number): Promise<readonly Receipt[] | undefined>;
  receiptBytes(height: number): Promise<readonly Uint8Array[] | undefined>;
  heightOfHash(hash: Digest): number | undefined;
  position(transactionId: Digest): Position | undefined;
  /** The configuration by which the block of `height` is judged. */
  configuration(height: number): Promise<ConsensusConfiguration>;
  /** Heights at which a configuration took effect, rising, up to `height`; 0 first. */
  configurationHeights(height: number): Promise<readonly number[]>;
}

export function createBlockStore(store: Pick<Store, 'get' | 'range'>): BlockStore {
  const receiptBytes = async (height: number): Promise<readonly Uint8Array[] | undefined> => {
    const bytes = await loadRow(store, ledgerKey.receipts(height));
    return bytes && decodeAll(bytes, (reader) => reader.list((r) => r.bytes()));
  };
  const blockBytes = (height: number): Promise<Uint8Array | undefined> => loadRow(store, ledgerKey.body(height));
  return {
    head() {
      const bytes = store.get(ledgerKey.head);
      return bytes && decodeHead(bytes);
    },
    headerBytes: (height) => store.get(ledgerKey.header(height)),
    blockBytes,
    async block(height) {
      const bytes = await blockBytes(height);
      return bytes && decodeBlock(bytes);
    },
    async transaction({ height, index }) {
      const bytes = await blockBytes(height);
      return bytes && transactionIn(bytes, index)?.slice(); // the block's bytes may go
    },
    finality: (height) => store.get(ledgerKey.certificate(height)),
    transactionNow(height, index) {
      const bytes = store.get(ledgerKey.body(height));
      const transaction = bytes && transactionIn(bytes, index);
      if (!transaction) throw new ChainError('STORE_DAMAGED', { table: 'body', key: toHex(fromByteText(ledgerKey.body(height))) });
      return transaction;
    },
    receiptBytes,
    receipts: async (height) => (await receiptBytes(height))?.map(decodeReceipt),
    heightOfHash(hash) {
      const bytes = store.get(ledgerKey.heightOfHash(hash));
      return bytes && decodeAll(bytes, (reader) => reader.u64());
    },
    position(transactionId) {
      const bytes = store.get(ledgerKey.position(transactionId));
      return bytes && decodeAll(bytes, (reader) => ({ height: reader.u64(), index: reader.u32() }));
    },
    async configuration(height) {
      const rows = await store.range({
        from: ledgerKey.configuration(0),
        to: ledgerKey.configuration(height + 1),
        reverse: true,
        limit: 1,
      });
      const row = rows[0];
      if (!row) throw new Error(`No configuration is stored for height ${height}`);
      return decodeCurrentConfiguration(row.value);
    },
    async configurationHeights(height) {
      const rows = await store.range({
        from: ledgerKey.configuration(0),
        to: ledgerKey.configuration(height + 1),
        limit: CONFIGURATIONS_MAX,
      });
      return rows.map((row) => heightOfKey(row.key));
    },
  };
}
