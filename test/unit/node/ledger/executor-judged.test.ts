/** What the executor refuses of a block that another made: results that are not its own, transactions that stand already, time that goes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHeader, encodeHeader, type Header, merkleRoot, transactionHashOf } from '../../../../node/format/index.ts';
import type { Executor } from '../../../../node/ledger/executor.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { crypto, testKey } from '../format/genesis-fixture.ts';
import { simulatedMachine } from '../simulated-machine.ts';
import { executorOn, genesis, grow, transaction } from './small-chain.ts';

/** As many as the blocks of `grow` hold. */
const RECORDS = 4;
const verified = (height: number) => ({ bytes: transaction(height, RECORDS), publicKey: testKey('mes').publicKey });

/** Builds the block above height `at` of a chain of such blocks. */
async function built(
  executor: Executor,
  at: number,
  transactions = [verified(at + 1)],
  timestampMs = genesis.timestampMs + (at + 1) * 1_000,
) {
  await grow(executor, at);
  const tip = await executor.open();
  const made = await executor.build({
    height: at + 1,
    parent: tip.hash,
    timestampMs,
    proposer: 'north-1',
    engineData: engineData(1),
    transactions,
    workMsMax: 1_000,
  });
  return { ...made, tip: decodeHeader(tip.headerBytes), header: decodeHeader(made.headerBytes) };
}

/** The form of a view; north-1 is the primary of view 1. */
const engineData = (view: number) => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, view]);
const other = (digest: Uint8Array) => digest.map((byte) => byte ^ 1);

/** Names of the checks that a backup at height `at` finds failed. */
async function failedAt(at: number, header: Header, transactions = [verified(at + 1)]) {
  const executor = executorOn(new MemoryStore());
  await grow(executor, at);
  return (await executor.execute({ headerBytes: encodeHeader(header), transactions })).failed;
}

test('a block whose stated results are not those of its execution is refused by the name of the result', async () => {
  for (const at of [0, 1]) {
    const { header } = await built(executorOn(new MemoryStore()), at);
    assert.deepEqual(await failedAt(at, header), []);
    const lies: readonly (readonly [string, Partial<Header>])[] = [
      ['receiptsRoot', { receiptsRoot: other(header.receiptsRoot) }],
      ['stateRoot', { stateRoot: other(header.stateRoot) }],
      ['consensusHash', { nextConsensusHash: other(header.nextConsensusHash) }],
    ];
    for (const [check, lie] of lies)
      assert.deepEqual(
        (await failedAt(at, { ...header, ...lie })).map((fault) => fault.check),
        [check],
      );
  }
});

test('a transaction of an earlier block is neither selected nor accepted again, however long ago it was', async () => {
  const executor = executorOn(new MemoryStore());
  const { included, refused } = await built(executor, 3, [verified(1), verified(3), verified(4)]);
  assert.deepEqual(included, [2]);
  assert.deepEqual(
    refused.map(({ index, code }) => `${index} ${code}`),
    ['0 TRANSACTION_REPEATED', '1 TRANSACTION_REPEATED'],
  );
  const { header } = await built(executorOn(new MemoryStore()), 3);
  const again = verified(1);
  const faults = await failedAt(3, { ...header, txRoot: merkleRoot(crypto.hash, [transactionHashOf(crypto, again.bytes)]) }, [again]);
  assert.deepEqual(
    faults.map(({ check, computed }) => `${check} ${computed}`),
    ['transactionSignatures transaction 0: TRANSACTION_REPEATED'],
  );
});

test('no block is older than the one below it: a backup refuses it, and a proposer whose clock went back takes the time of the tip', async () => {
  const { header, tip } = await built(executorOn(new MemoryStore()), 2, undefined, 1);
  assert.equal(header.timestampMs, tip.timestampMs);
  assert.deepEqual(await failedAt(2, header), []);
  assert.deepEqual(
    (await failedAt(2, { ...header, timestampMs: tip.timestampMs - 1 })).map((fault) => fault.check),
    ['timestamp'],
  );
});

test('committed blocks outlive a loss of power once the store is synced', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { machine, scheduler } = simulatedMachine(seed);
    const store = machine.boot().openStore('chain');
    let grown = false;
    void grow(executorOn(store), 2)
      .then(() => store.sync())
      .then(() => {
        grown = true;
      });
    await scheduler.run(60_000, () => grown);
    machine.crash();
    const again = executorOn(machine.boot().openStore('chain'));
    assert.equal((await again.open()).height, 2, `seed ${seed}`);
  }
});
