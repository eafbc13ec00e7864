/**
 * Headers, blocks and the configuration they are judged by (design: chain, "Block"). The hash of a block is the hash of its header; seal
 * and proof of finality stand outside it, because honest nodes may hold different ones.
 */
import { DecodeError, decodeAll, Reader, Writer } from './codec.ts';
import { type Crypto, DIGEST_BYTES, type Digest, hashTagged, tagged } from './crypto.ts';
import { type ChainParameters, defaultParameters, parameterNamesAt } from './parameters.ts';
import { NAME_BYTES_MAX, SIGNATURE_BYTES_MAX, TRANSACTION_BYTES_MAX } from './transaction.ts';

export const HEADER_VERSION = 1;
export const ENGINE_DATA_BYTES_MAX = 256;
export const VALIDATORS_MAX = 128;
export const FINALITY_BYTES_MAX = 65_536; // of a proof of finality; votes of VALIDATORS_MAX take half of it
export const PARAMETERS_MAX = 256; // rows of a configuration that a decoder accepts
export const PUBLIC_KEY_BYTES_MAX = 128;
export const BLOCK_TRANSACTIONS_LIMIT = 10_000; // hard bound of the encoding; the chain parameter is at most this

export interface Header {
  readonly version: number;
  readonly chainId: Digest;
  readonly era: number;
  readonly height: number;
  readonly parentHash: Digest;
  /** Milliseconds since 1970 by the proposer's clock; never decreasing along the chain. */
  readonly timestampMs: number;
  /** Node id of the producer. */
  readonly proposer: string;
  readonly engine: string;
  /** Canonical bytes of the engine's own, opaque to all others. */
  readonly engineData: Uint8Array;
  readonly txRoot: Digest;
  readonly receiptsRoot: Digest;
  readonly stateRoot: Digest;
  readonly consensusHash: Digest;
  readonly nextConsensusHash: Digest;
}

export interface Validator {
  /** Node id as registered. */
  readonly node: string;
  readonly publicKey: Uint8Array;
  readonly suite: number;
  readonly weight: number;
}

/** What `consensusHash` covers; validators sorted by node id. */
export interface ConsensusConfiguration {
  readonly engine: string;
  readonly executionVersion: number;
  readonly parameters: ChainParameters;
  readonly validators: readonly Validator[];
}

/** A block whose finality is to be judged; engine and validators are those of its height. */
export interface JudgedBlock {
  readonly engine: string;
  readonly chainId: Digest;
  readonly height: number;
  readonly digest: Digest;
  readonly validators: readonly Validator[];
}

export type FinalityVerdict =
  | { readonly fault: string }
  /** Who vouches for the block, in words. */
  | { readonly fault: undefined; readonly assurance: string };

/**
 * Judges the bytes that prove a block final, by the rules of its engine; nothing in them makes it throw. Handed in, as `hash` and `verify`
 * are: what an engine asks of such a proof is the engine's (consensus/finality.ts), and this folder imports nothing above itself.
 */
export type JudgeFinality = (crypto: Pick<Crypto, 'verify'>, block: JudgedBlock, finality: Uint8Array) => FinalityVerdict;

export interface Block {
  readonly header: Header;
  /** The producer's signature over the header hash, tag `seal`. */
  readonly seal: Uint8Array;
  /** Full transaction bytes, in order. */
  readonly transactions: readonly Uint8Array[];
}

/** A block as proposed: transactions by hash. */
export interface Proposal {
  readonly header: Uint8Array;
  readonly seal: Uint8Array;
  readonly transactionHashes: readonly Digest[];
}

export function encodeHeader(header: Header): Uint8Array {
  return new Writer(400)
    .u32(header.version)
    .fixed(header.chainId, DIGEST_BYTES)
    .u64(header.era)
    .u64(header.height)
    .fixed(header.parentHash, DIGEST_BYTES)
    .u64(header.timestampMs)
    .text(header.proposer)
    .text(header.engine)
    .bytes(header.engineData)
    .fixed(header.txRoot, DIGEST_BYTES)
    .fixed(header.receiptsRoot, DIGEST_BYTES)
    .fixed(header.stateRoot, DIGEST_BYTES)
    .fixed(header.consensusHash, DIGEST_BYTES)
    .fixed(header.nextConsensusHash, DIGEST_BYTES)
    .finish();
}

