/** An executor whose state map lies in a page file for the most part, which gives back other bytes or takes none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHeader, toHex, verifyStateProof } from '../../../../node/format/index.ts';
import { pathOf } from '../../../../node/ledger/state-rows.ts';
import type { PagesDamaged } from '../../../../node/state/index.ts';
import { keyspace } from '../../../../node/store/keyspace.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { Pages } from '../state/pages.ts';
import { add, executorOn, filesOf, grow, requestOf, transaction, useFiles } from './small-chain.ts';

const HEIGHT = 12;
const RECORDS = 400;
const stored = new MemoryStore();
await grow(executorOn(stored), HEIGHT, RECORDS);
const stateRows = (await stored.range({ from: keyspace.state, to: `${keyspace.state}\xff`, limit: 1_000_000 })).map(({ key }) => key);

async function copied(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.batch(await stored.range({ from: '', to: undefined, limit: 1_000_000 }));
  useFiles(store, filesOf(stored)); // they are appended to and never changed
  return store;
}

/** The same chain, in an executor whose map has spilled all but a megabyte. */
async function spilled() {
  const store = await copied();
  const pages = new Pages();
  const loaded: PagesDamaged[] = [];
  const faults: string[] = [];
  const executor = executorOn(store, {
    mapRoom: { mapMemoryBytesMax: 1, pages, onFault: ({ code }) => faults.push(code) },
    onMapLoaded: (fault) => loaded.push(fault),
  });
  const tip = await executor.open();
  return { store, pages, executor, tip, loaded, faults };
}

/** A bit of every page is another, or as it was again. */
function flip(pages: Pages): void {
  for (let at = 7; at < pages.bytes.length; at += 4096) pages.bytes[at]! ^= 1;
}

const stateRoot = ({ headerBytes }: { readonly headerBytes: Uint8Array }): string => toHex(decodeHeader(headerBytes).stateRoot);

test('bytes that a page file changed cost the time to load the map again: blocks and proofs stay those of a map in memory', async () => {
  const { pages, executor, loaded, tip } = await spilled();
  const whole = executorOn(await copied());
  let wholeTip = await whole.open();
  let ownTip = tip;
  assert.equal(stateRoot(ownTip), stateRoot(wholeTip));
  for (let height = HEIGHT + 1; height <= HEIGHT + 4; height++) {
    flip(pages);
    ownTip = await add(executor, ownTip, transaction(height, RECORDS));
    wholeTip = await add(whole, wholeTip, transaction(height, RECORDS));
    assert.equal(stateRoot(ownTip), stateRoot(wholeTip));
    flip(pages);
    for (const row of stateRows.filter((_, i) => i % 400 === 0)) {
      const key = pathOf(row);
      const { proof } = await executor.prove(key);
      assert.ok(verifyStateProof(crypto, decodeHeader(ownTip.headerBytes).stateRoot, proof, key).present);
    }
  }
  assert.ok(loaded.length >= 8, `${loaded.length} loads`);
  assert.deepEqual(loaded[0]!.data.table, 'state map pages');
});

test('a block that was executed on a map that is gone is executed again', async () => {
  const { pages, executor, loaded, tip } = await spilled();
  const request = requestOf(tip, transaction(HEIGHT + 1, RECORDS));
  const { hash } = await executor.build(request);
  flip(pages);
  for (let i = 0; loaded.length === 0; i++) await executor.prove(pathOf(stateRows[i]!));
  await assert.rejects(executor.commit({ hash, body: 0, finality: undefined }), { code: 'BLOCK_NOT_FOUND' });
  assert.deepEqual((await executor.build(request)).hash, hash);
  assert.equal((await executor.commit({ hash, body: 0, finality: undefined })).height, HEIGHT + 1);
});

test('a commit that meets a damaged page when it collects garbage has its block in the store and in the map', async () => {
  const { pages, executor, loaded, tip } = await spilled();
  let head = tip;
  for (let height = HEIGHT + 1; loaded.length === 0; height++) {
    const { hash } = await executor.build(requestOf(head, transaction(height, RECORDS)));
    assert.equal(loaded.length, 0);
    pages.readsLost = 1;
    head = await executor.commit({ hash, body: 0, finality: undefined });
    pages.readsLost = 0;
    assert.ok(height < HEIGHT + 20, 'garbage is collected');
  }
  assert.equal((await add(executor, head, transaction(head.height + 1, 1))).height, head.height + 1);
});
