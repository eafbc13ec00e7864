import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ChainError } from '../../../../node/errors/index.ts';
import {
  decodeCurrentConfiguration,
  type Digest,
  encodeConfiguration,
  fromByteText,
  parameterTable,
  toByteText,
  toHex,
} from '../../../../node/format/index.ts';
import { type BlockStore, LIFETIMES_READ_MAX } from '../../../../node/ledger/block-store.ts';
import { createTip } from '../../../../node/chain/tip.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { openSpentIds, SPENT_FILTERS_MAX, SPENT_IDS_PER_FILTER, SpentIds } from '../../../../node/ledger/spent-ids.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { add, blocksOn, executorOn, transaction } from './small-chain.ts';

const idOf = (n: number): Digest => createHash('sha256').update(String(n)).digest();
const idsOf = (first: number, count: number): Digest[] => Array.from({ length: count }, (_, i) => idOf(first + i));

/** A store of ids that counts how often it is asked. */
function stored(): { readonly ids: Set<string>; asked: number; readonly isStored: (id: Digest) => boolean } {
  const store = {
    ids: new Set<string>(),
    asked: 0,
    isStored(id: Digest): boolean {
      store.asked++;
      return store.ids.has(toByteText(id));
    },
  };
  return store;
}

test('ids of the blocks since the start are known, and of others the store is asked hardly ever', () => {
  const store = stored();
  const spent = new SpentIds(0, store.isStored);
  for (let block = 0; block < 20; block++) {
    const ids = idsOf(block * 1_000, 1_000);
    for (const id of ids) store.ids.add(toByteText(id));
    spent.add(ids, block + 10_000);
  }
  for (const id of idsOf(0, 20_000)) assert.equal(spent.has(id, 1), true);
  assert.equal(store.asked, 20_000, 'the store has the last word');
  store.asked = 0;
  for (const id of idsOf(20_000, 20_000)) assert.equal(spent.has(id, 1), false);
  assert.ok(store.asked < 20, `the store was asked ${store.asked} times`);
});

test('what may stand in a block before the start is asked of the store', () => {
  const store = stored();
  const spent = new SpentIds(500, store.isStored);
  store.ids.add(toByteText(idOf(1)));
  assert.equal(spent.has(idOf(1), 500), true);
  assert.equal(spent.has(idOf(2), 500), false);
  assert.equal(store.asked, 2);
  assert.equal(spent.has(idOf(2), 501), false);
  assert.equal(store.asked, 2, 'it expires too late for any of them');
});

test('the oldest filter goes for a new one, and the store is asked for what it may have held', () => {
  const store = stored();
  const spent = new SpentIds(0, store.isStored);
  const first = idsOf(0, 2);
  for (const id of first) store.ids.add(toByteText(id));
  spent.add(first, 40);
  const others = idsOf(10, 1_024);
  for (let filter = 0; filter < SPENT_FILTERS_MAX; filter++) {
    assert.equal(spent.has(first[0]!, 40), true);
    assert.equal(spent.has(idOf(5), 40), false);
    assert.equal(store.asked, filter + 1);
    for (let count = 0; count < SPENT_IDS_PER_FILTER; count += others.length) spent.add(others, 60 + filter);
  }
  store.asked = 0;
  assert.equal(spent.has(first[1]!, 40), true);
  assert.equal(spent.has(idOf(5), 60), false);
  assert.equal(store.asked, 2);
  assert.equal(spent.has(idOf(5), 61), false);
  assert.equal(store.asked, 2);
});

/** A chain whose transactions may live for so many blocks from each of the heights on. */
async function chainOf(lifetimes: readonly (readonly [height: number, blocks: number])[], store = new MemoryStore()): Promise<BlockStore> {
  const configuration = decodeCurrentConfiguration((await executorOn(new MemoryStore()).open()).configuration);
  for (const [height, txLifetimeBlocksMax] of lifetimes) {
    const parameters = { ...configuration.parameters, txLifetimeBlocksMax };
    await store.batch([{ key: ledgerKey.configuration(height), value: encodeConfiguration({ ...configuration, parameters }) }]);
  }
  return blocksOn(store);
}

test('no transaction of a block expires above the height that the store tells', async () => {
  const steady = await chainOf([[0, 100]]);
  assert.equal(await steady.expiryMax(0), 0, 'there is none');
  assert.equal(await steady.expiryMax(7), 107);
  const lowered = await chainOf([
    [0, 1_000],
    [50, 30],
    [60, 20],
  ]);
  assert.equal(await lowered.expiryMax(49), 1_049);
  assert.equal(await lowered.expiryMax(70), 1_049, 'one of block 49 may have expired as late');
  assert.equal(await lowered.expiryMax(2_000), 2_020);
  const many = await chainOf(Array.from({ length: LIFETIMES_READ_MAX + 1 }, (_, i) => [10 * i, 16] as const));
  assert.equal(await many.expiryMax(700), 9 + parameterTable.txLifetimeBlocksMax.max, 'what is not read is taken for as long as it may be');
});

test('a chain that is opened anew asks the store for what its blocks may hold, and for all when it cannot tell', async () => {
  const store = new MemoryStore();
  const blocks = await chainOf([[0, 100]], store);
  await store.batch([{ key: ledgerKey.position(idOf(1)), value: new Uint8Array(12) }]);
  const spent = await openSpentIds(blocks, 7);
  assert.deepEqual([spent.has(idOf(1), 107), spent.has(idOf(2), 107), spent.has(idOf(1), 108)], [true, false, false]);
  const key = toHex(fromByteText(ledgerKey.configuration(0)));
  const damaged = { ...blocks, expiryMax: () => Promise.reject(new ChainError('STORE_DAMAGED', { key })) };
  assert.equal((await openSpentIds(damaged, 7)).has(idOf(1), 1_000_000), true);
});

test('what a tip went past may not come again', async () => {
  const store = new MemoryStore();
  const executor = executorOn(store);
  const opened = await executor.open();
  const ids = stored();
  const tip = createTip(opened, { account: () => undefined, spent: new SpentIds(0, ids.isStored) });
  const committed = await add(executor, opened, transaction(1, 1));
  const [id] = committed.transactionIds;
  ids.ids.add(toByteText(id!));
  const lifetime = tip.configuration.parameters.txLifetimeBlocksMax;
  assert.equal(tip.admission().spent(id!, lifetime), false, 'no block that this node was told of holds it');
  tip.advance(committed);
  assert.equal(tip.admission().spent(id!, lifetime), true);
  assert.equal(tip.admission().spent(idOf(1), lifetime), false);
});
