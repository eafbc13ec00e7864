/**
 * One small example of everything whose bytes can never change again, as text: hex, or the text itself. Kept in test/data/frozen and compared there.
 * Before the first release a deliberate change is written with `node dist/test/tools/write-frozen.js`; afterwards what is there stays.
 */
import { encodeCertificate, voteSigningBytes } from '../../../../consensus/pbft/certificates.ts';
import {
  canonicalJson,
  consensusHashOf,
  contentDigest,
  emptyStateRoot,
  encodeAmendment,
  encodeBlock,
  encodeConfiguration,
  encodeContent,
  encodeHeader,
  encodeProposal,
  encodeReceipt,
  encodeRecordResults,
  decodeRecordResults,
  fromUtf8,
  presentRecordResult,
  type Receipt,
  receiptEvents,
  encodeRecordVersion,
  encodeSubmissions,
  encodeTransaction,
  encodeTransactionBody,
  headerHash,
  indexDigest,
  merkleRoot,
  openTransaction,
  recordDigest,
  recordIdOf,
  sealedCommitment,
  sealingSalt,
  sealSigningBytes,
  signTransaction,
  sourceDigest,
  TERM_START,
  appendToTerm,
  encodeTerm,
  termDigest,
  type RecordOrigin,
  type RecordVersion,
  toByteText,
  fromByteText,
  toHex,
  transactionSigningBytes,
  utf8,
} from '../../../../node/format/index.ts';
import { keyOf, prepareRecordFor } from './frozen-record.ts';
import { accessKey, auditKey, governanceKey, recordKey, registryKey, stateKey } from '../../../../contracts/index.ts';
import { annexRecord } from '../records/sample.ts';
import { frozenState } from '../state/frozen-state.ts';
import { buildEvidence, fixtureMap, genesisText, headerAt, longParts, opened, plainParts } from './evidence-fixture.ts';
import { crypto, testKey } from './genesis-fixture.ts';
import { merklePath } from './merkle-path.ts';

const MAP_KEYS = 300;

