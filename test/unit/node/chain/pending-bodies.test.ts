/** Bodies of proposals that were voted for: there after a loss of power, pending no more when their height is final. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPendingBodies, type PendingBodies } from '../../../../node/chain/pending-bodies.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import {
  encodeHeader,
  encodeProposal,
  HEADER_VERSION,
  headerHash,
  type Header,
  toHex,
  transactionHashOf,
  utf8,
} from '../../../../node/format/index.ts';
import { type BlockFiles, openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { type BlockStore, createBlockStore, encodeHead, encodeLocation } from '../../../../node/ledger/block-store.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { locate } from '../../../../node/store/index.ts';
import { SimKeys } from '../../../simulation/crypto.ts';
import { SimFiles } from '../../../simulation/files.ts';
import { SeededRandom } from '../../../simulation/random.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { simulatedMachine } from '../simulated-machine.ts';

const keys = new SimKeys(new SeededRandom(5), 255);
const CHAIN_ID = new Uint8Array(32).fill(4);
const NOTHING = new Uint8Array(32);
const noPause = async (): Promise<void> => undefined;

function proposed(height: number, transactions: readonly Uint8Array[], timestampMs = 1, seal = utf8('seal')) {
  const header: Header = {
    ...{ version: HEADER_VERSION, chainId: CHAIN_ID, era: 0, height, parentHash: NOTHING, timestampMs, proposer: 'a', engine: 'pbft' },
    ...{ engineData: new Uint8Array(8), txRoot: NOTHING, receiptsRoot: NOTHING, stateRoot: NOTHING },
    ...{ consensusHash: NOTHING, nextConsensusHash: NOTHING },
  };
  const headerBytes = encodeHeader(header);
  const transactionHashes = transactions.map((bytes) => transactionHashOf(keys, bytes));
  return {
    proposal: encodeProposal({ header: headerBytes, seal, transactionHashes }),
    body: { height, headerBytes, seal, transactions },
    digest: headerHash(keys, headerBytes),
  };
}

const save = (pending: PendingBodies, { proposal, body }: ReturnType<typeof proposed>) => pending.save(proposal, body, noPause);
const held = (pending: PendingBodies, bodies: readonly Uint8Array[]) =>
  bodies.map((body) => pending.transaction(transactionHashOf(keys, body)) !== undefined);

/** A chain of which the body of `height` is final and stands at `location`. */
function chainAt(files: BlockFiles, height: number, location: number): BlockStore {
  const store = new MemoryStore();
  const head = encodeHead({ height, hash: NOTHING, stateRoot: NOTHING });
  const rows = [
    { key: ledgerKey.head, value: head },
    { key: ledgerKey.body(height), value: encodeLocation(location) },
  ];
  store.batch(rows).catch(assert.fail);
  return createBlockStore(store, files);
}

test('what was saved outlives a loss of power, height by height, until the height is final', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { machine, scheduler } = simulatedMachine(seed);
    const during = async <T>(work: Promise<T>): Promise<T> => {
      let over = false;
      const watched = work.finally(() => {
        over = true;
      });
      const tick = () => void (over || scheduler.after(0.5, tick)); // long chains of promises go on with the next event
      tick();
      await scheduler.run(scheduler.nowMs + 1_000, () => over);
      return watched;
    };
    const bodies = ['one', 'two', 'three', 'four'].map((name) => utf8(name));
    const open = async () => {
      const { world, openDirectory } = machine.boot();
      const files = await openBlockFiles({ directory: openDirectory('blocks'), chainId: CHAIN_ID, world });
      return { files, pending: await openPendingBodies(files, createBlockStore(new MemoryStore(), files), keys) };
    };
    const { pending } = await during(open());
    const location = await during(save(pending, proposed(5, [bodies[0]!, bodies[1]!])));
    await during(save(pending, proposed(6, [bodies[2]!])));
    void save(pending, proposed(6, [bodies[3]!])); // under way when the power goes
    await scheduler.run(scheduler.nowMs + 0.2, () => false);
    machine.crash();
    const { files, pending: again } = await during(open());
    assert.deepEqual(held(again, bodies).slice(0, 3), [true, true, true], `seed ${seed}`);
    again.drop(5);
    assert.deepEqual(held(again, bodies).slice(0, 3), [false, false, true]);
    const later = await during(openPendingBodies(files, chainAt(files, 5, location), keys));
    assert.deepEqual(held(later, bodies).slice(0, 3), [false, false, true], 'behind the body of the head');
  }
});

test('after a restart the transactions of every proposal voted for are at hand, however many views failed at the height', async () => {
  const disk = new SimFiles();
  const empty = (files: BlockFiles) => createBlockStore(new MemoryStore(), files);
  const first = memoryBlockFiles(CHAIN_ID, disk);
  const saving = await openPendingBodies(first, empty(first), keys);
  const bodies = Array.from({ length: 300 }, (_, view) => utf8(`transaction of view ${view}`));
  for (const [view, bytes] of bodies.entries()) await save(saving, proposed(7, [bytes], view));
  const next = memoryBlockFiles(CHAIN_ID, disk);
  const reopened = await openPendingBodies(next, empty(next), keys);
  for (const bytes of bodies) assert.deepEqual(reopened.transaction(transactionHashOf(keys, bytes)), bytes);
  reopened.drop(7);
  assert.deepEqual(held(reopened, bodies.slice(0, 3)), [false, false, false]);
});

test('a body that is on disk is not written again, before a restart or after it, and one that failed is', async () => {
  const disk = new SimFiles();
  const files = memoryBlockFiles(CHAIN_ID, disk);
  const blocks = createBlockStore(new MemoryStore(), files);
  const pending = await openPendingBodies(files, blocks, keys);
  const block = proposed(1, [utf8('one')]);
  disk.roomBytes = 0;
  await assert.rejects(save(pending, block), (error) => error instanceof ChainError && error.code === 'STORE_FULL');
  disk.roomBytes = Number.POSITIVE_INFINITY;
  const location = await save(pending, block);
  const writes = (): number => disk.calls.filter(({ kind }) => kind === 'write').length;
  const before = writes();
  assert.equal(await save(pending, block), location);
  const again = memoryBlockFiles(CHAIN_ID, disk);
  const reopened = await openPendingBodies(again, blocks, keys);
  assert.equal(await save(reopened, block), location);
  assert.equal(writes(), before);
});

test('the header of a proposal given with another list or another seal is another body', async () => {
  const files = memoryBlockFiles(CHAIN_ID);
  const pending = await openPendingBodies(files, createBlockStore(new MemoryStore(), files), keys);
  const variants = [proposed(1, [utf8('false')]), proposed(1, [utf8('true')]), proposed(1, [utf8('true')], 1, utf8('laes'))];
  assert.equal(new Set(variants.map(({ digest }) => toHex(digest))).size, 1);
  const locations = await Promise.all(variants.map((variant) => save(pending, variant)));
  assert.equal(new Set(locations).size, 3);
});

test('when the body of the head is not where its row says, proposals are looked for in all files', async () => {
  const disk = new SimFiles();
  const files = memoryBlockFiles(CHAIN_ID, disk);
  const transaction = utf8('prepared after the files were lost');
  await save(await openPendingBodies(files, createBlockStore(new MemoryStore(), files), keys), proposed(6, [transaction]));
  const pending = await openPendingBodies(files, chainAt(files, 5, locate(1, 40_000)), keys);
  assert.deepEqual(held(pending, [transaction]), [true]);
});
