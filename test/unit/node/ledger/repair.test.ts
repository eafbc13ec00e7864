/** Damage done to real values of a LevelDB database, and what becomes of it: repaired to the same bytes, by no word but that of a hash. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { CONTRACT, stateKey } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { type ByteText, decodeAll, equalBytes, fromByteText, toByteText, toHex } from '../../../../node/format/index.ts';
import { repairWith } from '../../../../node/ledger/body-repair.ts';
import { type BlockStore, createBlockStore, encodeLocation } from '../../../../node/ledger/block-store.ts';
import { EXAMINE_STEP, examineBlocks } from '../../../../node/ledger/examine.ts';
import type { Executor } from '../../../../node/ledger/executor.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { sharedRow } from '../../../../node/ledger/repair.ts';
import { createStateRows, pathOf } from '../../../../node/ledger/state-rows.ts';
import { encodeUndo } from '../../../../node/ledger/undo.ts';
import { createPause } from '../../../../node/pace/slices.ts';
import { keyspace } from '../../../../node/store/keyspace.ts';
import { damagedKey } from '../../../../node/store/mend.ts';
import { type LevelStore, openLevelStore } from '../../../../node/store/level-store.ts';
import { SimFiles } from '../../../simulation/files.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import type { Store } from '../../../../node/world.ts';
import { createRepairer, REPAIR_RETRY_MIN_MS } from '../../../../node/peers/index.ts';
import { leastHold } from '../../api/rest/thread-hold.ts';
import { ManualTime } from '../memory-world.ts';
import { until, world } from '../peers/stand-in.ts';
import { blocksOn, chainId, executorOn, filesOf, grow, useFiles } from './small-chain.ts';

const HEIGHT = 6;
const noPause = async (): Promise<void> => undefined;

/** The same chain on LevelDB and at a peer that is `ahead` blocks further on. */
async function withChains(ahead: number, run: (path: string, peer: Store, disk: SimFiles) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'repair-test-'));
  const disk = new SimFiles();
  disks.set(path, disk);
  try {
    const store = await openStore(path);
    await grow(executorOn(store), HEIGHT);
    await store.close();
    const peer = new MemoryStore();
    await grow(executorOn(peer), HEIGHT + ahead);
    await run(path, peer, disk);
  } finally {
    disks.delete(path);
    await rm(path, { recursive: true, force: true });
  }
}

const disks = new Map<string, SimFiles>();

/** With the block files beside it, as another process finds both. */
async function openStore(path: string): Promise<LevelStore> {
  const store = await openLevelStore({ path });
  useFiles(store, memoryBlockFiles(chainId, disks.get(path)!));
  return store;
}

/** Flips a bit of stored values behind the store's back. */
async function damage(path: string, keys: readonly ByteText[]): Promise<void> {
  const raw = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  for (const key of keys) {
    const stored = Buffer.from((await raw.get(Buffer.from(key, 'latin1')))!);
    stored[stored.length >> 1]! ^= 1;
    await raw.put(Buffer.from(key, 'latin1'), stored);
  }
  await raw.close();
}

async function firstKeys(store: Store, prefix: ByteText, limit: number): Promise<ByteText[]> {
  return (await store.range({ from: prefix, to: `${prefix}\xff`, limit })).map((row) => row.key);
}

const isDamaged = (error: unknown) => error instanceof ChainError && error.code === 'STORE_DAMAGED';

/** Repairs as a node does, with one peer. Resolves with what made good for the row. */
async function repaired(executor: Executor, peer: Store, key: ByteText): Promise<string> {
  let settle: (by: string) => void = () => undefined;
  const done = new Promise<string>((resolve) => {
    settle = resolve;
  });
  const repairer = createRepairer({
    world,
    network: {
      onPeer: () => undefined,
      peers: () => [{ node: 'peer', connected: true, lastSeenMs: 0, address: undefined }],
      report: (_node, code) => settle(code),
    },
    repair: repairWith(executor, filesOf(executor)),
    getRow: (_peer, row, height) => sharedRow(peer, blocksOn(peer), toByteText(row), height, noPause),
    onRepaired: (_key, { by }) => settle(by),
    onLost: () => settle('lost'),
  });
  repairer.damaged(key);
  const by = await done;
  await repairer.stop();
  return by;
}