/** Name -> hex or text. */
export function frozenBytes(): Record<string, string> {
  const { chainId, genesisHash, configuration } = opened;
  const map = fixtureMap(MAP_KEYS);
  const content = encodeContent(annexRecord());
  const sealed = prepareRecordFor(annexRecord());
  const key = keyOf(annexRecord());
  const recordId = recordIdOf(crypto, 'production', 'alpha', key);
  const salt = sealingSalt(crypto, new Uint8Array(32).fill(3), recordId, 'pro_op_info.pro_op_name');
  const body = {
    chainId,
    sender: 'mes@north',
    keyId: 'k1',
    salt: new Uint8Array(16).fill(5),
    expiryHeight: 70_000,
    calls: [
      { contract: 'records', method: 'submit', args: utf8('args') },
      { contract: `0x${'ab'.repeat(20)}`, method: 'judge', args: utf8('["P-1"]') },
    ],
    gasLimit: 10_000_000_000,
    suite: 1,
  };
  const transaction = signTransaction(crypto, body, testKey('mes').sign);
  const receipt = encodeReceipt({
    transactionId: transaction.id,
    height: 17,
    index: 3,
    status: 'failed',
    code: 'RECORD_KEY_CONFLICT',
    detail: utf8('{"record":0}'),
    failedCall: 1,
    gasUsed: 5_000_000_000,
    keyKind: 'own',
    results: [],
    events: [],
  });
  const named = { class: 'production', id: new Uint8Array(32).fill(7), recordDigest: new Uint8Array(32).fill(8) };
  const [first, digestBefore] = [{ height: 16, transactionId: new Uint8Array(32).fill(9) }, new Uint8Array(32).fill(10)];
  const submitted = encodeRecordResults([
    { ...named, status: 'stored' },
    { ...named, class: 'heat', status: 'repeated', currentVersion: 3, first },
    { ...named, status: 'repeated', currentVersion: 1, first: undefined },
  ]);
  const amended = encodeRecordResults([{ ...named, status: 'amended', version: 2, digestBefore }]);
  const withdrawn = encodeRecordResults([{ ...named, status: 'withdrawn', version: 258, digestBefore }]);
  const whole: Receipt = {
    ...{ transactionId: transaction.id, height: 17, index: 3, status: 'ok', code: 'OK', detail: new Uint8Array(0), failedCall: 0 },
    ...{ gasUsed: 5_000_000_000, keyKind: 'custodial', results: [submitted, utf8('{"open":true}'), amended] },
    events: [{ call: 1, contract: `0x${'ab'.repeat(20)}`, name: 'Judged', data: utf8('{"product":"P-1"}') }],
  };
  const header = headerAt(17, {
    era: 2,
    engineData: Uint8Array.from([0, 0, 0, 0, 0, 0, 1, 2]),
    txRoot: merkleRoot(crypto.hash, [transaction.hash]),
  });
  const headerBytes = encodeHeader(header);
  const hash = headerHash(crypto, headerBytes);
  const seal = testKey('north-1 validator').sign(sealSigningBytes(hash));
  const source: RecordOrigin = { system: 'MES', id: '7', time: '2025-08-09T00:00:00Z', seq: '42', interfaceId: 'mes/1', mapping: 'm@1' };
  const version: RecordVersion = {
    recordDigest: recordDigest(crypto, sealed),
    normalDigest: crypto.hash(content),
    class: 'production',
    classVersion: 1,
    org: 'alpha',
    actor: 'mes@alpha',
    version: 2,
    state: 'current',
    sourceDigest: sourceDigest(crypto, source),
    height: 17,
    index: 3,
    call: 1,
    item: 2,
    transactionId: transaction.id,
    change: { reason: '更正', digestBefore: recordDigest(crypto, content) },
  };
  const leaves = [0, 1, 2, 3, 4].map((n) => Uint8Array.of(n));
  const keyHex = (contract: string, text: string): string => toHex(fromByteText(stateKey(contract, text)));
  const id = toByteText(recordId);
  return {
    genesisHash: toHex(genesisHash),
    chainId: toHex(chainId),
    configuration: toHex(encodeConfiguration(configuration)),
    consensusHash: toHex(consensusHashOf(crypto, configuration)),
    transactionBody: toHex(encodeTransactionBody(body)),
    transactionSigningBytes: toHex(transactionSigningBytes(transaction.id)),
    transaction: toHex(encodeTransaction(openTransaction(crypto, transaction.bytes).transaction)),
    transactionId: toHex(transaction.id),
    transactionHash: toHex(transaction.hash),
    receipt: toHex(receipt),
    receiptOfRecords: toHex(encodeReceipt(whole)),
    eventsOfRecords: [...receiptEvents(whole)].map(({ contract, name, data }) => `${contract} ${name} ${fromUtf8(data)}`).join('\n'),
    answersOfRecords: decodeRecordResults(submitted)
      .map((result) => canonicalJson(presentRecordResult(result, whole)))
      .join('\n'),
    recordsSubmitted: toHex(submitted),
    recordsAmended: toHex(amended),
    recordsWithdrawn: toHex(withdrawn),
    header: toHex(headerBytes),
    headerHash: toHex(hash),
    sealSigningBytes: toHex(sealSigningBytes(hash)),
    prepareSigningBytes: toHex(voteSigningBytes(chainId, 'prepare', { view: 3, height: 17, digest: hash })),
    commitSigningBytes: toHex(voteSigningBytes(chainId, 'commit', { view: 3, height: 17, digest: hash })),
    checkpointSigningBytes: toHex(voteSigningBytes(chainId, 'checkpoint', { view: 3, height: 17, digest: hash })),
    block: toHex(encodeBlock({ header, seal, transactions: [transaction.bytes] })),
    proposal: toHex(encodeProposal({ header: headerBytes, seal, transactionHashes: [transaction.hash] })),
    certificate: toHex(encodeCertificate({ view: 3, height: 17, digest: hash, votes: [{ node: 'north-1', signature: seal }] })),
    merkleRootOfNone: toHex(merkleRoot(crypto.hash, [])),
    merkleRootOfFive: toHex(merkleRoot(crypto.hash, leaves)),
    merklePathOfThird: merklePath(crypto.hash, leaves, 2).map(toHex).join(' '),
    mapRoot: toHex(map.root()),
    mapRootOfOne: toHex(fixtureMap(1).root()),
    mapRootOfNone: toHex(emptyStateRoot(crypto)),
    content: Buffer.from(content).toString(),
    contentDigest: toHex(contentDigest(crypto, annexRecord({ token: 'secret' }))),
    sealedContent: Buffer.from(sealed).toString(),
    recordDigest: toHex(recordDigest(crypto, sealed)),
    recordKey: canonicalJson(key),
    recordId: toHex(recordId),
    sealingSalt: toHex(salt),
    sealedCommitment: sealedCommitment(crypto, salt, 'pro_op_info.pro_op_name', '李雷'),
    indexDigest: toHex(indexDigest(crypto, 'S-12', 'B-2025-081')),
    sourceDigest: toHex(sourceDigest(crypto, source)!),
    recordVersion: toHex(encodeRecordVersion(version)),
    tombstone: toHex(
      encodeRecordVersion({
        ...version,
        state: 'deleted',
        recordDigest: crypto.hash(new Uint8Array(0)),
        normalDigest: undefined,
        sourceDigest: undefined,
      }),
    ),
    submissions: toHex(encodeSubmissions([{ class: 'production', classVersion: 1, content: sealed, source }])),
    amendment: toHex(encodeAmendment({ recordId, expectedVersion: 1, reason: 'typo', content: sealed, source: {} })),
    keyOfVersion: keyHex('records', recordKey.version(id, 258)),
    keyOfProduct: keyHex('records', recordKey.term(toByteText(termDigest(crypto, 'product', 'SN-0001')))),
    keyOfProductionBatch: keyHex('records', recordKey.term(toByteText(termDigest(crypto, 'production_batch', 'PB-7')))),
    keyOfMaterialBatch: keyHex('records', recordKey.term(toByteText(termDigest(crypto, 'material_batch', 'S-12', 'B-2025-081')))),
    keyOfField: keyHex('records', recordKey.term(toByteText(termDigest(crypto, 'field', 'heat', 'furnace', 'F-1')))),
    keyOfTermChunk: keyHex('records', recordKey.termChunk(toByteText(termDigest(crypto, 'product', 'SN-0001')), 258)),
    term: toHex(encodeTerm(appendToTerm(crypto, { count: 1, head: TERM_START }, { id: recordId, version: 258 }).term)),
    keyOfSource: keyHex('records', recordKey.source(toByteText(indexDigest(crypto, 'mes@alpha', 'mes/1')))),
    keyOfEntry: keyHex('registry', registryKey.entry('factory', '厂-1')),
    keyOfEntryVersion: keyHex('registry', registryKey.version('factory', '厂-1', 258)),
    keyOfRole: keyHex('access', accessKey.role('operator')),
    keyOfGrant: keyHex('access', accessKey.grant('alpha', 'record:submit', 'factory/F-1', 'beta')),
    keyOfParameters: keyHex('governance', governanceKey.parameters),
    keyOfValidators: keyHex('governance', governanceKey.validators),
    keyOfAnchor: keyHex('audit', auditKey.anchor('north-1', 258)),
  };
}

/** File name -> text: bundles and the genesis file they are judged by. */
export function frozenFiles(): Record<string, string> {
  const map = fixtureMap(MAP_KEYS);
  return {
    'genesis.json': genesisText,
    'evidence-v1-pbft.json': buildEvidence(plainParts(map)),
    'evidence-v1-pbft-barrier-inclusion.json': buildEvidence(longParts(map)),
    'bytes.json': `${JSON.stringify(frozenBytes(), undefined, 1)}\n`,
    'state.json': `${JSON.stringify(frozenState(), undefined, 1)}\n`,
  };
}
