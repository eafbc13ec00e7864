/** Queries and proofs beside a chain that grows: one version each, on a thread that nothing of consensus waits for. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CONTRACT, GAS, governanceKey, stateKey } from '../../../../contracts/index.ts';
import { ChainError } from '../../../../node/errors/index.ts';
import { decodeHeader, decodeJson, encodeJson, verifyStateProof } from '../../../../node/format/index.ts';
import { openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { startExecutorThread } from '../../../../node/ledger/executor-thread.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createLedgerReader, type LedgerSnapshot, TRIAL_GAS_MAX } from '../../../../node/ledger/reader.ts';
import { startReaderThread } from '../../../../node/ledger/reader-thread.ts';
import { createSyncMarks, type LevelStore, openDirectory, openLevelStore } from '../../../../node/store/index.ts';
import { createRealWorld } from '../../../../node/real/world.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { MemoryLog } from '../memory-world.ts';
import { blocksOn, chainId, deploy, executorOn, filesOf, genesisText, grow, useFiles } from './small-chain.ts';

const LOOP = `contract({
  methods: { set(ctx, n) { ctx.put('n', n); } },
  queries: { loop() { for (;;) {} }, n(ctx) { return ctx.get('n') ?? 0; } },
});`;
const NONE = encodeJson([]);

async function onLevel(t: TestContext): Promise<{ readonly path: string; readonly store: LevelStore }> {
  const path = await mkdtemp(join(tmpdir(), 'reader-test-'));
  const store = await openLevelStore({ path, multithreading: true });
  t.after(async () => {
    await store.close();
    await rm(path, { recursive: true, force: true });
  });
  return { path, store };
}

test('a query and a proof speak of one version of the state, though blocks are stored while they read', async (t) => {
  const { store } = await onLevel(t);
  const executor = executorOn(store);
  await grow(executor, 1);
  const tip = await executor.open();
  await deploy(executor, tip, LOOP);
  const contracts = await createContracts(crypto, 1);
  // Every range lets a block be stored: a query reads its configuration by one, before it reads the state.
  const snapshot = (): LedgerSnapshot => {
    const rows = store.snapshot();
    return {
      ...rows,
      async range(options) {
        await deploy(executor, await executor.open(), LOOP);
        return rows.range(options);
      },
    };
  };
  const reader = createLedgerReader({ snapshot, files: filesOf(store), crypto, ...contracts });
  const answer = await reader.query('mes@north', CONTRACT.deployed, 'list', encodeJson({}));
  assert.ok(answer.status === 'ok');
  assert.deepEqual([(decodeJson(answer.result) as { readonly count: number }).count, answer.height], [1, 2]);
  assert.equal((await executor.open()).height, 3);
  const key = stateKey(CONTRACT.governance, governanceKey.parameters);
  const { height, proof } = await executor.prove(key);
  const header = decodeHeader(blocksOn(store).headerBytes(height)!);
  assert.equal(verifyStateProof(crypto, header.stateRoot, proof, key).present, true);
});

test('a trial says what the next block would, leaves nothing behind, and judges nothing that costs too much', async (t) => {
  const { store } = await onLevel(t);
  const executor = executorOn(store);
  const address = await deploy(executor, await executor.open(), LOOP);
  const reader = createLedgerReader({
    snapshot: () => store.snapshot(),
    files: filesOf(store),
    crypto,
    ...(await createContracts(crypto, 1)),
  });
  const judge = (method: string, gasLimit = 1_000_000_000) =>
    reader.judge({
      ...{ sender: 'mes@north', keyId: 'k1', keyKind: 'custodial', timestampMs: 0, gasLimit },
      calls: [{ contract: address, method, args: encodeJson([7]) }],
    });
  const verdict = await judge('set');
  assert.deepEqual([verdict?.code, verdict?.height], ['OK', 1]);
  assert.ok(verdict!.gasUsed > GAS.transaction + GAS.instance && verdict!.gasUsed < TRIAL_GAS_MAX, `${verdict!.gasUsed}`);
  assert.equal((await judge('set', verdict!.gasUsed))?.code, 'OK');
  assert.equal((await judge('set', verdict!.gasUsed - 1))?.code, 'GAS_EXHAUSTED');
  assert.equal((await judge('unset'))?.code, 'CONTRACT_METHOD_UNKNOWN');
  const n = await reader.query('mes@north', address, 'n', NONE);
  assert.ok(n.status === 'ok' && decodeJson(n.result) === 0);
  assert.equal((await judge('loop', TRIAL_GAS_MAX))?.code, 'GAS_EXHAUSTED');
  assert.equal(await judge('loop', TRIAL_GAS_MAX + 1), undefined);
});

test('a damaged row met by a query refuses it with STORE_DAMAGED', async (t) => {
  const { store } = await onLevel(t);
  await executorOn(store).open();
  const damaged = ledgerKey.state(stateKey(CONTRACT.deployed, ''));
  const snapshot = (): LedgerSnapshot => {
    const rows = store.snapshot();
    const get = (key: string): Uint8Array | undefined => {
      if (key.startsWith(damaged)) throw new ChainError('STORE_DAMAGED', { key });
      return rows.get(key);
    };
    return { ...rows, get };
  };
  const reader = createLedgerReader({ snapshot, files: filesOf(store), crypto, ...(await createContracts(crypto, 1)) });
  await assert.rejects(reader.query('mes@north', `0x${'ab'.repeat(20)}`, 'n', NONE), { code: 'STORE_DAMAGED' });
});

/** The executor's thread and the reader's on one database, and a contract whose query `loop` never ends. */
async function threads(t: TestContext) {
  const { path, store } = await onLevel(t);
  const verifier = { verify: async () => true, verifyAll: async () => [], stop: async () => undefined };
  const world = createRealWorld({ log: new MemoryLog(), crypto, verifier });
  const deaths: Error[] = [];
  const blocksPath = join(path, 'blocks');
  const files = await openBlockFiles({ directory: await openDirectory(blocksPath), chainId, world });
  const data = { storePath: path, blocksPath, genesisText, mapMemoryBytesMax: 16_777_216, pagesPath: `${path}.pages` };
  const executor = await startExecutorThread({ ...data, syncMarks: createSyncMarks() }, world, store, (error) => deaths.push(error));
  useFiles(executor, files);
  const address = await deploy(executor, await executor.open(), LOOP);
  const reader = startReaderThread(data, world);
  await reader.ready;
  return {
    executor,
    reader,
    address,
    deaths,
    async stop() {
      await reader.stop();
      await executor.stop();
      await files.close();
    },
  };
}

