/** Evidence bundles of stored records: what a node has, put into the file that proves itself (design: chain, "Proofs"). */
import { CONTRACT, recordKey, stateKey } from '../../contracts/index.ts';
import { ChainError } from '../errors/index.ts';
import {
  type Crypto,
  type Digest,
  decodeHeader,
  decodeRecordVersion,
  encodeConfiguration,
  equalBytes,
  evidenceSteps,
  type EvidenceHeaderParts,
  type EvidenceInclusionParts,
  type Evidence,
  merkleLevelsSteps,
  merklePathIn,
  type RecordPosition,
  toByteText,
  transactionHashOf,
} from '../format/index.ts';
import type { BlockStore } from '../ledger/index.ts';
import type { NodeService } from '../service.ts';
import { contentSteps } from './content-steps.ts';
import { createRecordSource } from './source.ts';

/**
 * Proves one version of a record at the head: what is read of the store first, then the bundle in steps, since it may hold megabytes.
 * @param withTransaction adds the transaction that wrote it, whole, and its receipt: they show who signed and with which kind of key.
 * @throws ChainError RECORD_NOT_FOUND, EVIDENCE_NOT_READY when no block has been certified yet.
 */
export async function recordEvidence(
  node: NodeService & { readonly blocks: BlockStore },
  crypto: Pick<Crypto, 'hash'>,
  recordId: Digest,
  version: number,
  withTransaction = false,
): Promise<Generator<void, Evidence, void>> {
  const key = recordKey.version(toByteText(recordId), version);
  const value = node.state.get(stateKey(CONTRACT.records, key));
  if (!value) throw new ChainError('RECORD_NOT_FOUND', { version });
  const proof = await node.prove(CONTRACT.records, key);
  const state = await headerParts(node.blocks, proof.height, proof.headerBytes, proof.finality);
  const barriers = await barriersBelow(node.blocks, proof.height);
  const stored = await createRecordSource(node).open(recordId, decodeRecordVersion(value, version));
  const rows = withTransaction ? await inclusionRows(node.blocks, stored) : undefined;
  return (function* () {
    const inclusion = rows && (yield* inclusionOf(rows, crypto));
    return yield* evidenceSteps({
      chainId: node.info.chainId,
      genesisHash: node.info.genesisHash,
      key: stateKey(CONTRACT.records, key),
      value,
      ...(stored.content.length > 0 && { record: yield* contentSteps(stored.content) }),
      ...(stored.sourceDigest && { source: { ...stored.source } }),
      proof: proof.proof,
      state,
      barriers,
      ...(inclusion && { inclusion }),
    });
  })();
}

interface InclusionRows {
  readonly header: Uint8Array;
  readonly finality: Uint8Array;
  readonly transactions: readonly Uint8Array[];
  readonly receipts: readonly Uint8Array[];
  readonly index: number;
}

/** @throws ChainError EVIDENCE_NOT_READY */
async function inclusionRows(blocks: BlockStore, { height, index }: RecordPosition): Promise<InclusionRows> {
  const header = blocks.headerBytes(height);
  const finality = blocks.finality(height);
  const block = await blocks.block(height);
  const receipts = await blocks.receiptBytes(height);
  if (!header || !finality || !block || !receipts) throw new ChainError('EVIDENCE_NOT_READY', { height });
  return { header, finality, transactions: block.transactions, receipts, index };
}

function* inclusionOf(rows: InclusionRows, crypto: Pick<Crypto, 'hash'>): Generator<void, EvidenceInclusionParts, void> {
  const { header, finality, transactions, receipts, index } = rows;
  const hashes: Digest[] = [];
  for (const bytes of transactions) {
    hashes.push(transactionHashOf(crypto, bytes));
    yield;
  }
  return {
    header,
    certificate: finality,
    transaction: transactions[index]!,
    receipt: receipts[index]!,
    index,
    count: transactions.length,
    transactionPath: merklePathIn(yield* merkleLevelsSteps(crypto.hash, hashes), index),
    receiptPath: merklePathIn(yield* merkleLevelsSteps(crypto.hash, receipts), index),
  };
}

async function headerParts(
  blocks: BlockStore,
  height: number,
  header: Uint8Array,
  finality: Uint8Array | undefined,
): Promise<EvidenceHeaderParts> {
  if (!finality) throw new ChainError('EVIDENCE_NOT_READY', { height });
  return { header, certificate: finality, configuration: encodeConfiguration(await blocks.configuration(height)) };
}

/** Every barrier up to `height`: the headers by which a verifier walks from the genesis validators to those of today. */
async function barriersBelow(blocks: BlockStore, height: number): Promise<EvidenceHeaderParts[]> {
  const parts: EvidenceHeaderParts[] = [];
  for (const activation of await blocks.configurationHeights(height)) {
    const barrier = activation - 1;
    const header = barrier > 0 ? blocks.headerBytes(barrier) : undefined;
    if (!header) continue; // height 0 is the genesis configuration itself
    const { consensusHash, nextConsensusHash } = decodeHeader(header);
    if (!equalBytes(consensusHash, nextConsensusHash)) parts.push(await headerParts(blocks, barrier, header, blocks.finality(barrier)));
  }
  return parts;
}