function readHeader(reader: Reader): Header {
  return {
    version: reader.u32(),
    chainId: reader.fixed(DIGEST_BYTES),
    era: reader.u64(),
    height: reader.u64(),
    parentHash: reader.fixed(DIGEST_BYTES),
    timestampMs: reader.u64(),
    proposer: reader.text(NAME_BYTES_MAX),
    engine: reader.text(NAME_BYTES_MAX),
    engineData: reader.bytes(ENGINE_DATA_BYTES_MAX),
    txRoot: reader.fixed(DIGEST_BYTES),
    receiptsRoot: reader.fixed(DIGEST_BYTES),
    stateRoot: reader.fixed(DIGEST_BYTES),
    consensusHash: reader.fixed(DIGEST_BYTES),
    nextConsensusHash: reader.fixed(DIGEST_BYTES),
  };
}

/** @throws DecodeError */
export function decodeHeader(bytes: Uint8Array): Header {
  return decodeAll(bytes, readHeader);
}

/** The block hash. */
export function headerHash(crypto: Pick<Crypto, 'hash'>, headerBytes: Uint8Array): Digest {
  return hashTagged(crypto, 'header', headerBytes);
}

export function sealSigningBytes(hash: Digest): Uint8Array {
  return tagged('seal', hash);
}

