/**
 * Puts damaged rows of the ledger right (design: chain, "Storage": a mismatch is STORE_DAMAGED and repaired by hash from peers, never an answer).
 * Runs where the executor runs, between blocks, because only it writes the ledger.
 *
 * What stands in this store decides, no peer is believed: the head names a hash, each header names its parent's and the roots of its transactions,
 * receipts, configuration and state. So a row either follows from what is sound here and is made anew (own), or a peer's bytes must come to
 * the hash that is stated here (peer). Chosen per kind of row:
 *   header           own, from the front of the body; else peer, by the hash its child or the head states
 *   body             peer, by transaction root and seal; whoever writes the block files puts it there, and is told its place (body-repair.ts)
 *   certificate      peer, by a quorum of the validators of its height
 *   receipts         peer, by receipts root
 *   configuration    own, from genesis or the present state; else peer, by nextConsensusHash
 *   height by hash, position by id   peer says where, the header or transaction here must have that hash
 *   undo             peer, by staging it and all above it back to the parent's state root; deep ones are left to run out
 *   state value      peer, for the height of our head, by its hash in the state map; the state row or the row it points to (state-rows.ts)
 *   state map        own: the map in memory is the state's, and is written anew (map-rows.ts)
 *   head             own: the highest header, since all of a block is written at once
 */
import { judgeFinality } from '../../consensus/index.ts';
import { configurationOf, stateKey } from '../../contracts/index.ts';
import {
  type ByteText,
  consensusHashOf,
  type ConsensusConfiguration,
  type Crypto,
  DecodeError,
  decodeAll,
  decodeBlock,
  decodeCurrentConfiguration,
  decodeHeader,
  type Digest,
  encodeConfiguration,
  equalBytes,
  fromByteText,
  type Header,
  headerHash,
  merkleRoot,
  type OpenedGenesis,
  openTransaction,
  prefixEnd,
  Reader,
  sealSigningBytes,
  transactionHashOf,
  utf8,
} from '../format/index.ts';
import { type Pause, withPauses } from '../pace/index.ts';
import { damagedKey, keyspace, loadRow, type Location } from '../store/index.ts';
import type { StagedMap, StateMap } from '../state/index.ts';
import type { Store, StoreOperation } from '../world.ts';
import {
  type BlockStore,
  decodeReceipts,
  encodeForm,
  encodeHead,
  encodeLocation,
  encodeReceipts,
  type HeadRow,
  type Position,
} from './block-store.ts';
import { LEDGER_FORM, ledgerKey } from './keys.ts';
import type { MapRows } from './map-rows.ts';
import { createStateRows, inlineRow, isPointedTo, pathOf } from './state-rows.ts';
import { decodeUndo, undoEntrySteps } from './undo.ts';

/** Heights below the head of which an undo row is checked: each is staged on the one above. Deeper rows are dropped by age before anyone goes back so far. */
export const UNDO_CHECKED_MAX = 256;

export type RepairAnswer =
  /** The row is as it must be. */
  | { readonly outcome: 'sound' }
  | { readonly outcome: 'repaired'; readonly from: 'own' | 'peer' }
  /** Peers hold `key`, perhaps not the row that was asked about but one that stands in its way; a state value is wanted as of `height`. */
  | { readonly outcome: 'wanted'; readonly key: ByteText; readonly height: number }
  /** The bytes handed in are the body of the block of `height`, which its row says to stand at `location`: there or elsewhere it must be put back. */
  | { readonly outcome: 'proven'; readonly height: number; readonly location: Location | undefined }
  /** The bytes handed in do not come to the hash stated here. */
  | { readonly outcome: 'refused' }
  /** Nothing here or at peers can say what the row was. */
  | { readonly outcome: 'lost' };

export interface LedgerRepair {
  /**
   * @param value bytes a peer gave for the row; of a body, the body.
   * @param placed where a body has been put that was proven, or that is sound and was moved (sweep.ts).
   * @throws ChainError of the store.
   */
  repair(key: ByteText, value?: Uint8Array, placed?: Location): Promise<RepairAnswer>;
}

