/** What the executor does when the store under it fails: no verdict, no receipt, no end of the thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT, production, stateKey } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import {
  type ByteText,
  encodeSubmissions,
  fromByteText,
  openGenesis,
  openTransaction,
  prefixEnd,
  signTransaction,
  toHex,
} from '../../../../node/format/index.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { createExecutor } from '../../../../node/ledger/executor.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { prepareRecord } from '../../../../node/records/index.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto, genesisFixture, testKey } from '../format/genesis-fixture.ts';
import { annexRecord } from '../records/sample.ts';

class DamagedStore extends MemoryStore {
  damaged: ByteText | undefined;
  override get(key: ByteText): Uint8Array | undefined {
    if (this.damaged !== undefined && key.startsWith(this.damaged)) throw new ChainError('STORE_DAMAGED', { key });
    return super.get(key);
  }
}

/** A chain of one organisation in memory, and transactions of one record each for its first block. */
async function opened(store: MemoryStore, clock = { monotonic: () => 0 }) {
  const genesis = genesisFixture();
  const executor = createExecutor({
    store,
    files: memoryBlockFiles(new Uint8Array(32)),
    crypto,
    clock,
    genesisText: JSON.stringify(genesis),
    ...(await createContracts(crypto, 1)),
  });
  const tip = await executor.open();
  const { chainId } = openGenesis(crypto, JSON.stringify(genesis));
  let salt = 0;
  const transactionOf = (product: string) => {
    const preparation = prepareRecord(
      { crypto, org: 'north', sealingKey: new Uint8Array(32) },
      production,
      annexRecord({ product_uid: product, pro_factory_uid: 'F1', ext: { device_id: 'D1' }, production_time: '2023-11-01T00:00:00Z' }),
    );
    assert.equal(preparation.ok, true);
    const { submission } = (preparation as Extract<typeof preparation, { ok: true }>).prepared;
    const { bytes } = signTransaction(
      crypto,
      {
        chainId,
        sender: 'mes@north',
        keyId: 'k1',
        salt: new Uint8Array(16).fill(salt++),
        expiryHeight: 10,
        calls: [{ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions([submission]) }],
        gasLimit: 100_000_000,
        suite: 1,
      },
      (message) => testKey('mes').sign(message),
    );
    return { bytes, publicKey: testKey('mes').publicKey };
  };
  const requestOn = (parent: typeof tip, ...products: readonly string[]) => ({
    height: parent.height + 1,
    parent: parent.hash,
    timestampMs: genesis.timestampMs + 1_000 * (parent.height + 1),
    proposer: 'north-1',
    engineData: new Uint8Array(8),
    transactions: products.map(transactionOf),
    workMsMax: 100,
  });
  const requestOf = (...products: readonly string[]) => requestOn(tip, ...products);
  /** Commits a block of one record. @returns requests for the block after it */
  const storeRecord = async (product: string) => {
    const { hash } = await executor.build(requestOf(product));
    const committed = await executor.commit({ hash, body: 0, finality: undefined });
    return (...products: readonly string[]) => requestOn(committed, ...products);
  };
  return { executor, requestOf, storeRecord };
}

test('a proposer begins no transaction after its time is over, leaves the rest unjudged, and takes one however slow it is', async () => {
  let nowMs = 0;
  const clock = { monotonic: () => (nowMs += 40) };
  const { executor, requestOf } = await opened(new MemoryStore(), clock);
  const built = await executor.build(requestOf('P-1', 'P-2', 'P-3', 'P-4', 'P-5', 'P-6'));
  assert.deepEqual([built.included, built.refused], [[0, 1, 2], []]); // asked at 80 and 120 ms after 40, over at 140
  const slow = await opened(new MemoryStore(), { monotonic: () => (nowMs += 1_000) });
  assert.deepEqual((await slow.executor.build(slow.requestOf('P-1', 'P-2'))).included, [0]);
});

test('a damaged row met by a contract refuses the execution with STORE_DAMAGED, and the block executes once the row can be read', async () => {
  const store = new DamagedStore();
  const { executor, storeRecord } = await opened(store);
  const request = await storeRecord('P-1');
  store.damaged = ledgerKey.state(stateKey(CONTRACT.records, ''));
  await assert.rejects(executor.build(request('P-1')), { code: 'STORE_DAMAGED' }); // a retry reads what is there
  store.damaged = undefined;
  const built = await executor.build(request('P-1'));
  assert.deepEqual([built.included, built.refused], [[0], []]);
  const committed = await executor.commit({ hash: built.hash, body: 0, finality: undefined });
  assert.deepEqual([committed.height, committed.receipts.length], [2, 1]);
});

test('a value that the map holds and no row does is a damaged store, and not one that was never written', async () => {
  const store = new MemoryStore();
  const { executor, storeRecord } = await opened(store);
  const request = await storeRecord('P-1');
  const from = ledgerKey.state(stateKey(CONTRACT.records, 'v'));
  const [row] = await store.range({ from, to: prefixEnd(from), limit: 1 });
  await store.batch([{ key: row!.key, value: undefined }]);
  await assert.rejects(executor.build(request('P-1')), {
    code: 'STORE_DAMAGED',
    data: { table: 'state', key: toHex(fromByteText(row!.key)) },
  });
});

test('a block is the same whether its transactions come with their digests or have them made anew', async () => {
  const { executor, requestOf } = await opened(new MemoryStore());
  const request = { ...requestOf('P-1', 'P-2'), proposer: 'east-1' };
  const transactions = request.transactions.map((transaction) => {
    const { id, hash } = openTransaction(crypto, transaction.bytes);
    return { ...transaction, id, hash };
  });
  const [plain, known] = [await executor.build(request), await executor.build({ ...request, transactions })];
  assert.deepEqual([known.hash, known.included], [plain.hash, [0, 1]]);
  const other = await opened(new MemoryStore());
  const executed = await other.executor.execute({ headerBytes: plain.headerBytes, transactions });
  assert.deepEqual([executed.hash, executed.failed], [plain.hash, []]);
});

test('a directory of another form is refused by that name, whichever way it differs, and nothing in it changes', async () => {
  for (const value of [undefined, Uint8Array.of(0, 0, 0, 9)]) {
    const store = new MemoryStore();
    await (await opened(store)).storeRecord('P-1');
    await store.batch([{ key: ledgerKey.form, value }]);
    const { size } = store;
    await assert.rejects(opened(store), { code: 'STORE_FORM', data: { form: value ? 9 : null, formRead: 1 } });
    assert.equal(store.size, size);
  }
});
