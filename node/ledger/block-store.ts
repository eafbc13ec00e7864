/** Reads final blocks, receipts and positions: bodies from the block files, all else from the store. Writing is the executor's, one batch per block, but for bodies. */
import {
  type ByteText,
  decodeAll,
  type Digest,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  decodeCurrentConfiguration,
  decodeReceipt,
  parameterTable,
  readBytes,
  type Reader,
  type Block,
  type Receipt,
  writeBytes,
  Writer,
} from '../format/index.ts';
import { type ConsensusConfiguration, fromByteText, toHex, transactionIn } from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import { loadRow, type Location } from '../store/index.ts';
import type { Store } from '../world.ts';
import type { BlockReads } from './block-files.ts';
import { ledgerKey } from './keys.ts';

export interface HeadRow {
  readonly height: number;
  readonly hash: Digest;
  readonly stateRoot: Digest;
}

export function encodeForm(form: number): Uint8Array {
  return new Writer(4).u32(form).finish();
}

export function decodeForm(bytes: Uint8Array): number {
  return decodeAll(bytes, (reader) => reader.u32());
}

export function encodeHead(head: HeadRow): Uint8Array {
  return new Writer(80).u64(head.height).fixed(head.hash, 32).fixed(head.stateRoot, 32).finish();
}

export function decodeHead(bytes: Uint8Array): HeadRow {
  return decodeAll(bytes, (reader) => ({ height: reader.u64(), hash: reader.fixed(32), stateRoot: reader.fixed(32) }));
}

/** Of one block, in order. */
export function encodeReceipts(receipts: readonly Uint8Array[]): Uint8Array {
  return new Writer(4096).list(receipts, writeBytes).finish();
}

export function decodeReceipts(bytes: Uint8Array): Uint8Array[] {
  return decodeAll(bytes, readList);
}

function readList(reader: Reader): Uint8Array[] {
  return reader.list(readBytes);
}

/** Configurations a chain may pass through. */
export const CONFIGURATIONS_MAX = 10_000;
/** The latest of them of which it is read how long transactions might live; of all before it is taken for as long as it may be. */
export const LIFETIMES_READ_MAX = 64;

function heightOfKey(key: ByteText): number {
  let height = 0;
  for (const unit of key.slice(-8)) height = height * 256 + unit.charCodeAt(0);
  return height;
}

/** The row of a body: where it stands in the block files. */
export function encodeLocation(location: Location): Uint8Array {
  return new Writer(8).u64(location).finish();
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
  /** Whether the body stands where its row says, and matches its checksums. @throws ChainError STORE_DAMAGED for the row itself */
  isBodyReadable(height: number): boolean;
  /** Where the body of a final block stands. */
  bodyLocation(height: number): Location | undefined;
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
  /** No transaction of the blocks up to `height` expires above this height. */
  expiryMax(height: number): Promise<number>;
}

/**
 * @param onDamaged called with the row of a body that does not match what is stored.
 * @param rowNow the row as it stands now, where `store` is an earlier version.
 */
export function createBlockStore(
  store: Pick<Store, 'get' | 'range'>,
  files: BlockReads,
  onDamaged: (key: ByteText) => void = () => undefined,
  rowNow: Store['get'] = (key) => store.get(key),
): BlockStore {
  const receiptBytes = async (height: number): Promise<readonly Uint8Array[] | undefined> => {
    const bytes = await loadRow(store, ledgerKey.receipts(height));
    return bytes && decodeReceipts(bytes);
  };
  const headerBytes = (height: number): Uint8Array | undefined => store.get(ledgerKey.header(height));
  function locationIn(row: Uint8Array | undefined): Location | undefined {
    return row && decodeAll(row, (reader) => reader.u64());
  }
  const bodyLocation = (height: number): Location | undefined => locationIn(store.get(ledgerKey.body(height)));
  /** Where a body stands that was moved (sweep.ts) after its row had been read; undefined when the row still says the same. */
  function movedFrom(location: Location, height: number): Location | undefined {
    const now = locationIn(rowNow(ledgerKey.body(height)));
    return now === location ? undefined : now;
  }
  /** Block 0 is nothing but its header: nobody sealed it, and no transaction is in it. */
  function genesisBytes(): Uint8Array | undefined {
    const header = headerBytes(0);
    return header && encodeBlock({ header: decodeHeader(header), seal: new Uint8Array(0), transactions: [] });
  }
  /** A body that cannot be read, by the row that says where it is: the one name of it for alarms and repair. */
  function damagedBody(height: number, error: unknown): unknown {
    if (!isFrameDamage(error)) return error;
    const key = ledgerKey.body(height);
    onDamaged(key);
    return new ChainError('STORE_DAMAGED', { table: 'body', key: toHex(fromByteText(key)), ...error.data }, error);
  }
  /** Where to look for it instead. @throws what is to be told when it is nowhere else */
  function elsewhere(location: Location, height: number, error: unknown): Location {
    const moved = isFrameDamage(error) ? movedFrom(location, height) : undefined;
    if (moved === undefined) throw damagedBody(height, error);
    return moved;
  }
  async function blockBytes(height: number): Promise<Uint8Array | undefined> {
    if (height === 0) return genesisBytes();
    let location = bodyLocation(height);
    while (location !== undefined)
      try {
        return await files.body(location, height);
      } catch (error) {
        location = elsewhere(location, height, error);
      }
    return undefined;
  }
  function blockBytesNow(height: number): Uint8Array | undefined {
    let location = bodyLocation(height);
    while (location !== undefined)
      try {
        return files.bodyNow(location, height);
      } catch (error) {
        location = elsewhere(location, height, error);
      }
    return undefined;
  }
  return {
    head() {
      const bytes = store.get(ledgerKey.head);
      return bytes && decodeHead(bytes);
    },
    headerBytes,
    bodyLocation,
    isBodyReadable(height) {
      let location = bodyLocation(height);
      while (location !== undefined && !files.isSound(location, height)) location = movedFrom(location, height);
      return location !== undefined;
    },
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
      const bytes = blockBytesNow(height);
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
    async expiryMax(height) {
      if (height === 0) return 0; // the genesis block holds none
      const rows = await store.range({
        from: ledgerKey.configuration(0),
        to: ledgerKey.configuration(height + 1),
        reverse: true,
        limit: LIFETIMES_READ_MAX,
      });
      let expiryMax = 0;
      let last = height; // of the blocks that a configuration was in force for
      for (const { key, value } of rows) {
        expiryMax = Math.max(expiryMax, last + decodeCurrentConfiguration(value).parameters.txLifetimeBlocksMax);
        last = heightOfKey(key) - 1;
      }
      return last > 0 ? Math.max(expiryMax, last + parameterTable.txLifetimeBlocksMax.max) : expiryMax;
    },
  };
}

/** Of a frame in the block files, not of a row. */
function isFrameDamage(error: unknown): error is ChainError {
  return error instanceof ChainError && error.code === 'STORE_DAMAGED' && !('key' in error.data);
}
