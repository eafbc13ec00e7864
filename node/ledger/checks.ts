/**
 * The checks a block passes before it joins the chain, by name, each with the value computed here and the value the block states
 * (design: chain, "Checks"; DB53/T 1407-2025 5.1.3.b, 6.3.2.a to e). Consensus, block sync and `POST blocks/validation` share them.
 */
import { type FinalityProof, judgeFinality, openFinality, producerOf } from '../../consensus/index.ts';
import {
  type ConsensusConfiguration,
  type Crypto,
  consensusHashOf,
  DecodeError,
  type Digest,
  type Header,
  merkleLevelsSteps,
  merkleRoot,
  sealSigningBytes,
  toHex,
} from '../format/index.ts';
import type { BlockCheck } from '../service.ts';

export const blockCheckNames = [
  'chain',
  'headerHash',
  'parentLink',
  'era',
  'timestamp',
  'producerEntitled',
  'producerSeal',
  'consensusHash',
  'transactionRoot',
  'blockLimits',
  'transactionSignatures',
  'receiptsRoot',
  'stateRoot',
  'certificate',
] as const;
export type BlockCheckName = (typeof blockCheckNames)[number];

/** What the parent block fixes for its child. */
export interface ParentFacts {
  readonly hash: Digest;
  readonly height: number;
  readonly timestampMs: number;
  readonly era: number;
  readonly chainId: Digest;
  readonly configuration: ConsensusConfiguration;
}

export function check(name: BlockCheckName, computed: string, stated: string, passed = computed === stated): BlockCheck {
  return { check: name, passed, computed, stated };
}

/** All that a header and its list of transaction hashes show without executing anything. */
export function checkHeader(
  crypto: Crypto,
  header: Header,
  hash: Digest,
  seal: Uint8Array | undefined,
  transactionHashes: readonly Digest[],
  bytesTotal: number,
  parent: ParentFacts,
  txRoot = merkleRoot(crypto.hash, transactionHashes),
): BlockCheck[] {
  const { configuration } = parent;
  const { parameters } = configuration;
  const producer = configuration.validators.find((validator) => validator.node === header.proposer);
  const checks = [
    check('chain', toHex(parent.chainId), toHex(header.chainId)),
    check('parentLink', `${parent.height + 1} on ${toHex(parent.hash)}`, `${header.height} on ${toHex(header.parentHash)}`),
    check('era', String(parent.era), String(header.era)),
    check('timestamp', `>= ${parent.timestampMs}`, String(header.timestampMs), header.timestampMs >= parent.timestampMs),
    check('producerEntitled', producerOf(header.engine, header.engineData, configuration.validators) ?? 'nobody', header.proposer),
    check(
      'consensusHash',
      `${configuration.engine} ${toHex(consensusHashOf(crypto, configuration))}`,
      `${header.engine} ${toHex(header.consensusHash)}`,
    ),
    check('transactionRoot', toHex(txRoot), toHex(header.txRoot)),
    check(
      'blockLimits',
      `at most ${parameters.blockTransactionsMax} transactions, ${parameters.blockBytesMax} bytes`,
      `${transactionHashes.length} transactions, ${bytesTotal} bytes`,
      transactionHashes.length <= parameters.blockTransactionsMax && bytesTotal <= parameters.blockBytesMax,
    ),
  ];
  if (seal) checks.push(checkSeal(crypto, hash, seal, header.proposer, producer));
  return checks;
}

/** Root of the tree over `leaves`, for a thread that has more to do: `checkHeader` takes 10,000 transactions' in one go otherwise. */
export async function rootWithPauses({ hash }: Crypto, leaves: readonly Uint8Array[], pause: () => Promise<void>): Promise<Digest> {
  const steps = merkleLevelsSteps(hash, leaves);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value.at(-1)![0]!;
    await pause();
  }
}

/** Undefined when `producer` is not known to us: then the seal cannot be judged and fails. */
function checkSeal(
  crypto: Crypto,
  hash: Digest,
  seal: Uint8Array,
  proposer: string,
  producer: ConsensusConfiguration['validators'][number] | undefined,
): BlockCheck {
  const valid = producer !== undefined && crypto.verify(producer.suite, producer.publicKey, sealSigningBytes(hash), seal);
  return check('producerSeal', valid ? `signed by ${proposer}` : `not signed by ${proposer}`, `signed by ${proposer}`);
}

export function checkSealWith(
  crypto: Crypto,
  hash: Digest,
  seal: Uint8Array,
  proposer: string,
  suite: number,
  publicKey: Uint8Array,
): BlockCheck {
  return checkSeal(crypto, hash, seal, proposer, { node: proposer, publicKey, suite, weight: 1 });
}

/** Of bytes that prove no block of this engine final, only that. */
export function checkFinality(
  crypto: Crypto,
  chainId: Digest,
  hash: Digest,
  header: Header,
  finality: Uint8Array,
  configuration: ConsensusConfiguration,
): BlockCheck[] {
  const { engine, validators } = configuration;
  let proof: FinalityProof;
  try {
    proof = openFinality(engine, finality);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return [check('certificate', error.reason, 'a quorum signed')];
  }
  const { height, digest } = proof;
  const { fault } = judgeFinality(crypto, { engine, chainId, height, digest, validators }, finality);
  return [
    check('headerHash', toHex(hash), toHex(digest)),
    check('certificate', fault ?? 'a quorum signed', 'a quorum signed', fault === undefined && height === header.height),
  ];
}

export function failed(checks: readonly BlockCheck[]): BlockCheck[] {
  return checks.filter((entry) => !entry.passed);
}
