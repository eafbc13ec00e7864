/** The sweep on a chain of the real executor and a real database: bodies that were moved are read by contracts, queries of older snapshots, examinations and the next start. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CONTRACT, keyOf, production } from '../../../../contracts/index.ts';
import { decodeContent, decodeJson, decodeReceipt, encodeJson, recordIdOf, toHex } from '../../../../node/format/index.ts';
import { createBlockReads, openBlockFiles } from '../../../../node/ledger/block-files.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { examineBlocks } from '../../../../node/ledger/examine.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createLedgerReader } from '../../../../node/ledger/reader.ts';
import { createSweep } from '../../../../node/ledger/sweep.ts';
import { openDirectory, openLevelStore, segmentOf } from '../../../../node/store/index.ts';
import { realTimers } from '../../../../node/real/world.ts';
import { crypto } from '../format/genesis-fixture.ts';
import { MemoryLog } from '../memory-world.ts';
import { add, blocksOn, chainId, executorOn, grow, signedCalls, submissionsOf, useFiles } from './small-chain.ts';

const HEIGHT = 6;
const noPause = async (): Promise<void> => undefined;

test('a body that was moved is read where it stands now: by a contract, a query whose snapshot is older, an examination and the next start', async () => {
  const path = await mkdtemp(join(tmpdir(), 'sweep-test-'));
  try {
    const store = await openLevelStore({ path: join(path, 'chain') });
    const directory = await openDirectory(join(path, 'blocks'));
    const random = { bytes: (count: number) => globalThis.crypto.getRandomValues(new Uint8Array(count)) };
    const files = await openBlockFiles({ directory, chainId, world: { random, timers: realTimers }, segmentBytes: 60_000 });
    useFiles(store, files);
    const executor = executorOn(store);
    for (let height = 1; height <= HEIGHT; height++) {
      for (let view = 0; view < 3; view++) await files.append(height, new Uint8Array(20_000).fill(height + view)); // of views that failed
      await grow(executor, height);
    }
    const blocks = blocksOn(store);
    const before = Array.from({ length: HEIGHT }, (_, i) => blocks.bodyLocation(i + 1)!);
    const bodies = await Promise.all(before.map((_, i) => blocks.blockBytes(i + 1)));
    const old = store.snapshot();
    // A reader of another thread, which has its own files open.
    const elsewhere = createBlockReads(directory, chainId);
    await elsewhere.body(before[0]!, 1);

    const sweep = createSweep({ files, blocks, ledger: executor, world: { log: new MemoryLog(), timers: realTimers } });
    sweep.start();
    const movedOf = () => before.filter((location, i) => blocks.bodyLocation(i + 1) !== location).length;
    for (let tries = 0; tries < 400 && files.closed().length > 1; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(sweep.swept().segments >= 4 && sweep.swept().bytes > 200_000, JSON.stringify(sweep.swept()));
    assert.ok(movedOf() >= 4, `${movedOf()}`);

    const id = toHex(recordIdOf(crypto, 'production', 'north', keyOf(production, decodeContent(submissionsOf(1, 1)[0]!.content))));
    const snapshots = [old];
    const reader = createLedgerReader({
      snapshot: () => snapshots.pop() ?? store.snapshot(),
      files: elsewhere,
      crypto,
      ...(await createContracts(crypto, 1)),
    });
    const answer = await reader.query('mes@north', CONTRACT.records, 'get', encodeJson({ id }));
    assert.equal(answer.status, 'ok');
    const get = { contract: CONTRACT.records, method: 'get', args: encodeJson({ id }) };
    const next = await add(executor, await executor.open(), signedCalls(HEIGHT + 1, [get]));
    const { status, results } = decodeReceipt(next.receipts[0]!);
    assert.equal(status, 'ok');
    assert.equal((decodeJson(results[0]!) as { readonly height: number }).height, 1);

    for (const [i, body] of bodies.entries()) assert.deepEqual(await blocks.blockBytes(i + 1), body);
    await examineBlocks(store, blocks, crypto, HEIGHT + 1, (key) => assert.fail(`row ${key} is told`), noPause, noPause);
    for await (const { location } of files.examine()) assert.fail(`${location} in ${segmentOf(location)} is told`);
    assert.equal((await executor.repair(ledgerKey.body(1))).outcome, 'sound');
    await sweep.stop();
    await files.close();
    elsewhere.close();

    const again = await openBlockFiles({ directory, chainId, world: { random, timers: realTimers }, segmentBytes: 60_000 });
    useFiles(store, again);
    assert.equal((await executorOn(store).open()).height, HEIGHT + 1);
    for (const [i, body] of bodies.entries()) assert.deepEqual(await blocksOn(store).blockBytes(i + 1), body);
    await again.close();
    await store.close();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
