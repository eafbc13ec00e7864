/** Receipts of the latest blocks are answered from memory, those of others from the store, and both alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReceipts, RECENT_BLOCKS_MAX, RECENT_BYTES_MAX } from '../../../../node/chain/receipts.ts';
import { createCrypto } from '../../../../node/crypto/index.ts';
import { type Digest, encodeHeader, encodeReceipt, type Header, headerHash, toHex } from '../../../../node/format/index.ts';
import type { BlockStore } from '../../../../node/ledger/block-store.ts';
import type { Waiting } from '../../../../node/chain/mempool/mempool.ts';
import type { Committed } from '../../../../node/ledger/executor.ts';
import { realTimers } from '../../../../node/real/world.ts';

const crypto = createCrypto();
const digest = (text: string): Digest => crypto.hash(new TextEncoder().encode(text));
const idAt = (height: number): Digest => digest(`transaction ${height}`);

function committed(height: number, resultBytes = 0): Committed {
  const header: Header = {
    version: 1,
    chainId: digest('chain'),
    era: 0,
    height,
    parentHash: digest('parent'),
    timestampMs: 1_000 * height,
    proposer: 'a',
    engine: 'pbft',
    engineData: new Uint8Array(8),
    txRoot: digest('t'),
    receiptsRoot: digest('r'),
    stateRoot: digest('s'),
    consensusHash: digest('c'),
    nextConsensusHash: digest('c'),
  };
  const headerBytes = encodeHeader(header);
  const receipt = encodeReceipt({
    transactionId: idAt(height),
    height,
    index: 0,
    status: 'ok',
    code: 'OK',
    detail: new Uint8Array(0),
    failedCall: 0,
    gasUsed: 1,
    keyKind: 'custodial',
    results: resultBytes === 0 ? [] : [new Uint8Array(resultBytes)],
    events: [],
  });
  return {
    height,
    hash: headerHash(crypto, headerBytes),
    headerBytes,
    transactionIds: [idAt(height)],
    receipts: [receipt],
    recordFacts: undefined,
    configuration: new Uint8Array(0),
    barrier: false,
    registryChanged: false,
  };
}

/** Receipts over a store that holds every block given, and the heights whose receipts were read from it. */
function over(blocks: readonly Committed[]) {
  const read: number[] = [];
  const asked: string[] = [];
  const waiting = new Map<string, Waiting>();
  const at = (height: number) => blocks.find((block) => block.height === height);
  const store = {
    position: (id: Digest) => {
      asked.push(toHex(id));
      const block = blocks.find(({ transactionIds }) => toHex(transactionIds[0]!) === toHex(id));
      return block && { height: block.height, index: 0 };
    },
    headerBytes: (height: number) => at(height)?.headerBytes,
    receiptBytes: async (height: number) => {
      read.push(height);
      return at(height)?.receipts;
    },
  } as unknown as BlockStore;
  const mempool = { byId: (id: Digest) => waiting.get(toHex(id)), rejection: () => undefined };
  const clock = { now: () => 0, monotonic: () => 0 };
  return { read, asked, waiting, receipts: createReceipts({ crypto, blocks: store, mempool, clock, timers: realTimers }) };
}

test('a receipt of one of the latest blocks is not read from the store, and says the same', async () => {
  const blocks = Array.from({ length: RECENT_BLOCKS_MAX + 1 }, (_, i) => committed(i + 1));
  const { read, receipts } = over(blocks);
  const fromStore = await Promise.all(blocks.map(({ height }) => receipts.status(idAt(height))));
  assert.equal(read.splice(0).length, blocks.length);
  for (const block of blocks) receipts.onCommitted(block);
  assert.deepEqual(await Promise.all(blocks.map(({ height }) => receipts.status(idAt(height)))), fromStore);
  assert.deepEqual(read.splice(0), [1], 'the oldest alone had left');
  for (const block of blocks) assert.deepEqual(await receipts.bytesOf(block.height), block.receipts);
  assert.deepEqual(read, [1]);
});

test('receipts of large blocks leave earlier, the newest stay', async () => {
  const blocks = [1, 2, 3].map((height) => committed(height, RECENT_BYTES_MAX / 2));
  const { read, receipts } = over(blocks);
  for (const block of blocks) receipts.onCommitted(block);
  for (const { height } of blocks) await receipts.status(idAt(height));
  assert.deepEqual(read, [1, 2]);
});

test('to wait for what is in the mempool asks the store nothing, and is over with its block', async () => {
  const blocks = [committed(1), committed(2)];
  const { asked, waiting, receipts } = over(blocks);
  const id = idAt(1);
  waiting.set(toHex(id), { id, addedMs: 0 } as unknown as Waiting);
  const answer = receipts.wait(id, 1_000);
  const other = receipts.wait(idAt(2), 1_000);
  assert.deepEqual(asked.splice(0), [toHex(idAt(2))], 'it may be final already');
  assert.equal((await other).state, 'confirmed');
  waiting.clear();
  receipts.onCommitted(blocks[0]!);
  assert.equal((await answer).state, 'confirmed');
});
