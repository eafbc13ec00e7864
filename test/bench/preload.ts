/**
 * Preloads a devnet that is down: what four validators would store alike is made once and copied. One process runs the real executor on the chain store
 * of the first node, block by block, sealed and certified with the keys of the validators, and feeds the query index behind it; the transactions come
 * signed from a thread beside it. A node that starts then finds a chain it has voted for: its vote log says so. Four nodes that do this by
 * consensus on two cores take an hour for 10^6 records, and nothing of it is measured.
 */
import { cpSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { producerOf } from '../../consensus/index.ts';
import { encodeRecord } from '../../consensus/pbft/vote-log.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import {
  type Certificate,
  decodeCurrentConfiguration,
  decodeReceipt,
  type Digest,
  openGenesis,
  sealSigningBytes,
  voteSigningBytes,
} from '../../node/format/index.ts';
import { type Keystore, NODE_KEY } from '../../node/keystore/index.ts';
import { createContracts } from '../../node/ledger/contracts.ts';
import { createExecutor } from '../../node/ledger/executor.ts';
import { ledgerKey } from '../../node/ledger/keys.ts';
import { createStateRows } from '../../node/ledger/state-rows.ts';
import { ended } from '../tools/steps.ts';
import { createClassLookup, openRecordIndex, recordRowsOf } from '../../node/records/index.ts';
import { CHAIN_WRITE_BUFFER_BYTES, openLevelStore, openVoteLog } from '../../node/store/index.ts';
import type { SourceOrder } from './preload-source.ts';

const BLOCK_TRANSACTIONS = 12; // a block's gas leaves room for some more
/** Transactions of the next block are made while this one is executed. */
const BLOCKS_AHEAD = 2;
const SAID_EVERY = 100_000; // records between two lines about it
const WORK_MS_MAX = 600_000; // no part of a block is left out for time

export interface PreloadNode {
  readonly id: string;
  readonly organisation: string;
  readonly dir: string;
  readonly keystore: Keystore;
}

export interface Preload {
  readonly nodes: readonly PreloadNode[];
  readonly genesisText: string;
  readonly root: string;
  readonly records: number;
  readonly recordsPerTransaction: number;
  readonly say: (line: string) => void;
}

