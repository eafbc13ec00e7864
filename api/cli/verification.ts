/** What `tracemill verify` does: the trust a person named, the judgement of `node/format`, and the claims that hold. */
import { judgeFinality } from '../../consensus/finality.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import {
  canonicalJson,
  DIGEST_ALGORITHM,
  type EvidenceDescription,
  type EvidenceTrust,
  fromHex,
  toHex,
  verifyEvidence,
} from '../../node/format/index.ts';
import type { Cli } from './cli.ts';

export interface TrustFlags {
  readonly genesis?: string;
  readonly trust?: string;
}

/** @throws ChainError CLI_VERIFICATION_FAILED, CLI_USAGE, CLI_FILE_UNREADABLE */
export function verifyBundle(cli: Cli, file: string, options: TrustFlags): void {
  const crypto = createCrypto();
  const verdict = verifyEvidence(crypto, judgeFinality, cli.readText(file), trustOf(cli, options), describeRecord);
  if (!verdict.ok) {
    const [fault] = verdict.faults;
    throw new ChainError('CLI_VERIFICATION_FAILED', { path: file, check: fault?.check ?? '', reason: fault?.detail ?? '' });
  }
  cli.show(verdict, ['the proof holds:', ...verdict.claims.map((claim) => `  ${claim}`)].join('\n'));
}

const CONTENT_SHOWN_MAX = 10_000; // characters of a record's content told among the claims

/** What a proved record says of itself: whose it is, who wrote it, its digest and its content. */
const describeRecord: EvidenceDescription = (record, content) => {
  const text = content === undefined ? '' : canonicalJson(content);
  return [
    `The record is of class ${record.class}, version ${record.version}, ${record.state}, of organisation ${record.org}, written by ${record.actor} in transaction ${toHex(record.transactionId)} at height ${record.height}`,
    `Its recordDigest is ${toHex(record.recordDigest)} (${DIGEST_ALGORITHM} of its content)`,
    text.length > CONTENT_SHOWN_MAX ? `Its content has ${text.length} characters` : `Its content: ${text}`,
  ];
};

function trustOf(cli: Cli, options: TrustFlags): EvidenceTrust {
  if (options.trust !== undefined) {
    const [, height, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(options.trust) ?? [];
    if (height === undefined || hash === undefined) throw new ChainError('CLI_USAGE', { reason: '--trust is not HEIGHT:HASH' });
    return { kind: 'pinned', height: Number(height), hash: fromHex(hash) };
  }
  const genesis = options.genesis ?? cli.profile()?.profile.genesis;
  if (genesis === undefined) throw new ChainError('CLI_USAGE', { reason: '--genesis FILE or --trust HEIGHT:HASH is missing' });
  return { kind: 'genesis', text: cli.readText(genesis) };
}
