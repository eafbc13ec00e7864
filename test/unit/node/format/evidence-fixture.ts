/** A chain of a few certified headers over a real state map, and the parts of bundles from it. */
import { encodeCertificate, voteSigningBytes } from '../../../../consensus/pbft/certificates.ts';
import {
  type ByteText,
  canonicalJson,
  consensusHashOf,
  type ConsensusConfiguration,
  type EvidenceHeaderParts,
  type EvidenceParts,
  encodeConfiguration,
  encodeContent,
  encodeHeader,
  encodeReceipt,
  encodeRecordVersion,
  evidenceSteps,
  type Header,
  headerHash,
  type Json,
  merkleRoot,
  openGenesis,
  type Receipt,
  recordDigest,
  signTransaction,
  stateValueHash,
  toByteText,
  u32Text,
  utf8,
} from '../../../../node/format/index.ts';
import type { StateMap } from '../../../../node/state/index.ts';
import { mapOf } from '../state/map-of.ts';
import { ended } from '../../../tools/steps.ts';
import { crypto, genesisFixture, testKey } from './genesis-fixture.ts';
import { merklePath } from './merkle-path.ts';

export const genesisText = JSON.stringify(genesisFixture(), null, 2);
export const opened = openGenesis(crypto, genesisText);
const { chainId, genesisHash, configuration } = opened;
const ZERO = new Uint8Array(32);
/** Index of the transaction that wrote the record: the last of five is carried up alone twice. */
const WRITER = 4;

export const recordId = crypto.hash(utf8('record 7'));
const recordKey: ByteText = `\x07recordsv${toByteText(recordId)}${u32Text(2)}`;
/** As large as an annex A record is on the chain. */
const recordContent = { product_uid: 'P', text: 'x'.repeat(1_100) };
/** Written by the fifth transaction of height 50, the one that inclusionParts shows. */
const recordValue = encodeRecordVersion({
  ...{ recordDigest: recordDigest(crypto, encodeContent(recordContent)), normalDigest: undefined, sourceDigest: undefined },
  ...{ class: 'production', classVersion: 1, org: 'north', actor: 'mes@north', state: 'current' },
  ...{ change: { reason: 'typed wrongly', digestBefore: ZERO }, height: 50, index: WRITER, call: 0, item: 0 },
  transactionId: transactionsOf(5)[WRITER]!.id,
});

export function certify(header: Header, under: ConsensusConfiguration, voters: readonly string[]): EvidenceHeaderParts {
  const bytes = encodeHeader(header);
  const digest = headerHash(crypto, bytes);
  const message = voteSigningBytes(chainId, 'commit', { view: 4, height: header.height, digest });
  const votes = [...voters].sort().map((node) => ({ node, signature: testKey(`${node} validator`).sign(message) }));
  const certificate = encodeCertificate({ view: 4, height: header.height, digest, votes });
  return { header: bytes, certificate, configuration: encodeConfiguration(under) };
}

export function headerAt(height: number, change: Partial<Header>): Header {
  const hash = consensusHashOf(crypto, configuration);
  const parent = { version: 1, chainId, era: 0, height, parentHash: crypto.hash(utf8(`parent of ${height}`)) };
  const roots = { txRoot: ZERO, receiptsRoot: ZERO, stateRoot: ZERO, consensusHash: hash, nextConsensusHash: hash };
  const engineData = new Uint8Array(8);
  return { ...parent, timestampMs: 1_700_000_000_000 + height, proposer: 'north-1', engine: 'pbft', engineData, ...roots, ...change };
}

/** A map of `count` keys like those of records, the fixture's record among them. */
export function fixtureMap(count: number): StateMap {
  const writes = Array.from({ length: count - 1 }, (_, i) => {
    const digest = crypto.hash(utf8(String(i)));
    return { key: `\x07recordsv${toByteText(digest)}${u32Text(1)}`, valueHash: digest };
  });
  return mapOf(crypto, [...writes, { key: recordKey, valueHash: stateValueHash(crypto, recordValue) }]);
}

const THREE = ['north-1', 'east-1', 'west-1'];

export function plainParts(map: StateMap): EvidenceParts {
  const state = certify(headerAt(900, { stateRoot: map.root() }), configuration, THREE);
  return {
    chainId,
    genesisHash,
    key: recordKey,
    value: recordValue,
    record: recordContent,
    proof: map.prove(recordKey),
    state,
    barriers: [],
  };
}

/** South leaves at height 100; the bundle carries that barrier and the transaction of height 50. */
export function longParts(map: StateMap): EvidenceParts {
  const four = { ...configuration, validators: configuration.validators.filter((v) => v.node !== 'south-1') };
  const grown = {
    ...four,
    validators: [...four.validators, { node: 'zeta-1', publicKey: testKey('zeta-1 validator').publicKey, suite: 1, weight: 1 }],
  };
  const after = consensusHashOf(crypto, grown);
  const barrier = certify(headerAt(100, { nextConsensusHash: after }), configuration, THREE);
  const head = headerAt(900, { stateRoot: map.root(), era: 3, consensusHash: after, nextConsensusHash: after });
  const state = certify(head, grown, ['north-1', 'zeta-1', 'west-1', 'east-1']);
  return { ...plainParts(map), state, barriers: [barrier], inclusion: inclusionParts(50) };
}

function transactionsOf(count: number) {
  return Array.from({ length: count }, (_, i) =>
    signTransaction(
      crypto,
      {
        chainId,
        sender: 'mes@north',
        keyId: 'k1',
        salt: new Uint8Array(16).fill(i),
        expiryHeight: 1_000,
        calls: [{ contract: 'records', method: 'submit', args: utf8(`record ${i}`) }],
        gasLimit: 1_000_000,
        suite: 1,
      },
      testKey('mes').sign,
    ),
  );
}

function inclusionParts(height: number): NonNullable<EvidenceParts['inclusion']> {
  const [index, count] = [WRITER, 5];
  const transactions = transactionsOf(count);
  const receipts = transactions.map((transaction, i) =>
    encodeReceipt({
      transactionId: transaction.id,
      height,
      index: i,
      status: 'ok',
      code: 'OK',
      detail: new Uint8Array(0),
      failedCall: 0,
      gasUsed: 1_000,
      keyKind: 'custodial',
      results: [],
      events: [],
    } satisfies Receipt),
  );
  const hashes = transactions.map((transaction) => transaction.hash);
  const roots = { txRoot: merkleRoot(crypto.hash, hashes), receiptsRoot: merkleRoot(crypto.hash, receipts) };
  const { header, certificate } = certify(headerAt(height, roots), configuration, THREE);
  return {
    header,
    certificate,
    transaction: transactions[index]!.bytes,
    receipt: receipts[index]!,
    index,
    count,
    transactionPath: merklePath(crypto.hash, hashes, index),
    receiptPath: merklePath(crypto.hash, receipts, index),
  };
}

/** The text of the file. @throws RangeError when the header does not decode or the path does not fit index and count */
export function buildEvidence(parts: EvidenceParts): string {
  return canonicalJson(ended(evidenceSteps(parts)) as unknown as Json);
}