/** Adds blocks of `records` records to the chain of every node. @throws Error when a transaction is refused. */
export async function preload(order: Preload): Promise<void> {
  const { nodes, genesisText, say } = order;
  const [first, ...others] = nodes;
  const at = (node: PreloadNode, name: string): string => join(node.dir, 'data', name);
  const crypto = createCrypto();
  const { chainId, configuration: genesisConfiguration } = openGenesis(crypto, genesisText);
  const keystoreOf = new Map(nodes.map(({ id, keystore }) => [id, keystore]));
  const sign = (node: string, message: Uint8Array): Uint8Array => keystoreOf.get(node)!.sign(NODE_KEY.validator, message);
  const certify = (height: number, digest: Digest): Certificate => {
    const message = voteSigningBytes(chainId, 'commit', 0, height, digest);
    const names = nodes.map(({ id }) => id).sort();
    return { view: 0, height, digest, votes: names.map((node) => ({ node, signature: sign(node, message) })) };
  };

  const source = new TransactionSource(order, chainId);
  const store = await openLevelStore({ path: at(first!, 'chain'), writeBufferBytes: CHAIN_WRITE_BUFFER_BYTES });
  const indexStore = await openLevelStore({ path: at(first!, 'index') });
  let height: number;
  try {
    const contracts = await createContracts(crypto, genesisConfiguration.executionVersion);
    const executor = createExecutor({ store, crypto, clock: performanceClock, genesisText, ...contracts });
    const rows = createStateRows(store);
    const state = { get: (key: string) => rows.get(ledgerKey.state(key)) };
    const index = await openRecordIndex(indexStore, crypto, createClassLookup(state));
    let tip = await executor.open();
    const start = performance.now();
    for (let done = 0; done < order.records; ) {
      const transactions = await source.next();
      const { validators } = decodeCurrentConfiguration(tip.configuration);
      const engineData = new Uint8Array(8); // view 0
      const proposer = producerOf('pbft', engineData, validators)!;
      const timestampMs = Date.now();
      const built = executor.build({
        height: tip.height + 1,
        parent: tip.hash,
        timestampMs,
        proposer,
        engineData,
        transactions,
        workMsMax: WORK_MS_MAX,
      });
      if (built.included.length !== transactions.length)
        throw new Error(`preload: ${built.included.length} of ${transactions.length} fit, ${JSON.stringify(built.refused.slice(0, 3))}`);
      const seal = sign(proposer, sealSigningBytes(built.hash));
      tip = await executor.commit({ hash: built.hash, seal, certificate: certify(tip.height + 1, built.hash) });
      const receipts = tip.receipts.map((receipt) => decodeReceipt(receipt));
      const failed = receipts.find((receipt) => receipt.status !== 'ok');
      if (failed) throw new Error(`preload: ${failed.code}`);
      await index.applyBlock(
        tip.height,
        timestampMs,
        ended(recordRowsOf({ receipts, transactions: transactions.map(({ bytes }) => bytes), timestampMs }, state)),
      );
      const before = done;
      done += transactions.length * order.recordsPerTransaction;
      if (Math.floor(done / SAID_EVERY) > Math.floor(before / SAID_EVERY))
        say(`  preloaded ${done} at ${Math.round((done * 1000) / (performance.now() - start))}/s`);
    }
    ({ height } = tip);
  } finally {
    await source.stop();
    await indexStore.close();
    await store.close();
  }
  for (const node of others)
    for (const name of ['chain', 'index']) {
      rmSync(at(node, name), { recursive: true });
      cpSync(at(first!, name), at(node, name), { recursive: true });
    }
  for (const node of nodes) {
    const log = await openVoteLog(at(node, 'votes.log'));
    await log.append([encodeRecord({ kind: 'mark', stableCheckpoint: height })]);
    await log.close();
  }
}

const performanceClock = { monotonic: () => performance.now() };

/** Signed transactions of one block each, made in a thread some blocks ahead. */
class TransactionSource {
  readonly #worker: Worker;
  readonly #ready: { readonly bytes: Uint8Array; readonly publicKey: Uint8Array }[][] = [];
  #arrived: (() => void) | undefined;
  #failed: unknown;

  constructor(order: Preload, chainId: Digest) {
    const nodes = order.nodes.map(({ id, organisation, dir }) => ({ id, organisation, dir }));
    const publicKeys = order.nodes.map(({ keystore }) => keystore.publicKey(NODE_KEY.custodial));
    const workerData: SourceOrder = {
      nodes,
      root: order.root,
      chainId,
      recordsPerTransaction: order.recordsPerTransaction,
      transactions: BLOCK_TRANSACTIONS,
    };
    this.#worker = new Worker(new URL('./preload-source.js', import.meta.url), { workerData });
    this.#worker.on('message', (block: readonly Uint8Array[]) => {
      this.#ready.push(block.map((bytes, i) => ({ bytes, publicKey: publicKeys[i % publicKeys.length]! })));
      this.#arrived?.();
    });
    this.#worker.once('error', (error) => {
      this.#failed = error;
      this.#arrived?.();
    });
    for (let i = 0; i < BLOCKS_AHEAD; i++) this.#worker.postMessage('next');
  }

  async next(): Promise<readonly { readonly bytes: Uint8Array; readonly publicKey: Uint8Array }[]> {
    while (this.#ready.length === 0) {
      if (this.#failed !== undefined) throw this.#failed;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    this.#worker.postMessage('next');
    return this.#ready.shift()!;
  }

  async stop(): Promise<void> {
    const gone = once(this.#worker, 'exit');
    await this.#worker.terminate();
    await gone.catch(() => undefined);
  }
}
