/** A small real chain on any store, for tests of what becomes of its rows; not a test itself. */
import { CONTRACT, production } from '../../../../contracts/index.ts';
import {
  encodeSubmissions,
  openGenesis,
  sealSigningBytes,
  signTransaction,
  voteSigningBytes,
  type Certificate,
  type Digest,
} from '../../../../node/format/index.ts';
import { createContracts } from '../../../../node/ledger/contracts.ts';
import { createExecutor, type Executor } from '../../../../node/ledger/executor.ts';
import { prepareRecord } from '../../../../node/records/index.ts';
import type { Store } from '../../../../node/world.ts';
import { crypto, genesisFixture, testKey, VALIDATORS } from '../format/genesis-fixture.ts';
import { annexRecord } from '../records/sample.ts';

export const genesis = genesisFixture();
export const genesisText = JSON.stringify(genesis);
export const { chainId } = openGenesis(crypto, genesisText);
const contracts = await createContracts(crypto, 1);
const PROPOSER = 'north-1';

export function executorOn(store: Store): Executor {
  return createExecutor({ store, crypto, clock: { monotonic: () => 0 }, genesisText, ...contracts });
}

/** A transaction of so many records; each height has one of its own, the same at every call. */
export function transaction(height: number, records: number): Uint8Array {
  const submissions = Array.from({ length: records }, (_, i) => {
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
  return signTransaction(
    crypto,
    {
      chainId,
      sender: 'mes@north',
      keyId: 'k1',
      salt: new Uint8Array(16).fill(height),
      expiryHeight: 100,
      calls: [{ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions(submissions) }],
      gasLimit: 100_000_000,
      suite: 1,
    },
    (message) => testKey('mes').sign(message),
  ).bytes;
}

export function certify(height: number, digest: Digest, view = 0): Certificate {
  const message = voteSigningBytes(chainId, 'commit', view, height, digest);
  const votes = [...VALIDATORS].sort().map((node) => ({ node: node as string, signature: testKey(`${node} validator`).sign(message) }));
  return { view, height, digest, votes };
}

/** Opens and adds blocks of so many records each, up to `heightMax`; on every store the same ones. */
export async function grow(executor: Executor, heightMax: number, records = 4): Promise<void> {
  let tip = await executor.open();
  for (let height = tip.height + 1; height <= heightMax; height++) {
    const built = executor.build({
      height,
      parent: tip.hash,
      timestampMs: genesis.timestampMs + height * 1_000,
      proposer: PROPOSER,
      engineData: new Uint8Array(8),
      transactions: [{ bytes: transaction(height, records), publicKey: testKey('mes').publicKey }],
      workMsMax: 1,
    });
    if (built.included.length !== 1) throw new Error(`block ${height}: ${JSON.stringify(built.refused)}`);
    const seal = testKey(`${PROPOSER} validator`).sign(sealSigningBytes(built.hash));
    tip = await executor.commit({ hash: built.hash, seal, certificate: certify(height, built.hash) });
  }
}
