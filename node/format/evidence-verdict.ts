/**
 * The verdict on an evidence bundle, from the genesis file or a pinned header alone (design: chain, "Proofs"): value and map proof up to
 * `stateRoot`, the header, its certificate, and every change of configuration since genesis, each certified by the one before. Form:
 * evidence.ts.
 */
import { type ByteText, equalBytes, fromBase64Url, fromByteText, fromHex, toByteText, toHex } from './bytes.ts';
import {
  consensusHashOf,
  decodeConfiguration,
  decodeHeader,
  type Header,
  headerHash,
  type JudgeFinality,
  type Validator,
} from './block.ts';
import { type Crypto, type Digest, hashTagged } from './crypto.ts';
import { decodeEvidence, type Evidence, type EvidenceInclusion, stateValueHash } from './evidence.ts';
import { openGenesis } from './genesis-configuration.ts';
import { verifyStateProof } from './state-proof.ts';
import { leafHash } from './merkle.ts';
import { decodeReceipt } from './receipt.ts';
import { encodeContent, type TextStruct } from './content.ts';
import { encodeJson } from './json.ts';
import { decodeRecordVersion, type RecordVersion } from './record.ts';
import { openTransaction } from './transaction.ts';

/** State key of a version: space of `records`, kind `v`, record id, version. */
const RECORD_VERSION_KEY = /^\x07recordsv([\s\S]{32})([\s\S]{4})$/;

/** What the verifier trusts already: the text of the genesis file, or one header hash from another source. */
export type EvidenceTrust =
  | { readonly kind: 'genesis'; readonly text: string }
  | { readonly kind: 'pinned'; readonly height: number; readonly hash: Digest };

export interface EvidenceVerdict {
  readonly ok: boolean;
  /** What the bundle proves, in words; empty unless ok. */
  readonly claims: readonly string[];
  readonly faults: readonly { readonly check: string; readonly detail: string }[];
}

class EvidenceFault extends Error {
  readonly check: string;
  readonly detail: string;
  constructor(check: string, detail: string) {
    super(`${check}: ${detail}`);
    this.check = check;
    this.detail = detail;
  }
}

/** Words for a version of a record and its content, added to the claims. */
export type EvidenceDescription = (record: RecordVersion, content: TextStruct | undefined) => readonly string[];

/** Judges a bundle. Nothing in it makes this throw: what is wrong comes back as a fault with the name of the check. */
export function verifyEvidence(
  crypto: Crypto,
  judgeFinality: JudgeFinality,
  text: string,
  trust: EvidenceTrust,
  describe?: EvidenceDescription,
): EvidenceVerdict {
  try {
    return { ok: true, claims: judge(crypto, judgeFinality, decodeEvidence(text), trust, describe), faults: [] };
  } catch (error) {
    const fault =
      error instanceof EvidenceFault
        ? { check: error.check, detail: error.detail }
        : { check: 'form', detail: error instanceof Error ? error.message : 'unreadable' };
    return { ok: false, claims: [], faults: [fault] };
  }
}

/** A configuration as far as a judge of finality needs it, and the first height it judges. */
interface Stage {
  readonly fromHeight: number;
  readonly hash: Digest;
  readonly engine: string;
  readonly validators: readonly Validator[];
}

interface Certified {
  readonly header: Header;
  readonly hash: Digest;
  readonly words: string;
}

