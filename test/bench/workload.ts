/**
 * Signed transactions for load: AI4I rows as annex A records, sealed as a node seals them, signed with a node's custodial key. `plain` is the same row
 * without what a loader adds: no remarks on what it filled in, no parameters and units beyond those of annex A.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinClass, CONTRACT } from '../../contracts/index.ts';
import { AI4I_FILE, ai4iRecords, readAi4iRows } from '../../devnet/ai4i.ts';
import { worksOf } from '../../devnet/topology.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import { encodeSubmissions, fromHex, signTransaction, type Submission, utf8 } from '../../node/format/index.ts';
import { type Keystore, NODE_KEY, openKeystore, sealingKeyIds } from '../../node/keystore/index.ts';
import { prepareRecord } from '../../node/records/index.ts';

/** A record of the data set uses 10 million. */
const GAS_PER_RECORD_LIMIT = 16_000_000;
const EXPIRY_BLOCKS = 9_000; // a bench outlasts many blocks; inside txLifetimeBlocksMax

export type Kind = 'ai4i' | 'plain';

/** Where a node of the devnet lies. */
export interface SenderNode {
  readonly id: string;
  readonly organisation: string;
  readonly dir: string;
}

export interface Sender {
  readonly node: SenderNode;
  readonly account: string;
  readonly keystore: Keystore;
  readonly sealingKey: Uint8Array;
}

export async function sendersOf(nodes: readonly SenderNode[]): Promise<Sender[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const keystore = await openKeystore(join(node.dir, 'keystore.json'), readFileSync(join(node.dir, 'passphrase'), 'utf8').trimEnd());
      return { node, account: `operator@${node.organisation}`, keystore, sealingKey: keystore.secret(sealingKeyIds(keystore).at(-1)!) };
    }),
  );
}

const crypto = createCrypto();

/** Sealed submissions of one organisation, endless: rows of the data set with a suffix that no other run has. */
export function* submissionsOf(sender: Sender, root: string, tag: string): Generator<Submission> {
  const rows = readAi4iRows(readFileSync(join(root, AI4I_FILE), 'utf8'));
  const { factory, device } = worksOf(sender.node.organisation);
  const factories = [{ id: factory, organisation: sender.node.organisation, location: 'bench', devices: [device] }];
  const definition = builtinClass('production')!;
  for (let round = 0; ; round++) {
    for (const { record } of ai4iRecords(rows, factories)) {
      const tree = { ...record, product_uid: `${String(record.product_uid)}-${tag}-${round}` };
      const preparation = prepareRecord({ crypto, org: sender.node.organisation, sealingKey: sender.sealingKey }, definition, tree);
      if (!preparation.ok) throw new Error(`Cannot prepare a bench record: ${JSON.stringify(preparation.faults)}`);
      yield preparation.prepared.submission;
    }
  }
}

/** The same record as somebody sends it who fills in annex A and no more. */
export function plainOf(submission: Submission): Submission {
  const { ext, ...annexA } = JSON.parse(Buffer.from(submission.content).toString('utf8')) as Record<string, Record<string, unknown>>;
  const { device_id, production_batch, step_code } = ext!;
  // RFC 8785 orders members by UTF-16 code units, as `<` does.
  const members = Object.entries({ ...annexA, ext: { device_id, production_batch, step_code } }).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...submission, content: utf8(JSON.stringify(Object.fromEntries(members))) };
}

/** One signed transaction of `recordCount` records. */
export function transactionOf(
  sender: Sender,
  chainId: string,
  height: number,
  submissions: Generator<Submission>,
  recordCount: number,
): Uint8Array {
  const list = Array.from({ length: recordCount }, () => submissions.next().value as Submission);
  return signTransaction(
    crypto,
    {
      chainId: fromHex(chainId),
      sender: sender.account,
      keyId: sender.node.id,
      salt: globalThis.crypto.getRandomValues(new Uint8Array(16)),
      expiryHeight: height + EXPIRY_BLOCKS,
      calls: [{ contract: CONTRACT.records, method: 'submit', args: encodeSubmissions(list) }],
      gasLimit: GAS_PER_RECORD_LIMIT * recordCount,
      suite: 1,
    },
    (message) => sender.keystore.sign(NODE_KEY.custodial, message),
  ).bytes;
}
