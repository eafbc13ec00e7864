/** What `tracemill verify` does: the trust a person named, the judgement of `node/format`, and the claims that hold. */
import { createCrypto } from '../../node/crypto/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { type EvidenceTrust, verifyEvidence } from '../../node/format/evidence-verdict.ts';
import { fromHex } from '../../node/format/index.ts';
import type { Cli } from './cli.ts';

export interface TrustFlags {
  readonly genesis?: string;
  readonly trust?: string;
}

/** @throws ChainError CLI_VERIFICATION_FAILED, CLI_USAGE, CLI_FILE_UNREADABLE */
export function verifyBundle(cli: Cli, file: string, options: TrustFlags): void {
  const verdict = verifyEvidence(createCrypto(), cli.readText(file), trustOf(cli, options));
  if (!verdict.ok) {
    const [fault] = verdict.faults;
    throw new ChainError('CLI_VERIFICATION_FAILED', { path: file, check: fault?.check ?? '', reason: fault?.detail ?? '' });
  }
  cli.show(verdict, ['the proof holds:', ...verdict.claims.map((claim) => `  ${claim}`)].join('\n'));
}

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