function judge(
  crypto: Crypto,
  judgeFinality: JudgeFinality,
  evidence: Evidence,
  trust: EvidenceTrust,
  describe: EvidenceDescription | undefined,
): string[] {
  const chainId = fromHex(evidence.chainId);
  const within = <T>(check: string, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      if (error instanceof EvidenceFault) throw error;
      throw new EvidenceFault(check, error instanceof Error ? error.message : 'unreadable');
    }
  };

  const start = within('trust', () => startOf(crypto, evidence, trust));
  const stages: Stage[] = [];
  const certified = (check: string, header: string, certificate: string, pinned: boolean): Certified => {
    const bytes = fromBase64Url(header);
    const decoded = decodeHeader(bytes);
    const hash = headerHash(crypto, bytes);
    if (!equalBytes(decoded.chainId, chainId)) throw new EvidenceFault(check, 'header belongs to another chain');
    const stage = stages.findLast((candidate) => candidate.fromHeight <= decoded.height);
    if (!stage) throw new EvidenceFault(check, `no configuration is trusted for height ${decoded.height}`);
    if (!equalBytes(stage.hash, decoded.consensusHash))
      throw new EvidenceFault(check, `consensusHash of height ${decoded.height} is not that of the configuration in force`);
    const { engine, validators } = stage;
    const verdict = judgeFinality(
      crypto,
      { engine, chainId, height: decoded.height, digest: hash, validators },
      fromBase64Url(certificate),
    );
    if (verdict.fault !== undefined) throw new EvidenceFault(check, verdict.fault);
    return { header: decoded, hash, words: `${verdict.assurance}${pinned ? ' (header pinned)' : ''}` };
  };

  const parts = [...evidence.barriers, evidence.state];
  let announced = start.consensusHash;
  let fromHeight = 0;
  let state: Certified | undefined;
  for (let i = start.first; i < parts.length; i++) {
    const part = parts[i]!;
    const check = i === evidence.barriers.length ? 'header' : `barrier ${i}`;
    state = within(check, () => {
      const bytes = fromBase64Url(part.header);
      const header = decodeHeader(bytes);
      if (announced && !equalBytes(announced, header.consensusHash))
        throw new EvidenceFault(check, `consensusHash of height ${header.height} is not that of the configuration in force`);
      if (header.height < fromHeight) throw new EvidenceFault(check, 'headers are not in order of height');
      stages.push(stageOf(crypto, part.configuration, header.consensusHash, fromHeight));
      const held = certified(check, part.header, part.certificate, start.pinned && i === start.first);
      if (i < evidence.barriers.length && equalBytes(header.consensusHash, header.nextConsensusHash))
        throw new EvidenceFault(check, 'the header changes no configuration');
      announced = header.nextConsensusHash;
      fromHeight = header.height + 1;
      return held;
    });
  }
  if (!state) throw new EvidenceFault('header', 'there is none');
  const { header } = state;
  if (header.era !== evidence.era) throw new EvidenceFault('era', `bundle says ${evidence.era}, header ${header.era}`);

  const key = toByteText(fromBase64Url(evidence.key));
  const value = fromBase64Url(evidence.value);
  within('map proof', () => {
    const claim = verifyStateProof(crypto, header.stateRoot, fromBase64Url(evidence.proof), key);
    if (!claim.present) throw new EvidenceFault('map proof', 'the key is not in the certified state');
    if (!equalBytes(claim.valueHash, stateValueHash(crypto, value))) throw new EvidenceFault('value', 'the state holds another value');
  });

  const record = within('record', () => recordOf(crypto, evidence, key, value));
  const claims = [
    `${nameOf(key)}, digest ${toHex(stateValueHash(crypto, value))} (SHA-256 of the stored bytes), is in the state certified by ${state.words} at height ${header.height}, era ${header.era}, of chain ${evidence.chainId}`,
    start.words,
    `Valid as of height ${header.height}; a later recovery order cannot be excluded without a newer header`,
    ...(record && describe ? describe(record, evidence.record) : []),
  ];
  if (evidence.inclusion) claims.push(...within('inclusion', () => inclusionClaims(crypto, evidence.inclusion!, certified, record)));
  return claims;
}

/** Where trust begins: the first header that counts, and the consensusHash it must have unless it is pinned itself. */
function startOf(
  crypto: Crypto,
  evidence: Evidence,
  trust: EvidenceTrust,
): { first: number; consensusHash: Digest | undefined; pinned: boolean; words: string } {
  if (trust.kind === 'genesis') {
    const opened = openGenesis(crypto, trust.text);
    if (toHex(opened.genesisHash) !== evidence.genesisHash) throw new EvidenceFault('genesis', 'the bundle names another genesis file');
    if (toHex(opened.chainId) !== evidence.chainId) throw new EvidenceFault('genesis', 'chainId does not follow from the genesis file');
    const changes = evidence.barriers.length;
    const words = `Its validators follow from the genesis file ${evidence.genesisHash} over ${changes} change${changes === 1 ? '' : 's'} of configuration`;
    return { first: 0, consensusHash: consensusHashOf(crypto, opened.configuration), pinned: false, words };
  }
  if (toHex(hashTagged(crypto, 'chain', fromHex(evidence.genesisHash))) !== evidence.chainId)
    throw new EvidenceFault('genesis', 'chainId does not follow from the genesis hash');
  const first = [...evidence.barriers, evidence.state].findIndex((part) => {
    const bytes = fromBase64Url(part.header);
    return decodeHeader(bytes).height === trust.height && equalBytes(headerHash(crypto, bytes), trust.hash);
  });
  if (first < 0) throw new EvidenceFault('trust', `the bundle holds no header of height ${trust.height} with the pinned hash`);
  const words = `Its validators follow from the pinned header ${toHex(trust.hash)} of height ${trust.height}`;
  return { first, consensusHash: undefined, pinned: true, words };
}

