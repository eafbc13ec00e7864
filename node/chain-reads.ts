/** What a node answers from its final chain: blocks, transactions, rows of the state and proofs of them. */
import { stateKey } from '../contracts/index.ts';
import type { ChainTip, Mempool } from './chain/index.ts';
import { type Digest, decodeHeader, decodeTransaction, headerHash, prefixEnd } from './format/index.ts';
import { type BlockStore, type ExecutorPort, ledgerKey, readStoredBlock, type StateRows } from './ledger/index.ts';
import { createPause } from './pace/index.ts';
import type { NodeService } from './service.ts';
import type { Store, World } from './world.ts';

export type ChainReads = Pick<NodeService, 'block' | 'headers' | 'senderOf' | 'transactionBytes' | 'stateRange' | 'prove'>;

export interface ChainReadsDependencies {
  readonly world: World;
  readonly store: Pick<Store, 'range'>;
  readonly blocks: BlockStore;
  readonly rows: StateRows;
  readonly tip: Pick<ChainTip, 'height'>;
  /** Senders of transactions that are not final. */
  readonly mempool: Pick<Mempool, 'byId' | 'rejection'>;
  readonly prove: ExecutorPort['prove'];
}

export function createChainReads({ world, store, blocks, rows, tip, mempool, prove }: ChainReadsDependencies): ChainReads {
  const { crypto } = world;

  function heightOf(ref: number | Digest | 'latest'): number | undefined {
    if (ref === 'latest') return tip.height;
    return typeof ref === 'number' ? ref : blocks.heightOfHash(ref);
  }

  return {
    async block(ref) {
      const height = heightOf(ref);
      if (height === undefined || height > tip.height) return undefined;
      return readStoredBlock(blocks, crypto, height, createPause(world));
    },
    async headers(fromHeight, limit) {
      const found = await store.range({ from: ledgerKey.header(fromHeight), to: ledgerKey.header(tip.height + 1), limit });
      return found.map((row) => decodeHeader(row.value));
    },
    async senderOf(id) {
      const position = blocks.position(id);
      const stored = position && (await blocks.transaction(position));
      return stored ? decodeTransaction(stored).sender : (mempool.byId(id) ?? mempool.rejection(id))?.sender;
    },
    async transactionBytes(id) {
      const position = blocks.position(id);
      const transaction = position && (await blocks.transaction(position));
      const headerBytes = position && blocks.headerBytes(position.height);
      return transaction && headerBytes && { bytes: transaction, ...position, blockHash: headerHash(crypto, headerBytes) };
    },
    async stateRange(contract, from, to, limit) {
      const space = ledgerKey.state(stateKey(contract, ''));
      const end = to === undefined ? prefixEnd(space) : space + to;
      const found = await rows.range({ from: space + from, to: end, limit });
      return found.map((row) => ({ key: row.key.slice(space.length), value: row.value }));
    },
    async prove(contract, key) {
      const { height, proof } = await prove(stateKey(contract, key));
      return { height, headerBytes: blocks.headerBytes(height)!, finality: blocks.finality(height), proof };
    },
  };
}
