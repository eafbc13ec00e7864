/** Bodies and receipts of blocks may hold tens of megabytes: on the thread that votes no part of a node reads one with `get`, which holds it meanwhile. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { recordEvidence } from '../../../../node/records/evidence.ts';
import { decodeJson, type Digest, fromHex, openTransaction, transactionIn } from '../../../../node/format/index.ts';
import { createInclusions } from '../../../../node/records/inclusion.ts';
import type { BlockFiles } from '../../../../node/ledger/block-files.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { createExecutor } from '../../../../node/ledger/executor.ts';
import { inlineExecutor } from '../../../tools/inline-executor.ts';
import { lonelyNetwork } from '../../../tools/lonely-network.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createLedgerReader } from '../../../../node/ledger/reader.ts';
import { createReaderPort } from '../../../../node/ledger/reader-port.ts';
import { sharedRow } from '../../../../node/ledger/repair.ts';
import { createNode, type Node } from '../../../../node/node.ts';
import { createPause, createSlices } from '../../../../node/pace/slices.ts';
import { keyspace } from '../../../../node/store/index.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import type { LedgerStore } from '../../../../node/world.ts';
import { asSnapshot } from '../../../tools/store-snapshot.ts';
import { crypto, testKey } from '../format/genesis-fixture.ts';
import { executorOn, filesOf, genesisText, grow, transaction } from '../ledger/small-chain.ts';
import { ManualTime, MemoryLog } from '../memory-world.ts';

const HEIGHT = 3;
const SELF = 'north-1';
const bytes = transaction(2, 4);
const { id } = openTransaction(crypto, bytes);

let node: Node;
let store: LedgerStore;
const time = new ManualTime();

before(async () => {
  const written = new MemoryStore();
  await grow(executorOn(written), HEIGHT);
  store = {
    get(key) {
      if (key.startsWith(keyspace.receipts)) throw new Error('a large row is read in one piece');
      return written.get(key);
    },
    range: (options) => written.range(options),
    batch: (operations) => written.batch(operations),
    sync: () => written.sync(),
    close: () => written.close(),
  };
  const files: BlockFiles = {
    ...filesOf(written),
    bodyNow() {
      throw new Error('a large body is read in one piece');
    },
  };
  const contracts = await createContracts(crypto, 1);
  const verifier = {
    verify: async (...check: Parameters<typeof crypto.verify>) => crypto.verify(...check),
    verifyAll: async () => [],
    stop: async () => undefined,
  };
  node = await createNode({
    world: { clock: time, timers: time, log: new MemoryLog(), crypto, random: { bytes: (count) => new Uint8Array(count) }, verifier },
    ...{ network: lonelyNetwork(SELF), store, files, local: new MemoryStore(), genesisText, node: SELF, organisation: 'north' },
    voteLog: { records: [], append: async () => undefined, rewrite: async () => undefined, close: async () => undefined },
    executor: inlineExecutor(
      createExecutor({ store: written, files: filesOf(written), crypto, clock: time, genesisText, ...contracts }),
      contracts.machine.bundleDigest,
    ),
    reader: createReaderPort(createLedgerReader({ snapshot: () => asSnapshot(written), files: filesOf(written), crypto, ...contracts }), {
      clock: time,
      timers: time,
    }),
    signWithValidatorKey: (message) => testKey(`${SELF} validator`).sign(message),
    signWithCustodialKey: (message) => testKey(`${SELF} custodial`).sign(message),
    mempool: { countMax: 100, bytesMax: 1_000_000 },
  });
});

test('a transaction, its sender and its receipt are found without its block in one piece', async () => {
  assert.deepEqual((await node.transactionBytes(id))?.bytes, bytes);
  assert.equal(await node.senderOf(id), 'mes@north');
  assert.equal((await node.transaction(id)).state, 'confirmed');
  assert.equal((await node.awaitTransaction(id, 0)).state, 'confirmed');
  assert.equal(await node.transactionBytes(new Uint8Array(32)), undefined);
  assert.equal(await node.senderOf(new Uint8Array(32)), undefined);
});

test('a block, its events, evidence and inclusion are read without it', async () => {
  const block = await node.block(2);
  assert.deepEqual([block?.transactionIds, block?.receipts.length], [[id], 1]);
  const events = await node.events({ height: 0, position: 0 }, 100);
  assert.ok(events.length >= HEIGHT);
  const stored = events.find(({ transactionId }) => Buffer.from(id).equals(transactionId))!;
  const recordId: Digest = fromHex((decodeJson(stored.event.data) as { readonly id: string }).id);
  await recordEvidence(node, crypto, recordId, 1, true);
  const inclusions = createInclusions(node.blocks, crypto, createSlices({ clock: time, timers: time }));
  assert.equal((await inclusions.receipt(2, 0))?.count, 1);
  assert.equal(await inclusions.receipt(HEIGHT + 1, 0), undefined);
});

test('rows of blocks are looked through and given to peers without it', async () => {
  await node.examineBlocks(async () => undefined);
  assert.deepEqual(await node.alarms(), []);
  const pause = createPause({ clock: time, timers: time });
  for (const key of [ledgerKey.body(2), ledgerKey.receipts(2)]) assert.ok(await sharedRow(store, node.blocks, key, 2, pause));
});

test('of a block that has no such transaction there is none', async () => {
  const body = (await node.blocks.blockBytes(2))!;
  assert.deepEqual([transactionIn(body, 0), transactionIn(body, 1)], [bytes, undefined]);
});