export function createLedgerRepair(deps: {
  readonly store: Store;
  readonly crypto: Crypto;
  readonly genesis: OpenedGenesis;
  readonly genesisText: string;
  readonly blocks: BlockStore;
  /** Undefined until the chain is open. */
  readonly map: () => StateMap | undefined;
  readonly mapRows: Pick<MapRows, 'rewrite'>;
}): LedgerRepair {
  const { store, crypto, genesis, blocks, map } = deps;
  const state = createStateRows(store);

  function head(): HeadRow {
    const row = blocks.head();
    if (!row) throw new Error('A store without a head has nothing to repair');
    return row;
  }

  /** Hash of the header of a final height, as the row above it states. */
  function hashAt(height: number): Digest {
    const top = head();
    return height === top.height ? top.hash : header(height + 1).parentHash;
  }

  function headerBytes(height: number): Uint8Array {
    const bytes = blocks.headerBytes(height);
    if (!bytes) throw new Error(`No header is stored for height ${height}`);
    return bytes;
  }

  const header = (height: number): Header => decodeHeader(headerBytes(height));

  function isHeader(height: number, bytes: Uint8Array): boolean {
    return equalBytes(headerHash(crypto, bytes), hashAt(height));
  }

  async function isBody(height: number, bytes: Uint8Array): Promise<boolean> {
    const { seal, transactions } = decodeBlock(bytes);
    const front = new Reader(bytes).bytes();
    const hash = headerHash(crypto, front);
    if (!equalBytes(hash, hashAt(height))) return false;
    const { txRoot, proposer } = decodeHeader(front);
    const hashes = transactions.map((transaction) => transactionHashOf(crypto, transaction));
    if (!equalBytes(merkleRoot(crypto.hash, hashes), txRoot)) return false;
    const producer = (await blocks.configuration(height)).validators.find((validator) => validator.node === proposer);
    return producer !== undefined && crypto.verify(producer.suite, producer.publicKey, sealSigningBytes(hash), seal);
  }

  async function isFinality(height: number, bytes: Uint8Array): Promise<boolean> {
    const { engine, validators } = await blocks.configuration(height);
    const block = { engine, chainId: genesis.chainId, height, digest: hashAt(height), validators };
    return judgeFinality(crypto, block, bytes).fault === undefined;
  }

  function areReceipts(height: number, bytes: Uint8Array): boolean {
    return equalBytes(merkleRoot(crypto.hash, decodeReceipts(bytes)), header(height).receiptsRoot);
  }

  function isConfiguration(height: number, configuration: ConsensusConfiguration): boolean {
    return equalBytes(consensusHashOf(crypto, configuration), header(height - 1).nextConsensusHash);
  }

  /** Going back from the head by every undo down to this one must end in the state root of the height below. */
  function isUndo(height: number, bytes: Uint8Array): boolean {
    const state = map();
    if (!state) return false;
    const steps: StagedMap[] = [];
    try {
      for (let at = head().height; at >= height; at--) {
        const stored = at === height ? bytes : store.get(ledgerKey.undo(at));
        if (!stored) return false;
        const writes = decodeUndo(stored).map(({ key, before }) => ({ key, valueHash: before && crypto.hash(before) }));
        steps.push(state.stage(writes, steps.at(-1)));
      }
      return steps.length > 0 && equalBytes(steps.at(-1)!.root, header(height - 1).stateRoot);
    } finally {
      if (steps[0]) state.drop(steps[0]);
    }
  }

  async function write(operations: readonly StoreOperation[], from: 'own' | 'peer'): Promise<RepairAnswer> {
    await store.batch(operations, { sync: true });
    return { outcome: 'repaired', from };
  }

  /** A value of the state: the map holds its hash. */
  async function repairState(key: ByteText, value: Uint8Array | undefined): Promise<RepairAnswer> {
    const path = pathOf(key);
    const isApart = key.startsWith(keyspace.stateValue);
    if (isApart && !isPointedTo(store, key)) return write([{ key, value: undefined }], 'own'); // replaced since
    const entries = map();
    if (!entries) return { outcome: 'wanted', key, height: head().height };
    const stated = entries.has(path);
    if (stated === undefined) return write([{ key, value: undefined }], 'own'); // not of this state
    if (value === undefined) return { outcome: 'wanted', key, height: head().height };
    if (!equalBytes(crypto.hash(value), stated)) return { outcome: 'refused' };
    return write([{ key, value: isApart ? value : inlineRow(value) }], 'peer');
  }

  async function repairMap(): Promise<RepairAnswer> {
    const entries = map();
    if (!entries) return { outcome: 'lost' }; // the start makes the map from what there is
    await deps.mapRows.rewrite(entries, head().height);
    return { outcome: 'repaired', from: 'own' };
  }

  async function repairHead(): Promise<RepairAnswer> {
    const from = keyspace.header;
    const [row] = await store.range({ from, to: prefixEnd(from), reverse: true, limit: 1 });
    if (!row) return { outcome: 'lost' };
    const { height, stateRoot } = decodeHeader(row.value);
    return write([{ key: ledgerKey.head, value: encodeHead({ height, hash: headerHash(crypto, row.value), stateRoot }) }], 'own');
  }

  /** What this store says of a row by itself, when it does. */
  async function own(kind: ByteText, height: number): Promise<Uint8Array | undefined> {
    switch (kind) {
      case keyspace.header: {
        const front = new Reader((await blocks.blockBytes(height)) ?? new Uint8Array(4)).bytes();
        return isHeader(height, front) ? front : undefined;
      }
      case keyspace.receipts:
        return height === 0 ? encodeReceipts([]) : undefined;
      case keyspace.configuration: {
        if (height === 0) return encodeConfiguration(genesis.configuration);
        const present = configurationOf((contract, key) => state.get(ledgerKey.state(stateKey(contract, key))));
        return isConfiguration(height, present) ? encodeConfiguration(present) : undefined;
      }
      default:
        return undefined;
    }
  }

  async function holds(kind: ByteText, height: number, value: Uint8Array): Promise<boolean> {
    switch (kind) {
      case keyspace.header:
        return isHeader(height, value);
      case keyspace.body:
        return isBody(height, value);
      case keyspace.certificate:
        return isFinality(height, value);
      case keyspace.receipts:
        return areReceipts(height, value);
      case keyspace.configuration:
        return isConfiguration(height, decodeCurrentConfiguration(value));
      case keyspace.undo:
        return isUndo(height, value);
      default:
        return false;
    }
  }

  /** Whether a row that cannot be found ought to be there. */
  function missing(kind: ByteText, height: number): boolean {
    const top = head().height;
    if (kind === keyspace.certificate || kind === keyspace.body) return height > 0 && height <= top;
    return (kind === keyspace.header || kind === keyspace.receipts) && height <= top;
  }

  async function repairHeight(key: ByteText, value: Uint8Array | undefined): Promise<RepairAnswer> {
    const kind = key.slice(0, 1);
    const height = heightOf(key);
    const stored = value === undefined ? await attempt(() => own(kind, height)) : undefined;
    if (stored) return write([{ key, value: stored }], 'own');
    if (kind === keyspace.undo && head().height - height >= UNDO_CHECKED_MAX) return { outcome: 'lost' };
    if (value === undefined) return { outcome: 'wanted', key, height };
    if (!(await holds(kind, height, value))) return { outcome: 'refused' };
    if (kind === keyspace.body) return { outcome: 'proven', height, location: await attempt(() => blocks.bodyLocation(height)) };
    return write([{ key, value }], 'peer');
  }

  async function idAt(position: Position): Promise<Digest | undefined> {
    const bytes = await blocks.transaction(position);
    return bytes && openTransaction(crypto, bytes).id;
  }

  /** Where a block or a transaction stands: whoever says it, the thing itself is here. */
  async function repairPlace(key: ByteText, value: Uint8Array | undefined): Promise<RepairAnswer> {
    if (value === undefined) return { outcome: 'wanted', key, height: head().height };
    const wanted = fromByteText(key.slice(1));
    const isBlock = key.startsWith(keyspace.heightByHash);
    const place = decodeAll(value, (reader) => ({ height: reader.u64(), index: isBlock ? 0 : reader.u32() }));
    const found = place.height > head().height ? undefined : isBlock ? headerHash(crypto, headerBytes(place.height)) : await idAt(place);
    return found && equalBytes(found, wanted) ? write([{ key, value }], 'peer') : { outcome: 'refused' };
  }

  async function repair(key: ByteText, value?: Uint8Array, placed?: Location): Promise<RepairAnswer> {
    if (placed !== undefined && key.startsWith(keyspace.body)) return write([{ key, value: encodeLocation(placed) }], 'peer');
    switch (key.slice(0, 1)) {
      case keyspace.mapChanges:
      case keyspace.mapSnapshot:
        return repairMap();
      case keyspace.state:
      case keyspace.stateValue:
        return repairState(key, value);
      case keyspace.meta:
        if (key === ledgerKey.genesis) return write([{ key, value: utf8(deps.genesisText) }], 'own');
        if (key === ledgerKey.form) return write([{ key, value: encodeForm(LEDGER_FORM) }], 'own');
        if (key === ledgerKey.mapSnapshot) return repairMap();
        return key === ledgerKey.head ? repairHead() : { outcome: 'lost' };
      case keyspace.heightByHash:
      case keyspace.positionById:
        return repairPlace(key, value);
      case keyspace.header:
      case keyspace.body:
      case keyspace.certificate:
      case keyspace.receipts:
      case keyspace.configuration:
      case keyspace.undo:
        return repairHeight(key, value);
      default:
        return { outcome: 'lost' };
    }
  }

  return {
    async repair(key, value, placed) {
      if (key === '') return { outcome: 'lost' };
      if (placed === undefined && isReadable(key)) return { outcome: 'sound' };
      try {
        return await repair(key, value, placed);
      } catch (error) {
        if (error instanceof DecodeError) return value === undefined ? { outcome: 'lost' } : { outcome: 'refused' };
        const other = damagedKey(error);
        if (other === undefined || other === key) throw error;
        return { outcome: 'wanted', key: other, height: (await attempt(head))?.height ?? 0 }; // repaired first, on its own terms
      }
    },
  };

  /** The checksum is right, and the row is there if it must be. */
  function isReadable(key: ByteText): boolean {
    const kind = key.slice(0, 1);
    try {
      if ((kind === keyspace.state ? state : store).get(key) !== undefined)
        return kind !== keyspace.body || blocks.isBodyReadable(heightOf(key));
      if (kind === keyspace.state) return map()?.has(pathOf(key)) === undefined;
      if (kind === keyspace.mapChanges || kind === keyspace.mapSnapshot) return true; // a snapshot took its place
      if (kind === keyspace.stateValue) return !isPointedTo(store, key);
      return kind !== keyspace.meta && key.length === 9 && !missing(kind, heightOf(key));
    } catch (error) {
      if (damagedKey(error) !== undefined) return false;
      throw error;
    }
  }
}

