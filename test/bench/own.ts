/**
 * What our own code costs in one process with nothing else running: the executor's build and commit on LevelDB, and the query index, for the very
 * transactions of the bench. With the cost of a block of the empty reference network it says where the measured time of a transaction goes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateKey } from '../../contracts/index.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import { openGenesis, openTransaction } from '../../node/format/index.ts';
import { readAccount } from '../../node/ledger/admission.ts';
import { createBlockStore } from '../../node/ledger/block-store.ts';
import { createContracts } from '../../node/ledger/contracts.ts';
import { createExecutor, type VerifiedTransaction } from '../../node/ledger/executor.ts';
import { ledgerKey } from '../../node/ledger/keys.ts';
import { createRecordIndex } from '../../node/records/index.ts';
import { recordRowsOf } from '../../node/records/source.ts';
import { openLevelStore } from '../../node/storage/index.ts';

export interface OwnCosts {
  /** CPU us a transaction, garbage collection and LevelDB's threads included. */
  readonly buildUs: number;
  readonly commitUs: number;
  readonly indexUs: number;
}

/** @param transactions of one record each; the first half warms up. */
export async function measureOwn(input: {
  readonly genesisText: string;
  readonly transactions: readonly Uint8Array[];
  readonly transactionsPerBlock: number;
}): Promise<OwnCosts> {
  const crypto = createCrypto();
  const genesis = openGenesis(crypto, input.genesisText);
  const dir = mkdtempSync(join(tmpdir(), 'tracemill-bench-own-'));
  const store = await openLevelStore({ path: join(dir, 'chain') });
  const indexStore = await openLevelStore({ path: join(dir, 'index') });
  try {
    const contracts = await createContracts(crypto, genesis.configuration.executionVersion);
    const executor = createExecutor({
      store,
      crypto,
      clock: { monotonic: () => performance.now() },
      genesisText: input.genesisText,
      ...contracts,
    });
    const blocks = createBlockStore(store);
    const index = createRecordIndex(indexStore, crypto);
    const state = { get: (key: string) => store.get(ledgerKey.state(key)) };
    let tip = await executor.open();
    await index.applyBlock(0, 0, []);
    const keys = new Map<string, Uint8Array>();
    const verified = (bytes: Uint8Array): VerifiedTransaction => {
      const { sender, keyId } = openTransaction(crypto, bytes).transaction;
      let publicKey = keys.get(sender);
      publicKey ??= readAccount((contract, key) => state.get(stateKey(contract, key)), sender)!.keys.get(keyId)!.publicKey;
      keys.set(sender, publicKey);
      return { bytes, publicKey };
    };
    let [buildUs, commitUs, indexUs, counted] = [0, 0, 0, 0];
    const cpuUs = async (work: () => unknown): Promise<number> => {
      const start = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(start);
      return user + system;
    };
    for (let at = 0; at < input.transactions.length; at += input.transactionsPerBlock) {
      const list = input.transactions.slice(at, at + input.transactionsPerBlock).map(verified);
      const height = tip.height + 1;
      const timestampMs = Date.now();
      const request = {
        height,
        parent: tip.hash,
        timestampMs,
        proposer: '',
        engineData: new Uint8Array(8),
        transactions: list,
        workMsMax: 60_000,
      };
      let hash: Uint8Array = tip.hash;
      const build = await cpuUs(() => {
        const built = executor.build(request);
        if (built.included.length !== list.length) throw new Error(`A bench transaction was refused: ${JSON.stringify(built.refused[0])}`);
        hash = built.hash;
      });
      const commit = await cpuUs(async () => {
        tip = await executor.commit({ hash, seal: new Uint8Array(64), certificate: undefined });
      });
      const indexed = await cpuUs(() => index.applyBlock(height, timestampMs, recordRowsOf(blocks.receipts(height)!, state)));
      if (at < input.transactions.length / 2) continue;
      [buildUs, commitUs, indexUs, counted] = [buildUs + build, commitUs + commit, indexUs + indexed, counted + list.length];
    }
    return { buildUs: buildUs / counted, commitUs: commitUs / counted, indexUs: indexUs / counted };
  } finally {
    await store.close();
    await indexStore.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
