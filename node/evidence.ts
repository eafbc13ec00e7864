/** Evidence bundles of stored records: what a node has, put into the file that proves itself (design: chain, "Proofs"). */
import { CONTRACT, recordKey, stateKey } from '../contracts/index.ts';
import { ChainError } from './errors/index.ts';
import {
  buildEvidence,
  type Certificate,
  type Digest,
  decodeHeader,
  encodeCertificate,
  encodeConfiguration,
  equalBytes,
  type EvidenceHeaderParts,
  type Json,
  toByteText,
} from './format/index.ts';
import type { BlockStore } from './ledger/block-store.ts';
import type { NodeService } from './service.ts';

/**
 * Proves one version of a record at the head.
 * @throws ChainError RECORD_NOT_FOUND, EVIDENCE_NOT_READY when no block has been certified yet.
 */
export async function recordEvidence(
  node: NodeService & { readonly blocks: BlockStore },
  recordId: Digest,
  version: number,
): Promise<Json> {
  const key = recordKey.version(toByteText(recordId), version);
  const value = node.state.get(stateKey(CONTRACT.records, key));
  if (!value) throw new ChainError('RECORD_NOT_FOUND', { version });
  const proof = await node.prove(CONTRACT.records, key);
  const state = await headerParts(node.blocks, proof.height, proof.headerBytes, proof.certificate);
  return JSON.parse(
    buildEvidence({
      chainId: node.info.chainId,
      genesisHash: node.info.genesisHash,
      key: stateKey(CONTRACT.records, key),
      value,
      proof: proof.proof,
      state,
      barriers: await barriersBelow(node.blocks, proof.height),
    }),
  ) as Json;
}

async function headerParts(
  blocks: BlockStore,
  height: number,
  header: Uint8Array,
  certificate: Certificate | undefined,
): Promise<EvidenceHeaderParts> {
  if (!certificate) throw new ChainError('EVIDENCE_NOT_READY', { height });
  return { header, certificate: encodeCertificate(certificate), configuration: encodeConfiguration(await blocks.configuration(height)) };
}

/** Every barrier up to `height`: the headers by which a verifier walks from the genesis validators to those of today. */
async function barriersBelow(blocks: BlockStore, height: number): Promise<EvidenceHeaderParts[]> {
  const parts: EvidenceHeaderParts[] = [];
  for (const activation of await blocks.configurationHeights(height)) {
    const barrier = activation - 1;
    const header = barrier > 0 ? blocks.headerBytes(barrier) : undefined;
    if (!header) continue; // height 0 is the genesis configuration itself
    const { consensusHash, nextConsensusHash } = decodeHeader(header);
    if (!equalBytes(consensusHash, nextConsensusHash)) parts.push(await headerParts(blocks, barrier, header, blocks.certificate(barrier)));
  }
  return parts;
}