function heightOf(key: ByteText): number {
  return decodeAll(fromByteText(key.slice(1)), (reader) => reader.u64());
}

/** Undefined when what it needs is damaged too or does not decode. */
async function attempt<T>(read: () => T | undefined | Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (damagedKey(error) !== undefined || error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Kinds of rows that peers hold alike and give one another, beside bodies; every row of them is public among the members of the chain. */
const SHARED: ReadonlySet<ByteText> = new Set([
  keyspace.header,
  keyspace.certificate,
  keyspace.receipts,
  keyspace.configuration,
  keyspace.undo,
  keyspace.heightByHash,
  keyspace.positionById,
]);
/** Heights a peer looks back through its undo rows for a value of the state. */
export const STATE_BACK_MAX = 1_000;

/** A row for a peer whose own is damaged; a state value as of `height`. Undefined when it is not held, or no longer. @throws ChainError STORE_DAMAGED */
export async function sharedRow(
  store: Pick<Store, 'get' | 'range'>,
  blocks: Pick<BlockStore, 'head' | 'blockBytes'>,
  key: ByteText,
  height: number,
  pause: Pause,
): Promise<Uint8Array | undefined> {
  const kind = key.slice(0, 1);
  if (kind === keyspace.body) return blocks.blockBytes(heightOf(key));
  if (SHARED.has(kind)) return loadRow(store, key);
  const top = blocks.head()?.height ?? -1;
  if ((kind !== keyspace.state && kind !== keyspace.stateValue) || height > top || top - height > STATE_BACK_MAX) return undefined;
  const path = pathOf(key);
  const state = createStateRows(store);
  // The first block above that wrote the key says what it was before; with none up to the head the value still stands.
  for (let at = height + 1; ; at++) {
    if (at > (blocks.head()?.height ?? -1)) return state.get(ledgerKey.state(path));
    const row = await loadRow(store, ledgerKey.undo(at)); // one at a time: what a block replaced may be megabytes
    if (!row) return undefined; // gone by age
    const entry = await withPauses(undoEntrySteps(row, path), pause);
    if (entry) return entry.before;
    await pause();
  }
}