test('a damaged row of every kind is repaired to the bytes it had, from its own store or by hash from a peer', () =>
  withChains(2, async (path, peer) => {
    const reading = await openStore(path);
    const block = blocksOn(reading);
    const rows = await firstKeys(reading, keyspace.state, 1_000);
    const record = rows.filter((key) => key.startsWith(ledgerKey.state(stateKey(CONTRACT.records, ''))));
    const [large] = await firstKeys(reading, keyspace.stateValue, 1);
    const [position] = await firstKeys(reading, keyspace.positionById, 1);
    const hash = (await firstKeys(reading, keyspace.heightByHash, 3))[2]!;
    const cases: [ByteText, string][] = [
      [ledgerKey.head, 'own rows'],
      [ledgerKey.genesis, 'own rows'],
      [ledgerKey.form, 'own rows'],
      [ledgerKey.header(3), 'own rows'],
      [ledgerKey.header(HEIGHT), 'own rows'],
      [ledgerKey.body(3), 'peer'],
      [ledgerKey.body(HEIGHT), 'peer'],
      [ledgerKey.certificate(4), 'peer'],
      [ledgerKey.receipts(4), 'peer'],
      [ledgerKey.receipts(HEIGHT), 'peer'],
      [ledgerKey.configuration(0), 'own rows'],
      [ledgerKey.undo(HEIGHT), 'peer'],
      [ledgerKey.undo(2), 'peer'],
      [hash, 'peer'],
      [position!, 'peer'],
      [rows[0]!, 'peer'],
      [rows.at(-1)!, 'peer'],
      [record[0]!, 'peer'],
      [large!, 'peer'],
    ];
    const before = new Map(cases.map(([key]) => [key, valueIn(reading, key)!]));
    assert.equal(block.head()?.height, HEIGHT);
    await reading.close();
    for (const [key, from] of cases) {
      const name = `${key[0]} ${toHex(fromByteText(key)).slice(0, 40)}`;
      await damage(path, [key]);
      const store = await openStore(path);
      assert.throws(() => store.get(key), isDamaged, name);
      const executor = executorOn(store);
      await executor.open(); // puts right what it needs
      assert.match(await repaired(executor, peer, key), from === 'peer' ? /^peer$/ : /^(?:own rows|itself)$/, name);
      assert.ok(equalBytes(valueIn(store, key)!, before.get(key)!), `${name} came back with other bytes`);
      assert.equal((await executor.open()).height, HEIGHT, name);
      await store.close();
    }
  }));

test('a body that its files lost is had from a peer: where it stood when it can stand there, else its row says where', () =>
  withChains(0, async (path, peer, disk) => {
    for (const lose of [
      (name: string) => disk.flip(name, disk.bytesOf(name).length - 50),
      (name: string) => void disk.files.delete(name),
    ]) {
      const store = await openStore(path);
      const before = store.get(ledgerKey.body(HEIGHT))!;
      for (const name of [...disk.files.keys()]) lose(name);
      const executor = executorOn(store);
      await executor.open();
      const told: ByteText[] = [];
      await examineBlocks(store, blocksOn(store), world.crypto, HEIGHT, (key) => void told.push(key), noPause, noPause);
      assert.ok(told.includes(ledgerKey.body(HEIGHT)));
      const isGone = disk.files.size === 0;
      assert.equal(told.length, isGone ? HEIGHT : 1);
      for (const key of told.reverse()) assert.equal(await repaired(executor, peer, key), 'peer');
      assert.equal(equalBytes(store.get(ledgerKey.body(HEIGHT))!, before), !isGone);
      for (let height = 1; height <= HEIGHT; height++)
        assert.deepEqual(await blocksOn(store).blockBytes(height), await blocksOn(peer).blockBytes(height));
      await store.close();
    }
  }));