export function encodeBlock(block: Block): Uint8Array {
  const steps = encodeBlockSteps(encodeHeader(block.header), block);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Copied between two pauses, in bytes: some hundred microseconds. */
const ENCODE_STEP_BYTES = 1_048_576;

/** A block with its header as it was received; a pause is possible at every yield, for a block may hold tens of megabytes. */
export function* encodeBlockSteps(
  header: Uint8Array,
  { seal, transactions }: Pick<Block, 'seal' | 'transactions'>,
): Generator<void, Uint8Array, void> {
  const length = transactions.reduce((sum, { length }) => sum + 4 + length, 4 + header.length + 4 + seal.length + 4);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let stepAt = ENCODE_STEP_BYTES;
  at = putPart(view, bytes, at, header);
  at = putPart(view, bytes, at, seal);
  view.setUint32(at, transactions.length);
  at += 4;
  for (const transaction of transactions) {
    at = putPart(view, bytes, at, transaction);
    if (at < stepAt) continue;
    yield;
    stepAt = at + ENCODE_STEP_BYTES;
  }
  return bytes;
}

/** @returns where the next part begins */
function putPart(view: DataView, bytes: Uint8Array, at: number, part: Uint8Array): number {
  view.setUint32(at, part.length);
  bytes.set(part, at + 4);
  return at + 4 + part.length;
}

/** @throws DecodeError */
export function decodeBlock(bytes: Uint8Array): Block {
  return decodeAll(bytes, readBlock);
}

function readBlock(reader: Reader): Block {
  return {
    header: decodeHeader(reader.bytes()),
    seal: reader.bytes(SIGNATURE_BYTES_MAX),
    transactions: reader.list(readTransactionBytes, BLOCK_TRANSACTIONS_LIMIT),
  };
}

function readTransactionBytes(reader: Reader): Uint8Array {
  return reader.bytes(TRANSACTION_BYTES_MAX);
}

/** One transaction of a block; undefined where it has none. @throws DecodeError */
export function transactionIn(blockBytes: Uint8Array, index: number): Uint8Array | undefined {
  const reader = new Reader(blockBytes);
  reader.bytes(); // the header
  reader.bytes(); // the seal
  if (index >= reader.u32()) return undefined;
  for (let i = 0; i < index; i++) reader.bytes();
  return reader.bytes();
}

export function encodeProposal(proposal: Proposal): Uint8Array {
  return new Writer(4096).bytes(proposal.header).bytes(proposal.seal).list(proposal.transactionHashes, writeDigest).finish();
}

function writeDigest(writer: Writer, digest: Digest): void {
  writer.fixed(digest, DIGEST_BYTES);
}

function readDigest(reader: Reader): Digest {
  return reader.fixed(DIGEST_BYTES);
}

/** @throws DecodeError */
export function decodeProposal(bytes: Uint8Array): Proposal {
  return decodeAll(bytes, readProposal);
}

function readProposal(reader: Reader): Proposal {
  return {
    header: reader.bytes(),
    seal: reader.bytes(SIGNATURE_BYTES_MAX),
    transactionHashes: reader.list(readDigest, BLOCK_TRANSACTIONS_LIMIT),
  };
}

/** Of configurations that were asked for: each block states the hashes of two and hands one on, and they change at barriers alone. */
const encodings = new WeakMap<ConsensusConfiguration, Uint8Array>();

/**
 * Bytes behind `consensusHash`, the same array for the same object: not to be changed. @throws RangeError when validators are not sorted by node id
 * without repetition.
 */
export function encodeConfiguration(configuration: ConsensusConfiguration): Uint8Array {
  const held = encodings.get(configuration);
  if (held) return held;
  const bytes = encodeAnew(configuration);
  encodings.set(configuration, bytes);
  return bytes;
}

function encodeAnew(configuration: ConsensusConfiguration): Uint8Array {
  for (let i = 1; i < configuration.validators.length; i++) {
    if (configuration.validators[i - 1]!.node >= configuration.validators[i]!.node)
      throw new RangeError('Cannot hash a validator set out of order');
  }
  return new Writer(1024)
    .text(configuration.engine)
    .u32(configuration.executionVersion)
    .list(parameterNamesAt(configuration.executionVersion), (w, name) => w.text(name).u64(configuration.parameters[name]))
    .list(configuration.validators, (w, v) => w.text(v.node).bytes(v.publicKey).u8(v.suite).u64(v.weight))
    .finish();
}

/** A configuration as hashed, parameters by the names of its time: a later version may have more of them. */
export interface DecodedConfiguration {
  readonly engine: string;
  readonly executionVersion: number;
  readonly parameters: readonly { readonly name: string; readonly value: number }[];
  readonly validators: readonly Validator[];
}

/** @throws DecodeError */
export function decodeConfiguration(bytes: Uint8Array): DecodedConfiguration {
  return decodeAll(bytes, (reader) => {
    const configuration = {
      engine: reader.text(NAME_BYTES_MAX),
      executionVersion: reader.u32(),
      parameters: reader.list((r) => ({ name: r.text(NAME_BYTES_MAX), value: r.u64() }), PARAMETERS_MAX),
      validators: reader.list(
        (r) => ({ node: r.text(NAME_BYTES_MAX), publicKey: r.bytes(PUBLIC_KEY_BYTES_MAX), suite: r.u8(), weight: r.u64() }),
        VALIDATORS_MAX,
      ),
    };
    const { validators } = configuration;
    if (validators.length === 0) throw new DecodeError('configuration has no validators');
    for (let i = 1; i < validators.length; i++)
      if (validators[i - 1]!.node >= validators[i]!.node) throw new DecodeError('validators are not sorted by node id without repetition');
    return configuration;
  });
}

/** A configuration of the parameter table as it is for its executionVersion. @throws DecodeError when it was written by another table. */
export function decodeCurrentConfiguration(bytes: Uint8Array): ConsensusConfiguration {
  const { engine, executionVersion, parameters, validators } = decodeConfiguration(bytes);
  const names = parameterNamesAt(executionVersion);
  if (parameters.length !== names.length || parameters.some(({ name }, i) => name !== names[i])) {
    throw new DecodeError('parameters are not those of the table');
  }
  const values = Object.fromEntries(parameters.map(({ name, value }) => [name, value])) as Partial<ChainParameters>;
  return { engine, executionVersion, parameters: { ...defaultParameters(), ...values }, validators };
}

export function consensusHashOf(crypto: Pick<Crypto, 'hash'>, configuration: ConsensusConfiguration): Digest {
  return hashTagged(crypto, 'consensus', encodeConfiguration(configuration));
}

/**
 * Smallest number of votes such that any two quorums share an honest validator.
 * @param validatorCount integer >= 1; with f = floor((n-1)/3) faults the result is ceil((n+f+1)/2), which is 2f+1 when n = 3f+1.
 * @throws RangeError when validatorCount is not a positive integer.
 * Source: PBFT, Castro & Liskov 1999, §4.2, widened to any n by quorum intersection.
 */
export function quorumSize(validatorCount: number): number {
  return Math.ceil((validatorCount + faultsMax(validatorCount) + 1) / 2);
}

/** Faulty validators that n can bear: floor((n-1)/3). @throws RangeError when validatorCount is not a positive integer. */
export function faultsMax(validatorCount: number): number {
  if (!Number.isSafeInteger(validatorCount) || validatorCount < 1)
    throw new RangeError(`Cannot size a quorum of ${validatorCount} validators`);
  return Math.floor((validatorCount - 1) / 3);
}