/** @throws EvidenceFault when the bytes are not those the header speaks of. */
function stageOf(crypto: Crypto, configuration: string, stated: Digest, fromHeight: number): Stage {
  const bytes = fromBase64Url(configuration);
  const hash = hashTagged(crypto, 'consensus', bytes);
  if (!equalBytes(hash, stated)) throw new EvidenceFault('configuration', 'the bytes do not hash to what the header states');
  const { engine, validators } = decodeConfiguration(bytes);
  return { fromHeight, hash, engine, validators };
}

function inclusionClaims(
  crypto: Crypto,
  part: EvidenceInclusion,
  certified: (check: string, header: string, certificate: string, pinned: boolean) => Certified,
  record: RecordVersion | undefined,
): string[] {
  const { header, words } = certified('inclusion', part.header, part.certificate, false);
  const opened = openTransaction(crypto, fromBase64Url(part.transaction));
  const receiptBytes = fromBase64Url(part.receipt);
  const receipt = decodeReceipt(receiptBytes);
  if (!equalBytes(foldPath(crypto, opened.hash, part.transactionPath), header.txRoot))
    throw new EvidenceFault('transaction', 'the path does not lead to txRoot');
  if (!equalBytes(foldPath(crypto, receiptBytes, part.receiptPath), header.receiptsRoot))
    throw new EvidenceFault('receipt', 'the path does not lead to receiptsRoot');
  if (!equalBytes(receipt.transactionId, opened.id)) throw new EvidenceFault('receipt', 'the receipt is of another transaction');
  if (receipt.height !== header.height) throw new EvidenceFault('receipt', 'the receipt is of another height');
  if (!record) throw new EvidenceFault('record', 'only a version of a record names its transaction');
  if (!equalBytes(record.transactionId, opened.id))
    throw new EvidenceFault('record', 'the transaction is not the one that wrote the record');
  if (record.height !== header.height || record.index !== receipt.index)
    throw new EvidenceFault('record', 'the block or the place in it is not where the record was written');
  return [
    `Transaction ${toHex(opened.id)} of ${opened.transaction.sender}, signed by ${receipt.keyKind === 'own' ? 'a key of its own' : 'a custodial key'}, ended with ${receipt.code} at height ${header.height}, certified by ${words}; it wrote this version`,
  ];
}

/**
 * The version under the key, with content and source as it names them; undefined for any other key.
 * @throws EvidenceFault when they are others, or not there
 */
function recordOf(crypto: Crypto, { record, source }: Evidence, key: ByteText, value: Uint8Array): RecordVersion | undefined {
  const isVersion = RECORD_VERSION_KEY.test(key);
  const version = isVersion ? decodeRecordVersion(value, versionOf(key)) : undefined;
  const content = record === undefined ? new Uint8Array(0) : encodeContent(record);
  if (version ? !equalBytes(crypto.hash(content), version.recordDigest) : record !== undefined)
    throw new EvidenceFault('record', 'the content is not the one that the state names');
  const stated = version?.sourceDigest;
  const said = source === undefined ? undefined : crypto.hash(encodeJson(source));
  if (said === undefined || stated === undefined ? said !== stated : !equalBytes(said, stated))
    throw new EvidenceFault('source', 'the source is not the one that the state names');
  return version;
}

function foldPath(crypto: Pick<Crypto, 'hash'>, leaf: Uint8Array, path: readonly string[]): Digest {
  let digest = leafHash(crypto.hash, leaf);
  for (const step of path) {
    const sibling = fromHex(step.slice(1));
    const node = new Uint8Array(65);
    node[0] = 1;
    node.set(step[0] === 'L' ? sibling : digest, 1);
    node.set(step[0] === 'L' ? digest : sibling, 33);
    digest = crypto.hash(node);
  }
  return digest;
}

/** `record <id> version N` for a version key of `records`, else the key itself. */
function nameOf(key: ByteText): string {
  const match = RECORD_VERSION_KEY.exec(key);
  if (!match) return `State key ${toHex(fromByteText(key))}`;
  return `Record ${toHex(fromByteText(match[1]!))} version ${versionOf(key)}`;
}

function versionOf(versionKey: ByteText): number {
  return [...versionKey.slice(-4)].reduce((sum, unit) => sum * 256 + unit.charCodeAt(0), 0);
}