test('a body that cannot be read is told by the row that says where it stands, to whoever watches the store', async () => {
  const store = new MemoryStore();
  await grow(executorOn(store), 2);
  await store.batch([{ key: ledgerKey.body(2), value: encodeLocation(blocksOn(store).bodyLocation(1)!) }]);
  const told: ByteText[] = [];
  const blocks = createBlockStore(store, filesOf(store), (key) => told.push(key));
  await assert.rejects(blocks.blockBytes(2), (error) => damagedKey(error) === ledgerKey.body(2));
  assert.throws(
    () => blocks.transactionNow(2, 0),
    (error) => damagedKey(error) === ledgerKey.body(2),
  );
  assert.deepEqual(told, [ledgerKey.body(2), ledgerKey.body(2)]);
});

test('the value row a damaged state row pointed to is let go when it is damaged too: the repaired row holds the value itself', () =>
  withChains(0, async (path, peer) => {
    const reading = await openStore(path);
    const [large] = await firstKeys(reading, keyspace.stateValue, 1);
    await reading.close();
    const stateRow = ledgerKey.state(pathOf(large!));
    await damage(path, [stateRow, large!]);
    const store = await openStore(path);
    const executor = executorOn(store);
    await executor.open();
    assert.equal(await repaired(executor, peer, stateRow), 'peer');
    assert.equal(await repaired(executor, peer, large!), 'own rows');
    assert.equal(store.get(large!), undefined);
    assert.ok(equalBytes(valueIn(store, stateRow)!, valueIn(peer, stateRow)!));
    assert.equal((await executor.open()).height, HEIGHT);
    await store.close();
  }));

test('several rows that need one another are repaired together, and the chain goes on to the same roots', () =>
  withChains(0, async (path, peer) => {
    const reading = await openStore(path);
    const changes = await firstKeys(reading, keyspace.mapChanges, 1_000);
    const values = (await firstKeys(reading, keyspace.state, 1_000))
      .filter((key) => key.startsWith(ledgerKey.state(stateKey(CONTRACT.records, ''))))
      .slice(0, 3);
    await reading.close();
    const damagedKeys = [ledgerKey.header(2), ledgerKey.body(2), ...changes.slice(0, 2), ...values.slice(0, 1)];
    await damage(path, damagedKeys);
    const store = await openStore(path);
    const executor = executorOn(store);
    await executor.open();
    // A start puts right what it cannot do without, but for the value: of that a peer must be asked.
    for (const key of [...damagedKeys].reverse()) assert.match(await repaired(executor, peer, key), /^(own rows|peer|itself)$/);
    for (const key of damagedKeys)
      assert.equal(store.get(key) === undefined, changes.includes(key), 'a snapshot takes the place of change sets');
    await grow(executor, HEIGHT + 2);
    await grow(executorOn(peer), HEIGHT + 2);
    assert.deepEqual(blocksOn(store).head(), blocksOn(peer).head());
    await store.close();
  }));

test('a lying peer is refused for every kind of row, and nothing of what it says is stored', () =>
  withChains(0, async (path, peer) => {
    const reading = await openStore(path);
    const rows = await firstKeys(reading, keyspace.state, 1_000);
    const [large] = await firstKeys(reading, keyspace.stateValue, 1);
    const [position] = await firstKeys(reading, keyspace.positionById, 1);
    const [hash] = await firstKeys(reading, keyspace.heightByHash, 1);
    await reading.close();
    const lies: [ByteText, (truth: Uint8Array) => Uint8Array][] = [
      [ledgerKey.body(3), () => valueIn(peer, ledgerKey.body(4))!],
      [ledgerKey.body(3), (truth) => flipped(truth, truth.length - 5)],
      [ledgerKey.body(3), (truth) => flipped(truth, truth.length >> 2)],
      [ledgerKey.certificate(3), () => peer.get(ledgerKey.certificate(4))!],
      [ledgerKey.certificate(3), (truth) => flipped(truth, truth.length - 5)],
      [ledgerKey.receipts(3), () => peer.get(ledgerKey.receipts(4))!],
      [ledgerKey.receipts(3), (truth) => flipped(truth, truth.length >> 1)],
      [ledgerKey.undo(3), () => peer.get(ledgerKey.undo(4))!],
      [position!, (truth) => flipped(truth, 7)],
      [hash!, (truth) => flipped(truth, 7)],
      [rows.at(-1)!, () => peer.get(rows.at(-2)!)!],
      [rows.at(-1)!, () => new Uint8Array(0)],
      [large!, (truth) => flipped(truth, truth.length >> 1)],
    ];
    for (const [key, lie] of lies) {
      await damage(path, [key]);
      const store = await openStore(path);
      const executor = executorOn(store);
      await executor.open();
      assert.equal((await executor.repair(key)).outcome, 'wanted');
      assert.equal((await executor.repair(key, lie(valueIn(peer, key)!))).outcome, 'refused', `${key[0]}`);
      assert.throws(() => store.get(key), isDamaged, 'it stays damaged and unserved');
      const repair = repairWith(executor, filesOf(executor));
      assert.equal((await repair(key, valueIn(peer, key))).outcome, 'repaired', 'and the truth still repairs it');
      await store.close();
    }
  }));

