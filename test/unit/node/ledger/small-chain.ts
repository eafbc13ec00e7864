/** A small real chain on any store, for tests of what becomes of its rows; not a test itself. */
import { CONTRACT, production } from '../../../../contracts/index.ts';
import { voteSigningBytes, type Certificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import {
  decodeHeader,
  decodeJson,
  decodeReceipt,
  encodeBlock,
  encodeJson,
  encodeSubmissions,
  openGenesis,
  sealSigningBytes,
  signTransaction,
  type Call,
  type Digest,
} from '../../../../node/format/index.ts';
import type { BlockFiles } from '../../../../node/ledger/block-files.ts';
import { type BlockStore, createBlockStore } from '../../../../node/ledger/block-store.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import {
  type BuildRequest,
  type Committed,
  createExecutor,
  type Executor,
  type ExecutorDependencies,
} from '../../../../node/ledger/executor.ts';
import type { ExecutorPort } from '../../../../node/ledger/executor-port.ts';
import { prepareRecord } from '../../../../node/records/index.ts';
import type { Store } from '../../../../node/world.ts';
import { memoryBlockFiles } from '../../../tools/memory-block-files.ts';
import { crypto, genesisFixture, testKey, VALIDATORS } from '../format/genesis-fixture.ts';
import { annexRecord } from '../records/sample.ts';

export const genesis = genesisFixture();
export const genesisText = JSON.stringify(genesis);
export const { chainId } = openGenesis(crypto, genesisText);
const contracts = await createContracts(crypto, 1);
const PROPOSER = 'east-1'; // primary of view 0

const filesByOwner = new WeakMap<object, BlockFiles>();

/** The block files beside a store, or of an executor that was opened on it; in memory unless others were given. */
export function filesOf(owner: object): BlockFiles {
  const files = filesByOwner.get(owner) ?? memoryBlockFiles(chainId);
  filesByOwner.set(owner, files);
  return files;
}

export function useFiles(owner: object, files: BlockFiles): void {
  filesByOwner.set(owner, files);
}

export function blocksOn(store: Store): BlockStore {
  return createBlockStore(store, filesOf(store));
}

export function executorOn(store: Store, more: Partial<ExecutorDependencies> = {}): Executor {
  const files = filesOf(store);
  const executor = createExecutor({ store, files, crypto, clock: { monotonic: () => 0 }, genesisText, ...contracts, ...more });
  useFiles(executor, files);
  return executor;
}

/** A transaction of so many records; each height has one of its own, the same at every call. */
export function transaction(height: number, records: number): Uint8Array {
  return signed(height, CONTRACT.records, 'submit', encodeSubmissions(submissionsOf(height, records)));
}

export function submissionsOf(height: number, records: number) {
  return Array.from({ length: records }, (_, i) => {
    const tree = annexRecord({
      product_uid: `SN-${height}-${i}`,
      pro_factory_uid: 'F1',
      ext: { device_id: 'D1' },
      production_time: '2023-11-01T00:00:00Z',
    });
    const made = prepareRecord({ crypto, org: 'north', sealingKey: new Uint8Array(32) }, production, tree, {
      source: { interfaceId: 'line-3', seq: `${height}` }, // a row of the state that every block writes again
    });
    if (!made.ok) throw new Error(JSON.stringify(made.faults));
    return made.prepared.submission;
  });
}

function signed(height: number, contract: string, method: string, args: Uint8Array): Uint8Array {
  return signedCalls(height, [{ contract, method, args }]);
}

/** A transaction of these calls; `salt` tells those of one height apart. */
export function signedCalls(height: number, calls: readonly Call[], salt = height): Uint8Array {
  return signTransaction(
    crypto,
    {
      chainId,
      sender: 'mes@north',
      keyId: 'k1',
      salt: new Uint8Array(16).fill(salt),
      expiryHeight: 100,
      calls,
      gasLimit: 10_000_000_000,
      suite: 1,
    },
    (message) => testKey('mes').sign(message),
  ).bytes;
}

export function certify(height: number, digest: Digest, view = 0): Certificate {
  const message = voteSigningBytes(chainId, 'commit', { view, height, digest });
  const votes = [...VALIDATORS].sort().map((node) => ({ node: node as string, signature: testKey(`${node} validator`).sign(message) }));
  return { view, height, digest, votes };
}

/** Opens and adds blocks of so many records each, up to `heightMax`; on every store the same ones. */
export async function grow(executor: Executor | ExecutorPort, heightMax: number, records = 4): Promise<void> {
  let tip = await executor.open();
  for (let height = tip.height + 1; height <= heightMax; height++) tip = await add(executor, tip, transaction(height, records));
}

/** Adds one block with a contract of this source. @returns its address */
export async function deploy(executor: Executor | ExecutorPort, tip: Tip, source: string): Promise<string> {
  const args = { name: '', language: 'javascript', code: source, sourceDigest: '0'.repeat(64) };
  const { receipts } = await add(executor, tip, signed(tip.height + 1, CONTRACT.deployed, 'deploy', encodeJson(args)));
  const { status, results } = decodeReceipt(receipts[0]!);
  if (status !== 'ok') throw new Error(`deployment: ${status}`);
  return (decodeJson(results[0]!) as { readonly address: string }).address;
}

type Tip = Pick<Committed, 'height' | 'hash'>;

/** What the proposer of the block above `tip` asks of its executor. */
export function requestOf(tip: Tip, ...transactions: readonly Uint8Array[]): BuildRequest {
  const height = tip.height + 1;
  return {
    height,
    parent: tip.hash,
    timestampMs: genesis.timestampMs + height * 1_000,
    proposer: PROPOSER,
    engineData: new Uint8Array(8),
    transactions: transactions.map((bytes) => ({ bytes, publicKey: testKey('mes').publicKey })),
    workMsMax: 1,
  };
}

/** Adds one block of these transactions. */
export async function add(executor: Executor | ExecutorPort, tip: Tip, ...transactions: readonly Uint8Array[]): Promise<Committed> {
  const height = tip.height + 1;
  const built = await executor.build(requestOf(tip, ...transactions));
  if (built.included.length !== transactions.length) throw new Error(`block ${height}: ${JSON.stringify(built.refused)}`);
  const seal = testKey(`${PROPOSER} validator`).sign(sealSigningBytes(built.hash));
  const block = encodeBlock({ header: decodeHeader(built.headerBytes), seal, transactions });
  const body = await filesOf(executor).append(height, block);
  return executor.commit({ hash: built.hash, body, finality: encodeCertificate(certify(height, built.hash)) });
}
