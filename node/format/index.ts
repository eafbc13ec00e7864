/**
 * The one leaf every folder and the browser may import: bytes, codec, trees, headers, proofs. No `node:` modules.
 * `engine-names.ts` is a door of its own, for a command line that says which engines there are.
 */
export {
  type ByteText,
  compareBytes,
  concat,
  equalBytes,
  fromBase64Url,
  fromByteText,
  fromHex,
  fromUtf8,
  prefixEnd,
  shortAscii,
  toBase64Url,
  toByteText,
  toHex,
  u32Text,
  utf8,
  wellFormed,
} from './bytes.ts';
export { decodeAll, DecodeError, encodeShort, giveBackWriter, readBytes, Reader, takeSpareWriter, writeBytes, Writer } from './codec.ts';
export {
  type Crypto,
  type Digest,
  DIGEST_BYTES,
  domainTag,
  type Hasher,
  hashTagged,
  hashWritten,
  type SteppedCrypto,
  SUITE,
  tagged,
} from './crypto.ts';
export { leafHash, merkleLevels, merkleLevelsSteps, merklePathIn, merkleRoot } from './merkle.ts';
export {
  type Call,
  type DecodedTransaction,
  decodeTransaction,
  encodeTransaction,
  encodeTransactionBody,
  NAME_BYTES_MAX,
  openTransaction,
  SIGNATURE_BYTES_MAX,
  type SignedTransaction,
  signTransaction,
  type Transaction,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_CALLS_MAX,
  transactionHashOf,
  transactionSigningBytes,
  createSigningBytes,
} from './transaction.ts';
export {
  type ChainParameters,
  defaultParameters,
  isParameterName,
  isParameterValue,
  type ParameterName,
  parameterNames,
  parameterNamesAt,
  type ParameterRow,
  parameterTable,
} from './parameters.ts';
export {
  type Block,
  BLOCK_TRANSACTIONS_LIMIT,
  type ConsensusConfiguration,
  consensusHashOf,
  decodeBlock,
  decodeConfiguration,
  decodeCurrentConfiguration,
  decodeHeader,
  decodeProposal,
  encodeBlock,
  encodeBlockSteps,
  encodeConfiguration,
  encodeHeader,
  encodeProposal,
  faultsMax,
  FINALITY_BYTES_MAX,
  type Header,
  HEADER_VERSION,
  headerHash,
  type JudgedBlock,
  type JudgeFinality,
  quorumSize,
  sealSigningBytes,
  transactionIn,
  type Validator,
  VALIDATORS_MAX,
} from './block.ts';
export { ENGINE_DEFAULT, engineNames } from './engine-names.ts';
export { isEngineName, validatorsFault } from './engines.ts';
export {
  type ContractEvent,
  decodeReceipt,
  type EmittedEvent,
  encodeReceipt,
  EVENTS_PER_TRANSACTION_MAX,
  gasUsedOf,
  type Receipt,
  RECEIPT_DETAIL_BYTES_MAX,
  receiptEvents,
} from './receipt.ts';
export { canonicalJson, decodeJson, decodeJsonOnce, encodeJson, type Json, JSON_DEPTH_MAX, type JsonObject } from './json.ts';
export { type GenesisFile, type GenesisKey, type OpenedGenesis, openGenesis } from './genesis-configuration.ts';
export { isCanonicalPoint, isCanonicalScalar, isEd25519Plausible, isSmallOrderPoint, SMALL_ORDER_POINTS } from './ed25519.ts';
export { isAcceptableKey, isAcceptablePublicKey, verifyEd25519Reference } from './ed25519-reference.ts';
export { decodeContent, encodeContent, type TextStruct, type TextTree } from './content.ts';
export { type JsonPath, type LosslessJson, pointerOf, readJsonSteps, textFault } from './json-text.ts';
export { canonicalDecimal, compareDecimal, DECIMAL_LENGTH_MAX, isDecimal, isInteger } from './decimal.ts';
export { canonicalTime, formatTime, parseTime, US_PER_SECOND } from './time.ts';
export {
  type Amendment,
  contentDigest,
  decodeAmendment,
  decodeRecordVersion,
  decodeSubmissions,
  DIGEST_ALGORITHM,
  dottedPath,
  encodeAmendment,
  encodeRecordVersion,
  encodeSubmissions,
  hmacSha256,
  indexDigest,
  isSealed,
  readSource,
  RECORD_BYTES_MAX,
  recordDigest,
  recordIdOf,
  recordIdOfKeyText,
  type RecordOrigin,
  type RecordPath,
  type RecordPosition,
  RECORDS_PER_CALL_MAX,
  type RecordState,
  type RecordText,
  recordTextsOf,
  type RecordVersion,
  SEALED_NAME,
  sealedBytesCommitment,
  sealedCommitment,
  sealingSalt,
  several,
  SOURCE_TEXT_BYTES_MAX,
  sourceDigest,
  type StoredRecord,
  type Submission,
  takeSource,
  textAt,
  UNAVAILABLE,
  valueAt,
  writeSource,
} from './record.ts';
export {
  currentVersionOf,
  decodeRecordResults,
  encodeRecordResults,
  isRecordResults,
  presentRecordResult,
  type ReceiptPlace,
  recordEventsOf,
  type RecordResult,
} from './record-results.ts';
export {
  appendToTerm,
  decodeTerm,
  encodeTerm,
  type Term,
  TERM_CHUNK_ENTRIES,
  TERM_START,
  termDigest,
  type TermEntry,
  termFault,
  type TermKind,
} from './term.ts';
export { childPath, inRange, type KeyRange, packPath, relate } from './map-path.ts';
export {
  BUCKET_ENTRIES_MAX,
  emptyStateRoot,
  MAP_KEY_BYTES_MAX,
  STATE_HASH,
  STATE_ITEM,
  STATE_PROOF_BYTES_MAX,
  StateProofFault,
  type StateProofReason,
  verifyStateProof,
  verifyStateRange,
} from './state-proof.ts';
export {
  type Evidence,
  type EvidenceHeaderParts,
  type EvidenceInclusionParts,
  type EvidenceParts,
  evidenceSteps,
  stateValueHash,
} from './evidence.ts';
export { type EvidenceDescription, type EvidenceTrust, verifyEvidence } from './evidence-verdict.ts';