test('a peer that lies about a row is reported and the next one is asked; when nobody holds it, it is tried again', () =>
  withChains(0, async (path, peer) => {
    const key = ledgerKey.receipts(3);
    await damage(path, [key]);
    const store = await openStore(path);
    const executor = executorOn(store);
    const time = new ManualTime();
    const reports: string[][] = [];
    const outcomes: unknown[] = [];
    let honest = false;
    const peerHandlers: ((node: string, state: 'up' | 'down') => void)[] = [];
    const repairer = createRepairer({
      world: { ...world, timers: time },
      network: {
        onPeer: (handler) => void peerHandlers.push(handler),
        peers: () =>
          ['liar', 'absent', 'honest'].map((node) => ({ node, connected: node !== 'absent', lastSeenMs: 0, address: undefined })),
        report: (...report) => reports.push(report),
      },
      repair: repairWith(executor, filesOf(executor)),
      getRow: async (node) => (node === 'liar' ? peer.get(ledgerKey.receipts(4)) : honest ? peer.get(key) : undefined),
      onRepaired: (...repair) => outcomes.push(repair),
      onLost: () => outcomes.push('lost'),
    });
    repairer.damaged(key);
    await until('the lie to be told', () => reports.length === 1);
    assert.deepEqual([reports, outcomes, repairer.waiting()], [[['liar', 'REPAIR_ROW_FALSE']], [], 1]);
    assert.throws(() => store.get(key), isDamaged);
    const asked = reports.length;
    await until('it to be tried again', () => {
      time.advance(REPAIR_RETRY_MIN_MS);
      return reports.length > asked;
    });
    honest = true;
    await until('the truth to be taken', () => {
      for (const handler of peerHandlers) handler('honest', 'up'); // a peer that comes is asked at once
      return outcomes.length === 1;
    });
    assert.deepEqual([outcomes, repairer.waiting()], [[[key, { by: 'peer', peer: 'honest' }]], 0]);
    assert.deepEqual(store.get(key), peer.get(key));
    repairer.damaged('a\0\0\0\x01'); // of a kind that no peer can know
    await until('it to be given up', () => outcomes.at(-1) === 'lost');
    await repairer.stop();
    await store.close();
  }));

test('rows of blocks that cannot be found at all are missed by the walk over the blocks, and repaired like damaged ones', async () => {
  const [store, peer] = [new MemoryStore(), new MemoryStore()];
  const executor = executorOn(store);
  await grow(executor, 2 * EXAMINE_STEP);
  await grow(executorOn(peer), 2 * EXAMINE_STEP);
  const told: ByteText[] = [];
  let rests = 0;
  const examine = () =>
    examineBlocks(
      store,
      blocksOn(store),
      world.crypto,
      2 * EXAMINE_STEP,
      (key) => void told.push(key),
      async () => undefined,
      async () => void rests++,
    );
  await examine();
  assert.deepEqual([told, rests], [[], 2]);
  const [position] = await firstKeys(store, keyspace.positionById, 1);
  const [hash] = await firstKeys(store, keyspace.heightByHash, 1);
  const gone = [ledgerKey.header(3), ledgerKey.body(9), ledgerKey.certificate(4), ledgerKey.receipts(20), position!, hash!];
  const before = gone.map((key) => valueIn(store, key));
  await store.batch(gone.map((key) => ({ key, value: undefined })));
  await examine();
  assert.ok(told.length >= 4);
  for (let round = 0; round < 2; round++) {
    for (const key of told.splice(0)) assert.match(await repaired(executor, peer, key), /^(own rows|peer)$/);
    await examine(); // what the missing body had hidden
  }
  assert.deepEqual(told, []);
  assert.deepEqual(
    gone.map((key) => valueIn(store, key)),
    before,
  );
});