test('blocks are built and stored while queries of thirty callers loop and more of them wait', async (t) => {
  const { executor, reader, address, deaths, stop } = await threads(t);
  try {
    const callers = Array.from({ length: 30 }, (_, i) => `caller-${i}@north`);
    let ended = 0;
    const looping = Array.from({ length: 8 }, () => callers)
      .flat()
      .map((caller) =>
        reader.query(caller, address, 'loop', NONE).then(
          () => 'OK',
          (error: unknown) => {
            ended++;
            assert.ok(error instanceof ChainError, 'a refusal that the interface can tell');
            return error.code;
          },
        ),
      );
    await grow(executor, 3, 1);
    assert.ok(ended < looping.length, 'the blocks did not wait for the queries');
    assert.deepEqual(new Set(await Promise.all(looping.slice(0, callers.length))), new Set(['GAS_EXHAUSTED']));
    const answer = await reader.query('mes@north', address, 'n', NONE); // has its turn before the loops that wait
    assert.deepEqual([decodeJson(answer.result), answer.height], [0, 3]);
    assert.ok(ended < looping.length);
    await reader.stop();
    assert.deepEqual(new Set((await Promise.all(looping)).slice(-callers.length)), new Set(['SERVER_BUSY']));
    assert.deepEqual(deaths, []);
  } finally {
    await stop();
  }
});

test('a read whose thread ends is refused, the next one has a new thread, and the executor goes on', async (t) => {
  const { executor, reader, address, deaths, stop } = await threads(t);
  try {
    const loops = Array.from({ length: 4 }, () =>
      reader.query('cut@north', address, 'loop', NONE).then(
        () => 'OK',
        ({ code }: { readonly code: string }) => code,
      ),
    );
    await loops[0]; // the second runs now
    const resume = await reader.release();
    const late = reader.query('mes@north', address, 'n', NONE); // waits for the database
    await grow(executor, 3, 1);
    resume();
    assert.deepEqual(await Promise.all(loops), ['GAS_EXHAUSTED', 'SERVER_BUSY', 'GAS_EXHAUSTED', 'GAS_EXHAUSTED']);
    assert.equal((await late).height, 3);
    assert.equal((await reader.query('mes@north', address, 'n', NONE)).height, 3);
    assert.deepEqual(deaths, []);
  } finally {
    await stop();
  }
});