test('a start with a damaged head, header, configuration and change set repairs them from the rest', () =>
  withChains(0, async (path) => {
    await damage(path, [ledgerKey.head, ledgerKey.configuration(0), ledgerKey.receipts(HEIGHT), ledgerKey.mapChanges(3)]);
    const store: LevelStore = await openStore(path);
    assert.equal((await executorOn(store).open()).height, HEIGHT);
    assert.throws(() => store.get(ledgerKey.receipts(HEIGHT)), isDamaged, 'what a start can do without waits for peers');
    await store.close();
  }));

test('a value of the state that a peer has since changed is given as it was at the height asked for', async () => {
  const store = new MemoryStore();
  await grow(executorOn(store), 2);
  const early = new Map(
    (await createStateRows(store).range({ from: keyspace.state, to: `${keyspace.state}\xff`, limit: 10_000 })).map(({ key, value }) => [
      key,
      value,
    ]),
  );
  await grow(executorOn(store), HEIGHT);
  const blocks = blocksOn(store);
  let changed = 0;
  for (const [key, value] of early) {
    if (!equalBytes(valueIn(store, key)!, value)) changed++;
    assert.deepEqual(await sharedRow(store, blocks, key, 2, noPause), value);
  }
  assert.ok(changed > 0, 'the chain holds a row that later blocks wrote again');
  assert.equal(await sharedRow(store, blocks, [...early.keys()][0]!, HEIGHT + 1, noPause), undefined, 'a height this node does not have');
  assert.equal(await sharedRow(store, blocks, ledgerKey.mapChanges(2), 2, noPause), undefined, 'rows that are not for peers');
});

test('a value that no block has changed for long is looked for with a pause in every row of what blocks replaced', async () => {
  const ROWS = 40;
  const ENTRIES = 8_000;
  const store = new MemoryStore();
  const path = 'p'.repeat(32);
  const before = new Uint8Array(64);
  const others = Array.from({ length: ENTRIES }, (_, i) => ({ key: `${i}`.padStart(32, '0'), before }));
  const undo = encodeUndo(others);
  const rows = Array.from({ length: ROWS }, (_, i) => ({ key: ledgerKey.undo(i + 1), value: undo }));
  const wanted = { key: path, before: new Uint8Array([7]) };
  rows.push({ key: ledgerKey.undo(ROWS + 1), value: encodeUndo([...others, wanted]) });
  await store.batch(rows);
  const blocks = { head: () => ({ height: ROWS + 1 }) } as unknown as BlockStore;
  const key = ledgerKey.state(path);
  let pauses = 0;
  let rowsAtOnce = 0;
  const counted = {
    get: (row: ByteText) => store.get(row),
    range: (options: Parameters<Store['range']>[0]) => {
      rowsAtOnce = Math.max(rowsAtOnce, options.limit);
      return store.range(options);
    },
  };
  const counting = async (): Promise<void> => void pauses++;
  assert.deepEqual(await sharedRow(counted, blocks, key, 0, counting), wanted.before);
  assert.ok(pauses > (ROWS * ENTRIES) / 1_000, `${pauses} pauses`);
  assert.equal(rowsAtOnce, 1);
  const { longestMs } = await leastHold(async () => void (await sharedRow(store, blocks, key, 0, createPause(world))), {
    boundMs: 20,
    triesMax: 8,
  });
  assert.ok(longestMs <= 20, `${longestMs.toFixed(1)} ms`);
});

/** What a peer would give: of the state the value, wherever it stands, and of a block the body. */
function valueIn(store: Store, key: ByteText): Uint8Array | undefined {
  if (key.startsWith(keyspace.body)) {
    const height = decodeAll(fromByteText(key.slice(1)), (reader) => reader.u64());
    return filesOf(store).bodyNow(blocksOn(store).bodyLocation(height)!, height);
  }
  return (key.startsWith(keyspace.state) ? createStateRows(store) : store).get(key);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
}
